//! What is erased is in no byte of the state folder: not in tables, logs, index, events, files set aside, roll-ups,
//! positions of campaigns, and in no backup that is kept.

use std::fs;
use std::io::{Error, ErrorKind};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use hinomi_lake::backup::{self, manifests};
use hinomi_lake::check::quarantine;
use hinomi_lake::erase::{Choice, Order};
use hinomi_lake::ledger::{self, Event, Kind};
use hinomi_lake::retain::{Hold, range};
use hinomi_lake::watch::NewWatch;
use hinomi_lake::{CompactOptions, Lake};
use hinomi_model::Sink;

use crate::keep::look;
use crate::support::{at, batch, clock, now, open, services, sighting, with_state};

pub(crate) const GONE: &str = "203.0.113.77";
const OTHER: &str = "203.0.113.78";

/// How an address stands in files: as text, as bytes in either order, and as the number of its half in statistics.
fn forms(address: &str) -> Vec<Vec<u8>> {
    let v4: Ipv4Addr = address.parse().unwrap();
    let bytes = v4.octets();
    let low = u64::from(u32::from(v4)) | 0xffff_0000_0000;
    let half = (low ^ (1 << 63)).cast_signed();
    let turned: Vec<u8> = bytes.iter().rev().copied().collect();
    vec![address.as_bytes().to_vec(), bytes.to_vec(), turned, half.to_string().into_bytes()]
}

/// How often a folder is walked until nothing went away meanwhile: merged segments of an index do, also a moment later.
const WALKS: usize = 50;

/// Which files below hold an address, in whatever form; `also` is text that only it said.
pub(crate) fn files_with(dir: &Path, address: &str, also: &str) -> Vec<PathBuf> {
    // What a file that went away held may stand under another name in a folder that was looked at before.
    let gone = |found: &Result<_, Error>| found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let mut walks = (0..WALKS).map(|_| walk(dir, address, also));
    walks.find(|found| !gone(found)).expect("a walk in which no file goes away").unwrap()
}

fn walk(dir: &Path, address: &str, also: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(walk(&entry.path(), address, also)?);
        } else if holds(&fs::read(entry.path())?, address, also) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

pub(crate) fn holds(bytes: &[u8], address: &str, also: &str) -> bool {
    let mut wanted = forms(address);
    wanted.push(also.as_bytes().to_vec());
    wanted.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

/// A lake in which every shelf has heard of both addresses.
fn filled(dir: &Path) -> Lake {
    let lake = open(dir);
    let new = NewWatch {
        name: "all ssh".to_owned(),
        query: "protocol:ssh".to_owned(),
        owner: "test".to_owned(),
        within: None,
    };
    lake.watch_book().add(&new, now()).unwrap();
    let told = |address: &str, second: i64| sighting(address, 22, second, &format!("ssh Only{} 1", &address[10..]));
    // A file of its own each, to be set aside.
    lake.append(batch([told(GONE, 1)])).unwrap();
    lake.append(batch([told(OTHER, 1)])).unwrap();
    drop(lake);
    for file in data_files(dir) {
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    }
    assert_eq!(quarantine(dir, &look(dir), "test", &clock()).unwrap(), 2);
    let lake = open(dir);
    for second in 2..5 {
        let state = format!(
            r#"{{"suspects":[{{"address":"{GONE}","judged":true}},{{"address":"{OTHER}","judged":true}}],"at":{second}}}"#
        );
        let seen = [told(GONE, second), told(OTHER, second), sighting("192.0.2.1", 22, second, "ssh S 1")];
        lake.append(with_state(batch(seen), &state)).unwrap();
    }
    let mut options = CompactOptions::default();
    options.all = true;
    lake.compact(&options, &mut |_, _| {}).unwrap();
    lake.append(batch([told(GONE, 9), told(OTHER, 9)])).unwrap();
    lake.roll_up(true).unwrap();
    lake
}

/// The data files of the sightings.
fn data_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("tables/sightings")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

fn erase(lake: &Lake, text: &str) -> hinomi_lake::erase::Deleted {
    let ranges = [range(text).unwrap()];
    let wants = Lake::of_ranges(&ranges, None);
    let order = Order { kind: Kind::Erase, reason: "asked for".to_owned(), by: "test".to_owned() };
    lake.delete(order, &Choice::anywhere(&wants).within(ranges.to_vec()), false, &mut |_, _| {}).unwrap()
}

#[test]
fn what_is_erased_is_in_no_byte_of_the_state_folder_and_of_the_backups_that_are_kept() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = filled(dir.path());
    backup::take(dir.path(), to.path(), backup::Options::default(), &clock(), &mut |_| {}).unwrap();
    let before = files_with(dir.path(), GONE, "Only77");
    for shelf in ["tables/sightings/_delta_log", "tables/facts", "index", "watch", "quarantine", "tables/rollups"] {
        assert!(before.iter().any(|path| path.starts_with(dir.path().join(shelf))), "{shelf}: {before:?}");
    }
    let done = erase(&lake, GONE);
    let reached = done.reached;
    assert_eq!((done.sightings, reached.events, reached.quarantined, reached.positions), (4, 2, 2, 1), "{done:?}");
    assert!(reached.log > 0 && reached.rollups > 0 && !reached.versions_refused, "{done:?}");
    assert_eq!(files_with(dir.path(), GONE, "Only77"), Vec::<PathBuf>::new());
    // Everything else is there, and the lake goes on.
    assert_eq!(services(&lake).len(), 2);
    let book = lake.watch_book();
    let left = book.events(0, 100, None).unwrap();
    assert!(left.events.iter().all(|event| event.service.address.to_string() != GONE) && !left.events.is_empty());
    let newest = book.newest().unwrap();
    lake.append(batch([sighting(OTHER, 22, 10, "ssh New 1")])).unwrap();
    assert_eq!(book.events(newest, 100, None).unwrap().events[0].number, newest + 1);
    let position = lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state;
    // Which key stands first is serde_json's choice, and another where somebody builds it with `preserve_order`.
    let position: serde_json::Value = serde_json::from_str(&position).unwrap();
    assert_eq!(position, serde_json::json!({"at": 4, "suspects": [{"address": OTHER, "judged": true}]}));
    let entries = ledger::verify(&ledger::path_of(dir.path()), None).unwrap().entries;
    assert!(matches!(&entries.last().unwrap().event, Event::Deleted { reached: told, .. } if *told == reached));
    drop(lake);
    assert!(look(dir.path()).iter().all(hinomi_lake::check::Shelf::is_whole), "{:?}", look(dir.path()));
    assert_eq!(files_with(dir.path(), GONE, "Only77"), Vec::<PathBuf>::new());
    // Earlier backups hold it until they are forgotten.
    assert!(!files_with(to.path(), GONE, "Only77").is_empty());
    let options = backup::Options { forget_older: true, ..backup::Options::default() };
    let taken = backup::take(dir.path(), to.path(), options, &clock(), &mut |_| {}).unwrap();
    assert!(taken.forgotten > 0 && manifests(to.path()).unwrap() == [2]);
    assert_eq!(files_with(to.path(), GONE, "Only77"), Vec::<PathBuf>::new());
    let back = tempfile::tempdir().unwrap();
    let state = back.path().join("state");
    crate::keep::restore(to.path(), None, &state).unwrap();
    assert_eq!(services(&open(&state)).len(), 2);
}

