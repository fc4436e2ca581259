//! Killed in the middle: nothing lost, nothing twice, nothing left lying about.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hinomi_model::Sink;

use crate::support::{at, batch, open, services, sighting, with_state};

const CHILD: &str = "HINOMI_TEST_CRASH_DIR";
const PER_BATCH: u64 = 40;

/// Not a test of its own: what the next test starts, watches and kills.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let lake = open(Path::new(&dir));
    let campaign = "spring".parse().unwrap();
    let state = Sink::checkpoint(&lake, &campaign).unwrap().map_or(0, |one| one.state.parse().unwrap());
    for round in state..state + 10_000_u64 {
        lake.append(with_state(round_batch(round), &(round + 1).to_string())).unwrap();
        println!("\nappended {}", round + 1);
    }
}

fn round_batch(round: u64) -> hinomi_model::Batch {
    let seconds = i64::try_from(round).unwrap();
    batch((0..PER_BATCH).map(|n| sighting(&format!("192.0.2.{n}"), 22, seconds, &format!("ssh S {round}.{n}"))))
}

/// Starts the child, lets it append so many batches, kills it, returns the last it spoke of.
fn run_and_kill(dir: &Path, rounds: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_appends_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut spoken = lines.filter_map(|line| line.strip_prefix("appended ")?.parse().ok());
    let last = spoken.by_ref().take(rounds).last();
    child.kill().unwrap();
    child.wait().unwrap();
    // Not before: a child that nobody listens to would end by itself.
    drop(spoken);
    last.expect("the child appended something before it was killed")
}

#[test]
fn killed_in_the_middle_nothing_is_lost_and_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    for rounds in [1, 2, 3, 5] {
        let spoken = run_and_kill(dir.path(), rounds);
        let lake = open(dir.path());
        let state: u64 = lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state.parse().unwrap();
        assert!(state >= spoken, "a batch that was acknowledged is lost: {state} < {spoken}");
        let status = lake.status().unwrap();
        assert_eq!(status.sightings.rows, state * PER_BATCH);
        assert_eq!((status.services, status.behind), (PER_BATCH, 0));
        let newest = at(i64::try_from(state).unwrap() - 1);
        assert!(services(&lake).iter().all(|one| one.last_seen == newest && one.first_seen == at(0)));
        // Telling the last batch again, as a sensor that was killed would, changes nothing.
        assert_eq!(lake.append(round_batch(state - 1)).unwrap().sightings, 0);
    }
}

#[test]
fn what_a_kill_left_lying_about_is_swept_and_other_files_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    lake.append(batch([sighting("192.0.2.1", 22, 1, "ssh S 1")])).unwrap();
    drop(lake);
    let table = dir.path().join("tables/sightings");
    let orphan = table.join("hinomi-00000000000000000009-1-0.parquet");
    let unfinished = table.join("_delta_log/.00000000000000000009.1.unfinished");
    let foreign = table.join("part-00000-somebody-else.parquet");
    for path in [&orphan, &unfinished, &foreign] {
        fs::write(path, b"half a file").unwrap();
    }
    let lake = open(dir.path());
    assert_eq!((orphan.exists(), unfinished.exists(), foreign.exists()), (false, false, true));
    assert_eq!((services(&lake).len(), lake.status().unwrap().sightings.files), (1, 1));
}

#[test]
fn a_missing_commit_is_told_and_not_taken_for_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for seconds in 1..4 {
        lake.append(batch([sighting("192.0.2.1", 22, seconds, "ssh S 1")])).unwrap();
    }
    drop(lake);
    fs::remove_file(dir.path().join("tables/sightings/_delta_log/00000000000000000002.json")).unwrap();
    let Err(error) = crate::support::open_reader(dir.path()) else { panic!("a gap was passed over") };
    assert!(error.to_string().contains("commit 2 is missing"), "{error}");
}
