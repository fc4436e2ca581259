//! Words, letters and expressions in the running text of the evidence.

use std::sync::Arc;

use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{Searcher, SegmentReader, Term};

use super::super::contents::{Hit, Hits, MAX_PASSES};
use super::super::letters;
use super::super::schema::column;
use super::{Boxed, Compiler, all, any, automaton, none, phrase, predicate, term};
use crate::query::raw::Needle;
use crate::query::words::{LeftOut, Word, has_phrase, words};
use crate::query::{Pattern, Piece, QueryError};

/// So many texts are read by name; of more, all.
const MAX_READ_RECORDS: usize = 50_000;
/// So many contents are asked for by their terms; more, by a test of each candidate.
const MAX_CONTENT_TERMS: usize = 256;

fn too_many() -> QueryError {
    let message = format!(
        "a question looks for letters or expressions in texts {MAX_PASSES} times at most; put some of them into one expression, as text:/one|other/"
    );
    let ja = format!(
        "一つの質問で、文字の並びや式を文字列から探せるのは {MAX_PASSES} 回までです。text:/one|other/ のように一つの式にまとめてください"
    );
    QueryError::new(0, 0, message).ja(ja)
}

impl Compiler<'_> {
    /// Characters or an expression: of few candidates each is read. Otherwise characters are looked for among the words
    /// of the index, and only where that does not tell in texts.
    pub(super) fn raw(&self, needle: Needle, narrow: bool) -> tantivy::Result<Boxed> {
        if narrow {
            return Ok(self.text_test(move |text| needle.holds(text)));
        }
        // Counted by their form: what others have must not decide whether somebody is refused.
        self.passes.set(self.passes.get() + 1);
        if self.passes.get() > MAX_PASSES {
            self.trouble.tell(too_many().into());
            return Ok(none());
        }
        let Some(wanted) = needle.wanted().map(ToOwned::to_owned) else { return self.read(&needle, None) };
        let pieces = letters::Piece::all_of(&wanted);
        if let [only] = pieces.as_slice()
            && only.says_all_of(&wanted)
        {
            // Going through the texts takes about as long as going through so many postings.
            let Some(sure) = self.words_with(only, self.searcher().num_docs().saturating_mul(8))? else {
                return self.read(&needle, None);
            };
            let unsure = self.left_out(only)?;
            if unsure.is_empty() {
                return Ok(sure);
            }
            let read = self.read(&needle, Some(any(unsure)))?;
            return Ok(any(vec![sure, read]));
        }
        let half = self.searcher().num_docs() / 2;
        let mut around = Vec::new();
        for piece in &pieces {
            // Half of everything says nothing.
            let Some(words) = self.words_with(piece, half)? else { continue };
            around.push(any(self.left_out(piece)?.into_iter().chain([words]).collect()));
        }
        self.read(&needle, (!around.is_empty()).then(|| all(around)))
    }

    /// The rows with words that hold this; none where they are, counted word by word, more than `most`.
    fn words_with(&self, piece: &letters::Piece, most: u64) -> tantivy::Result<Option<Boxed>> {
        let (searcher, text) = (self.searcher(), self.columns.text);
        if piece.is_whole() {
            let rows = searcher.doc_freq(&Term::from_field_text(text, &piece.text))?;
            return Ok((rows <= most).then(|| term(text, &piece.text)));
        }
        let held = letters::held(searcher, text, |reader| self.segments.vocabulary(reader), piece)?;
        if letters::rows(&held) > most {
            return Ok(None);
        }
        Ok(Some(Box::new(letters::found(searcher, text, &held)?)))
    }

    /// The rows whose text has words that are not in the index and may hold this.
    fn left_out(&self, piece: &letters::Piece) -> tantivy::Result<Vec<Boxed>> {
        let mut there = Vec::new();
        for sort in piece.left_out() {
            if self.searcher().doc_freq(&Term::from_field_text(self.columns.left_out, sort.mark()))? > 0 {
                there.push(term(self.columns.left_out, sort.mark()));
            }
        }
        Ok(there)
    }

    /// The rows, of some or all, whose text was read and holds what is looked for: every text, where some are many.
    fn read(&self, needle: &Needle, among: Option<Boxed>) -> tantivy::Result<Boxed> {
        let records = match &among {
            Some(rows) => letters::records(self.searcher(), self.segments, &**rows, MAX_READ_RECORDS)?,
            None => None,
        };
        let found = match records {
            Some(records) => self.contents.find_among(needle, &records),
            None => (self.facts_length)().and_then(|length| self.contents.find(needle, length)),
        };
        let hits = match found {
            Ok(hits) => hits,
            Err(error) => {
                self.trouble.tell(error);
                return Ok(none());
            }
        };
        let has = Hits::new(&hits);
        let holds = predicate(move |reader: &SegmentReader| {
            let (offsets, has) = (reader.fast_fields().u64(column::FACTS)?, has.clone());
            Ok(move |doc| offsets.first(doc).is_some_and(|offset| has.contains(offset)))
        });
        let number = |hit: &Hit| Term::from_field_u64(self.columns.content, hit.content);
        let content = |hit| Box::new(TermQuery::new(number(hit), IndexRecordOption::Basic)) as Boxed;
        let few = (hits.len() <= MAX_CONTENT_TERMS).then(|| any(hits.iter().map(content).collect()));
        Ok(all(few.or(among).into_iter().chain([holds]).collect()))
    }

    const fn searcher(&self) -> &Searcher {
        self.planner.searcher
    }

    pub(super) fn free(&self, pattern: &Pattern) -> tantivy::Result<Boxed> {
        match pattern.as_literal() {
            Some(literal) => Ok(self.free_phrase(words(literal))),
            None => self.free_wildcard(pattern),
        }
    }

    /// A phrase: what the index has of it by terms, the whole of it in the text where something was left out.
    fn free_phrase(&self, wanted: Vec<Word>) -> Boxed {
        let (missing, indexed): (Vec<_>, Vec<_>) =
            wanted.iter().cloned().partition(|word| LeftOut::of(&word.text).is_some());
        if missing.is_empty() {
            return phrase(self.columns.text, &wanted);
        }
        let marks = missing.iter().filter_map(|word| LeftOut::of(&word.text));
        let mut parts: Vec<Boxed> = marks.map(|sort| term(self.columns.left_out, sort.mark())).collect();
        if !indexed.is_empty() {
            parts.push(phrase(self.columns.text, &indexed));
        }
        parts.push(self.text_test(move |text| has_phrase(&words(text), &wanted)));
        all(parts)
    }

    /// One word with wildcards: by the index's words, and by those that were left out where they could fit.
    fn free_wildcard(&self, pattern: &Pattern) -> tantivy::Result<Boxed> {
        let mut parts = vec![automaton(self.columns.text, pattern)?];
        let hexadecimal = |piece: &Piece| match piece {
            Piece::Text(text) => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Piece::Any => true,
        };
        let possible = [(LeftOut::Hex, pattern.0.iter().all(hexadecimal)), (LeftOut::Long, true)];
        for (sort, _) in possible.into_iter().filter(|(_, possible)| *possible) {
            let pattern = pattern.clone();
            let fits = move |word: &Word| LeftOut::of(&word.text) == Some(sort) && pattern.matches(&word.text);
            let test = self.text_test(move |text| words(text).iter().any(&fits));
            parts.push(all(vec![term(self.columns.left_out, sort.mark()), test]));
        }
        Ok(any(parts))
    }

    /// A test on the text of each candidate.
    fn text_test(&self, fits: impl Fn(&str) -> bool + Clone + Send + Sync + 'static) -> Boxed {
        let (facts, trouble) = (Arc::clone(self.facts), self.trouble.clone());
        predicate(move |reader: &SegmentReader| {
            let offsets = reader.fast_fields().u64(column::FACTS)?;
            let (facts, trouble, fits) = (Arc::clone(&facts), trouble.clone(), fits.clone());
            Ok(move |doc| match offsets.first(doc).map(|offset| facts.text(offset)) {
                Some(Ok(text)) => fits(&text),
                Some(Err(error)) => {
                    trouble.tell(error);
                    false
                }
                None => false,
            })
        })
    }
}
