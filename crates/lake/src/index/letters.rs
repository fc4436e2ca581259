//! Letters anywhere in the words of a text: looked for in the vocabulary of each segment, not in the texts.
//!
//! The distinct words of ten million services are a few megabytes, their texts more than a thousand: what holds the letters
//! is found there, and the rows by the postings of these words. Letters with something between words in them ask for the
//! words that must stand around it, and each text that has those is read.
//!
//! At a hundred times the data: words are named again and again, so a vocabulary grows far slower than the texts; one that
//! finds no room ([`super::plain::Room`]) is read anew for each question.

use std::collections::HashMap;
use std::sync::Arc;

use memchr::{memchr, memmem, memrchr};
use tantivy::index::SegmentId;
use tantivy::postings::TermInfo;
use tantivy::query::{BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, InvertedIndexReader, Score, Searcher, SegmentReader, TERMINATED, TantivyError};

use super::listed::Listed;
use super::opened::Segments;
use super::run::{processors, side_by_side};
use crate::query::words::{LeftOut, Word, stands_alone, words};

/// Stands around each word: no byte of a text is like it.
const MARK: u8 = 0xff;
/// Letters that more words of a segment hold are not worth looking for this way.
const MAX_WORDS: usize = 1 << 18;
/// Rows are listed where they are fewer than one in so many; more are bits.
const LISTED_IN: u64 = 32;

/// The distinct words of the text of a segment.
pub(super) struct Vocabulary(Vec<u8>);

impl Vocabulary {
    /// Reads all words.
    pub(super) fn read(reader: &SegmentReader, text: Field) -> tantivy::Result<Self> {
        let inverted = reader.inverted_index(text)?;
        let mut words = vec![MARK];
        let mut terms = inverted.terms().stream()?;
        while terms.advance() {
            words.extend_from_slice(terms.key());
            words.push(MARK);
        }
        words.shrink_to_fit();
        Ok(Self(words))
    }

    pub(super) const fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The words that hold a piece, each once.
    fn holding(&self, piece: &Piece) -> impl Iterator<Item = &[u8]> {
        let (pattern, mut from) = (piece.pattern(), 0);
        let finder = memmem::Finder::new(&pattern).into_owned();
        std::iter::from_fn(move || {
            let at = from + finder.find(self.0.get(from..)?)?;
            // A mark that belongs to the pattern is not the one before its word.
            let inside = at + usize::from(!piece.open_front);
            let begin = memrchr(MARK, self.0.get(..inside)?)? + 1;
            let end = inside + memchr(MARK, self.0.get(inside..)?)?;
            from = end;
            self.0.get(begin..end)
        })
    }
}

/// A word, or a part of one, that a text must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether more of the word may stand before, and behind.
    open_front: bool,
    open_back: bool,
}

impl Piece {
    /// What letters, folded, say of the words of a text in which they stand.
    pub(super) fn all_of(wanted: &str) -> Vec<Self> {
        let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && !stands_alone(c));
        let closed = |Word { text, .. }| Self { text, open_front: false, open_back: false };
        let mut pieces: Vec<_> = words(wanted).into_iter().map(closed).collect();
        if let Some(first) = pieces.first_mut() {
            first.open_front = goes_on(wanted.chars().next());
        }
        if let Some(last) = pieces.last_mut() {
            last.open_back = goes_on(wanted.chars().next_back());
        }
        pieces
    }

    /// Whether it is a word whole.
    pub(super) const fn is_whole(&self) -> bool {
        !self.open_front && !self.open_back
    }

    /// Whether it stands in a text just if these letters do.
    pub(super) fn says_all_of(&self, wanted: &str) -> bool {
        self.open_front && self.open_back && self.text == wanted
    }

    /// Which words that the index leaves out may hold it.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        if self.is_whole() {
            return LeftOut::of(&self.text).into_iter().collect();
        }
        let hexadecimal = self.text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hexadecimal.then_some(LeftOut::Hex).into_iter().chain([LeftOut::Long]).collect()
    }

    fn pattern(&self) -> Vec<u8> {
        let mark = |open: bool| (!open).then_some(MARK);
        mark(self.open_front).into_iter().chain(self.text.bytes()).chain(mark(self.open_back)).collect()
    }
}

