//! Campaigns: what the plan says is what happens, what the ledger says is what was sent, and nothing else was.
//!
//! Most targets are loopback addresses where nobody listens: they refuse at once. Packets are counted from outside, by
//! the system calls of the program.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{HINOMI, Installation, alone, finish, stand_aside, until};

/// How long something that takes seconds may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A scope with these rates in total, signed.
fn slow(here: &Installation, name: &str, ranges: &[&str], tcp: &str, total_pps: u32) -> PathBuf {
    let file = here.scope(name, ranges, tcp, "");
    let written = std::fs::read_to_string(&file).expect("a scope");
    let (body, _) = written.split_once("# hinomi-scope-signature").expect("a signature");
    std::fs::write(&file, body.replace("total_pps = 60000", &format!("total_pps = {total_pps}"))).expect("written");
    here.succeed(&["scope", "sign", text(&file)]);
    file
}

/// A process of the program that runs a campaign and says nothing.
fn running(here: &Installation, arguments: &[&str]) -> std::process::Child {
    let mut command = here.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("starts")
}

fn entries(here: &Installation, campaign: &str) -> Vec<Value> {
    let told = here.json(&["campaign", "ledger", campaign, "--last", "100000"]);
    told.as_array().expect("a list").iter().map(|entry| entry["event"].clone()).collect()
}

fn of_kind<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
    entries.iter().filter(|event| event["kind"] == kind).collect()
}

fn packets_of(events: &[&Value]) -> u64 {
    events.iter().map(|event| event["packets"].as_u64().expect("a count")).sum()
}

/// Attempts by prefix, over all tallies.
fn by_prefix(tallies: &[&Value]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for row in tallies.iter().flat_map(|tally| tally["prefixes"].as_array().expect("rows")) {
        let prefix = row[0].as_str().expect("a prefix").to_owned();
        *sums.entry(prefix).or_default() += row[1].as_u64().expect("a count");
    }
    sums
}

fn state_of(here: &Installation, campaign: &str) -> String {
    here.json(&["campaign", "status", campaign])["state"].as_str().expect("a state").to_owned()
}

/// To whom a call of `connect` leads.
fn peer(line: &str) -> Option<IpAddr> {
    let v4 = line.split("inet_addr(\"").nth(1).and_then(|rest| rest.split('"').next());
    let v6 = line.split("inet_pton(AF_INET6, \"").nth(1).and_then(|rest| rest.split('"').next());
    v4.or(v6)?.parse().ok()
}

/// What lines of `strace -f -yy` send, and to whom: one address for each TCP connection and for each datagram. A UDP
/// socket is told its peer before it sends.
fn sent(trace: &str) -> Vec<IpAddr> {
    let mut peers: BTreeMap<&str, IpAddr> = BTreeMap::new();
    let mut sent = Vec::new();
    for line in trace.lines() {
        let call = |name: &str| line.split(name).nth(1).and_then(|rest| rest.split_once('<'));
        if let Some((socket, rest)) = call("connect(") {
            let peer = peer(rest).expect("a peer");
            if rest.starts_with("TCP") {
                sent.push(peer);
            } else {
                peers.insert(socket, peer);
            }
        }
        if let Some((socket, _)) = call("sendto(").filter(|(_, rest)| rest.starts_with("UDP")) {
            sent.push(*peers.get(socket).expect("it was told its peer"));
        }
    }
    sent
}

