//! Which distinct contents hold some characters or match an expression: over the texts of `facts.bin`, not over rows.
//!
//! Equal content is looked at once, however many services have it. Where the words of the index ([`super::letters`]) say
//! which texts may match, those are read; otherwise every text is gone through, on all processors: three
//! characters that must occur tell hardly any two parts of the file apart, since fingerprints and numbers hold them all.
//! Checksums are compared when a part is read for the first time.
//!
//! At a hundred times the data: a hundred times as long. One question goes through everything [`MAX_PASSES`] times at most.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem::Finder;

use super::document::content_number;
use super::facts::{FactsFile, Passed, Walked};
use super::mix::mix;
use super::run::{processors, side_by_side};
use crate::error::LakeError;
use crate::query::raw::Needle;
use crate::query::words::GAP;

/// About how much of the file a thread takes at a time.
const STEP_BYTES: u64 = 1 << 20;
/// From so many steps several threads look.
const THREADS_FROM_STEPS: usize = 2;
/// Records that a thread takes at a time, where only some are read.
const READ_TOGETHER: usize = 512;
/// So many tests of letters or expressions one question may have: each may go through all texts.
pub(super) const MAX_PASSES: usize = 8;
/// The characters beyond ASCII that fold to something with ASCII in it.
const ODD: [char; 2] = ['\u{130}', '\u{212a}'];

/// The texts of a generation.
pub(super) struct Contents {
    file: Arc<FactsFile>,
    step_bytes: u64,
    steps: Mutex<Vec<Step>>,
}

/// A part of the file that begins and ends with a group.
#[derive(Clone)]
struct Step {
    from: u64,
    until: u64,
    /// Whether its checksums were compared.
    checked: Arc<AtomicBool>,
}

/// A content that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) record: u64,
    /// What finds rows of this content.
    pub(super) content: u64,
}

impl Contents {
    pub(super) fn new(file: Arc<FactsFile>) -> Self {
        Self { file, step_bytes: STEP_BYTES, steps: Mutex::default() }
    }

    /// The contents that match, of those before `length`.
    pub(super) fn find(&self, needle: &Needle, length: u64) -> Result<Vec<Hit>, LakeError> {
        let (steps, look) = (self.steps(length)?, Look::new(needle));
        let threads = if steps.len() < THREADS_FROM_STEPS { 1 } else { processors() };
        let through = |at: usize| {
            let (mut hits, mut folded) = (Vec::new(), Vec::new());
            let Some(Step { from, until, checked }) = steps.get(at) else { return Ok(hits) };
            let check = !checked.load(Ordering::Relaxed);
            self.file.walk(*from, *until, check, &mut |walked| look.at(walked, &mut folded, &mut hits))?;
            checked.store(true, Ordering::Relaxed);
            Ok(hits)
        };
        let found = side_by_side(steps.len(), threads, through);
        let mut hits = found.into_iter().collect::<Result<Vec<_>, LakeError>>()?.concat();
        hits.sort_unstable();
        Ok(hits)
    }

    /// The contents that match, of these records, ascending.
    pub(super) fn find_among(&self, needle: &Needle, records: &[u64]) -> Result<Vec<Hit>, LakeError> {
        let parts: Vec<&[u64]> = records.chunks(READ_TOGETHER).collect();
        let through = |at: usize| {
            let mut hits = Vec::new();
            for record in parts.get(at).copied().unwrap_or_default() {
                if needle.holds(&self.file.text(*record)?) {
                    hits.push(Hit { record: *record, content: content_number(&self.file.content(*record)?) });
                }
            }
            Ok(hits)
        };
        let found = side_by_side(parts.len(), processors(), through);
        Ok(found.into_iter().collect::<Result<Vec<_>, LakeError>>()?.concat())
    }

