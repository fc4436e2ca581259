//! Who comes late, others who went on meanwhile, and what they took away.

use std::fs;

use super::{add, at, commit_of, filled, log_of, note, open, remove, told};
use crate::evidence::EVIDENCE;
use crate::shared::Mark;
use crate::table::log::{self, Line};
use crate::table::store::Put;
use crate::table::write::Staged;
use crate::table::{Change, Table, checkpoint};

/// What comes of a put whose writer is held up before it asks what became of it.
fn confirmed_after(table: &Table, change: &Change, meanwhile: impl FnOnce()) -> (u64, Put) {
    let version = table.version().unwrap() + 1;
    let lines = table.lines(version, change, at(20));
    assert_eq!(log::put(&*table.root, "evidence", version, &lines).unwrap(), Put::Done);
    meanwhile();
    (version, table.confirm(version, &lines).unwrap())
}

#[test]
fn a_commit_that_a_checkpoint_holds_before_its_writer_asks_stands_with_its_files() {
    for (is_merge, is_later) in [(false, false), (false, true), (true, false), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let table = filled(dir.path());
        let staged = table.stage("0", std::iter::empty()).unwrap();
        let path = dir.path().join("evidence").join(&staged.name);
        let remove: Vec<_> = table.files(|_| true).iter().take(2).map(|file| file.path.clone()).collect();
        let remove = if is_merge { remove } else { Vec::new() };
        let mut change = Change { add: vec![staged], remove, same_rows: is_merge, ..note("a", "new") };
        let (version, told) = confirmed_after(&table, &change, || {
            let other = open(dir.path()).unwrap();
            if is_later {
                other.commit(note("a", "newer"), at(21)).unwrap();
            }
            other.write_checkpoint().unwrap();
        });
        assert!(checkpoint::last(&*table.root, "evidence").unwrap() >= Some(version));
        if told == Put::Done {
            change.add.iter_mut().for_each(Staged::keep);
        }
        drop(change);
        assert!(commit_of(dir.path(), version).exists() && path.exists(), "{is_merge} {is_later}");
        let anew = open(dir.path()).unwrap();
        assert_eq!(anew.files(|file| file.version == version).len(), 1);
        assert_eq!(anew.files(|_| true).len(), if is_merge { 3 } else { 5 });
    }
    // Of a commit without files the newest says the same.
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let (version, told) = confirmed_after(&table, &note("a", "new"), || {
        open(dir.path()).unwrap().write_checkpoint().unwrap();
    });
    assert!(told == Put::Done && commit_of(dir.path(), version).exists());
}

#[test]
fn what_is_put_into_a_forgotten_past_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let stale = open(dir.path()).unwrap();
    let mark = |number| Mark { name: "hinomi.range.0".to_owned(), number };
    table.raise(&[mark(7)], at(8)).unwrap();
    table.commit(note("a", "newer"), at(9)).unwrap();
    add(&table, 10);
    table.forget_past().unwrap();
    let version = stale.version().unwrap() + 1;
    let staged = || vec![stale.stage("0", std::iter::empty()).unwrap()];
    let merged = stale.files(|_| true).iter().map(|file| file.path.clone()).collect();
    let change = |change: Change| stale.lines(version, &change, at(20));
    let puts: [(u64, Vec<Line>); 6] = [
        (version, change(Change { add: staged(), ..Change::default() })),
        (version, change(Change { add: staged(), remove: merged, same_rows: true, ..Change::default() })),
        (version, change(note("a", "older"))),
        (version, log::marks(&[&mark(5)], at(20))),
        (version, log::marks(&[&mark(9)], at(20))),
        (0, log::creation(&EVIDENCE, "elsewhere", at(20))),
    ];
    for (version, lines) in puts {
        assert_eq!(stale.put(version, &lines).unwrap(), Put::Taken, "{lines:?}");
        assert!(!commit_of(dir.path(), version).exists(), "{lines:?}");
    }
    assert_eq!(told(&open(dir.path()).unwrap()), told(&table));
}

#[test]
fn a_checkpoint_that_is_gone_is_no_part_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let first = table.version().unwrap();
    add(&table, 8);
    table.write_checkpoint().unwrap();
    checkpoint::discard(&*table.root, "evidence", &checkpoint::checkpoint_name("evidence", first)).unwrap();
    for table in [table, open(dir.path()).unwrap()] {
        let objects = table.log_objects().unwrap().objects;
        let stands = |name: &String| dir.path().join(name).exists();
        assert!(objects.iter().all(stands), "{objects:?}");
        let checkpoints = objects.iter().filter(|name| name.ends_with(".checkpoint.parquet")).count();
        assert_eq!((checkpoints, objects.len() as u64), (1, table.version().unwrap() + 3));
    }
}

#[test]
fn a_table_that_another_engine_raised_gets_no_checkpoint_of_ours_and_loses_no_commits() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let (version, raised) = (table.version().unwrap(), table.version().unwrap() + 1);
    fs::write(commit_of(dir.path(), raised), "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7}}\n")
        .unwrap();
    table.refresh().unwrap();
    remove(&table, 8);
    table.write_checkpoint().unwrap();
    table.vacuum(at(9)).unwrap();
    assert_eq!(table.forget_past().unwrap(), 0);
    assert_eq!(checkpoint::last(&*table.root, "evidence").unwrap(), Some(version));
    assert!((0..=raised).all(|version| commit_of(dir.path(), version).exists()));
}

#[test]
fn where_the_past_cannot_be_forgotten_what_stops_counting_later_is_told_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let version = add(&table, 8);
    let in_the_way = log_of(dir.path()).join(format!("{version:020}.checkpoint.parquet"));
    fs::create_dir(&in_the_way).unwrap();
    assert!(table.forget_past().is_err());
    assert!(commit_of(dir.path(), 0).exists());
    fs::remove_dir(&in_the_way).unwrap();
    let removed = remove(&table, 9).unwrap();
    table.write_checkpoint().unwrap();
    let whole = checkpoint::read(&*table.root, "evidence", removed).unwrap().unwrap();
    assert!(whole.lines.iter().any(|line| line.remove.is_some()));
    assert!(table.forget_past().unwrap() > 0 && !commit_of(dir.path(), 0).exists());
}

#[test]
fn what_goes_goes_in_order_and_not_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let expire = || checkpoint::expire(&*table.root, "evidence", 5, 3).unwrap();
    assert_eq!(expire(), 3);
    assert!(!commit_of(dir.path(), 2).exists() && commit_of(dir.path(), 3).exists());
    assert_eq!([expire(), expire()], [2, 0]);
    assert!(!commit_of(dir.path(), 4).exists() && commit_of(dir.path(), 5).exists());
}
