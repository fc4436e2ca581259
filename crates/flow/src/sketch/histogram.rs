//! Quantiles from buckets that grow with the value.
//!
//! In the manner of DDSketch (Masson et al., VLDB 2019), but in whole numbers: each power of two is cut into 16 equal
//! parts. A quantile is told within 1/32 of its value, the result is the same on every machine and in every order of
//! merging, and there are at most 976 buckets, of which only those that were met are kept.

use super::Merge;
use crate::node::portable::portable;

/// Parts of a power of two, as a power of two.
const PART_BITS: u32 = 4;
const PARTS: u64 = 1 << PART_BITS;

/// A histogram of whole numbers with buckets of at most 1/16 of their value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogHistogram {
    /// (bucket, how many), ascending by bucket.
    buckets: Vec<(u16, u32)>,
}

fn bucket_of(value: u64) -> u16 {
    let Some(exponent) = value.checked_ilog2().filter(|exponent| *exponent >= PART_BITS) else {
        return u16::try_from(value).unwrap_or(0);
    };
    let shift = exponent - PART_BITS;
    let part = (value >> shift) & (PARTS - 1);
    u16::try_from((u64::from(shift) + 1) * PARTS + part).unwrap_or(u16::MAX)
}

/// Smallest and largest value of a bucket.
fn range_of(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    if bucket < PARTS {
        return (bucket, bucket);
    }
    let shift = bucket / PARTS - 1;
    let low = (PARTS + bucket % PARTS) << shift;
    (low, low + ((1 << shift) - 1))
}

impl LogHistogram {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        self.add_many(bucket_of(value), 1);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The value that this share (0 to 1) of the values do not exceed, within 1/32; `None` when there are none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total = self.count();
        let wanted = (share.clamp(0.0, 1.0) * total.saturating_sub(1) as f64).round() as u64;
        let mut seen = 0_u64;
        for (bucket, count) in &self.buckets {
            seen = seen.saturating_add(u64::from(*count));
            if seen > wanted {
                let (low, high) = range_of(*bucket);
                return Some(low + (high - low) / 2);
            }
        }
        None
    }

    /// Middle of each bucket with how many values it holds, ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets.iter().map(|(bucket, count)| {
            let (low, high) = range_of(*bucket);
            (low + (high - low) / 2, u64::from(*count))
        })
    }

    fn add_many(&mut self, bucket: u16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => {
                if let Some((_, known)) = self.buckets.get_mut(place) {
                    *known = known.saturating_add(count);
                }
            }
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
    }
}

portable!(LogHistogram { buckets });

impl Merge for LogHistogram {
    fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.add_many(*bucket, *count);
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
        assert_eq!(bucket_of(u64::MAX), 975);
        assert_eq!(range_of(975).1, u64::MAX);
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
