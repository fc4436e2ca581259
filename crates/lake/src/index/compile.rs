//! From a query to what tantivy evaluates.
//!
//! Whole values are terms; wildcards are automata over the terms of one field; versions are ranges of sorting keys;
//! small prefixes are listed by the terms of their networks, large ones a scan of the address column; ages are a test on the
//! times of each candidate. A word that the text index leaves out is looked for in the text of the services that have
//! such words and fit the rest of the query: slower, with the same answer.

mod texts;

use std::cell::Cell;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::Timestamp;
use hinomi_model::address::bounds;
use hinomi_model::facts::version_key;
use ipnet::IpNet;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, InvertedIndexRangeQuery, Occur, PhraseQuery, Query as Search, RangeQuery,
    RegexQuery, TermQuery,
};
use tantivy::schema::{Field as Column, IndexRecordOption};
use tantivy::{DocId, SegmentReader, Term};

use super::contents::Contents;
use super::eyes::Narrow;
use super::facts::FactsFile;
use super::guard::Guarded;
use super::opened::Segments;
use super::plan::Planner;
use super::prefix::Addresses;
use super::schema::{Columns, Shown, State, TextColumns};
use super::segment::Life;
use super::times::View;
use super::when::{Span, span};
use crate::error::LakeError;
use crate::query::raw::Needle;
use crate::query::words::{Word, words};
use crate::query::{Class, Clause, Field, Moment, Node, Pattern, Piece, Range, Test, Trait};

type Boxed = Box<dyn Search>;

/// Of so many candidates each text is read; of more, the contents that match are found first.
const MAX_TESTED_ROWS: u64 = 2_000;

/// What compiling needs to know.
pub(super) struct Compiler<'a> {
    pub(super) columns: &'a Columns,
    pub(super) segments: &'a Arc<Segments>,
    pub(super) facts: &'a Arc<FactsFile>,
    pub(super) times: &'a Arc<View>,
    pub(super) now: Timestamp,
    /// What the asker is entitled to; none is all.
    pub(super) within: Option<&'a Arc<Narrow>>,
    pub(super) planner: Planner<'a>,
    pub(super) contents: &'a Contents,
    /// How much of `facts.bin` belongs to this moment.
    pub(super) facts_length: &'a dyn Fn() -> Result<u64, LakeError>,
    /// Where tests on texts tell that reading failed.
    pub(super) trouble: &'a Trouble,
    /// How often all texts were gone through.
    pub(super) passes: Cell<usize>,
}

/// The first error of a test that could only answer yes or no.
#[derive(Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<LakeError>>>);

impl Trouble {
    fn tell(&self, error: LakeError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn check(&self) -> Result<(), LakeError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

impl Compiler<'_> {
    /// Compiles a condition; none is everything. Where the asker may see little, that is looked up first.
    pub(super) fn compile(&self, filter: Option<&Node>) -> tantivy::Result<Boxed> {
        let own = self.within.map(|may| may.own(&self.planner)).transpose()?.flatten();
        let narrow = own.as_ref().is_some_and(|own| own.rows <= MAX_TESTED_ROWS);
        let asked = filter.map(|node| self.node(node, narrow)).transpose()?;
        match own {
            Some(own) => Ok(all(asked.into_iter().chain([Box::new(own) as Boxed]).collect())),
            None => Ok(asked.unwrap_or_else(|| Box::new(AllQuery))),
        }
    }

    /// A condition; `narrow` where others leave few candidates.
    fn node(&self, node: &Node, narrow: bool) -> tantivy::Result<Boxed> {
        match node {
            Node::Clause(clause) => self.clause(clause, narrow),
            Node::Any(parts) => {
                Ok(any(parts.iter().map(|part| self.node(part, narrow)).collect::<tantivy::Result<_>>()?))
            }
            Node::Not(part) => Ok(not(self.node(part, narrow)?)),
            Node::All(parts) => {
                // How many rows of others there are must not decide how a member is answered.
                let narrow = narrow || (self.within.is_none() && self.planner.matches(node) <= MAX_TESTED_ROWS);
                let compiled = parts.iter().map(|part| match part {
                    Node::Not(inner) => Ok((Occur::MustNot, Box::new(Guarded(self.node(inner, narrow)?)) as Boxed)),
                    other => Ok((Occur::Must, self.node(other, narrow)?)),
                });
                let mut clauses = compiled.collect::<tantivy::Result<Vec<_>>>()?;
                if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
                    clauses.push((Occur::Must, Box::new(AllQuery)));
                }
                Ok(Box::new(BooleanQuery::new(clauses)))
            }
        }
    }

