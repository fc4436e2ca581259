//! The past on pages and in the API, and what happens as a stream.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use hinomi_model::{Outcome, Sink};
use serde_json::Value;

use crate::client::ask;
use crate::world::{Look, World, banner, batch};

#[test]
fn a_past_moment_is_told_as_it_stood() {
    let world = World::at_rest();
    let found = world.get("/api/v1/as-of?q=ip:192.0.2.60&at=2026-11-05").json();
    let versions: Vec<_> = found["matches"].as_array().expect("matches").iter().collect();
    assert_eq!((found["total"].as_u64(), versions.len()), (Some(2), 2));
    assert_eq!((&versions[0]["service"]["version"], &versions[0]["state"]), (&"8.4p1".into(), &"open".into()));
    let closed = world.get("/api/v1/as-of?q=ip:192.0.2.60%20has:closed&at=2026-11-22").json();
    assert_eq!(closed["matches"][0]["closed"], "2026-11-10T09:11:00Z", "{closed}");
    let first = world.get("/api/v1/as-of?at=2026-11-05&limit=1").json();
    let next = first["next"].as_str().expect("more");
    let second = world.get(&format!("/api/v1/as-of?at=2026-11-05&limit=1&cursor={next}")).json();
    assert!(first["total"] == second["total"] && first["matches"] != second["matches"]);
    assert_eq!(world.get(&format!("/api/v1/as-of?at=2026-11-06&cursor={next}")).json()["code"], "cursor");
}

#[test]
fn differences_and_changes_name_what_changed() {
    let world = World::at_rest();
    let diff = world.get("/api/v1/diff?q=ip:192.0.2.60&from=2026-11-05&to=2026-11-22").json();
    let whats: Vec<_> = diff["differences"].as_array().expect("some").iter().map(|one| &one["what"]).collect();
    assert_eq!(whats, ["changed", "gone"]);
    let refused = world.get("/api/v1/diff?from=2026-11-05&to=2026-11-01").json();
    assert_eq!(refused["code"], "parameter");
    assert!(refused["detail"].as_str().expect("a detail").contains("earlier one first"), "{refused}");
    let page = world.get("/api/v1/changes?q=ip:192.0.2.60&from=2026-11-05&limit=1").json();
    assert_eq!((&page["events"][0]["what"], &page["events"][0]["service"]["port"]), (&"changed".into(), &22.into()));
    let changes = page["events"][0]["changes"].as_array().expect("names");
    assert!(changes.contains(&"version".into()), "{changes:?}");
    let cursor = page["next"].as_str().expect("more");
    let last = world.get(&format!("/api/v1/changes?q=ip:192.0.2.60&from=2026-11-05&limit=9&cursor={cursor}")).json();
    assert_eq!((&last["events"][0]["what"], &last["next"]), (&"closed".into(), &Value::Null));
}

#[test]
fn the_search_page_says_of_which_moment_it_speaks() {
    let world = World::at_rest();
    let page = world.page("/search?q=ip:192.0.2.60&at=2026-11-05", "en");
    for told in ["As it stood at 2026-11-05 23:59 UTC", "8.4p1", "value=\"2026-11-05\"", "Show the present", ">open<"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("9.2p1") && !page.contains("/api/v1/export") && !page.contains("id=\"facets\""));
    let japanese = world.page("/search?q=ip:192.0.2.60+has:closed&at=2026-11-22", "ja");
    assert!(japanese.contains("2026-11-10 09:11 UTC に閉じていた"), "{japanese}");
    let wrong = world.get("/search?q=ip:192.0.2.60&at=soon&lang=en");
    assert!(wrong.status == 400 && wrong.text().contains("is missing, unknown or malformed"));
    let now = world.page("/search?q=ip:192.0.2.60&at=", "en");
    assert!(now.contains("9.2p1") && !now.contains("As it stood"), "an empty field is the present");
}

