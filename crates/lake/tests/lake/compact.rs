//! Files are merged, and nothing else changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hinomi_lake::{CompactOptions, Compacted, Lake};
use hinomi_model::{Evidence, Outcome, Sighting, Sink, Transport};
use proptest::prelude::*;

use crate::support::{batch, open, services, sighting, with_state};

/// Everything in as few files as can be; files of sightings are cut early, so that there are several.
fn all(file_rows: u64) -> CompactOptions {
    let mut options = CompactOptions::default();
    (options.all, options.file_rows) = (true, file_rows);
    options
}

fn compact(lake: &Lake, file_rows: u64) -> Compacted {
    let mut told = Vec::new();
    let compacted = lake.compact(&all(file_rows), &mut |done, total| told.push((done, total))).unwrap();
    assert!(told.is_sorted() && told.iter().all(|(done, total)| done <= total), "{told:?}");
    compacted
}

/// Time, port, outcome, campaign and evidence of everything seen at some addresses.
fn history(lake: &Lake) -> BTreeSet<String> {
    let address = |n: u8| format!("192.0.2.{n}").parse().unwrap();
    (0..32)
        .flat_map(|n| lake.host(address(n)).unwrap().history.into_iter().map(move |one| format!("{n} {one:?}")))
        .collect()
}

type Told = (u8, u16, i64, u8, u8, u8);

fn seen((host, port, seconds, version, outcome, more): Told) -> (Sighting, Evidence) {
    let (mut seen, evidence) = sighting(&format!("192.0.2.{host}"), port, seconds, &format!("ssh S {version}"));
    seen.outcome =
        [Outcome::Open, Outcome::Open, Outcome::Open, Outcome::Closed, Outcome::Pseudo][usize::from(outcome)];
    seen.subject.transport = if more & 1 == 0 { Transport::Tcp } else { Transport::Udp };
    seen.sensor = if more & 2 == 0 { "survey" } else { "import" }.parse().unwrap();
    seen.campaign = (more & 4 == 0).then(|| format!("campaign-{}", more & 8).parse().unwrap());
    (seen, evidence)
}

