//! Kept, held, erased: what a check says, what a backup brings back, what nothing brings back.

use std::fs;
use std::path::Path;

use hinomi_lake::backup::{self, manifests};
use hinomi_lake::check::{Shelf, ShelfName, check, quarantine};
use hinomi_lake::erase::{Choice, Deleted, Order};
use hinomi_lake::ledger::{self, Event, Kind, Reached};
use hinomi_lake::retain::{Hold, range};
use hinomi_lake::{CompactOptions, Lake, LakeError};
use hinomi_model::{Marking, Purpose, Sighting, Sink};

use crate::support::{at, batch, clock, now, open, services, sighting};

pub(crate) fn fill(lake: &Lake) {
    for round in 0..3 {
        let seen = (0..20).map(|n| sighting(&format!("192.0.2.{n}"), 22, round, &format!("ssh S {}", n + round)));
        lake.append(batch(seen)).unwrap();
    }
}

pub(crate) fn look(dir: &Path) -> Vec<Shelf> {
    check(dir, true, &clock(), &mut |_, _| {}).unwrap()
}

pub(crate) fn damaged(dir: &Path) -> Vec<ShelfName> {
    look(dir).into_iter().filter(|shelf| !shelf.is_whole()).map(|shelf| shelf.name).collect()
}

pub(crate) fn back_up(state: &Path, to: &Path) -> backup::Taken {
    backup::take(state, to, backup::Options::default(), &clock(), &mut |_| {}).unwrap()
}

pub(crate) fn restore(from: &Path, number: Option<u64>, state: &Path) -> Result<backup::Restored, LakeError> {
    backup::restore(from, number, state, &clock(), &mut |_, _| {}, &mut |dir| open(dir).erase_again("test").map(drop))
}

pub(crate) fn erase(lake: &Lake, text: &str) -> Deleted {
    let ranges = [range(text).unwrap()];
    let wants = Lake::of_ranges(&ranges, None);
    let order = Order { kind: Kind::Erase, reason: "asked for".to_owned(), by: "test".to_owned() };
    let dry = lake.delete(order.clone(), &Choice::anywhere(&wants), true, &mut |_, _| {}).unwrap();
    let done = lake.delete(order, &Choice::anywhere(&wants), false, &mut |_, _| {}).unwrap();
    assert_eq!((dry.sightings, dry.held), (done.sightings, done.held));
    assert!(done.sightings == 0 || done.reached.log > 0, "{done:?}");
    Deleted { reached: Reached::default(), ..done }
}

/// Every byte under a folder.
fn all_bytes(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => bytes.extend(all_bytes(&entry.path())),
            false => bytes.extend(fs::read(entry.path()).unwrap()),
        }
    }
    bytes
}

fn holds_text(dir: &Path, text: &str) -> bool {
    all_bytes(dir).windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_whole_lake_is_whole_beside_its_writer_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    fill(&lake);
    let told = look(dir.path());
    assert!(told.iter().all(Shelf::is_whole), "{told:?}");
    let rows: Vec<_> = told.iter().map(|shelf| (shelf.name, shelf.rows, shelf.without_sums)).collect();
    let (evidence, all) = (22, 60);
    let expected = [
        (ShelfName::Sightings, all, 0),
        (ShelfName::Evidence, evidence, 0),
        (ShelfName::Facts, evidence, 0),
        (ShelfName::Index, 20, 0),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn what_is_missing_is_named_and_set_aside_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    fill(&lake);
    drop(lake);
    let table = dir.path().join("tables/sightings");
    let files = || fs::read_dir(&table).unwrap().map(|entry| entry.unwrap().path());
    let one = files().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    fs::write(&one, b"no table").unwrap();
    let told = look(dir.path());
    let [sightings, ..] = told.as_slice() else { panic!("no shelves") };
    assert!(sightings.damages[0].file.ends_with(one.file_name().unwrap().to_str().unwrap()), "{told:?}");
    assert_eq!(quarantine(dir.path(), &told, "test", &clock()).unwrap(), 1);
    let entries = ledger::verify(&ledger::path_of(dir.path()), None).unwrap().entries;
    let Event::Quarantined { rows: 20, addresses: Some((from, until)), .. } = &entries[0].event else {
        panic!("{entries:?}")
    };
    assert_eq!((from.as_str(), until.as_str()), ("192.0.2.0", "192.0.2.255"));
    assert_eq!(open(dir.path()).status().unwrap().sightings.rows, 40);
    assert!(damaged(dir.path()).is_empty(), "{:?}", look(dir.path()));
    assert!(dir.path().join("quarantine/sightings").join(one.file_name().unwrap()).exists());
}

#[test]
fn a_backup_comes_back_as_it_was_and_the_next_copies_what_is_new() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = open(dir.path());
    fill(&lake);
    fs::write(dir.path().join("trust.txt"), "a key\n").unwrap();
    let first = back_up(dir.path(), to.path());
    // Three tables of three files and four commits, and two files of the state shelf.
    assert_eq!((first.number, first.files, first.new_files <= first.files), (1, 23, true));
    let held = services(&lake);
    lake.append(batch([sighting("198.51.100.1", 22, 9, "ssh S new")])).unwrap();
    let second = back_up(dir.path(), to.path());
    // Three tables, a file and a commit each.
    assert_eq!((second.number, second.new_files), (2, 6));
    let state = back.path().join("state");
    assert_eq!(restore(to.path(), Some(1), &state).unwrap().files, 23);
    assert_eq!(services(&open(&state)), held);
    assert_eq!(fs::read_to_string(state.join("trust.txt")).unwrap(), "a key\n");
    assert!(damaged(&state).is_empty(), "{:?}", look(&state));
    // Nothing is written over.
    assert!(matches!(restore(to.path(), None, &state), Err(LakeError::Unfit { .. })));
    assert_eq!(services(&open(&state)), held);
}

