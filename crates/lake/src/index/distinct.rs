//! How many different things there are, for each of many values: exact up to a bound, then by a sample.
//!
//! When different pairs of value and thing take more than [`MAX_BYTES`], things are kept only when the hash of the thing ends in one
//! more zero bit, and each one kept stands for twice as many (adaptive sampling: Wegman; Flajolet 1990). The choice
//! depends on the thing alone, so parts can be put together, and the answer does not depend on how rows are laid out.
//! A count that was sampled says how far off it may be. Things that need more than 32 bits (IPv6 addresses, texts) are
//! told apart by a hash of 64 bits.
//!
//! At a hundred times the data memory stays: from a bit a pair where they lie close to 66 bytes where they do not
//! ([`super::pages`]), 16 for wide ones.

use super::mix::{ByNumber, mix};
use super::pages::Pages;
use crate::search::Distinct;

/// The most memory for pairs over all parts of a search.
const MAX_BYTES: usize = 256 << 20;
/// The least memory of a part.
const MIN_BYTES: usize = 16 << 10;

/// The mark of things that are hashes.
pub(super) const WIDE: u64 = 1 << 63;

/// Pairs of a value and a thing.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Value and thing of 32 bits each.
    narrow: Pages,
    /// Value and thing of 64 bits each.
    wide: Vec<u128>,
    /// How many zero bits the hash of a kept thing ends in.
    level: u32,
    /// From how many bytes on they are looked through.
    check_at: usize,
    most: usize,
}

impl Pairs {
    /// Room for one of so many parts.
    pub(super) fn of_parts(parts: usize) -> Self {
        let most = (MAX_BYTES / parts.max(1)).max(MIN_BYTES);
        Self { most, check_at: most, ..Self::default() }
    }

    /// Takes a pair.
    pub(super) fn put(&mut self, value: u64, thing: u64) {
        if self.level > 0 && !is_kept(thing, self.level) {
            return;
        }
        match (u32::try_from(value), u32::try_from(thing)) {
            (Ok(value), Ok(thing)) => self.narrow.put(value, thing),
            _ => self.wide.push((u128::from(value) << 64) | u128::from(thing)),
        }
        if self.bytes() >= self.check_at {
            self.shrink();
        }
    }

    /// Each once; where that leaves too many, things are thinned out.
    fn shrink(&mut self) {
        self.order();
        while self.bytes() > self.most {
            self.level += 1;
            self.thin();
        }
        self.check_at = (self.bytes() * 2).max(self.check_at);
    }

    fn bytes(&self) -> usize {
        self.narrow.bytes() + self.wide.len() * size_of::<u128>()
    }

    fn order(&mut self) {
        self.narrow.settle();
        self.wide.sort_unstable();
        self.wide.dedup();
    }

    fn thin(&mut self) {
        let level = self.level;
        self.narrow.retain(|thing| is_kept(u64::from(thing), level));
        self.wide.retain(|pair| is_kept(*pair as u64, level));
    }

    /// Adds those of another part, whose values have other numbers here, with the room that it had.
    pub(super) fn add(&mut self, other: Self, number: impl Fn(u64) -> u64) {
        let narrow = |value: u32| u32::try_from(number(u64::from(value))).unwrap_or(u32::MAX);
        self.narrow.add(other.narrow, narrow);
        let wide = |pair: u128| (u128::from(number((pair >> 64) as u64)) << 64) | (pair & u128::from(u64::MAX));
        self.wide.extend(other.wide.into_iter().map(wide));
        self.most = (self.most + other.most).min(MAX_BYTES);
        if other.level != self.level {
            self.level = self.level.max(other.level);
            self.thin();
        }
        if self.bytes() > self.most {
            self.shrink();
        }
    }

    /// How many different things each value has.
    pub(super) fn count(mut self) -> Counted {
        if self.level > 0 {
            self.thin();
        }
        self.order();
        let mut counts = self.narrow.count();
        for run in self.wide.chunk_by(|a, b| a >> 64 == b >> 64) {
            if let Some(pair) = run.first() {
                *counts.entry((pair >> 64) as u64).or_default() += run.len() as u64;
            }
        }
        Counted { counts, level: self.level }
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
                whole.add(pairs, |value| value);
            }
            let counted = whole.count();
            for value in 0..5 {
                let exact = sets.get(&value).map_or(0, BTreeSet::len) as u64;
                prop_assert_eq!(counted.of(value), Distinct { count: exact, margin: 0 });
            }
        }
    }

    #[test]
    fn beyond_the_bound_a_sample_tells_its_margin() {
        let mut pairs = Pairs { most: 32_768, check_at: 8_192, ..Pairs::default() };
        for thing in 0..100_000_u64 {
            pairs.put(thing % 2, thing);
            pairs.put(7, thing | WIDE);
        }
        assert!(pairs.bytes() <= 2 * pairs.most, "memory is bounded");
        let counted = pairs.count();
        for (value, exact) in [(0, 50_000_u64), (1, 50_000), (7, 100_000)] {
            let Distinct { count, margin } = counted.of(value);
            // Numbers are fixed, so is the outcome.
            assert!(margin > 0 && count.abs_diff(exact) <= margin * 2, "{value}: {count} ± {margin}");
        }
    }
}
