//! Derived things can be deleted.

use std::fs;
use std::sync::Arc;

use hinomi_lake::{Lake, Reidentified};
use hinomi_model::{Outcome, Sink, Transport};
use proptest::prelude::*;

use crate::support::{BannerRules, batch, open, options, services, sighting};

#[test]
fn index_and_facts_come_back_from_the_tables() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for round in 0..5 {
        let port = 20 + round;
        let seen = (0..20).map(|n| sighting(&format!("192.0.2.{n}"), port, n.into(), &format!("ssh S {}", n % 3)));
        lake.append(batch(seen)).unwrap();
    }
    let before = services(&lake);
    assert_eq!(before.len(), 100);
    drop(lake);
    for lost in [&["index"][..], &["tables/facts"], &["index", "tables/facts"]] {
        lost.iter().for_each(|folder| fs::remove_dir_all(dir.path().join(folder)).unwrap());
        let lake = open(dir.path());
        assert_eq!(services(&lake), before, "after losing {lost:?}");
        assert_eq!(lake.status().unwrap().facts.rows, 3);
    }
    // Without tables the index has nothing to speak of.
    fs::remove_dir_all(dir.path().join("tables")).unwrap();
    assert!(services(&open(dir.path())).is_empty());
}

#[test]
fn an_index_that_is_behind_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    lake.append(batch([sighting("192.0.2.1", 22, 1, "ssh S 1")])).unwrap();
    drop(lake);
    let old = tempfile::tempdir().unwrap();
    copy_folder(&dir.path().join("index"), old.path());
    let lake = open(dir.path());
    lake.append(batch([sighting("192.0.2.1", 22, 2, "ssh S 2"), sighting("192.0.2.2", 22, 2, "ssh S 2")])).unwrap();
    let new = services(&lake);
    drop(lake);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    copy_folder(old.path(), &dir.path().join("index"));
    assert_eq!(services(&open(dir.path())), new);
}

pub(crate) fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn better_rules_improve_the_past() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let seen = (0..300).map(|n| sighting("192.0.2.1", 1000 + n, 1, &format!("ssh S {n}")));
    lake.append(batch(seen.chain([sighting("192.0.2.1", 1, 1, "unknown")]))).unwrap();
    drop(lake);
    let mut better = options(dir.path(), false);
    better.identifier = Arc::new(BannerRules { revision: "2" });
    let lake = Lake::open(better).unwrap();
    let mut told = Vec::new();
    let outcome = lake.identify_again(&mut |done, total| told.push((done, total))).unwrap();
    assert_eq!(outcome, Reidentified { total: 301, changed: 300 });
    assert_eq!(told.last(), Some(&(301, 301)));
    let all = services(&lake);
    assert_eq!(all.iter().filter(|one| one.facts.vendor.as_deref() == Some("S Inc.")).count(), 300);
    assert_eq!(lake.status().unwrap().facts.rows, 301);
    assert_eq!(lake.identify_again(&mut |_, _| {}).unwrap().changed, 0);
}

type Told = (u8, u16, i64, u8, u8);

fn told() -> impl Strategy<Value = Vec<Vec<Told>>> {
    let one = (0..4_u8, 20..22_u16, 0..12_i64, 0..3_u8, 0..4_u8);
    proptest::collection::vec(proptest::collection::vec(one, 1..6), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is told in whatever order, the index built along the way is the index built from the tables.
    #[test]
    fn the_index_equals_its_rebuild(batches in told()) {
        let dir = tempfile::tempdir().unwrap();
        let lake = open(dir.path());
        for told in batches {
            let seen = told.into_iter().map(|(host, port, seconds, version, outcome)| {
                let (mut seen, evidence) =
                    sighting(&format!("192.0.2.{host}"), port, seconds, &format!("ssh S {version}"));
                if host == 3 {
                    seen.subject.transport = Transport::Udp;
                }
                seen.outcome = [Outcome::Open, Outcome::Open, Outcome::Closed, Outcome::Pseudo][usize::from(outcome)];
                (seen, evidence)
            });
            lake.append(batch(seen)).unwrap();
        }
        let along = services(&lake);
        lake.rebuild_index().unwrap();
        prop_assert_eq!(services(&lake), along);
    }
}
