//! One case's outcome against its truth.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use super::Case;
use super::baseline::NAMED_FROM;
use crate::detect::detection::{Scoring, ScoringCounts};
use crate::detect::watch::WatchCounts;
use crate::finding::{Endpoint, Finding};

/// Findings kept whole for the report.
const SHOWN: usize = 20;

/// Where a true endpoint came in, from 1; none where it was not ranked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The true endpoint.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Ours.
    pub rank: Option<usize>,
    /// The baseline's.
    pub baseline_rank: Option<usize>,
}

/// What the baseline did on the same flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Baselined {
    /// Endpoints with a score.
    pub scored: usize,
    /// Endpoints that it names.
    pub named: usize,
    /// Of these, true ones.
    pub named_true: usize,
}

/// What became of one case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The case.
    pub name: String,
    /// Put together or made up.
    pub composed: bool,
    /// Records in.
    pub records: usize,
    /// True endpoints.
    pub truth: usize,
    /// Endpoints named.
    pub named: usize,
    /// Of these, true ones.
    pub named_true: usize,
    /// Named, and let through by the export gate.
    pub exportable: usize,
    /// Of these, true ones.
    pub exportable_true: usize,
    /// Where the true ones came in.
    pub places: Vec<Place>,
    /// The same by the baseline.
    pub baseline: Baselined,
    /// What became of the servers.
    pub servers: ScoringCounts,
    /// What subscribers were seen doing.
    pub watched: WatchCounts,
    /// Why there is no model, where one was asked for.
    pub no_model: Option<String>,
    /// The true ones, as they were found.
    pub asked: Vec<Finding>,
    /// The first of the ranking.
    pub first: Vec<Finding>,
    /// Confidence and truth of every ranked endpoint: for the calibration.
    #[serde(skip)]
    pub scored: Vec<(f64, bool)>,
}

pub(super) fn measure(
    case: &Case,
    scoring: &Scoring,
    baseline: &[(Endpoint, f64)],
    leaves: impl Fn(&Finding) -> bool,
) -> Outcome {
    let is_true = |endpoint: &Endpoint| case.truth.contains(&(endpoint.address, endpoint.port));
    let named: Vec<&Finding> = scoring.ranked.iter().filter(|finding| finding.is_named()).collect();
    let exportable: Vec<&&Finding> = named.iter().filter(|finding| leaves(finding)).collect();
    let of_baseline: Vec<&(Endpoint, f64)> = baseline.iter().filter(|(_, score)| *score >= NAMED_FROM).collect();
    Outcome {
        name: case.name.clone(),
        composed: case.composed,
        records: case.records.len(),
        truth: case.truth.len(),
        named: named.len(),
        named_true: named.iter().filter(|finding| is_true(&finding.endpoint)).count(),
        exportable: exportable.len(),
        exportable_true: exportable.iter().filter(|finding| is_true(&finding.endpoint)).count(),
        places: places(&case.truth, scoring, baseline),
        baseline: Baselined {
            scored: baseline.len(),
            named: of_baseline.len(),
            named_true: of_baseline.iter().filter(|(endpoint, _)| is_true(endpoint)).count(),
        },
        servers: scoring.counts,
        asked: scoring.ranked.iter().filter(|finding| is_true(&finding.endpoint)).cloned().collect(),
        first: scoring.ranked.iter().take(SHOWN).cloned().collect(),
        scored: scoring.ranked.iter().map(|finding| (finding.confidence, is_true(&finding.endpoint))).collect(),
        ..Outcome::default()
    }
}

fn places(truth: &BTreeSet<(IpAddr, u16)>, scoring: &Scoring, baseline: &[(Endpoint, f64)]) -> Vec<Place> {
    let same =
        |endpoint: &Endpoint, (address, port): (IpAddr, u16)| endpoint.address == address && endpoint.port == port;
    let place = |&(address, port): &(IpAddr, u16)| Place {
        address,
        port,
        rank: scoring.ranked.iter().position(|found| same(&found.endpoint, (address, port))).map(|place| place + 1),
        baseline_rank: baseline.iter().position(|(found, _)| same(found, (address, port))).map(|place| place + 1),
    };
    truth.iter().map(place).collect()
}
