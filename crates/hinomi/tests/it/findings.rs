//! Findings on the command line: read before a witness, shared with an approver, taken back, and nobody's address left.

use std::collections::BTreeSet;
use std::fs;

use hinomi_lake::cnc::Journal;
use hinomi_model::cnc::{Code, Evidence, ExportVerdict, Finding, KeptBack, Message, Visibility, fuse};
use hinomi_model::{Clock, SystemClock, Timestamp};
use serde_json::Value;

use crate::program::Installation;

fn finding(endpoint: &str, time: Timestamp) -> Finding {
    let values = [("gap_seconds", 61.0), ("run", 12.0), ("clients", 23.0)];
    let reasons = vec![
        Evidence::new(Code::BeaconFailed, 5.0, &values),
        Evidence::new(Code::GraphPort, 5.0, &[("port", 1_337.0), ("ratio", 310.0), ("seeds", 12.0)]),
    ];
    let fused = fuse(5e-4, &reasons);
    Finding {
        endpoint: endpoint.parse().expect("an endpoint"),
        time,
        confidence: fused.confidence(),
        refuted_by: Finding::refutations(&reasons),
        fused,
        reasons,
        counter_evidence: Vec::new(),
        base_rate: 5e-4,
        epochs: 3,
        clients: 23,
        visibility: Visibility { sampling: 1, sampling_unknown: false, loss: 0.0, confidence_if_all_seen: 0.9 },
    }
}

/// An installation whose collector found one endpoint that may leave and one that may not.
fn collected() -> Installation {
    let hinomi = Installation::new();
    let now = SystemClock.now();
    let passes = ExportVerdict::Passes { corroboration: BTreeSet::new() };
    let few = ExportVerdict::KeptBack { reason: KeptBack::TooFewClients { had: 4, k: 5 } };
    let found = |endpoint, export| Message::Found { finding: Box::new(finding(endpoint, now)), export };
    let messages = [found("203.0.113.9:1337/tcp", passes), found("198.51.100.4:6667/tcp", few)];
    Journal::of_state(&hinomi.state()).append(&messages, now).expect("written");
    hinomi
}

