//! Embargo, licence and handling: what goes with a record beside label, audiences and purpose.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use crate::time::Timestamp;

/// The longest licence, in characters.
pub const MAX_LICENCE_CHARS: usize = 128;
/// The most words of handling.
pub const MAX_HANDLING_WORDS: usize = 16;
/// The longest word of handling, in characters.
pub const MAX_HANDLING_CHARS: usize = 64;

/// What goes with a record wherever it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Before this moment nobody may know but whom the rules except.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "embargo")]
    pub embargo: Option<Timestamp>,
    /// An SPDX id, or a short text.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "licence")]
    pub licence: Option<String>,
    /// Words such as `pap:amber` or `no-forward`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", deserialize_with = "handling")]
    pub handling: BTreeSet<String>,
}

/// Terms that no record may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitTerms {
    /// No calendar has this moment.
    #[error("an embargo ends in the years 0 to 9999")]
    Embargo,
    /// Not one short line.
    #[error("a licence is one line of 1 to {MAX_LICENCE_CHARS} characters, as CC-BY-4.0, without blanks around it")]
    Licence,
    /// Not a word.
    #[error("{word:?} is no word of handling: 1 to {MAX_HANDLING_CHARS} small letters, digits and . : _ + -")]
    Word {
        /// What was given, at most 64 characters of it.
        word: String,
    },
    /// Too many words.
    #[error("at most {MAX_HANDLING_WORDS} words of handling")]
    Words,
}

impl Terms {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a record may have them.
    ///
    /// # Errors
    /// When one of them is longer than its bound, or has characters that it must not have.
    pub fn check(&self) -> Result<(), UnfitTerms> {
        self.embargo.map_or(Ok(()), check_embargo)?;
        self.licence.as_deref().map_or(Ok(()), check_licence)?;
        check_handling(&self.handling)
    }
}

fn check_embargo(until: Timestamp) -> Result<(), UnfitTerms> {
    let moment = until.to_utc();
    let known = (0..=9999).contains(&moment.year()) && Timestamp::from(moment) == until;
    known.then_some(()).ok_or(UnfitTerms::Embargo)
}

fn check_licence(text: &str) -> Result<(), UnfitTerms> {
    let count = text.chars().count();
    let fits = (1..=MAX_LICENCE_CHARS).contains(&count) && text.trim() == text && !text.chars().any(char::is_control);
    fits.then_some(()).ok_or(UnfitTerms::Licence)
}

fn check_handling(words: &BTreeSet<String>) -> Result<(), UnfitTerms> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".:_+-".contains(c);
    let fits = |word: &&String| (1..=MAX_HANDLING_CHARS).contains(&word.len()) && word.chars().all(plain);
    if let Some(word) = words.iter().find(|word| !fits(word)) {
        return Err(UnfitTerms::Word { word: word.chars().take(64).collect() });
    }
    if words.len() > MAX_HANDLING_WORDS { Err(UnfitTerms::Words) } else { Ok(()) }
}

/// Reads an embargo that a record may have.
pub(super) fn embargo<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let read = Option::<Timestamp>::deserialize(deserializer)?;
    read.map_or(Ok(()), check_embargo).map_err(serde::de::Error::custom)?;
    Ok(read)
}

/// Reads a licence that a record may have.
pub(super) fn licence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let read = Option::<String>::deserialize(deserializer)?;
    read.as_deref().map_or(Ok(()), check_licence).map_err(serde::de::Error::custom)?;
    Ok(read)
}

/// Reads words of handling that a record may have.
pub(super) fn handling<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    let read = BTreeSet::<String>::deserialize(deserializer)?;
    check_handling(&read).map_err(serde::de::Error::custom)?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::{Marking, Purpose};

    #[test]
    fn a_marking_without_terms_is_written_as_ever_and_one_with_them_comes_back() {
        let own = Marking::own(Purpose::Research);
        let text = serde_json::to_string(&own).expect("a text");
        assert_eq!(text, r#"{"tlp":"TLP:AMBER+STRICT","purpose":"research"}"#);
        let terms = Terms {
            embargo: "2027-01-01".parse().ok(),
            licence: Some("CC-BY-4.0".to_owned()),
            handling: ["pap:amber".to_owned(), "no-forward".to_owned()].into(),
        };
        let under = own.under(terms.clone());
        let text = serde_json::to_string(&under).expect("a text");
        let wanted = r#""embargo":"2027-01-01T00:00:00Z","licence":"CC-BY-4.0","handling":["no-forward","pap:amber"]}"#;
        assert!(text.ends_with(wanted), "{text}");
        assert_eq!(serde_json::from_str::<Marking>(&text).expect("a marking"), under);
        assert_eq!((under.terms(), under.is_plain()), (terms, false));
    }

    #[test]
    fn terms_out_of_bounds_are_refused() {
        let long = "x".repeat(MAX_LICENCE_CHARS + 1);
        let many: Vec<String> = (0..=MAX_HANDLING_WORDS).map(|n| format!("w{n}")).collect();
        for (name, value) in [
            ("licence", serde_json::json!("")),
            ("licence", serde_json::json!(" CC0")),
            ("licence", serde_json::json!("a\nb")),
            ("licence", serde_json::json!(long)),
            ("handling", serde_json::json!(["PAP:AMBER"])),
            ("handling", serde_json::json!([""])),
            ("handling", serde_json::json!(["x".repeat(MAX_HANDLING_CHARS + 1)])),
            ("handling", serde_json::json!(many)),
            ("embargo", serde_json::json!("soon")),
        ] {
            let text = serde_json::json!({ "tlp": "TLP:CLEAR", "purpose": "research", name: value }).to_string();
            assert!(serde_json::from_str::<Marking>(&text).is_err(), "{text}");
        }
        let late = Terms { embargo: Some(Timestamp::from_micros(i64::MAX)), ..Terms::default() };
        assert_eq!(late.check(), Err(UnfitTerms::Embargo));
    }
}
