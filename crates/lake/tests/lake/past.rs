//! Questions about the past: what was true then, what was known then, what became different.

use std::fs;

use hinomi_lake::past::diff::{DiffRequest, Side, What};
use hinomi_lake::past::{PastPage, PastRequest, Presence};
use hinomi_lake::{CompactOptions, Known, Lake, LakeError};
use hinomi_model::{Evidence, Outcome, Service, Sighting, Sink};
use proptest::prelude::*;

use crate::support::{EVERYTHING, at, batch, open, services, sighting};

fn merge_all(lake: &Lake) {
    let mut options = CompactOptions::default();
    (options.all, options.file_rows) = (true, 2);
    lake.compact(&options, &mut |_, _| {}).unwrap();
}

fn closed(address: &str, port: u16, seconds: i64) -> (Sighting, Evidence) {
    let (mut seen, evidence) = sighting(address, port, seconds, "");
    (seen.outcome, seen.evidence) = (Outcome::Closed, Vec::new());
    (seen, evidence)
}

/// All pages, `limit` at a time.
fn pages(lake: &Lake, request: &PastRequest) -> Vec<PastPage> {
    let mut request = request.clone();
    let mut pages = Vec::new();
    loop {
        let page = lake.as_of(&request).unwrap();
        request.cursor.clone_from(&page.next);
        pages.push(page);
        if request.cursor.is_none() {
            return pages;
        }
    }
}

fn stood(lake: &Lake, request: &PastRequest) -> Vec<Service> {
    let pages = pages(lake, request);
    let all: Vec<Service> = pages.iter().flat_map(|page| &page.matches).map(|one| one.service.clone()).collect();
    assert!(pages.iter().all(|page| page.total == u64::try_from(all.len()).unwrap()), "every page tells the total");
    all
}

type Told = (u8, u16, i64, u8, u8, bool);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The state of a moment is the state of a lake that was told what was seen until then, and nothing else.
    #[test]
    fn a_past_moment_equals_a_replay(
        told in proptest::collection::vec(proptest::collection::vec(
            (0..4_u8, 20..22_u16, 0..9_i64, 0..3_u8, 0..4_u8, any::<bool>()), 1..6), 1..6),
        moment in 0..10_i64,
        merged in any::<bool>(),
    ) {
        let seen = |(host, port, seconds, version, outcome, other): Told| {
            let (mut seen, evidence) = sighting(&format!("192.0.2.{host}"), port, seconds, &format!("ssh S {version}"));
            seen.outcome = [Outcome::Open, Outcome::Open, Outcome::Closed, Outcome::Pseudo][usize::from(outcome)];
            seen.sensor = if other { "import" } else { "survey" }.parse().unwrap();
            (seen, evidence)
        };
        let (dir, past) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (lake, replay) = (open(dir.path()), open(past.path()));
        for told in &told {
            lake.append(batch(told.iter().copied().map(seen))).unwrap();
        }
        if merged {
            merge_all(&lake);
        }
        let until = told.iter().flatten().copied().filter(|told| told.2 <= moment);
        replay.append(batch(until.map(seen))).unwrap();
        let mut request = PastRequest::new(EVERYTHING, at(moment));
        request.limit = 2;
        prop_assert_eq!(stood(&lake, &request), services(&replay));
    }
}

/// A service that is upgraded, closed and back; one that nobody looks at any more; one that comes late.
fn story(lake: &Lake) {
    const DAY: i64 = 86_400;
    lake.append(batch([
        sighting("192.0.2.1", 22, 0, "ssh S 1"),
        sighting("192.0.2.2", 80, 0, "http W 1"),
        sighting("198.51.100.7", 22, 0, "ssh S 1"),
    ]))
    .unwrap();
    lake.append(batch([sighting("192.0.2.1", 22, DAY, "ssh S 2"), sighting("198.51.100.7", 22, DAY, "ssh S 1")]))
        .unwrap();
    lake.append(batch([closed("192.0.2.1", 22, 2 * DAY), sighting("192.0.2.3", 443, 2 * DAY, "http W 2")])).unwrap();
    lake.append(batch([sighting("192.0.2.1", 22, 60 * DAY, "ssh S 2")])).unwrap();
}

fn days(days: i64) -> hinomi_model::Timestamp {
    at(days * 86_400)
}

#[test]
fn what_nobody_looked_at_is_not_gone() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    story(&lake);
    merge_all(&lake);
    let state = |query: &str, day: i64| {
        let page = lake.as_of(&PastRequest::new(query, days(day))).unwrap();
        page.matches.first().map(|one| (one.state, one.service.facts.version.clone().unwrap_or_default(), one.closed))
    };
    let one = "net:192.0.2.1 (has:closed OR -has:closed)";
    assert_eq!(state(one, -1), None);
    assert_eq!(state(one, 0), Some((Presence::Open, "1".to_owned(), None)));
    assert_eq!(state(one, 1), Some((Presence::Open, "2".to_owned(), None)));
    assert_eq!(state(one, 5), Some((Presence::Closed, "2".to_owned(), Some(days(2)))));
    assert_eq!(state("net:192.0.2.1", 5), None, "closed services are asked for by name");
    assert_eq!(state(one, 61), Some((Presence::Open, "2".to_owned(), None)));
    assert_eq!(state("product:W port:80", 31), Some((Presence::NotSeenSince, "1".to_owned(), None)));
    assert_eq!(state("version:1 net:192.0.2.0/24", 1).unwrap().1, "1");
}