#[test]
fn a_plan_comes_true_and_the_ledger_says_what_system_calls_say() {
    if Command::new("strace").arg("-V").output().is_err() {
        stand_aside("strace is not installed (Debian package strace)");
        return;
    }
    let _alone = alone();
    let here = Installation::new();
    let town = ["--size", "512", "--seed", "3", "--base", "127.95.0.0"];
    let (_town, first) = here.start(&[&["town", "up", "--json"], town.as_slice()].concat());
    let up: Value = serde_json::from_str(&first).expect("the town");
    let ports = |name: &str| up[name].as_str().expect("ports").to_owned();
    let scope = here.scope("counted", &["127.95.0.0/24", "127.95.1.0/25"], &ports("tcp_ports"), &ports("udp_ports"));
    let told = here.json(&["campaign", "new", "--scope", text(&scope), "--name", "counted"]);
    let plan = &told["plan"];
    assert_eq!((&plan["addresses"]["named"], &plan["prefixes"]), (&384.into(), &2.into()), "{told}");
    assert_eq!(state_of(&here, "counted"), "planned");
    assert!(here.fail(&["campaign", "resume", "counted"]).contains("was not started yet"));

    let trace = here.path("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-yy", "-s", "0", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]).arg(&trace).arg(HINOMI);
    command.args(["campaign", "start", "counted"]).arg("--state").arg(here.state());
    let output = finish(command, Duration::from_secs(500));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut outside: BTreeMap<String, u64> = BTreeMap::new();
    for address in sent(&std::fs::read_to_string(&trace).expect("a trace")) {
        let IpAddr::V4(v4) = address else { panic!("sent to {address}") };
        let [a, b, c, d] = v4.octets();
        let prefix = if (c, d < 128) == (1, true) { "127.95.1.0/25".into() } else { format!("{a}.{b}.{c}.0/24") };
        *outside.entry(prefix).or_default() += 1;
    }
    let entries = entries(&here, "counted");
    let tallies = of_kind(&entries, "tally");
    assert_eq!(by_prefix(&tallies), outside, "by prefix, as counted at the system calls");
    let packets = packets_of(&tallies);
    let of_plan = |name: &str| plan["packets"][name].as_u64().expect("a count");
    assert!((of_plan("least")..=of_plan("most")).contains(&packets), "{packets}: {plan}");
    assert_eq!(packets, here.json(&["campaign", "status", "counted"])["packets"], "as the store says");
    assert!(packets > 384 * 20, "{packets}");

    let proof = here.json(&["campaign", "ledger", "--verify"]);
    assert_eq!((&proof["holds"], &proof["campaigns"]["counted"]["in_doubt"]), (&true.into(), &0.into()), "{proof}");
    assert_eq!(proof["campaigns"]["counted"]["packets"], packets);
    assert_eq!(state_of(&here, "counted"), "finished");
    assert!(here.fail(&["campaign", "start", "counted"]).contains("is finished"));
    changed_ledgers_are_seen(&here);
}

/// A ledger that somebody worked on, after a checkpoint of it was noted down.
fn changed_ledgers_are_seen(here: &Installation) {
    let note = here.path("noted");
    std::fs::write(&note, here.succeed(&["campaign", "ledger", "--note"])).expect("written");
    here.succeed(&["campaign", "ledger", "--verify", "--checkpoint", text(&note)]);
    let path = here.state().join("campaigns/ledger.jsonl");
    let whole = std::fs::read_to_string(&path).expect("a ledger");
    std::fs::write(&path, whole.replacen("127.95.0.0/24", "127.96.0.0/24", 1)).expect("written");
    assert!(here.fail(&["campaign", "ledger", "--verify"]).contains("does not follow the line before it"));
    let cut: String = whole.lines().take(1).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, cut).expect("written");
    let said = here.fail(&["campaign", "ledger", "--verify", "--checkpoint", text(&note)]);
    assert!(said.contains("does not continue the checkpoint"), "{said}");
    std::fs::remove_file(&path).expect("removed");
    here.fail(&["campaign", "ledger", "--verify"]);
}

#[test]
fn a_campaign_is_paused_from_elsewhere_and_goes_on() {
    let here = Installation::new();
    let scope = slow(&here, "paused", &["127.96.0.0/24"], "9-28", 250);
    here.succeed(&["campaign", "new", "--scope", text(&scope), "--name", "p"]);
    assert!(here.fail(&["campaign", "pause", "p"]).contains("does not run"));
    let mut child = running(&here, &["campaign", "start", "p"]);
    until("it runs", PATIENCE, || state_of(&here, "p") == "running");
    here.fail(&["campaign", "start", "p"]);
    until("it has sent", PATIENCE, || {
        let path = here.state().join("campaigns/ledger.jsonl");
        std::fs::read_to_string(path).is_ok_and(|ledger| ledger.contains("\"beat\""))
    });
    assert_eq!(here.json(&["campaign", "pause", "p"])["paused"], true);
    assert!(child.wait().expect("ended").success());
    assert_eq!(state_of(&here, "p"), "paused");

    // A request to an earlier run, left behind by somebody, is nobody's.
    let stale = here.state().join("campaigns/p.pause");
    std::fs::copy(here.state().join("campaigns/p.run"), &stale).expect("left behind");
    let report = here.json(&["campaign", "resume", "p"]);
    assert_eq!((&report["finished"], &report["targets"]), (&true.into(), &5_120.into()), "{report}");
    let entries = entries(&here, "p");
    let ended: Vec<_> = of_kind(&entries, "ended").iter().map(|event| event["how"].clone()).collect();
    assert_eq!(ended, ["paused", "finished"]);
    let packets = packets_of(&of_kind(&entries, "tally"));
    // A machine that is busy with other tests answers late, and a target is tried twice then.
    assert!((5_120..=2 * 5_120).contains(&packets), "{packets}");
    let proof = here.json(&["campaign", "ledger", "--verify"]);
    assert_eq!((&proof["holds"], &proof["campaigns"]["p"]["in_doubt"]), (&true.into(), &0.into()), "{proof}");
}

