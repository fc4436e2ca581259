//! The text of a notice, in the language of who reads it: what was seen, how sure that is, what to do, how to answer.
//!
//! Everything that a host said is on one line, bounded, in quotes and without characters that act ([`line`]).

mod en;
mod ja;

use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_state::contacts::Language;
use hinomi_state::notices::{Party, Said};

use super::Settings;

/// Findings that the text lists; the table that goes with it has all.
const MAX_LISTED: usize = 50;

/// How far clocks in Japan are ahead.
const JAPAN: Duration = Duration::from_secs(9 * 3_600);

/// What a text is made of.
pub(super) struct Letter<'a> {
    pub(super) settings: &'a Settings,
    pub(super) party: &'a Party,
    /// The name of the organisation, in the reader's language.
    pub(super) organisation: &'a str,
    pub(super) token: &'a str,
    pub(super) label: &'a str,
    /// Under which campaign and scope; may be empty.
    pub(super) scope: &'a str,
    pub(super) said: &'a [Said],
    pub(super) now: Timestamp,
}

/// The words of one concern: what it is, and what to do about it.
struct Words {
    name: &'static str,
    what: &'static str,
    act: &'static str,
}

/// What is open, in a word of this language.
pub fn concern_word(language: Language, concern: &str) -> &'static str {
    words(language, concern).name
}

fn words(language: Language, concern: &str) -> &'static Words {
    let table = match language {
        Language::Ja => ja::CONCERNS,
        Language::En => en::CONCERNS,
    };
    let found = table.iter().find(|(name, _)| *name == concern).or_else(|| table.last());
    found.map_or(&Words { name: "", what: "", act: "" }, |(_, words)| words)
}

/// One line: who, how many, and the token that answers are found by.
pub(super) fn subject(letter: &Letter<'_>) -> String {
    let count = letter.said.len();
    let worst = letter.said.first().map_or("", |one| concern_word(letter.party.language, &one.concern));
    match letter.party.language {
        Language::Ja => {
            format!("[Hinomi {}] インターネットから使える機器について（{worst} など {count} 件）", letter.token)
        }
        Language::En => format!("[Hinomi {}] Devices open to the internet ({worst}; {count} in all)", letter.token),
    }
}

/// The text.
pub(super) fn body(letter: &Letter<'_>) -> String {
    match letter.party.language {
        Language::Ja => ja::body(letter),
        Language::En => en::body(letter),
    }
}

/// Text of a host or a person on one line of so many characters, without what would act or deceive.
pub(super) fn line(text: &str, most: usize) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let plain: String = text.chars().map(|c| if acts(c) || c.is_whitespace() { ' ' } else { c }).collect();
    let mut words = String::new();
    for word in plain.split(' ').filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    match words.chars().count() > most {
        true => words.chars().take(most).chain(['…']).collect(),
        false => words,
    }
}

/// A moment as `2026-11-22 00:30 UTC`.
fn utc(time: Timestamp) -> String {
    let at = time.to_utc();
    let (date, clock) = (at.date(), at.time());
    format!("{date} {:02}:{:02} UTC", clock.hour(), clock.minute())
}

/// The same moment as clocks in Japan show it: `2026-11-22 09:30`.
fn jst(time: Timestamp) -> String {
    let at = time.plus(JAPAN).to_utc();
    let (date, clock) = (at.date(), at.time());
    format!("{date} {:02}:{:02}", clock.hour(), clock.minute())
}

/// What the letter tells, each kind of it once, in order.
fn concerns<'a>(said: &'a [Said]) -> Vec<&'a str> {
    let mut named: Vec<&'a str> = Vec::new();
    for one in said {
        if !named.contains(&one.concern.as_str()) {
            named.push(&one.concern);
        }
    }
    named
}

/// Licences and words of handling of what it tells, each once.
fn terms(said: &[Said]) -> String {
    let all: BTreeSet<&str> = said.iter().flat_map(|one| &one.terms).map(String::as_str).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::concern_names;

    #[test]
    fn each_concern_has_words_in_both_languages() {
        for table in [ja::CONCERNS, en::CONCERNS] {
            assert!(concern_names().all(|name| table.iter().any(|(each, _)| *each == name)));
            assert_eq!(table.len(), concern_names().count());
            assert!(
                table.iter().all(|(_, words)| [words.name, words.what, words.act].iter().all(|text| !text.is_empty()))
            );
        }
    }

    #[test]
    fn a_line_of_a_host_stays_one() {
        assert_eq!(line("a\r\nBcc: x@y.z\u{202e}\u{2028} b\t\tc", 99), "a Bcc: x@y.z b c");
        assert_eq!(line("あいう", 2), "あい…");
    }

    #[test]
    fn moments_are_told_by_both_clocks() {
        let time: Timestamp = "2026-12-31T15:30:59Z".parse().unwrap();
        assert_eq!((utc(time).as_str(), jst(time).as_str()), ("2026-12-31 15:30 UTC", "2027-01-01 00:30"));
    }
}
