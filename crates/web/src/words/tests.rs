use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hinomi_model::{DeviceKind, EvidenceKind};

use super::*;
use crate::tags::KNOWN_TAGS;
use crate::watch::SurveyState;

/// Keys that code puts together from a prefix and a name of a fixed list.
fn composed() -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = DeviceKind::all().map(|kind| format!("kind-{kind}")).collect();
    keys.extend(EvidenceKind::all().map(|kind| format!("evidence-kind-{kind}")));
    keys.extend(crate::chart::Family::ALL.iter().map(|family| format!("family-{}", family.name())));
    keys.extend(KNOWN_TAGS.iter().flat_map(|tag| [format!("tag-{}", tag.name), format!("tag-why-{}", tag.name)]));
    keys.extend(crate::page::FACETS.iter().map(|facet| format!("facet-{facet}")));
    keys.extend(crate::page::CHANGES.iter().map(|change| format!("change-{change}")));
    keys.extend(hinomi_model::remark::ALL.iter().map(|(name, _)| format!("remark-{name}")));
    keys.extend(crate::page::organisation::CONCERNS.iter().map(|(name, _)| format!("organisation-{name}")));
    let concerns = hinomi_share::Concern::ALL.map(hinomi_share::Concern::name);
    keys.extend(concerns.iter().flat_map(|name| ["what", "why", "do"].map(|part| format!("own-{part}-{name}"))));
    keys.extend(["nothing", "some", "urgent"].map(|verdict| format!("own-{verdict}")));
    keys.extend(crate::page::WHATS.iter().map(|what| format!("watch-what-{what}")));
    keys.extend(["open", "closed", "pseudo"].map(|outcome| format!("outcome-{outcome}")));
    keys.extend(["open", "pseudo", "closed", "not-looked-at"].map(|was| format!("was-{was}")));
    keys.extend(
        ["second", "minute", "hour", "day", "year"]
            .iter()
            .flat_map(|unit| [format!("ago-{unit}"), format!("ahead-{unit}"), format!("span-{unit}")]),
    );
    keys.extend(crate::page::guide::QUESTIONS.iter().flat_map(|key| [(*key).to_owned(), format!("{key}-how")]));
    let states = [SurveyState::Running, SurveyState::Stopped, SurveyState::Finished];
    keys.extend(states.map(|state| format!("survey-{}", state.name())));
    keys.extend(hinomi_model::cnc::status::names::SUMS.map(|sum| format!("flow-sum-{}", sum.replace('_', "-"))));
    keys.extend(hinomi_model::cnc::status::names::FILE_REASONS.map(|(name, _)| format!("flow-file-{name}")));
    keys.extend(hinomi_model::cnc::status::names::FILE_ABOUTS.map(|(name, _)| format!("flow-about-{name}")));
    keys.extend(["running", "silent", "stopped"].map(|state| format!("flow-state-{state}")));
    keys.extend(["base", "result"].map(|step| format!("flow-step-{step}")));
    let ready = hinomi_model::PostQuantum::ALL.map(hinomi_model::PostQuantum::name);
    keys.extend(ready.iter().chain(&["unknown"]).map(|name| format!("pq-{name}")));
    let weaknesses = hinomi_model::crypto::WEAKNESSES.iter().map(|weakness| weakness.name.replace('.', "-"));
    keys.extend(weaknesses.map(|name| format!("weak-{name}")));
    keys.extend(["tls", "ssh"].map(|name| format!("crypto-ready-{name}")));
    keys.extend(
        hinomi_share::inventory::list_names()
            .flat_map(|name| [format!("crypto-list-{name}"), format!("crypto-column-{name}")]),
    );
    keys.extend(["versions", "ssh-exchanges", "weak"].map(|name| format!("crypto-note-{name}")));
    keys.extend(hinomi_share::inventory::certificate_names().map(|name| format!("certificates-{name}")));
    keys.extend(crate::page::account::PURPOSES.map(|purpose| format!("purpose-{purpose}")));
    keys.extend(hinomi_state::Role::ALL.map(|role| format!("role-{role}")));
    let rules = hinomi_share::rules::Rules::built_in().expect("rules").list();
    keys.extend(rules.iter().map(|rule| format!("rule-{}", rule.id)));
    keys.extend(["clear", "green", "amber", "amber-strict", "red"].map(|label| format!("label-{label}")));
    keys.extend(hinomi_share::ledger::KINDS.map(|kind| format!("ledger-{kind}")));
    let states = ["draft", "released", "sending", "sent", "unsure", "given-up", "void", "cancelled"];
    keys.extend(states.map(|state| format!("notices-state-{state}")));
    keys.extend(hinomi_state::notices::NoticeOutcome::ALL.map(|one| format!("notices-outcome-{one}")));
    keys.extend(["holder", "network", "as", "csirt"].map(|basis| format!("notices-basis-{basis}")));
    keys.extend(["critical", "high", "medium", "low"].map(|name| format!("notices-severity-{name}")));
    let left = ["no-party", "not-entitled", "no-contact", "opted-out", "changed-hands", "told", "too-many", "refused"];
    keys.extend(left.map(|why| format!("notices-left-{why}")));
    keys.extend(["password", "passkey", "provider"].map(|way| format!("way-{way}")));
    let alerts = &crate::page::organisation::alerts::WAYS;
    keys.extend(alerts.iter().chain(&["report"]).map(|way| format!("alerts-way-{way}")));
    keys.extend(crate::page::organisation::alerts::RHYTHMS.map(|every| format!("alerts-every-{every}")));
    keys.extend(crate::page::organisation::alerts::SILENCES.map(|again| format!("alerts-again-{again}")));
    keys.extend(crate::page::organisation::alerts::STATES.map(|state| format!("alerts-state-{state}")));
    keys.extend(["open", "odd", "closed", "silent", "not"].map(|met| format!("outside-met-{met}")));
    keys.extend(["busy", "changed", "unwritten", "failed"].map(|why| format!("outside-no-{why}")));
    keys.extend(crate::api::problem::CODES.iter().map(|code| format!("problem-{code}")));
    keys
}