#[test]
fn a_killed_campaign_says_what_is_in_doubt() {
    let here = Installation::new();
    let scope = slow(&here, "killed", &["127.97.0.0/24"], "9-12", 100);
    here.succeed(&["campaign", "new", "--scope", text(&scope), "--name", "k"]);
    let mut child = running(&here, &["campaign", "start", "k"]);
    until("a beat", PATIENCE, || {
        let path = here.state().join("campaigns/ledger.jsonl");
        std::fs::read_to_string(path).is_ok_and(|ledger| ledger.contains("\"beat\""))
    });
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert_eq!(state_of(&here, "k"), "stopped");
    let proof = here.json(&["campaign", "ledger", "--verify"]);
    assert_eq!((&proof["holds"], &proof["campaigns"]["k"]["open"]), (&true.into(), &true.into()), "{proof}");
    assert_eq!(here.json(&["campaign", "resume", "k"])["finished"], true);
    let entries = entries(&here, "k");
    let starts = of_kind(&entries, "started");
    let doubt = &starts.get(1).expect("a second run")["start"]["doubt"];
    assert_eq!((&doubt["run"], &doubt["at_most"]), (&1.into(), &2_010.into()), "{doubt}");
    let proof = here.json(&["campaign", "ledger", "--verify"]);
    let held = &proof["campaigns"]["k"];
    assert_eq!((&proof["holds"], &held["open"], &held["in_doubt"]), (&true.into(), &false.into(), &2_010.into()));
    let (told, stored) = (held["packets"].as_u64().expect("told"), held["stored"].as_u64().expect("stored"));
    assert!(told.abs_diff(stored) <= 1_000, "five seconds at most between beats: {proof}");
}

/// When a line of `strace -ttt` was, in seconds.
fn moment(line: &str) -> Option<f64> {
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn who_opts_out_is_left_alone_by_a_campaign_that_runs() {
    if Command::new("strace").arg("-V").output().is_err() {
        stand_aside("strace is not installed (Debian package strace)");
        return;
    }
    let here = Installation::new();
    let scope = slow(&here, "out", &["127.98.0.0/23"], "9-16", 120);
    here.succeed(&["campaign", "new", "--scope", text(&scope), "--name", "o"]);
    let trace = here.path("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-ttt", "-yy", "-e", "trace=connect", "-o"]).arg(&trace).arg(HINOMI);
    command.args(["campaign", "start", "o"]).arg("--state").arg(here.state());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    let visits = |wanted: &str| -> Vec<f64> {
        let trace = std::fs::read_to_string(&trace).unwrap_or_default();
        let of = |line: &&str| peer(line).is_some_and(|address| address.to_string().starts_with(wanted));
        trace.lines().filter(of).filter_map(moment).collect()
    };
    until("both are visited", PATIENCE, || !visits("127.98.0.").is_empty() && !visits("127.98.1.").is_empty());
    here.succeed(&["optout", "add", "127.98.1.0/24"]);
    let asked = visits("127.98.").into_iter().fold(0.0, f64::max);
    until("the ledger says so", PATIENCE, || !of_kind(&entries(&here, "o"), "opt-out").is_empty());
    let later = visits("127.98.0.").len() + 200;
    until("the other is visited on", PATIENCE, || visits("127.98.0.").len() > later);
    here.succeed(&["campaign", "pause", "o"]);
    child.wait().expect("ended");

    let last = visits("127.98.1.").into_iter().fold(0.0, f64::max);
    assert!(last - asked < 20.0, "visited for {} s after it had opted out", last - asked);
    let entries = entries(&here, "o");
    let at = entries.iter().position(|event| event["kind"] == "opt-out").expect("an entry");
    assert_eq!(entries[at]["added"], serde_json::json!(["127.98.1.0/24"]));
    let (before, after) = entries.split_at(at);
    assert!(by_prefix(&of_kind(before, "tally")).contains_key("127.98.1.0/24"), "visited before");
    let tallies = of_kind(after, "tally");
    assert_eq!(by_prefix(&tallies).keys().collect::<Vec<_>>(), ["127.98.0.0/24"], "{after:?}");
    assert!(tallies.iter().any(|tally| tally["refused"]["opted out"].as_u64() > Some(0)), "{after:?}");
    assert_eq!(here.json(&["campaign", "ledger", "--verify"])["holds"], true);
}

