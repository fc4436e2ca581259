//! What a query costs, said before it is run.
//!
//! Bounds come from how many rows have each term. A part that only tests candidates costs nothing by itself; one that
//! has nothing to narrow it looks at every row. The same query costs the same on the same index, whatever the machine.

use hinomi_model::address::{bounds, to_u128};
use tantivy::schema::Field as Column;
use tantivy::{Searcher, Term};

use super::prefix::Addresses;
use super::run::{Course, threads};
use super::schema::{Columns, Shown, State};
use crate::error::LakeError;
use crate::query::words::{LeftOut, words};
use crate::query::{Clause, Field, Node, Pattern, Query, Test, Trait};
use crate::search::{Plan, PlanStep};

/// How a part is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// By the rows of terms.
    Terms,
    /// By looking through all terms of a range or pattern first.
    Range,
    /// By testing each candidate.
    Test,
    /// By its parts.
    Parts,
}

impl How {
    const fn text(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Range => "a range of terms or values",
            Self::Test => "a test of each candidate",
            Self::Parts => "its parts",
        }
    }
}

/// What is known of a part.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    how: How,
    /// At most so many rows match.
    matches: u64,
    /// So many rows are looked at.
    rows: u64,
    /// Whether a segment may be cut.
    cut: bool,
}

/// Works out what queries cost on an index as it stands.
pub(super) struct Planner<'a> {
    pub(super) columns: &'a Columns,
    pub(super) searcher: &'a Searcher,
}