/// The words of one segment that hold a piece, and how many rows have them, counted for each word.
pub(super) struct Held {
    words: Vec<TermInfo>,
    rows: u64,
}

/// The words of each segment that hold a piece.
pub(super) fn held(
    searcher: &Searcher,
    text: Field,
    vocabulary: impl Fn(&SegmentReader) -> tantivy::Result<Arc<Vocabulary>> + Sync,
    piece: &Piece,
) -> tantivy::Result<Vec<Held>> {
    let readers = searcher.segment_readers();
    let one = |at: usize| {
        let mut held = Held { words: Vec::new(), rows: 0 };
        let Some(reader) = readers.get(at) else { return Ok(held) };
        let (inverted, vocabulary) = (reader.inverted_index(text)?, vocabulary(reader)?);
        for word in vocabulary.holding(piece) {
            if let Some(info) = inverted.terms().get(word)? {
                held.rows += u64::from(info.doc_freq);
                held.words.push(info);
            }
            if held.words.len() > MAX_WORDS {
                return Ok(Held { words: Vec::new(), rows: u64::MAX });
            }
        }
        Ok(held)
    };
    side_by_side(readers.len(), processors(), one).into_iter().collect()
}

/// At most so many rows have them.
pub(super) fn rows(held: &[Held]) -> u64 {
    held.iter().fold(0, |sum, one| sum.saturating_add(one.rows))
}

/// The rows that have them, found now.
pub(super) fn found(searcher: &Searcher, text: Field, held: &[Held]) -> tantivy::Result<Known> {
    let one = |at: usize| {
        let both = searcher.segment_readers().get(at).zip(held.get(at));
        let Some((reader, Held { words, rows })) = both.filter(|(_, held)| held.rows > 0) else { return Ok(None) };
        let inverted = reader.inverted_index(text)?;
        let rows = if *rows < u64::from(reader.max_doc()) / LISTED_IN {
            let mut docs = Vec::with_capacity(usize::try_from(*rows).unwrap_or(0));
            each_row(&inverted, words, |some| docs.extend_from_slice(some))?;
            docs.sort_unstable();
            docs.dedup();
            Rows::Few(docs.into())
        } else {
            let mut bits = BitSet::with_max_value(reader.max_doc());
            each_row(&inverted, words, |some| {
                for doc in some {
                    bits.insert(*doc);
                }
            })?;
            Rows::Many(bits)
        };
        Ok(Some((reader.segment_id(), rows)))
    };
    let found = side_by_side(held.len(), processors(), one).into_iter();
    Ok(Known(Arc::new(found.filter_map(tantivy::Result::transpose).collect::<tantivy::Result<_>>()?)))
}

fn each_row(inverted: &InvertedIndexReader, words: &[TermInfo], mut each: impl FnMut(&[DocId])) -> tantivy::Result<()> {
    for word in words {
        let mut postings = inverted.read_block_postings_from_terminfo(word, IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            each(postings.docs());
            postings.advance();
        }
    }
    Ok(())
}

