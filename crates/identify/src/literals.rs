//! Which texts every match of a pattern holds, read from its syntax tree.
//!
//! The index looks for them first: a pattern runs only where one stands. Longer ones are better, so adjacent parts are
//! joined, and alternatives, options and small classes multiplied out as long as they are few.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// The most literals that stand for one pattern in the index.
const MAX_LITERALS: usize = 32;

/// The most literals that adjacent parts of a pattern are joined to.
const MAX_JOINED: usize = 16;

/// The most characters, each in both cases, of a class that is taken for as many literals.
const MAX_CLASS: usize = 4;

/// The most bytes of such a literal; the front of a longer one will do.
const MAX_LITERAL_BYTES: usize = 32;

/// The best set of literals of which every match contains one.
pub(crate) fn required(tree: &Hir) -> Vec<Vec<u8>> {
    let mut literals = Need::of(tree).into_literals().unwrap_or_default();
    for literal in &mut literals {
        literal.truncate(MAX_LITERAL_BYTES);
    }
    literals.sort_unstable();
    literals.dedup();
    literals
}

/// What every match of a part of a pattern contains. Texts are in lower case and stand for any case.
enum Need {
    /// The part matches exactly these texts.
    Exactly(Vec<Vec<u8>>),
    /// Every match contains one of these.
    OneOf(Vec<Vec<u8>>),
    /// Nothing is known.
    Unknown,
}

impl Need {
    fn of(tree: &Hir) -> Self {
        match tree.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::nothing(),
            HirKind::Literal(literal) => Self::Exactly(vec![literal.0.to_ascii_lowercase()]),
            HirKind::Class(class) => few(class).map_or(Self::Unknown, Self::Exactly),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Repetition(Repetition { min: 0, max: Some(1), sub, .. }) => {
                Self::one([Self::nothing(), Self::of(sub)].into_iter())
            }
            HirKind::Repetition(Repetition { min: 0, .. }) => Self::Unknown,
            HirKind::Repetition(repetition) => Self::of(&repetition.sub).inexact(),
            HirKind::Concat(parts) => Self::all(parts),
            HirKind::Alternation(branches) => Self::one(branches.iter().map(Self::of)),
        }
    }

    fn nothing() -> Self {
        Self::Exactly(vec![Vec::new()])
    }

    /// Parts one after another: adjacent exact parts join; the longest text wins.
    fn all(parts: &[Hir]) -> Self {
        let mut best: Option<Vec<Vec<u8>>> = None;
        let mut run = vec![Vec::new()];
        let mut exact = true;
        for part in parts {
            let ended = match Self::of(part) {
                Self::Exactly(texts) if run.len() * texts.len() <= MAX_JOINED => {
                    run = joined(&run, &texts);
                    continue;
                }
                Self::Exactly(texts) => std::mem::replace(&mut run, texts),
                other => {
                    best = better(best, other.into_literals());
                    std::mem::replace(&mut run, vec![Vec::new()])
                }
            };
            exact = false;
            best = better(best, Self::Exactly(ended).into_literals());
        }
        if exact {
            return Self::Exactly(run);
        }
        better(best, Self::Exactly(run).into_literals()).map_or(Self::Unknown, Self::OneOf)
    }

    /// One of several branches: each must need something.
    fn one(branches: impl Iterator<Item = Self>) -> Self {
        let mut union = Vec::new();
        let mut exact = true;
        for branch in branches {
            match branch {
                Self::Exactly(texts) => union.extend(texts),
                Self::OneOf(texts) => {
                    exact = false;
                    union.extend(texts);
                }
                Self::Unknown => return Self::Unknown,
            }
            if union.len() > MAX_LITERALS {
                return Self::Unknown;
            }
        }
        if exact { Self::Exactly(union) } else { Self::OneOf(union) }
    }

    fn inexact(self) -> Self {
        self.into_literals().map_or(Self::Unknown, Self::OneOf)
    }

    /// As literals, if they are long enough to tell anything.
    fn into_literals(self) -> Option<Vec<Vec<u8>>> {
        match self {
            Self::Exactly(texts) | Self::OneOf(texts) => (shortest(&texts) >= 2).then_some(texts),
            Self::Unknown => None,
        }
    }
}

