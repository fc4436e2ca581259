//! Looks from outside: a visitor agrees on the page of a real server, and what listens at the visitor's own address says what
//! came. Visitors are addresses of loopback; nothing but the connection says which.

mod seen;
mod visitor;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hinomi_model::{Clock, SystemClock};
use hinomi_state::{Database, Settings, Value as Bound};
use serde_json::Value;

use crate::chrome::Browser;
use crate::program::{Installation, alone, stand_aside, until};
use seen::{Host, traced};
use visitor::{AT_ONCE, Serving, agree_to, visitor};

/// Ports of the list that need no privilege and are not the town's, which may be up beside these tests; and some others.
const TCP: &str = "3306,5432,5555,8728,9200,11211,27017,50000,52869";
const UDP: &str = "3702,5353,5684";
/// What of them is asked.
const ASKED: &str = "3306,5432,5555,8728,9200,11211,27017,52869/tcp 3702,5353/udp";
const ASKED_TCP: [u16; 8] = [3306, 5432, 5555, 8728, 9200, 11211, 27017, 52869];

#[test]
fn who_agrees_is_told_what_answers_and_nobody_else_is_touched() {
    if Command::new("strace").arg("-V").output().is_err() {
        stand_aside("strace is not installed (Debian package strace)");
        return;
    }
    let _alone = alone();
    let here = Installation::new();
    let scope = here.scope("homes", &["127.40.0.0/16"], TCP, UDP);
    let home = Host::start("127.40.0.1");
    let (neighbour, beside) = (Host::start("127.40.0.2"), TcpListener::bind("127.40.0.1:50000").expect("bound"));
    let serving = Serving::start(&here, &scope, "", Some("trace"));
    let me = visitor("127.40.0.1", &serving);

    // What would be sent is said before, and nothing is sent for reading it.
    let page = me.get("/self-check").text;
    assert!(page.contains("href=\"/self-check/outside\""), "{page}");
    let form = me.get("/self-check/outside").text;
    for said in ["To: 127.40.0.1", "From: 127.0.0.1", "52869 (UPnP)", "5353 (mDNS)", "at most", "T. Ester"] {
        assert!(form.to_lowercase().contains(&said.to_lowercase()), "{said}: {form}");
    }
    assert!(!form.contains("50000") && !form.contains("5684"), "{form}");
    assert_eq!(home.visits(), 0);

    let agreed = me.agree();
    assert_eq!((agreed.status, agreed.leads.as_str()), (303, "/self-check/outside"), "{}", agreed.text);
    let result = me.result();
    for said in ["nginx", "Telnet", "What was met at 127.40.0.1", "closed: your side says"] {
        assert!(result.contains(said), "{said}: {result}");
    }
    assert!(home.visits() > 0 && neighbour.visits() == 0);
    beside.set_nonblocking(true).expect("set");
    assert!(beside.accept().is_err(), "a port that is not on the list");

    // It is this browser's alone, at this address alone, and no second one at once.
    let other = visitor("127.40.0.1", &serving);
    assert!(other.get("/self-check/outside").text.contains("name=\"mine\""), "another browser reads the form");
    let again = other.agree();
    assert!(again.status == 429 && !again.text.contains("Show what was met"), "the same home: {}", again.text);
    let moved = me.from("127.40.0.9");
    let there = moved.get("/self-check/outside").text;
    assert!(!there.contains("nginx") && there.contains("at another address than you have now"), "{there}");
    assert!(me.result().contains("nginx"), "back where it was agreed");

    // Nothing of it is in the lake, and everything of it in both ledgers.
    drop(serving);
    assert!(here.services().is_empty());
    let sent = ledgers_tell(&here, "127.40.0.1");
    let (to, count) = traced(&here.path("trace"));
    let strangers: Vec<_> = to.iter().filter(|(address, port)| !is_asked(address, *port)).collect();
    assert!(strangers.is_empty(), "system calls led to {strangers:?}");
    assert_eq!(count, sent, "the ledger tells of as many as were traced");
    assert!(form.contains("At most 40 connections and packets") && sent <= 40, "{sent}, and {form}");
}

