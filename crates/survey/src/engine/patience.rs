//! How long to wait for an answer: learnt from those that came.
//!
//! Smoothed round-trip time and its variation as in RFC 6298, over the whole campaign. Near and far targets together
//! make the variation large and the wait long, which errs on the side of patience.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Learnt patience. Until [`ENOUGH`] answers came, the longest wait applies.
#[derive(Debug)]
pub(crate) struct Patience {
    floor: Duration,
    ceiling: Duration,
    learnt: Mutex<Learnt>,
}

#[derive(Debug, Default)]
struct Learnt {
    answers: u32,
    smoothed_s: f64,
    variation_s: f64,
}

/// How many answers make an estimate.
const ENOUGH: u32 = 16;

impl Patience {
    pub(crate) fn new(floor: Duration, ceiling: Duration) -> Self {
        Self { floor, ceiling, learnt: Mutex::default() }
    }

    pub(crate) fn answered_after(&self, time: Duration) {
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = time.as_secs_f64();
        match learnt.answers {
            0 => (learnt.smoothed_s, learnt.variation_s) = (sample, sample / 2.0),
            _ => {
                let error = (learnt.smoothed_s - sample).abs();
                learnt.variation_s += (error - learnt.variation_s) / 4.0;
                learnt.smoothed_s += (sample - learnt.smoothed_s) / 8.0;
            }
        }
        learnt.answers = learnt.answers.saturating_add(1);
    }

    /// How long to wait at the given attempt, counted from 0: twice as long at each.
    pub(crate) fn wait(&self, attempt: u32) -> Duration {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt.answers < ENOUGH {
            return self.ceiling;
        }
        let estimate = Duration::from_secs_f64(learnt.smoothed_s + 8.0 * learnt.variation_s);
        estimate.max(self.floor).saturating_mul(1 << attempt.min(4)).min(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_answers_shorten_the_wait_and_slow_ones_lengthen_it() {
        let patience = Patience::new(Duration::from_millis(100), Duration::from_secs(3));
        assert_eq!(patience.wait(0), Duration::from_secs(3));
        (0..50).for_each(|_| patience.answered_after(Duration::from_millis(1)));
        assert_eq!(patience.wait(0), Duration::from_millis(100));
        assert_eq!(patience.wait(1), Duration::from_millis(200));
        (0..50).for_each(|n| patience.answered_after(Duration::from_millis(1 + (n % 2) * 400)));
        assert!(patience.wait(0) > Duration::from_millis(900));
        assert!(patience.wait(3) <= Duration::from_secs(3));
    }
}