fn steps() -> impl Strategy<Value = Vec<(Vec<Told>, u8)>> {
    let one = (0..3_u8, 20..22_u16, 0..9_i64, 0..2_u8, 0..5_u8, 0..16_u8);
    proptest::collection::vec((proptest::collection::vec(one, 1..8), 0..4_u8), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Late, out of order, told again, merged in between: what is stored and what is derived is as if nothing was
    /// merged.
    #[test]
    fn merging_changes_nothing(steps in steps()) {
        let (merged, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (lake, other) = (open(merged.path()), open(plain.path()));
        let mut told = Vec::new();
        for (batch_told, step) in steps {
            let sightings = || batch(batch_told.iter().copied().map(seen));
            prop_assert_eq!(lake.append(sightings()).unwrap(), other.append(sightings()).unwrap());
            told.extend(batch_told);
            match step {
                0 => drop(compact(&lake, 2)),
                1 => drop(lake.compact(&CompactOptions::default(), &mut |_, _| {}).unwrap()),
                2 => lake.rebuild_index().unwrap(),
                _ => {}
            }
        }
        prop_assert_eq!(services(&lake), services(&other));
        prop_assert_eq!(history(&lake), history(&other));
        compact(&lake, 3);
        // Names are worked out of runs: each is known, told one by one or at once.
        prop_assert_eq!(lake.append(batch(told.iter().copied().map(seen))).unwrap().sightings, 0);
        prop_assert_eq!(lake.status().unwrap().sightings.rows, other.status().unwrap().sightings.rows);
        prop_assert_eq!(history(&lake), history(&other));
        lake.rebuild_index().unwrap();
        prop_assert_eq!(services(&lake), services(&other));
        drop(lake);
        fs::remove_dir_all(merged.path().join("index")).unwrap();
        prop_assert_eq!(services(&open(merged.path())), services(&other));
    }
}

/// Days of the same survey: little changes.
fn survey(lake: &Lake, days: std::ops::Range<i64>) {
    for day in days {
        let seen = (0..32_u8).flat_map(|host| {
            let version = if host == 7 { day / 10 } else { 0 };
            [22_u16, 80]
                .map(|port| sighting(&format!("192.0.2.{host}"), port, day * 86_400, &format!("ssh S {version}")))
        });
        lake.append(with_state(batch(seen), &format!("day {day}"))).unwrap();
    }
}

#[test]
fn equal_observations_become_one_row_and_files_become_few() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    survey(&lake, 0..40);
    let (before, told) = (lake.status().unwrap(), (services(&lake), history(&lake)));
    let compacted = compact(&lake, 20);
    let after = lake.status().unwrap();
    assert_eq!(compacted.files_before, before.sightings.files + before.evidence.files + before.facts.files);
    assert_eq!(after.sightings.rows, before.sightings.rows, "observations");
    assert_eq!((before.sightings.rows, after.sightings.files), (40 * 64, 4), "cut by address, at some 20 rows");
    let (evidence, facts) = (after.evidence.rows, after.facts.rows);
    assert_eq!(compacted.rows_after - evidence - facts, 62 + 2 * 4, "host 7 changed three times");
    assert!(compacted.bytes_after * 4 < compacted.bytes_before, "{compacted:?}");
    assert_eq!((services(&lake), history(&lake)), told);
    assert_eq!(lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state, "day 39");
    let again = compact(&lake, 20);
    assert_eq!(
        (again.files_before, again.bytes_before),
        (again.files_after, again.bytes_after),
        "nothing is left to do"
    );
    survey(&lake, 38..42);
    assert_eq!(lake.status().unwrap().sightings.rows, 42 * 64, "what was told again is known");
}

#[test]
fn who_reads_goes_on_reading_until_the_grace_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    survey(&lake, 0..3);
    let reader = crate::support::open_reader(dir.path()).unwrap();
    let files = || count_files(&dir.path().join("tables/sightings"));
    let told = history(&reader);
    compact(&lake, 1_000);
    assert_eq!(files(), 4, "the old ones stand beside the new one");
    assert_eq!(history(&reader), told);
    survey(&lake, 3..4);
    let mut options = all(1_000);
    options.grace = Duration::ZERO;
    drop(lake);
    // Another moment than that of the first merge, so that its files stopped counting before it.
    let mut later = crate::support::options(dir.path(), false);
    later.clock = std::sync::Arc::new(hinomi_model::time::FixedClock(crate::support::at(1_003_600)));
    let lake = Lake::open(later).unwrap();
    lake.compact(&options, &mut |_, _| {}).unwrap();
    assert_eq!(files(), 3, "those that this merge replaced, and the new one");
    assert_eq!(history(&reader), history(&lake));
}

#[test]
fn it_goes_on_beside_appends_and_readers() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    survey(&lake, 0..2);
    std::thread::scope(|scope| {
        let merging = scope.spawn(|| (0..12).map(|_| compact(&lake, 30).files_after).sum::<u64>());
        let reading = scope.spawn(|| (0..12).for_each(|_| assert!(history(&lake).len() >= 128)));
        survey(&lake, 2..20);
        assert!(merging.join().unwrap() > 0);
        reading.join().unwrap();
    });
    while lake.compact_if_due().unwrap().is_some() {}
    let status = lake.status().unwrap();
    assert_eq!((status.sightings.rows, status.behind), (20 * 64, 0));
    let told = services(&lake);
    lake.rebuild_index().unwrap();
    assert_eq!(services(&lake), told);
}

#[test]
fn appending_and_merging_when_due_keeps_files_few() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for day in 0..60 {
        survey(&lake, day..day + 1);
        lake.compact_if_due().unwrap();
    }
    let status = lake.status().unwrap();
    assert_eq!(status.sightings.rows, 60 * 64);
    assert!(status.sightings.files < 20, "{}", status.sightings.files);
    assert_eq!(lake.compact_if_due().unwrap(), None);
}

fn count_files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "parquet")).count()
}
