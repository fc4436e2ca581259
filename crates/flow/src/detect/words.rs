//! Reasons as sentences, in both languages.
//!
//! The catalogues are Fluent files without selectors, one message a code; pages may load them into their bundles, and what
//! has no pages (the command line) fills them in here. Numbers are formatted the same in both.

use super::Evidence;
use crate::finding::Refutation;

/// Words in English.
pub const ENGLISH: &str = include_str!("../../locales/en.ftl");
/// Words in Japanese.
pub const JAPANESE: &str = include_str!("../../locales/ja.ftl");

/// The sentence of a reason; its code where the catalogue lacks it.
pub fn sentence(catalogue: &str, reason: &Evidence) -> String {
    let key = format!("flow-{}", reason.code.name());
    let Some(pattern) = message(catalogue, &key) else { return key };
    let fill = |text: String, (name, value): &(String, f64)| text.replace(&format!("{{ ${name} }}"), &number(*value));
    reason.values.iter().fold(pattern.to_owned(), fill)
}

/// What would refute a finding, as a sentence.
pub fn refutation(catalogue: &str, refutation: Refutation) -> String {
    let key = format!("flow-refute-{}", refutation.name());
    message(catalogue, &key).map_or(key, str::to_owned)
}

/// The message of that key.
pub fn message<'a>(catalogue: &'a str, key: &str) -> Option<&'a str> {
    catalogue.lines().find_map(|line| line.split_once(" = ").filter(|(known, _)| *known == key).map(|(_, text)| text))
}

/// Whole where it is large, three figures where it is small.
fn number(value: f64) -> String {
    let is_whole = (value - value.round()).abs() < 1e-9;
    match value.abs() {
        _ if is_whole && value.abs() < 1e15 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Code;
    use super::*;

    fn variables(text: &str) -> BTreeSet<&str> {
        text.split("{ $").skip(1).filter_map(|part| part.split(" }").next()).collect()
    }

    #[test]
    fn both_catalogues_have_every_code_with_the_same_variables() {
        let codes = Code::ALL.into_iter().map(|code| format!("flow-{}", code.name()));
        let refutations = Refutation::ALL.into_iter().map(|refutation| format!("flow-refute-{}", refutation.name()));
        let keys: Vec<String> = codes.chain(refutations).collect();
        for key in &keys {
            let (english, japanese) = (message(ENGLISH, key).expect(key), message(JAPANESE, key).expect(key));
            assert_eq!(variables(english), variables(japanese), "{key}");
        }
        for catalogue in [ENGLISH, JAPANESE] {
            assert_eq!(catalogue.lines().filter(|line| line.contains(" = ")).count(), keys.len());
        }
    }

    #[test]
    fn a_sentence_is_filled_in() {
        let values = [("gap_seconds", 22.04), ("run", 7.0), ("clients", 1.0)];
        let reason = Evidence::new(Code::BeaconFailed, 4.0, &values);
        let sentence = sentence(ENGLISH, &reason);
        assert!(sentence.starts_with("7 connections in vain in a row, every 22.0 s, 1 clients"), "{sentence}");
        assert!(!super::sentence(JAPANESE, &reason).contains("{ $"));
    }
}
