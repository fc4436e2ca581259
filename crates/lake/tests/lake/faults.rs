//! Bytes that changed on the disk: every answer afterwards is right, or an error that names the file.

use std::fs;
use std::path::{Path, PathBuf};

use hinomi_lake::check::{Shelf, ShelfName, check, check_state};
use hinomi_lake::watch::{NewWatch, WatchBook};
use hinomi_lake::{Lake, LakeError, ledger};
use hinomi_model::{Service, Sink};

use crate::rebuild::copy_folder;
use crate::support::{batch, clock, open, open_reader, options, services, sighting};

/// A small generator with a seed: the same flips in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

fn fill(dir: &Path) {
    let lake = open(dir);
    for round in 0..4_i64 {
        let seen = (0..60).map(|n| sighting(&format!("192.0.2.{n}"), 22, round, &format!("ssh S {}", n + round)));
        lake.append(batch(seen)).unwrap();
    }
}

/// Everything that can be asked: services, histories, evidence.
fn answers(lake: &Lake) -> Result<(Vec<Service>, Vec<String>), LakeError> {
    let (mut all, mut told) = (Vec::new(), Vec::new());
    lake.scan(crate::support::EVERYTHING, crate::support::now(), &mut |service| {
        all.push(service);
        Ok(())
    })?;
    for service in &all {
        let host = lake.host(service.key.address)?;
        told.push(format!("{:?}", host.history));
        for reference in &service.evidence {
            told.push(format!("{:?}", lake.evidence(&reference.hash)?));
        }
    }
    Ok((all, told))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, dice: &mut Dice) {
    let mut bytes = fs::read(path).unwrap();
    let at = dice.roll(bytes.len());
    bytes[at] ^= 1 << dice.roll(8);
    fs::write(path, bytes).unwrap();
}

/// Flips one bit in one file at a time and asks everything; how often it was noticed.
fn try_tables(rounds: usize, table: &str) -> usize {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path());
    let right = answers(&open_reader(whole.path()).unwrap()).unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let victims = files(&whole.path().join("tables").join(table));
    let mut noticed = 0;
    for round in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(whole.path(), dir.path());
        let victim = &victims[round % victims.len()];
        let path = dir.path().join(victim.strip_prefix(whole.path()).unwrap());
        flip(&path, &mut dice);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match open_reader(dir.path()).and_then(|lake| answers(&lake)) {
            Ok(told) => assert!(told == right, "silently wrong after a flip in {name}"),
            Err(error) => {
                noticed += 1;
                let told = error.to_string();
                let named = told.contains(&name) || told.contains("commit") || told.contains(table);
                assert!(named, "{name} is not named: {told}");
            }
        }
        let told = check(dir.path(), true, &clock(), &mut |_, _| {}).unwrap();
        let found = told.iter().any(|shelf| !shelf.is_whole());
        assert!(found || name.ends_with(".json"), "check does not see a flip in {name}");
    }
    noticed
}

#[test]
fn flipped_bits_in_sightings_are_noticed() {
    assert!(try_tables(60, "sightings") > 20);
}

#[test]
fn flipped_bits_in_evidence_are_noticed() {
    assert!(try_tables(60, "evidence") > 20);
}

#[test]
fn flipped_bits_in_facts_are_noticed() {
    try_tables(40, "facts");
}

