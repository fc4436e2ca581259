//! Keeping on a bucket: check, backup and restore, erasing what a bucket with versions hides, and a store that fails.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use hinomi_lake::backup::{self, Options};
use hinomi_lake::check::{Shelf, ShelfName, check, mend, quarantine};
use hinomi_lake::{CompactOptions, Lake, LakeError};
use hinomi_model::Sink;

use super::endpoint::{Endpoint, settle};
use super::faults::Proxy;
use super::round;
use crate::keep::erase;
use crate::reach::{GONE, holds};
use crate::support::{batch, clock, open, options, services, sighting, with_state};

fn look(state: &Path) -> Vec<Shelf> {
    check(state, true, &clock(), &mut |_, _| {}).unwrap()
}

fn damaged(state: &Path) -> Vec<ShelfName> {
    look(state).into_iter().filter(|shelf| !shelf.is_whole()).map(|shelf| shelf.name).collect()
}

fn restore(from: &Path, state: &Path) -> Result<backup::Restored, LakeError> {
    let mut finish = |dir: &Path| open(dir).erase_again("test").map(drop);
    backup::restore(from, None, state, &clock(), &mut |_, _| {}, &mut finish)
}

/// One request to the test's own server; its answer whole.
#[expect(clippy::disallowed_methods, reason = "to the test's own server on loopback")]
fn ask(port: u16, request: &str, body: &[u8]) -> Vec<u8> {
    let mut server = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let who = "authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request";
    let length = body.len();
    write!(server, "{request} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n{who}\r\ncontent-length: {length}\r\n\r\n")
        .unwrap();
    server.write_all(body).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.") && answer[8..].starts_with(b" 2"), "{}", String::from_utf8_lossy(&answer));
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer.split_off(head + 4)
}

fn keep_versions(port: u16) {
    let on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    ask(port, "PUT /lake?versioning", on);
}

/// Every version of every object: its name, and whether it holds the address.
fn versions(port: u16, also: &str) -> Vec<(String, bool)> {
    let listing = String::from_utf8(ask(port, "GET /lake?versions", b"")).unwrap();
    assert!(listing.contains("<IsTruncated>false"), "more than a page");
    let part = |text: &str, name: &str| {
        let rest = text.split_once(&format!("<{name}>")).unwrap().1;
        rest.split_once('<').unwrap().0.to_owned()
    };
    let each = listing.split("<Version>").skip(1).map(|text| (part(text, "Key"), part(text, "VersionId")));
    each.map(|(key, id)| {
        let bytes = ask(port, &format!("GET /lake/{key}?versionId={id}"), b"");
        (key, holds(&bytes, GONE, also))
    })
    .collect()
}

#[test]
fn a_bucket_is_checked_mended_backed_up_and_brought_back() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (state, to) = (dir.path().join("state"), dir.path().join("backup"));
    settle(&state, endpoint.port, 30);
    let lake = open(&state);
    for number in 0..3 {
        lake.append(with_state(round(100, number), &number.to_string())).unwrap();
    }
    erase(&lake, "198.51.100.0");
    lake.append(with_state(round(100, 4), "4")).unwrap();
    let told = services(&lake);
    assert!(damaged(&state).is_empty(), "{:?}", look(&state));
    let first = backup::take(&state, &to, Options::default(), &clock(), &mut |_| {}).unwrap();
    lake.append(with_state(round(100, 5), "5")).unwrap();
    let second = backup::take(&state, &to, Options::default(), &clock(), &mut |_| {}).unwrap();
    assert!(second.files > first.files && second.new_files < 12, "{first:?} {second:?}");
    drop(lake);
    // Into a folder, and into an empty prefix of a bucket.
    let folder = dir.path().join("folder");
    restore(&to, &folder).unwrap();
    let again = dir.path().join("again");
    settle(&again, endpoint.port, 30);
    let error = restore(&to, &again).unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    let path = again.join("lake.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("a/prefix", "another")).unwrap();
    restore(&to, &again).unwrap();
    for state in [&folder, &again] {
        let lake = open(state);
        assert_eq!(services(&lake).len(), told.len() + 5, "{}", state.display());
        assert_eq!(lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state, "5");
        lake.append(round(100, 6)).unwrap();
        drop(lake);
        assert!(damaged(state).is_empty(), "{:?}", look(state));
    }
    assert!(restore(&to, &again).unwrap_err().to_string().contains("already"));
    // A file that is lost and one of which a bit flipped; facts that are.
    let named: Vec<_> = versions(endpoint.port, "OnlyHere").into_iter().map(|(key, _)| key).collect();
    let of = |table: &str| {
        let begin = format!("another/{table}/hinomi-");
        named.iter().filter(|key| key.starts_with(&begin)).cloned().collect::<Vec<_>>()
    };
    let (lost, facts) = (of("sightings").pop().unwrap(), of("facts").pop().unwrap());
    ask(endpoint.port, &format!("DELETE /lake/{lost}"), b"");
    let mut wrong = ask(endpoint.port, &format!("GET /lake/{facts}"), b"");
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    ask(endpoint.port, &format!("PUT /lake/{facts}"), &wrong);
    let told = look(&again);
    assert_eq!(damaged(&again), [ShelfName::Sightings, ShelfName::Facts], "{told:?}");
    assert_eq!(quarantine(&again, &told, "test", &clock()).unwrap(), 1);
    assert!(mend(&again, &told, &clock()).unwrap());
    drop(open(&again));
    assert!(damaged(&again).is_empty(), "{:?}", look(&again));
}

