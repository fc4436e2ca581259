//! Counts of many things in bounded memory (lossy counting, Manku and Motwani 2002).
//!
//! When there is no room for another thing, those counted least are forgotten and what is forgotten is remembered as a
//! floor: a count is at most that much too small. Rare things propose nothing, so nothing is lost that mattered.

use std::collections::HashMap;

/// The most (feature, port) pairs that are counted: about 400 MB while counting.
pub(super) const MAX_PAIRS: usize = 1 << 23;

/// The most features whose hosts are counted.
pub(super) const MAX_FEATURES: usize = 1 << 22;

/// See the module. A thing is a feature and a number.
#[derive(Debug)]
pub(super) struct Counts {
    counts: HashMap<(u64, u32), u32>,
    most: usize,
    floor: u32,
}

impl Counts {
    pub(super) fn new(most: usize) -> Self {
        Self { counts: HashMap::new(), most: most.max(1), floor: 0 }
    }

    pub(super) fn add(&mut self, feature: u64, number: u32) {
        if let Some(count) = self.counts.get_mut(&(feature, number)) {
            *count = count.saturating_add(1);
            return;
        }
        // The room is bounded however the counts lie: forgetting goes on until a quarter of it is free.
        while self.counts.len() >= self.most {
            self.forget();
        }
        self.counts.insert((feature, number), 1);
    }

    fn forget(&mut self) {
        while self.counts.len() > self.most - self.most.div_ceil(4) {
            self.floor = self.floor.saturating_add(1);
            let floor = self.floor;
            self.counts.retain(|_, count| *count > floor);
        }
    }

    /// Every count of at least this much, by feature and number.
    pub(super) fn sorted(self, least: u32) -> Vec<(u64, u32, u32)> {
        let all = self.counts.into_iter().filter(|(_, count)| *count >= least);
        let mut sorted: Vec<_> = all.map(|((feature, number), count)| (feature, number, count)).collect();
        sorted.sort_unstable();
        sorted.shrink_to_fit();
        sorted
    }
}

/// The part of sorted counts that is of one feature.
pub(super) fn of_feature(sorted: &[(u64, u32, u32)], feature: u64) -> &[(u64, u32, u32)] {
    let from = sorted.partition_point(|(of, ..)| *of < feature);
    let rest = sorted.get(from..).unwrap_or_default();
    let many = rest.partition_point(|(of, ..)| *of == feature);
    rest.get(..many).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_frequent_stays() {
        let mut counts = Counts::new(100);
        for round in 0..1_000 {
            counts.add(1, 80);
            counts.add(2, 443);
            // A thousand things that are seen once.
            counts.add(1_000 + round, 7);
            assert!(counts.counts.len() <= 100);
        }
        let sorted = counts.sorted(2);
        let told: Vec<_> = sorted.iter().map(|(feature, number, _)| (*feature, *number)).collect();
        assert_eq!(told, [(1, 80), (2, 443)]);
        assert!(of_feature(&sorted, 1).iter().all(|(_, _, count)| *count == 1_000));
        assert!(of_feature(&sorted, 3).is_empty());
    }
}