#[test]
fn what_was_known_then_is_another_question() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    story(&lake);
    let mut request = PastRequest::new("", days(100));
    request.known = Some(Known::Version(1));
    assert_eq!(lake.as_of(&request).unwrap().total, 3, "the first batch");
    merge_all(&lake);
    assert_eq!(lake.as_of(&request).unwrap().total, 3, "files that were replaced still stand");
    request.known = Some(Known::At(at(0)));
    assert_eq!(lake.as_of(&request).unwrap().total, 0, "the table was made later");
    request.known = None;
    assert_eq!(lake.as_of(&request).unwrap().total, 4);
    request.known = Some(Known::Version(1));
    let folder = dir.path().join("tables/sightings");
    let first =
        |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().contains("hinomi-00000000000000000001-");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| first(path)).for_each(|path| fs::remove_file(path).unwrap());
    assert!(matches!(lake.as_of(&request), Err(LakeError::Forgotten { .. })));
}

fn diff(from: Side, to: Side, query: &str) -> DiffRequest {
    DiffRequest { query: query.to_owned(), from, to, now: days(100), limit: 100, cursor: None, within: None }
}

fn told(lake: &Lake, request: &DiffRequest) -> Vec<(String, What, Vec<String>)> {
    let page = lake.diff(request).unwrap();
    page.differences.into_iter().map(|one| (one.key.address.to_string(), one.what, one.changes)).collect()
}

#[test]
fn two_moments_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    story(&lake);
    merge_all(&lake);
    let between = |from, to| told(&lake, &diff(Side::At(days(from)), Side::At(days(to)), ""));
    let one = |address: &str, what, changes: &[&str]| {
        (address.to_owned(), what, changes.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    let not_looked = one("192.0.2.2", What::NotLookedAt, &[]);
    assert_eq!(between(0, 1), [one("192.0.2.1", What::Changed, &["version"]), not_looked.clone()]);
    let gone = one("192.0.2.1", What::Gone, &[]);
    let later = [gone, not_looked, one("192.0.2.3", What::New, &[]), one("198.51.100.7", What::NotLookedAt, &[])];
    assert_eq!(between(1, 2), later);
    let narrow = diff(Side::At(days(1)), Side::At(days(2)), "net:192.0.2.0/24 product:S");
    assert_eq!(told(&lake, &narrow), later[..1]);
    let mut paged = diff(Side::At(days(1)), Side::At(days(2)), "");
    paged.limit = 3;
    let first = lake.diff(&paged).unwrap();
    assert_eq!((first.total, first.differences.len()), (4, 3));
    paged.cursor = first.next;
    let second = lake.diff(&paged).unwrap();
    assert_eq!((second.total, second.differences.len(), second.next), (4, 1, None));
    paged.query = "port:22".to_owned();
    assert!(matches!(lake.diff(&paged), Err(LakeError::Cursor)), "of another question");
}

#[test]
fn sides_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    story(&lake);
    let campaign = || Side::Campaign("spring".parse().unwrap());
    for (from, to) in
        [(Side::At(days(2)), Side::At(days(1))), (Side::At(days(1)), campaign()), (campaign(), Side::At(days(1)))]
    {
        assert!(matches!(lake.diff(&diff(from, to, "")), Err(LakeError::Unfit { .. })));
    }
    let mut request = PastRequest::new("", days(100));
    request.known = Some(Known::Version(99));
    assert!(matches!(lake.as_of(&request), Err(LakeError::Unfit { .. })));
}

#[test]
fn two_campaigns_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let of = |name: &str, (mut seen, evidence): (Sighting, Evidence)| {
        seen.campaign = Some(name.parse().unwrap());
        (seen, evidence)
    };
    let first = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|one| of("a", sighting(one, 22, 0, "ssh S 1")));
    lake.append(batch(first)).unwrap();
    let second = [
        of("b", sighting("192.0.2.1", 22, 10, "ssh S 1")),
        of("b", closed("192.0.2.2", 22, 10)),
        of("b", sighting("192.0.2.4", 22, 10, "ssh S 1")),
        of("other", sighting("192.0.2.3", 22, 10, "ssh S 1")),
    ];
    lake.append(batch(second)).unwrap();
    merge_all(&lake);
    let side = |name: &str| Side::Campaign(name.parse().unwrap());
    let found = told(&lake, &diff(side("a"), side("b"), ""));
    let found: Vec<_> = found.iter().map(|(address, what, _)| (address.as_str(), *what)).collect();
    let expected = [("192.0.2.2", What::Gone), ("192.0.2.3", What::NotLookedAt), ("192.0.2.4", What::New)];
    assert_eq!(found, expected);
}
