//! Boosted decision stumps with logistic loss: one threshold on one feature a round, each a small Newton step.

use serde::{Deserialize, Serialize};

use super::super::statistics::{as_f64, logistic, quantile, sorted};
use super::features::{COUNT, Features};

/// Rounds of boosting.
const ROUNDS: usize = 60;
/// Part of a Newton step that is taken.
const RATE: f64 = 0.2;
/// Thresholds tried of each feature: quantiles.
const THRESHOLDS: usize = 24;
/// Pulls leaves of few samples towards nothing.
const RIDGE: f64 = 2.0;

/// One threshold: what is above it gets `above`, what is not gets `below`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Stump {
    feature: usize,
    threshold: f64,
    below: f64,
    above: f64,
}

/// A sum of stumps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stumps {
    start: f64,
    stumps: Vec<Stump>,
}

impl Stump {
    fn score(&self, features: &Features) -> f64 {
        let value = features.get(self.feature).copied().unwrap_or(0.0);
        if value > self.threshold { self.above } else { self.below }
    }
}

impl Stumps {
    /// Fits labels; weights balance the two classes.
    pub(super) fn fit(samples: &[(Features, bool)]) -> Self {
        let positives = as_f64(samples.iter().filter(|(_, label)| *label).count()).max(1.0);
        let all = as_f64(samples.len()).max(2.0);
        // Half of the weight to each class: positives are rare, and the calibration corrects the level.
        let weights = (all / (2.0 * positives), all / (2.0 * (all - positives).max(1.0)));
        let thresholds: Vec<Vec<f64>> = (0..COUNT).map(|feature| thresholds(samples, feature)).collect();
        let mut model = Self::default();
        let mut scores = vec![0.0; samples.len()];
        for _ in 0..ROUNDS {
            let slopes: Vec<(f64, f64)> = samples
                .iter()
                .zip(&scores)
                .map(|((_, label), score)| {
                    let chance = logistic(*score);
                    let weight = if *label { weights.0 } else { weights.1 };
                    let target = if *label { 1.0 } else { 0.0 };
                    (weight * (target - chance), weight * chance * (1.0 - chance))
                })
                .collect();
            let Some(stump) = best(samples, &slopes, &thresholds) else { break };
            for ((features, _), score) in samples.iter().zip(&mut scores) {
                *score += stump.score(features);
            }
            model.stumps.push(stump);
        }
        model
    }

    pub(super) fn score(&self, features: &Features) -> f64 {
        self.start + self.stumps.iter().map(|stump| stump.score(features)).sum::<f64>()
    }

    pub(super) fn fits(&self) -> bool {
        self.stumps.len() <= ROUNDS && self.stumps.iter().all(|stump| stump.feature < COUNT)
    }
}

fn thresholds(samples: &[(Features, bool)], feature: usize) -> Vec<f64> {
    let values = sorted(samples.iter().filter_map(|(features, _)| features.get(feature).copied()));
    let mut list: Vec<f64> = (1..THRESHOLDS).map(|part| quantile(&values, as_f64(part) / as_f64(THRESHOLDS))).collect();
    // The upper tail is where rare classes live.
    list.extend([0.97, 0.99].map(|share| quantile(&values, share)));
    list.sort_by(f64::total_cmp);
    list.dedup();
    list
}

/// The stump that lowers the loss most; the first of equals.
fn best(samples: &[(Features, bool)], slopes: &[(f64, f64)], thresholds: &[Vec<f64>]) -> Option<Stump> {
    let mut best: Option<(f64, Stump)> = None;
    for (feature, list) in thresholds.iter().enumerate() {
        for &threshold in list {
            let (mut low, mut high) = ((0.0, 0.0), (0.0, 0.0));
            for ((features, _), (slope, bend)) in samples.iter().zip(slopes) {
                let value = features.get(feature).copied().unwrap_or(0.0);
                let side = if value > threshold { &mut high } else { &mut low };
                *side = (side.0 + slope, side.1 + bend);
            }
            let gain = low.0 * low.0 / (low.1 + RIDGE) + high.0 * high.0 / (high.1 + RIDGE);
            if best.as_ref().is_none_or(|(known, _)| gain > *known + 1e-12) {
                let leaf = |(slope, bend): (f64, f64)| RATE * slope / (bend + RIDGE);
                best = Some((gain, Stump { feature, threshold, below: leaf(low), above: leaf(high) }));
            }
        }
    }
    best.map(|(_, stump)| stump)
}
