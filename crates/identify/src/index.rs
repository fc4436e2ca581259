//! Which patterns are worth running on a value: one pass for all their literals instead of one pass a pattern.

use std::collections::HashMap;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::pattern::Pattern;

/// Above so many bytes of literals the automaton is the smaller, slower kind.
const MAX_DFA_LITERAL_BYTES: usize = 16 * 1024;

/// Hits are sorted and repeated ones dropped whenever there are so many; far above the number of patterns of a field.
const MAX_UNSORTED: usize = 16 * 1024;

/// Patterns by the field they look at.
#[derive(Debug, Default)]
pub(crate) struct Index {
    fields: HashMap<String, FieldIndex>,
}

#[derive(Debug, Default)]
struct FieldIndex {
    /// Literals and the pattern each stands for.
    literals: Vec<(Vec<u8>, usize)>,
    /// Patterns without literals: always run.
    always: Vec<usize>,
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Index {
    /// Enters a pattern under a number of the caller's.
    pub(crate) fn insert(&mut self, field: &str, pattern: &Pattern, number: usize) {
        let entry = self.fields.entry(field.to_owned()).or_default();
        if pattern.literals().is_empty() {
            entry.always.push(number);
        }
        entry.literals.extend(pattern.literals().iter().map(|literal| (literal.clone(), number)));
    }

    /// The numbers of all patterns that can match this value, rising.
    pub(crate) fn candidates(&self, field: &str, value: &[u8]) -> Vec<usize> {
        let Some(entry) = self.fields.get(field) else { return Vec::new() };
        let mut numbers = entry.always.clone();
        if let Some(automaton) = entry.automaton() {
            for hit in automaton.find_overlapping_iter(value) {
                let number = entry.literals.get(hit.pattern().as_usize()).map(|(_, number)| *number);
                numbers.extend(number.filter(|number| numbers.last() != Some(number)));
                if numbers.len() >= MAX_UNSORTED {
                    numbers.sort_unstable();
                    numbers.dedup();
                }
            }
        } else {
            numbers.extend(entry.literals.iter().map(|(_, number)| *number));
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

impl FieldIndex {
    /// The automaton over all literals; `None` without any, or if it cannot be built (then everything is a candidate).
    fn automaton(&self) -> Option<&AhoCorasick> {
        let build = || {
            let total: usize = self.literals.iter().map(|(literal, _)| literal.len()).sum();
            let small = total <= MAX_DFA_LITERAL_BYTES;
            let kind = if small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
            let mut builder = AhoCorasick::builder();
            builder.ascii_case_insensitive(true).kind(Some(kind));
            builder.build(self.literals.iter().map(|(literal, _)| literal)).ok()
        };
        self.automaton.get_or_init(build).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Dialect;

    #[test]
    fn only_patterns_whose_literal_is_there_are_candidates() {
        let mut index = Index::default();
        for (number, text) in ["^nginx/", "^Apache/", "[0-9]+", "Apache.*Debian"].iter().enumerate() {
            index.insert("http.server", &Pattern::parse(text, Dialect::default()).expect("a pattern"), number);
        }
        assert_eq!(index.candidates("http.server", b"APACHE/2.4 (Debian)"), [1, 2, 3]);
        assert_eq!(index.candidates("http.server", b"nginx/1.22.1"), [0, 2]);
        assert_eq!(index.candidates("http.title", b"nginx/1.22.1"), [0; 0]);
    }
}
