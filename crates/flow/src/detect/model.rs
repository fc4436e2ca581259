//! A model of what C&C servers look like in the user's own flows: sizes, durations, answers.
//!
//! ```text
//!   servers that a list names (positive) and all others (unlabelled)
//!     -> boosted stumps, held out family by family -> isotonic calibration -> share of labelled ones (Elkan and Noto)
//!     -> Model -> ln odds, or a refusal: outside what was seen in training
//! ```
//!
//! The model leaves times and ports out: other detectors look at those, and what is judged twice would count twice.
//! Unlabelled servers are not harmless ones: that a known positive carries a label at all has a chance, which is
//! estimated on families held out (Elkan and Noto, KDD 2008). A model that does not tell held-out families from the
//! rest is not made at all. Training is deterministic; a model holds thresholds and weights, nothing of any
//! subscriber or server.

mod features;
mod isotonic;
mod stumps;
mod train;

pub use train::{Sample, train};

use serde::{Deserialize, Serialize};

pub(crate) use features::Features;
use features::{COUNT, NAMES};
pub(crate) use isotonic::Isotonic;
use stumps::Stumps;

use super::view::ServerView;
use super::{Code, Evidence, World};

/// Known C&C servers among the user's own that training needs.
pub const MIN_POSITIVES: usize = 20;
/// Lists they must come from, so that one can be held out.
pub const MIN_FAMILIES: usize = 2;
/// Servers in all.
pub const MIN_SAMPLES: usize = 200;
/// Chance that a held-out positive scores above an unlabelled one, from which a model is worth having.
pub const MIN_AREA: f64 = 0.7;
/// A model speaks no louder than this, and hardly against.
const MOST: f64 = 3.5;
const LEAST: f64 = -1.5;
/// How far outside of the range of training a feature may lie, in parts of that range.
const MARGIN: f64 = 0.05;

/// Why there is no model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoModel {
    /// Too few known servers were met.
    #[error("{found} servers named by lists were met, {MIN_POSITIVES} are needed: load more lists or wait")]
    FewPositives {
        /// How many.
        found: usize,
    },
    /// All from one list: nothing could be held out.
    #[error("all servers named by lists come from {found} list, {MIN_FAMILIES} are needed to test one with the other")]
    FewFamilies {
        /// How many.
        found: usize,
    },
    /// Too few servers altogether.
    #[error("{found} servers were met, {MIN_SAMPLES} are needed")]
    FewSamples {
        /// How many.
        found: usize,
    },
    /// Known servers of held-out families look like any others.
    #[error(
        "held-out families score above others with a chance of {area:.2} only, {MIN_AREA} is needed: \
             sizes and durations do not tell them apart here"
    )]
    NoBetter {
        /// Area under the curve.
        area: f64,
    },
}

/// Why a server is not scored.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{feature} of this server is {value:.2}, and training saw {low:.2} to {high:.2}")]
pub struct OutOfRange {
    /// Which feature.
    pub feature: &'static str,
    /// What it is here.
    pub value: f64,
    /// Least in training.
    pub low: f64,
    /// Most in training.
    pub high: f64,
}

/// A trained, calibrated model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    stumps: Stumps,
    calibration: Isotonic,
    /// Least and most of each feature in training.
    ranges: Vec<(f64, f64)>,
    /// Share of C&C servers among those of training, labelled or not.
    prior: f64,
    /// Chance that a C&C server carries a label.
    labelled: f64,
    /// Chance that a held-out positive scores above an unlabelled one.
    area: f64,
    positives: usize,
}

impl Model {
    /// ln(P(features | C&C) / P(features | not)), or why it does not say.
    pub(crate) fn log_likelihood_ratio(&self, features: &Features) -> Result<f64, OutOfRange> {
        self.in_range(features)?;
        let labelled = self.calibration.at(self.stumps.score(features));
        let chance = (labelled / self.labelled).clamp(1e-6, 1.0 - 1e-3);
        let odds = |chance: f64| (chance / (1.0 - chance)).ln();
        Ok((odds(chance) - odds(self.prior)).clamp(LEAST, MOST))
    }

    fn in_range(&self, features: &Features) -> Result<(), OutOfRange> {
        for ((value, (low, high)), feature) in features.iter().zip(&self.ranges).zip(NAMES) {
            let margin = (high - low) * MARGIN;
            if !value.is_finite() || *value < low - margin || *value > high + margin {
                return Err(OutOfRange { feature, value: *value, low: *low, high: *high });
            }
        }
        Ok(())
    }

    /// Chance that a held-out known server scores above another: how good it is.
    pub const fn area(&self) -> f64 {
        self.area
    }

    /// Known servers it was trained on.
    pub const fn positives(&self) -> usize {
        self.positives
    }

    /// Whether a stored model has as many features as this program computes.
    pub fn fits(&self) -> bool {
        self.ranges.len() == COUNT && self.stumps.fits() && self.prior > 0.0 && self.prior < 1.0 && self.labelled > 0.0
    }
}

/// What the model says of a server; nothing outside its range.
pub(crate) fn look(server: &ServerView, world: &World) -> Option<Evidence> {
    let model = world.model.filter(|model| model.fits())?;
    // Its own label was in training: that is the list's word again.
    if world.seeds.names(server.remote.address, server.remote.port) {
        return None;
    }
    let ratio = model.log_likelihood_ratio(&features::of(server)).ok()?;
    let values =
        [("score", ratio), ("positives", super::statistics::as_f64(model.positives)), ("precision", model.area)];
    Some(Evidence::new(Code::ModelScore, ratio, &values))
}

pub(crate) use features::of as features_of;

#[cfg(test)]
mod tests;
