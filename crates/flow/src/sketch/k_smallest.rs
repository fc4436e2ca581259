//! The k smallest hashes of a set: its size, and how much it has in common with another.
//!
//! Below k members the set is exact. From k on the k-th smallest hash tells how dense the set is (Bar-Yossef et al.,
//! RANDOM 2002): the size is estimated as `(k - 1) / kth`, with a relative standard error of `1 / sqrt(k - 2)`. Two of
//! them compare below the smaller of their thresholds (theta sketches, Dasgupta et al., ICDT 2016).

use super::Merge;
use crate::node::portable::portable;

/// 2^64 as a float: the range of a hash.
const HASH_RANGE: f64 = 18_446_744_073_709_551_616.0;

/// The k smallest distinct hashes seen. Hashes must be spread over 64 bits, as pseudonyms are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KSmallest {
    capacity: usize,
    /// Ascending, distinct, at most `capacity`.
    hashes: Vec<u64>,
    /// The largest of them, here so that most hashes are turned away without a look at the list; 0 when there is none.
    last: u64,
}

impl KSmallest {
    /// An empty set that keeps at most so many hashes (at least 3).
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(3), hashes: Vec::new(), last: 0 }
    }

    /// Takes in one hash; tells whether the sketch changed.
    pub fn insert(&mut self, hash: u64) -> bool {
        let full = self.hashes.len() >= self.capacity;
        if full && hash >= self.last {
            return false;
        }
        match self.hashes.binary_search(&hash) {
            Ok(_) => false,
            Err(place) => {
                if full {
                    self.hashes.pop();
                }
                self.hashes.insert(place, hash);
                self.last = self.hashes.last().copied().unwrap_or(0);
                true
            }
        }
    }

    /// Whether nothing was ever inserted.
    pub const fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether [`count`](Self::count) is exact.
    pub const fn is_exact(&self) -> bool {
        self.hashes.len() < self.capacity
    }

    /// How many hashes are kept: all of them where [`is_exact`](Self::is_exact).
    pub const fn kept(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// Whether this hash is kept.
    pub fn contains(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }

    /// How many distinct hashes were inserted: exact below the capacity, an estimate from there on.
    pub fn count(&self) -> u64 {
        if self.is_exact() {
            return self.hashes.len() as u64;
        }
        let kept = self.hashes.len().saturating_sub(1) as f64;
        let share = self.threshold() / HASH_RANGE;
        (kept / share.max(f64::MIN_POSITIVE)).round() as u64
    }

    /// How many hashes both sets have, estimated from the part that both know whole.
    pub fn common(&self, other: &Self) -> u64 {
        let threshold = self.threshold().min(other.threshold());
        let shared = self.below(threshold).filter(|hash| other.hashes.binary_search(hash).is_ok()).count();
        (shared as f64 * HASH_RANGE / threshold.max(1.0)).round() as u64
    }

    /// Share of the union that both have, 0 to 1; 0 for two empty sets.
    pub fn jaccard(&self, other: &Self) -> f64 {
        let threshold = self.threshold().min(other.threshold());
        let shared = self.below(threshold).filter(|hash| other.hashes.binary_search(hash).is_ok()).count();
        let either = self.below(threshold).count() + other.below(threshold).count() - shared;
        if either == 0 { 0.0 } else { shared as f64 / either as f64 }
    }

    /// Below this every member of the set is known.
    fn threshold(&self) -> f64 {
        match self.hashes.last() {
            Some(last) if !self.is_exact() => *last as f64,
            _ => HASH_RANGE,
        }
    }

    fn below(&self, threshold: f64) -> impl Iterator<Item = &u64> {
        self.hashes.iter().take_while(move |hash| (**hash as f64) < threshold)
    }
}

portable!(KSmallest { capacity, hashes, last });

impl Merge for KSmallest {
    /// The smaller capacity holds, so that the result does not depend on the order.
    fn merge(&mut self, other: &Self) {
        self.capacity = self.capacity.min(other.capacity);
        self.hashes.truncate(self.capacity);
        self.last = self.hashes.last().copied().unwrap_or(0);
        for hash in &other.hashes {
            self.insert(*hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::spread;

    fn of(values: impl IntoIterator<Item = u64>) -> KSmallest {
        let mut set = KSmallest::new(64);
        for value in values {
            set.insert(spread(value));
        }
        set
    }

    fn merged(left: &KSmallest, right: &KSmallest) -> KSmallest {
        let mut sum = left.clone();
        sum.merge(right);
        sum
    }

    #[test]
    fn a_large_set_is_estimated_within_four_standard_errors() {
        let error = 4.0 / (62.0_f64).sqrt();
        for size in [1_000_u64, 20_000, 100_000] {
            let told = of(0..size).count() as f64;
            assert!((told / size as f64 - 1.0).abs() < error, "{size}: {told}");
        }
    }

    #[test]
    fn what_two_sets_share_is_found() {
        assert_eq!(of(0..40).common(&of(30..60)), 10, "exact below the capacity");
        let (left, right) = (of(0..10_000), of(5_000..15_000));
        let told = left.jaccard(&right);
        assert!((told - 1.0 / 3.0).abs() < 0.25, "{told}");
        assert!(of(0..10).jaccard(&of(20..30)).abs() < f64::EPSILON);
        assert!(of([]).jaccard(&of([])).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn below_the_capacity_it_is_the_set(values in proptest::collection::hash_set(any::<u64>(), 0..60)) {
            prop_assert_eq!(of(values.iter().copied()).count(), values.len() as u64);
        }

        #[test]
        fn merging_is_the_union_in_any_order_and_any_number_of_times(
            a in proptest::collection::vec(0_u64..400, 0..200),
            b in proptest::collection::vec(0_u64..400, 0..200),
            c in proptest::collection::vec(0_u64..400, 0..200),
        ) {
            let (x, y, z) = (of(a.iter().copied()), of(b.iter().copied()), of(c.iter().copied()));
            let whole = of(a.into_iter().chain(b).chain(c));
            prop_assert_eq!(&merged(&merged(&x, &y), &z), &whole);
            prop_assert_eq!(&merged(&x, &merged(&y, &z)), &whole);
            prop_assert_eq!(&merged(&z, &merged(&y, &x)), &whole);
            prop_assert_eq!(merged(&merged(&x, &x), &x), x);
        }
    }
}
