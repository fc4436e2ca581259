//! All outcomes together: precision, recall, calibration, and the words for a terminal.

use serde::Serialize;

use super::measure::Outcome;
use crate::detect::statistics::as_f64;

/// Bounds of the calibration's bins.
const BINS: [f64; 7] = [0.0, 0.01, 0.1, 0.3, 0.5, 0.8, 1.0];

/// Endpoints whose confidence lies in one bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// From here.
    pub from: f64,
    /// To here.
    pub to: f64,
    /// Endpoints in it.
    pub endpoints: usize,
    /// Mean confidence told.
    pub told: f64,
    /// Share of them that are true.
    pub true_share: f64,
}

/// The sum over cases.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Case by case.
    pub cases: Vec<Outcome>,
    /// Of what was named, the share that is true; none where nothing was named.
    pub precision: Option<f64>,
    /// Of what is true, the share that was named; none where nothing is true.
    pub recall: Option<f64>,
    /// The baseline's.
    pub baseline_precision: Option<f64>,
    /// The baseline's.
    pub baseline_recall: Option<f64>,
    /// Told and true.
    pub calibration: Vec<Bin>,
}

impl Report {
    /// Adds up outcomes.
    pub fn new(cases: Vec<Outcome>) -> Self {
        let sum = |of: fn(&Outcome) -> usize| cases.iter().map(of).sum::<usize>();
        let part = |some: usize, all: usize| (all > 0).then(|| as_f64(some) / as_f64(all));
        let truth = sum(|case| case.truth);
        Self {
            precision: part(sum(|case| case.named_true), sum(|case| case.named)),
            recall: part(sum(|case| case.named_true), truth),
            baseline_precision: part(sum(|case| case.baseline.named_true), sum(|case| case.baseline.named)),
            baseline_recall: part(sum(|case| case.baseline.named_true), truth),
            calibration: calibration(&cases),
            cases,
        }
    }

    /// Lines for a terminal.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for case in &self.cases {
            lines.extend(of_case(case));
        }
        let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        lines.push(format!("{:<10} {:>9} {:>9}", "", "precision", "recall"));
        lines.push(format!("{:<10} {:>9} {:>9}", "hinomi", share(self.precision), share(self.recall)));
        let of_baseline = (share(self.baseline_precision), share(self.baseline_recall));
        lines.push(format!("{:<10} {:>9} {:>9}", "RITA-like", of_baseline.0, of_baseline.1));
        lines.push("confidence      endpoints  mean told  true".to_owned());
        for bin in &self.calibration {
            let range = format!("{:.2} to {:.2}", bin.from, bin.to);
            lines.push(format!("{range:<15} {:>9} {:>10.3} {:>5.3}", bin.endpoints, bin.told, bin.true_share));
        }
        lines
    }
}

fn of_case(case: &Outcome) -> Vec<String> {
    let composed = if case.composed { " (composed)" } else { "" };
    let mut lines = vec![format!(
        "{}{composed}: {} records, {} servers scored, {} named of which {} true, {} past the gate; RITA-like {} named, \
         {} true",
        case.name,
        case.records,
        case.servers.scored,
        case.named,
        case.named_true,
        case.exportable,
        case.baseline.named,
        case.baseline.named_true,
    )];
    let rank = |rank: Option<usize>| rank.map_or_else(|| "not ranked".to_owned(), |rank| format!("rank {rank}"));
    for place in &case.places {
        let endpoint = std::net::SocketAddr::new(place.address, place.port);
        lines.push(format!("  {endpoint}: {}, RITA-like {}", rank(place.rank), rank(place.baseline_rank)));
    }
    if let Some(reason) = &case.no_model {
        lines.push(format!("  no model: {reason}"));
    }
    for finding in case.first.iter().take(5) {
        let reasons: Vec<String> = finding
            .reasons
            .iter()
            .chain(&finding.counter_evidence)
            .map(|reason| format!("{} {:+.1}", reason.code.name(), reason.log_likelihood_ratio))
            .collect();
        let mark = if finding.is_named() { "named" } else { "lead" };
        lines.push(format!("  {:.3} {mark:<5} {}  {}", finding.confidence, finding.endpoint, reasons.join(", ")));
    }
    lines
}

fn calibration(cases: &[Outcome]) -> Vec<Bin> {
    let all: Vec<(f64, bool)> = cases.iter().flat_map(|case| case.scored.iter().copied()).collect();
    let bins = BINS.windows(2).filter_map(|pair| {
        let (&from, &to) = (pair.first()?, pair.last()?);
        let inside: Vec<&(f64, bool)> =
            all.iter().filter(|(told, _)| *told >= from && (*told < to || to >= 1.0)).collect();
        let count = as_f64(inside.len()).max(1.0);
        Some(Bin {
            from,
            to,
            endpoints: inside.len(),
            // An empty sum is minus nothing.
            told: (inside.iter().map(|(told, _)| told).sum::<f64>() / count).abs(),
            true_share: as_f64(inside.iter().filter(|(_, is_true)| *is_true).count()) / count,
        })
    });
    bins.collect()
}
