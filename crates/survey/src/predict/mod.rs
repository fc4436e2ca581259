//! Where to look next: from what is known to what is likely, and to what is due again.
//!
//! ```text
//!   services, by address --> Learner --> Model --+
//!                       \                        v
//!                        +-------------------> Proposer --> Candidates: targets by expected yield, with reasons
//!   finished campaigns (Asked) ------------------^
//!   services --> Lifetimes, then Schedule --> what is due again, with reasons
//! ```
//!
//! Services are read twice as a stream in order of address; what stays in memory is bounded ([`counts`], [`MAX_PROPOSED`]).
//!
//! **The model** counts, as GPS does (Izhikevich, Teixeira and Durumeric, 2022), how often a port is open at hosts that
//! share a feature: another open port, the product at a port, the AS, the /24 and /16 (IPv6: /64 and /48). A rate is
//! the mean of a Beta distribution whose prior is the rate over all known hosts, so that three hits of three do not
//! outrank ninety of a hundred. The features of one host speak of the same device: multiplying them would count one
//! cause many times over. So each port takes its *best single* feature, which is also a reason that a person can check.
//! Where that feature is not a product, the host's products may say that its neighbours are of another kind: then the
//! product that says most against it lowers the rate, and the neighbours that do have something of the host count for more.
//! An address of which nothing is known has its networks alone; there the rate of the /24 leans on that of the /16, and
//! that on the rate of addresses drawn at random.
//!
//! **What a rate is a rate of.** A host that was never asked at a port says nothing about it. Hosts are grouped by the
//! finished campaigns that asked them without regard to what was expected ([`Asked`]): as part of a range, or listed
//! with every port of the scope. A host counts below the line only for the ports it was asked at so. Hosts that were
//! asked here and there by a predicted list teach nothing: the model would confirm itself. Hosts of which no campaign
//! knows (imports) count for every port, for want of better.
//!
//! **Exploration.** A share of every list is drawn at random over all permitted addresses and ports. Its answers, and
//! those of campaigns over whole ranges, are what rates of random addresses are taken from.
//!
//! **Silence.** What was asked and gave no service is not proposed again for [`Settings::silent`], and makes what mostly
//! stands beside it less likely: a host that is silent at Winbox's port is probably no RouterOS, whatever its page says.
//! Of all known hosts the single strongest silence counts (Bayes' rule with one observation); in its own network those that are
//! silent at the same ports are counted, so that five silences say more than one.

mod asked;
mod counts;
mod due;
mod explore;
mod ground;
mod known;
mod lifetime;
mod model;
mod propose;
mod silence;
mod why;

use std::time::Duration;

pub use asked::{Asked, MAX_ASKED};
pub use due::{Due, Schedule, severity};
pub use ground::Ground;
pub use known::{Host, Hosts, Known};
pub use lifetime::Lifetimes;
pub use model::{Learner, Model};
pub use propose::{Proposed, Proposer};
pub use why::{Candidate, Why};

/// The most targets that are proposed at once.
pub const MAX_PROPOSED: usize = 1 << 20;

/// Hosts with more open ports than this are passed over: nobody runs so many services, but middleboxes and decoys that
/// answer at every port do (Censys: two services in five stand on one host in five hundred).
pub const MAX_OPEN: usize = 64;

/// How it is looked.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many targets.
    pub limit: usize,
    /// Which share of them is drawn at random, from 0 to 1.
    pub explore: f64,
    /// Decides what is drawn.
    pub seed: u64,
    /// How long a target that was silent is left alone.
    pub silent: Duration,
    /// After which time a service is due whatever it is.
    pub oldest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self { limit: 1_000, explore: 0.1, seed: 1, silent: days(14), oldest: days(30) }
    }
}

/// A port with its transport as one number.
pub(crate) fn code((transport, port): (hinomi_model::Transport, u16)) -> u32 {
    u32::from(port) | if transport == hinomi_model::Transport::Udp { 1 << 16 } else { 0 }
}

/// The port that [`code`] made the number of.
pub(crate) fn port_of(code: u32) -> (hinomi_model::Transport, u16) {
    let transport = if code >> 16 == 0 { hinomi_model::Transport::Tcp } else { hinomi_model::Transport::Udp };
    (transport, u16::try_from(code & 0xffff).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "a count that a rate is made of")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
