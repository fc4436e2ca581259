//! What one asks the lake, and what it answers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{EvidenceKind, EvidenceRef, Outcome, Service, Terms, Timestamp, Tlp};
use serde::Serialize;

use crate::entitlement::Entitlement;

/// The most services one page may hold.
pub const MAX_LIMIT: usize = 1_000;

/// How many services one page holds when nobody says.
pub const DEFAULT_LIMIT: usize = 100;

/// The most values one facet may list.
pub const MAX_FACET_VALUES: usize = 1_000;

/// How many values of which field to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetRequest {
    /// A field of the query language that can be counted, as `product`.
    pub field: String,
    /// How many of the most frequent values, at most [`MAX_FACET_VALUES`].
    pub size: usize,
}

/// The most columns of a histogram.
pub const MAX_BUCKETS: usize = 1_000;

/// The most histograms of one search.
pub const MAX_HISTOGRAMS: usize = 8;

/// How wide the columns of a histogram are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Hours.
    Hour,
    /// Days, UTC.
    Day,
    /// Weeks from Monday on.
    Week,
    /// Months.
    Month,
    /// So many numbers.
    Width(u32),
}

impl Step {
    /// The steps of time, with their names.
    pub const OF_TIME: [(Self, &'static str); 4] =
        [(Self::Hour, "hour"), (Self::Day, "day"), (Self::Week, "week"), (Self::Month, "month")];
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Width(width) => write!(f, "{width}"),
            step => f.write_str(Self::OF_TIME.iter().find(|(each, _)| each == step).map_or("", |(_, name)| name)),
        }
    }
}

impl std::str::FromStr for Step {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = Self::OF_TIME.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(step, _)| *step);
        let width = || text.parse().ok().filter(|width| *width > 0).map(Self::Width);
        named.or_else(width).ok_or(())
    }
}

/// A field to count by time or by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramRequest {
    /// `seen`, `first`, `cert.expires`; or `port`, `as`, `confidence`.
    pub field: String,
    /// A step of time for times, a width for numbers.
    pub step: Step,
}

/// A sample in place of every match: uniform, the same for the same seed and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleRequest {
    /// About how many services.
    pub size: u64,
    /// Another seed gives another sample.
    pub seed: u64,
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRequest {
    /// Text in the query language; empty asks for everything.
    pub query: String,
    /// What to count over all matches.
    pub facets: Vec<FacetRequest>,
    /// A field whose different values are counted, over all matches and for each facet value: `ip`, `net`, `port`, `as`
    /// or one that can be a facet.
    pub distinct: Option<String>,
    /// What to count by time or number.
    pub histograms: Vec<HistogramRequest>,
    /// A sample in place of every match.
    pub sample: Option<SampleRequest>,
    /// The most rows that may be looked at, by estimate; none is no bound.
    pub budget: Option<u64>,
    /// How many services to return, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// Where the previous page ended ([`SearchPage::next`]).
    pub cursor: Option<String>,
    /// What "now" is in relative times such as `seen:<7d`.
    pub now: Timestamp,
    /// What the asker is entitled to; everything else does not exist for this search. None is all.
    pub within: Option<Arc<Entitlement>>,
}

impl Default for SearchRequest {
    /// Everything, the first hundred, as of the beginning of time: set `now` where the query may speak of ages.
    fn default() -> Self {
        Self {
            query: String::new(),
            facets: Vec::new(),
            distinct: None,
            histograms: Vec::new(),
            sample: None,
            budget: None,
            limit: DEFAULT_LIMIT,
            cursor: None,
            now: Timestamp::default(),
            within: None,
        }
    }
}

/// One value of a facet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    /// The value, as one would write it in a query.
    pub value: String,
    /// How many matching services have it.
    pub count: u64,
    /// How many different things those services have, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
}

/// A count of different things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Distinct {
    /// How many.
    pub count: u64,
    /// How far off that may be, in 95 of 100 cases; 0 is exact.
    pub margin: u64,
}

/// A column of a histogram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Where it begins: a time, or a number. It ends where the next one begins.
    pub from: String,
    /// How many matching services are in it.
    pub count: u64,
}

/// What a sample says of all matches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampled {
    /// The share of services that was looked at.
    pub fraction: f64,
    /// How many of those match: what totals and counts of the page speak of.
    pub kept: u64,
    /// How many of all match, about.
    pub total: u64,
    /// In 95 of 100 cases not fewer than this.
    pub at_least: u64,
    /// In 95 of 100 cases not more than this.
    pub at_most: u64,
}

/// What a query costs and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// At most so many services match.
    pub matches: u64,
    /// About so many rows are looked at.
    pub rows: u64,
    /// So many threads would look.
    pub threads: usize,
    /// The parts of the query, outer ones first.
    pub steps: Vec<PlanStep>,
}

/// A part of a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    /// How deep it stands.
    pub depth: usize,
    /// The part, as the query language writes it.
    pub part: String,
    /// How it is answered.
    pub how: &'static str,
    /// At most so many services match it.
    pub matches: u64,
}

/// A page of answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SearchPage {
    /// How many services match in all.
    pub total: u64,
    /// The services of this page, in the order asked for.
    pub matches: Vec<Service>,
    /// Counts by field, most frequent first.
    pub facets: BTreeMap<String, Vec<FacetCount>>,
    /// How many different things all matches have, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
    /// Columns by field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub histograms: BTreeMap<String, Vec<Bucket>>,
    /// When only a sample was looked at: what that says of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled: Option<Sampled>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<String>,
}

/// One observation in the history of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// When.
    pub time: Timestamp,
    /// Which port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub transport: hinomi_model::Transport,
    /// What happened.
    pub outcome: Outcome,
    /// Which sensor saw it.
    pub sensor: String,
    /// In which campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// What the sensor remarked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Protocol, product and version as the evidence of that time tells today's rules, one line.
    pub label: String,
    /// What differs from the sighting of the same service before: `opened`, `version`, `product`, `certificate`, ...
    pub changes: Vec<String>,
    /// What was seen.
    pub evidence: Vec<EvidenceRef>,
    /// How far it may travel.
    pub tlp: Tlp,
    /// Under which terms it is told.
    #[serde(skip_serializing_if = "Terms::is_empty")]
    pub terms: Terms,
}

/// Everything about one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The address.
    pub address: IpAddr,
    /// Its services as last seen, by port.
    pub services: Vec<Service>,
    /// Its sightings, newest first, at most [`MAX_LIMIT`].
    pub history: Vec<HistoryEntry>,
}

/// Evidence as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvidence {
    /// How to read the bytes.
    pub kind: EvidenceKind,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether more was there and was cut.
    pub truncated: bool,
    /// When it was first seen.
    pub first_seen: Timestamp,
}
