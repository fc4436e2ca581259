//! Reasons and verdicts as sentences, in both languages.
//!
//! The catalogues are Fluent files without selectors, one message a name; command line and pages fill them in here.
//! Numbers are formatted the same in both, and no sentence has to agree with one in number: `clients: 1`.

use super::{Code, Corroboration, Evidence, ExportVerdict, Group, KeptBack, Refutation, Withdrawn};

/// Words in English.
pub const ENGLISH: &str = include_str!("../../locales/cnc-en.ftl");
/// Words in Japanese.
pub const JAPANESE: &str = include_str!("../../locales/cnc-ja.ftl");

/// The sentence of a reason; its code where the catalogue lacks it.
pub fn sentence(catalogue: &str, reason: &Evidence) -> String {
    let values = reason.values.iter().map(|(name, value)| (name.as_str(), figure(name, *value)));
    let undated = if reason.value("age_days").is_some_and(|days| days < 0.0) { "-undated" } else { "" };
    fill(catalogue, &format!("flow-{}{undated}", reason.code.name()), values)
}

/// The number of that name: shares as people say them.
fn figure(name: &str, value: f64) -> String {
    if name == "share" { format!("{}%", number(value * 100.0)) } else { number(value) }
}

/// A reason in a word or two, for pictures and tables.
pub fn short(catalogue: &str, code: Code) -> String {
    fill(catalogue, &format!("flow-short-{}", code.name()), [])
}

/// What a group looks at, in a word.
pub fn group(catalogue: &str, group: Group) -> String {
    fill(catalogue, &format!("flow-group-{}", group.name()), [])
}

/// What would refute a finding, as a sentence.
pub fn refutation(catalogue: &str, refutation: Refutation) -> String {
    fill(catalogue, &format!("flow-refute-{}", refutation.name()), [])
}

/// Why a finding was taken back.
pub fn withdrawn(catalogue: &str, reason: Withdrawn) -> String {
    fill(catalogue, &format!("flow-withdrawn-{}", reason.name()), [])
}

/// Whether a finding may leave, and why or why not.
pub fn verdict(catalogue: &str, verdict: &ExportVerdict) -> String {
    match verdict {
        ExportVerdict::Passes { corroboration } if corroboration.is_empty() => fill(catalogue, "flow-passes", []),
        ExportVerdict::Passes { corroboration } => {
            let names: Vec<String> = corroboration.iter().map(|witness| corroborated(catalogue, *witness)).collect();
            fill(catalogue, "flow-passes-corroborated", [("by", names.join(", "))])
        }
        ExportVerdict::KeptBack { reason } => kept_back(catalogue, reason),
    }
}

/// Why a finding stays inside.
pub fn kept_back(catalogue: &str, reason: &KeptBack) -> String {
    let values = match reason {
        KeptBack::TooFewClients { had, k } => vec![("had", had.to_string()), ("k", k.to_string())],
        KeptBack::MemberOnly { member } => vec![("member", member.clone())],
        KeptBack::OneEpoch | KeptBack::Unsure | KeptBack::NoTransport => Vec::new(),
    };
    fill(catalogue, &format!("flow-kept-{}", reason.name()), values)
}

fn corroborated(catalogue: &str, witness: Corroboration) -> String {
    fill(catalogue, &format!("flow-corroboration-{}", witness.name()), [])
}

/// The message of that key.
pub fn message<'a>(catalogue: &'a str, key: &str) -> Option<&'a str> {
    catalogue.lines().find_map(|line| line.split_once(" = ").filter(|(known, _)| *known == key).map(|(_, text)| text))
}

fn fill<'a>(catalogue: &str, key: &str, values: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let Some(pattern) = message(catalogue, key) else { return key.to_owned() };
    let put = |text: String, (name, value): (&str, String)| text.replace(&format!("{{ ${name} }}"), &value);
    values.into_iter().fold(pattern.to_owned(), put)
}

/// Whole where it is large, three figures where it is small.
pub fn number(value: f64) -> String {
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

    use super::*;

    fn variables(text: &str) -> BTreeSet<&str> {
        text.split("{ $").skip(1).filter_map(|part| part.split(" }").next()).collect()
    }

    fn keys() -> Vec<String> {
        let codes =
            Code::ALL.iter().flat_map(|code| ["flow", "flow-short"].map(|kind| format!("{kind}-{}", code.name())));
        let groups = Group::ALL.iter().map(|group| format!("flow-group-{}", group.name()));
        let refutations = Refutation::ALL.iter().map(|refutation| format!("flow-refute-{}", refutation.name()));
        let withdrawn = Withdrawn::ALL.iter().map(|reason| format!("flow-withdrawn-{}", reason.name()));
        let kept = KeptBack::NAMES.iter().map(|name| format!("flow-kept-{name}"));
        let witnesses = Corroboration::ALL.iter().map(|witness| format!("flow-corroboration-{}", witness.name()));
        let passes = ["flow-passes", "flow-passes-corroborated"].map(str::to_owned);
        let undated = [Code::SeedEndpoint, Code::SeedHost].map(|code| format!("flow-{}-undated", code.name()));
        let codes = codes.chain(undated);
        codes.chain(groups).chain(refutations).chain(withdrawn).chain(kept).chain(witnesses).chain(passes).collect()
    }

    #[test]
    fn both_catalogues_have_every_name_with_the_same_variables() {
        let keys = keys();
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
        let told = sentence(ENGLISH, &reason);
        assert!(told.starts_with("7 connections in vain in a row, every 22.0 s, clients: 1"), "{told}");
        assert!(!sentence(JAPANESE, &reason).contains("{ $"));
        for (code, days, figure) in [(Code::SeedEndpoint, 3.0, "3"), (Code::SeedHost, -1.0, "-1")] {
            let listed = Evidence::new(code, 4.0, &[("age_days", days), ("lists", 1.0)]);
            for told in [ENGLISH, JAPANESE].map(|catalogue| sentence(catalogue, &listed)) {
                assert!(!told.contains("{ $") && !told.starts_with("flow-"), "{told}");
                assert_eq!(told.contains(figure), days >= 0.0, "{told}");
            }
        }
        let popular = Evidence::new(Code::ContextPopular, -0.8, &[("share", 0.0077)]);
        assert_eq!(sentence(ENGLISH, &popular), "against: 0.77% of all subscribers reach it");
    }

    #[test]
    fn verdicts_say_why() {
        let few = ExportVerdict::KeptBack { reason: KeptBack::TooFewClients { had: 3, k: 5 } };
        assert!(["3", "5"].iter().all(|figure| verdict(ENGLISH, &few).contains(figure)));
        let seeded = ExportVerdict::Passes { corroboration: BTreeSet::from([Corroboration::Seed]) };
        for catalogue in [ENGLISH, JAPANESE] {
            assert!(!verdict(catalogue, &seeded).contains("{ $") && !verdict(catalogue, &few).contains("{ $"));
        }
    }
}
