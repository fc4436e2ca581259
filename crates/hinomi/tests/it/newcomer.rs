//! `hinomi` alone: town, survey, flows, server; results while the survey runs; nothing left behind.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hinomi_model::{Clock, SystemClock, Timestamp};
use serde_json::Value;

use crate::program::{Installation, alone, until};

/// One HTTP request to the server, by hand.
fn get(origin: &str, path: &str) -> String {
    let address = origin.strip_prefix("http://").expect("an origin");
    #[expect(clippy::disallowed_methods, reason = "the test is a client of the server that it started")]
    let mut stream = TcpStream::connect(address).expect("the server answers");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    body.to_owned()
}

fn json(origin: &str, path: &str) -> Value {
    let body = get(origin, path);
    let start = body.find('{').expect("an object");
    let end = body.rfind('}').expect("an object");
    serde_json::from_str(&body[start..=end]).expect("JSON")
}

/// The endpoints held to be C&C servers, as address:port, and those of them that may be shared.
fn findings(origin: &str) -> [BTreeSet<String>; 2] {
    let all = json(origin, "/api/v1/flow/findings");
    let held = all["held"].as_array().cloned().unwrap_or_default();
    let place = |held: &Value| {
        assert!(held["finding"]["reasons"].as_array().is_some_and(|reasons| reasons.len() > 1), "{held}");
        let endpoint = &held["finding"]["endpoint"];
        format!("{}:{}", endpoint["address"].as_str().unwrap_or("?"), endpoint["port"])
    };
    let passes = |held: &&Value| held["export"].to_string().contains("passes");
    [held.iter().map(place).collect(), held.iter().filter(passes).map(place).collect()]
}

/// The same by the town's own truth.
fn planted(here: &Installation) -> [BTreeSet<String>; 2] {
    let truth = here.json_lines(&["town", "truth", "--flows", "--size", "1024"]);
    let place = |truth: &Value| format!("{}:{}", truth["address"].as_str().unwrap_or("?"), truth["port"]);
    let say = |truth: &&Value, words: &[&str]| truth["say"].as_str().is_some_and(|say| words.contains(&say));
    [&["named-and-shared", "named-and-kept"][..], &["named-and-shared"]]
        .map(|words| truth.iter().filter(|truth| say(truth, words)).map(place).collect())
}

/// Flow records that came by UDP since the start, and whether the collector is at work.
fn collected(origin: &str) -> (u64, bool) {
    let collector = &json(origin, "/api/v1/flow/status")["collector"];
    let by_udp = collector["exporters"].as_array().and_then(|exporters| exporters.first().cloned());
    let records = by_udp.and_then(|exporter| exporter["records"].as_u64()).unwrap_or(0);
    (records, collector["running"] == true)
}

/// The last half past four in the afternoon in Japan: what is told does not depend on when the test runs.
fn flows_until() -> String {
    let (day, now) = (86_400_000_000, SystemClock.now().as_micros());
    let moment = 27_000_000_000;
    Timestamp::from_micros(now - (now - moment).rem_euclid(day)).to_string()
}

#[test]
fn one_command_finds_the_planted_servers_in_the_towns_flows() {
    let _alone = alone();
    let here = Installation::new();
    let truth = planted(&here);
    assert_eq!([truth[0].len(), truth[1].len()], [3, 2]);
    let until_then = flows_until();
    let (first_start, origin) = here.start(&["--flows-until", &until_then]);
    until("the planted servers are found, and nothing else", Duration::from_secs(600), || findings(&origin) == truth);
    until("the present comes in", Duration::from_secs(600), || collected(&origin).0 > 0 && collected(&origin).1);
    assert_eq!(findings(&origin), truth);
    for (language, lang) in [("ja", "<html lang=\"ja\""), ("en", "<html lang=\"en\"")] {
        let page = get(&origin, &format!("/flow?lang={language}"));
        assert!(page.contains(lang) && truth[0].iter().all(|place| page.contains(place.as_str())), "{page}");
    }
    assert_eq!(first_start.interrupt(), Some(0), "Ctrl-C is an orderly end");
    let (second_start, origin) = here.start(&["--flows-until", &until_then]);
    assert_eq!(findings(&origin), truth, "the second start shows at once what is there");
    until("the present comes in again", Duration::from_secs(600), || collected(&origin).0 > 0 && collected(&origin).1);
    assert_eq!(findings(&origin), truth);
    assert_eq!(second_start.interrupt(), Some(0));
}

#[test]
fn one_command_shows_a_town() {
    let _alone = alone();
    let here = Installation::new();
    let (first_start, origin) = here.start(&[]);
    let total =
        |origin: &str| json(origin, "/api/v1/search?facets=product,kind&limit=1")["total"].as_u64().unwrap_or(0);
    until("results while the survey runs", Duration::from_secs(60), || total(&origin) > 100);
    let (beside, watched) = here.start(&["serve", "--port", "0"]);
    let state = |origin: &str| json(origin, "/api/v1/surveys")["surveys"][0]["state"].as_str().unwrap_or("").to_owned();
    until("another process sees it run", Duration::from_secs(60), || state(&watched) == "running");
    until("the survey ends", Duration::from_secs(300), || {
        let surveys = json(&origin, "/api/v1/surveys");
        surveys["surveys"].as_array().is_some_and(|all| all.iter().all(|survey| survey["finished"] == true))
    });
    until("another process sees it end", Duration::from_secs(60), || state(&watched) == "finished");
    assert!(get(&watched, "/surveys?lang=ja").contains("town-1"));
    assert_eq!(beside.interrupt(), Some(0));
    let page = json(&origin, "/api/v1/search?q=kind%3Acamera&facets=product&limit=1");
    let address = page["matches"][0]["address"].as_str().expect("a camera").to_owned();
    let host = json(&origin, &format!("/api/v1/hosts/{address}"));
    let hash = host["services"][0]["evidence"][0]["hash"].as_str().expect("evidence").to_owned();
    assert!(json(&origin, &format!("/api/v1/evidence/{hash}"))["size"].as_u64().is_some_and(|size| size > 0));
    for (language, lang) in [("ja", "<html lang=\"ja\""), ("en", "<html lang=\"en\"")] {
        for path in ["/", "/search?q=port:80&", "/surveys?", &format!("/hosts/{address}?")] {
            let path = if path == "/" { "/?".to_owned() } else { path.to_owned() };
            assert!(get(&origin, &format!("{path}lang={language}")).contains(lang), "{path} in {language}");
        }
    }
    let seen = total(&origin);
    assert_eq!(first_start.interrupt(), Some(0), "Ctrl-C is an orderly end");
    let (second_start, ready) = here.start(&["--json"]);
    let ready: Value = serde_json::from_str(&ready).expect("one line of JSON");
    let origin = ready["url"].as_str().expect("an address").to_owned();
    assert_eq!((&ready["town"]["size"], &ready["town"]["day"]), (&1_024.into(), &1.into()), "{ready}");
    assert!(total(&origin) >= seen, "the second start shows at once what is there");
    until("both days are told of", Duration::from_secs(60), || json(&origin, "/api/v1/surveys")["total"] == 2);
    assert_eq!(second_start.interrupt(), Some(0));
}
