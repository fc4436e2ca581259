//! Checkpoints: the same table with and without, damaged ones, and logs that begin later.

mod late;

use std::fs;
use std::path::{Path, PathBuf};

use hinomi_model::Timestamp;
use proptest::prelude::*;

use crate::error::LakeError;
use crate::evidence::EVIDENCE;
use crate::table::{Change, Known, Note, Table};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + seconds * 1_000_000)
}

fn note(name: &str, text: &str) -> Change {
    let note = Note { application: name.to_owned(), text: text.to_owned() };
    Change { note: Some(note), ..Change::default() }
}

fn add(table: &Table, seconds: i64) -> u64 {
    let staged = table.stage("0", std::iter::empty()).unwrap();
    table.commit(Change { add: vec![staged], ..Change::default() }, at(seconds)).unwrap()
}

fn remove(table: &Table, seconds: i64) -> Option<u64> {
    let first = table.files(|_| true).first()?.path.clone();
    Some(table.commit(Change { remove: vec![first], ..Change::default() }, at(seconds)).unwrap())
}

fn log_of(dir: &Path) -> PathBuf {
    dir.join("evidence/_delta_log")
}

fn commit_of(dir: &Path, version: u64) -> PathBuf {
    log_of(dir).join(format!("{version:020}.json"))
}

/// Everything that a table says of itself.
fn told(table: &Table) -> String {
    let files: Vec<_> = table.files(|_| true).iter().map(|file| format!("{file:?}")).collect();
    let mut notes = table.notes();
    notes.sort_by(|a, b| a.0.cmp(&b.0));
    let texts: Vec<_> = notes.iter().map(|(name, ..)| table.note(name).unwrap()).collect();
    format!("{:?} {} {files:#?} {notes:?} {texts:?}", table.version(), table.removals())
}

fn open(dir: &Path) -> Result<Table, LakeError> {
    Table::open(dir, &EVIDENCE)
}

/// A table with commits of every kind, and a checkpoint at its end.
fn filled(dir: &Path) -> Table {
    let table = Table::open_or_create(dir, &EVIDENCE, at(0)).unwrap();
    for seconds in 1..6 {
        add(&table, seconds);
        table.commit(note("a", &seconds.to_string()), at(seconds)).unwrap();
    }
    remove(&table, 7);
    table.write_checkpoint().unwrap();
    table
}

#[test]
fn a_checkpoint_is_written_when_it_is_due_and_the_commits_before_it_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &EVIDENCE, at(0)).unwrap();
    let file = add(&table, 1);
    let last = || super::last(&*table.root, "evidence").unwrap();
    // The first version is the table's creation.
    for commit in 2..super::EVERY {
        assert_eq!(last(), None);
        table.commit(note("a", &commit.to_string()), at(2)).unwrap();
    }
    assert_eq!(last(), Some(super::EVERY - 1));
    table.commit(note("b", "after"), at(3)).unwrap();
    let before = told(&table);
    (0..super::EVERY).for_each(|version| fs::remove_file(commit_of(dir.path(), version)).unwrap());
    let again = open(dir.path()).unwrap();
    assert_eq!(told(&again), before);
    assert_eq!((again.files(|_| true)[0].version, again.note("b").unwrap().unwrap().as_str()), (file, "after"));
}