#[test]
fn half_a_backup_is_none_and_a_changed_one_is_refused() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(dir.path()));
    back_up(dir.path(), to.path());
    let object = fs::read_dir(to.path().join("objects")).unwrap().next().unwrap().unwrap().path();
    let right = fs::read(&object).unwrap();
    let mut wrong = right.clone();
    wrong[0] ^= 1;
    // Not in place: the object may be another name of the file in the state folder.
    fs::remove_file(&object).unwrap();
    fs::write(&object, &wrong).unwrap();
    let state = back.path().join("state");
    let error = restore(to.path(), None, &state).unwrap_err().to_string();
    assert!(error.contains("not those of") && !state.exists(), "{error}");
    fs::write(&object, &right).unwrap();
    let manifest = to.path().join("manifests/0000000001.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    assert!(restore(to.path(), None, &state).unwrap_err().to_string().contains("hash"));
    fs::write(&manifest, text.replace("\"number\":1", "\"number\":2")).unwrap();
    assert!(restore(to.path(), None, &state).is_err() && !state.exists());
    fs::write(&manifest, &text).unwrap();
    restore(to.path(), None, &state).unwrap();
}

#[test]
fn what_is_erased_is_nowhere_and_no_backup_brings_it_back() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = open(dir.path());
    lake.append(batch([
        sighting("192.0.2.1", 22, 1, "ssh OnlyHere 1"),
        sighting("192.0.2.2", 22, 1, "ssh Shared 1"),
        sighting("192.0.2.3", 22, 1, "ssh Shared 1"),
    ]))
    .unwrap();
    back_up(dir.path(), to.path());
    assert_eq!(erase(&lake, "192.0.2.0/31"), Deleted { sightings: 1, held: 0, evidence: 1, ..Deleted::default() });
    assert_eq!(erase(&lake, "192.0.2.3"), Deleted { sightings: 1, held: 0, evidence: 0, ..Deleted::default() });
    let left: Vec<_> = services(&lake).iter().map(|one| one.key.address.to_string()).collect();
    assert_eq!(left, ["192.0.2.2"]);
    assert!(lake.host("192.0.2.1".parse().unwrap()).unwrap().history.is_empty());
    drop(lake);
    assert!(damaged(dir.path()).is_empty(), "{:?}", look(dir.path()));
    for gone in ["OnlyHere", "192.0.2.1\"", "192.0.2.3"] {
        assert!(!holds_text(&dir.path().join("lake"), gone), "{gone} is in the proof");
    }
    assert_eq!(fs::read_dir(dir.path().join("tables/sightings")).unwrap().count(), 2, "one file and the log");
    // A later backup carries the lists along, for restores of the earlier one.
    back_up(dir.path(), to.path());
    for number in [1, 2] {
        let state = back.path().join(number.to_string());
        restore(to.path(), Some(number), &state).unwrap();
        let left: Vec<_> = services(&open(&state)).iter().map(|one| one.key.address.to_string()).collect();
        assert_eq!(left, ["192.0.2.2"], "backup {number}");
        assert_eq!(open(&state).status().unwrap().evidence.rows, 1);
    }
    let entries = ledger::verify(&ledger::path_of(dir.path()), None).unwrap().entries;
    let rows: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Deleted { sightings, kind: Kind::Erase, .. } => Some(*sightings),
            _ => None,
        })
        .collect();
    assert_eq!(rows, [1, 1]);
    assert_eq!(manifests(to.path()).unwrap(), [1, 2]);
}

