//! kill -9 at random moments of everything that writes: nothing acknowledged is lost, nothing is there twice, and the
//! next start needs no new index.
//!
//! The moments are seeded and follow from what the child does, not from the clock: after so many of its lines, or as
//! soon as so many more names stand in one of its folders.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinomi_lake::Compactor;
use hinomi_lake::check::{Shelf, check};
use hinomi_lake::erase::{Choice, Order};
use hinomi_lake::ledger::Kind;
use hinomi_model::Sink;

use crate::support::{at, batch, clock, open, services, sighting, with_state};

const CHILD: &str = "HINOMI_TEST_KILLS_DIR";
const PER_BATCH: u64 = 30;
/// A fresh folder after so many kills, so that the last ones are not slower than the first ones.
const KILLS_PER_FOLDER: usize = 20;
/// Folders whose names are watched.
const WATCHED: &[&str] = &[
    "tables/evidence",
    "tables/evidence/_delta_log",
    "tables/sightings",
    "tables/sightings/_delta_log",
    "tables/facts",
    "tables/facts/_delta_log",
    "index",
    "index/1/terms",
    "lake",
];

/// Not a test of its own: what the others start and kill. Appends with a campaign's checkpoint, and between batches
/// erases what nobody counts, derives all facts again, builds the index again, and merges files; beside all that a thread
/// merges what is due.
#[test]
fn child_that_does_everything_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let lake = Arc::new(open(Path::new(&dir)));
    let _compactor = Compactor::start(&lake).unwrap();
    let campaign = "spring".parse().unwrap();
    let state = Sink::checkpoint(&*lake, &campaign).unwrap().map_or(0, |one| one.state.parse().unwrap());
    for round in state..state + 10_000_u64 {
        lake.append(with_state(told(round), &(round + 1).to_string())).unwrap();
        println!("\nappended {}", round + 1);
        match round % 5 {
            0 => drop(lake.identify_again(&mut |_, _| {}).unwrap()),
            1 => erase(&lake),
            2 => lake.rebuild_index().unwrap(),
            3 => compact(&lake),
            _ => {}
        }
        println!("\nwent on {round}");
    }
}

/// So many observations, and one of an address that is erased now and then.
fn told(round: u64) -> hinomi_model::Batch {
    let seconds = i64::try_from(round).unwrap();
    let counted = (0..PER_BATCH).map(|n| sighting(&format!("192.0.2.{n}"), 22, seconds, &format!("ssh S {round}.{n}")));
    let passing = sighting("203.0.113.9", 22, seconds, &format!("ssh Passing {round}"));
    batch(counted.chain([passing]))
}

fn compact(lake: &hinomi_lake::Lake) {
    let mut options = hinomi_lake::CompactOptions::default();
    (options.all, options.file_rows) = (true, 50);
    lake.compact(&options, &mut |_, _| {}).unwrap();
}