    /// The steps up to there; the last may be short and is not kept, since it will grow.
    fn steps(&self, length: u64) -> Result<Vec<Step>, LakeError> {
        let known = || self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Step> = known().iter().take_while(|step| step.until <= length).cloned().collect();
        let mut from = end_of(&all);
        // Nobody waits for who reads the heads.
        while from < length {
            let mut until = from;
            while until < length && until - from < self.step_bytes {
                until = self.file.end_of(until)?;
            }
            let step = Step { from, until, checked: Arc::default() };
            if until - from >= self.step_bytes {
                let mut known = known();
                if end_of(&known) == from {
                    known.push(step.clone());
                }
            }
            all.push(step);
            from = until;
        }
        Ok(all)
    }
}

fn end_of(steps: &[Step]) -> u64 {
    steps.last().map_or(FactsFile::START, |step| step.until)
}

/// A needle, ready for many texts.
struct Look<'n> {
    needle: &'n Needle,
    /// What is looked for, where that is characters that can occur.
    wanted: Option<Finder<'n>>,
    odd: [Finder<'static>; 2],
}

impl<'n> Look<'n> {
    fn new(needle: &'n Needle) -> Self {
        let wanted = needle.wanted().filter(|wanted| !wanted.contains(GAP) && wanted.is_ascii());
        let odd = ODD.map(|char| Finder::new(char.encode_utf8(&mut [0; 4]).as_bytes()).into_owned());
        Self { needle, wanted: wanted.map(Finder::new), odd }
    }

    /// Holds the needle against the texts of a group: ASCII against all at once.
    fn at(&self, walked: &Walked<'_>, folded: &mut Vec<u8>, hits: &mut Vec<Hit>) {
        let hit = |record: Passed<'_>| Hit { record: record.name, content: content_number(&record.content) };
        let Some(wanted) = &self.wanted else {
            let beyond_ascii = self.needle.wanted().is_some() && walked.bytes().is_ascii();
            if !beyond_ascii {
                hits.extend(walked.records().filter(|record| self.needle.holds(&record.text)).map(hit));
            }
            return;
        };
        folded.clear();
        folded.extend_from_slice(walked.bytes());
        folded.make_ascii_lowercase();
        let find = |within: Range<usize>| {
            let begin = within.start;
            let at = begin + wanted.find(folded.get(within)?)?;
            Some(at..at + wanted.needle().len())
        };
        let held = walked.holders(find);
        let odd = !walked.bytes().is_ascii() && self.odd.iter().any(|odd| odd.find(walked.bytes()).is_some());
        if odd {
            hits.extend(walked.records().filter(|record| self.needle.holds(&record.text)).map(hit));
        } else {
            hits.extend(held.into_iter().map(hit));
        }
    }
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
            texts in proptest::collection::vec("[aAbkK]{0,5}|[aéİ\u{212a}]{0,3}", 1..200),
            wanted in "[abki]{1,3}|é",
            several in 1_usize..4,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let file = Arc::new(FactsFile::open(&folder.path().join("facts.bin"), true, None).expect("new"));
            let contents = Contents { step_bytes: 64, ..Contents::new(Arc::clone(&file)) };
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
                let found = contents.find(&needle, length).expect("found");
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
        let (contents, needle) = (Contents { step_bytes: 4_096, ..Contents::new(file) }, Needle::text("needle"));
        let find = || contents.find(&needle, length).expect("found").iter().map(|hit| hit.record).collect::<Vec<_>>();
        let found = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(find)).collect();
            asking.into_iter().map(|one| one.join().expect("answered")).collect::<Vec<_>>()
        });
        assert!(found.iter().all(|found| *found == expected));
        assert_eq!(find(), expected);
    }

    #[test]
    fn nothing_else_folds_to_ascii() {
        let folds = |char: &char| !char.is_ascii() && char.to_lowercase().any(|small| small.is_ascii());
        assert_eq!((char::MIN..=char::MAX).filter(folds).collect::<Vec<_>>(), ODD);
    }
}
