//! A regular expression that is checked when it is loaded and compiled when it is first needed.
//!
//! The syntax tree also tells which literal texts every match contains; the index looks for those first, so that most
//! expressions never run and many are never compiled. Matching is linear in the input (the `regex` crate), whatever
//! the pattern. `\d`, `\w`, `\s` and case mean ASCII unless the pattern itself holds other characters.

use std::sync::OnceLock;

use regex::bytes::{Captures, Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::error::Fault;
use crate::literals;

/// The most bytes of a pattern.
pub(crate) const MAX_PATTERN_BYTES: usize = 2048;

/// The most memory of a compiled pattern.
const MAX_COMPILED_BYTES: usize = 4 * 1024 * 1024;

/// The most memory of the cache of a lazy automaton.
const MAX_CACHE_BYTES: usize = 1024 * 1024;

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
            literals: literals::required(&tree),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

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
