//! Rules that are wrong on purpose: each must be refused with the file, the rule and what to do.

use std::fs;

use hinomi_identify::{Rules, recog, test_dir};

/// A good rule with one line in place of another.
fn rule_with(line: &str, other: &str) -> String {
    let good = "[[rule]]\nname = \"web/some\"\nfield = \"http.server\"\npattern = '^Some/(?<version>[0-9.]+)'\n\
                source = \"test\"\nvendor = \"Some\"\nversion = \"{version}\"\nconfidence = 90\n\
                examples = [{ text = \"Some/1.0\", version = \"1.0\" }]\n";
    assert!(good.contains(line), "the good rule has the line {line}");
    good.replace(line, other)
}

fn refusal(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("web.toml"), text).expect("a file");
    Rules::from_dir(folder.path()).expect_err("a refusal").to_string()
}

#[test]
fn wrong_rules_are_refused_with_file_rule_and_advice() {
    let pattern = "'^Some/(?<version>[0-9.]+)'";
    let huge = format!("'{}(?<version>x)'", "x".repeat(3000));
    let cases = [
        (pattern, "'^Some/(?<version>[0-9.+'", "not a regular expression"),
        (pattern, "'(?<version>(?:[a-z]{1000}){1000})'", "too much memory"),
        (pattern, huge.as_str(), "more than 2048"),
        (pattern, "'(?=a)(?<version>b)'", "look-around"),
        ("\"{version}\"", "\"{verzion}\"", "no such group"),
        ("\"{version}\"", "\"{version\"", "write {name}"),
        ("http.server", "http.servr", "the nearest one is http.server; all of them are in the handbook"),
        ("web/some", "ssh/some", "must be web/"),
        ("source = \"test\"\n", "", "source is missing"),
        ("confidence = 90", "confidence = 0", "1 to 100"),
        ("examples = [{ text = \"Some/1.0\", version = \"1.0\" }]", "examples = []", "examples is missing"),
        ("vendor = \"Some\"\nversion = \"{version}\"\n", "", "yields nothing"),
        ("vendor = \"Some\"", "vendor = \"Some\"\ncpe = \"cpe:2.3:a:some\"", "thirteen"),
        ("source = \"test\"", "source = \"test\"\nequals = \"x\"", "exactly one of pattern, equals, contains"),
    ];
    for (line, other, expected) in cases {
        let message = refusal(&rule_with(line, other));
        assert!(message.starts_with("web.toml, line 1: rule "), "{message}");
        assert!(message.contains(expected), "{expected:?} is not in: {message}");
    }
}

#[test]
fn the_line_is_that_of_the_wrong_rule() {
    let good = rule_with("web/some", "web/good");
    let message = refusal(&format!("# a comment\n\n{good}\n{}", rule_with("confidence = 90", "confidence = 0")));
    assert!(message.starts_with("web.toml, line 13: rule web/some: "), "{message}");
}

#[test]
fn unknown_keys_and_broken_toml_show_the_line() {
    let message = refusal(&rule_with("vendor", "vendr"));
    assert!(message.contains("web.toml") && message.contains("vendr") && message.contains("line 6"), "{message}");
    let message = refusal("[[rule]\n");
    assert!(message.contains("line 1"), "{message}");
}

#[test]
fn a_name_is_used_once() {
    let rule = rule_with("web/some", "web/some");
    let message = refusal(&format!("{rule}{rule}"));
    assert!(message.starts_with("web.toml, line 10: rule web/some has the name of the rule in line 1; "), "{message}");
}

#[test]
fn examples_that_fail_are_told_with_what_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = rule_with("version = \"1.0\" }]", "version = \"1.1\" }, { text = \"Other/1\" }]\nnot = [\"Some/2\"]");
    fs::write(folder.path().join("web.toml"), wrong).expect("a file");
    let report = test_dir(folder.path()).expect("a report");
    let reasons: Vec<&str> = report.failures.iter().map(|failure| failure.reason.as_str()).collect();
    assert_eq!((report.examples, report.passed), (3, 0));
    assert_eq!(reasons[0], "version: the example states \"1.1\", the rule gives \"1.0\"");
    assert!(reasons[1].contains("does not match") && reasons[2].contains("under not"), "{reasons:?}");
    assert!(report.failures[0].to_string().contains("web.toml: web/some: "));
}

#[test]
fn a_capture_that_an_example_leaves_out_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("web.toml"), rule_with(", version = \"1.0\"", "")).expect("a file");
    let report = test_dir(&folder.path().join("web.toml")).expect("a report");
    assert_eq!(report.failures[0].reason, "version: the example states nothing, the rule gives \"1.0\"");
}

#[test]
fn folders_without_rules_are_told_apart_from_unreadable_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = test_dir(folder.path()).expect_err("nothing").to_string();
    assert!(message.contains("no rule files"), "{message}");
    let message = test_dir(&folder.path().join("absent")).expect_err("nothing").to_string();
    assert!(message.contains("cannot read"), "{message}");
    fs::write(folder.path().join("web.toml"), [0xff, 0xfe]).expect("a file");
    let message = test_dir(folder.path()).expect_err("no text").to_string();
    assert!(message.contains("web.toml: line 1 is not UTF-8"), "{message}");
    fs::write(folder.path().join("web.toml"), vec![b'#'; hinomi_identify::MAX_FILE_BYTES + 1]).expect("a file");
    let message = test_dir(folder.path()).expect_err("too large").to_string();
    assert!(message.contains("split it"), "{message}");
}

#[test]
fn hostile_xml_is_refused() {
    let bomb = "<!DOCTYPE f [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><fingerprints matches=\"x\"/>";
    let good = "<fingerprints matches=\"ssh.banner\"><fingerprint pattern=\"^(a)$\"><description>d</description>\
                <example service.version=\"a\">a</example><param pos=\"1\" name=\"service.version\"/></fingerprint>\
                </fingerprints>";
    let cases = [
        (bomb.to_owned(), "document type"),
        (good.replace(">a</example>", ">&b;</example>"), "entity"),
        (good.replace("</fingerprints>", ""), "ends before"),
        (good.replace("<description>d</description>", "<thing/>"), "element"),
        (good.replace("(a)", "(a"), "not a regular expression"),
        (good.replace("pos=\"1\"", "pos=\"2\""), "no such group"),
        (good.replace("pos=\"1\"", "pos=\"x\""), "no number"),
        ("<html></html>".to_owned(), "first element"),
    ];
    for (text, expected) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ssh_banners.xml"), &text).expect("a file");
        let message = recog::Database::from_dir(folder.path()).expect_err("a refusal").to_string();
        assert!(message.starts_with("ssh_banners.xml, line 1: "), "{message}");
        assert!(message.contains(expected), "{expected:?} not in: {message}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("ssh_banners.xml"), good).expect("a file");
    assert_eq!(recog::conformance(folder.path()).expect("a report").passed, 1);
    let outside = good.replace("<example ", "<example _filename=\"../secret\" ");
    fs::write(folder.path().join("ssh_banners.xml"), outside).expect("a file");
    let report = recog::conformance(folder.path()).expect("a report");
    assert!(report.failures[0].reason.contains("not a plain file name"), "{report:?}");
}
