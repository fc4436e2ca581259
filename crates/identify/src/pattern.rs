//! A regular expression that is checked when it is loaded and compiled when it is first needed.
//!
//! The syntax tree also tells which literal texts every match contains; the index looks for those first, so that most
//! expressions never run and many are never compiled. Matching is linear in the input (the `regex` crate), whatever
//! the pattern. `\d`, `\w`, `\s` and case mean ASCII unless the pattern itself holds other characters.

use std::sync::OnceLock;

use regex::bytes::{Captures, Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::error::Fault;

/// The most bytes of a pattern.
pub(crate) const MAX_PATTERN_BYTES: usize = 2048;

/// The most memory of a compiled pattern.
const MAX_COMPILED_BYTES: usize = 4 * 1024 * 1024;

/// The most memory of the cache of a lazy automaton.
const MAX_CACHE_BYTES: usize = 1024 * 1024;

/// The most literals that stand for one pattern in the index.
const MAX_LITERALS: usize = 32;

/// The most bytes of such a literal; the front of a longer one will do.
const MAX_LITERAL_BYTES: usize = 32;

/// A pattern of at most so many states is far below [`MAX_COMPILED_BYTES`] in any form and need not be tried.
const MAX_LIGHT_STATES: usize = 8_192;

/// How a pattern is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dialect {
    /// Letters match in both cases.
    pub(crate) ignore_case: bool,
    /// `.` matches a line feed.
    pub(crate) dot_all: bool,
    /// `^` and `$` match at every line.
    pub(crate) lines: bool,
    /// `.` and negated classes match whole characters where a value is UTF-8, not bytes.
    pub(crate) characters: bool,
}

/// A checked pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    dialect: Dialect,
    names: Vec<String>,
    groups: usize,
    literals: Vec<Vec<u8>>,
    /// How many states it has, about.
    states: usize,
    compiled: OnceLock<Option<Regex>>,
    /// The form for values beyond ASCII, in a dialect that matches characters.
    compiled_unicode: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Reads a pattern without compiling it.
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, Fault> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(Fault::PatternLength { length: text.len(), limit: MAX_PATTERN_BYTES });
        }
        let mut parser = regex_syntax::ParserBuilder::new();
        let parser = parser
            .utf8(false)
            .unicode(!text.is_ascii())
            .case_insensitive(dialect.ignore_case)
            .dot_matches_new_line(dialect.dot_all)
            .multi_line(dialect.lines);
        let tree = parser.build().parse(text).map_err(|error| Fault::Pattern { message: error.to_string() })?;
        let mut names = Vec::new();
        collect_names(&tree, &mut names);
        Ok(Self {
            text: text.to_owned(),
            dialect,
            names,
            groups: tree.properties().explicit_captures_len(),
            literals: required_literals(&tree),
            states: states(&tree),
            compiled: OnceLock::new(),
            compiled_unicode: OnceLock::new(),
        })
    }

    /// Compiles it now, to know whether it can be.
    pub(crate) fn compile(&self) -> Result<(), Fault> {
        if self.compiled.get().is_some_and(Option::is_some) {
            return Ok(());
        }
        let regex = self.build(!self.text.is_ascii()).map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => Fault::PatternSize { message: format!("over {limit} bytes") },
            other => Fault::Pattern { message: other.to_string() },
        })?;
        self.compiled.get_or_init(|| Some(regex));
        Ok(())
    }

    /// Compiles it now if it might need too much memory; most patterns cannot.
    pub(crate) fn check_size(&self) -> Result<(), Fault> {
        if self.states <= MAX_LIGHT_STATES { Ok(()) } else { self.compile() }
    }

    /// The compiled form; `None` if it needs too much memory, which [`Pattern::compile`] tells beforehand.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| self.build(!self.text.is_ascii()).ok()).as_ref()
    }

    /// The groups of the first match.
    pub(crate) fn captures<'v>(&self, value: &'v [u8]) -> Option<Captures<'v>> {
        let characters = self.dialect.characters && !value.is_ascii() && std::str::from_utf8(value).is_ok();
        // Counted repetitions of characters can be too large where those of bytes are not: then bytes must do.
        let larger = || self.compiled_unicode.get_or_init(|| self.build(true).ok()).as_ref();
        let regex = if characters { larger().or_else(|| self.regex()) } else { self.regex() };
        // Room for groups is made before the search: most values do not match, so ask that first.
        regex.filter(|regex| regex.is_match(value))?.captures(value)
    }

    /// Whether the pattern has such a group, by name or number.
    pub(crate) fn has_group(&self, name: &str) -> bool {
        match name.parse::<usize>() {
            Ok(number) => number <= self.groups,
            Err(_) => self.names.iter().any(|known| known == name),
        }
    }

    /// Lower-case texts of which every match contains at least one, in any case; empty if there is no such set.
    pub(crate) fn literals(&self) -> &[Vec<u8>] {
        &self.literals
    }

    fn build(&self, unicode: bool) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.text)
            .unicode(unicode)
            .case_insensitive(self.dialect.ignore_case)
            .dot_matches_new_line(self.dialect.dot_all)
            .multi_line(self.dialect.lines)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_CACHE_BYTES)
            .build()
    }
}

