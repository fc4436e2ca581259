//! Does a query hold for one service? The language without an index, a service at a time.
//!
//! ```text
//!   Query -> Matcher (phrases cut, versions keyed, once)  \
//!                                                           -> holds, or not
//!   Subject (key, facts, text, times, around)              /
//! ```
//!
//! - [`Matcher`] is a query made ready.
//! - [`Subject`] borrows what is known of a service; its text is cut into words when the first clause asks for them.
//! - The answer is the index's: the same values are known (bounded alike), compared alike, and services that are closed
//!   or only pretend are left out alike. The index's tests hold both against each other.
//!
//! Who asks: watches (each query that could hold, for each change) and questions about the past (each service of the
//! moment). A clause allocates only where a value has capital letters or is a version. At a hundred times the data the
//! work grows with the services asked about; what narrows them first is not here.

use hinomi_model::Timestamp;
use hinomi_model::address::{bounds, to_u128};
use hinomi_model::facts::version_key;

use super::raw::Needle;
use super::words::{Word, fold, words};
use super::{Class, Clause, Field, Moment, Node, Pattern, Query, Range, Test, Trait};
use crate::index::when::span;

mod cut;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use cut::Cut;
pub(crate) use subject::{Subject, folded};

/// Whether a query shows this service at a moment.
#[cfg(test)]
pub(crate) fn matches(query: &Query, subject: &Subject<'_>, now: Timestamp) -> bool {
    Matcher::new(query).matches(subject, now)
}

/// A query, ready to be held against services.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    filter: Option<Part>,
    closed_too: bool,
    pseudo_too: bool,
}

/// A condition, ready.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// All of these.
    All(Vec<Part>),
    /// At least one of these.
    Any(Vec<Part>),
    /// Not this.
    Not(Box<Part>),
    /// One value of one field.
    Check(Field, Check),
}

/// What a value must be like, ready.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// Addresses, as numbers, both ends included.
    Addresses(u128, u128),
    /// Numbers, both ends included.
    Numbers(u64, u64),
    /// The whole value, folded.
    Whole(String),
    /// The whole value is like this; of CPE names also their leading parts.
    Like(Pattern),
    /// These words follow one another.
    Phrase(Vec<Word>),
    /// Some word is like this.
    WordLike(Pattern),
    /// A version whose key lies here.
    Version(Range<String>),
    /// A time.
    Time(Range<Moment>),
    /// These characters, or this expression, are somewhere in the searched text.
    Within(Needle),
    /// This is known or true.
    Has(Trait),
}

impl Matcher {
    /// Makes a query ready.
    pub(crate) fn new(query: &Query) -> Self {
        Self {
            filter: query.filter.as_ref().map(Part::new),
            closed_too: query.mentions(Trait::Closed),
            pseudo_too: query.mentions(Trait::Pseudo),
        }
    }

    /// The condition; none is everything.
    pub(crate) const fn filter(&self) -> Option<&Part> {
        self.filter.as_ref()
    }

    /// Whether the condition holds of this service, also when it is closed and the query does not ask for such.
    pub(crate) fn fits(&self, subject: &Subject<'_>, now: Timestamp) -> bool {
        (!subject.pseudo || self.pseudo_too) && self.filter.as_ref().is_none_or(|part| part.holds(subject, now))
    }

    /// Whether the query shows this service.
    pub(crate) fn matches(&self, subject: &Subject<'_>, now: Timestamp) -> bool {
        (!subject.closed || self.closed_too) && self.fits(subject, now)
    }
}

impl Part {
    fn new(node: &Node) -> Self {
        match node {
            Node::All(parts) => Self::All(parts.iter().map(Self::new).collect()),
            Node::Any(parts) => Self::Any(parts.iter().map(Self::new).collect()),
            Node::Not(part) => Self::Not(Box::new(Self::new(part))),
            Node::Clause(clause) => Self::clause(clause),
        }
    }

    fn clause(clause: &Clause) -> Self {
        let check = |test| Self::Check(clause.field, Check::new(clause.field, test));
        match clause.tests.as_slice() {
            [only] => check(only),
            several => Self::Any(several.iter().map(check).collect()),
        }
    }