#[test]
fn what_was_merged_is_erased_and_merged_again() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    // Two sensors, one place: runs that overlap in time, and a neighbour that goes.
    for round in 0..6 {
        let (mut other, evidence) = sighting("192.0.2.1", 22, 2 * round + 1, "ssh S 1");
        other.sensor = "import".parse().unwrap();
        let mine = sighting("192.0.2.1", 22, 2 * round, "ssh S 1");
        lake.append(batch([mine, (other, evidence), sighting("192.0.2.9", 22, round, "ssh OnlyHere 1")])).unwrap();
    }
    let merge = || {
        let mut options = CompactOptions::default();
        options.all = true;
        lake.compact(&options, &mut |_, _| {}).unwrap().rows_after
    };
    let history = || lake.host("192.0.2.1".parse().unwrap()).unwrap().history;
    let told = history();
    let pieces = 2;
    assert_eq!((told.len(), merge()), (12, 3 + 2 * pieces));
    assert_eq!(erase(&lake, "192.0.2.9"), Deleted { sightings: 6, held: 0, evidence: 1, ..Deleted::default() });
    assert_eq!((history(), lake.status().unwrap().sightings.rows), (told.clone(), 12));
    assert_eq!(merge(), 2 + 2);
    assert_eq!((history(), lake.status().unwrap().sightings.rows), (told, 12));
    lake.rebuild_index().unwrap();
    assert_eq!(services(&lake).len(), 1);
    drop(lake);
    assert!(damaged(dir.path()).is_empty(), "{:?}", look(dir.path()));
    for table in ["sightings", "evidence", "facts"] {
        let files = fs::read_dir(dir.path().join("tables").join(table)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.is_file()) {
            let bytes = fs::read(&file).unwrap();
            assert!(!bytes.windows(8).any(|window| window == b"OnlyHere"), "{}", file.display());
        }
    }
}

#[test]
fn a_hold_wins_over_erasure_and_retention() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    fill(&lake);
    let hold = Hold {
        name: "case-7".to_owned(),
        prefix: Some(range("192.0.2.0/30").unwrap()),
        campaign: None,
        from: None,
        until: Some(at(1)),
        reason: "a court asked".to_owned(),
        by: "test".to_owned(),
        since: now(),
    };
    lake.hold(hold.clone()).unwrap();
    assert!(lake.hold(hold).is_err());
    // Four addresses at three times; two times of them are held.
    assert_eq!(erase(&lake, "192.0.2.0/29"), Deleted { sightings: 16, held: 8, evidence: 3, ..Deleted::default() });
    let day = r#"[{"purpose":"research","days":0},{"sensor":"survey","days":5}]"#;
    fs::write(dir.path().join("lake/retention.json"), day).unwrap();
    let over = lake.retire("test", true, &mut |_, _| {}).unwrap();
    assert_eq!((over.sightings, over.held), (36, 8));
    lake.retire("test", false, &mut |_, _| {}).unwrap();
    assert_eq!(lake.status().unwrap().sightings.rows, 8);
    lake.release("case-7", "the case is closed", "test").unwrap();
    assert_eq!(lake.retire("test", false, &mut |_, _| {}).unwrap().sightings, 8);
    assert_eq!((services(&lake).len(), lake.status().unwrap().evidence.rows), (0, 0));
    let events = ledger::verify(&ledger::path_of(dir.path()), None).unwrap().entries.len();
    assert_eq!(events, 5);
}

#[test]
fn rules_of_retention_are_for_whom_they_say() {
    let (mut seen, _): (Sighting, _) = sighting("192.0.2.1", 22, 0, "x");
    let policy: hinomi_lake::retain::Policy =
        serde_json::from_str(r#"[{"outcome":"closed","days":1},{"purpose":"exercise","days":20}]"#).unwrap();
    let later = |days: u64| at(0).plus(std::time::Duration::from_secs(days * 86_400 + 1));
    assert!(!policy.is_over(&seen, later(19)) && policy.is_over(&seen, later(20)));
    seen.outcome = hinomi_model::Outcome::Closed;
    assert!(policy.is_over(&seen, later(1)));
    seen.outcome = hinomi_model::Outcome::Open;
    seen.marking = Marking::own(Purpose::Research);
    assert!(!policy.is_over(&seen, later(10_000)), "what no rule is for is kept");
    assert!(serde_json::from_str::<hinomi_lake::retain::Policy>(r#"[{"colour":"red","days":1}]"#).is_err());
}

#[test]
fn a_server_of_several_is_brought_back_alone_and_without_its_name() {
    let (from, to, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(from.path()));
    let of_this_server = ["server.id", "state.sqlite", "state.sqlite-wal", "state.sqlite-shm"];
    of_this_server.iter().for_each(|name| fs::write(from.path().join(name), "of this server").unwrap());
    fs::write(from.path().join("state.toml"), "[server]\nname = \"a\"\n").unwrap();
    back_up(from.path(), to.path());
    let state = into.path().join("state");
    let mut finish = |dir: &Path| {
        assert!(!dir.join("state.toml").exists(), "who opens it now would ask the other servers");
        open(dir).erase_again("test").map(drop)
    };
    backup::restore(to.path(), None, &state, &clock(), &mut |_, _| {}, &mut finish).unwrap();
    assert!(of_this_server.iter().all(|name| !state.join(name).exists()));
    assert_eq!(fs::read(state.join("state.toml")).unwrap(), fs::read(from.path().join("state.toml")).unwrap());
}