/// How many states a pattern compiles to, about and rather too many: counted repetitions multiply what they repeat.
fn states(tree: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().fold(1, |sum: usize, part| sum.saturating_add(states(part)));
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        // A range of characters is up to four ranges of bytes, and its ends add more.
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().saturating_mul(8),
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or_else(|| repetition.min.saturating_add(1)).max(1);
            states(&repetition.sub).saturating_add(1).saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// The names of groups, anywhere in the tree. The parser bounds its depth.
fn collect_names(tree: &Hir, names: &mut Vec<String>) {
    match tree.kind() {
        HirKind::Capture(capture) => {
            names.extend(capture.name.as_deref().map(str::to_owned));
            collect_names(&capture.sub, names);
        }
        HirKind::Repetition(repetition) => collect_names(&repetition.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect_names(part, names))
        }
        _ => {}
    }
}

/// The best set of literals of which every match contains one.
fn required_literals(tree: &Hir) -> Vec<Vec<u8>> {
    let mut literals = Need::of(tree).into_literals().unwrap_or_default();
    for literal in &mut literals {
        literal.truncate(MAX_LITERAL_BYTES);
    }
    literals.sort_unstable();
    literals.dedup();
    literals
}

/// What every match of a part of a pattern contains.
enum Need {
    /// The part matches exactly this text, in any case.
    Exactly(Vec<u8>),
    /// Every match contains one of these.
    OneOf(Vec<Vec<u8>>),
    /// Nothing is known.
    Unknown,
}

impl Need {
    fn of(tree: &Hir) -> Self {
        match tree.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::Exactly(Vec::new()),
            HirKind::Literal(literal) => Self::Exactly(literal.0.to_ascii_lowercase()),
            HirKind::Class(class) => single(class).map_or(Self::Unknown, |byte| Self::Exactly(vec![byte])),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Repetition(repetition) if repetition.min == 0 => Self::Unknown,
            HirKind::Repetition(repetition) => Self::of(&repetition.sub).inexact(),
            HirKind::Concat(parts) => Self::all(parts),
            HirKind::Alternation(branches) => Self::one(branches),
        }
    }

    /// Parts one after another: adjacent exact parts join; the longest text wins.
    fn all(parts: &[Hir]) -> Self {
        let mut best: Option<Vec<Vec<u8>>> = None;
        let mut run = Vec::new();
        let mut exact = true;
        for part in parts {
            let need = match Self::of(part) {
                Self::Exactly(text) => {
                    run.extend(text);
                    continue;
                }
                other => other,
            };
            exact = false;
            best = better(best, Self::Exactly(std::mem::take(&mut run)).into_literals());
            best = better(best, need.into_literals());
        }
        if exact {
            return Self::Exactly(run);
        }
        better(best, Self::Exactly(run).into_literals()).map_or(Self::Unknown, Self::OneOf)
    }

    /// One of several branches: each must need something.
    fn one(branches: &[Hir]) -> Self {
        let mut union = Vec::new();
        for branch in branches {
            let Some(literals) = Self::of(branch).into_literals() else { return Self::Unknown };
            union.extend(literals);
            if union.len() > MAX_LITERALS {
                return Self::Unknown;
            }
        }
        Self::OneOf(union)
    }

    fn inexact(self) -> Self {
        self.into_literals().map_or(Self::Unknown, Self::OneOf)
    }

    /// As literals, if they are long enough to tell anything.
    fn into_literals(self) -> Option<Vec<Vec<u8>>> {
        let literals = match self {
            Self::Exactly(text) => vec![text],
            Self::OneOf(literals) => literals,
            Self::Unknown => return None,
        };
        (shortest(&literals) >= 2).then_some(literals)
    }
}

