//! What happened: by time, as it arrives, and as stretches of presence.

use std::collections::BTreeMap;
use std::time::Duration;

use hinomi_lake::past::Happened;
use hinomi_lake::past::arrivals::{Arrived, ArrivedRequest};
use hinomi_lake::past::changes::{ChangeEvent, ChangesRequest};
use hinomi_lake::past::presence::Was;
use hinomi_lake::{CompactOptions, Lake, LakeError};
use hinomi_model::{Evidence, Outcome, Sighting, Sink};
use proptest::prelude::*;

use crate::support::{EVERYTHING, at, batch, now, open, open_reader, sighting};

const DAY: i64 = 86_400;

fn merge_all(lake: &Lake, grace: Option<Duration>) {
    let mut options = CompactOptions::default();
    (options.all, options.file_rows) = (true, 2);
    options.grace = grace.unwrap_or(options.grace);
    lake.compact(&options, &mut |_, _| {}).unwrap();
}

fn closed(address: &str, port: u16, seconds: i64) -> (Sighting, Evidence) {
    let (mut seen, evidence) = sighting(address, port, seconds, "");
    (seen.outcome, seen.evidence) = (Outcome::Closed, Vec::new());
    (seen, evidence)
}

/// All pages, `limit` at a time.
fn told(lake: &Lake, mut request: ChangesRequest, limit: usize) -> Vec<ChangeEvent> {
    request.limit = limit;
    let mut all = Vec::new();
    loop {
        let page = lake.changes(&request).unwrap();
        assert!(page.events.len() <= limit);
        all.extend(page.events);
        request.cursor = page.next;
        if request.cursor.is_none() {
            return all;
        }
    }
}

/// Everything that arrived after a place, `limit` at a time, and where to go on.
fn arrived(lake: &Lake, query: &str, after: &str, limit: usize) -> (Vec<Arrived>, String) {
    let mut request = ArrivedRequest { query: query.to_owned(), after: after.to_owned(), limit, within: None };
    let mut all = Vec::new();
    loop {
        let page = lake.arrived(&request).unwrap();
        assert!(page.events.len() <= limit);
        all.extend(page.events);
        request.after = page.next;
        if !page.more {
            return (all, request.after);
        }
    }
}

fn short(event: &ChangeEvent) -> (i64, String, Happened, String) {
    let seconds = (event.time.as_micros() - at(0).as_micros()) / 1_000_000;
    (seconds, event.service.address.to_string(), event.what, event.changes.join(","))
}

/// A service that is upgraded, closed and back; one that stays.
fn story() -> Vec<(Sighting, Evidence)> {
    vec![
        sighting("192.0.2.1", 22, 0, "ssh S 1"),
        sighting("192.0.2.2", 80, 0, "http W 1"),
        sighting("192.0.2.1", 22, DAY, "ssh S 2"),
        sighting("192.0.2.2", 80, DAY, "http W 1"),
        closed("192.0.2.1", 22, 2 * DAY),
        closed("192.0.2.1", 22, 3 * DAY),
        sighting("192.0.2.1", 22, 4 * DAY, "ssh T 2"),
    ]
}

/// A commit each.
fn append_all(lake: &Lake, all: impl IntoIterator<Item = (Sighting, Evidence)>) {
    for one in all {
        lake.append(batch([one])).unwrap();
    }
}

fn of_story() -> Vec<(i64, String, Happened, String)> {
    let one =
        |day: i64, host: u8, what, changes: &str| (day * DAY, format!("192.0.2.{host}"), what, changes.to_owned());
    vec![
        one(0, 1, Happened::Opened, ""),
        one(0, 2, Happened::Opened, ""),
        one(1, 1, Happened::Changed, "version"),
        one(2, 1, Happened::Closed, ""),
        one(4, 1, Happened::Reopened, "product"),
    ]
}

#[test]
fn a_story_is_told_in_time_however_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    append_all(&lake, story().into_iter().rev());
    for limit in [1, 2, 100] {
        let events = told(&lake, ChangesRequest::new(""), limit);
        assert_eq!(events.iter().map(short).collect::<Vec<_>>(), of_story(), "{limit} at a time");
        merge_all(&lake, None);
    }
    let events = told(&lake, ChangesRequest::new(""), 100);
    assert_eq!((events[2].before.as_deref(), events[2].after.as_deref()), (Some("ssh S 1"), Some("ssh S 2")));
    assert_eq!((events[3].before.as_deref(), events[3].after.as_deref()), (Some("ssh S 2"), None));
    let some = |query: &str, from: i64, until: i64| {
        let mut request = ChangesRequest::new(query);
        (request.from, request.until) = (Some(at(from * DAY)), Some(at(until * DAY)));
        told(&lake, request, 1).iter().map(|event| (short(event).0 / DAY, event.what)).collect::<Vec<_>>()
    };
    assert_eq!(some("net:192.0.2.1", 1, 3), [(1, Happened::Changed), (2, Happened::Closed)]);
    assert_eq!(some("product:S", 0, 9), [0, 1, 2].map(of_story_on), "either side counts");
    assert_eq!(some("product:T", 0, 9), [(4, Happened::Reopened)]);
    assert!(some("product:U", 0, 9).is_empty());
    let mut other = ChangesRequest::new("");
    other.limit = 1;
    let cursor = lake.changes(&other).unwrap().next;
    let wrong = ChangesRequest { query: "port:22".to_owned(), cursor, ..other };
    assert!(matches!(lake.changes(&wrong), Err(LakeError::Cursor)), "a cursor is for its question");
}

