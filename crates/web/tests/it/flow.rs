//! Findings of C&C servers on pages and in the API: with reasons, before a witness, and without anybody's address.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering;

use hinomi_lake::cnc::Journal;
use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{CollectorStatus, ExporterStatus, FileStatus, Refusals, STATUS_FORMAT, Sums};
use hinomi_model::cnc::{
    Code, Corroboration, Endpoint, Evidence, ExportVerdict, Finding, KeptBack, Message, Retraction, Visibility,
    Withdrawn, fuse,
};
use hinomi_share::Sight;

use crate::client::ask;
use crate::world::{HOSTILE, World, time};

fn finding(endpoint: &str, at: &str, evidence: Vec<Evidence>, visibility: Visibility) -> Finding {
    let fused = fuse(5e-4, &evidence);
    let (reasons, counter_evidence): (Vec<_>, Vec<_>) =
        evidence.into_iter().partition(|reason| reason.log_likelihood_ratio > 0.0);
    Finding {
        endpoint: endpoint.parse().expect("an endpoint"),
        time: time(at),
        confidence: fused.confidence(),
        refuted_by: Finding::refutations(&reasons),
        fused,
        reasons,
        counter_evidence,
        base_rate: 5e-4,
        epochs: 3,
        clients: 23,
        visibility,
    }
}

fn evidence(step: u32) -> Vec<Evidence> {
    let beacon = [("gap_seconds", 61.0), ("run", f64::from(7 + step)), ("clients", 23.0)];
    let mut evidence = vec![
        Evidence::new(Code::BeaconFailed, 4.4 + f64::from(step) * 0.3, &beacon),
        Evidence::new(Code::GraphPort, 4.1, &[("port", 1_337.0), ("ratio", 310.0), ("seeds", 12.0)]),
        Evidence::new(Code::ContextHours, -0.8, &[("hours_of_day", 9.0)]),
    ];
    if step > 3 {
        let lift = [("infected", 9.0), ("clients", 23.0), ("lift", 41.0), ("log10_p", -11.2)];
        evidence.push(Evidence::new(Code::LiftInfected, 5.5, &lift));
    }
    evidence
}

fn found(finding: Finding, export: ExportVerdict) -> Message {
    Message::Found { finding: Box::new(finding), export }
}

