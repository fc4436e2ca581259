//! Quantiles from buckets that grow with the value.
//!
//! In the manner of DDSketch (Masson et al., VLDB 2019), but in whole numbers: each power of two is cut into 16 equal
//! parts. A quantile is told within 1/32 of its value, the result is the same on every machine and in every order of
//! merging, and there are at most 976 buckets, of which only the powers of two that were met are kept.

use super::Merge;
use crate::node::portable::{Bytes, Portable};

/// Parts of a power of two, as a power of two.
const PART_BITS: u32 = 4;
const PARTS: u64 = 1 << PART_BITS;
/// Powers of two that are told apart: what is below 16 is one.
const OCTAVES: usize = 61;

/// How many values fell into each part of one power of two: a line of the processor's cache.
type Octave = [u32; PARTS as usize];

/// A histogram of whole numbers with buckets of at most 1/16 of their value.
///
/// Parts of a power of two lie beside each other, and which powers were met is told by a word: to count a value is to
/// touch one line of memory, where a sorted list of buckets is searched through several. That is most of what a flow
/// costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogHistogram {
    /// A bit for each power of two that was met.
    met: u64,
    /// Those, ascending.
    octaves: Vec<Octave>,
}

/// The power of two, and which part of it.
fn bucket_of(value: u64) -> (u32, usize) {
    let Some(exponent) = value.checked_ilog2().filter(|exponent| *exponent >= PART_BITS) else {
        return (0, value as usize);
    };
    let shift = exponent - PART_BITS;
    (shift + 1, ((value >> shift) & (PARTS - 1)) as usize)
}

/// Smallest and largest value of a part of a power of two.
fn range_of((octave, part): (u32, usize)) -> (u64, u64) {
    let part = part as u64;
    if octave == 0 {
        return (part, part);
    }
    let shift = octave - 1;
    let low = (PARTS + part) << shift;
    (low, low + ((1 << shift) - 1))
}

impl LogHistogram {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        let (octave, part) = bucket_of(value);
        if let Some(count) = self.octave(octave).and_then(|counts| counts.get_mut(part)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.octaves.iter().flatten().map(|count| u64::from(*count)).sum()
    }

    /// The value that this share (0 to 1) of the values do not exceed, within 1/32; `None` when there are none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total = self.count();
        let wanted = (share.clamp(0.0, 1.0) * total.saturating_sub(1) as f64).round() as u64;
        let mut seen = 0_u64;
        self.buckets().find_map(|(middle, count)| {
            seen = seen.saturating_add(count);
            (seen > wanted).then_some(middle)
        })
    }

    /// Middle of each bucket with how many values it holds, ascending; only those that hold any.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let octaves = (0..u64::BITS).filter(|octave| self.met >> octave & 1 == 1);
        octaves.zip(&self.octaves).flat_map(|(octave, counts)| {
            let held = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            held.map(move |(part, count)| {
                let (low, high) = range_of((octave, part));
                (low + (high - low) / 2, u64::from(*count))
            })
        })
    }

    /// The counts of a power of two, from now on among those that were met.
    fn octave(&mut self, octave: u32) -> Option<&mut Octave> {
        let bit = 1_u64.checked_shl(octave)?;
        let place = (self.met & (bit - 1)).count_ones() as usize;
        if self.met & bit == 0 {
            self.met |= bit;
            // Exactly: most servers have a few, and there are many histograms.
            self.octaves.reserve_exact(1);
            self.octaves.insert(place, Octave::default());
        }
        self.octaves.get_mut(place)
    }
}

impl Portable for LogHistogram {
    fn put(&self, out: &mut Vec<u8>) {
        self.met.put(out);
        self.octaves.iter().for_each(|counts| counts.put(out));
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let met = u64::take(from).filter(|met| met >> OCTAVES == 0)?;
        let octaves: Option<Vec<Octave>> = (0..met.count_ones()).map(|_| Octave::take(from)).collect();
        Some(Self { met, octaves: octaves? })
    }
}

impl Merge for LogHistogram {
    fn merge(&mut self, other: &Self) {
        let octaves = (0..u64::BITS).filter(|octave| other.met >> octave & 1 == 1);
        for (octave, theirs) in octaves.zip(&other.octaves) {
            let Some(mine) = self.octave(octave) else { continue };
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> LogHistogram {
        let mut histogram = LogHistogram::default();
        for value in values {
            histogram.add(*value);
        }
        histogram
    }

    #[test]
    fn the_largest_value_has_the_last_bucket() {
        assert_eq!(bucket_of(u64::MAX), (60, 15));
        assert_eq!(range_of((60, 15)).1, u64::MAX);
        assert_eq!(of(&[]).quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket_and_buckets_are_narrow(value in any::<u64>()) {
            let (low, high) = range_of(bucket_of(value));
            prop_assert!(low <= value && value <= high);
            prop_assert!(high - low <= low / PARTS);
        }

        #[test]
        fn quantiles_are_within_a_thirty_second(
            mut values in proptest::collection::vec(any::<u32>(), 1..300), share in 0.0..=1.0_f64,
        ) {
            let told = of(&values.iter().map(|value| u64::from(*value)).collect::<Vec<_>>()).quantile(share);
            values.sort_unstable();
            let place = (share * (values.len() - 1) as f64).round() as usize;
            let truth = values.get(place).map(|value| u64::from(*value)).expect("inside");
            prop_assert!(told.expect("not empty").abs_diff(truth) <= truth / 32 + 1);
        }

        #[test]
        fn merging_is_counting_all(a in any::<[u64; 8]>(), b in any::<[u64; 8]>(), c in any::<[u64; 8]>()) {
            let whole = of(&[a, b, c].concat());
            let (mut left, mut right) = (of(&a), of(&c));
            left.merge(&of(&b));
            left.merge(&of(&c));
            right.merge(&of(&b));
            right.merge(&of(&a));
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&right, &whole);
        }
    }
}