fn of_story_on(day: i64) -> (i64, Happened) {
    let on = of_story().into_iter().find(|(time, ..)| *time == day * DAY).unwrap();
    (day, on.2)
}

#[test]
fn arrivals_are_told_once_across_merges_breaks_and_deletions() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    lake.append(batch([sighting("198.51.100.1", 22, 0, "ssh S 1")])).unwrap();
    let (_, begin) = lake.arrivals_begin().unwrap();
    assert_eq!(arrived(&lake, "", &begin, 10), (Vec::new(), begin.clone()), "what was before is no news");
    for (at, one) in story().into_iter().enumerate() {
        lake.append(batch([one])).unwrap();
        if at % 3 == 2 {
            merge_all(&lake, None);
        }
    }
    let (all, next) = arrived(&lake, "", &begin, 2);
    let mut events: Vec<_> = all.iter().map(|one| short(&one.event)).collect();
    events.sort_by_key(|(time, host, ..)| (*time, host.clone()));
    assert_eq!(events, of_story());
    let reader = open_reader(dir.path()).unwrap();
    for (at, one) in all.iter().enumerate() {
        let (rest, end) = arrived(&reader, "", &one.id, 1);
        let events = |all: &[Arrived]| all.iter().map(|one| one.event.clone()).collect::<Vec<_>>();
        assert_eq!((events(&rest), end), (events(&all[at + 1..]), next.clone()), "after event {at}");
    }
    // Late, and only for those who ask for it.
    lake.append(batch([sighting("192.0.2.2", 80, -DAY, "http W 0")])).unwrap();
    let late = arrived(&lake, "port:80", &next, 10).0;
    assert_eq!(short(&late[0].event).0, -DAY);
    assert!(arrived(&lake, "port:22", &next, 10).0.is_empty());
    let (_, next) = arrived(&lake, "", &next, 10);
    erase(&lake);
    assert!(arrived(&lake, "", &next, 10).0.is_empty(), "what a deletion wrote is no arrival");
    assert!(matches!(lake.arrived(&ask("999")), Err(LakeError::Cursor)), "a version that is not there");
}

fn ask(after: &str) -> ArrivedRequest {
    ArrivedRequest { query: String::new(), after: after.to_owned(), limit: 10, within: None }
}

fn erase(lake: &Lake) {
    let (kind, text) = (hinomi_lake::ledger::Kind::Erase, "a test".to_owned());
    let order = hinomi_lake::erase::Order { kind, reason: text.clone(), by: text };
    let one = |seen: &Sighting| seen.subject.address.to_string() == "192.0.2.1";
    lake.delete(order, &hinomi_lake::erase::Choice::anywhere(&one), false, &mut |_, _| {}).unwrap();
}

#[test]
fn who_was_away_for_too_long_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let (_, begin) = lake.arrivals_begin().unwrap();
    append_all(&lake, story());
    merge_all(&lake, None);
    drop(lake);
    let mut later = crate::support::options(dir.path(), false);
    later.clock = std::sync::Arc::new(hinomi_model::time::FixedClock(at(3_000_000)));
    let lake = Lake::open(later).unwrap();
    assert!(matches!(lake.arrived(&ask(&begin)), Err(LakeError::Forgotten { .. })));
}

#[test]
fn stretches_tell_what_nobody_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    append_all(&lake, story());
    lake.append(batch([closed("192.0.2.1", 23, DAY)])).unwrap();
    let host = lake.presence("192.0.2.1".parse().unwrap(), now()).unwrap();
    let [service] = host.services.as_slice() else { panic!("what never answered is no service: {host:?}") };
    let days = |time: hinomi_model::Timestamp| (time.as_micros() - at(0).as_micros()) / 1_000_000 / DAY;
    let told: Vec<_> = service.stretches.iter().map(|one| (days(one.from), days(one.until), one.was)).collect();
    assert_eq!(told, [(0, 2, Was::Open), (2, 4, Was::Closed), (4, 4, Was::Open), (4, 11, Was::NotLookedAt)]);
    assert_eq!(service.events.len(), 4);
    assert!(!service.more && !host.more);
}

#[test]
fn of_a_service_with_much_to_tell_the_newest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let look = |n: i64| match n % 2 {
        0 => sighting("192.0.2.1", 22, n, "ssh S 1"),
        _ => closed("192.0.2.1", 22, n),
    };
    lake.append(batch((0..600).map(look))).unwrap();
    let host = lake.presence("192.0.2.1".parse().unwrap(), now()).unwrap();
    let [service] = host.services.as_slice() else { panic!("one service: {host:?}") };
    let (events, stretches) = (&service.events, &service.stretches);
    assert!(service.more && events.len() >= 128, "{}", events.len());
    assert_eq!(events.last().map(|event| event.time), Some(at(599)));
    assert!(stretches[0].from <= events[0].time, "{:?} {:?}", stretches[0], events[0]);
}

