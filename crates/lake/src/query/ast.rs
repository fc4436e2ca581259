//! What a query says, free of how it was written.

use std::net::IpAddr;

use hinomi_model::Timestamp;
use ipnet::IpNet;

use super::field::Field;
use super::raw::Expression;
use super::words::fold;

/// A whole query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What must hold; absent asks for everything.
    pub filter: Option<Node>,
    /// In which order; absent is by address and port.
    pub sort: Option<Sort>,
}

impl Query {
    /// Whether some clause asks for this property, at any depth.
    pub fn mentions(&self, wanted: Trait) -> bool {
        self.filter.as_ref().is_some_and(|node| node.mentions(wanted))
    }
}

/// The order of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what; a sortable field.
    pub field: Field,
    /// Greatest first. What has no value comes last either way.
    pub descending: bool,
}

/// A condition. `All` and `Any` have at least two parts and never hold their own kind directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// All of these.
    All(Vec<Node>),
    /// At least one of these.
    Any(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// One field.
    Clause(Clause),
}

impl Node {
    fn mentions(&self, wanted: Trait) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(wanted)),
            Self::Not(part) => part.mentions(wanted),
            Self::Clause(clause) => clause.tests.contains(&Test::Has(wanted)),
        }
    }
}

/// One field and the values of which one must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Which field.
    pub field: Field,
    /// At least one.
    pub tests: Vec<Test>,
}

/// What one value must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// An address within this prefix.
    Net(IpNet),
    /// This address.
    Address(IpAddr),
    /// A number from `low` to `high`, both included.
    Span {
        /// Smallest.
        low: u64,
        /// Greatest.
        high: u64,
    },
    /// A value like this: the whole of it, or for running text words within it.
    Like(Pattern),
    /// Exactly this value of a field of running text, folded.
    Whole(String),
    /// A version in this range.
    Version(Range<String>),
    /// A time in this range.
    Time(Range<Moment>),
    /// This property is known or true.
    Has(Trait),
    /// These characters, folded, anywhere in the text of the evidence.
    Contains(String),
    /// This expression, anywhere in the text of the evidence.
    Matches(Expression),
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range<T> {
    /// `<`
    Less(T),
    /// `<=`
    AtMost(T),
    /// `>`
    More(T),
    /// `>=`
    AtLeast(T),
    /// `a..b`, both included.
    Between(T, T),
    /// The value itself: of dates, within that day.
    Is(T),
}

/// A point in time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A whole day, by its first moment, UTC.
    Date(Timestamp),
    /// An instant.
    Time(Timestamp),
    /// So long ago, or so far ahead, as the field means it.
    Away(i32, Unit),
}

/// Units of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 365 days.
    Year,
}

impl Unit {
    /// Every unit with the way it is written.
    pub const ALL: [(Self, &'static str); 5] =
        [(Self::Minute, "min"), (Self::Hour, "h"), (Self::Day, "d"), (Self::Week, "w"), (Self::Year, "y")];

    /// How long it is, in microseconds.
    pub const fn as_micros(self) -> i64 {
        let minutes = match self {
            Self::Minute => 1,
            Self::Hour => 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
            Self::Year => 365 * 24 * 60,
        };
        minutes * 60 * 1_000_000
    }
}

/// A text with wildcards. Literals are folded, never empty and never side by side; neither are wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(pub Vec<Piece>);

/// A part of a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// Any characters, or none.
    Any,
}

impl Pattern {
    /// The pattern of one literal text.
    pub fn literal(text: &str) -> Self {
        let mut pattern = Self::default();
        text.chars().for_each(|c| pattern.push(c));
        pattern
    }

    /// Appends a character, folded.
    pub fn push(&mut self, c: char) {
        let folded = fold(c.encode_utf8(&mut [0; 4]));
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push_str(&folded),
            _ => self.0.push(Piece::Text(folded)),
        }
    }

    /// Appends a wildcard.
    pub fn push_any(&mut self) {
        if self.0.last() != Some(&Piece::Any) {
            self.0.push(Piece::Any);
        }
    }

    /// The text, when there is no wildcard.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// How many wildcards.
    pub fn wildcards(&self) -> usize {
        self.0.iter().filter(|piece| **piece == Piece::Any).count()
    }

    /// Whether a folded text is like this. Greedy from the left, so linear in pieces times length.
    pub fn matches(&self, folded: &str) -> bool {
        let mut rest = folded;
        let mut free = false;
        let last = self.0.len().saturating_sub(1);
        for (number, piece) in self.0.iter().enumerate() {
            let Piece::Text(text) = piece else {
                free = true;
                continue;
            };
            let found = match (free, number == last) {
                (true, true) => return rest.ends_with(text.as_str()),
                (true, false) => rest.find(text.as_str()),
                (false, _) => rest.starts_with(text.as_str()).then_some(0),
            };
            let Some(tail) = found.and_then(|at| rest.get(at + text.len()..)) else { return false };
            rest = tail;
            free = false;
        }
        free || rest.is_empty()
    }
}

macro_rules! traits {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// What `has:` can ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Trait { $($(#[$doc])* $name),* }

        impl Trait {
            /// Every property with its name.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];
        }
    };
}

traits! {
    /// The protocol is known.
    Protocol = "protocol",
    /// The maker is known.
    Vendor = "vendor",
    /// The product is known.
    Product = "product",
    /// Its version is known.
    Version = "version",
    /// The model is known.
    Model = "model",
    /// The firmware is known.
    Firmware = "firmware",
    /// The kind of device is known.
    Kind = "kind",
    /// The operating system is known.
    Os = "os",
    /// There is a CPE name.
    Cpe = "cpe",
    /// There is a tag.
    Tag = "tag",
    /// It serves a page with a title.
    Title = "title",
    /// It speaks TLS.
    Tls = "tls",
    /// It shows a certificate.
    Certificate = "certificate",
    /// It is an SSH server with a HASSH.
    Hassh = "hassh",
    /// It showed an SSH host key.
    HostKey = "hostkey",
    /// Its way to post-quantum key exchange is known.
    Pq = "pq",
    /// Something about its cryptography is weak.
    Weak = "weak",
    /// The AS number is known.
    As = "as",
    /// The country is known.
    Country = "country",
    /// It was found closed since it last answered.
    Closed = "closed",
    /// It accepts connections and says nothing sensible.
    Pseudo = "pseudo",
}

impl Trait {
    /// How it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(each, _)| *each == self).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let mut pattern = Pattern::default();
        for c in text.chars() {
            if c == '*' { pattern.push_any() } else { pattern.push(c) }
        }
        pattern
    }

    #[test]
    fn patterns_match_whole_texts() {
        for (like, text) in [("nginx", "nginx"), ("*", ""), ("n*x", "nginx"), ("*gin*", "nginx"), ("a*b*a", "abba")] {
            assert!(pattern(like).matches(text), "{like} {text}");
        }
        for (like, text) in [("nginx", "nginx2"), ("", "x"), ("n*x", "nginxy"), ("ab*ba", "aba"), ("*x", "xy")] {
            assert!(!pattern(like).matches(text), "{like} {text}");
        }
    }
}