/// The records of `facts.bin` that these rows name, each once, ascending; none where they are more than `most`.
pub(super) fn records(
    searcher: &Searcher,
    segments: &Segments,
    rows: &dyn Query,
    most: usize,
) -> tantivy::Result<Option<Vec<u64>>> {
    let weight = rows.weight(EnableScoring::disabled_from_searcher(searcher))?;
    let readers = searcher.segment_readers();
    let one = |at: usize| {
        let Some(reader) = readers.get(at) else { return Ok(Some(Vec::new())) };
        let (opened, alive) = (segments.of(reader)?, reader.alive_bitset());
        let (mut scorer, mut names) = (weight.scorer(reader, 1.0)?, Vec::new());
        while scorer.doc() != TERMINATED {
            let doc = scorer.doc();
            if alive.is_none_or(|alive| alive.is_alive(doc)) {
                names.extend(opened.facts.first(doc));
            }
            if names.len() > most * 2 && each_once(&mut names) > most {
                return Ok(None);
            }
            scorer.advance();
        }
        each_once(&mut names);
        Ok(Some(names))
    };
    let found: tantivy::Result<Option<Vec<_>>> = side_by_side(readers.len(), processors(), one).into_iter().collect();
    let mut names = found?.map(|parts| parts.concat());
    let count = names.as_mut().map_or(0, each_once);
    Ok(names.filter(|_| count <= most))
}

fn each_once(names: &mut Vec<u64>) -> usize {
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Rows of a segment.
#[derive(Clone)]
enum Rows {
    Few(Arc<[DocId]>),
    Many(BitSet),
}

/// Rows that were found before the search begins.
#[derive(Clone)]
pub(super) struct Known(Arc<HashMap<SegmentId, Rows>>);

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("segments", &self.0.len()).finish()
    }
}

impl Query for Known {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Known {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(match self.0.get(&reader.segment_id()) {
            Some(Rows::Few(docs)) => Box::new(Listed::new(Arc::clone(docs))),
            Some(Rows::Many(bits)) => Box::new(ConstScorer::new(BitSetDocSet::from(bits.clone()), boost)),
            None => Box::new(EmptyScorer),
        })
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("rows that are known have no explanation ({doc})")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::words::fold;

    fn vocabulary(text: &str) -> Vocabulary {
        let mut all: Vec<_> = words(text).into_iter().map(|word| word.text).collect();
        all.sort_unstable();
        all.dedup();
        let mut bytes = vec![MARK];
        all.iter().for_each(|word| bytes.extend(word.bytes().chain([MARK])));
        Vocabulary(bytes)
    }

    proptest! {
        /// Words that the index leaves out are in this vocabulary.
        #[test]
        fn a_text_that_holds_the_letters_has_words_that_hold_their_pieces(
            text in "([abA1é漢İ\u{307}ſ\u{212a}]{0,3}[ .\u{1f}-]{0,2}){0,6}",
            wanted in "[abA1é漢İ \u{307}.ſ\u{212a}]{1,5}",
        ) {
            let (wanted, vocabulary) = (fold(&wanted), vocabulary(&text));
            let pieces = Piece::all_of(&wanted);
            let holds = fold(&text).contains(&wanted);
            let all = pieces.iter().all(|piece| vocabulary.holding(piece).next().is_some());
            prop_assert!(all || !holds, "{pieces:?}");
            if let [only] = pieces.as_slice() && only.says_all_of(&wanted) {
                prop_assert_eq!(all, holds);
            }
        }

        #[test]
        fn words_that_hold_a_piece_are_named_once(text in "[ab]{1,4}( [ab]{1,4}){0,8}", wanted in "[ab]{1,2}") {
            for (open_front, open_back) in [(true, true), (true, false), (false, true), (false, false)] {
                let piece = Piece { text: wanted.clone(), open_front, open_back };
                let vocabulary = vocabulary(&text);
                let mut expected: Vec<_> = words(&text).into_iter().map(|word| word.text).collect();
                expected.sort_unstable();
                expected.dedup();
                expected.retain(|word| match (open_front, open_back) {
                    (true, true) => word.contains(&wanted),
                    (true, false) => word.ends_with(&wanted),
                    (false, true) => word.starts_with(&wanted),
                    (false, false) => *word == wanted,
                });
                let found: Vec<_> = vocabulary.holding(&piece).map(|word| String::from_utf8_lossy(word)).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