/// The more telling of two sets.
fn better(left: Option<Vec<Vec<u8>>>, right: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    match (left, right) {
        (Some(left), Some(right)) if shortest(&right) > shortest(&left) => Some(right),
        (Some(left), _) => Some(left),
        (None, right) => right,
    }
}

fn shortest(literals: &[Vec<u8>]) -> usize {
    literals.iter().map(Vec::len).min().unwrap_or(0)
}

/// The one byte, lower-cased, that a class of one character in both cases matches.
fn single(class: &Class) -> Option<u8> {
    let mut bytes = Vec::new();
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                bytes.extend([range.start(), range.end()]);
            }
        }
        Class::Unicode(class) => {
            for range in class.ranges() {
                bytes.extend([u8::try_from(range.start()).ok()?, u8::try_from(range.end()).ok()?]);
            }
        }
    }
    let first = bytes.first()?.to_ascii_lowercase();
    let same = first.is_ascii() && bytes.iter().all(|byte| byte.to_ascii_lowercase() == first);
    same.then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn literals(text: &str) -> Vec<String> {
        let pattern = Pattern::parse(text, Dialect::default()).expect("a pattern");
        pattern.literals().iter().map(|literal| String::from_utf8_lossy(literal).into_owned()).collect()
    }

    #[test]
    fn every_match_contains_one_of_the_literals() {
        assert_eq!(literals("^OpenSSH_([0-9.]+)"), ["openssh_"]);
        assert_eq!(literals("(?i)^mini_httpd/(.+)$"), ["mini_httpd/"]);
        assert_eq!(literals("^(?:Buffalo|MELCO) [A-Z]+"), ["buffalo", "melco"]);
        assert_eq!(literals("a*(?:router)?"), [""; 0]);
        assert_eq!(literals("(?:WN-)+[0-9]{2}"), ["wn-"]);
    }

    #[test]
    fn a_pattern_that_needs_too_much_memory_is_refused() {
        let pattern = Pattern::parse("(?:[a-z]{1000}){1000}", Dialect::default()).expect("a small tree");
        assert!(matches!(pattern.check_size(), Err(Fault::PatternSize { .. })));
        assert!(pattern.regex().is_none());
        let long = "x".repeat(MAX_PATTERN_BYTES + 1);
        assert!(matches!(Pattern::parse(&long, Dialect::default()), Err(Fault::PatternLength { .. })));
        assert!(matches!(Pattern::parse("(a", Dialect::default()), Err(Fault::Pattern { .. })));
    }

    #[test]
    fn a_pattern_that_is_too_large_for_characters_is_matched_by_bytes() {
        let dialect = Dialect { characters: true, ..Dialect::default() };
        let pattern = Pattern::parse(r"(?:\w{20}){20}x", dialect).expect("a small tree");
        assert_eq!(pattern.check_size(), Ok(()));
        assert!(pattern.build(true).is_err(), "too large over characters");
        assert!(pattern.captures(format!("{}xé", "a".repeat(400)).as_bytes()).is_some());
    }

    proptest! {
        /// What is not tried at load can be compiled when it is needed.
        #[test]
        fn light_patterns_compile(
            atom in select(&[r"\w", ".", "a", "[^x]", r"\d", "(?:ab|c)", r"\pL"][..]),
            min in 0..40_u32, more in 0..400_u32, times in 1..60_u32, ignore_case in any::<bool>(),
        ) {
            let dialect = Dialect { characters: true, ignore_case, ..Dialect::default() };
            let text = format!("(?u)(?:{atom}{{{min},{}}}-){{{times}}}", min + more);
            let pattern = Pattern::parse(&text, dialect).expect("a small tree");
            if pattern.states <= MAX_LIGHT_STATES {
                prop_assert_eq!(pattern.compile(), Ok(()));
            }
        }
    }
}