#[test]
fn whatever_byte_of_a_checkpoint_is_damaged_the_answer_is_the_same_and_it_is_told_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let before = told(&filled(dir.path()));
    let (version, log) = (open(dir.path()).unwrap().version().unwrap(), log_of(dir.path()));
    let names = [format!("{version:020}.checkpoint.parquet"), format!("_hinomi.{version:020}.json")];
    for (name, is_told) in names.iter().map(|name| (name.as_str(), true)).chain([("_last_checkpoint", false)]) {
        let path = log.join(name);
        let right = fs::read(&path).unwrap();
        for place in [0, right.len() / 3, right.len() / 2, right.len() - 2] {
            let mut wrong = right.clone();
            wrong[place] ^= 4;
            fs::write(&path, &wrong).unwrap();
            let table = open(dir.path()).unwrap();
            assert_eq!(told(&table), before, "{name} {place}");
            assert_eq!(!table.damaged_checkpoints().unwrap().is_empty(), is_told, "{name} {place}");
        }
        fs::write(&path, &right[..right.len() / 2]).unwrap();
        assert_eq!(told(&open(dir.path()).unwrap()), before);
        if is_told {
            assert_eq!(open(dir.path()).unwrap().mend_checkpoints().unwrap(), 1);
        } else {
            fs::write(&path, &right).unwrap();
        }
        assert!(open(dir.path()).unwrap().damaged_checkpoints().unwrap().is_empty());
        assert_eq!(told(&open(dir.path()).unwrap()), before);
    }
}

#[test]
fn a_damaged_checkpoint_without_its_commits_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let version = filled(dir.path()).version().unwrap();
    fs::remove_file(commit_of(dir.path(), 0)).unwrap();
    let path = log_of(dir.path()).join(format!("{version:020}.checkpoint.parquet"));
    let right = fs::read(&path).unwrap();
    let mut wrong = right.clone();
    wrong[right.len() / 2] ^= 1;
    fs::write(&path, &wrong).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("checkpoint.parquet") && error.contains("restore"), "{error}");
    fs::write(&path, &right).unwrap();
    open(dir.path()).unwrap();
    // Without its companion it is a checkpoint of somebody else.
    fs::remove_file(log_of(dir.path()).join(format!("_hinomi.{version:020}.json"))).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("commit 0 is missing"), "{error}");
}