    fn holds(&self, subject: &Subject<'_>, now: Timestamp) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(subject, now)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(subject, now)),
            Self::Not(part) => !part.holds(subject, now),
            Self::Check(field, check) => check.holds(*field, subject, now),
        }
    }
}

impl Check {
    fn new(field: Field, test: &Test) -> Self {
        let running = field.info().class == Class::Text;
        match test {
            Test::Net(net) => {
                let (low, high) = bounds(*net);
                Self::Addresses(low, high)
            }
            Test::Address(address) => Self::Addresses(to_u128(*address), to_u128(*address)),
            Test::Span { low, high } => Self::Numbers(*low, *high),
            Test::Whole(text) => Self::Whole(text.clone()),
            Test::Like(pattern) => match (running, pattern.as_literal()) {
                (true, Some(literal)) => Self::Phrase(words(literal)),
                (true, None) => Self::WordLike(pattern.clone()),
                (false, Some(literal)) if field != Field::Cpe => Self::Whole(literal.to_owned()),
                (false, _) => Self::Like(pattern.clone()),
            },
            Test::Version(range) => Self::Version(keys(range)),
            Test::Time(range) => Self::Time(range.clone()),
            Test::Contains(text) => Self::Within(Needle::text(text)),
            Test::Matches(expression) => Self::Within(Needle::expression(expression)),
            Test::Has(wanted) => Self::Has(*wanted),
        }
    }

    fn holds(&self, field: Field, subject: &Subject<'_>, now: Timestamp) -> bool {
        match self {
            Self::Addresses(low, high) => (*low..=*high).contains(&to_u128(subject.key.address)),
            Self::Numbers(low, high) => subject.number(field).is_some_and(|number| (*low..=*high).contains(&number)),
            Self::Whole(wanted) => subject.any(field, &mut |value| equal(value, wanted)),
            Self::Like(pattern) if field == Field::Cpe => {
                subject.any(field, &mut |value| like_cpe(&folded(value), pattern))
            }
            Self::Like(pattern) => subject.any(field, &mut |value| pattern.matches(&folded(value))),
            Self::Phrase(wanted) if field == Field::Text => subject.words().has_phrase(wanted),
            Self::Phrase(wanted) => subject.any(field, &mut |value| Cut::new(value).has_phrase(wanted)),
            Self::WordLike(pattern) if field == Field::Text => subject.words().any(|word| pattern.matches(word)),
            Self::WordLike(pattern) => {
                subject.any(field, &mut |value| Cut::new(value).any(|word| pattern.matches(word)))
            }
            Self::Version(range) => subject.any(field, &mut |value| within(&version_key(value), range)),
            Self::Time(range) => {
                let ages = field.info().class == Class::Age;
                subject.time(field).is_some_and(|time| span(range, ages, now).contains(time))
            }
            Self::Within(needle) => needle.holds(&subject.searched_text()),
            Self::Has(wanted) => subject.has(*wanted),
        }
    }
}

/// Whether a value is a folded text, whatever its case.
fn equal(value: &str, wanted: &str) -> bool {
    if value.is_ascii() { value.eq_ignore_ascii_case(wanted) } else { fold(value) == wanted }
}

/// A CPE name, or its leading components.
fn like_cpe(value: &str, pattern: &Pattern) -> bool {
    pattern.matches(value)
        || value.match_indices(':').any(|(at, _)| value.get(..at).is_some_and(|lead| pattern.matches(lead)))
}

fn keys(range: &Range<String>) -> Range<String> {
    let key = |end: &String| version_key(end);
    match range {
        Range::Less(end) => Range::Less(key(end)),
        Range::AtMost(end) => Range::AtMost(key(end)),
        Range::More(end) => Range::More(key(end)),
        Range::AtLeast(end) => Range::AtLeast(key(end)),
        Range::Between(low, high) => Range::Between(key(low), key(high)),
        Range::Is(only) => Range::Is(key(only)),
    }
}

fn within(key: &String, range: &Range<String>) -> bool {
    match range {
        Range::Less(end) => key < end,
        Range::AtMost(end) => key <= end,
        Range::More(end) => key > end,
        Range::AtLeast(end) => key >= end,
        Range::Between(low, high) => low <= key && key <= high,
        Range::Is(only) => key == only,
    }
}
