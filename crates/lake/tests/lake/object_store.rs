//! The lake on an S3 endpoint: all of it there, writers that meet, kills, and a store that fails and lies.

pub(crate) mod endpoint;
mod faults;
mod keep;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hinomi_lake::{Lake, LakeError};
use hinomi_model::{Batch, Sink};

use self::endpoint::{Endpoint, settle};
use self::faults::Proxy;
use crate::support::{batch, open, open_reader, options, services, sighting, with_state};

const CHILD: &str = "HINOMI_TEST_OBJECT_STORE_DIR";
const PER_BATCH: u64 = 5;

/// A batch of services that no other round has.
fn round(writer: u64, round: u64) -> Batch {
    let seconds = i64::try_from(round).unwrap();
    let one = |n| sighting(&format!("198.51.{writer}.{}", round * PER_BATCH + n), 22, seconds, &format!("ssh S {n}"));
    batch((0..PER_BATCH).map(one))
}

/// What the bucket holds, told by a state folder that begins with nothing but the name of the writer.
fn anew(old: &Path, port: u16) -> Lake {
    let fresh = old.with_extension("anew");
    settle(&fresh, port, 30);
    fs::copy(old.join("writer"), fresh.join("writer")).unwrap();
    open(&fresh)
}

fn addresses(lake: &Lake) -> BTreeSet<String> {
    services(lake).iter().map(|one| one.key.address.to_string()).collect()
}

#[test]
fn everything_is_in_the_bucket_and_comes_back() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    settle(&state, endpoint.port, 30);
    let lake = open(&state);
    for number in 0..3 {
        lake.append(with_state(round(100, number), &number.to_string())).unwrap();
    }
    assert_eq!(lake.append(round(100, 1)).unwrap().sightings, 0, "told again, stored once");
    let told = services(&lake);
    assert_eq!(told.len(), 15);
    assert!(!state.join("tables").exists() && fs::read_dir(state.join("drafts")).unwrap().next().is_none());
    let reader = open_reader(&state).unwrap();
    assert_eq!(services(&reader), told);
    drop((lake, reader));
    let lake = anew(&state, endpoint.port);
    assert_eq!(services(&lake), told, "the index is built from the bucket alone");
    let piece = told[0].evidence[0].hash;
    assert!(lake.evidence(&piece).unwrap().unwrap().bytes.starts_with(b"ssh S"));
    assert_eq!(lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state, "2");
    assert_eq!(lake.host("198.51.100.3".parse().unwrap()).unwrap().history.len(), 1);
}

#[test]
fn a_second_writer_is_refused_and_the_first_stops_when_it_was_replaced() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let states = [dir.path().join("a"), dir.path().join("b")];
    states.iter().for_each(|state| settle(state, endpoint.port, 30));
    let opened: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> = states.iter().map(|state| scope.spawn(|| Lake::open(options(state, false)))).collect();
        opening.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().filter(|one| one.is_ok()).count(), 1, "one of two that start at once");
    let refused = opened.iter().find_map(|one| one.as_ref().err()).unwrap();
    assert!(matches!(refused, LakeError::OtherWriter { .. }), "{refused}");
    let first = opened.into_iter().find_map(Result::ok).unwrap();
    first.append(round(100, 0)).unwrap();
    // Somebody deletes the name and starts another one while the first still runs.
    remove(endpoint.port, "a/prefix/hinomi-writer.txt");
    let other = states.iter().find(|state| !state.join("index").exists()).unwrap();
    let second = open(other);
    let error = first.append(round(100, 1)).unwrap_err();
    assert!(error.to_string().contains("is written by state folder"), "{error}");
    second.append(round(100, 2)).unwrap();
    assert_eq!(addresses(&second).len(), 10);
}

#[expect(clippy::disallowed_methods, reason = "to the test's own server on loopback")]
fn remove(port: u16, name: &str) {
    use std::io::{Read, Write};
    let mut server = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let who = "authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request";
    write!(server, "DELETE /lake/{name} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n{who}\r\n\r\n").unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 204 "), "{answer}");
}

/// Two with the same name, as after a state folder was copied: the log alone keeps them apart.
#[test]
fn of_two_that_commit_at_once_nothing_is_lost() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let states = [dir.path().join("a"), dir.path().join("b")];
    for state in &states {
        settle(state, endpoint.port, 30);
        fs::write(state.join("writer"), "the same").unwrap();
    }
    let lakes = [open(&states[0]), open(&states[1])];
    std::thread::scope(|scope| {
        for (writer, lake) in (0..).zip(&lakes) {
            scope.spawn(move || (0..8).for_each(|number| assert!(lake.append(round(writer, number)).is_ok())));
        }
    });
    drop(lakes);
    let lake = anew(&states[0], endpoint.port);
    assert_eq!(lake.status().unwrap().sightings.rows, 2 * 8 * PER_BATCH);
    assert_eq!(addresses(&lake).len(), 80);
}

