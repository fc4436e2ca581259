//! Reasons: what was seen, how much it says, and with which numbers.
//!
//! A log-likelihood ratio is natural: ln(P(seen | C&C) / P(seen | not)). [`Family`] is the kind of knowledge a reason
//! comes from; families of one [`Group`] look at overlapping facts.

use serde::{Deserialize, Serialize};

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

    /// As it is written in catalogues and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Knowledge => "knowledge",
            Self::Rhythm => "rhythm",
            Self::Crowd => "crowd",
            Self::Shape => "shape",
            Self::Context => "context",
        }
    }
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

/// JSON knows no infinity: what is written must be read again.
fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-1e300, 1e300) }
}

impl Evidence {
    /// A reason with its numbers.
    pub fn new(code: Code, log_likelihood_ratio: f64, values: &[(&str, f64)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), finite(*value))).collect();
        Self { code, log_likelihood_ratio: finite(log_likelihood_ratio), values }
    }

    /// The number of that name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
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
        for group in Group::ALL {
            assert_eq!(serde_json::to_string(&group).unwrap(), format!("{:?}", group.name()));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