    fn clause(&self, clause: &Clause, narrow: bool) -> tantivy::Result<Boxed> {
        let tests = clause.tests.iter().map(|test| self.test(clause.field, test, narrow));
        Ok(any(tests.collect::<tantivy::Result<_>>()?))
    }

    fn test(&self, field: Field, test: &Test, narrow: bool) -> tantivy::Result<Boxed> {
        match test {
            Test::Net(net) => Ok(self.net(*net)),
            Test::Address(address) => Ok(self.net(IpNet::from(*address))),
            Test::Span { low, high } => Ok(self.number(field, *low, *high)),
            Test::Like(pattern) if field == Field::Text => self.free(pattern),
            Test::Like(pattern) => self.like(field, pattern),
            Test::Whole(text) => Ok(self.texts(field).map_or_else(none, |texts| term(texts.whole, text))),
            Test::Version(range) => Ok(self.version(field, range)),
            Test::Time(range) => Ok(self.time(field, range)),
            Test::Has(wanted) => Ok(self.has(*wanted)),
            Test::Contains(text) => self.raw(Needle::text(text), narrow),
            Test::Matches(expression) => self.raw(Needle::expression(expression), narrow),
        }
    }

    fn texts(&self, field: Field) -> Option<&TextColumns> {
        self.columns.text_of(field)
    }

    fn net(&self, net: IpNet) -> Boxed {
        let (low, high) = bounds(net);
        Addresses { low, high }.query(self.columns, self.segments)
    }

    fn number(&self, field: Field, low: u64, high: u64) -> Boxed {
        let column = match field {
            Field::Port => self.columns.port,
            Field::As => self.columns.asn,
            _ => self.columns.confidence,
        };
        if low == high && field != Field::Confidence {
            return Box::new(TermQuery::new(Term::from_field_u64(column, low), IndexRecordOption::Basic));
        }
        let end = |number| Bound::Included(Term::from_field_u64(column, number));
        Box::new(RangeQuery::new(end(low), end(high)))
    }

    /// Whole values, or words within running text.
    fn like(&self, field: Field, pattern: &Pattern) -> tantivy::Result<Boxed> {
        let Some(texts) = self.texts(field) else { return Ok(none()) };
        if let Some(within) = texts.within {
            return match pattern.as_literal() {
                Some(literal) => Ok(phrase(within, &words(literal))),
                None => automaton(within, pattern),
            };
        }
        let whole = match pattern.as_literal() {
            Some(literal) => term(texts.whole, literal),
            None => automaton(texts.whole, pattern)?,
        };
        if field != Field::Cpe {
            return Ok(whole);
        }
        let mut longer = pattern.clone();
        longer.push(':');
        longer.push_any();
        Ok(any(vec![whole, automaton(texts.whole, &longer)?]))
    }

    fn version(&self, field: Field, range: &Range<String>) -> Boxed {
        let Some(column) = self.texts(field).and_then(|texts| texts.key) else { return none() };
        let key = |version: &String| Term::from_field_text(column, &version_key(version));
        let (low, high) = match range {
            Range::Less(end) => (Bound::Unbounded, Bound::Excluded(key(end))),
            Range::AtMost(end) => (Bound::Unbounded, Bound::Included(key(end))),
            Range::More(end) => (Bound::Excluded(key(end)), Bound::Unbounded),
            Range::AtLeast(end) => (Bound::Included(key(end)), Bound::Unbounded),
            Range::Between(low, high) => (Bound::Included(key(low)), Bound::Included(key(high))),
            Range::Is(only) => (Bound::Included(key(only)), Bound::Included(key(only))),
        };
        Box::new(InvertedIndexRangeQuery::new(low, high))
    }

