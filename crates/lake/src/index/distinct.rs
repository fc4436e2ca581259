//! How many different things there are, for each of many values: exact up to a bound, then by a sample.
//!
//! ```text
//!   (value, thing) pairs -> sorted, each once -> counted by value
//! ```
//!
//! When more than [`MAX_PAIRS`] different pairs are held, things are kept only when the hash of the thing ends in one
//! more zero bit, and each one kept stands for twice as many (adaptive sampling: Wegman; Flajolet 1990). The choice
//! depends on the thing alone, so parts can be put together, and the answer does not depend on how rows are laid out.
//! A count that was sampled says how far off it may be. Things that need more than 32 bits (IPv6 addresses, texts) are
//! told apart by a hash of 64 bits.
//!
//! At a hundred times the data memory stays: 8 bytes a pair, 16 for wide ones.

use std::ops::RangeInclusive;

use super::mix::{ByNumber, mix};
use super::run::{processors, side_by_side};
use crate::search::Distinct;

/// The most pairs kept over all parts of a search: 128 MB, twice that for wide ones.
pub(super) const MAX_PAIRS: usize = 1 << 24;

/// The mark of things that are hashes.
pub(super) const WIDE: u64 = 1 << 63;

/// Pairs of a value and a thing.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Value and thing of 32 bits each.
    narrow: Vec<u64>,
    /// Value and thing of 64 bits each.
    wide: Vec<u128>,
    /// How many zero bits the hash of a kept thing ends in.
    level: u32,
    /// From how many pairs on they are put in order.
    check_at: usize,
    most: usize,
}

impl Pairs {
    /// Room for one of so many parts.
    pub(super) fn of_parts(parts: usize) -> Self {
        let most = (MAX_PAIRS / parts.max(1)).max(1_024);
        Self { most, check_at: most, ..Self::default() }
    }

    /// Takes a pair.
    pub(super) fn put(&mut self, value: u64, thing: u64) {
        if self.level > 0 && !is_kept(thing, self.level) {
            return;
        }
        match (u32::try_from(value), u32::try_from(thing)) {
            (Ok(_), Ok(_)) => self.narrow.push((value << 32) | thing),
            _ => self.wide.push((u128::from(value) << 64) | u128::from(thing)),
        }
        if self.narrow.len() + self.wide.len() * 2 >= self.check_at {
            self.shrink();
        }
    }

    /// Puts in order; where that leaves too many, things are thinned out.
    fn shrink(&mut self) {
        self.order();
        while self.size() > self.most {
            self.level += 1;
            self.thin();
        }
        self.check_at = (self.size() * 2).max(self.check_at);
    }

    fn size(&self) -> usize {
        self.narrow.len() + self.wide.len() * 2
    }

    /// Puts in order, each pair once.
    pub(super) fn order(&mut self) {
        order(&mut self.narrow);
        self.wide.sort_unstable();
        self.wide.dedup();
    }

    fn thin(&mut self) {
        let level = self.level;
        self.narrow.retain(|pair| is_kept(pair & u64::from(u32::MAX), level));
        self.wide.retain(|pair| is_kept(*pair as u64, level));
    }

    /// Adds those of another part, whose values have other numbers here.
    pub(super) fn add(&mut self, other: &Self, number: impl Fn(u64) -> u64) {
        self.level = self.level.max(other.level);
        self.narrow.extend(other.narrow.iter().map(|pair| (number(pair >> 32) << 32) | (pair & u64::from(u32::MAX))));
        let wide = |pair: &u128| (u128::from(number((pair >> 64) as u64)) << 64) | (pair & u128::from(u64::MAX));
        self.wide.extend(other.wide.iter().map(wide));
    }

    /// How many different things each value has.
    pub(super) fn count(mut self) -> Counted {
        if self.level > 0 {
            self.thin();
        }
        let mut counts: ByNumber<u64> = ByNumber::default();
        let narrow = std::mem::take(&mut self.narrow);
        self.order();
        let bounds = bounds(&narrow, if narrow.len() < PARALLEL { 1 } else { processors() * 2 });
        let some = |at: usize| {
            let within = bounds.get(at).cloned().unwrap_or(0..=0);
            let mut own: Vec<u64> = narrow.iter().copied().filter(|pair| within.contains(&(pair >> 32))).collect();
            order(&mut own);
            let runs = own.chunk_by(|a, b| a >> 32 == b >> 32);
            runs.filter_map(|run| Some((run.first()? >> 32, run.len() as u64))).collect::<Vec<_>>()
        };
        for (value, count) in side_by_side(bounds.len(), processors(), some).into_iter().flatten() {
            *counts.entry(value).or_default() += count;
        }
        for run in self.wide.chunk_by(|a, b| a >> 64 == b >> 64) {
            if let Some(pair) = run.first() {
                *counts.entry((pair >> 64) as u64).or_default() += run.len() as u64;
            }
        }
        Counted { counts, level: self.level }
    }
}

/// From so many pairs on they are counted on several threads.
const PARALLEL: usize = 1 << 18;

/// Ranges of values, all of them together, of which each has about as many pairs.
fn bounds(pairs: &[u64], parts: usize) -> Vec<RangeInclusive<u64>> {
    let mut sample: Vec<u64> = pairs.iter().step_by(pairs.len() / 4_096 + 1).map(|pair| pair >> 32).collect();
    sample.sort_unstable();
    let ends = (1..parts).filter_map(|part| sample.get(sample.len() * part / parts).copied());
    let (mut from, mut all) = (0, Vec::new());
    for end in ends.filter(|end| *end < u64::MAX) {
        if end >= from {
            all.push(from..=end);
            from = end + 1;
        }
    }
    all.push(from..=u64::MAX);
    all
}

