//! Which patterns are worth running on a value: one pass for all their literals instead of one pass a pattern.

use std::collections::HashMap;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::engine::Search;
use crate::grams::{Grams, SHORTEST};
use crate::pattern::Pattern;

/// Above so many bytes of literals the automaton is the smaller, slower kind.
const MAX_DFA_LITERAL_BYTES: usize = 16 * 1024;

/// Hits are sorted and repeated ones dropped whenever there are so many; far above the number of patterns of a field.
const MAX_UNSORTED: usize = 16 * 1024;

/// Patterns by the field they look at.
#[derive(Debug)]
pub(crate) struct Index {
    search: Search,
    fields: HashMap<String, FieldIndex>,
}

#[derive(Debug, Default)]
struct FieldIndex {
    /// Patterns without literals: always run.
    always: Vec<usize>,
    /// Literals that are long enough to be looked for by their grams.
    long: Literals<Grams>,
    /// All literals of patterns that have a shorter one too: an automaton finds them.
    short: Literals<Option<AhoCorasick>>,
}

/// Literals with the pattern each stands for, and what finds them, made at the first need.
#[derive(Debug)]
struct Literals<T> {
    list: Vec<(Vec<u8>, usize)>,
    finder: OnceLock<T>,
}

impl<T> Default for Literals<T> {
    fn default() -> Self {
        Self { list: Vec::new(), finder: OnceLock::new() }
    }
}

impl Index {
    /// An empty index.
    pub(crate) fn new(search: Search) -> Self {
        Self { search, fields: HashMap::new() }
    }

    /// Enters a pattern under a number of the caller's.
    pub(crate) fn insert(&mut self, field: &str, pattern: &Pattern, number: usize) {
        let entry = self.fields.entry(field.to_owned()).or_default();
        let literals = pattern.literals().iter().map(|literal| (literal.clone(), number));
        if self.search == Search::OneByOne || pattern.literals().is_empty() {
            entry.always.push(number);
        } else if pattern.literals().iter().all(|literal| literal.len() >= SHORTEST) {
            entry.long.list.extend(literals);
        } else {
            entry.short.list.extend(literals);
        }
    }

    /// Puts into `numbers` those of all patterns that can match this value, rising.
    pub(crate) fn candidates(&self, field: &str, value: &[u8], numbers: &mut Vec<usize>) {
        numbers.clear();
        let Some(entry) = self.fields.get(field) else { return };
        numbers.extend(&entry.always);
        entry.long.candidates(value, numbers);
        entry.short.candidates(value, numbers);
        numbers.sort_unstable();
        numbers.dedup();
    }
}

impl Literals<Grams> {
    fn candidates(&self, value: &[u8], numbers: &mut Vec<usize>) {
        if self.list.is_empty() {
            return;
        }
        let texts = || self.list.iter().map(|(literal, _)| literal.clone()).collect();
        let grams = self.finder.get_or_init(|| Grams::new(texts()));
        grams.find(value, &mut |hit| self.enter(hit, numbers));
    }
}

impl Literals<Option<AhoCorasick>> {
    fn candidates(&self, value: &[u8], numbers: &mut Vec<usize>) {
        if self.list.is_empty() {
            return;
        }
        match self.finder.get_or_init(|| self.automaton()) {
            Some(automaton) => {
                automaton.find_overlapping_iter(value).for_each(|hit| self.enter(hit.pattern().as_usize(), numbers));
            }
            None => numbers.extend(self.list.iter().map(|(_, number)| *number)),
        }
    }

    /// `None` if it cannot be made; then everything is a candidate.
    fn automaton(&self) -> Option<AhoCorasick> {
        let total: usize = self.list.iter().map(|(literal, _)| literal.len()).sum();
        let small = total <= MAX_DFA_LITERAL_BYTES;
        let kind = if small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).kind(Some(kind));
        builder.build(self.list.iter().map(|(literal, _)| literal)).ok()
    }
}

impl<T> Literals<T> {
    /// Notes the pattern of the literal that was found.
    fn enter(&self, literal: usize, numbers: &mut Vec<usize>) {
        let number = self.list.get(literal).map(|(_, number)| *number);
        numbers.extend(number.filter(|number| numbers.last() != Some(number)));
        if numbers.len() >= MAX_UNSORTED {
            numbers.sort_unstable();
            numbers.dedup();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Dialect;

    #[test]
    fn only_patterns_whose_literal_is_there_are_candidates() {
        let mut index = Index::new(Search::Index);
        for (number, text) in ["^nginx/", "^Apache/", "[0-9]+", "Apache.*Debian", "^(?:x-|apache)"].iter().enumerate() {
            index.insert("http.server", &Pattern::parse(text, Dialect::default()).expect("a pattern"), number);
        }
        let mut numbers = vec![7];
        let mut candidates = |field: &str, value: &[u8]| {
            index.candidates(field, value, &mut numbers);
            numbers.clone()
        };
        assert_eq!(candidates("http.server", b"APACHE/2.4 (Debian)"), [1, 2, 3, 4]);
        assert_eq!(candidates("http.server", b"nginx/1.22.1"), [0, 2]);
        assert_eq!(candidates("http.title", b"nginx/1.22.1"), [0; 0]);
    }
}
