//! The user's own rules: those in the state folder and those of a folder named on the command line.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::Installation;

/// A scan in which one service greets so.
fn scan(here: &Installation) -> String {
    let record = r#"{"ip":"192.0.2.9","data":{"ftp":{"status":"success","protocol":"ftp","port":21,
        "timestamp":"2026-01-02T03:04:05Z","result":{"banner":"220 Thing FTP server 2.1 ready\r\n"}}}}"#;
    let file = here.path("scan.jsonl");
    fs::write(&file, record.replace('\n', "") + "\n").expect("written");
    file.to_str().expect("a path").to_owned()
}

/// A rule that knows it.
fn rule(vendor: &str) -> String {
    format!(
        "[[rule]]\nname = \"mine/thing\"\nfield = \"line\"\npattern = '^220 Thing FTP server (?<version>[0-9.]+)'\n\
         source = \"test\"\nvendor = \"{vendor}\"\nproduct = \"Thing\"\nversion = \"{{version}}\"\nconfidence = 90\n\
         examples = [{{ text = \"220 Thing FTP server 2.1 ready\", version = \"2.1\" }}]\n"
    )
}

/// A fingerprint that knows it.
const FINGERPRINT: &str = "<fingerprints matches=\"ftp.banner\">\n\
    <fingerprint pattern=\"^Thing FTP server ([\\d.]+) ready$\">\n<description>A thing</description>\n\
    <example service.version=\"2.1\">Thing FTP server 2.1 ready</example>\n\
    <param pos=\"0\" name=\"service.vendor\" value=\"By Recog\"/>\n<param pos=\"1\" name=\"service.version\"/>\n\
    </fingerprint>\n</fingerprints>\n";

fn service(here: &Installation) -> Value {
    let services = here.services();
    assert_eq!(services.len(), 1, "{services:?}");
    services.into_iter().next().expect("one")
}

/// The rules that the facts of the one service rest on.
fn proofs(here: &Installation) -> Vec<String> {
    let host = here.json(&["host", "192.0.2.9"]);
    let proofs = host["services"][0]["proofs"].as_array().cloned().unwrap_or_else(|| panic!("no proofs: {host}"));
    proofs.iter().map(|proof| proof["rule"].as_str().expect("a rule").to_owned()).collect()
}

fn talk(here: &Installation, arguments: &[&str]) -> String {
    let output = here.run(arguments);
    let talk = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "hinomi {arguments:?}: {talk}");
    talk
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

#[test]
fn rules_in_the_state_folder_are_used_and_improve_the_past() {
    let here = Installation::new();
    let scan = scan(&here);
    here.succeed(&["import", &scan]);
    assert_eq!(service(&here)["vendor"], Value::Null);
    let rules = here.state().join("rules");
    assert!(rules.is_dir(), "the folder is there to be found");
    fs::write(rules.join("mine.toml"), rule("Maker")).expect("written");
    let said = talk(&here, &["import", &scan]);
    assert!(said.contains("1 of them yours") && said.contains("1 contents were identified by other rules"), "{said}");
    assert_eq!(service(&here)["vendor"], Value::Null, "what is known stays until it is derived again");
    let report = here.json(&["identify", "--again"]);
    assert_eq!((&report["total"], &report["changed"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(service(&here)["vendor"], "Maker");
    assert_eq!(service(&here)["version"], "2.1");
    assert!(proofs(&here).contains(&"user/mine.toml: thing".to_owned()), "{:?}", proofs(&here));
    let said = talk(&here, &["import", &scan]);
    assert!(!said.contains("other rules"), "{said}");
    let builtin = Installation::new().json(&["rules", "test"]);
    let all = here.json(&["rules", "test"]);
    assert_eq!(all["rules"].as_u64(), builtin["rules"].as_u64().map(|rules| rules + 1));
}

#[test]
fn a_folder_of_both_formats_is_used_where_it_is_named() {
    let here = Installation::new();
    let folder = here.path("mixed");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("mine.toml"), rule("Maker")).expect("written");
    fs::write(folder.join("things.xml"), FINGERPRINT).expect("written");
    let report = here.json(&["rules", "test", text(&folder)]);
    assert_eq!((&report["files"], &report["passed"]), (&Value::from(2), &Value::from(2)), "{report}");
    here.succeed(&["import", &scan(&here), "--rules", text(&folder)]);
    assert_eq!(service(&here)["vendor"], "Maker", "our own format goes before Recog");
    here.succeed(&["identify", "--again", "--rules", text(&folder.join("things.xml"))]);
    assert_eq!(service(&here)["vendor"], "By Recog");
    assert!(proofs(&here).contains(&"recog/things.xml: A thing".to_owned()), "{:?}", proofs(&here));
    here.succeed(&["identify", "--again"]);
    assert_eq!(service(&here)["vendor"], Value::Null, "a folder that is named counts for that one run");
    let said = here.fail(&["--rules", text(&folder), "import", "x"]);
    assert!(said.contains("after the command"), "{said}");
}

#[test]
fn a_broken_file_stops_what_writes_facts_and_says_where_and_what_to_do() {
    let here = Installation::new();
    let scan = scan(&here);
    here.succeed(&["import", &scan]);
    let rules = here.state().join("rules");
    fs::write(rules.join("mine.toml"), rule("Maker")).expect("written");
    fs::write(
        rules.join("wrong.toml"),
        format!("\n\n{}", rule("M").replace("mine/", "wrong/").replace("\"line\"", "\"lin\"")),
    )
    .expect("written");
    for command in [&["import", &scan][..], &["identify", "--again"], &["rules", "test"]] {
        let said = here.fail(command);
        for part in ["wrong.toml, line 3", "wrong/thing", "nearest one is line", "Evidence and its fields"] {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }
    assert_eq!(service(&here)["vendor"], Value::Null);
    let said = talk(&here, &["search"]);
    assert!(said.contains("wrong.toml, line 3") && said.contains("what is stored is shown"), "{said}");
}