fn is_asked(address: &str, port: u16) -> bool {
    address == "127.40.0.1" && (ASKED_TCP.contains(&port) || seen::UDP.contains(&port))
}

/// Holds both ledgers against one another, offline too; how many packets they tell of.
fn ledgers_tell(here: &Installation, address: &str) -> u64 {
    let entries = here.json_lines(&["ledger", "show", "--last", "1000"]);
    let consents: Vec<&Value> = entries.iter().filter(|entry| entry["kind"] == "consent").collect();
    assert_eq!(consents.len(), 1, "{entries:?}");
    let entry: Value = match &consents[0]["entry"] {
        Value::String(text) => serde_json::from_str(text).expect("JSON"),
        entry => entry.clone(),
    };
    assert_eq!((&entry["address"], &entry["ports"]), (&address.into(), &ASKED.into()), "{entry}");
    let place = consents[0]["place"].to_string();
    let vkey = here.json(&["ledger", "status"])["vkey"].as_str().expect("a key").to_owned();
    let proof = here.path("consent.json");
    fs::write(&proof, here.succeed(&["ledger", "prove", "--entry", &place])).expect("written");
    let elsewhere = Installation::new();
    elsewhere.succeed(&["ledger", "verify", "--vkey", &vkey, proof.to_str().expect("a path")]);

    let told = here.json(&["campaign", "ledger", "--verify"]);
    assert_eq!(told["objections"], Value::Array(Vec::new()), "{told}");
    let campaign = &told["campaigns"]["self-check:1"];
    assert_eq!((&campaign["runs"], &campaign["prefixes"]), (&1.into(), &1.into()), "{told}");
    let log = fs::read_to_string(here.state().join("campaigns/ledger.jsonl")).expect("a ledger");
    assert!(log.contains(&format!("[\"{address}/32\"")), "{log}");
    assert!(log.contains(entry["scope"].as_str().expect("a digest")), "the same scope");
    campaign["packets"].as_u64().expect("a number")
}

#[test]
fn without_agreement_nothing_is_sent() {
    let here = Installation::new();
    let scope = here.scope("homes", &["127.41.0.0/16"], TCP, UDP);
    fs::write(here.state().join("opt-out.txt"), "127.41.7.0/24\n").expect("written");
    let serving = Serving::start(&here, &scope, "shared = [\"127.41.9.0/24\"]", None);
    let hosts = ["127.41.0.1", "127.41.7.1", "127.41.9.1", "127.42.0.1"].map(Host::start);
    let me = visitor("127.41.0.1", &serving);
    let proof = me.proof();

    assert_eq!(me.post(&[("proof", &proof)]).status, 400, "the box is not ticked");
    assert_eq!(me.post(&[("mine", "yes")]).status, 403, "no form");
    assert_eq!(me.post(&[("mine", "yes"), ("proof", &"0".repeat(64))]).status, 403, "a made-up form");
    let stranger = visitor("127.41.0.1", &serving);
    assert_eq!(stranger.post(&[("mine", "yes"), ("proof", &proof)]).status, 403, "another browser's form, no cookie");
    let own = stranger.proof();
    assert_ne!(own, proof);
    assert_eq!(stranger.post(&[("mine", "yes"), ("proof", &proof)]).status, 403, "another browser's form");
    let moved = me.from("127.41.0.2");
    assert_eq!(moved.post(&[("mine", "yes"), ("proof", &proof)]).status, 403, "agreed to at another address");
    let other_site = me.with(&["--header", "Origin: http://evil.example"]);
    assert_eq!(other_site.post_as_is(&[("mine", "yes"), ("proof", &proof)]).status, 403);
    let framed = me.with(&["--header", "Sec-Fetch-Site: cross-site"]);
    assert_eq!(framed.post(&[("mine", "yes"), ("proof", &proof)]).status, 403);
    assert_eq!(me.get("/self-check/outside?mine=yes&address=127.41.0.2").status, 200, "reading starts nothing");

    // Whom a header names is nobody: there is no proxy.
    let claims = me.with(&["--header", "X-Forwarded-For: 127.41.0.2", "--header", "Forwarded: for=127.41.0.2"]);
    assert!(claims.get("/self-check/outside").text.contains("To: 127.41.0.1,"));

    let silent = visitor("127.42.0.1", &serving);
    assert_eq!(silent.get("/self-check/outside").status, 404, "in no range of the scope");
    assert!(!silent.get("/self-check").text.contains("outside"), "and the page says nothing of it");
    assert_eq!(silent.post(&[("mine", "yes"), ("proof", &proof)]).status, 404);
    for (address, why) in [("127.41.7.1", "on the list of addresses"), ("127.41.9.1", "several homes share it")] {
        let refused = visitor(address, &serving);
        assert!(refused.get("/self-check").text.contains(why), "{address}");
        let said = refused.get("/self-check/outside");
        assert!(said.status == 403 && !said.text.contains("name=\"mine\""), "{address}: {}", said.text);
        assert_eq!(refused.post(&[("mine", "yes"), ("proof", &proof)]).status, 403);
    }
    assert_eq!(hosts.iter().map(Host::visits).sum::<u64>(), 0);
    assert!(!here.state().join("campaigns/ledger.jsonl").exists(), "no run was begun");
    let entries = here.json_lines(&["ledger", "show", "--last", "1000"]);
    assert!(entries.iter().all(|entry| entry["kind"] != "consent"), "{entries:?}");
}

