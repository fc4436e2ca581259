//! Eight ways to recognise a C&C server, each of which says how much and why.
//!
//! ```text
//!   flows -> Watch (who scans, floods, is hit by backscatter)      -> removed endpoints, onsets, infection chains
//!   server state -> ServerView (plain numbers, session timelines)  --\
//!   seeds, infected set, model, removed, onsets, chains = World    ---> Detector::look -> Evidence (family, code, LLR)
//!                                                                          -> fuse -> Finding
//! ```
//!
//! | family | group | says |
//! |---|---|---|
//! | [`Family::Seed`] | knowledge | a list names this endpoint, and how old that is |
//! | [`Family::Graph`] | knowledge | near known endpoints: same odd port, same /24, same clients |
//! | [`Family::Beacon`] | rhythm | clients come at regular times, keep lines open, or knock in vain at regular times |
//! | [`Family::Chain`] | rhythm | clients met it between their infection and their first scan |
//! | [`Family::Lift`] | crowd | more of its clients are known infected than chance allows |
//! | [`Family::Synchrony`] | crowd | its clients begin to scan or flood within seconds of each other |
//! | [`Family::Model`] | shape | its sizes and durations look like those of known endpoints in the user's own flows |
//! | [`Family::Context`] | context | what speaks against it: popular, a common port, hours of people |
//!
//! A log-likelihood ratio is natural: ln(P(seen | C&C) / P(seen | not)). Families of one group look at overlapping
//! facts, so the fusion caps them together and counts them as one.

pub mod beacon;
pub mod chain;
pub mod context;
pub mod detection;
pub mod graph;
pub mod lift;
pub mod model;
pub mod ports;
pub mod rhythm;
pub mod seeds;
mod spectrum;
pub(crate) mod statistics;
pub mod synchrony;
pub mod view;
pub mod watch;
mod world;

pub use hinomi_model::cnc::{Code, Evidence, Family, Group, words};
pub(crate) use view::ServerView;
pub use world::World;

/// Everything that speaks for or against one server.
pub(crate) fn look(server: &ServerView, world: &World) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    evidence.extend(seeds::look(server, world));
    evidence.extend(graph::look(server, world));
    evidence.extend(beacon::look(server));
    evidence.extend(chain::look(server, world));
    evidence.extend(lift::look(server, world));
    evidence.extend(synchrony::look(server, world));
    evidence.extend(model::look(server, world));
    evidence.extend(context::look(server, world));
    evidence.retain(|reason| reason.log_likelihood_ratio.is_finite() && reason.log_likelihood_ratio != 0.0);
    evidence
}
