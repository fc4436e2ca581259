//! Several servers on one lake in a bucket: ranges, takeovers, replicas, rows that are taken away.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hinomi_lake::backup;
use hinomi_lake::erase::{Choice, Order};
use hinomi_lake::ledger::Kind;
use hinomi_lake::shared::{Leases, Mark};
use hinomi_lake::{Lake, LakeError, LakeOptions};
use hinomi_model::{Batch, Checkpoint, ContentHash, Evidence, Facts, Identifier, Sighting, Sink};

use crate::object_store::endpoint::{Endpoint, settle};
use crate::support::{BannerRules, batch, options, services, sighting};

/// Who holds which /8, and the last epoch: what the database is in the program. A server named here holds until another
/// takes, whether it lives or not: as after its lease has ended.
#[derive(Default)]
struct Book {
    epochs: BTreeMap<String, (String, u64)>,
    last: u64,
    /// Whom nobody takes anything from.
    alive: Vec<String>,
}

struct Server {
    name: String,
    book: Arc<Mutex<Book>>,
}

impl Server {
    fn take(&self, ranges: Vec<String>) -> Result<Vec<Mark>, String> {
        let mut book = self.book.lock().unwrap();
        for range in &ranges {
            let holder = book.epochs.get(range).map(|(holder, _)| holder).filter(|holder| **holder != self.name);
            if let Some(holder) = holder.filter(|holder| book.alive.contains(holder)) {
                return Err(format!("{range} is written by server {holder}"));
            }
        }
        let mut marks = Vec::new();
        for name in ranges {
            let held = book.epochs.get(&name).filter(|(holder, _)| *holder == self.name).map(|(_, epoch)| *epoch);
            let number = held.unwrap_or_else(|| {
                book.last += 1;
                book.last
            });
            book.epochs.insert(name.clone(), (self.name.clone(), number));
            marks.push(Mark { name: format!("hinomi.range.{name}"), number });
        }
        Ok(marks)
    }
}

impl Leases for Server {
    fn installation(&self) -> &str {
        "of the test"
    }

    fn hold(&self, addresses: &mut dyn Iterator<Item = IpAddr>) -> Result<Vec<Mark>, String> {
        let mut ranges: Vec<_> = addresses.map(|address| address.to_string()[..3].to_owned()).collect();
        ranges.sort();
        ranges.dedup();
        if ranges.is_empty() {
            return self.hold_whole();
        }
        self.take(ranges)
    }

    fn hold_whole(&self) -> Result<Vec<Mark>, String> {
        self.take(vec!["keeper".to_owned()])
    }

    fn hold_all(&self) -> Result<Vec<Mark>, String> {
        self.take(["192", "198", "203", "keeper"].map(str::to_owned).into())
    }

    fn lost(&self) {}
}

struct Scene {
    endpoint: Endpoint,
    folder: tempfile::TempDir,
    book: Arc<Mutex<Book>>,
}

impl Scene {
    fn start() -> Option<Self> {
        let endpoint = Endpoint::start()?;
        Some(Self { endpoint, folder: tempfile::tempdir().unwrap(), book: Arc::default() })
    }

    fn state(&self, name: &str) -> std::path::PathBuf {
        let state = self.folder.path().join(name);
        settle(&state, self.endpoint.port, 30);
        state
    }

    fn writer(&self, name: &str) -> Lake {
        let server = Server { name: name.to_owned(), book: Arc::clone(&self.book) };
        Lake::open_shared(options(&self.state(name), false), Arc::new(server)).unwrap()
    }

    fn replica(&self, name: &str) -> Lake {
        Lake::open_replica(options(&self.state(name), true)).unwrap()
    }

    /// Nobody takes anything from these.
    fn alive(&self, names: &[&str]) {
        self.book.lock().unwrap().alive = names.iter().map(|name| (*name).to_owned()).collect();
    }
}

fn round(net: &str, number: u64) -> Batch {
    let seconds = i64::try_from(number).unwrap();
    batch((0..3).map(|n| sighting(&format!("{net}.{}", number * 3 + n), 22, seconds, &format!("ssh S {n}"))))
}

fn same(lakes: &[&Lake]) -> usize {
    let told: Vec<_> = lakes.iter().map(|lake| services(lake)).collect();
    assert!(told.windows(2).all(|two| two[0] == two[1]), "all answer alike");
    told[0].len()
}

