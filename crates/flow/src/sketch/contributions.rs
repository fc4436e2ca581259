//! Sums that may be told twice.
//!
//! A histogram adds, so merging the same part twice counts it twice. Where parts travel (several nodes, a bus that
//! delivers at least once), each carries who told it and a sequence number: the newest part of each source counts,
//! once.

use std::collections::BTreeMap;

use super::Merge;

/// Most sources that are kept apart; what comes from more is refused and said so.
pub const MAX_SOURCES: usize = 4_096;

/// Which part of the work a sketch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// The epoch.
    pub epoch: u32,
    /// The partition of the shuffle.
    pub partition: u32,
    /// Who counted.
    pub source: u64,
}

/// The newest sketch of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contributions<S> {
    parts: BTreeMap<Part, (u64, S)>,
}

impl<S: Merge + Clone + Default> Contributions<S> {
    /// Takes in what a source says of a part so far; an older or equal sequence changes nothing. Tells whether it
    /// counted.
    pub fn tell(&mut self, part: Part, sequence: u64, sketch: S) -> bool {
        let room = self.parts.len() < MAX_SOURCES;
        match self.parts.get_mut(&part) {
            Some((known, _)) if *known >= sequence => false,
            Some(held) => {
                *held = (sequence, sketch);
                true
            }
            None if room => self.parts.insert(part, (sequence, sketch)).is_none(),
            None => false,
        }
    }

    /// All parts together, in the order of their names.
    pub fn total(&self) -> S {
        let mut sum = S::default();
        for (_, sketch) in self.parts.values() {
            sum.merge(sketch);
        }
        sum
    }

    /// Forgets epochs before this one; tells how many parts that were.
    pub fn forget_before(&mut self, epoch: u32) -> usize {
        let before = self.parts.len();
        self.parts.retain(|part, _| part.epoch >= epoch);
        before - self.parts.len()
    }
}

impl<S: Merge + Clone + Default> Merge for Contributions<S> {
    fn merge(&mut self, other: &Self) {
        for (part, (sequence, sketch)) in &other.parts {
            self.tell(*part, *sequence, sketch.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::LogHistogram;

    fn histogram(values: &[u64]) -> LogHistogram {
        let mut sketch = LogHistogram::default();
        for value in values {
            sketch.add(*value);
        }
        sketch
    }

    proptest! {
        #[test]
        fn each_source_counts_once_however_often_it_tells(
            tellings in proptest::collection::vec((0_u32..3, 0_u64..3, 0_usize..6), 1..40),
        ) {
            // What a source has counted by its n-th telling is the first n of its values.
            let values = [3_u64, 5, 8, 13, 21, 34];
            let mut forward: Contributions<LogHistogram> = Contributions::default();
            let mut backward: Contributions<LogHistogram> = Contributions::default();
            let tell = |to: &mut Contributions<LogHistogram>, (epoch, source, upto): (u32, u64, usize)| {
                let part = Part { epoch, partition: 0, source };
                to.tell(part, upto as u64, histogram(values.get(..upto).unwrap_or(&[])));
            };
            tellings.iter().for_each(|telling| tell(&mut forward, *telling));
            tellings.iter().rev().for_each(|telling| tell(&mut backward, *telling));
            prop_assert_eq!(&forward, &backward);
            let mut again = forward.clone();
            again.merge(&backward);
            prop_assert_eq!(again.total(), forward.total());
        }
    }

    #[test]
    fn old_epochs_go() {
        let mut parts: Contributions<LogHistogram> = Contributions::default();
        parts.tell(Part { epoch: 1, partition: 0, source: 0 }, 1, histogram(&[4]));
        parts.tell(Part { epoch: 2, partition: 0, source: 0 }, 1, histogram(&[4]));
        assert_eq!(parts.forget_before(2), 1);
        assert_eq!(parts.total().count(), 1);
    }
}
