//! Which distinct contents hold some characters or match an expression: over `facts.bin`, not over rows.
//!
//! ```text
//!   three bytes -> blocks of facts.bin that have them -> each text of those blocks is looked at -> records
//! ```
//!
//! Equal content is looked at once, however many services have it. The first question reads the file and notes, block
//! by block ([`BLOCK_BYTES`]), which three bytes occur in it; later ones read only the blocks that can match, and what was
//! appended since. The notes are bounded ([`MAX_NOTES`], 4 bytes each): what lies behind the bound is read every time,
//! with the same answer. They live in memory and are made again after a restart; nobody waits for another who makes them: each
//! reads for himself and takes what others have noted by then. Checksums are verified when a block is
//! read for the first time.
//!
//! At a hundred times the data: a question with three certain characters reads what can match; one without reads
//! everything, up to [`MAX_READ_BYTES`], and is refused beyond.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem;

use super::document::content_number;
use super::facts::{FactsFile, Passed, Walked};
use super::mix::{Scatter, mix};
use super::run::{processors, side_by_side};
use crate::error::LakeError;
use crate::query::QueryError;
use crate::query::raw::{Gram, Needle, grams_of, is_odd};
use crate::query::words::{GAP, fold};

/// About how much of the file is noted together.
const BLOCK_BYTES: u64 = 64 * 1024;
/// The most notes.
const MAX_NOTES: usize = 24 << 20;
/// The most bytes that a question without a certain part may read.
const MAX_READ_BYTES: u64 = 8 << 30;
/// From so many blocks on several threads look.
const THREADS_FROM_BLOCKS: usize = 8;

type ByGram = HashMap<u64, Vec<u32>, BuildHasherDefault<Scatter>>;

/// What is known of a generation's texts.
pub(super) struct Grams {
    file: Arc<FactsFile>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    blocks: Vec<(u64, u64)>,
    by_gram: ByGram,
    /// Blocks that may match without having the three bytes.
    odd: Vec<u32>,
    count: usize,
    /// Up to here the file is noted.
    until: u64,
}

/// A content that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) record: u64,
    /// What finds rows of this content.
    pub(super) content: u64,
}

impl Grams {
    pub(super) fn new(file: Arc<FactsFile>) -> Self {
        Self { file, notes: Mutex::default() }
    }

    /// The contents that match, of those before `length`.
    pub(super) fn find(&self, needle: &Needle, length: u64) -> Result<Vec<Hit>, LakeError> {
        let ways = needle.grams();
        if ways.is_none() && length > MAX_READ_BYTES {
            return Err(too_vague().into());
        }
        let (candidates, mut hits) = self.note(needle, ways.as_deref(), length)?;
        let threads = if candidates.len() < THREADS_FROM_BLOCKS { 1 } else { processors() };
        let look = |at: usize| {
            let mut hits = Vec::new();
            let Some((from, until)) = candidates.get(at).copied() else { return Ok(hits) };
            self.file.walk(from, until, false, &mut |walked: &Walked<'_>| look_at(needle, walked, &mut hits))?;
            Ok(hits)
        };
        for found in side_by_side(candidates.len(), threads, look) {
            let found: Result<Vec<Hit>, LakeError> = found;
            hits.extend(found?);
        }
        hits.sort_unstable();
        hits.dedup();
        Ok(hits)
    }

    /// Notes what is not noted yet, looking at it by the way; gives the noted blocks that can match, and what was
    /// found.
    fn note(
        &self,
        needle: &Needle,
        ways: Option<&[BTreeSet<Gram>]>,
        length: u64,
    ) -> Result<(Blocks, Vec<Hit>), LakeError> {
        let notes = || self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut candidates, mut hits) = (Blocks::new(), Vec::new());
        let (mut taken, mut from, mut seen) = (0, FactsFile::START, Seen::new());
        loop {
            let known = notes();
            candidates.extend(known.candidates(ways, taken));
            (taken, from) = (known.blocks.len(), from.max(known.until));
            drop(known);
            if from >= length {
                return Ok((candidates, hits));
            }
            // Whoever asks meanwhile looks for himself, and goes on from where the first of them is.
            let end = self.file.walk(from, (from + BLOCK_BYTES).min(length), true, &mut |walked| {
                walked.records().for_each(|record| seen.take(&fold(record.text)));
                look_at(needle, walked, &mut hits);
            })?;
            // What will still grow is looked at and not noted.
            if end - from >= BLOCK_BYTES {
                let mut known = notes();
                if known.until.max(FactsFile::START) == from {
                    known.add(from, end, &seen);
                    taken = known.blocks.len();
                }
            }
            seen.clear();
            from = end;
        }
    }
}