#[test]
fn where_nothing_is_switched_on_nothing_is_said() {
    let here = Installation::new();
    here.succeed(&["scope", "new", "--name", "none", "--range", "127.0.0.1"]);
    let serving = Serving::without(&here);
    let me = visitor("127.0.0.1", &serving);
    assert!(!me.get("/self-check").text.contains("outside"));
    assert_eq!((me.get("/self-check/outside").status, me.post(&[("mine", "yes")]).status), (404, 404));
}

#[test]
fn at_another_hour_nothing_is_sent() {
    let here = Installation::new();
    let scope = here.scope("homes", &["127.47.0.0/16"], TCP, UDP);
    let home = Host::start("127.47.0.1");
    let serving = Serving::start(&here, &scope, "sources = [\"192.0.2.10\", \"2001:db8::10\"]", None);
    let me = visitor("127.47.0.1", &serving);
    let form = me.get("/self-check/outside").text;
    assert!(form.contains("From: 192.0.2.10, 2001:db8::10<"), "as the operator says that others see it: {form}");
    let proof = me.proof();

    // Half a day from now; the server reads the file again.
    let hour = SystemClock.now().as_micros() / 3_600_000_000 % 24;
    let hours = format!("hours = \"{:02}:00-{:02}:00 +00:00\"", (hour + 11) % 24, (hour + 12) % 24);
    let text = fs::read_to_string(&scope).expect("a scope").replace("hours = \"always\"", &hours);
    fs::write(&scope, text).expect("written");
    here.succeed(&["scope", "sign", scope.to_str().expect("a path")]);
    until("another hour", Duration::from_secs(60), || me.get("/self-check/outside").status == 503);
    assert!(me.get("/self-check").text.contains("not permitted at this hour"));
    assert_eq!(me.post(&[("mine", "yes"), ("proof", &proof)]).status, 503, "agreed to before");
    assert_eq!(home.visits(), 0);
}