/// Each of these texts with each of those after it.
fn joined(left: &[Vec<u8>], right: &[Vec<u8>]) -> Vec<Vec<u8>> {
    left.iter().flat_map(|start| right.iter().map(|end| [start.as_slice(), end].concat())).collect()
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

/// The texts that a class of few characters matches.
fn few(class: &Class) -> Option<Vec<Vec<u8>>> {
    let bytes: Vec<(u8, u8)> = match class {
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Unicode(class) => {
            let range = |start: char, end: char| Some((u8::try_from(start).ok()?, u8::try_from(end).ok()?));
            class.ranges().iter().map(|one| range(one.start(), one.end())).collect::<Option<_>>()?
        }
    };
    let count: usize = bytes.iter().map(|(start, end)| usize::from(end - start) + 1).sum();
    if count > 2 * MAX_CLASS || bytes.iter().any(|(_, end)| !end.is_ascii()) {
        return None;
    }
    let mut texts: Vec<Vec<u8>> =
        bytes.iter().flat_map(|(start, end)| *start..=*end).map(|byte| vec![byte.to_ascii_lowercase()]).collect();
    texts.sort_unstable();
    texts.dedup();
    (texts.len() <= MAX_CLASS).then_some(texts)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::string::string_regex;

    use super::*;
    use crate::pattern::{Dialect, Pattern};

    fn literals(text: &str) -> Vec<String> {
        let pattern = Pattern::parse(text, Dialect::default()).expect("a pattern");
        pattern.literals().iter().map(|literal| String::from_utf8_lossy(literal).into_owned()).collect()
    }

    #[test]
    fn every_match_contains_one_of_the_literals() {
        assert_eq!(literals("^OpenSSH_([0-9.]+)"), ["openssh_"]);
        assert_eq!(literals("(?i)^mini_httpd/(.+)$"), ["mini_httpd/"]);
        assert_eq!(literals("^(?:Buffalo|MELCO) [A-Z]+"), ["buffalo ", "melco "]);
        assert_eq!(literals(r"(?i)\bFocus ?H&amp;S\b|\bFOCUS H&S\b"), ["focus h&amp;s", "focus h&s", "focush&amp;s"]);
        assert_eq!(literals("^TS-[25][TD]?-(?<n>[0-9]+)$").len(), 6);
        assert_eq!(literals("a(?:b|c*)d{2}e"), [""; 0]);
        assert_eq!(literals("[ab][cd][ef][gh][ij]").len(), MAX_JOINED);
        assert_eq!(literals("a*(?:router)?"), [""; 0]);
        assert_eq!(literals("(?:WN-)+[0-9]{2}"), ["wn-"]);
    }

    /// A part of a pattern that every case of [`Need`] is made of.
    fn part() -> impl Strategy<Value = String> {
        let leaf =
            select(&["ab", "C", "x-", "[ab]", "[a-z]", "[Dd]", "[^q]", "[0-9]", "é", ""][..]).prop_map(str::to_owned);
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner, select(&["?", "*", "+", "{2}", "{1,3}"][..]))
                    .prop_map(|(sub, times)| format!("(?:{sub}){times}")),
            ]
        })
    }

    /// A pattern and a text that it matches. A class is one byte here and one character where the text is made.
    fn matched() -> impl Strategy<Value = (String, String)> {
        let text_of = |text: &str| string_regex(&text.replace("[^q]", "[!-pr-~]")).expect("a pattern");
        part().prop_flat_map(move |text| (Just(text.clone()), text_of(&text)))
    }

    proptest! {
        /// Whatever a pattern matches holds one of its literals, or it has none.
        #[test]
        fn a_match_holds_a_literal((text, value) in matched()) {
            let pattern = Pattern::parse(&text, Dialect::default()).expect("a pattern");
            prop_assert!(pattern.captures(value.as_bytes()).is_some(), "{text} does not match {value:?}");
            let lower = value.to_ascii_lowercase().into_bytes();
            let holds = |literal: &Vec<u8>| lower.windows(literal.len()).any(|part| part == literal.as_slice());
            let literals = pattern.literals();
            prop_assert!(literals.is_empty() || literals.iter().any(holds), "{text}: {value:?} without {literals:?}");
        }
    }
}