/// Parts of the file, each beginning and ending with a record.
type Blocks = Vec<(u64, u64)>;

impl Notes {
    fn add(&mut self, from: u64, until: u64, seen: &Seen) {
        let block = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        self.blocks.push((from, until));
        self.until = until;
        if seen.odd || self.count + seen.all.len() > MAX_NOTES {
            self.odd.push(block);
            return;
        }
        self.count += seen.all.len();
        seen.all.iter().for_each(|gram| self.by_gram.entry(u64::from(*gram)).or_default().push(block));
    }

    /// The blocks from this number on in which this can be.
    fn candidates(&self, ways: Option<&[BTreeSet<Gram>]>, first: usize) -> Blocks {
        let Some(ways) = ways else { return self.blocks.get(first..).unwrap_or_default().to_vec() };
        let least = u32::try_from(first).unwrap_or(u32::MAX);
        let odd = from(&self.odd, least).iter().copied();
        let mut numbers: Vec<u32> = ways.iter().flat_map(|way| self.having(way, least)).chain(odd).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.iter().filter_map(|block| self.blocks.get(usize::try_from(*block).ok()?).copied()).collect()
    }

    /// The blocks that have all of these, from this number on.
    fn having(&self, way: &BTreeSet<Gram>, least: u32) -> Vec<u32> {
        let list = |gram: &Gram| self.by_gram.get(&u64::from(*gram)).map(|list| from(list, least));
        let lists: Option<Vec<&[u32]>> = way.iter().map(list).collect();
        let Some(mut lists) = lists else { return Vec::new() };
        lists.sort_unstable_by_key(|list| list.len());
        let mut lists = lists.into_iter();
        let mut kept = lists.next().map(<[u32]>::to_vec).unwrap_or_default();
        lists.for_each(|list| kept.retain(|block| list.binary_search(block).is_ok()));
        kept
    }
}

/// The numbers from this one on, of some that ascend.
fn from(numbers: &[u32], least: u32) -> &[u32] {
    numbers.get(numbers.partition_point(|number| *number < least)..).unwrap_or_default()
}

/// Which three bytes occur in a block.
struct Seen {
    /// One bit for each.
    bits: Vec<u64>,
    all: Vec<Gram>,
    odd: bool,
}

impl Seen {
    fn new() -> Self {
        Self { bits: vec![0; (1 << 24) / 64], all: Vec::new(), odd: false }
    }

    fn take(&mut self, folded: &str) {
        self.odd |= is_odd(folded);
        for gram in grams_of(folded.as_bytes()) {
            let Some(word) = self.bits.get_mut(gram as usize / 64) else { continue };
            let bit = 1 << (gram % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.all.push(gram);
            }
        }
    }

    fn clear(&mut self) {
        for gram in self.all.drain(..) {
            if let Some(word) = self.bits.get_mut(gram as usize / 64) {
                *word = 0;
            }
        }
        self.odd = false;
    }
}

/// Holds the needle against the texts of a group: characters against all at once, where folding moves none of them.
fn look_at(needle: &Needle, walked: &Walked<'_>, hits: &mut Vec<Hit>) {
    let hit = |record: Passed<'_>| Hit { record: record.name, content: content_number(&record.content) };
    match needle.wanted().filter(|wanted| walked.text.is_ascii() && !wanted.contains(GAP)) {
        Some(wanted) => {
            let folded = walked.text.to_ascii_lowercase();
            let finder = memmem::Finder::new(wanted);
            let find = |within: Range<usize>| {
                let begin = within.start;
                let at = begin + finder.find(folded.as_bytes().get(within)?)?;
                Some(at..at + wanted.len())
            };
            hits.extend(walked.holders(find).into_iter().map(hit));
        }
        None => hits.extend(walked.records().filter(|record| needle.holds(record.text)).map(hit)),
    }
}

