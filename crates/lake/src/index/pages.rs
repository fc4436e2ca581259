//! Pairs of two numbers of 32 bits, each once: by the page of 65,536 second numbers, as a list or as bits.
//!
//! The form of Roaring bitmaps (Chambi, Lemire, Kaser, Godin 2016), so that putting in a pair costs one look into a table
//! and nothing is put in order at the end. At a hundred times the data: two bytes a pair in pages with few, 8 KiB a full page.

use std::iter;

use super::mix::ByNumber;

/// A list with so many is put in order, and becomes bits where it stays that long by half.
const MOST_LISTED: usize = 2_048;
const WORDS: usize = 1 << 10;
/// What a page takes besides its numbers, about.
const PAGE_BYTES: usize = 64;

/// The pairs.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: ByNumber<Page>,
    bytes: usize,
}

#[derive(Debug)]
enum Page {
    /// In no order, some perhaps twice.
    Few(Vec<u16>),
    Many(Box<[u64; WORDS]>),
}

impl Pages {
    /// Memory that they take, about.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn put(&mut self, first: u32, second: u32) {
        let (page, number) = (key(first, second), low(second));
        let bytes = &mut self.bytes;
        let page = self.pages.entry(page).or_insert_with(|| {
            *bytes += PAGE_BYTES;
            Page::Few(Vec::new())
        });
        page.put(number, bytes);
    }

    /// Adds those of another, whose first numbers have others here.
    pub(super) fn add(&mut self, other: Self, number: impl Fn(u32) -> u32) {
        for (at, theirs) in other.pages {
            let at = (u64::from(number(first_of(at))) << 16) | (at & 0xffff);
            let Some(mine) = self.pages.get_mut(&at) else {
                self.bytes += PAGE_BYTES + theirs.bytes();
                self.pages.insert(at, theirs);
                continue;
            };
            mine.add(theirs, &mut self.bytes);
        }
    }

    /// Lists hold each number once.
    pub(super) fn settle(&mut self) {
        self.pages.values_mut().for_each(|page| page.settle(&mut self.bytes));
    }

    /// Keeps those whose second number passes.
    pub(super) fn retain(&mut self, passes: impl Fn(u32) -> bool) {
        let all = std::mem::take(self);
        for (at, page) in all.pages {
            let high = (at as u32) << 16;
            page.each(|number| {
                if passes(high | u32::from(number)) {
                    self.put(first_of(at), high | u32::from(number));
                }
            });
        }
    }

    /// How many different second numbers the first ones have.
    pub(super) fn count(self) -> ByNumber<u64> {
        let mut counts = ByNumber::default();
        for (at, page) in self.pages {
            *counts.entry(u64::from(first_of(at))).or_default() += page.count();
        }
        counts
    }
}

impl Page {
    fn put(&mut self, number: u16, bytes: &mut usize) {
        match self {
            Self::Many(words) => set(words, number),
            Self::Few(listed) => {
                listed.push(number);
                *bytes += 2;
                if listed.len() >= MOST_LISTED {
                    self.settle(bytes);
                }
            }
        }
    }

    /// A list, each number once; as bits where it stays long.
    fn settle(&mut self, bytes: &mut usize) {
        let Self::Few(listed) = self else { return };
        *bytes -= listed.len() * 2;
        listed.sort_unstable();
        listed.dedup();
        if listed.len() > MOST_LISTED / 2 {
            let mut words = Box::new([0; WORDS]);
            listed.iter().for_each(|number| set(&mut words, *number));
            *self = Self::Many(words);
        }
        *bytes += self.bytes();
    }

    fn add(&mut self, other: Self, bytes: &mut usize) {
        match (self, other) {
            (Self::Many(mine), Self::Many(theirs)) => {
                mine.iter_mut().zip(theirs.iter()).for_each(|(mine, word)| *mine |= word);
            }
            (mine @ Self::Few(_), mut theirs @ Self::Many(_)) => {
                *bytes -= mine.bytes();
                *bytes += theirs.bytes();
                std::mem::swap(mine, &mut theirs);
                mine.add(theirs, bytes);
            }
            (mine, Self::Few(theirs)) => theirs.into_iter().for_each(|number| mine.put(number, bytes)),
        }
    }

    fn each(&self, mut take: impl FnMut(u16)) {
        match self {
            Self::Few(listed) => listed.iter().for_each(|number| take(*number)),
            Self::Many(words) => {
                for (at, word) in (0_u16..).zip(words.iter()) {
                    let bits = iter::successors(Some(*word), |word| Some(word & word.wrapping_sub(1)));
                    for word in bits.take_while(|word| *word != 0) {
                        take(at * 64 + word.trailing_zeros() as u16);
                    }
                }
            }
        }
    }

    fn count(self) -> u64 {
        match self {
            Self::Few(mut listed) => {
                listed.sort_unstable();
                listed.dedup();
                listed.len() as u64
            }
            Self::Many(words) => words.iter().map(|word| u64::from(word.count_ones())).sum(),
        }
    }

    const fn bytes(&self) -> usize {
        match self {
            Self::Few(listed) => listed.len() * 2,
            Self::Many(_) => WORDS * 8,
        }
    }
}

fn set(words: &mut [u64; WORDS], number: u16) {
    if let Some(word) = words.get_mut(usize::from(number / 64)) {
        *word |= 1 << (number % 64);
    }
}

const fn key(first: u32, second: u32) -> u64 {
    ((first as u64) << 16) | (second >> 16) as u64
}

const fn first_of(key: u64) -> u32 {
    (key >> 16) as u32
}

const fn low(second: u32) -> u16 {
    (second & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn checked(pages: &Pages, pairs: &BTreeSet<(u32, u32)>) {
        let bytes: usize = pages.pages.values().map(|page| PAGE_BYTES + page.bytes()).sum();
        assert_eq!(pages.bytes(), bytes);
        let mut found = BTreeSet::new();
        for (at, page) in &pages.pages {
            page.each(|number| {
                found.insert((first_of(*at), ((*at as u32) << 16) | u32::from(number)));
            });
        }
        assert_eq!(found, *pairs);
    }

    proptest! {
        #[test]
        fn pages_are_sets(
            parts in prop::collection::vec(
                prop::collection::vec((0_u32..3, prop_oneof![0_u32..6, 60_000..70_000_u32, any::<u32>()]), 0..50),
                1..4,
            ),
            // Beside single pairs, runs that make a page one of bits.
            runs in prop::collection::vec((0_u32..3, 60_000_u32..66_000, 0_u32..6_000), 0..4),
        ) {
            let (mut whole, mut pairs) = (Pages::default(), BTreeSet::new());
            for (at, part) in parts.iter().enumerate() {
                let mut pages = Pages::default();
                let runs = runs.iter().skip(at).step_by(parts.len());
                let run = runs.flat_map(|(first, from, count)| (*from..from + count).map(|second| (*first, second)));
                for (first, second) in part.iter().copied().chain(run) {
                    pages.put(first, second);
                    pairs.insert((first * 2, second));
                }
                whole.add(pages, |first| first * 2);
            }
            checked(&whole, &pairs);
            whole.retain(|second| second % 3 == 1);
            pairs.retain(|(_, second)| second % 3 == 1);
            checked(&whole, &pairs);
            let counts = whole.count();
            for first in 0..6 {
                let expected = pairs.iter().filter(|(one, _)| *one == first).count() as u64;
                prop_assert_eq!(counts.get(&u64::from(first)).copied().unwrap_or(0), expected);
            }
        }
    }
}