#[test]
fn behind_a_proxy_who_it_names_last_is_the_visitor() {
    let here = Installation::new();
    let scope = here.scope("homes", &["127.43.0.0/16", "100.64.0.0/16"], "52869", "");
    // Addresses that providers share need the signature of somebody who is trusted; and are refused all the same.
    let (file, key) = (scope.to_str().expect("a path"), here.path("signer"));
    let public = here.json(&["scope", "key", key.to_str().expect("a path")])["public_key"].clone();
    here.succeed(&["scope", "trust", public.as_str().expect("a key"), "--name", "N."]);
    here.succeed(&["scope", "sign", file, "--key", key.to_str().expect("a path")]);
    fs::write(here.path("word"), "four words in a row").expect("written");
    let word = here.path("word");
    let word = word.to_str().expect("a path");
    here.succeed(&["account", "add", "ann", "--administrator", "--password-file", word]);
    let hosts = ["127.43.0.1", "127.43.0.2", "127.43.0.3"].map(Host::start);
    let serving = Serving::start(&here, &scope, "[proxy]\naddress = \"127.43.0.3\"", None);
    let through = |says: &str| visitor("127.43.0.3", &serving).with(&["--header", &format!("X-Forwarded-For: {says}")]);

    let past = visitor("127.43.0.1", &serving).with(&["--header", "X-Forwarded-For: 127.43.0.2"]);
    assert_eq!(past.get("/self-check/outside").status, 403, "past the proxy");
    assert_eq!(through("127.43.0.3").get("/self-check/outside").status, 404, "the proxy is no visitor");
    let shared = through("100.64.0.5").get("/self-check/outside");
    assert!(shared.status == 403 && shared.text.contains("several homes share it"), "{}", shared.text);
    // What a visitor writes into the header himself stands before what the proxy adds.
    let me = through("127.43.0.2, ::ffff:127.43.0.1");
    assert_eq!(me.agree().status, 303);
    assert!(me.result().contains("What was met at 127.43.0.1"));
    assert_eq!(me.with(&["--header", "X-Forwarded-For: 127.43.0.2"]).get("/self-check/outside").status, 200);
    let visits = hosts.each_ref().map(Host::visits);
    assert!(visits[0] > 0 && visits[1..] == [0, 0], "{visits:?}");

    // Who signed in carries what the session asks for besides.
    let ann = through("127.43.0.9");
    let word = [("name", "ann"), ("password", "four words in a row")];
    assert_eq!(ann.post_to("/sign-in", &word).status, 303);
    let (proof, token) = (ann.proof(), ann.field("token"));
    assert_eq!(ann.post(&[("mine", "yes"), ("proof", &proof), ("token", "")]).status, 403);
    assert_eq!(ann.post(&[("mine", "yes"), ("proof", &proof), ("token", &token)]).status, 303);
    assert!(ann.result().contains("What was met at 127.43.0.9"));
}

#[test]
fn over_ipv6_too() {
    let Ok(listener) = TcpListener::bind("[::1]:52869") else {
        stand_aside("this machine has no IPv6 loopback, or its port 52869 is taken");
        return;
    };
    let home = Host::of(listener);
    let here = Installation::new();
    let scope = here.scope("homes", &["::1/128"], "5432,52869", "");
    let serving = Serving::start(&here, &scope, "", Some("::1"));
    let me = visitor("::1", &serving);
    assert_eq!(me.agree().status, 303);
    let result = me.result();
    assert!(result.contains("What was met at ::1") && result.contains("nginx"), "{result}");
    assert!(home.visits() > 0);
}

#[test]
fn what_cannot_be_written_down_is_not_sent() {
    let here = Installation::new();
    let scope = here.scope("homes", &["127.44.0.0/16"], "52869", "");
    let hosts = ["127.44.0.1", "127.44.0.2"].map(Host::start);
    let serving = Serving::start(&here, &scope, "", None);
    // The log of what is sent.
    fs::create_dir_all(here.state().join("campaigns/ledger.jsonl")).expect("made");
    let me = visitor("127.44.0.1", &serving);
    assert_eq!(me.agree().status, 303);
    let said = me.ended();
    assert!(said.text.contains("could not be written down"), "{}", said.text);
    fs::remove_dir(here.state().join("campaigns/ledger.jsonl")).expect("removed");
    // The ledger of looks.
    let database = Database::open(&Settings::of_state(&here.state()).expect("settings").target).expect("a database");
    let deny = "CREATE TRIGGER deny BEFORE INSERT ON ledger_entries WHEN NEW.kind = 'consent' BEGIN SELECT RAISE(ABORT, 'full'); END";
    database.transact(|transaction| transaction.execute(deny, &[] as &[Bound]).map(drop)).expect("denied");
    let other = visitor("127.44.0.2", &serving);
    assert_eq!(other.agree().status, 303);
    let said = other.ended();
    assert!(said.text.contains("could not be written down"), "{}", said.text);
    assert_eq!(hosts.iter().map(Host::visits).sum::<u64>(), 0);
}