/// Not a test of its own: what the next test starts, watches and kills.
#[test]
fn child_that_appends_to_the_bucket_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let lake = open(Path::new(&dir));
    let campaign = "spring".parse().unwrap();
    let state = Sink::checkpoint(&lake, &campaign).unwrap().map_or(0, |one| one.state.parse().unwrap());
    for number in state..state + 50_u64 {
        lake.append(with_state(round(number / 50, number % 50), &(number + 1).to_string())).unwrap();
        println!("\nappended {}", number + 1);
    }
}

#[test]
fn killed_in_the_middle_the_bucket_holds_every_acknowledged_batch_once() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    settle(&state, endpoint.port, 30);
    for rounds in [1, 3, 2] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "object_store::child_that_appends_to_the_bucket_until_it_is_killed", "--nocapture"])
            .env(CHILD, &state)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut spoken = lines.filter_map(|line| line.strip_prefix("appended ")?.parse::<u64>().ok());
        let last = spoken.by_ref().take(rounds).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(spoken);
        let lake = open(&state);
        let kept: u64 = lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state.parse().unwrap();
        assert!(kept >= last, "a batch that was acknowledged is lost: {kept} < {last}");
        assert_eq!(lake.status().unwrap().sightings.rows, kept * PER_BATCH);
        assert_eq!(addresses(&lake).len(), usize::try_from(kept * PER_BATCH).unwrap());
    }
}

#[test]
fn a_store_that_fails_and_lies_loses_nothing_and_doubles_nothing() {
    let Some(endpoint) = Endpoint::start() else { return };
    for seed in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(format!("state-{seed}"));
        let proxy = Proxy::start(endpoint.port, seed, 0);
        settle(&state, proxy.port, 2);
        let path = state.join("lake.toml");
        let text = fs::read_to_string(&path).unwrap().replace("a/prefix", &format!("seed/{seed}"));
        fs::write(&path, &text).unwrap();
        let mut lake = Some(open(&state));
        proxy.set(20);
        let mut acknowledged = 0;
        while acknowledged < 12 {
            let Some(open) = &lake else {
                lake = Lake::open(options(&state, false)).ok();
                continue;
            };
            // Who is told of a failure tells the batch again, as a sensor does.
            match open.append(round(100, acknowledged)) {
                Ok(_) => acknowledged += 1,
                Err(error) => println!("seed {seed}, batch {acknowledged}: {error}"),
            }
            if acknowledged % 5 == 4 {
                lake = None;
            }
        }
        drop(lake);
        let done: BTreeSet<_> = proxy.done().into_iter().collect();
        println!("seed {seed}: {} faults of {} kinds", proxy.done().len(), done.len());
        assert!(done.len() >= 6, "{done:?}");
        proxy.set(0);
        fs::remove_dir_all(state.join("index")).unwrap();
        let lake = open(&state);
        assert_eq!(lake.status().unwrap().sightings.rows, 12 * PER_BATCH, "none lost, none doubled");
        assert_eq!(addresses(&lake).len(), 60);
    }
}

#[test]
fn a_store_that_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    settle(dir.path(), 1, 1); // nobody listens at port 1
    let Err(error) = Lake::open(options(dir.path(), false)) else { panic!("opened without a store") };
    let told = error.to_string();
    assert!(told.contains("s3://lake/a/prefix/") && told.contains("6 tries"), "{told}");
    fs::create_dir(dir.path().join("tables")).unwrap();
    let Err(error) = Lake::open(options(dir.path(), false)) else { panic!("opened two lakes at once") };
    assert!(error.to_string().contains("is there too"), "{error}");
}

#[test]
fn a_bucket_that_is_not_there_is_told_as_that() {
    let Some(endpoint) = Endpoint::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    settle(dir.path(), endpoint.port, 2);
    let path = dir.path().join("lake.toml");
    let text = fs::read_to_string(&path).unwrap().replace("s3://lake/", "s3://nobody-made-this/");
    fs::write(&path, text).unwrap();
    let Err(error) = Lake::open(options(dir.path(), false)) else { panic!("opened without a bucket") };
    let told = error.to_string();
    assert!(told.contains("404") && !told.contains("If-None-Match"), "{told}");
}
