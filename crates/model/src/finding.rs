//! Something that a named someone should act on.

use serde::{Deserialize, Serialize};

use crate::facts::Confidence;
use crate::id::SightingId;
use crate::marking::Marking;
use crate::service::ServiceKey;
use crate::time::Timestamp;

/// How much it matters, from nothing to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Mend when convenient.
    Low,
    /// Mend this month.
    Medium,
    /// Mend this week.
    High,
    /// Mend now.
    Critical,
}

/// A finding, with what it rests on and what would refute it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of finding, as `telnet-open`.
    pub rule: String,
    /// Where.
    pub service: ServiceKey,
    /// How much it matters.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Sightings it rests on.
    pub sightings: Vec<SightingId>,
    /// One sentence why.
    pub reason: String,
    /// One sentence: what observation would show that it is wrong.
    pub refuted_by: String,
    /// When it was derived.
    pub time: Timestamp,
    /// Who may know.
    pub marking: Marking,
}
