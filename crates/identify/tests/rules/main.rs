//! Rules against their own examples, against each other, and against what is wrong on purpose.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests, outside the test functions")]

use std::fs;
use std::path::Path;

use hinomi_identify::Rules;

mod broken;
mod conformance;
mod fields;
mod hostile;
mod user;
mod whole;

#[test]
fn every_builtin_example_holds() {
    let rules = Rules::builtin().expect("built-in rules");
    rules.compile().expect("every pattern compiles");
    let report = rules.test();
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), report.examples, failures.join("\n"));
    assert!(report.rules >= 250 && report.examples >= report.rules, "{} rules", report.rules);
    assert_eq!(report.passed, report.examples);
}

#[test]
fn every_rule_file_is_built_in_and_says_what_it_covers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let from_folder = Rules::from_dir(&folder).expect("the folder");
    assert_eq!(from_folder.len(), Rules::builtin().expect("built-in rules").len(), "a file is missing in rules.rs");
    for entry in fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.starts_with("# "), "{} has no comment that says what it covers", path.display());
    }
}
