//! How many were missed: estimated from two visits to the same targets.
//!
//! Who answers is lost now and then, on the way there or back. Where each target is visited twice, spaced in time, those
//! who answered only once tell how likely it is to be missed twice: capture and recapture, with Chapman's correction of
//! the Lincoln-Petersen estimate (Seber, *The estimation of animal abundance*, 1982, chapter 3) and the interval of
//! Chao (Biometrics 43, 1987), whose lower end is never below what was seen. Both assume that losses at the two visits
//! have nothing to do with one another. A host that never answers us (a filter, a network that is down all the while)
//! is in no estimate: it is not missed by chance.

use serde::{Deserialize, Serialize};

/// What two visits saw, and what follows for those whom neither saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Targets that answered the first visit.
    pub first: u64,
    /// Targets that answered the second visit.
    pub second: u64,
    /// Targets that answered both.
    pub both: u64,
    /// Answers that this machine had no room for, at either visit.
    pub dropped: u64,
    /// Probes that nobody listened for, because a run was killed twice at the same place.
    pub unheard: u64,
}

/// How many open targets were missed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// The estimate.
    pub estimate: f64,
    /// Lower end of the 95% interval.
    pub low: f64,
    /// Upper end of the 95% interval.
    pub high: f64,
}

/// Quantile of the normal distribution for 95%.
const Z: f64 = 1.96;
/// When all who answered once answered twice, at most this many missed ones are still thinkable at 95%: none was seen
/// to be missed once (the rule of three), and to be missed twice is less likely still.
const NONE_SEEN: f64 = 3.0;

impl Coverage {
    /// Targets that answered at all.
    pub const fn seen(&self) -> u64 {
        self.first + self.second - self.both
    }

    /// How many were missed; none while there is nothing to judge by.
    pub fn missed(&self) -> Option<Missed> {
        let only_first = as_f64(self.first.checked_sub(self.both)?);
        let only_second = as_f64(self.second.checked_sub(self.both)?);
        let both = as_f64(self.both);
        if self.both == 0 {
            return None;
        }
        let estimate = only_first * only_second / (both + 1.0);
        // The variance of Chapman's estimate of the whole.
        let whole = (as_f64(self.first) + 1.0) * (as_f64(self.second) + 1.0);
        let variance = whole * only_first * only_second / ((both + 1.0).powi(2) * (both + 2.0));
        if estimate < 0.5 {
            // Too few for the logarithm below: how many could be missed at the rate that was seen.
            let rate = (only_first.max(only_second) + NONE_SEEN) / (both + only_first + only_second);
            return Some(Missed { estimate, low: 0.0, high: (rate * NONE_SEEN.max(only_first + only_second)).max(estimate) });
        }
        let spread = (Z * (1.0 + variance / estimate.powi(2)).ln().sqrt()).exp();
        Some(Missed { estimate, low: estimate / spread, high: estimate * spread })
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two visits to `targets`, each lost with this chance. The numbers are SplitMix64's (Steele, Lea and Flood, 2014).
    fn visit_twice(targets: u64, loss: f64, seed: u64) -> (Coverage, u64) {
        let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let mut chance = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            as_f64((z ^ (z >> 31)) >> 11) / as_f64(1 << 53)
        };
        let mut coverage = Coverage::default();
        for _ in 0..targets {
            let (first, second) = (chance() >= loss, chance() >= loss);
            coverage.first += u64::from(first);
            coverage.second += u64::from(second);
            coverage.both += u64::from(first && second);
        }
        let truth = targets - coverage.seen();
        (coverage, truth)
    }

    #[test]
    fn the_interval_holds_the_truth_nine_times_in_ten() {
        for (targets, loss) in [(65_536, 0.02), (65_536, 0.2), (5_000, 0.1), (500, 0.3), (10_000, 0.6), (300, 0.02)] {
            let held = (1..=100).filter(|seed| {
                let (coverage, truth) = visit_twice(targets, loss, *seed);
                let missed = coverage.missed().expect("enough was seen");
                (missed.low.floor()..=missed.high.ceil()).contains(&as_f64(truth))
            });
            let held = held.count();
            assert!(held >= 90, "{targets} targets, loss {loss}: {held} of 100");
        }
    }

    #[test]
    fn without_loss_next_to_nothing_is_missed() {
        let missed = Coverage { first: 65_536, second: 65_536, both: 65_536, ..Coverage::default() }.missed().expect("seen");
        assert!(missed.estimate == 0.0 && missed.low == 0.0 && missed.high < 0.001, "{missed:?}");
        assert_eq!(Coverage { first: 4, second: 3, ..Coverage::default() }.missed(), None, "nobody twice: no saying");
    }
}
