//! Tables by themselves: commits, others' commits, files passed over.

use super::*;
use crate::evidence::EVIDENCE;
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
    Row { id: sighting.id(), content: sighting.content(), sighting }
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
    let path = table.dir.join(&staged.name);
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
    let old = table.path(&table.files(|_| true)[0]);
    table.commit(Change { replace_all: true, ..Change::default() }, now()).unwrap();
    assert!(table.files(|_| true).is_empty());
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    Table::open_or_create(dir.path(), &SIGHTINGS, now().plus(day)).unwrap();
    assert!(old.exists());
    Table::open_or_create(dir.path(), &SIGHTINGS, now().plus(8 * day)).unwrap();
    assert!(!old.exists());
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