impl Planner<'_> {
    /// How the query runs.
    pub(super) fn course(&self, query: &Query) -> (Course, u64) {
        let bounds =
            query.filter.as_ref().map_or_else(|| self.everything(), |node| self.node(node, 0, &mut Vec::new()));
        (Course { rows: bounds.rows, cut: bounds.cut }, bounds.matches)
    }

    /// The same, for people.
    pub(super) fn plan(&self, query: &Query) -> Plan {
        let mut steps = Vec::new();
        let bounds = match &query.filter {
            Some(node) => self.node(node, 0, &mut steps),
            None => self.everything(),
        };
        Plan { matches: bounds.matches, rows: bounds.rows, threads: threads(bounds.rows), steps }
    }

    /// The parts of a query for who may not see all: how they are answered follows from their form, not from what there
    /// is.
    pub(super) fn parts(node: &Node) -> Vec<PlanStep> {
        let (mut steps, mut waiting) = (Vec::new(), vec![(node, 0)]);
        while let Some((node, depth)) = waiting.pop() {
            let how = match node {
                Node::Clause(_) => How::Test,
                _ => How::Parts,
            };
            steps.push(PlanStep { depth, part: node.to_string(), how: how.text(), matches: 0 });
            match node {
                Node::All(parts) | Node::Any(parts) => {
                    waiting.extend(parts.iter().rev().map(|part| (part, depth + 1)));
                }
                Node::Not(part) => waiting.push((part, depth + 1)),
                Node::Clause(_) => {}
            }
        }
        steps
    }

    /// At most so many rows match.
    pub(super) fn matches(&self, node: &Node) -> u64 {
        self.node(node, 0, &mut Vec::new()).matches
    }

    fn all(&self) -> u64 {
        self.searcher.segment_readers().iter().map(|reader| u64::from(reader.max_doc())).sum()
    }

    fn everything(&self) -> Bounds {
        let all = self.all();
        Bounds { how: How::Terms, matches: all, rows: all, cut: true }
    }

    fn node(&self, node: &Node, depth: usize, steps: &mut Vec<PlanStep>) -> Bounds {
        let at = steps.len();
        steps.push(PlanStep { depth, part: node.to_string(), how: "", matches: 0 });
        let bounds = match node {
            Node::Clause(clause) => self.clause(clause),
            Node::All(parts) => {
                let all: Vec<Bounds> = parts.iter().map(|part| self.node(part, depth + 1, steps)).collect();
                self.all_of(&all)
            }
            Node::Any(parts) => {
                let all: Vec<Bounds> = parts.iter().map(|part| self.node(part, depth + 1, steps)).collect();
                self.any_of(&all)
            }
            Node::Not(part) => {
                let cut = self.node(part, depth + 1, steps).cut;
                Bounds { how: How::Test, cut, ..self.everything() }
            }
        };
        if let Some(step) = steps.get_mut(at) {
            (step.how, step.matches) = (bounds.how.text(), bounds.matches);
        }
        bounds
    }

    fn all_of(&self, parts: &[Bounds]) -> Bounds {
        let all = self.all();
        let narrowing = parts.iter().filter(|part| part.how != How::Test).map(|part| part.matches).min();
        Bounds {
            how: How::Parts,
            matches: parts.iter().map(|part| part.matches).min().unwrap_or(all),
            rows: narrowing.unwrap_or(all),
            cut: parts.iter().all(|part| part.cut),
        }
    }

    fn any_of(&self, parts: &[Bounds]) -> Bounds {
        let all = self.all();
        let sum = |of: fn(&Bounds) -> u64| parts.iter().map(of).fold(0, u64::saturating_add).min(all);
        let how = if let [only] = parts { only.how } else { How::Parts };
        let cut = parts.iter().all(|part| part.cut);
        Bounds { how, matches: sum(|part| part.matches), rows: sum(|part| part.rows), cut }
    }

    fn clause(&self, clause: &Clause) -> Bounds {
        let tests: Vec<Bounds> = clause.tests.iter().map(|test| self.test(clause.field, test)).collect();
        self.any_of(&tests)
    }

    fn test(&self, field: Field, test: &Test) -> Bounds {
        let all = self.all();
        let terms = |matches| Bounds { how: How::Terms, matches, rows: matches, cut: true };
        let range = |matches| Bounds { how: How::Range, matches, rows: matches, cut: false };
        let tested = Bounds { how: How::Test, matches: all, rows: all, cut: true };
        match test {
            Test::Net(net) => {
                let (low, high) = bounds(*net);
                range(Addresses { low, high }.bound(self.columns, self.searcher))
            }
            Test::Address(address) => {
                let number = to_u128(*address);
                range(Addresses { low: number, high: number }.bound(self.columns, self.searcher))
            }
            Test::Span { low, high } if low == high && field != Field::Confidence => {
                let column = if field == Field::Port { self.columns.port } else { self.columns.asn };
                terms(self.rows_of(&Term::from_field_u64(column, *low)))
            }
            Test::Like(pattern) => self.like(field, pattern).map_or_else(|| range(all), terms),
            Test::Whole(text) => terms(self.columns.text_of(field).map_or(0, |texts| self.text(texts.whole, text))),
            Test::Has(Trait::Closed) | Test::Contains(_) | Test::Matches(_) => tested,
            Test::Has(Trait::Pseudo) => {
                let rows = |shown| self.rows_of(&Term::from_field_u64(self.columns.state, State::Pseudo.number(shown)));
                terms(rows(Shown::All) + rows(Shown::Wide))
            }
            Test::Has(known) => terms(self.text(self.columns.has, known.name())),
            Test::Time(_) if field != Field::CertExpires => tested,
            Test::Span { .. } | Test::Version(_) | Test::Time(_) => range(all),
        }
    }

    /// At most so many rows have a text like this; none when only a look through the terms would tell.
    fn like(&self, field: Field, pattern: &Pattern) -> Option<u64> {
        let literal = pattern.as_literal()?;
        let texts = self.columns.text_of(field);
        let column = match (field, texts.map(|texts| texts.within)) {
            (Field::Text, _) => self.columns.text,
            (_, Some(Some(within))) => within,
            (Field::Cpe, _) => return None,
            (_, Some(None)) => return texts.map(|texts| self.text(texts.whole, literal)),
            (_, None) => return Some(0),
        };
        let words = words(literal);
        let indexed = words.iter().filter(|word| field != Field::Text || LeftOut::of(&word.text).is_none());
        let marks = words.iter().filter(|_| field == Field::Text).filter_map(|word| LeftOut::of(&word.text));
        let marks = marks.map(|sort| self.text(self.columns.left_out, sort.mark()));
        Some(indexed.map(|word| self.text(column, &word.text)).chain(marks).min().unwrap_or(0))
    }

    fn text(&self, column: Column, text: &str) -> u64 {
        self.rows_of(&Term::from_field_text(column, text))
    }

    fn rows_of(&self, term: &Term) -> u64 {
        self.searcher.doc_freq(term).unwrap_or(0)
    }
}

/// Refuses what costs more than the asker may spend.
pub(super) fn afford(rows: u64, budget: Option<u64>) -> Result<(), LakeError> {
    match budget.filter(|budget| rows > *budget) {
        Some(budget) => Err(LakeError::TooCostly { rows, budget }),
        None => Ok(()),
    }
}
