//! `hinomi flow own`: the carrier learns which of its lines met a finding, in the file that it named and nowhere else. And
//! what the ledger says of the rules of a run.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::flow::{Collector, Router, netflow5, subscribers};
use crate::program::Installation;

const REASON: &str = "customers are told what to do about it, ticket 7";
const BASIS: &str = "order 12 of the licence, section 4";
const COMMAND: &str = "203.0.113.66:23/tcp";

fn write(here: &Installation, name: &str, text: &str) -> String {
    let path = here.path(name);
    fs::write(&path, text).expect("written");
    path.to_str().expect("a path").to_owned()
}

fn ledger(here: &Installation) -> Vec<Value> {
    let text = fs::read_to_string(here.path("state/flow/ledger.jsonl")).expect("a ledger");
    text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["event"].clone()).collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).collect()
}

/// Every plain file below a folder.
fn all_files(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            all_files(&entry.path(), each);
        } else if kind.is_file() {
            each(&entry.path());
        }
    }
}

/// Ten bots and thirty other lines.
fn town(collector: &Collector) {
    let mut router = Router::towards(collector);
    for number in 0..40_u8 {
        let line = [198, 18, 77, number];
        let server = if number < 10 { ([203, 0, 113, 66], 23) } else { ([203, 0, 113, 80], 443) };
        router.send(&netflow5(u32::from(number) * 2, &[(line, server.0, server.1)]));
    }
}