/// Findings of three weeks, and a collector that lost some of what came.
pub(crate) fn write(state: &Path) {
    let journal = Journal::of_state(state);
    let all = Visibility { sampling: 1, sampling_unknown: false, loss: 0.0, confidence_if_all_seen: 0.9 };
    let sampled = Visibility { sampling: 64, sampling_unknown: true, loss: 0.02, confidence_if_all_seen: 0.97 };
    let tell = |message: Message, at: &str| {
        journal.append(&[message], time(at)).expect("written");
    };
    for (step, at) in (0..).zip(["2026-11-15", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-21", "2026-11-22"]) {
        let few = ExportVerdict::KeptBack { reason: KeptBack::TooFewClients { had: 4, k: 5 } };
        let passes = ExportVerdict::Passes { corroboration: BTreeSet::new() };
        let export = if step < 3 { few } else { passes };
        tell(found(finding("203.0.113.9:1337/tcp", at, evidence(step), sampled), export), at);
    }
    let seed = vec![
        Evidence::new(Code::SeedEndpoint, 9.0, &[("age_days", 3.0), ("lists", 2.0)]),
        Evidence::new(
            Code::BeaconKeepAlive,
            2.0,
            &[("duration_seconds", 3_600.0), ("bytes_per_second", 1.2), ("clients", 1.0)],
        ),
    ];
    let seeded = ExportVerdict::Passes { corroboration: BTreeSet::from([Corroboration::Seed]) };
    tell(found(finding("[2001:db8:b07::9]:443/tcp", "2026-11-21", seed, all), seeded), "2026-11-21");
    let member = ExportVerdict::KeptBack { reason: KeptBack::MemberOnly { member: HOSTILE.to_owned() } };
    tell(found(finding("198.51.100.4:6667/tcp", "2026-11-22", evidence(4), all), member.clone()), "2026-11-22");
    tell(found(finding("203.0.113.77:23/tcp", "2026-11-10", evidence(2), all), member), "2026-11-10");
    let endpoint: Endpoint = "203.0.113.77:23/tcp".parse().expect("an endpoint");
    tell(Message::Retracted(Retraction { endpoint, reason: Withdrawn::Refuted }), "2026-11-12");
    let status = serde_json::to_vec(&status()).expect("JSON");
    std::fs::write(state.join("flow").join("status.json"), status).expect("written");
}

fn sums(pairs: &[(&str, u64)]) -> Sums {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn status() -> CollectorStatus {
    let exporter = |address: Option<&str>, lost: &[(&str, u64)], lost_share| ExporterStatus {
        address: address.map(|address| address.parse().expect("an address")),
        last_seen: time("2026-11-22T11:59:50Z"),
        datagrams: 40_120,
        records: 1_200_340,
        refused: 3,
        reboots: 1,
        resets: 0,
        lost: sums(lost),
        lost_share,
    };
    let mut status = CollectorStatus {
        format: STATUS_FORMAT,
        running: true,
        started: time("2026-11-15T00:00:00Z"),
        updated: time("2026-11-22T11:59:55Z"),
        listening: vec!["127.0.0.1:2055".parse().expect("an address")],
        files: vec![FileStatus {
            name: HOSTILE.into(),
            kind: "zeek".into(),
            records: 12,
            left_out: sums(&[
                ("there is no column duration", 1),
                ("a record's length contradicts the rest of the file", 4),
                ("it is compressed with bzip2: convert it with nfdump -r FILE -y -w NEW", 1),
                (HOSTILE, 1),
                (&format!("there is no column {HOSTILE}"), 1),
            ]),
            ..FileStatus::default()
        }],
        epoch_ends: time("2026-11-23T00:00:00Z"),
        pairs: sums(&[("flows", 2_000_000), ("whole", 12), ("joined", 900_000), ("alone", 199_988)]),
        servers: sums(&[("servers", 4_100), ("counted", 1_000_000), ("not_admitted", 99_000), ("evicted", 7)]),
        scoring: sums(&[("scored", 3_900), ("scanned", 120), ("suppressed", 80)]),
        spread: sums(&[("parcels", 700), ("flows", 2_100_000), ("missed", 3), ("begun_anew", 1), ("stray", 5)]),
        own_switch: true,
        findings: 3,
        loss: 0.021,
        exporters: vec![exporter(Some("192.0.2.254:4739"), &[("records", 25_800)], 0.021), exporter(None, &[], 0.0)],
        exporters_not_listed: 2,
        ..CollectorStatus::default()
    };
    status.received.datagrams = 80_240;
    status.received.bytes = 98_000_000;
    status.received.kernel_drops = 17;
    status.decoded.records = 2_400_680;
    status.decoded.templates = 44;
    status.decoded.refused.insert("short-set".into(), Refusals { items: 6, bytes: 310 });
    status.decoded.refused.insert("missing_template".into(), Refusals { items: 2, bytes: 96 });
    status.inlet.records = 2_400_680;
    status.inlet.flows = 2_000_000;
    status.inlet.refused = sums(&[("no-subscriber", 400_000), ("no-ports", 680)]);
    status
}

#[test]
fn the_list_is_ranked_and_says_why_and_whether_it_may_leave() {
    let world = World::at_rest();
    let page = world.page("/flow", "en");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(place(">203.0.113.9:1337/tcp</code>") < place(">198.51.100.4:6667/tcp</code>"), "the surest first");
    for told in [
        "vain attempts",
        "infected clients",
        "may be shared: enough distinct clients",
        "named independently of the flows by a list of known servers",
        "who alone is told",
        "somebody showed that it is wrong",
        "neither side is a subscriber",
        "2.10%",
        "192.0.2.254:4739",
        "within the subscribers&#39; range",
        "2 more exporters are not listed",
        "running",
        "short-set",
        "its template did not come in time",
        "dropped: the table was full",
        "<td>there is no column duration</td>",
        "<td>a record&#39;s length contradicts the rest of the file</td>",
        "<dt>parcels missed by workers</dt><dd>3</dd>",
        "<dt>workers begun anew</dt><dd>1</dd>",
        "<dt>stray replies</dt><dd>5</dd>",
        "<dt>Own lines may be asked for</dt><dd>yes</dd>",
    ] {
        assert!(page.contains(told), "{told}");
    }
    let japanese = world.page("/flow", "ja");
    for told in [
        "失敗の繰り返し",
        "共有できます",
        "どちらも加入者ではない",
        "動作中",
        "誤りであることが示されたため",
        "テンプレートが間に合わなかった",
        "duration の列がない",
        "ファイルの残りと矛盾する（レコードの長さ）",
        "読めない圧縮：bzip2",
        "<dt>ワーカーに届かなかった小包</dt><dd>3</dd>",
        "<dt>自社回線の照会</dt><dd>あり</dd>",
    ] {
        assert!(japanese.contains(told), "{told}");
    }
}

#[test]
fn an_account_that_cannot_be_read_takes_no_finding_away() {
    let world = World::at_rest();
    let file = world.folder.path().join("flow").join("status.json");
    let whole = std::fs::read_to_string(&file).expect("an account");
    let later = whole.replacen("\"format\":1", "\"format\":9", 1);
    let large = format!("{}{whole}", " ".repeat(9 << 20));
    for account in [later.as_bytes(), large.as_bytes(), &whole.as_bytes()[..whole.len() / 2], b"", b"\xff"] {
        std::fs::write(&file, account).expect("written");
        let page = world.page("/flow", "en");
        assert!(page.contains(">203.0.113.9:1337/tcp</code>") && page.contains("account cannot be read"), "{page}");
        assert!(world.page("/flow", "ja").contains("コレクターの報告を読めません"));
        let answer = world.get("/api/v1/flow/status");
        assert_eq!((answer.status, answer.json()["code"].as_str()), (500, Some("collector-account")));
    }
    std::fs::write(&file, whole).expect("written");
    assert!(!world.page("/flow", "en").contains("account cannot be read"));
}

#[test]
fn a_page_of_another_site_leaves_no_look_in_the_ledger() {
    let world = World::at_rest();
    let fetch = |target, site: &str, mode: &str, dest: &str| {
        let headers = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {dest}\r\n");
        ask(world.address, "GET", target, &headers)
    };
    for site in ["cross-site", "same-site"] {
        assert_eq!(fetch("/flow", site, "no-cors", "image").status, 403, "{site}");
        assert_eq!(fetch("/flow", site, "navigate", "iframe").status, 403, "{site}");
        let answer = fetch("/api/v1/flow/findings", site, "cors", "empty");
        assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("other-site")), "{site}");
    }
    assert!(world.looks.sights.lock().expect("nobody failed").is_empty());
    assert_eq!(fetch("/flow", "cross-site", "navigate", "document").status, 200, "a link that a person follows");
    assert_eq!(fetch("/flow", "same-origin", "cors", "empty").status, 200);
}