    fn time(&self, field: Field, range: &Range<Moment>) -> Boxed {
        let span = span(range, field.info().class == Class::Age, self.now);
        match field {
            Field::Seen => self.life(move |life, doc| life.last_seen(doc).is_some_and(|time| span.contains(time))),
            Field::First => self.life(move |life, doc| life.seen(doc).first.is_some_and(|time| span.contains(time))),
            _ => {
                let Some(Span { low, high }) = span.not_empty() else { return none() };
                let end = |time| Bound::Included(Term::from_field_i64(self.columns.expires, time));
                Box::new(RangeQuery::new(end(low), end(high)))
            }
        }
    }

    fn has(&self, wanted: Trait) -> Boxed {
        match wanted {
            Trait::Closed => self.life(|life, doc| life.seen(doc).is_closed()),
            Trait::Pseudo => {
                let pseudo = |shown| {
                    let term = Term::from_field_u64(self.columns.state, State::Pseudo.number(shown));
                    Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Boxed
                };
                let other = if self.within.is_some() { Shown::Narrow } else { Shown::Wide };
                any(vec![pseudo(Shown::All), pseudo(other)])
            }
            known => term(self.columns.has, known.name()),
        }
    }

    /// A test on the times of each candidate.
    fn life(&self, fits: impl Fn(&Life, DocId) -> bool + Clone + Send + Sync + 'static) -> Boxed {
        let (times, within, segments) = (Arc::clone(self.times), self.within.cloned(), Arc::clone(self.segments));
        predicate(move |reader: &SegmentReader| {
            let life = Life::open(reader, segments.of(reader)?, Arc::clone(&times), within.as_ref(), 0)?;
            let fits = fits.clone();
            Ok(move |doc| fits(&life, doc))
        })
    }
}

/// A test on each candidate, as a query.
fn predicate<F, S>(make: F) -> Boxed
where
    F: Fn(&SegmentReader) -> tantivy::Result<S> + Send + Sync + 'static,
    S: Fn(tantivy::DocId) -> bool + Send + Sync + 'static,
{
    Box::new(DocPredicateQuery::from(FunctionPredicate::from(make)))
}

fn none() -> Boxed {
    Box::new(EmptyQuery)
}

fn term(column: Column, text: &str) -> Boxed {
    Box::new(TermQuery::new(Term::from_field_text(column, text), IndexRecordOption::Basic))
}

fn any(mut parts: Vec<Boxed>) -> Boxed {
    match parts.len() {
        0 | 1 => parts.pop().unwrap_or_else(none),
        _ => Box::new(BooleanQuery::union(parts)),
    }
}

fn all(mut parts: Vec<Boxed>) -> Boxed {
    match parts.len() {
        1 => parts.pop().unwrap_or_else(none),
        _ => Box::new(BooleanQuery::intersection(parts)),
    }
}

/// Everything but this.
fn not(excluded: Boxed) -> Boxed {
    Box::new(BooleanQuery::new(vec![(Occur::Must, Box::new(AllQuery)), (Occur::MustNot, Box::new(Guarded(excluded)))]))
}

/// Words at the distances they have from one another.
fn phrase(column: Column, wanted: &[Word]) -> Boxed {
    let Some(first) = wanted.first() else { return none() };
    if wanted.len() == 1 {
        return term(column, &first.text);
    }
    let place = |word: &Word| (word.position - first.position, Term::from_field_text(column, &word.text));
    Box::new(PhraseQuery::new_with_offset(wanted.iter().map(place).collect()))
}

fn automaton(column: Column, pattern: &Pattern) -> tantivy::Result<Boxed> {
    let mut expression = String::new();
    for piece in &pattern.0 {
        match piece {
            Piece::Any => expression.push_str("(?s:.)*"),
            Piece::Text(text) => text.chars().for_each(|c| {
                if c.is_ascii_punctuation() {
                    expression.push('\\');
                }
                expression.push(c);
            }),
        }
    }
    Ok(Box::new(RegexQuery::from_pattern(&expression, column)?))
}
