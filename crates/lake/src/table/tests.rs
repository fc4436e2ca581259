//! Tables by themselves: commits, others' commits, files passed over.

use std::fs;

use super::*;
use crate::evidence::EVIDENCE;
use crate::shared::Mark;
use crate::sightings::{self, Row, SIGHTINGS};
use hinomi_model::{Marking, Outcome, Purpose, ServiceKey, Sighting, Transport};

fn now() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000)
}

fn row(address: &str, port: u16, micros: i64) -> Row {
    let subject = ServiceKey { address: address.parse().unwrap(), port, transport: Transport::Udp };
    let sighting = Sighting {
        sensor: "survey".parse().unwrap(),
        campaign: None,
        time: Timestamp::from_micros(micros),
        subject,
        outcome: Outcome::Pseudo,
        remark: Some("a remark".to_owned()),
        evidence: Vec::new(),
        marking: Marking { audience: vec!["a".to_owned(), "b".to_owned()], ..Marking::own(Purpose::Research) },
    };
    Row { id: sighting.id(), content: sighting.content(), sighting, again: false }
}

fn put(table: &Table, label: &str, mut rows: Vec<Row>) -> u64 {
    sightings::sort(&mut rows);
    let staged = table.stage(label, sightings::encode(table.schema(), &rows)).unwrap();
    table.commit(Change { add: vec![staged], ..Change::default() }, now()).unwrap()
}

fn all(table: &Table, rows: Rows<'_>) -> Vec<Row> {
    let mut all = Vec::new();
    for file in table.files(|_| true) {
        let each = &mut |batch: &RecordBatch| {
            all.extend(sightings::decode(batch)?);
            Ok(())
        };
        read::read(&table.path(&file), sightings::STORED, rows, each).unwrap();
    }
    all
}

/// What is read of a file, column by column, whether columns of one value are made or read.
#[test]
fn columns_of_one_value_are_those_that_stand_there() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let alike = |n: u16| row("192.0.2.1", n, 5);
    let mut other = row("192.0.2.9", 7, 8);
    (other.sighting.remark, other.sighting.sensor) = (None, "x".repeat(64).parse().unwrap());
    let mut bare = row("192.0.2.3", 7, 8);
    (bare.sighting.remark, bare.sighting.marking.audience) = (None, Vec::new());
    put(&table, "0", (0..40).map(alike).collect());
    put(&table, "1", (0..40).map(alike).chain([other]).collect());
    put(&table, "2", vec![bare]);
    let columns: Vec<&str> = SIGHTINGS.columns().map(|column| column.name).collect();
    let address = sightings::halves("192.0.2.1".parse().unwrap());
    for file in table.files(|_| true) {
        let made = table.path(&file);
        let told = read::Located::new(&table.root, format!("{}/{}", SIGHTINGS.name, file.path), None);
        for rows in [Rows::All, Rows::Numbers(&[0]), Rows::Address(address)] {
            for wanted in [columns.as_slice(), &["tlp", "sensor", "remark"], &["purpose", "format"]] {
                let batches = |from: &read::Located| {
                    let mut all = Vec::new();
                    let each = &mut |batch: &RecordBatch| {
                        all.push(batch.clone());
                        Ok(())
                    };
                    read::read(from, wanted, rows, each).unwrap();
                    all
                };
                assert_eq!(batches(&made), batches(&told), "{wanted:?} {rows:?}");
            }
        }
    }
}

#[test]
fn rows_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let mut rows = vec![row("2001:db8::1", 65_535, 5), row("192.0.2.1", 0, -7), row("192.0.2.1", 0, 9)];
    put(&table, "0", rows.clone());
    sightings::sort(&mut rows);
    assert_eq!(all(&table, Rows::All), rows);
    assert_eq!(all(&table, Rows::Numbers(&[0, 2])), [rows[0].clone(), rows[2].clone()]);
    assert_eq!(all(&table, Rows::Address(sightings::halves("2001:db8::1".parse().unwrap()))), rows[2..]);
}

#[test]
fn rows_of_one_address_are_found_among_many_row_groups() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let address = |n: u32| std::net::Ipv4Addr::from(n).to_string();
    let template = row("192.0.2.1", 1, 1);
    let rows = (0..150_000_u32).map(|n| {
        let mut one = template.clone();
        one.sighting.subject.address = address(n / 3).parse().unwrap();
        one
    });
    put(&table, "0", rows.collect());
    for n in [0, 21_845, 49_999] {
        let found = all(&table, Rows::Address(sightings::halves(address(n).parse().unwrap())));
        assert_eq!(found.len(), 3, "{}", address(n));
        assert!(found.iter().all(|row| row.sighting.subject.address.to_string() == address(n)));
    }
    assert!(all(&table, Rows::Address(sightings::halves(address(50_000).parse().unwrap()))).is_empty());
}

