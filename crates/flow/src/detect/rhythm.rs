//! The four parts of a beacon score as RITA made them known, for one client of one server.
//!
//! Interval, size, duration and histogram, each 0 to 1 and weighed equally. Interval and size ask for a symmetric
//! spread (Bowley's skewness) and a small one (median absolute deviation against the median); duration asks how much
//! of the time looked at the client was there; the histogram asks for even hours. Formulae: RITA's documentation
//! (active countermeasures, v4 and v5); the code is our own. The same function serves the baseline of `evaluate`.

use super::statistics::{as_f64, bowley_skew, floor, mean_and_deviation, median_absolute_deviation, quantile, sorted};
use super::view::Pair;

/// Fewer gaps tell nothing.
pub const MIN_GAPS: usize = 4;
/// Parts of the time looked at, for the histogram.
const PARTS: usize = 24;

/// The parts of one pair, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rhythm {
    pub(crate) interval: f64,
    pub(crate) size: f64,
    pub(crate) duration: f64,
    pub(crate) histogram: f64,
    /// Median gap.
    pub(crate) gap_seconds: f64,
    pub(crate) gaps: usize,
}

impl Rhythm {
    /// A quarter of each.
    pub(crate) fn score(&self) -> f64 {
        (self.interval + self.size + self.duration + self.histogram) / 4.0
    }
}

/// The rhythm of a pair, against everything looked at from `from` to `to` seconds; none with fewer than [`MIN_GAPS`]
/// gaps.
pub(crate) fn of(pair: &Pair, from: f64, to: f64) -> Option<Rhythm> {
    let gaps = sorted(pair.gaps());
    if gaps.len() < MIN_GAPS {
        return None;
    }
    let bytes = sorted(pair.contacts.iter().map(|contact| f64::from(contact.bytes_out)));
    let starts = pair.starts();
    Some(Rhythm {
        interval: even(&gaps),
        size: even(&bytes),
        duration: coverage(&starts, from, to),
        histogram: flatness(&starts, from, to),
        gap_seconds: quantile(&gaps, 0.5),
        gaps: gaps.len(),
    })
}

/// How symmetric and how narrow a list is.
fn even(list: &[f64]) -> f64 {
    let middle = quantile(list, 0.5);
    if middle <= 0.0 {
        return 0.0;
    }
    let symmetric = 1.0 - bowley_skew(list).abs();
    let narrow = (1.0 - median_absolute_deviation(list) / middle).clamp(0.0, 1.0);
    f64::midpoint(symmetric, narrow)
}

/// Share of the time between first and last visit.
fn coverage(starts: &[f64], from: f64, to: f64) -> f64 {
    match (starts.first(), starts.last()) {
        (Some(first), Some(last)) if to > from => ((last - first) / (to - from)).clamp(0.0, 1.0),
        _ => 0.0,
    }
}

/// One minus the coefficient of variation of visits a part of the time.
fn flatness(starts: &[f64], from: f64, to: f64) -> f64 {
    let width = ((to - from) / as_f64(PARTS)).max(1.0);
    let mut parts = [0.0; PARTS];
    for start in starts {
        if let Some(part) = parts.get_mut(floor((start - from) / width).min(PARTS - 1)) {
            *part += 1.0;
        }
    }
    let (mean, deviation) = mean_and_deviation(&parts);
    if mean <= 0.0 { 0.0 } else { (1.0 - deviation / mean).clamp(0.0, 1.0) }
}
