//! Training: positive and unlabelled, held out by family.

use std::collections::BTreeSet;

use super::super::statistics::as_f64;
use super::features::{COUNT, Features};
use super::isotonic::Isotonic;
use super::stumps::Stumps;
use super::{MIN_AREA, MIN_FAMILIES, MIN_POSITIVES, MIN_SAMPLES, Model, NoModel};

/// Parts that are held out in turn, at most.
const FOLDS: u32 = 5;

/// One server of training.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub(crate) features: Features,
    /// The list that names it; none of an unlabelled one.
    pub(crate) family: Option<u32>,
    /// A number of its own, by which unlabelled ones are spread over the folds.
    pub(crate) seed: u64,
}

impl Sample {
    fn fold(&self, folds: u32, families: &[u32]) -> u32 {
        let place = match self.family {
            Some(family) => families.iter().position(|known| *known == family).unwrap_or(0) as u64,
            None => self.seed,
        };
        u32::try_from(place % u64::from(folds)).unwrap_or(0)
    }
}

/// Makes a model, or says why not.
pub fn train(samples: &[Sample]) -> Result<Model, NoModel> {
    let families: BTreeSet<u32> = samples.iter().filter_map(|sample| sample.family).collect();
    let families: Vec<u32> = families.into_iter().collect();
    let positives = samples.iter().filter(|sample| sample.family.is_some()).count();
    check(samples.len(), positives, families.len())?;
    let held_out = held_out(samples, &families);
    let area = area(&held_out);
    if area < MIN_AREA {
        return Err(NoModel::NoBetter { area });
    }
    let calibration = Isotonic::fit(&held_out);
    // Elkan and Noto's e1: the mean chance of a label over known positives, none of which the scoring model had seen.
    let of_positives = held_out.iter().filter(|(_, label)| *label).map(|(score, _)| calibration.at(*score));
    let labelled = (of_positives.sum::<f64>() / as_f64(positives)).clamp(0.05, 1.0);
    let prior = (as_f64(positives) / labelled / as_f64(samples.len())).clamp(1e-6, 0.5);
    let stumps = Stumps::fit(&pairs(samples.iter()));
    Ok(Model { stumps, calibration, ranges: ranges(samples), prior, labelled, area, positives })
}

const fn check(samples: usize, positives: usize, families: usize) -> Result<(), NoModel> {
    if positives < MIN_POSITIVES {
        return Err(NoModel::FewPositives { found: positives });
    }
    if families < MIN_FAMILIES {
        return Err(NoModel::FewFamilies { found: families });
    }
    if samples < MIN_SAMPLES {
        return Err(NoModel::FewSamples { found: samples });
    }
    Ok(())
}

fn pairs<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<(Features, bool)> {
    samples.map(|sample| (sample.features, sample.family.is_some())).collect()
}

/// Scores of all samples by models that saw neither them nor their family.
fn held_out(samples: &[Sample], families: &[u32]) -> Vec<(f64, bool)> {
    let folds = FOLDS.min(u32::try_from(families.len()).unwrap_or(FOLDS)).max(2);
    let mut scores = Vec::with_capacity(samples.len());
    for fold in 0..folds {
        let inside = |sample: &&Sample| sample.fold(folds, families) == fold;
        let model = Stumps::fit(&pairs(samples.iter().filter(|sample| !inside(sample))));
        let scored = samples.iter().filter(inside);
        scores.extend(scored.map(|sample| (model.score(&sample.features), sample.family.is_some())));
    }
    scores
}

/// Chance that a positive scores above an unlabelled one; equal scores count half.
fn area(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut below, mut pairs, mut yes) = (0.0, 0.0, 0.0);
    for tie in sorted.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let positives = as_f64(tie.iter().filter(|(_, label)| *label).count());
        let others = as_f64(tie.len()) - positives;
        pairs += positives * (below + others / 2.0);
        below += others;
        yes += positives;
    }
    if yes > 0.0 && below > 0.0 { pairs / (yes * below) } else { 0.5 }
}

fn ranges(samples: &[Sample]) -> Vec<(f64, f64)> {
    let of = |feature: usize| samples.iter().filter_map(move |sample| sample.features.get(feature).copied());
    (0..COUNT)
        .map(|feature| (of(feature).fold(f64::INFINITY, f64::min), of(feature).fold(f64::NEG_INFINITY, f64::max)))
        .collect()
}