#[test]
fn two_that_commit_at_once_both_stand() {
    let dir = tempfile::tempdir().unwrap();
    let one = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let other = Table::open(dir.path(), &SIGHTINGS).unwrap();
    assert_eq!(put(&one, "one", vec![row("192.0.2.1", 1, 1)]), 1);
    // This one does not know of version 1 yet, finds it taken, and becomes version 2.
    assert_eq!(put(&other, "other", vec![row("192.0.2.2", 1, 1)]), 2);
    one.refresh().unwrap();
    assert_eq!((all(&one, Rows::All).len(), all(&other, Rows::All).len()), (2, 2));
}

#[test]
fn a_staged_file_that_is_not_committed_removes_itself() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let rows = [row("192.0.2.1", 1, 1)];
    let staged = table.stage("0", sightings::encode(table.schema(), &rows)).unwrap();
    let path = table.root.place(&format!("sightings/{}", staged.name));
    assert!(path.exists());
    drop(staged);
    assert!(!path.exists());
}

#[test]
fn files_are_passed_over_by_address_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    put(&table, "0", vec![row("192.0.2.1", 1, 5_000_000), row("192.0.2.9", 1, 6_000_000)]);
    put(&table, "0", vec![row("2001:db8::1", 1, 9_000_000)]);
    let reopened = Table::open(dir.path(), &SIGHTINGS).unwrap();
    let holding = |address: &str| {
        let halves = sightings::halves(address.parse().unwrap());
        reopened.files(|file| file.extent.may_hold(halves)).len()
    };
    let counts = [holding("192.0.2.1"), holding("192.0.2.5"), holding("192.0.2.10"), holding("2001:db8::1")];
    assert_eq!(counts, [1, 1, 0, 1]);
    let at = |micros| reopened.files(|file| file.extent.may_hold_time(micros)).len();
    assert_eq!([at(4_000_000), at(5_500_000), at(7_000_000), at(9_000_000)], [0, 1, 0, 1]);
}

#[test]
fn what_stopped_counting_goes_after_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    put(&table, "0", vec![row("192.0.2.1", 1, 1)]);
    let old = table.path(&table.files(|_| true)[0]).to_path_buf();
    table.commit(Change { replace_all: true, ..Change::default() }, now()).unwrap();
    assert!(table.files(|_| true).is_empty());
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    Table::open_or_create(dir.path(), &SIGHTINGS, now().plus(day)).unwrap();
    assert!(old.exists());
    Table::open_or_create(dir.path(), &SIGHTINGS, now().plus(8 * day)).unwrap();
    assert!(!old.exists());
}

#[test]
fn what_is_erased_goes_whenever_the_clock_said_that_it_stopped_counting() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    put(&table, "0", vec![row("192.0.2.1", 1, 1)]);
    put(&table, "1", vec![row("192.0.2.2", 1, 1)]);
    let files = table.files(|_| true);
    let paths: Vec<_> = files.iter().map(|file| table.path(file).to_path_buf()).collect();
    // The clock was ahead by a year.
    let ahead = now().plus(std::time::Duration::from_secs(365 * 24 * 60 * 60));
    let remove = vec![files[0].path.clone()];
    table.commit(Change { remove, ..Change::default() }, ahead).unwrap();
    table.vacuum(now()).unwrap();
    assert!(paths[0].exists());
    table.forget_past().unwrap();
    assert_eq!([paths[0].exists(), paths[1].exists()], [false, true]);
}

#[test]
fn what_was_deleted_is_not_deleted_again() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    put(&table, "0", vec![row("192.0.2.1", 1, 1)]);
    let old = table.path(&table.files(|_| true)[0]).to_path_buf();
    table.commit(Change { replace_all: true, ..Change::default() }, now()).unwrap();
    let (snapshot, watched) = (table.read(), Watched::of(&table.root));
    let deleted = |limit| {
        sweep::delete_gone_before(&watched, SIGHTINGS.name, &snapshot, limit).unwrap();
        std::mem::take(&mut *watched.deleted.lock().unwrap())
    };
    let later = now().plus(RETENTION);
    assert!(deleted(now()).is_empty() && old.exists());
    assert_eq!(deleted(later).len(), 1);
    assert!(deleted(later).is_empty() && !old.exists());
}