fn too_vague() -> QueryError {
    let message =
        "text: without three characters in a row that must occur would read everything that was ever said; add some";
    let ja = "text: には必ず現れる連続した 3 文字が要ります。文字を足してください";
    QueryError::new(0, 0, message).ja(ja)
}

/// Contents that match, ready to be asked for each row.
#[derive(Clone)]
pub(super) struct Hits {
    records: Arc<[u64]>,
    /// One bit for each of many scattered records: most that do not match are told at once.
    bits: Arc<[u64]>,
}

impl Hits {
    pub(super) fn new(hits: &[Hit]) -> Self {
        let words = (hits.len() / 4 + 1).next_power_of_two();
        let mut bits = vec![0_u64; words];
        for hit in hits {
            if let Some(word) = bits.get_mut(slot(hit.record, words)) {
                *word |= 1 << (mix(hit.record) >> 58);
            }
        }
        Self { records: hits.iter().map(|hit| hit.record).collect(), bits: bits.into() }
    }

    pub(super) fn contains(&self, record: u64) -> bool {
        let word = self.bits.get(slot(record, self.bits.len()));
        word.is_some_and(|word| word >> (mix(record) >> 58) & 1 == 1) && self.records.binary_search(&record).is_ok()
    }
}

fn slot(record: u64, words: usize) -> usize {
    usize::try_from(mix(record) & (words as u64 - 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use hinomi_model::{ContentHash, Facts};
    use proptest::prelude::*;

    use super::super::facts::Told;
    use super::*;

    proptest! {
        /// Also where what is looked for would reach from one text into the next.
        #[test]
        fn what_is_found_is_what_holds(
            texts in proptest::collection::vec("[aAb]{0,5}|[aé]{0,3}", 1..200),
            wanted in "[ab]{1,3}",
            several in 1_usize..4,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let file = Arc::new(FactsFile::open(&folder.path().join("facts.bin"), true, None).expect("new"));
            let grams = Grams::new(Arc::clone(&file));
            let needle = Needle::text(&wanted);
            let told = Told { facts: Facts::default().into(), evidence: Vec::new() };
            let (mut expected, mut length) = (Vec::new(), FactsFile::START);
            for part in texts.chunks(texts.len().div_ceil(several)) {
                for text in part {
                    let record = file.append(ContentHash::of(text.as_bytes()), &told, text).expect("appended");
                    if needle.holds(text) {
                        expected.push(record);
                    }
                }
                length = file.sync().expect("written");
            }
            for _ in 0..2 {
                let found = grams.find(&needle, length).expect("found");
                prop_assert_eq!(found.iter().map(|hit| hit.record).collect::<Vec<_>>(), expected.clone());
            }
        }
    }

    #[test]
    fn several_who_ask_first_at_once_find_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Arc::new(FactsFile::open(&folder.path().join("facts.bin"), true, None).expect("new"));
        let told = Told { facts: Facts::default().into(), evidence: Vec::new() };
        let mut expected = Vec::new();
        for n in 0..4_000_u32 {
            let word = if n % 97 == 0 { "needle" } else { "hay" };
            let text = format!("{word} {n} {}", "x".repeat(200));
            let record = file.append(ContentHash::of(text.as_bytes()), &told, &text).expect("appended");
            expected.extend((n % 97 == 0).then_some(record));
        }
        let length = file.sync().expect("written");
        let (grams, needle) = (Grams::new(file), Needle::text("needle"));
        let find = || grams.find(&needle, length).expect("found").iter().map(|hit| hit.record).collect::<Vec<_>>();
        let found = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(find)).collect();
            asking.into_iter().map(|one| one.join().expect("answered")).collect::<Vec<_>>()
        });
        assert!(found.iter().all(|found| *found == expected));
        assert_eq!(find(), expected);
    }
}