fn text(hinomi: &Installation, arguments: &[&str]) -> String {
    let output = hinomi.run(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn json(hinomi: &Installation, arguments: &[&str]) -> Value {
    serde_json::from_str(&text(hinomi, &[arguments, &["--json"]].concat())).expect("JSON")
}

#[test]
fn what_is_held_is_told_with_reasons_and_every_look_is_written_down() {
    let hinomi = collected();
    let table = text(&hinomi, &["flow", "findings"]);
    let few = "distinct clients in one epoch: at most 4, asked for: 5";
    for told in ["203.0.113.9:1337/tcp", "vain attempts", "may be shared", few] {
        assert!(table.contains(told), "{told}: {table}");
    }
    let why = text(&hinomi, &["flow", "why", "203.0.113.9:1337", "--japanese"]);
    assert!(why.contains("失敗した接続が 61 秒ごとに 12 回続いています"), "{why}");
    assert_eq!(json(&hinomi, &["flow", "findings"])["held"].as_array().map(Vec::len), Some(2));
    assert!(!hinomi.run(&["flow", "why", "203.0.113.1:1"]).status.success(), "nothing is known of it");
    let entries = json(&hinomi, &["flow", "ledger"]);
    let looks: Vec<&str> =
        entries.as_array().expect("a list").iter().filter_map(|entry| entry["event"]["what"].as_str()).collect();
    assert_eq!(looks, ["held findings", "one finding", "held findings", "one finding", "one finding"]);
    let ledger = fs::read_to_string(hinomi.state().join("flow/ledger.jsonl")).expect("a ledger");
    assert!(!ledger.contains("203.0.113") && !ledger.contains("198.51.100"), "{ledger}");
}

#[test]
fn nothing_leaves_without_an_approver_and_what_leaves_cannot_say_who_or_when() {
    let hinomi = collected();
    let out = hinomi.path("list.json");
    let path = out.to_str().expect("text");
    assert!(text(&hinomi, &["flow", "export"]).contains("203.0.113.9:1337/tcp"));
    assert!(!hinomi.run(&["flow", "export", "--out", path]).status.success(), "nobody approves");
    assert!(!out.exists());
    let (journal, noted) = (Journal::of_state(&hinomi.state()), "flow/ledger.jsonl");
    let written =
        || (fs::read(journal.path()).expect("a journal"), fs::read(hinomi.state().join(noted)).expect("a ledger"));
    let untouched = written();
    let folder = hinomi.state();
    for name in [folder.to_str().expect("text"), &format!("{path}/")] {
        assert!(
            !hinomi.run(&["flow", "export", "--approve", "A", "--out", name]).status.success(),
            "{name} is a folder"
        );
    }
    assert!(written() == untouched, "nothing is written down of a list that cannot be written");
    text(&hinomi, &["flow", "export", "--format", "json", "--approve", "the duty officer", "--out", path]);
    let list: Value = serde_json::from_str(&fs::read_to_string(&out).expect("a list")).expect("JSON");
    let [record] = list["endpoints"].as_array().expect("a list").as_slice() else { panic!("one record: {list}") };
    let fields: BTreeSet<&str> = record.as_object().expect("a record").keys().map(String::as_str).collect();
    let six = ["address", "port", "transport", "confidence_percent", "valid_until", "purpose"];
    assert_eq!(fields, BTreeSet::from(six));
    let entries = json(&hinomi, &["flow", "ledger"]);
    let exported = entries.as_array().expect("a list").last().expect("an entry")["event"].clone();
    assert_eq!((exported["kind"].as_str(), exported["records"].as_u64()), (Some("exported"), Some(1)));
    assert_eq!(exported["by"], "the duty officer");
}

#[test]
fn what_somebody_refutes_is_gone_and_the_next_list_withdraws_it() {
    let hinomi = collected();
    let list = |name: &str| {
        let out = hinomi.path(name);
        text(&hinomi, &["flow", "export", "--approve", "A", "--out", out.to_str().expect("text")]);
        fs::read_to_string(out).expect("a list")
    };
    assert!(list("first.csv").contains("203.0.113.9,1337,tcp,90,"));
    let before = SystemClock.now();
    fs::write(hinomi.path("checkpoint"), text(&hinomi, &["flow", "ledger", "checkpoint"])).expect("noted down");
    let refute = |reason| hinomi.run(&["flow", "refute", "203.0.113.9:1337", "--by", "B", "--reason", reason]);
    assert!(!refute("203.0.113.9 is ours").status.success(), "no address goes into the ledger");
    assert!(refute("it is our mail server").status.success());
    assert!(!refute("it is our mail server").status.success(), "it is not held any more");
    assert!(text(&hinomi, &["flow", "findings", "--all"]).contains("somebody showed that it is wrong"));
    assert!(list("second.csv").contains("203.0.113.9,1337,tcp,,,cnc-detection,withdrawn"));
    assert!(list("third.csv").contains("203.0.113.9,1337,tcp,,,cnc-detection,withdrawn"), "for each reader and form");
    let before = before.to_string();
    assert!(text(&hinomi, &["flow", "findings", "--at", &before]).contains("203.0.113.9:1337"), "as it stood then");
    assert!(text(&hinomi, &["flow", "why", "203.0.113.9:1337", "--at", &before]).contains("told first"));
    let checkpoint = hinomi.path("checkpoint");
    let verify = ["flow", "ledger", "verify", "--checkpoint", checkpoint.to_str().expect("text")];
    assert!(text(&hinomi, &verify).contains("1 checkpoints are continued"));
    let ledger = hinomi.state().join("flow/ledger.jsonl");
    let changed = fs::read_to_string(&ledger).expect("a ledger").replacen("\"by\":\"A\"", "\"by\":\"C\"", 1);
    fs::write(&ledger, changed).expect("changed");
    assert!(!hinomi.run(&verify).status.success(), "another name stands there");
}

#[test]
fn planted_subscribers_leave_no_trace_and_a_leak_is_caught() {
    let hinomi = collected();
    let told = text(&hinomi, &["flow", "audit"]);
    for clean in ["memory: no trace", "disk: no trace", "memory of a running collector: no trace"] {
        assert!(told.lines().any(|line| line.starts_with(clean)), "{clean}: {told}");
    }
    assert!(told.contains("memory of a running collector: living canaries found, as they must be"), "{told}");
    assert!(told.contains("are destroyed by its ledger") && told.contains("core dumps are off"), "{told}");
    let leak = hinomi.run(&["flow", "audit", "--leak", "--japanese"]);
    let said = String::from_utf8_lossy(&leak.stdout).into_owned();
    assert!(!leak.status.success());
    for place in ["メモリー: 痕跡あり", "動作中のコレクターのメモリー: 痕跡あり"] {
        assert!(said.lines().any(|line| line.starts_with(place)), "{place}: {said}");
    }
    let kinds = json(&hinomi, &["flow", "ledger"]);
    assert_eq!((&kinds[0]["event"]["kind"], &kinds[0]["event"]["outcome"]), (&"audited".into(), &"clean".into()));
    assert_eq!((&kinds[0]["event"]["found"], &kinds[0]["event"]["canaries"]), (&0.into(), &256.into()));
    let left: Vec<_> = fs::read_dir(hinomi.state().join("flow")).expect("a folder").flatten().collect();
    assert!(left.iter().all(|entry| entry.path().is_file()), "the audit's own folder is gone: {left:?}");
}