fn erase(lake: &hinomi_lake::Lake) {
    let order = Order { kind: Kind::Erase, reason: "a test".to_owned(), by: "a test".to_owned() };
    let passing = |seen: &hinomi_model::Sighting| seen.subject.address.to_string() == "203.0.113.9";
    lake.delete(order, &Choice::anywhere(&passing), false, &mut |_, _| {}).unwrap();
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Starts the child, kills it at a moment that the dice choose, returns the last batch that it acknowledged.
fn run_and_kill(dir: &Path, dice: &mut Dice) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child_that_does_everything_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut last = 0;
    let mut take = |line: String| {
        let spoken = line.strip_prefix("appended ").and_then(|number| number.parse().ok());
        last = last.max(spoken.unwrap_or(0));
        spoken.is_some() || line.starts_with("went on")
    };
    let wanted = dice.roll(6);
    let mut heard = 0;
    while heard < wanted {
        heard += u64::from(take(lines.next().expect("the child goes on")));
    }
    if dice.roll(4) > 0 {
        wait_for_names(
            dir,
            WATCHED[usize::try_from(dice.roll(WATCHED.len() as u64)).unwrap()],
            dice.roll(3) + 1,
            &mut child,
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        take(line);
    }
    last
}

/// Until so many more names stand in the folder than do now; the index's own folder is whichever is in use.
fn wait_for_names(dir: &Path, folder: &str, more: u64, child: &mut Child) {
    let folder = match folder.strip_prefix("index/1") {
        Some(rest) => {
            let current = fs::read_to_string(dir.join("index/CURRENT")).unwrap_or_else(|_| "1".to_owned());
            dir.join("index").join(current.trim()).join(rest.trim_start_matches('/'))
        }
        None => dir.join(folder),
    };
    let mut seen = names(&folder);
    let mut new = 0;
    // A folder in which nothing happens any more must not be waited for: the child's other work bounds the looks.
    for _ in 0..20_000 {
        let now = names(&folder);
        new += now.difference(&seen).count() as u64;
        seen.extend(now);
        if new >= more || child.try_wait().unwrap().is_some() {
            return;
        }
    }
}

fn names(folder: &Path) -> BTreeSet<std::ffi::OsString> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

/// Kills so many times; how long the slowest start afterwards took, and how many starts built a new index.
fn kill_and_look(kills: usize, seed: u64) -> (Duration, usize) {
    let mut dice = Dice(seed);
    let (mut slowest, mut rebuilt) = (Duration::ZERO, 0);
    let mut dir = tempfile::tempdir().unwrap();
    for kill in 0..kills {
        if kill % KILLS_PER_FOLDER == 0 {
            dir = tempfile::tempdir().unwrap();
        }
        let spoken = run_and_kill(dir.path(), &mut dice);
        let (before, erasing) = (current(dir.path()), dir.path().join("lake/erasing.json").exists());
        let begun = Instant::now();
        let lake = open(dir.path());
        slowest = slowest.max(begun.elapsed());
        let after = current(dir.path());
        if before.is_some() && before != after {
            rebuilt += 1;
            assert!(erasing, "kill {kill}: a new index was needed: {before:?} to {after:?}");
        }
        look(&lake, dir.path(), spoken, kill);
    }
    (slowest, rebuilt)
}

fn current(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join("index/CURRENT")).ok()
}

fn look(lake: &hinomi_lake::Lake, dir: &Path, spoken: u64, kill: usize) {
    let state = lake.checkpoint(&"spring".parse().unwrap()).unwrap().map_or(0, |one| one.state.parse::<u64>().unwrap());
    assert!(state >= spoken, "kill {kill}: a batch that was acknowledged is lost: {state} < {spoken}");
    assert_eq!(lake.status().unwrap().behind, 0, "kill {kill}");
    let times: BTreeSet<_> = (0..state).map(|round| at(i64::try_from(round).unwrap())).collect();
    for n in [0, PER_BATCH - 1] {
        let history = lake.host(format!("192.0.2.{n}").parse().unwrap()).unwrap().history;
        let seen: BTreeSet<_> = history.iter().map(|entry| entry.time).collect();
        assert_eq!((history.len() as u64, &seen), (state, &times), "kill {kill}: lost or twice");
    }
    let passing = lake.host("203.0.113.9".parse().unwrap()).unwrap().history.len() as u64;
    assert_eq!(lake.status().unwrap().sightings.rows, state * PER_BATCH + passing, "kill {kill}");
    assert_eq!(services(lake).len() as u64, if state == 0 { 0 } else { PER_BATCH + u64::from(passing > 0) });
    let told = check(dir, true, &clock(), &mut |_, _| {}).unwrap();
    assert!(told.iter().all(Shelf::is_whole), "kill {kill}: {told:?}");
}

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_twice() {
    kill_and_look(24, 0x9e37_79b9_7f4a_7c15);
}

/// The whole number; minutes. `cargo test -p hinomi-lake --test lake -- --ignored --nocapture two_hundred`
#[test]
#[ignore = "minutes; run by hand and before a release"]
fn two_hundred_kills() {
    let begun = Instant::now();
    let (slowest, rebuilt) = kill_and_look(200, 0x2545_f491_4f6c_dd1d);
    println!(
        "200 kills in {:?}; slowest start {slowest:?}; {rebuilt} finished an interrupted deletion",
        begun.elapsed()
    );
}
