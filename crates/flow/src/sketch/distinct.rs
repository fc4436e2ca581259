//! How many different hashes were seen: `HyperLogLog` with dense registers.
//!
//! Flajolet et al. 2007, with the estimator of Ertl (arXiv 1702.01284, section 4: "improved raw estimation"), which
//! needs no table of biases. Relative standard error `1.04 / sqrt(2^precision)`.

use super::Merge;
use crate::node::portable::{Bytes, Portable};

/// Fewest registers, as a power of two.
pub const MIN_PRECISION: u8 = 4;
/// Most registers, as a power of two: 64 KiB.
pub const MAX_PRECISION: u8 = 16;

/// A counter of distinct hashes in `2^precision` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    precision: u8,
    registers: Vec<u8>,
}

impl Distinct {
    /// An empty counter; the precision is kept within [`MIN_PRECISION`] and [`MAX_PRECISION`].
    pub fn new(precision: u8) -> Self {
        let precision = precision.clamp(MIN_PRECISION, MAX_PRECISION);
        Self { precision, registers: vec![0; 1 << precision] }
    }

    /// Takes in one hash, which must be spread over 64 bits.
    pub fn insert(&mut self, hash: u64) {
        let place = (hash >> (64 - self.precision)) as usize;
        let rest = (hash << self.precision) | (1 << (self.precision - 1));
        let rank = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
        if let Some(register) = self.registers.get_mut(place) {
            *register = (*register).max(rank);
        }
    }

    /// How many distinct hashes, estimated.
    pub fn count(&self) -> u64 {
        let most = 64 - usize::from(self.precision);
        let mut ranks = vec![0_u32; most + 2];
        for register in &self.registers {
            if let Some(rank) = ranks.get_mut(usize::from(*register)) {
                *rank += 1;
            }
        }
        let size = self.registers.len() as f64;
        let at = |rank: usize| f64::from(ranks.get(rank).copied().unwrap_or(0));
        let mut sum = size * tau(1.0 - at(most + 1) / size);
        for rank in (1..=most).rev() {
            sum = 0.5 * (sum + at(rank));
        }
        sum += size * sigma(at(0) / size);
        (size * size / (2.0 * std::f64::consts::LN_2 * sum)).round() as u64
    }
}

impl Portable for Distinct {
    fn put(&self, out: &mut Vec<u8>) {
        self.registers.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let registers = Vec::<u8>::take(from)?;
        let precision = u8::try_from(registers.len().checked_ilog2()?).ok()?;
        let fits = registers.len().is_power_of_two() && (MIN_PRECISION..=MAX_PRECISION).contains(&precision);
        fits.then_some(Self { precision, registers })
    }
}

/// Ertl's sigma: what empty registers say.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (share, 1.0, share);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// Ertl's tau: what full registers say.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root).powi(2) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

impl Merge for Distinct {
    /// Both must have the same precision; another is not taken in.
    fn merge(&mut self, other: &Self) {
        if self.precision != other.precision {
            return;
        }
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::spread;

    fn of(values: impl IntoIterator<Item = u64>) -> Distinct {
        let mut counter = Distinct::new(12);
        for value in values {
            counter.insert(spread(value));
        }
        counter
    }

    #[test]
    fn counts_are_within_four_standard_errors() {
        assert_eq!(of([]).count(), 0);
        let error = 4.0 * 1.04 / 64.0;
        for size in [10_u64, 1_000, 10_000, 100_000, 1_000_000] {
            let told = of(0..size).count() as f64;
            assert!((told / size as f64 - 1.0).abs() < error, "{size}: {told}");
        }
    }

    #[test]
    fn extreme_hashes_fit() {
        let mut counter = Distinct::new(MAX_PRECISION);
        counter.insert(0);
        counter.insert(u64::MAX);
        assert_eq!(counter.count(), 2);
    }

    proptest! {
        #[test]
        fn merging_is_the_union_in_any_order_and_any_number_of_times(
            a in any::<[u64; 20]>(), b in any::<[u64; 20]>(), c in any::<[u64; 20]>(),
        ) {
            let whole = of([a, b, c].concat());
            let (mut left, mut right) = (of(a), of(c));
            left.merge(&of(b));
            left.merge(&of(c));
            right.merge(&of(b));
            right.merge(&of(a));
            right.merge(&of(a));
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&right, &whole);
        }
    }
}
