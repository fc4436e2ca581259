//! Calibration: the rising step function that fits outcomes best (pool adjacent violators, Ayer et al. 1955).

use serde::{Deserialize, Serialize};

use super::super::statistics::along;

/// Scores to chances, never falling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Isotonic {
    points: Vec<(f64, f64)>,
}

/// Neighbouring scores that share one chance.
struct Block {
    low: f64,
    high: f64,
    yes: f64,
    all: f64,
}

impl Isotonic {
    /// Fits pairs of score and outcome, in any order. Equal scores share one chance.
    pub(crate) fn fit(outcomes: &[(f64, bool)]) -> Self {
        let mut sorted: Vec<(f64, bool)> = outcomes.iter().copied().filter(|(score, _)| score.is_finite()).collect();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut blocks: Vec<Block> = Vec::new();
        for (score, outcome) in sorted {
            let yes = if outcome { 1.0 } else { 0.0 };
            blocks.push(Block { low: score, high: score, yes, all: 1.0 });
            pool(&mut blocks);
        }
        let ends = |block: &Block| [(block.low, block.yes / block.all), (block.high, block.yes / block.all)];
        let mut points: Vec<(f64, f64)> = blocks.iter().flat_map(ends).collect();
        points.dedup();
        Self { points }
    }

    /// The chance at a score.
    pub(crate) fn at(&self, score: f64) -> f64 {
        along(&self.points, score)
    }
}

/// Joins the last blocks while they do not rise.
fn pool(blocks: &mut Vec<Block>) {
    while let [.., before, last] = blocks.as_slice() {
        let rises = before.yes / before.all < last.yes / last.all && before.high < last.low;
        if rises {
            return;
        }
        let (yes, all, high) = (last.yes, last.all, last.high);
        blocks.pop();
        if let Some(before) = blocks.last_mut() {
            *before = Block { low: before.low, high, yes: before.yes + yes, all: before.all + all };
        }
    }
}
