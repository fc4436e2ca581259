//! The query language of command line, API and pages.
//!
//! ```text
//!   product:nginx version:<1.26 net:203.0.113.0/24 -has:version ("login page" OR kind:camera) sort:-seen
//! ```
//!
//! - Clauses side by side must all hold; `OR` between them, `NOT` or `-` before one, brackets around some. The words
//!   are written in capitals; `and` is a word to search for.
//! - `field:value` asks a field of [`FIELDS`]; `field:a,b` asks for any of the values. Everything else is searched in
//!   the readable text of the evidence. A bare address or prefix asks for that address.
//! - Words are compared without regard to case. Most fields compare the **whole** value, `*` stands for any characters.
//!   Fields of running text (`title`, `cert.subject`, `cert.issuer`) and free text look for words or phrases **in** the
//!   value; there `field:="..."` compares the whole value. Chinese, Japanese and Korean text is found at any character.
//! - `text:part` looks for these characters anywhere in the text of the evidence, within words too; `text:/.../` for a
//!   regular expression ([`raw`]). Here `*` stands for itself.
//! - Quotes and a backslash take the meaning from `* , : ( ) < > = -` and from spaces.
//! - `<` `<=` `>` `>=` and `a..b` (both ends belong to it; one may be left out) compare versions and times. A date is
//!   the whole day in UTC: `>` means after it, `<` before it. A time span as `7d` (min, h, d, w, y) is an age for
//!   `seen` and `first` (`seen:<7d` last answered less than seven days ago) and a distance into the future for
//!   `cert.expires` (`cert.expires:<30d` ends within 30 days or has ended, `cert.expires:<0d` has ended).
//! - Services that were last found closed, or that only pretend, are left out unless the query says `has:closed` or
//!   `has:pseudo` somewhere.
//! - `sort:field` and `sort:-field` order the answer; without it by address and port.
//!
//! [`parse`] makes a [`Query`]; its `Display` is the canonical text, which parses to an equal query. A query has at
//! most [`MAX_CHARS`] characters, [`MAX_CLAUSES`] values and [`MAX_DEPTH`] levels of brackets; what goes beyond is
//! refused.

mod ast;
mod display;
pub(crate) mod eval;
mod field;
mod lex;
mod parse;
mod ranges;
pub(crate) mod raw;
mod suggest;
#[cfg(test)]
pub(crate) mod tests;
mod value;
pub(crate) mod words;

pub use ast::{Clause, Moment, Node, Pattern, Piece, Query, Range, Sort, Test, Trait, Unit};
pub use display::exact;
pub use field::{Class, FIELDS, Field, FieldInfo};
pub use parse::parse;
pub use ranges::AddressRanges;
pub use raw::Expression;

/// The most characters a query may have.
pub const MAX_CHARS: usize = 4_096;

/// The most values a query may ask for, over all clauses.
pub const MAX_CLAUSES: usize = 256;

/// How deep brackets and `NOT` may nest.
pub const MAX_DEPTH: usize = 32;

/// The most `*` in one value.
pub const MAX_WILDCARDS: usize = 8;

/// A query that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {at})")]
pub struct QueryError {
    /// Offset of the offending character, counted in characters from 0.
    pub at: usize,
    /// How many characters are concerned.
    pub len: usize,
    /// What is wrong and what to write instead.
    pub message: String,
    /// The same in Japanese; empty where only the English text exists.
    pub message_ja: String,
    /// What to put in place of these characters, where one thing is likely meant.
    pub instead: Option<String>,
}

impl QueryError {
    pub(crate) fn new(at: usize, len: usize, message: impl Into<String>) -> Self {
        Self { at, len, message: message.into(), message_ja: String::new(), instead: None }
    }

    /// Adds the text in Japanese.
    pub(crate) fn ja(mut self, message: impl Into<String>) -> Self {
        self.message_ja = message.into();
        self
    }

    /// Adds what is likely meant.
    pub(crate) fn instead(mut self, meant: Option<impl Into<String>>) -> Self {
        self.instead = meant.map(Into::into);
        self
    }
}