#[test]
fn what_is_erased_is_in_no_version_of_a_bucket_that_keeps_them() {
    let Some(endpoint) = Endpoint::start() else { return };
    keep_versions(endpoint.port);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let proxy = Proxy::start(endpoint.port, 1, 0);
    settle(&state, proxy.port, 30);
    let lake = open(&state);
    for second in 0..3 {
        let other = sighting("192.0.2.1", 22, second, "ssh S 1");
        lake.append(batch([sighting(GONE, 22, second, "ssh OnlyHere 1"), other])).unwrap();
    }
    // What is merged is deleted at once, and stays as an older version.
    let mut merge = CompactOptions::default();
    (merge.all, merge.grace) = (true, std::time::Duration::ZERO);
    lake.compact(&merge, &mut |_, _| {}).unwrap();
    let before = versions(endpoint.port, "OnlyHere");
    assert!(before.iter().any(|(key, holds)| *holds && key.ends_with(".parquet")), "{before:?}");
    proxy.refuse_versions(true);
    let wants = |seen: &hinomi_model::Sighting| seen.subject.address.to_string() == GONE;
    let order = hinomi_lake::erase::Order {
        kind: hinomi_lake::ledger::Kind::Erase,
        reason: "asked for".to_owned(),
        by: "test".to_owned(),
    };
    let choice = || hinomi_lake::erase::Choice::anywhere(&wants);
    let error = lake.delete(order.clone(), &choice(), false, &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("s3:DeleteObjectVersion"), "{error}");
    assert_eq!(services(&lake).len(), 2, "nothing has happened");
    proxy.refuse_versions(false);
    let done = lake.delete(order, &choice(), false, &mut |_, _| {}).unwrap();
    assert!(done.sightings == 3 && done.reached.versions > 0 && !done.reached.versions_refused, "{done:?}");
    let after = versions(endpoint.port, "OnlyHere");
    assert!(after.iter().all(|(_, holds)| !holds), "{after:?}");
    assert_eq!(services(&lake).len(), 1);
    drop(lake);
    assert!(damaged(&state).is_empty(), "{:?}", look(&state));
}

#[test]
fn a_store_that_fails_and_lies_makes_no_false_check_backup_or_merge() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (state, to) = (dir.path().join("state"), dir.path().join("backup"));
    let proxy = Proxy::start(endpoint.port, 7, 0);
    settle(&state, proxy.port, 1);
    let lake = open(&state);
    for number in 0..4 {
        lake.append(with_state(round(100, number), &number.to_string())).unwrap();
    }
    let told = services(&lake);
    let mut merge = CompactOptions::default();
    (merge.all, merge.grace) = (true, std::time::Duration::ZERO);
    proxy.set(20);
    let mut lake = Some(lake);
    for attempt in 0..4 {
        // What the store does is told, or done right; no damage is found that is none.
        match check(&state, true, &clock(), &mut |_, _| {}) {
            Ok(shelves) => assert!(shelves.iter().all(Shelf::is_whole), "attempt {attempt}: {shelves:?}"),
            Err(error) => println!("check {attempt}: {error}"),
        }
        if let Err(error) = backup::take(&state, &to, Options::default(), &clock(), &mut |_| {}) {
            println!("backup {attempt}: {error}");
        }
        let merged = lake.as_ref().map(|lake| lake.compact(&merge, &mut |_, _| {}));
        if let Some(Err(error)) = merged {
            println!("merge {attempt}: {error}");
        }
        lake = None;
        lake = lake.or_else(|| Lake::open(options(&state, false)).ok());
    }
    println!("{} faults", proxy.done().len());
    proxy.set(0);
    drop(lake);
    let lake = open(&state);
    assert_eq!(services(&lake), told);
    assert_eq!(lake.status().unwrap().sightings.rows, 20);
    lake.compact(&merge, &mut |_, _| {}).unwrap();
    drop(lake);
    assert!(damaged(&state).is_empty(), "{:?}", look(&state));
    backup::take(&state, &to, Options::default(), &clock(), &mut |_| {}).unwrap();
    let folder = dir.path().join("folder");
    restore(&to, &folder).unwrap();
    assert_eq!(services(&open(&folder)), told);
}
