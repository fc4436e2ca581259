//! The user's own rules at work beside the built-in ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hinomi_identify::{Engine, RuleError, UserRules, test_dir};
use hinomi_model::{Evidence, EvidenceKind, Facts, Identifier};

/// A rule on a server's header.
fn rule(name: &str, vendor: &str, confidence: u8) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nfield = \"http.server\"\npattern = '^Thing/(?<version>[0-9.]+)'\n\
         source = \"test\"\nvendor = \"{vendor}\"\nproduct = \"Thing\"\nversion = \"{{version}}\"\n\
         confidence = {confidence}\nexamples = [{{ text = \"Thing/1.0\", version = \"1.0\" }}]\n"
    )
}

/// A fingerprint of the same header.
fn fingerprint(vendor: &str) -> String {
    format!(
        "<fingerprints matches=\"http_header.server\">\n<fingerprint pattern=\"^Thing/(.+)$\">\n\
         <description>A thing</description>\n<example service.version=\"1.0\">Thing/1.0</example>\n\
         <param pos=\"0\" name=\"service.vendor\" value=\"{vendor}\"/>\n\
         <param pos=\"1\" name=\"service.version\"/>\n</fingerprint></fingerprints>"
    )
}

fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn engine(folder: &Path) -> Engine {
    Engine::with(UserRules::default().with(folder).expect("rules")).expect("an engine")
}

fn facts(engine: &Engine, server: &str) -> Facts {
    let page = format!("HTTP/1.1 200 OK\r\nServer: {server}\r\n\r\n");
    engine.identify(&[Evidence::new(EvidenceKind::Http, page)])
}

fn proofs(facts: &Facts) -> Vec<&str> {
    facts.proofs.iter().map(|proof| proof.rule.as_str()).collect()
}

#[test]
fn both_formats_of_one_folder_speak_and_say_which_file_they_stand_in() {
    let own = folder(&[("mine.toml", rule("mine/thing", "Maker", 60)), ("notes.txt", "not a rule".to_owned())]);
    let engine_own = engine(own.path());
    let found = facts(&engine_own, "Thing/2.1");
    assert_eq!((found.vendor.as_deref(), found.version.as_deref()), (Some("Maker"), Some("2.1")));
    assert_eq!(proofs(&found), ["user/mine.toml: thing"]);

    let mixed = folder(&[("mine.toml", rule("mine/other", "Maker", 60)), ("things.xml", fingerprint("Recog's"))]);
    let user = UserRules::default().with(mixed.path()).expect("rules");
    assert_eq!((user.rules(), user.fingerprints(), user.idle().count()), (1, 1, 0));
    let found = facts(&Engine::with(user).expect("an engine"), "Thing/2.1");
    assert_eq!(found.vendor.as_deref(), Some("Maker"), "our own format goes before Recog");
    assert_eq!(proofs(&found), ["user/mine.toml: other", "recog/things.xml: A thing"]);
    let report = test_dir(mixed.path()).expect("a report");
    assert_eq!((report.files, report.rules, report.examples, report.passed), (2, 2, 2, 2));
}

#[test]
fn a_rule_of_the_same_name_takes_the_place_of_the_built_in_one() {
    let builtin = Engine::builtin().expect("built-in rules");
    assert_eq!(facts(&builtin, "nginx/1.22.1").vendor.as_deref(), Some("F5"));
    let name = proofs(&facts(&builtin, "nginx/1.22.1"))[0].to_owned();
    let area = name.split_once('/').expect("a name").0;
    let mine = folder(&[(&format!("{area}.toml"), rule(&name, "Maker", 90))]);
    let engine = engine(mine.path());
    assert_eq!(facts(&engine, "nginx/1.22.1").vendor, None, "what nginx was is no longer there");
    assert_eq!(facts(&engine, "Thing/1.0").vendor.as_deref(), Some("Maker"));
    assert_eq!(engine.len(), builtin.len());
}

#[test]
fn the_revision_follows_every_file_its_name_and_its_place() {
    let text = rule("mine/thing", "Maker", 60);
    let folders = [
        folder(&[("mine.toml", text.clone())]),
        folder(&[("mine.toml", text.replace("Maker", "Other"))]),
        folder(&[("mine.toml", text.clone()), ("things.xml", fingerprint("A"))]),
        folder(&[("mine.toml", text.clone()), ("things.xml", fingerprint("B"))]),
        folder(&[("mine.toml", text), ("http_servers.xml", fingerprint("B"))]),
    ];
    let mut revisions: BTreeSet<String> =
        folders.iter().map(|folder| engine(folder.path()).revision().to_owned()).collect();
    let builtin = || Engine::builtin().expect("built-in rules").revision().to_owned();
    revisions.insert(builtin());
    assert_eq!(revisions.len(), folders.len() + 1);
    assert_eq!(builtin(), builtin());
    let again = || engine(folders[2].path()).revision().to_owned();
    assert_eq!(again(), again());
}

#[test]
fn nothing_of_a_folder_is_used_when_one_file_is_broken() {
    let good = ("mine.toml", rule("mine/thing", "Maker", 60));
    let broken = [
        ("b.toml", "[[rule]]\nname = \"b/x\"\n".to_owned(), "line 1"),
        ("b.toml", format!("\n{}", rule("b/x", "M", 0)), "b.toml, line 2: rule b/x: confidence 0"),
        ("b.xml", fingerprint("M").replace("(.+)$", "(.+$"), "b.xml, line 2: rule A thing: the pattern is not"),
        ("b.xml", fingerprint("M").replace("</fingerprint>", ""), "b.xml, line 7: "),
        (
            "b.xml",
            fingerprint("M").replace("(.+)", "(?:[a-z]{1000}){1000}"),
            "b.xml, line 2: rule A thing: the pattern needs",
        ),
    ];
    for (name, text, expected) in broken {
        let folder = folder(&[good.clone(), (name, text)]);
        let message = UserRules::default().with(folder.path()).expect_err("a refusal").to_string();
        assert!(message.contains(name) && message.contains(expected), "{expected:?} is not in: {message}");
    }
}

#[test]
fn two_folders_may_not_hold_the_same_file() {
    let one = folder(&[("mine.toml", rule("mine/thing", "Maker", 60))]);
    let two = folder(&[("mine.toml", rule("mine/other", "Maker", 60))]);
    let other = folder(&[("yours.toml", rule("yours/thing", "Maker", 60))]);
    let read = |path: &Path| UserRules::default().with(one.path()).and_then(|rules| rules.with(path));
    assert!(matches!(read(two.path()), Err(RuleError::SameFile { .. })));
    assert_eq!(read(other.path()).expect("rules").rules(), 2);
    let file = other.path().join("yours.toml");
    assert_eq!(read(&file).expect("rules of one file").rules(), 2);
    let empty = folder(&[]);
    assert!(matches!(read(empty.path()), Err(RuleError::Nothing { .. })));
}
