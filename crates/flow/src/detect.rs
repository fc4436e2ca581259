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
pub mod words;
mod world;

use serde::{Deserialize, Serialize};

pub(crate) use view::ServerView;
pub use world::World;

/// What kind of knowledge a piece of evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A list of known endpoints names it.
    Seed,
    /// Near known endpoints.
    Graph,
    /// The rhythm of its clients.
    Beacon,
    /// The order of a client's events.
    Chain,
    /// Its share of known infected clients.
    Lift,
    /// Clients acting at once.
    Synchrony,
    /// A model trained on the user's own flows.
    Model,
    /// Circumstances, mostly against.
    Context,
}

/// Families that look at overlapping facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Seeds and what lies near them.
    Knowledge,
    /// Times.
    Rhythm,
    /// Sets of clients.
    Crowd,
    /// Sizes and durations.
    Shape,
    /// Circumstances.
    Context,
}

impl Family {
    /// The group it is capped with.
    pub const fn group(self) -> Group {
        match self {
            Self::Seed | Self::Graph => Group::Knowledge,
            Self::Beacon | Self::Chain => Group::Rhythm,
            Self::Lift | Self::Synchrony => Group::Crowd,
            Self::Model => Group::Shape,
            Self::Context => Group::Context,
        }
    }
}

impl Group {
    /// Every group, in the order of display.
    pub const ALL: [Self; 5] = [Self::Knowledge, Self::Rhythm, Self::Crowd, Self::Shape, Self::Context];
}

/// What exactly was seen. The name is stable: catalogues of words have a message `flow-CODE` in each language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A list names the endpoint: `age_days` (-1 not known), `lists`.
    SeedEndpoint,
    /// A list names the host without a port, or with another one: `age_days`, `lists`.
    SeedHost,
    /// The port is far commoner among known endpoints than elsewhere: `port`, `seeds`, `ratio`.
    GraphPort,
    /// Known endpoints in the same /24 or /48: `seeds`.
    GraphNetwork,
    /// Reached by the clients of known endpoints: `jaccard`, `rank` (personalised PageRank against the mean).
    GraphClients,
    /// Regular gaps, sizes and presence (RITA's parts): `score`, `gap_seconds`, `sessions`, `clients`.
    BeaconRegular,
    /// A period that shuffled times do not have: `period_seconds`, `strength`, `clients`.
    BeaconPeriod,
    /// Connections in vain at regular times: `gap_seconds`, `run`, `clients`.
    BeaconFailed,
    /// Long lines on which little passes: `duration_seconds`, `bytes_per_second`, `clients`.
    BeaconKeepAlive,
    /// Probe, download, this server, scan, in that order: `stages`, `clients`.
    ChainOrder,
    /// More infected clients than chance: `infected`, `clients`, `lift`, `log10_p`.
    LiftInfected,
    /// Its clients begin an attack at once: `onsets`, `clients`, `seconds`, `log10_p`.
    SynchronyOnset,
    /// The trained model: `score`, `positives`, `precision`.
    ModelScore,
    /// Against: reached by a large share of all subscribers: `share`.
    ContextPopular,
    /// Against: a port on which nearly everything is harmless: `port`, `ratio`.
    ContextPort,
    /// Against: used only in some hours of the day: `hours_of_day`.
    ContextHours,
    /// Against: clients mostly fetch much: `bytes_back`, `ratio`.
    ContextDownload,
}

impl Code {
    /// Every code: for catalogues of words.
    pub const ALL: [Self; 17] = [
        Self::SeedEndpoint,
        Self::SeedHost,
        Self::GraphPort,
        Self::GraphNetwork,
        Self::GraphClients,
        Self::BeaconRegular,
        Self::BeaconPeriod,
        Self::BeaconFailed,
        Self::BeaconKeepAlive,
        Self::ChainOrder,
        Self::LiftInfected,
        Self::SynchronyOnset,
        Self::ModelScore,
        Self::ContextPopular,
        Self::ContextPort,
        Self::ContextHours,
        Self::ContextDownload,
    ];

    /// The family that gives it.
    pub const fn family(self) -> Family {
        match self {
            Self::SeedEndpoint | Self::SeedHost => Family::Seed,
            Self::GraphPort | Self::GraphNetwork | Self::GraphClients => Family::Graph,
            Self::BeaconRegular | Self::BeaconPeriod | Self::BeaconFailed | Self::BeaconKeepAlive => Family::Beacon,
            Self::ChainOrder => Family::Chain,
            Self::LiftInfected => Family::Lift,
            Self::SynchronyOnset => Family::Synchrony,
            Self::ModelScore => Family::Model,
            Self::ContextPopular | Self::ContextPort | Self::ContextHours | Self::ContextDownload => Family::Context,
        }
    }

    /// As it is written in catalogues and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SeedEndpoint => "seed-endpoint",
            Self::SeedHost => "seed-host",
            Self::GraphPort => "graph-port",
            Self::GraphNetwork => "graph-network",
            Self::GraphClients => "graph-clients",
            Self::BeaconRegular => "beacon-regular",
            Self::BeaconPeriod => "beacon-period",
            Self::BeaconFailed => "beacon-failed",
            Self::BeaconKeepAlive => "beacon-keep-alive",
            Self::ChainOrder => "chain-order",
            Self::LiftInfected => "lift-infected",
            Self::SynchronyOnset => "synchrony-onset",
            Self::ModelScore => "model-score",
            Self::ContextPopular => "context-popular",
            Self::ContextPort => "context-port",
            Self::ContextHours => "context-hours",
            Self::ContextDownload => "context-download",
        }
    }
}

/// One reason, for or against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was seen.
    pub code: Code,
    /// ln(P(seen | C&C) / P(seen | not)); positive speaks for.
    pub log_likelihood_ratio: f64,
    /// The numbers of the sentence, by the names that [`Code`] lists.
    pub values: Vec<(String, f64)>,
}

impl Evidence {
    pub(crate) fn new(code: Code, log_likelihood_ratio: f64, values: &[(&str, f64)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Self { code, log_likelihood_ratio, values }
    }

    /// The number of that name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json_and_all_different() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        for code in Code::ALL {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("{:?}", code.name()));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