/// A folder, and what was deleted from it.
#[derive(Debug)]
struct Watched<'a> {
    root: &'a Root,
    deleted: std::sync::Mutex<Vec<String>>,
}

impl<'a> Watched<'a> {
    fn of(root: &'a Root) -> Self {
        Self { root, deleted: std::sync::Mutex::default() }
    }
}

impl store::Store for Watched<'_> {
    fn make_folder(&self, folder: &str) -> Result<(), LakeError> {
        self.root.make_folder(folder)
    }

    fn get(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, LakeError> {
        self.root.get(name, max_bytes)
    }

    fn open(self: Arc<Self>, name: &str) -> Result<store::Input, LakeError> {
        self.root.open(name)
    }

    fn draft(&self, name: &str) -> std::path::PathBuf {
        self.root.draft(name)
    }

    fn publish(&self, name: &str) -> Result<u64, LakeError> {
        self.root.publish(name)
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, LakeError> {
        self.root.put_if_absent(name, bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.root.replace(name, bytes)
    }

    fn list(
        &self,
        folder: &str,
        each: &mut dyn FnMut(store::Listed) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        self.root.list(folder, each)
    }

    fn delete(&self, name: &str) -> Result<(), LakeError> {
        self.deleted.lock().unwrap().push(name.to_owned());
        self.root.delete(name)
    }

    fn forget_versions(&self, folder: &str, only_look: bool) -> Result<u64, LakeError> {
        self.root.forget_versions(folder, only_look)
    }

    fn place(&self, name: &str) -> std::path::PathBuf {
        self.root.place(name)
    }

    fn settled_after(&self) -> std::time::Duration {
        self.root.settled_after()
    }
}

#[test]
fn two_files_never_have_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let stage = || table.stage("0", std::iter::empty()).unwrap();
    // The first commit came to nothing, or nobody knows: the version is the same.
    let (one, other) = (stage(), stage());
    assert_ne!(one.name, other.name);
    drop(one);
    assert!(table.root.place(&format!("sightings/{}", other.name)).exists());
}

#[test]
fn a_version_that_is_not_there_yet_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    put(&table, "0", vec![row("192.0.2.1", 1, 1)]);
    assert_eq!(table.files_known(Known::Version(1)).unwrap().len(), 1);
    let error = table.files_known(Known::Version(2)).unwrap_err().to_string();
    assert!(error.contains("the newest is 1"), "{error}");
}

#[test]
fn statistics_say_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let rows = [row("192.0.2.1", 7, 1_500_000), row("192.0.2.9", 3, 2_000_000)];
    let staged = table.stage("0", sightings::encode(table.schema(), &rows)).unwrap();
    let told: serde_json::Value = serde_json::from_str(&staged.statistics).unwrap();
    assert_eq!(told["numRecords"], 2);
    assert_eq!((&told["minValues"]["port"], &told["maxValues"]["port"]), (&3.into(), &7.into()));
    assert_eq!(told["minValues"]["time"], "1970-01-01T00:00:01.5Z");
    assert_eq!((&told["nullCount"]["campaign"], &told["nullCount"]["remark"]), (&2.into(), &0.into()));
    assert_eq!(told["minValues"].get("campaign"), None);
    assert_eq!(told["minValues"]["address"], "192.0.2.1");
    for private in ["id", "remark", "content"] {
        assert_eq!((told["minValues"].get(private), told["maxValues"].get(private)), (None, None), "{private}");
    }
}