/// The end of today is now, and a cursor is for one moment.
#[test]
fn the_next_page_of_today_is_of_the_same_moment() {
    let world = World::at_rest();
    let time = "2026-11-22T11:30:00Z";
    let look = |port| Look { address: "192.0.2.70", port, time, outcome: Outcome::Open, evidence: vec![banner("220")] };
    world.lake.append(batch((1..=30).map(look).collect())).expect("room");
    let page = world.page("/search?q=ip:192.0.2.70&at=2026-11-22", "en");
    let (_, next) = page.split_once("rel=\"next\" href=\"").expect("a next page");
    let next = next.split('"').next().expect("a link").replace("&amp;", "&").replace("&#38;", "&");
    assert!(next.contains("at=2026-11-22T12"), "{next}");
    let last = world.page(&next, "en");
    assert!(last.contains("As it stood at 2026-11-22 12:00 UTC") && last.contains("value=\"2026-11-22\""), "{last}");
    assert!(!last.contains("rel=\"next\""), "{last}");
}

#[test]
fn a_host_shows_when_it_was_there() {
    let page = World::at_rest().page("/hosts/192.0.2.60", "en");
    for told in
        ["<h2 id=\"presence\">", "was-closed", "url(#hatch)", "not looked at", "2026-11-10 09:10 UTC: changed (version"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
}

/// Reads a stream of events until so many have come: id and data.
fn events(world: &World, headers: &str, wanted: usize, meanwhile: impl FnOnce()) -> Vec<(String, Value)> {
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    let mut stream = TcpStream::connect(world.address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let target = "/api/v1/changes?q=port:2323";
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("the request is taken");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    assert!(lines.next().expect("a status").contains(" 200 "));
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")), "{head:?}");
    // The first piece: whatever is appended from now on is told.
    assert!(lines.by_ref().any(|line| line.starts_with("retry: ")));
    meanwhile();
    let (mut found, mut id) = (Vec::new(), String::new());
    while found.len() < wanted {
        let line = lines.next().expect("the stream goes on");
        if let Some(text) = line.strip_prefix("id: ") {
            text.clone_into(&mut id);
        }
        if let Some(data) = line.strip_prefix("data: ") {
            found.push((id.clone(), serde_json::from_str(data).expect("JSON")));
        }
    }
    found
}

#[test]
fn a_stream_tells_what_arrives_and_goes_on_after_a_break() {
    let world = World::at_rest();
    let seen = |address: &'static str, outcome| {
        let evidence = if outcome == Outcome::Open { vec![banner("220 hello\r\n")] } else { vec![] };
        let look = Look { address, port: 2323, time: "2026-11-22T11:30:00Z", outcome, evidence };
        world.lake.append(batch(vec![look])).expect("room");
    };
    let both = events(&world, "", 2, || {
        seen("192.0.2.10", Outcome::Open);
        seen("192.0.2.11", Outcome::Open);
    });
    let whats: Vec<_> = both.iter().map(|(_, event)| (&event["what"], &event["service"]["address"])).collect();
    assert_eq!(whats, [(&"opened".into(), &"192.0.2.10".into()), (&"opened".into(), &"192.0.2.11".into())]);
    let (id, first) = &both[0];
    assert_eq!(first["id"], id.as_str());
    let again = events(&world, &format!("Last-Event-ID: {id}\r\n"), 1, || {});
    assert_eq!(again[0], both[1], "what came after it, and nothing twice");
    let stream = |target: &str, headers: &str| {
        ask(world.address, "GET", target, &format!("Accept: text/event-stream\r\n{headers}"))
    };
    for (target, headers) in [
        ("/api/v1/changes?from=2026-11-01", ""),
        ("/api/v1/changes?q=prot:x", ""),
        ("/api/v1/changes", "Last-Event-ID: nonsense\r\n"),
    ] {
        assert_eq!(stream(target, headers).status, 400, "{target} {headers}");
    }
}

#[test]
fn saved_queries_that_cannot_be_read_are_told_of() {
    let world = World::at_rest();
    std::fs::create_dir_all(world.folder.path().join("watch")).expect("a folder");
    std::fs::write(world.folder.path().join("watch/queries.json"), "not JSON").expect("written");
    assert!(world.page("/watch", "en").contains("The saved queries cannot be read"));
    assert!(world.page("/watch", "ja").contains("保存した検索を読めません"));
}