#[test]
fn two_write_at_once_and_a_replica_follows() {
    let Some(scene) = Scene::start() else { return };
    let (a, b, replica) = (scene.writer("a"), scene.writer("b"), scene.replica("r"));
    scene.alive(&["a", "b"]);
    std::thread::scope(|scope| {
        for (lake, net) in [(&a, "192.0.2"), (&b, "198.51.100")] {
            scope.spawn(move || (0..6).for_each(|number| assert!(lake.append(round(net, number)).is_ok())));
        }
        for _ in 0..5 {
            replica.follow().unwrap();
        }
    });
    // Whoever appends next has seen what the other did; a replica follows when it is told to.
    assert_eq!(a.append(round("192.0.2", 5)).unwrap().sightings, 0);
    assert_eq!(b.append(round("198.51.100", 5)).unwrap().sightings, 0);
    replica.follow().unwrap();
    assert_eq!(same(&[&a, &b, &replica]), 36);
    assert_eq!(replica.status().unwrap().behind, 0);
    let refused = b.append(round("192.0.2", 9)).unwrap_err().to_string();
    assert!(refused.contains("written by server a"), "{refused}");
    assert!(replica.append(round("203.0.113", 0)).is_err() && replica.rebuild_index().is_err());
    // One who thinks it is alone is not let in.
    let alone = Lake::open(options(&scene.state("alone"), false)).err().unwrap();
    assert!(matches!(&alone, LakeError::OtherWriter { holder, .. } if holder.contains("of the test")), "{alone}");
    let local = scene.folder.path().join("local");
    assert!(matches!(Lake::open_replica(options(&local, true)), Err(LakeError::Settings { .. })));
    assert_eq!(replica.host("192.0.2.1".parse().unwrap()).unwrap().history.len(), 1);
}

/// Rules that have something else happen the first time that they are asked.
struct Meanwhile {
    rules: BannerRules,
    happens: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Identifier for Meanwhile {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let happens = self.happens.lock().unwrap().take();
        happens.into_iter().for_each(|happens| happens());
        self.rules.identify(evidence)
    }

    fn revision(&self) -> &str {
        self.rules.revision()
    }
}

#[test]
fn what_another_commits_between_look_and_commit_is_not_passed_over() {
    let Some(scene) = Scene::start() else { return };
    let (b, server) = (scene.writer("b"), Server { name: "a".to_owned(), book: Arc::clone(&scene.book) });
    let rules = Arc::new(Meanwhile { rules: BannerRules { revision: "1" }, happens: Mutex::default() });
    let with_rules = LakeOptions { identifier: Arc::<Meanwhile>::clone(&rules), ..options(&scene.state("a"), false) };
    let a = Lake::open_shared(with_rules, Arc::new(server)).unwrap();
    let (first, second) = (sighting("192.0.2.1", 22, 1, "ssh A 1"), sighting("192.0.2.2", 22, 1, "ssh B 2"));
    let evidence = [first.0.evidence.clone(), second.0.evidence.clone()].concat();
    let both = Sighting { evidence, ..sighting("192.0.2.3", 22, 2, "").0 };
    a.append(batch([first, second])).unwrap();
    // All its evidence is stored, so that this side looks at no table but the sightings between look and commit.
    let other = move || assert!(b.append(batch([sighting("198.51.100.1", 22, 2, "ssh C 3")])).is_ok());
    *rules.happens.lock().unwrap() = Some(Box::new(other));
    a.append(Batch { sightings: vec![both], ..Batch::default() }).unwrap();
    let products: Vec<_> = services(&a).iter().map(|one| one.facts.product.clone().unwrap_or_default()).collect();
    assert_eq!(products, ["A", "B", "A", "C"], "the other's are in the index, with what their evidence says");
    let replica = scene.replica("r");
    assert_eq!(same(&[&a, &replica]), 4);
}

#[test]
fn who_is_taken_over_stores_nothing_and_nothing_is_doubled() {
    let Some(scene) = Scene::start() else { return };
    let (a, b) = (scene.writer("a"), scene.writer("b"));
    a.append(round("192.0.2", 0)).unwrap();
    // What was acknowledged by the first is told to the second again, as a sensor does that heard no answer.
    assert_eq!(b.append(round("192.0.2", 0)).unwrap().sightings, 0, "stored already, by the other");
    b.append(round("192.0.2", 1)).unwrap();
    // The first believes to hold what it held: its epoch is an old one.
    let stale = Stale { marks: vec![Mark { name: "hinomi.range.192".to_owned(), number: 1 }] };
    drop(a);
    let a = Lake::open_shared(options(&scene.state("a"), false), Arc::new(stale)).unwrap();
    let error = a.append(round("192.0.2", 2)).unwrap_err().to_string();
    assert!(error.contains("another server has taken over"), "{error}");
    drop(a);
    scene.alive(&["a"]);
    let a = scene.writer("a");
    assert_eq!(a.append(round("192.0.2", 2)).unwrap().sightings, 3, "told again under a new lease");
    drop(b);
    let anew = scene.replica("anew");
    assert_eq!(same(&[&a, &anew]), 9);
    assert_eq!(anew.status().unwrap().sightings.rows, 9);
}