/// What is stored of a service at a port, as exported.
fn at_port(here: &Installation, port: u16) -> Value {
    let found = here.services().into_iter().find(|service| service["port"] == port);
    found.unwrap_or_else(|| panic!("nothing at {port}"))
}

fn plan_file(here: &Installation, campaign: &str) -> PathBuf {
    here.state().join(format!("campaigns/{campaign}.plan.json"))
}

fn plan_of(here: &Installation, campaign: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(plan_file(here, campaign)).expect("a plan")).expect("JSON")
}

#[test]
fn a_campaign_goes_on_as_it_was_begun_and_marks_what_it_finds() {
    let here = Installation::new();
    let listener = std::net::TcpListener::bind("127.92.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let greet = move || listener.incoming().flatten().for_each(|mut to| drop(to.write_all(b"SSH-2.0-x\r\n")));
    std::thread::spawn(greet);
    let scope = slow(&here, "marked", &["127.92.0.0/24"], &format!("9-40,{port}"), 250);
    let marks = ["--tlp", "green", "--audience", "circle", "--licence", "CC-BY-4.0", "--handling", "no-forward"];
    let new = ["campaign", "new", "--scope", text(&scope), "--name", "m", "--no-grab", "--engine", "connect"];
    let told = here.json(&[&new[..], &marks].concat());
    assert_eq!((&told["marking"]["tlp"], &told["means"]["no_grab"]), (&"TLP:GREEN".into(), &true.into()), "{told}");
    assert!(here.fail(&["campaign", "start", "m", "--engine", "packet"]).contains("with --engine connect"));

    let mut child = running(&here, &["campaign", "start", "m"]);
    until("it has sent", PATIENCE, || {
        let path = here.state().join("campaigns/ledger.jsonl");
        std::fs::read_to_string(path).is_ok_and(|ledger| ledger.contains("\"beat\""))
    });
    here.json(&["campaign", "pause", "m"]);
    assert!(child.wait().expect("ended").success());
    let plan = plan_of(&here, "m");
    let settled = serde_json::json!({"engine": "connect", "once": false, "no_grab": true, "share": "1/1"});
    assert_eq!((&plan["format"], &plan["means"]), (&2.into(), &settled), "{plan}");
    for (other, why) in [("--once", "without --once"), ("--share=1/2", "with --share 1/1")] {
        let said = here.fail(&["campaign", "resume", "m", other]);
        assert!(said.contains(why) && said.contains("another campaign"), "{said}");
    }
    assert_eq!(here.json(&["campaign", "resume", "m"])["finished"], true);
    let seen = at_port(&here, port);
    let terms = &seen["terms"];
    assert_eq!((&terms["licence"], &terms["handling"][0]), (&"CC-BY-4.0".into(), &"no-forward".into()), "{seen}");
    assert!(seen["protocol"].is_null(), "the second half did not ask what it is either: {seen}");
    assert_eq!(here.json(&["search", "--limit", "0", "tlp:green"])["total"], 1);
}

#[test]
fn a_survey_keeps_its_marking_and_plans_of_before_are_read() {
    let here = Installation::new();
    let listener = std::net::TcpListener::bind("127.92.1.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let scope = here.scope("labelled", &["127.92.1.1/32"], &port, "");
    let survey = ["survey", "--scope", text(&scope), "--campaign", "s"];
    here.json(&[&survey[..], &["--tlp", "clear", "--embargo", "2999-01-01", "--no-grab"]].concat());
    assert_eq!(here.json(&["search", "--limit", "0", "tlp:clear"])["total"], 1);
    assert_eq!(plan_of(&here, "s")["marking"]["embargo"], "2999-01-01T00:00:00Z");
    let said = here.fail(&[&survey[..], &["--tlp", "red"]].concat());
    assert!(said.contains("marking"), "{said}");
    assert_eq!(here.json(&survey)["finished"], true, "who says nothing goes on as it was begun");
    assert!(here.fail(&["survey", "--scope", text(&scope), "--tlp", "puce"]).contains("amber+strict"));

    here.succeed(&["campaign", "new", "--scope", text(&scope), "--name", "old"]);
    let mut old = plan_of(&here, "old");
    let fields = old.as_object_mut().expect("a plan");
    fields.insert("format".to_owned(), 1.into());
    assert!(fields.remove("means").is_none() && fields.remove("marking").is_none(), "nothing was said");
    std::fs::write(plan_file(&here, "old"), old.to_string()).expect("written");
    assert_eq!(here.json(&["campaign", "start", "old", "--engine", "connect"])["finished"], true);
    assert_eq!(
        here.json(&["search", "--limit", "0", "tlp:clear"])["total"],
        0,
        "and marked as before there were options"
    );
}