#[test]
fn flipped_bits_in_the_index_are_found_by_a_check_and_mended() {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path());
    let right = services(&open_reader(whole.path()).unwrap());
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let victims = files(&whole.path().join("index"));
    let (mut found, mut rounds) = (0, 0);
    for round in 0..60 {
        let victim = &victims[round % victims.len()];
        // Times have sums of their own: a frame that lost its sum ends their log, and the next writer tells the rest.
        let name = victim.file_name().unwrap().to_str().unwrap();
        let times = name == "times.bin" || name.starts_with("touches");
        if times || name.ends_with(".lock") || victim.metadata().unwrap().len() == 0 {
            continue;
        }
        rounds += 1;
        let dir = tempfile::tempdir().unwrap();
        copy_folder(whole.path(), dir.path());
        flip(&dir.path().join(victim.strip_prefix(whole.path()).unwrap()), &mut dice);
        let told = check(dir.path(), true, &clock(), &mut |_, _| {}).unwrap();
        let damaged = told.iter().any(|shelf| !shelf.is_whole());
        found += usize::from(damaged);
        if !damaged {
            let told = open_reader(dir.path()).map(|lake| services(&lake));
            assert!(told.is_ok_and(|told| told == right), "{} says something else", victim.display());
        }
        fs::remove_dir_all(dir.path().join("index")).unwrap();
        assert_eq!(services(&open(dir.path())), right);
    }
    assert!(found * 2 > rounds, "{found} of {rounds}");
}

/// Ledger, lists of what was erased, and events: all that carries sums.
#[test]
fn flipped_bits_in_the_state_are_told_or_change_nothing() {
    let whole = tempfile::tempdir().unwrap();
    let lake = open(whole.path());
    let new = NewWatch { name: "n".to_owned(), query: "port:22".to_owned(), owner: "o".to_owned(), within: None };
    lake.watch_book().add(&new, crate::support::now()).unwrap();
    lake.append(batch((0..20).map(|n| sighting(&format!("192.0.2.{n}"), 22, 1, &format!("ssh S {n}"))))).unwrap();
    crate::keep::erase(&lake, "192.0.2.3");
    drop(lake);
    let told = |dir: &Path| {
        let events = WatchBook::of_state(dir).events(0, 100, None).map(|all| all.events);
        let entries = ledger::verify(&ledger::path_of(dir), None).map(|told| told.entries);
        format!("{events:?} {entries:?}")
    };
    let damages = |dir: &Path| {
        let mut shelf = Shelf::new(ShelfName::State);
        check_state(dir, &mut shelf).unwrap();
        shelf.damages.len()
    };
    let (right, mut dice) = (told(whole.path()), Dice(0x853c_49e6_748f_ea9b));
    assert_eq!(damages(whole.path()), 0);
    let mut victims = files(&whole.path().join("lake"));
    victims.extend(
        files(&whole.path().join("watch")).into_iter().filter(|path| path.extension().is_some_and(|end| end == "log")),
    );
    let mut found = 0;
    for round in 0..60 {
        let victim = &victims[round % victims.len()];
        let dir = tempfile::tempdir().unwrap();
        copy_folder(whole.path(), dir.path());
        flip(&dir.path().join(victim.strip_prefix(whole.path()).unwrap()), &mut dice);
        let damaged = damages(dir.path());
        found += damaged;
        assert!(damaged > 0 || told(dir.path()) == right, "a flip in {} is not told", victim.display());
    }
    assert!(found > 50, "{found}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let mounted = std::process::Command::new("mount").arg("--bind").arg(dir.path()).arg(dir.path()).status();
    let again = || std::process::Command::new("mount").args(["-o", "remount,bind,ro"]).arg(dir.path()).status();
    if !mounted.is_ok_and(|done| done.success()) || !again().is_ok_and(|done| done.success()) {
        return crate::support::stand_aside("a read-only folder needs the right to mount");
    }
    let refused = Lake::open(options(dir.path(), false)).map(drop).unwrap_err().to_string();
    let read = open_reader(dir.path()).map(|lake| services(&lake).len());
    let told = check(dir.path(), true, &clock(), &mut |_, _| {}).map(|told| told.iter().all(Shelf::is_whole));
    let _ = std::process::Command::new("umount").arg(dir.path()).status();
    assert!(refused.contains("Read-only") && refused.contains(dir.path().to_str().unwrap()), "{refused}");
    assert_eq!((read.unwrap(), told.unwrap()), (60, true));
}