#[test]
fn a_commit_that_makes_no_sense_is_told() {
    let dir = tempfile::tempdir().unwrap();
    drop(Table::open_or_create(dir.path(), &EVIDENCE, now()).unwrap());
    let path = dir.path().join("evidence/_delta_log/00000000000000000001.json");
    for (text, reason) in [
        ("{\"add\":", "EOF"),
        (
            r#"{"add":{"path":"../../etc/passwd","size":1,"modificationTime":0,"dataChange":true}}"#,
            "plain relative path",
        ),
        (r#"{"add":{"path":"/etc/passwd","size":1,"modificationTime":0,"dataChange":true}}"#, "plain relative path"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Table::open(dir.path(), &EVIDENCE).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    // What the protocol may add is passed over.
    fs::write(&path, "{\"domainMetadata\":{\"domain\":\"x\"}}\n").unwrap();
    assert_eq!(Table::open(dir.path(), &EVIDENCE).unwrap().version(), Some(1));
}

fn mark(number: u64) -> Vec<Mark> {
    vec![Mark { name: "hinomi.range.0".to_owned(), number }]
}

fn put_marked(table: &Table, micros: i64, marks: Vec<Mark>) -> Result<u64, LakeError> {
    let rows = [row("192.0.2.1", 1, micros)];
    let staged = table.stage("0", sightings::encode(table.schema(), &rows)).unwrap();
    table.commit(Change { add: vec![staged], marks, ..Change::default() }, now())
}

#[test]
fn who_lost_a_lease_commits_no_more_however_late_it_learns_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let old = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    old.raise(&mark(1), now()).unwrap();
    put_marked(&old, 1, mark(1)).unwrap();
    // The successor begins, and knows nothing of what the former does meanwhile.
    let new = Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    put_marked(&old, 2, mark(1)).unwrap();
    new.raise(&mark(2), now()).unwrap();
    assert_eq!(all(&new, Rows::All).len(), 2, "what came before the mark is read before the mark stands");
    let error = put_marked(&old, 3, mark(1)).unwrap_err();
    assert!(matches!(&error, LakeError::Fenced { ours: 1, found, .. } if found == "2"), "{error}");
    assert!(matches!(old.raise(&mark(1), now()), Err(LakeError::Fenced { .. })), "and it cannot take it back");
    put_marked(&new, 4, mark(2)).unwrap();
    // Others are not disturbed: no mark, or one of another range.
    let other = vec![Mark { name: "hinomi.range.8".to_owned(), number: 7 }];
    old.raise(&other, now()).unwrap();
    put_marked(&old, 5, other.clone()).unwrap();
    put_marked(&old, 6, Vec::new()).unwrap();
    assert!(put_marked(&old, 7, [other, mark(1)].concat()).is_err());
    let anew = Table::open(dir.path(), &SIGHTINGS).unwrap();
    let times: std::collections::BTreeSet<_> =
        all(&anew, Rows::All).iter().map(|row| row.sighting.time.as_micros()).collect();
    assert_eq!(times, [1, 2, 4, 5, 6].into());
}

#[test]
fn who_slept_while_the_past_was_forgotten_puts_nothing_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap();
    let old = open();
    old.raise(&mark(1), now()).unwrap();
    put_marked(&old, 1, mark(1)).unwrap();
    let (new, slow) = (open(), open());
    new.raise(&mark(2), now()).unwrap();
    for micros in 2..6 {
        put_marked(&new, micros, mark(2)).unwrap();
    }
    assert!(new.forget_past().unwrap() > 0, "names of commits are free again");
    assert!(matches!(put_marked(&old, 7, mark(1)), Err(LakeError::Fenced { .. })));
    put_marked(&slow, 8, Vec::new()).unwrap();
    let anew = Table::open(dir.path(), &SIGHTINGS).unwrap();
    let times: std::collections::BTreeSet<_> =
        all(&anew, Rows::All).iter().map(|row| row.sighting.time.as_micros()).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 8].into());
}

proptest::proptest! {
    /// Whoever raises, commits and looks in whatever order: under one name, what stands in the log was committed in the
    /// order of its numbers.
    #[test]
    fn commits_of_one_range_stand_in_the_order_of_their_epochs(
        steps in proptest::collection::vec((0..3_usize, 0..3_u8), 1..25),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let tables = [0; 3].map(|_| Table::open_or_create(dir.path(), &SIGHTINGS, now()).unwrap());
        let (mut next, mut held, mut stored) = (1, [0; 3], Vec::new());
        for (at, (who, what)) in (0..).zip(steps) {
            match what {
                0 => {
                    next += 1;
                    held[who] = next;
                    // It may raise at once, or sleep and find out later.
                    drop(tables[who].raise(&mark(next), now()));
                }
                _ if held[who] == 0 => {}
                1 => drop(tables[who].refresh()),
                _ => {
                    if let Ok(version) = put_marked(&tables[who], at, mark(held[who])) {
                        stored.push((version, held[who]));
                    }
                }
            }
        }
        stored.sort_unstable();
        proptest::prop_assert!(stored.windows(2).all(|two| two[0].1 <= two[1].1), "{:?}", stored);
    }
}