/// What a process believes that slept through its lease.
struct Stale {
    marks: Vec<Mark>,
}

impl Leases for Stale {
    fn installation(&self) -> &str {
        "of the test"
    }

    fn hold(&self, _: &mut dyn Iterator<Item = IpAddr>) -> Result<Vec<Mark>, String> {
        Ok(self.marks.clone())
    }

    fn hold_whole(&self) -> Result<Vec<Mark>, String> {
        Ok(self.marks.clone())
    }

    fn hold_all(&self) -> Result<Vec<Mark>, String> {
        Ok(self.marks.clone())
    }

    fn lost(&self) {}
}

#[test]
fn what_is_erased_or_identified_again_by_one_is_so_for_all() {
    let Some(scene) = Scene::start() else { return };
    let (a, b, replica) = (scene.writer("a"), scene.writer("b"), scene.replica("r"));
    a.append(round("192.0.2", 0)).unwrap();
    b.append(round("198.51.100", 0)).unwrap();
    replica.follow().unwrap();
    assert_eq!(services(&replica).len(), 6);
    scene.alive(&["a", "b"]);
    let wants = |seen: &Sighting| seen.subject.address.to_string().starts_with("192");
    let erase = |lake: &Lake| {
        let order = Order { kind: Kind::Erase, reason: "asked for".to_owned(), by: "a test".to_owned() };
        lake.delete(order, &Choice::anywhere(&wants), false, &mut |_, _| {})
    };
    assert!(matches!(erase(&b), Err(LakeError::NotOurs { .. })), "not while another writes");
    assert!(b.identify_again(&mut |_, _| {}).is_err());
    scene.alive(&["b"]);
    assert_eq!(erase(&b).unwrap().sightings, 3);
    replica.follow().unwrap();
    assert_eq!(services(&replica), services(&b));
    assert_eq!(services(&replica).len(), 3, "the rows are gone from the index of others too");
    // The one that slept wakes: what it tells under its old lease is refused, and its index follows.
    scene.alive(&["a"]);
    a.append(round("203.0.113", 0)).unwrap();
    replica.follow().unwrap();
    assert_eq!(same(&[&a, &replica]), 6);
    drop((a, b));
    let better = Server { name: "c".to_owned(), book: Arc::clone(&scene.book) };
    scene.alive(&[]);
    let rules = Arc::new(BannerRules { revision: "2" });
    let with_better = LakeOptions { identifier: rules, ..options(&scene.state("c"), false) };
    let c = Lake::open_shared(with_better, Arc::new(better)).unwrap();
    assert_eq!(c.identify_again(&mut |_, _| {}).unwrap().changed, 3);
    replica.follow().unwrap();
    assert_eq!(same(&[&c, &replica]), 6);
    assert!(services(&replica).iter().all(|one| one.facts.vendor.is_some()), "facts of the better rules");
}

#[test]
fn what_is_stored_without_sightings_stands_on_a_lease_too() {
    let Some(scene) = Scene::start() else { return };
    let (a, b) = (scene.writer("a"), scene.writer("b"));
    let position = |state: &str| Batch {
        checkpoint: Some(Checkpoint { campaign: "c".parse().unwrap(), state: state.to_owned() }),
        ..Batch::default()
    };
    let piece = |text: &str| Batch { evidence: vec![sighting("192.0.2.1", 22, 0, text).1], ..Batch::default() };
    a.append(round("192.0.2", 0)).unwrap();
    a.append(position("old")).unwrap();
    scene.alive(&["b"]);
    b.append(round("192.0.2", 1)).unwrap();
    b.append(position("new")).unwrap();
    // The first wakes, and goes on where it was.
    let woken = a.append(position("old")).unwrap_err().to_string();
    assert!(woken.contains("another server has taken over"), "{woken}");
    assert_eq!(a.checkpoint(&"c".parse().unwrap()).unwrap().unwrap().state, "new");
    let erase = Order { kind: Kind::Erase, reason: "asked for".to_owned(), by: "a test".to_owned() };
    b.delete(erase, &Choice::anywhere(&|_| true), false, &mut |_, _| {}).unwrap();
    assert!(a.append(piece("ssh S 0")).is_err() && a.append(position("old")).is_err(), "nothing is granted any more");
    drop(a);
    let a = scene.writer("a");
    let refused = a.append(piece("ssh S 0")).unwrap_err().to_string();
    assert!(refused.contains("written by server b"), "{refused}");
    a.append(batch([])).unwrap();
    scene.alive(&[]);
    assert_eq!(a.append(piece("ssh S 0")).unwrap().evidence, 1);
    scene.alive(&["a"]);
    a.append(position("newer")).unwrap();
    assert!(b.append(piece("ssh S 1")).is_err(), "what it held is not all its own any more");
}