#[test]
fn own_lines_are_told_to_their_carrier_alone() {
    let here = Installation::new();
    let seeds = write(&here, "seeds.txt", "203.0.113.66:23\n");
    let lines = write(&here, "lines.txt", &(0..60).map(|last| format!("198.18.77.{last}\n")).collect::<String>());
    let out = here.path("answer.csv").to_str().expect("a path").to_owned();
    let resolve = ["flow", "own", "resolve", COMMAND, "--lines", &lines, "--out", &out, "--reason", REASON];
    // Nobody is asked, and a switch without somebody who answers for it is none.
    assert!(here.fail(&resolve).contains("--own-view"));
    let list = subscribers(&here);
    assert!(here.fail(&["flow", "collect", "--subscribers", &list, "--own-view", BASIS]).contains("--by"));
    let switch =
        ["--seeds", &seeds, "--score-every", "1s", "--base-rate", "0.05", "--own-view", BASIS, "--by", "T. Ester"];
    let collector = Collector::start(&here, &switch);
    town(&collector);
    collector.wait("it is found", |status| status.findings == 1 && status.own_switch);

    let counts = here.json(&["flow", "own", "--reason", REASON]);
    assert_eq!(counts[0]["endpoint"]["port"], 23, "{counts}");
    let met: u64 =
        counts[0]["epochs"].as_array().expect("epochs").iter().filter_map(|epoch| epoch["lines"].as_u64()).sum();
    assert_eq!(met, 10, "{counts}");
    assert!(here.fail(&["flow", "own"]).contains("--reason"));
    assert!(here.fail(&["flow", "own", "--reason", "because"]).contains("reason"), "too short");
    assert!(here.fail(&["flow", "own", "--reason", "look for 198.18.77.3 please"]).contains("address"));

    let told = here.json(&resolve);
    assert_eq!((told["asked"].as_u64(), told["lines"].as_u64()), (Some(60), Some(10)), "{told}");
    let answer = fs::read_to_string(&out).expect("an answer");
    let lines: BTreeSet<String> =
        answer.lines().skip(1).filter_map(|row| row.split(',').next()).map(str::to_owned).collect();
    assert_eq!(lines, (0..10).map(|bot| format!("198.18.77.{bot}")).collect(), "{answer}");
    assert_eq!(fs::metadata(&out).expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(here.fail(&resolve).contains("is there already"));
    let other =
        ["flow", "own", "resolve", "203.0.113.80:443", "--lines", &here.path("lines.txt").display().to_string()];
    let elsewhere = here.path("other.csv").display().to_string();
    assert!(here.fail(&[&other[..], &["--out", &elsewhere, "--reason", REASON]].concat()).contains("is not held"));
    let inside = here.path("state/answer.csv").display().to_string();
    let into_state = ["flow", "own", "resolve", COMMAND, "--lines", other[5], "--out", &inside, "--reason", REASON];
    assert!(here.fail(&into_state).contains("state folder"));

    let mode = |name: &str| fs::metadata(here.path(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode("state/flow/own"), mode("state/flow/own/ask.sock")), (0o700, 0o600));
    for asked in [&["flow", "findings", "--all"][..], &["flow", "why", COMMAND], &["flow", "export"]] {
        let said = here.succeed(&[asked, &["--json"]].concat());
        assert!(!said.contains("198.18."), "{asked:?}: {said}");
    }
    let (_, said) = collector.end();
    assert!(!said.contains("198.18.77"), "{said}");
    all_files(&here.path("state"), &mut |path| {
        let text = String::from_utf8_lossy(&fs::read(path).expect("readable")).into_owned();
        assert!(!text.contains("198.18."), "a line stands in {}", path.display());
    });
    assert!(here.fail(&["flow", "own", "--reason", REASON]).contains("no collector"), "its key is gone with it");
    told_in_order(&ledger(&here));
}

fn told_in_order(events: &[Value]) {
    let resolved = of_kind(events, "resolved");
    let [resolved] = resolved.as_slice() else { panic!("one was answered: {resolved:?}") };
    assert_eq!((resolved["reason"].as_str(), resolved["basis"].as_str()), (Some(REASON), Some(BASIS)));
    assert_eq!((resolved["asked"].as_u64(), resolved["lines"].as_u64()), (Some(60), Some(10)));
    assert!(resolved["by"].as_str().is_some_and(|by| by.contains("uid ")), "{resolved}");
    let switched: Vec<_> = of_kind(events, "switched").iter().map(|event| event["on"].as_bool()).collect();
    assert_eq!(switched, [Some(true), Some(false)]);
    let looks = of_kind(events, "looked");
    assert!(looks.iter().any(|look| look["what"] == "own-network view" && look["reason"] == REASON), "{looks:?}");
}

#[test]
fn without_the_switch_a_running_collector_tells_nobody() {
    let here = Installation::new();
    let collector = Collector::start(&here, &[]);
    assert!(here.fail(&["flow", "own", "--reason", REASON]).contains("--own-view"));
    collector.wait("it says so", |status| !status.own_switch);
    collector.end();
}

#[test]
fn a_rule_that_changed_is_an_entry_and_one_that_did_not_is_none() {
    let here = Installation::new();
    let list = subscribers(&here);
    let log = write(
        &here,
        "conn.json",
        "{\"ts\":1763769600.5,\"id.orig_h\":\"10.1.2.3\",\"id.orig_p\":40000,\"id.resp_h\":\"203.0.113.4\",\
         \"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":1.5,\"orig_pkts\":3,\"orig_ip_bytes\":300,\
         \"resp_pkts\":3,\"resp_ip_bytes\":900}\n",
    );
    let seeds = write(&here, "seeds.txt", "203.0.113.66:23\n");
    let collect = |more: &[&str]| {
        here.succeed(&[&["flow", "collect", "--subscribers", &list, "--read", &log, "--seeds", &seeds], more].concat());
        let changed = ledger(&here).into_iter().filter(|event| event["kind"] == "rule-changed");
        changed.map(|event| (event["rule"].clone(), event["value"].clone(), event["by"].clone())).collect::<Vec<_>>()
    };
    let first = collect(&[]);
    let named: BTreeSet<&str> = first.iter().filter_map(|(rule, ..)| rule.as_str()).collect();
    for rule in ["program", "subscribers", "epoch", "known endpoints", "knowledge beside the built-in", "base rate"] {
        assert!(named.contains(rule), "no {rule} in {named:?}");
    }
    for rule in ["clients to be looked at", "remote ends in private address space", "model", "export gate"] {
        assert!(named.contains(rule), "no {rule} in {named:?}");
    }
    assert_eq!(collect(&[]), first, "nothing changed");
    let news = |more: &[&str]| {
        let before = ledger(&here).len();
        let all = collect(more);
        let since = ledger(&here)[before..].iter().filter(|event| event["kind"] == "rule-changed").count();
        all[all.len() - since..].to_vec()
    };
    let [(rule, value, by)] = &news(&["--base-rate", "0.01", "--by", "T. Ester"])[..] else { panic!("one rule") };
    assert_eq!((rule.as_str(), value.as_str(), by.as_str()), (Some("base rate"), Some("0.01"), Some("T. Ester")));
    fs::write(here.path("seeds.txt"), "203.0.113.67:23\n").expect("written");
    let changed = news(&["--base-rate", "0.01"]);
    let [(rule, value, _)] = &changed[..] else { panic!("another list of the same name: {changed:?}") };
    assert!(rule == "known endpoints" && value.as_str().is_some_and(|value| value.starts_with("1 list, SHA-256 ")));
    let back: Vec<_> = news(&["--train", "--local-remotes", "--clients", "4", "--epoch", "6h"]);
    let named: BTreeSet<&str> = back.iter().filter_map(|(rule, ..)| rule.as_str()).collect();
    let wanted = ["base rate", "clients to be looked at", "epoch", "model", "remote ends in private address space"];
    assert_eq!(named, wanted.into(), "{back:?}");
    let text = fs::read_to_string(here.path("state/flow/ledger.jsonl")).expect("a ledger");
    assert!(!text.contains("203.0.113.") && !text.contains("10.1.2.3"), "{text}");
}