#[test]
fn what_is_forgotten_leaves_one_checkpoint_and_readers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let reader = open(dir.path()).unwrap();
    let stale = open(dir.path()).unwrap();
    add(&table, 8);
    let gone: Vec<_> = fs::read_dir(dir.path().join("evidence")).unwrap().collect();
    assert!(table.forget_past().unwrap() > 10);
    let version = table.version().unwrap();
    let mut left: Vec<_> = fs::read_dir(log_of(dir.path()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let expected = [
        format!("{version:020}.checkpoint.parquet"),
        format!("{version:020}.json"),
        format!("_hinomi.{version:020}.json"),
        "_last_checkpoint".to_owned(),
    ];
    assert_eq!(left, expected);
    assert_eq!(fs::read_dir(dir.path().join("evidence")).unwrap().count(), gone.len() - 1);
    // A reader that never saw the commits that are gone, and a writer whose next name is free again.
    reader.refresh().unwrap();
    assert_eq!((told(&reader), told(&open(dir.path()).unwrap())), (told(&table), told(&table)));
    assert_eq!(add(&stale, 9), version + 1);
    assert!(!commit_of(dir.path(), version - 1).exists());
    let error = table.files_known(Known::Version(3)).unwrap_err();
    assert!(matches!(error, LakeError::Forgotten { .. }), "{error}");
    assert!(matches!(table.files_known(Known::At(at(1))), Err(LakeError::Forgotten { .. })));
    table.refresh().unwrap();
    assert_eq!(table.files_known(Known::Version(version)).unwrap().len(), 5);
    assert!(table.files_known(Known::Version(version + 2)).unwrap_err().to_string().contains("the newest is"));
}

#[test]
fn versions_that_can_be_read_are_kept_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let table = filled(dir.path());
    let (removed, limit) = (table.version().unwrap(), at(8));
    // What only grows keeps everything.
    add(&table, 9);
    table.write_checkpoint().unwrap();
    table.vacuum(at(6)).unwrap();
    assert_eq!(table.files_known(Known::Version(2)).unwrap().len(), 1);
    table.vacuum(limit).unwrap();
    assert!(commit_of(dir.path(), removed).exists() && !commit_of(dir.path(), removed - 1).exists());
    assert!(matches!(table.files_known(Known::Version(2)), Err(LakeError::Forgotten { .. })));
    assert_eq!(table.files_known(Known::Version(removed)).unwrap().len(), 4);
    assert_eq!(table.files_known(Known::At(at(8))).unwrap().len(), 4);
    assert_eq!(table.files_known(Known::At(at(9))).unwrap().len(), 5);
    assert_eq!(told(&open(dir.path()).unwrap()), told(&table));
    // A second time nothing more goes, and the next checkpoint says no more of what is deleted.
    table.vacuum(limit).unwrap();
    table.write_checkpoint().unwrap();
    let whole = super::newest(&*table.root, "evidence").unwrap().checkpoint.unwrap();
    assert!(whole.lines.iter().all(|line| line.remove.is_none()));
    assert_eq!((whole.companion.begins, whole.companion.horizon), (removed, removed));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add,
    Remove,
    ReplaceAll,
    Note(u8),
    Checkpoint,
    Vacuum,
    Forget,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Add),
        2 => Just(Step::Remove),
        1 => Just(Step::ReplaceAll),
        3 => (0..3_u8).prop_map(Step::Note),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::Vacuum),
        1 => Just(Step::Forget),
        2 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is done: a table that is opened from its checkpoints says what one says that saw every commit.
    #[test]
    fn a_table_from_its_checkpoint_is_the_table(steps in proptest::collection::vec(step(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let mut table = Table::open_or_create(dir.path(), &EVIDENCE, at(0)).unwrap();
        // Reads each commit as it is made.
        let follower = open(dir.path()).unwrap();
        for (seconds, step) in (1..).zip(steps) {
            match step {
                Step::Add => drop(add(&table, seconds)),
                Step::Remove => drop(remove(&table, seconds)),
                Step::ReplaceAll => {
                    table.commit(Change { replace_all: true, ..Change::default() }, at(seconds)).unwrap();
                }
                Step::Note(name) => {
                    table.commit(note(&name.to_string(), &seconds.to_string()), at(seconds)).unwrap();
                }
                Step::Checkpoint => table.write_checkpoint().unwrap(),
                Step::Vacuum => table.vacuum(at(seconds)).unwrap(),
                Step::Forget => drop(table.forget_past().unwrap()),
                Step::Reopen => table = open(dir.path()).unwrap(),
            }
            follower.refresh().unwrap();
            let expected = told(&follower);
            prop_assert_eq!(&told(&table), &expected);
            prop_assert_eq!(&told(&open(dir.path()).unwrap()), &expected);
        }
    }
}

/// By hand: `cargo test -p hinomi-lake --lib -- --ignored --nocapture a_log_of_a_hundred_thousand_commits`
#[test]
#[ignore = "a measurement; run by hand"]
fn a_log_of_a_hundred_thousand_commits() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::open_or_create(dir.path(), &EVIDENCE, at(0)).unwrap();
    add(&table, 1);
    let line = fs::read_to_string(commit_of(dir.path(), 1)).unwrap();
    let name = table.files(|_| true)[0].path.clone();
    // Without their sums: they are not those of other versions.
    let info = line.find("\"hinomiSum\"").unwrap();
    for version in 2..100_000 {
        let mut text = line.replace(&name, &format!("hinomi-{version:020}-0.parquet"));
        text.replace_range(info..info + 11, "\"otherSum0\"");
        fs::write(commit_of(dir.path(), version), text).unwrap();
    }
    let begun = std::time::Instant::now();
    let all = open(dir.path()).unwrap();
    println!("{} commits read in {:?}", all.version().unwrap(), begun.elapsed());
    let begun = std::time::Instant::now();
    all.write_checkpoint().unwrap();
    println!("checkpoint written in {:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    let again = open(dir.path()).unwrap();
    println!("opened with it in {:?}", begun.elapsed());
    assert_eq!(again.files(|_| true).len(), all.files(|_| true).len());
}
