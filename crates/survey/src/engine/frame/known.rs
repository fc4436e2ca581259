//! Who answered, exactly once each, and what that says about who did not.

use std::collections::HashMap;

use crate::campaign::Coverage;

/// Targets that are remembered one by one. Only answers that passed the check of their cookie are, so this is bounded by
/// the open ports of the scope as well.
const MAX_KNOWN: usize = 16 << 20;

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The first of its target.
    New,
    /// The first of its target in this pass; an earlier pass had one.
    Again,
    /// The same once more.
    Repeated,
}

/// Targets that answered, and in which passes.
#[derive(Debug, Default)]
pub(super) struct Known {
    passes: HashMap<u64, u8>,
    coverage: Coverage,
}

impl Known {
    /// A target answered in a pass, counted from 0. Passes after the second count as the second.
    pub(super) fn answered(&mut self, target: u64, pass: u32) -> Answer {
        let bit = if pass == 0 { 1 } else { 2 };
        if self.passes.len() >= MAX_KNOWN && !self.passes.contains_key(&target) {
            return Answer::New; // Found twice rather than not at all; the estimate speaks of those remembered.
        }
        let seen = self.passes.entry(target).or_default();
        if *seen & bit != 0 {
            return Answer::Repeated;
        }
        let before = std::mem::replace(seen, *seen | bit);
        match bit {
            1 => self.coverage.first += 1,
            _ => self.coverage.second += 1,
        }
        self.coverage.both += u64::from(before != 0);
        if before == 0 { Answer::New } else { Answer::Again }
    }

    /// What the passes saw.
    pub(super) const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Answers that were lost here, and probes that nobody listened for.
    pub(super) const fn lost(&mut self, dropped: u64, unheard: u64) {
        self.coverage.dropped += dropped;
        self.coverage.unheard += unheard;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_new_once_and_passes_are_counted_apart() {
        let mut known = Known::default();
        let answers = [(5, 0), (5, 0), (6, 0), (5, 1), (7, 1), (7, 1), (6, 0)];
        let said = answers.map(|(target, pass)| known.answered(target, pass));
        use Answer::{Again, New, Repeated};
        assert_eq!(said, [New, Repeated, New, Again, New, Repeated, Repeated]);
        let coverage = known.coverage();
        assert_eq!((coverage.first, coverage.second, coverage.both, coverage.seen()), (2, 2, 1, 3));
    }
}
