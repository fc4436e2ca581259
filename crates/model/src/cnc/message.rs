//! What changed: findings made, taken back, shared; and what the export gate said.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Endpoint, Finding};

/// Why a finding no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withdrawn {
    /// Nothing new was seen, and what was seen is old.
    Faded,
    /// A newer scoring does not bear it out.
    Outweighed,
    /// Maintained knowledge vouches for the endpoint now.
    Suppressed,
    /// Somebody showed that it is wrong.
    Refuted,
}

impl Withdrawn {
    /// Every one: for catalogues of words.
    pub const ALL: [Self; 4] = [Self::Faded, Self::Outweighed, Self::Suppressed, Self::Refuted];

    /// As it is written in catalogues and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Faded => "faded",
            Self::Outweighed => "outweighed",
            Self::Suppressed => "suppressed",
            Self::Refuted => "refuted",
        }
    }
}

/// A finding is taken back: goes to everyone who got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retraction {
    /// Where.
    pub endpoint: Endpoint,
    /// Why.
    pub reason: Withdrawn,
}

/// What names an endpoint independently of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Corroboration {
    /// A list of known servers.
    Seed,
    /// A decoy's visitor came from there or was sent there.
    Decoy,
    /// A telescope saw it.
    Telescope,
}

impl Corroboration {
    /// Every one: for catalogues of words.
    pub const ALL: [Self; 3] = [Self::Seed, Self::Decoy, Self::Telescope];

    /// As it is written in catalogues and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Decoy => "decoy",
            Self::Telescope => "telescope",
        }
    }
}

/// Why an endpoint stays inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum KeptBack {
    /// Too few pseudonyms in every epoch, and nothing corroborates it.
    TooFewClients {
        /// Most in one epoch.
        had: u64,
        /// How many are asked for.
        k: u64,
    },
    /// Enough pseudonyms, but in one epoch only.
    OneEpoch,
    /// Not sure enough.
    Unsure,
    /// Neither TCP nor UDP.
    NoTransport,
    /// In the range of a member, who alone is told.
    MemberOnly {
        /// Its name; stays inside.
        member: String,
    },
}

impl KeptBack {
    /// Every name: for catalogues of words.
    pub const NAMES: [&str; 5] = ["too-few-clients", "one-epoch", "unsure", "no-transport", "member-only"];

    /// As it is written in catalogues and in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooFewClients { .. } => "too-few-clients",
            Self::OneEpoch => "one-epoch",
            Self::Unsure => "unsure",
            Self::NoTransport => "no-transport",
            Self::MemberOnly { .. } => "member-only",
        }
    }
}

/// What the export gate said of a finding when it was scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum ExportVerdict {
    /// It may leave.
    Passes {
        /// What names it besides the flows; without any, enough pseudonyms in enough epochs do.
        corroboration: BTreeSet<Corroboration>,
    },
    /// It stays inside.
    KeptBack {
        /// Why.
        reason: KeptBack,
    },
}

impl ExportVerdict {
    /// Whether it may leave.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Passes { .. })
    }
}

/// A list that left the house: inside, so that a later list can take back what this one named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// What it named.
    pub endpoints: Vec<Endpoint>,
    /// What it took back.
    pub withdrawn: Vec<Endpoint>,
}

/// What changed for those who follow findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// New, with other reasons, or confirmed after a while.
    Found {
        /// The finding as of its scoring.
        finding: Box<Finding>,
        /// What the export gate said of it.
        export: ExportVerdict,
    },
    /// No longer held.
    Retracted(Retraction),
    /// A list was shared.
    Listed(Listing),
}
