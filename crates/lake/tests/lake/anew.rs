//! Everything known changes: searches see what was, whole, until what will be is whole; whoever is killed in between.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hinomi_lake::{Lake, LakeError};
use hinomi_model::Sink;

use crate::rebuild::copy_folder;
use crate::support::{BannerRules, batch, open, open_reader, options, request, sighting};

const CHILD: &str = "HINOMI_TEST_ANEW_DIR";
const SERVICES: u64 = 400;

/// With these rules; revision 2 knows a vendor of every service, revision 1 of none.
fn open_with(dir: &Path, revision: &'static str) -> Lake {
    let mut options = options(dir, false);
    options.identifier = Arc::new(BannerRules { revision });
    Lake::open(options).unwrap()
}

fn fill(dir: &Path) {
    let lake = open(dir);
    for round in 0..4 {
        let port = u16::try_from(1000 + round).unwrap();
        let seen = (0..SERVICES / 4).map(|n| sighting(&format!("192.0.2.{n}"), port, 1, &format!("ssh S {round}.{n}")));
        lake.append(batch(seen)).unwrap();
    }
}

/// How many services have a vendor; all are there, and all or none of them have one.
fn with_vendor(lake: &Lake) -> u64 {
    let total = |query: &str| lake.search(&request(query)).unwrap().total;
    // Two searches may stand on either side of the change; no search may see half of it.
    assert_eq!(total(""), SERVICES, "services are missing");
    let known = total("has:vendor");
    assert!(known == 0 || known == SERVICES, "{known} of {SERVICES} are of the new facts");
    known
}

#[test]
fn nobody_searches_a_half_built_index() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let lake = open_with(dir.path(), "2");
    let reader = open_reader(dir.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let again = scope.spawn(|| {
            let changed = lake.identify_again(&mut |_, _| {}).unwrap().changed;
            lake.rebuild_index().unwrap();
            done.store(true, Ordering::Release);
            changed
        });
        while !done.load(Ordering::Acquire) && !again.is_finished() {
            with_vendor(&lake);
            with_vendor(&reader);
            assert_eq!(lake.status().unwrap().behind, 0);
        }
        assert_eq!(again.join().unwrap(), SERVICES);
    });
    assert_eq!((with_vendor(&lake), with_vendor(&reader)), (SERVICES, SERVICES));
    let indexes =
        fs::read_dir(dir.path().join("index")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(indexes.count(), 1, "the old index is gone");
}

#[test]
fn an_index_of_old_facts_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let old = tempfile::tempdir().unwrap();
    copy_folder(&dir.path().join("index"), old.path());
    let lake = open_with(dir.path(), "2");
    lake.identify_again(&mut |_, _| {}).unwrap();
    drop(lake);
    // As a kill after the new facts and before the new index would leave it.
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    copy_folder(old.path(), &dir.path().join("index"));
    assert_eq!(with_vendor(&open_reader(dir.path()).unwrap()), 0, "a reader sees the old index whole");
    assert_eq!(with_vendor(&open_with(dir.path(), "2")), SERVICES);
    assert_eq!(with_vendor(&open_reader(dir.path()).unwrap()), SERVICES);
}

/// Not a test of its own: what the next test starts, watches and kills.
#[test]
fn child_that_identifies_again_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    for round in 0..10_000 {
        let lake = open_with(Path::new(&dir), if round % 2 == 0 { "2" } else { "1" });
        println!("\nopened {round}");
        lake.identify_again(&mut |done, _| println!("\ndone {done}")).unwrap();
        println!("\nagain {round}");
    }
}

#[test]
fn killed_while_identifying_again_the_index_is_whole_and_true() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    for (round, lines) in [2, 3, 5, 6, 7, 9, 12].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "anew::child_that_identifies_again_until_it_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut told = told.filter(|line| ["opened ", "done ", "again "].iter().any(|word| line.starts_with(word)));
        assert_eq!(told.by_ref().take(lines).count(), lines, "the child ended by itself");
        let reader = open_reader(dir.path()).unwrap();
        // A few searches later, so that the kill falls into other moments than those at which the child speaks.
        for _ in 0..round * 2 {
            with_vendor(&reader);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        drop(told);
        with_vendor(&reader);
        // What is whole is also true: the index says what the facts say.
        let lake = open_with(dir.path(), "1");
        let known = with_vendor(&lake);
        assert_eq!(lake.status().unwrap().behind, 0);
        lake.rebuild_index().unwrap();
        assert_eq!(with_vendor(&lake), known, "the index was of other facts than the table");
    }
}

#[test]
fn a_reader_cannot_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    assert!(matches!(open_reader(dir.path()).unwrap().rebuild_index(), Err(LakeError::ReadOnly)));
}
