//! Files are merged while somebody appends, by nobody's command.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hinomi_lake::{CompactOptions, Compactor, Lake};
use hinomi_model::Sink;

use crate::support::{batch, now, open, open_reader, services, sighting};

/// A day of the same survey.
fn survey(lake: &Lake, day: i64) {
    let seen = (0..16_u8).map(|host| sighting(&format!("192.0.2.{host}"), 22, day * 86_400, "ssh S 1"));
    lake.append(batch(seen)).unwrap();
}

/// Lets it look until nothing is due: on a machine with other work it may be cut short.
fn settle(lake: &Arc<Lake>) {
    let settled = (0..50).any(|_| {
        drop(Compactor::start(lake).unwrap());
        !lake.status().unwrap().compaction.due
    });
    assert!(settled, "it comes to no end");
}

#[test]
fn files_stay_few_without_a_command() {
    let (dir, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lake, other) = (Arc::new(open(dir.path())), open(plain.path()));
    let compactor = Compactor::start(&lake).unwrap();
    for day in 0..40 {
        survey(&lake, day);
        survey(&other, day);
    }
    drop(compactor);
    settle(&lake);
    let status = lake.status().unwrap();
    assert_eq!((status.sightings.rows, status.behind), (40 * 16, 0));
    assert!(status.sightings.files < 16, "{status:?}");
    assert_eq!(services(&lake), services(&other));
    let reader = open_reader(dir.path()).unwrap();
    let told = reader.status().unwrap().compaction;
    let last = told.last.clone().expect("another process is told of it");
    assert!(last.time == now() && last.did.files_after < last.did.files_before && told.failed.is_none(), "{told:?}");
    assert!(Compactor::start(&Arc::new(reader)).is_err(), "who only reads merges nothing");
}

#[test]
fn it_keeps_no_lake_open() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Arc::new(open(dir.path()));
    let compactor = Compactor::start(&lake).unwrap();
    survey(&lake, 0);
    drop((compactor, lake));
    survey(&open(dir.path()), 1);
}

#[test]
fn a_command_and_the_thread_do_not_cross() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Arc::new(open(dir.path()));
    let _compactor = Compactor::start(&lake).unwrap();
    for day in 0..30 {
        survey(&lake, day);
        if day % 7 == 0 {
            let mut options = CompactOptions::default();
            options.all = true;
            lake.compact(&options, &mut |_, _| {}).unwrap();
        }
    }
    assert_eq!(lake.status().unwrap().sightings.rows, 30 * 16);
    assert_eq!(lake.status().unwrap().compaction.failed, None);
}

#[test]
fn trouble_is_told_and_keeps_nothing_from_being_stored() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Arc::new(open(dir.path()));
    // Each at an address of its own, so that nothing of before is looked at.
    let append = |n: i64| lake.append(batch([sighting(&format!("198.51.100.{n}"), 22, n, "ssh S 1")])).unwrap();
    (0..8).for_each(|n| assert_eq!(append(n).sightings, 1));
    let (lost, bytes) = some_file(&dir.path().join("tables/sightings"));
    fs::remove_file(&lost).unwrap();
    let compactor = Compactor::start(&lake).unwrap();
    (8..12).for_each(|n| assert_eq!(append(n).sightings, 1));
    drop(compactor);
    let told = lake.status().unwrap();
    let failed = told.compaction.failed.expect("told");
    assert!(failed.time == now() && failed.reason.contains("parquet"), "{failed:?}");
    assert_eq!((told.sightings.rows, told.compaction.due), (12, true));
    fs::write(&lost, bytes).unwrap();
    settle(&lake);
    let told = lake.status().unwrap();
    assert!(told.compaction.failed.is_none() && told.compaction.last.is_some(), "{:?}", told.compaction);
    assert_eq!(told.sightings.rows, 12);
}

fn some_file(folder: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}