/// A scope for homes under which one connection goes to each at a time.
fn gentle(here: &Installation, range: &str) -> PathBuf {
    let scope = here.scope("homes", &[range], TCP, "");
    let text = fs::read_to_string(&scope).expect("a scope");
    fs::write(&scope, text.replace("per_host_connections = 8", "per_host_connections = 1")).expect("written");
    here.succeed(&["scope", "sign", scope.to_str().expect("a path")]);
    scope
}

/// Takes every connection and says nothing: a look takes as long as it may.
fn mute(address: &str) -> Vec<TcpListener> {
    ASKED_TCP.map(|port| TcpListener::bind((address, port)).expect("bound")).into()
}

#[test]
fn a_scope_that_is_taken_back_ends_the_look() {
    let here = Installation::new();
    let scope = gentle(&here, "127.46.0.0/16");
    let serving = Serving::start(&here, &scope, "", None);
    let _home = mute("127.46.0.1");
    let me = visitor("127.46.0.1", &serving);
    assert_eq!(me.agree().status, 303);
    let told = || fs::read_to_string(here.state().join("campaigns/ledger.jsonl")).unwrap_or_default();
    until("the look begins", Duration::from_secs(60), || told().contains("\"started\""));
    here.succeed(&["scope", "revoke", scope.to_str().expect("a path")]);
    assert!(me.result().contains("id=\"cut\""), "and the page says so");
    assert!(told().contains("\"how\":\"revoked\""), "{}", told());
    let proof = here.json(&["campaign", "ledger", "--verify"]);
    assert_eq!(proof["objections"], Value::Array(Vec::new()), "{proof}");
    let other = visitor("127.46.0.2", &serving);
    until("nothing is offered any more", Duration::from_secs(60), || other.get("/self-check/outside").status == 404);
}

#[test]
fn few_are_looked_at_at_one_time() {
    let here = Installation::new();
    let scope = gentle(&here, "127.45.0.0/16");
    let serving = Serving::start(&here, &scope, "", None);
    let _mute: Vec<_> = (1..=AT_ONCE).map(|host| mute(&format!("127.45.0.{host}"))).collect();
    // Of one home, at the same moment: one.
    let pair = [visitor("127.45.0.1", &serving), visitor("127.45.0.1", &serving)];
    let mut told = agree_to(&[&pair[0], &pair[1]]);
    told.sort_unstable();
    assert_eq!(told, [303, 429]);
    for host in 2..=AT_ONCE {
        assert_eq!(visitor(&format!("127.45.0.{host}"), &serving).agree().status, 303, "{host}");
    }
    let late = visitor("127.45.0.99", &serving);
    let said = late.agree();
    assert_eq!(said.status, 503, "{}", said.text);
    assert!(said.text.contains("come back in a minute") && said.text.to_lowercase().contains("retry-after: 60"));
}

#[test]
fn a_browser_needs_no_script_for_it() {
    if Command::new("chromium").arg("--version").output().is_err() {
        stand_aside("chromium is not installed");
        return;
    }
    let Ok(listener) = TcpListener::bind("127.0.0.1:52869") else {
        stand_aside("port 52869 of this machine is taken");
        return;
    };
    let home = Host::of(listener);
    let here = Installation::new();
    let scope = here.scope("homes", &["127.0.0.1/32"], "5432,52869", "");
    let serving = Serving::start(&here, &scope, "", None);
    let page = format!("{}/self-check/outside?lang=ja", serving.url());
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", &serde_json::json!({ "value": true }));
    browser.go(&page);
    let form = "document.querySelector('form[action=\"/self-check/outside\"]')";
    browser.tell(&format!("{form}.requestSubmit()"));
    assert_eq!(browser.tell(&format!("{form}.checkValidity()")), false, "the browser asks for the tick");
    assert_eq!(home.visits(), 0);
    browser.tell(&format!("{form}.elements.mine.checked = true; {form}.requestSubmit()"));
    // The page renews itself until the look has ended.
    browser.until("document.getElementById('answer') !== null");
    let text = browser.tell("document.body.innerText").as_str().expect("text").to_owned();
    assert!(text.contains("127.0.0.1 で見えたもの") && text.contains("nginx") && text.contains("応答あり"), "{text}");
    assert!(!browser.tell("document.cookie").to_string().contains("look"), "no script reads what binds it");
    assert!(home.visits() > 0);
}