#[test]
fn what_is_retired_takes_its_events_along_and_what_was_set_aside_long_ago() {
    let dir = tempfile::tempdir().unwrap();
    let lake = filled(dir.path());
    let policy = |text: &str| fs::write(dir.path().join("lake/retention.json"), text).unwrap();
    policy(r#"[{"all":true,"days":5}]"#);
    let done = lake.retire("test", false, &mut |_, _| {}).unwrap();
    // All was seen eleven days ago; the files were set aside today.
    assert_eq!((done.sightings, done.reached.events, done.reached.quarantined), (11, 5, 0), "{done:?}");
    assert!(lake.watch_book().events(0, 10, None).unwrap().events.is_empty());
    policy(r#"[{"outcome":"open","days":0}]"#);
    assert_eq!(lake.retire("test", false, &mut |_, _| {}).unwrap().reached.quarantined, 0, "some are kept for good");
    drop(lake);
    let mut later = crate::support::options(dir.path(), false);
    later.clock = std::sync::Arc::new(hinomi_model::time::FixedClock(at(1_000_000 + 86_400)));
    let lake = Lake::open(later).unwrap();
    policy(r#"[{"all":true,"days":0}]"#);
    assert_eq!(lake.retire("test", false, &mut |_, _| {}).unwrap().reached.quarantined, 2);
}

#[test]
fn what_was_set_aside_goes_only_where_it_may_hold_what_is_erased_and_nothing_that_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let lake = filled(dir.path());
    assert_eq!(erase(&lake, "192.0.2.1").reached.quarantined, 0);
    let hold = Hold {
        name: "case".to_owned(),
        prefix: Some(range("203.0.113.0/28").unwrap()),
        campaign: None,
        from: None,
        until: None,
        reason: "a court asked".to_owned(),
        by: "test".to_owned(),
        since: now(),
    };
    lake.hold(hold).unwrap();
    // The files say only which /24 they are of.
    let reached = erase(&lake, GONE).reached;
    assert_eq!((reached.quarantined, reached.quarantine_held), (0, 2));
    lake.release("case", "closed", "test").unwrap();
    // Nothing of it is in the tables any more; what was set aside is reached all the same.
    let done = erase(&lake, GONE);
    assert_eq!((done.sightings, done.reached.quarantined), (0, 2));
}

#[test]
fn a_deletion_that_failed_is_settled_before_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let lake = filled(dir.path());
    // It wrote mark and list, and failed before its commit.
    let digest = hinomi_model::ContentHash::of(b"names");
    let mark = format!(
        r#"{{"name":"failed","order":{{"kind":"erase","reason":"r","by":"b"}},"sightings":1,"digest":"{digest}"}}"#
    );
    let list = dir.path().join("lake/erased/failed.list");
    fs::create_dir_all(list.parent().unwrap()).unwrap();
    fs::write(dir.path().join("lake/erasing.json"), mark).unwrap();
    fs::write(&list, "").unwrap();
    assert_eq!(erase(&lake, GONE).sightings, 4);
    assert!(!list.exists() && !dir.path().join("lake/erasing.json").exists());
}