#[test]
fn another_owner_is_a_change_of_what_answers() {
    let dir = tempfile::tempdir().unwrap();
    let open_at = |seconds: i64, places: &str| {
        std::fs::write(dir.path().join("places.csv"), places).unwrap();
        let mut options = crate::support::options(dir.path(), false);
        options.clock = std::sync::Arc::new(hinomi_model::time::FixedClock(at(seconds)));
        Lake::open(options).unwrap()
    };
    append_all(&open_at(0, "192.0.2.0/24,64500,One\n"), story());
    // Between the second and the third look of the first host it was closed.
    drop(open_at(3 * DAY + 1, "192.0.2.0/24,64501,Two\n"));
    let lake = open_at(5 * DAY, "192.0.2.0/24,64501,Three\n");
    let mut request = ChangesRequest::new("");
    request.from = Some(at(3 * DAY));
    let owners: Vec<_> = told(&lake, request, 1).into_iter().filter(|event| event.changes == ["owner"]).collect();
    let short = |event: &ChangeEvent| (short(event).0, short(event).1, event.before.clone(), event.after.clone());
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        (3 * DAY + 1, "192.0.2.2".to_owned(), text("AS64500 One"), text("AS64501 Two")),
        (5 * DAY, "192.0.2.1".to_owned(), text("AS64501 Two"), text("AS64501 Three")),
        (5 * DAY, "192.0.2.2".to_owned(), text("AS64501 Two"), text("AS64501 Three")),
    ];
    assert_eq!(owners.iter().map(short).collect::<Vec<_>>(), expected);
    let host = lake.presence("192.0.2.1".parse().unwrap(), now()).unwrap();
    assert_eq!(host.services[0].events.last().unwrap().changes, ["owner"]);
}

type Told = (u8, i64, u8, u8);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Told by time, what happened is what a plain reading of all looks in order says; what arrived in order is the same.
    #[test]
    fn events_equal_a_plain_reading(
        batches in proptest::collection::vec(
            proptest::collection::vec((0..3_u8, 0..4_i64, 0..3_u8, 0..4_u8), 1..6), 1..8),
        merged in any::<bool>(),
        limit in 1..5_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let lake = open(dir.path());
        let (_, begin) = lake.arrivals_begin().unwrap();
        let mut looks: BTreeMap<(u8, i64), Told> = BTreeMap::new();
        for (at, told) in batches.iter().enumerate() {
            // Later batches are later: nothing arrives late. One look a moment, so that all of it is in order.
            let base = i64::try_from(at).unwrap() * 10;
            let new: BTreeMap<_, _> =
                told.iter().map(|(host, time, version, outcome)| ((*host, base + time), (*host, base + time, *version, *outcome))).collect();
            lake.append(batch(new.values().map(|(host, time, version, outcome)| {
                let address = format!("192.0.2.{host}");
                if *outcome == 0 { closed(&address, 22, *time) } else { sighting(&address, 22, *time, &format!("ssh S {version}")) }
            }))).unwrap();
            looks.extend(new);
            if merged && at % 2 == 0 {
                merge_all(&lake, None);
            }
        }
        let mut expected = plainly(&looks);
        let events = told(&lake, ChangesRequest::new(EVERYTHING), limit);
        prop_assert_eq!(events.iter().map(short).map(|one| (one.0, one.1, one.2)).collect::<Vec<_>>(), expected.clone());
        let arrivals = arrived(&lake, EVERYTHING, &begin, limit).0;
        let mut news: Vec<_> =
            arrivals.iter().map(|one| short(&one.event)).map(|one| (one.0, one.1, one.2)).collect();
        news.sort();
        expected.sort();
        prop_assert_eq!(news, expected);
    }
}

fn plainly(looks: &BTreeMap<(u8, i64), Told>) -> Vec<(i64, String, Happened)> {
    // What the newest that answered said, and whether it was found closed since.
    let mut states: BTreeMap<u8, (u8, bool)> = BTreeMap::new();
    let mut events = Vec::new();
    for (host, time, version, outcome) in looks.values() {
        let before = states.get(host).copied();
        let (what, after) = match (before, *outcome) {
            (None, 0) => continue,
            (Some((said, gone)), 0) => ((!gone).then_some(Happened::Closed), (said, true)),
            (None, _) => (Some(Happened::Opened), (*version, false)),
            (Some((_, true)), _) => (Some(Happened::Reopened), (*version, false)),
            (Some((said, false)), _) => ((said != *version).then_some(Happened::Changed), (*version, false)),
        };
        states.insert(*host, after);
        events.extend(what.map(|what| (*time, format!("192.0.2.{host}"), what)));
    }
    events.sort_by_key(|(time, host, _)| (*time, host.clone()));
    events
}