/// Puts in order, each once. What was put together from parts in order consists of runs: they are made use of.
fn order(numbers: &mut Vec<u64>) {
    if is_mixed(numbers) {
        order_by_bytes(numbers);
    } else {
        numbers.sort();
    }
    numbers.dedup();
}

/// Fewer are put in order by comparing.
const MANY: usize = 1 << 14;

/// Whether many numbers stand in no order, as far as the first of them tell.
fn is_mixed(numbers: &[u64]) -> bool {
    let first = numbers.get(..1_024).unwrap_or_default();
    numbers.len() >= MANY && first.windows(2).filter(|pair| pair.is_sorted()).count() < first.len() / 4 * 3
}

/// Puts many numbers in order byte by byte, the lowest first; bytes that all have alike are passed over.
fn order_by_bytes(numbers: &mut Vec<u64>) {
    let byte_of = |number: u64, at: usize| usize::from(number.to_le_bytes().get(at).copied().unwrap_or(0));
    let mut counts = [[0_usize; 256]; 8];
    for number in numbers.iter() {
        for (counts, byte) in counts.iter_mut().zip(number.to_le_bytes()) {
            counts.get_mut(usize::from(byte)).into_iter().for_each(|count| *count += 1);
        }
    }
    let length = numbers.len();
    let mut other = vec![0; length];
    for (at, counts) in counts.iter_mut().enumerate().filter(|(_, counts)| !counts.contains(&length)) {
        let mut next = 0;
        counts.iter_mut().for_each(|count| next += std::mem::replace(count, next));
        for number in numbers.iter() {
            let Some(place) = counts.get_mut(byte_of(*number, at)) else { continue };
            other.get_mut(*place).into_iter().for_each(|slot| *slot = *number);
            *place += 1;
        }
        std::mem::swap(numbers, &mut other);
    }
}

fn is_kept(thing: u64, level: u32) -> bool {
    mix(thing).trailing_zeros() >= level
}

/// Different things by value.
#[derive(Debug, Default)]
pub(super) struct Counted {
    counts: ByNumber<u64>,
    level: u32,
}

impl Counted {
    /// The count of a value. A sampled one is within its margin in 95 of 100 cases.
    pub(super) fn of(&self, value: u64) -> Distinct {
        let kept = self.counts.get(&value).copied().unwrap_or(0);
        if self.level == 0 {
            return Distinct { count: kept, margin: 0 };
        }
        let scale = 2_f64.powi(i32::try_from(self.level).unwrap_or(i32::MAX));
        // Each thing is kept with the same small chance: the count kept spreads like its root.
        let spread = 1.96 * ((kept.max(1) as f64) * (1.0 - 1.0 / scale)).sqrt();
        Distinct { count: (kept as f64 * scale) as u64, margin: (spread * scale).ceil() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_equal_sets(
            parts in prop::collection::vec(prop::collection::vec((0u64..5, 0u64..40, any::<bool>()), 0..200), 1..4),
        ) {
            let mut sets: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
            let mut whole = Pairs::of_parts(1);
            for part in &parts {
                let mut pairs = Pairs::of_parts(parts.len());
                for (value, thing, wide) in part {
                    let thing = if *wide { thing | WIDE } else { *thing };
                    sets.entry(*value).or_default().insert(thing);
                    pairs.put(*value, thing);
                }
                whole.add(&pairs, |value| value);
            }
            let counted = whole.count();
            for value in 0..5 {
                let exact = sets.get(&value).map_or(0, BTreeSet::len) as u64;
                prop_assert_eq!(counted.of(value), Distinct { count: exact, margin: 0 });
            }
        }
    }

    proptest! {
        #[test]
        fn order_by_bytes_is_order(mut numbers in prop::collection::vec(prop_oneof![any::<u64>(), 0..300_u64], 0..400)) {
            let mut ordered = numbers.clone();
            ordered.sort_unstable();
            order_by_bytes(&mut numbers);
            prop_assert_eq!(numbers, ordered);
        }
    }

    #[test]
    fn many_are_counted_on_several_threads() {
        let mut pairs = Pairs::of_parts(1);
        let count = PARALLEL as u64 + 77;
        for thing in 0..count {
            pairs.put(thing * thing % 11, thing / 2);
            pairs.put(70_000, thing);
        }
        let mut sets: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for thing in 0..count {
            sets.entry(thing * thing % 11).or_default().insert(thing / 2);
        }
        let counted = pairs.count();
        for value in 0..11 {
            assert_eq!(counted.of(value).count, sets.get(&value).map_or(0, BTreeSet::len) as u64, "{value}");
        }
        assert_eq!(counted.of(70_000), Distinct { count, margin: 0 });
    }

    #[test]
    fn beyond_the_bound_a_sample_tells_its_margin() {
        let mut pairs = Pairs { most: 4_096, check_at: 1_024, ..Pairs::default() };
        for thing in 0..100_000_u64 {
            pairs.put(thing % 2, thing);
            pairs.put(7, thing | WIDE);
        }
        assert!(pairs.size() <= 2 * pairs.check_at, "memory is bounded");
        let counted = pairs.count();
        for (value, exact) in [(0, 50_000_u64), (1, 50_000), (7, 100_000)] {
            let Distinct { count, margin } = counted.of(value);
            // Numbers are fixed, so is the outcome.
            assert!(margin > 0 && count.abs_diff(exact) <= margin * 2, "{value}: {count} ± {margin}");
        }
    }
}
