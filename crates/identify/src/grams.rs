//! Many literals looked for at once, in any case, without looking at every byte.
//!
//! Every literal has at least [`SHORTEST`] bytes, so if the shortest has `n`, any four bytes in `n - 3` consecutive
//! places of an occurrence lie within it: it is enough to look at every `n - 3`rd place. What stands there is hashed and
//! looked up in a bitmap of the four-byte pieces (grams) that literals have in their first `n - 3` places; 4 KiB stay in
//! the first cache, and no look-up waits for the one before. Only where the bitmap says *perhaps* are literals compared.
//!
//! An automaton that eats byte after byte waits for memory at each; this is several times as fast on pages, where nearly
//! all of a value is about something else.

/// The length of a literal that can be found this way.
pub(crate) const SHORTEST: usize = GRAM;

const GRAM: usize = 4;

/// Places are at most so far apart: longer strides would only fill the bitmap.
const MAX_STRIDE: usize = 8;

const HASH_BITS: u32 = 15;

const WORDS: usize = 1 << (HASH_BITS - 6);

/// Literals, ready to be looked for.
#[derive(Debug)]
pub(crate) struct Grams {
    stride: usize,
    bitmap: Box<[u64; WORDS]>,
    /// Sorted by gram.
    entries: Vec<Entry>,
    /// In lower case.
    literals: Vec<Vec<u8>>,
}

/// A gram, and where it stands in which literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    gram: u32,
    literal: usize,
    offset: usize,
}

impl Grams {
    /// Prepares literals of at least [`SHORTEST`] bytes each; shorter ones are never found.
    pub(crate) fn new(literals: Vec<Vec<u8>>) -> Self {
        let least = literals.iter().map(Vec::len).filter(|length| *length >= SHORTEST).min().unwrap_or(SHORTEST);
        let stride = (least + 1 - GRAM).min(MAX_STRIDE);
        let mut entries = Vec::with_capacity(literals.len() * stride);
        for (literal, text) in literals.iter().enumerate() {
            let grams = text.windows(GRAM).take(stride).filter_map(<[u8]>::first_chunk).enumerate();
            entries.extend(grams.map(|(offset, bytes)| Entry { gram: gram(*bytes), literal, offset }));
        }
        entries.sort_unstable();
        let mut bitmap = Box::new([0; WORDS]);
        for entry in &entries {
            let (word, bit) = place(entry.gram);
            if let Some(word) = bitmap.get_mut(word) {
                *word |= bit;
            }
        }
        Self { stride, bitmap, entries, literals }
    }

    /// Calls `found` with the number of each literal that stands somewhere in the value, as often as it does.
    pub(crate) fn find(&self, value: &[u8], found: &mut dyn FnMut(usize)) {
        let mut at = 0;
        while let Some(bytes) = value.get(at..).and_then(<[u8]>::first_chunk) {
            let gram = gram(*bytes);
            let (word, bit) = place(gram);
            if self.bitmap.get(word).is_some_and(|word| word & bit != 0) {
                self.compare(value, at, gram, found);
            }
            at += self.stride;
        }
    }

    /// Compares the literals that have this gram with what stands around it.
    #[cold]
    fn compare(&self, value: &[u8], at: usize, gram: u32, found: &mut dyn FnMut(usize)) {
        let first = self.entries.partition_point(|entry| entry.gram < gram);
        for entry in self.entries.iter().skip(first).take_while(|entry| entry.gram == gram) {
            let literal = self.literals.get(entry.literal).map_or(&[][..], Vec::as_slice);
            let there = at.checked_sub(entry.offset).and_then(|start| value.get(start..)?.get(..literal.len()));
            if there.is_some_and(|there| there.eq_ignore_ascii_case(literal)) {
                found(entry.literal);
            }
        }
    }
}

/// Four bytes as one number, the same for both cases of a letter. Some other bytes fall together too.
fn gram(bytes: [u8; GRAM]) -> u32 {
    u32::from_le_bytes(bytes) | 0x2020_2020
}

/// Word and bit of a gram in the bitmap.
fn place(gram: u32) -> (usize, u64) {
    // Fibonacci hashing: the golden ratio's bits, the upper ones of the product being the best mixed.
    let hash = gram.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is found is what stands there, wherever and in whatever case.
        #[test]
        fn every_literal_is_found_and_no_other(
            literals in vec("[a-c./@]{4,14}", 1..12),
            value in vec(prop_oneof!["[a-cA-C./@`]{0,9}", "[abAB]{0,30}"], 0..8),
            planted in vec((any::<prop::sample::Index>(), any::<bool>()), 0..4),
        ) {
            let mut value = value.concat();
            for (index, upper) in planted {
                let literal = index.get(&literals);
                value.push_str(&if upper { literal.to_ascii_uppercase() } else { literal.clone() });
                value.push('b');
            }
            let lower = value.to_ascii_lowercase();
            let expected: BTreeSet<usize> = (0..literals.len()).filter(|n| lower.contains(&literals[*n])).collect();
            let grams = Grams::new(literals.iter().map(|literal| literal.clone().into_bytes()).collect());
            let mut found = BTreeSet::new();
            grams.find(value.as_bytes(), &mut |number| { found.insert(number); });
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn no_literals_and_short_values_find_nothing() {
        let none = Grams::new(Vec::new());
        none.find(b"anything at all", &mut |number| panic!("{number}"));
        let one = Grams::new(vec![b"abcd".to_vec()]);
        one.find(b"abc", &mut |number| panic!("{number}"));
    }
}