#[test]
fn one_at_a_time_makes_the_roll_ups() {
    let Some(scene) = Scene::start() else { return };
    let (a, b) = (scene.writer("a"), scene.writer("b"));
    a.append(round("192.0.2", 0)).unwrap();
    assert!(a.roll_up(false).unwrap().made);
    scene.alive(&["a"]);
    assert!(matches!(b.roll_up(true), Err(LakeError::NotOurs { .. })), "another server makes them");
    scene.alive(&[]);
    assert!(b.roll_up(true).unwrap().made);
    drop(a);
    let slept = Stale { marks: vec![Mark { name: "hinomi.range.keeper".to_owned(), number: 1 }] };
    let a = Lake::open_shared(options(&scene.state("a"), false), Arc::new(slept)).unwrap();
    assert!(matches!(a.roll_up(true), Err(LakeError::Fenced { .. })), "the right of who slept is over");
}

#[test]
fn a_deletion_that_was_interrupted_waits_until_nobody_else_writes() {
    let Some(scene) = Scene::start() else { return };
    let (a, b) = (scene.writer("a"), scene.writer("b"));
    a.append(round("192.0.2", 0)).unwrap();
    let order = || Order { kind: Kind::Erase, reason: "asked for".to_owned(), by: "a test".to_owned() };
    a.delete(order(), &Choice::anywhere(&|_| true), false, &mut |_, _| {}).unwrap();
    drop(a);
    // As a kill right after the commit leaves it.
    let lists = fs::read_dir(scene.state("a").join("lake/erased")).unwrap();
    let name = lists.flatten().find_map(|list| Some(list.file_name().to_str()?.strip_suffix(".list")?.to_owned()));
    let mark = serde_json::json!({
        "name": name.unwrap(), "order": order(), "sightings": 3, "digest": ContentHash::of(b"").to_string(),
    });
    let at = scene.state("a").join("lake/erasing.json");
    fs::write(&at, mark.to_string()).unwrap();
    scene.alive(&["b"]);
    b.append(round("192.0.2", 1)).unwrap();
    let a = scene.writer("a");
    assert!(at.exists() && services(&a).len() == 3, "it serves");
    let (to, clock) = (scene.folder.path().join("backup"), crate::support::clock());
    let taken = backup::take(&scene.state("a"), &to, backup::Options::default(), &clock, &mut |_| {});
    assert!(taken.is_err(), "no backup while a deletion is not finished");
    drop(a);
    scene.alive(&[]);
    drop(scene.writer("a"));
    assert!(!at.exists(), "finished at the next start");
}

#[test]
fn files_that_one_merges_are_the_same_rows_for_all() {
    let Some(scene) = Scene::start() else { return };
    let (a, b, replica) = (scene.writer("a"), scene.writer("b"), scene.replica("r"));
    for number in 0..5 {
        a.append(round("192.0.2", number)).unwrap();
        b.append(round("198.51.100", number)).unwrap();
    }
    replica.follow().unwrap();
    let mut all = hinomi_lake::CompactOptions::default();
    all.all = true;
    scene.alive(&["b"]);
    b.compact(&all, &mut |_, _| {}).unwrap();
    assert!(matches!(a.compact(&all, &mut |_, _| {}), Err(LakeError::NotOurs { .. })), "one merges at a time");
    a.append(round("192.0.2", 5)).unwrap();
    replica.follow().unwrap();
    b.append(round("198.51.100", 5)).unwrap();
    replica.follow().unwrap();
    a.append(round("203.0.113", 5)).unwrap();
    replica.follow().unwrap();
    b.append(batch([])).unwrap();
    assert_eq!(same(&[&a, &b, &replica]), 39);
    drop(a);
    fs::remove_dir_all(Path::new(&scene.state("a")).join("index")).unwrap();
    assert_eq!(services(&scene.writer("a")), services(&replica), "as built anew from the bucket");
}