#[test]
fn one_endpoint_tells_everything_that_was_held_for_and_against_it() {
    let world = World::at_rest();
    let page = world.page("/flow/203.0.113.9:1337-tcp", "en");
    for told in [
        "12 connections in vain in a row, every 61 s, clients: 23",
        "clients known to be infected: 9 of 23",
        "against: it is used in only 9 of 24 hours of the day",
        "one of 2,000 scored endpoints",
        "At most 23 distinct clients in one epoch, seen in 3 epochs.",
        "one of 64 packets",
        "does not tell its sampling",
        "2.0% of the records were lost",
        "would give 97.0%",
        "a lawful service runs there",
        "hinomi flow refute 203.0.113.9:1337/tcp",
        "may be shared",
    ] {
        assert!(page.contains(told), "{told}");
    }
    let refuted = world.page("/flow/203.0.113.77:23-tcp", "ja");
    assert!(refuted.contains("いまは C&#38;C サーバーとみなしていません"), "{refuted}");
    assert!(!refuted.contains("hinomi flow refute"));
}

#[test]
fn who_looks_is_written_down_first_and_without_that_nothing_is_shown() {
    let world = World::at_rest();
    for target in
        ["/flow", "/flow/203.0.113.9:1337-tcp", "/api/v1/flow/findings", "/api/v1/flow/findings/203.0.113.9:1337-tcp"]
    {
        assert_eq!(world.get(target).status, 200, "{target}");
    }
    let sights = world.looks.sights.lock().expect("nobody failed").clone();
    assert_eq!(sights, [Sight::Findings, Sight::Finding, Sight::Findings, Sight::Finding]);
    world.looks.refuses.store(true, Ordering::Relaxed);
    for target in
        ["/flow", "/flow/203.0.113.9:1337-tcp", "/api/v1/flow/findings", "/api/v1/flow/findings/203.0.113.9:1337-tcp"]
    {
        let answer = world.get(target);
        assert_eq!(answer.status, 503, "{target}");
        assert!(!answer.text().contains("203.0.113.9:1337/tcp"), "{target}");
    }
    assert_eq!(world.get("/api/v1/flow/status").status, 200, "sums are no findings");
}

#[test]
fn where_there_is_nothing_the_page_says_how_to_begin_and_nothing_is_written_down() {
    let world = World::empty();
    for language in ["ja", "en"] {
        assert!(world.page("/flow", language).contains("hinomi flow collect --subscribers lines.txt"));
    }
    assert!(world.looks.sights.lock().expect("nobody failed").is_empty());
    assert!(!world.folder.path().join("flow").exists(), "a look makes no folder");
    assert_eq!(world.get("/api/v1/flow/status").json(), serde_json::json!({}));
}

#[test]
fn what_was_held_fades_and_is_gone() {
    let world = World::at_rest();
    let held = world.get("/api/v1/flow/findings").json();
    let first = &held["held"][0];
    let (now, told) = (first["finding"]["confidence"].as_f64(), first["told_confidence"].as_f64());
    assert!(now < told, "{now:?} {told:?}");
    let later: Timestamp = time("2027-03-01");
    let book = Journal::of_state(world.folder.path()).read().expect("read");
    assert!(book.held(later).is_empty() && book.taken(later).len() == 4);
}