fn keys(language: Language) -> BTreeSet<String> {
    let lines = sources(language).iter().flat_map(|source| source.lines());
    let starts = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    starts.filter_map(|line| line.split_once(" =")).map(|(key, _)| key.to_owned()).collect()
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
}

/// Every `"text"` in sources and templates.
fn literals() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("src"), &mut paths);
    files(&root.join("templates"), &mut paths);
    let texts = paths.iter().map(|path| fs::read_to_string(path).expect("text"));
    texts.flat_map(|text| text.split('"').map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What the templates ask for.
fn asked() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("templates"), &mut paths);
    files(&root.join("src"), &mut paths);
    let mut asked = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(path).expect("text");
        for call in ["w.say(\"", "words.say(\"", "w.count(\"", "words.count(\"", "w.with(\"", "words.with(\""] {
            asked.extend(text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    asked
}

#[test]
fn both_languages_have_the_same_keys() {
    let (japanese, english) = (keys(Language::Japanese), keys(Language::English));
    let missing: Vec<_> = japanese.symmetric_difference(&english).collect();
    assert!(missing.is_empty(), "in one language only: {missing:?}");
    assert!(japanese.len() > 150, "the catalogues are read: {}", japanese.len());
}

#[test]
fn what_a_collector_counts_has_a_text_of_its_own_in_japanese() {
    let is_japanese = |letter: char| matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}');
    let lines = sources(Language::Japanese).iter().flat_map(|source| source.lines());
    let told: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(" = ")).collect();
    let of = |prefix: &'static str| told.iter().filter(move |(key, _)| key.starts_with(prefix));
    let counted: Vec<_> = of("flow-sum-").chain(of("flow-file-")).chain(of("flow-about-")).collect();
    assert!(counted.len() > 90, "{}", counted.len());
    let left: Vec<_> = counted.into_iter().filter(|(_, text)| !text.contains(is_japanese)).collect();
    assert!(left.is_empty(), "as it stands in the status: {left:?}");
}

#[test]
fn every_key_is_used_and_every_used_key_exists() {
    let present = keys(Language::English);
    let (literals, composed) = (literals(), composed());
    let idle: Vec<_> = present.iter().filter(|key| !literals.contains(*key) && !composed.contains(*key)).collect();
    assert!(idle.is_empty(), "never used: {idle:?}");
    let absent: Vec<_> = asked().union(&composed).filter(|key| !present.contains(*key)).cloned().collect();
    assert!(absent.is_empty(), "used but in no catalogue: {absent:?}");
}

#[test]
fn variables_agree_between_the_languages() {
    let variables = |language| -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        let mut key = String::new();
        for line in sources(language).iter().flat_map(|source| source.lines()) {
            if let Some((start, _)) = line.split_once(" =").filter(|_| !line.starts_with([' ', '#', '['])) {
                key = start.to_owned();
            }
            for variable in ["$n", "$count", "$it"] {
                // The number that chooses a form need not be named where a language has one form.
                if variable != "$n" && line.contains(variable) {
                    found.insert((key.clone(), variable.to_owned()));
                }
            }
        }
        found
    };
    assert_eq!(variables(Language::Japanese), variables(Language::English));
}

#[test]
fn numbers_choose_their_form() {
    let catalogues = Catalogues::load().expect("catalogues");
    let english = catalogues.words(Language::English);
    assert_eq!(english.count("services-count", 1), "1 service");
    assert_eq!(english.count("services-count", 4_096), "4,096 services");
    assert_eq!(catalogues.words(Language::Japanese).count("services-count", 4_096), "4,096 サービス");
    assert_eq!(english.find("kind-", "../x"), None);
}
