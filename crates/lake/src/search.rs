//! What one asks the lake, and what it answers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{EvidenceKind, EvidenceRef, Outcome, Service, Timestamp};
use serde::Serialize;

use crate::query::AddressRanges;

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

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRequest {
    /// Text in the query language; empty asks for everything.
    pub query: String,
    /// What to count over all matches.
    pub facets: Vec<FacetRequest>,
    /// How many services to return, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// Where the previous page ended ([`SearchPage::next`]).
    pub cursor: Option<String>,
    /// What "now" is in relative times such as `seen:<7d`.
    pub now: Timestamp,
    /// Addresses that the asker is entitled to; everything else does not exist for this search. None is all.
    pub within: Option<Arc<AddressRanges>>,
}

impl Default for SearchRequest {
    /// Everything, the first hundred, as of the beginning of time: set `now` where the query may speak of ages.
    fn default() -> Self {
        let (query, facets) = (String::new(), Vec::new());
        Self { query, facets, limit: DEFAULT_LIMIT, cursor: None, now: Timestamp::default(), within: None }
    }
}

/// One value of a facet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    /// The value, as one would write it in a query.
    pub value: String,
    /// How many matching services have it.
    pub count: u64,
}

/// A page of answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SearchPage {
    /// How many services match in all.
    pub total: u64,
    /// The services of this page, in the order asked for.
    pub matches: Vec<Service>,
    /// Counts by field, most frequent first.
    pub facets: BTreeMap<String, Vec<FacetCount>>,
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
