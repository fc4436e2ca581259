//! State folders that earlier versions wrote stay readable, searchable and writable.
//!
//! Each `tests/fixtures/state-v*` was made by the program of its time; the file beside it is what it exported then.

use std::fs;
use std::path::{Path, PathBuf};

use hinomi_lake::backup::restore;
use hinomi_lake::check::{Shelf, ShelfName, check, check_state};
use hinomi_lake::{Lake, LakeError, LakeOptions, Places};
use hinomi_model::{Service, Sink};

use crate::rebuild::copy_folder;
use crate::support::{batch, clock, options, services, sighting};

/// Every state folder with what it held.
fn fixtures() -> Vec<(PathBuf, Vec<Service>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let states =
        entries.filter(|path| path.is_dir() && path.file_name().unwrap().to_string_lossy().starts_with("state-"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(path.with_extension("jsonl")).unwrap();
        let held = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (path, held)
    };
    states.map(read).collect()
}

fn open(dir: &Path, read_only: bool) -> Lake {
    let options = LakeOptions { places: Places::default(), ..options(dir, read_only) };
    Lake::open(options).unwrap()
}

#[test]
fn state_folders_of_earlier_versions_live_on() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for (folder, held) in fixtures {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(&folder, dir.path());
        // An index of another version is told of and not taken for the truth; who writes builds it again.
        let read = Lake::open(LakeOptions { places: Places::default(), ..options(dir.path(), true) });
        match read {
            Ok(lake) => assert_eq!(services(&lake), held, "{} read", folder.display()),
            Err(error) => assert!(matches!(error, LakeError::OtherIndex), "{}: {error}", folder.display()),
        }
        drop(open(dir.path(), false));
        assert_eq!(services(&open(dir.path(), true)), held, "{} read", folder.display());
        fs::remove_dir_all(dir.path().join("index")).unwrap();
        let lake = open(dir.path(), false);
        assert_eq!(services(&lake), held, "{} opened for writing", folder.display());
        check_depth(&lake, &held);
        let rows = lake.status().unwrap().sightings.rows;
        let more = || batch([sighting("203.0.113.7", 22, 5, "ssh S 1")]);
        assert_eq!(lake.append(more()).unwrap().sightings, 1);
        assert_eq!(lake.append(more()).unwrap().repeated, 1);
        assert_eq!(lake.status().unwrap().sightings.rows, rows + 1);
        let (before, now) = (services(&lake), held.len() + 1);
        assert_eq!(before.len(), now);
        drop(lake);
        fs::remove_dir_all(dir.path().join("index")).unwrap();
        let lake = open(dir.path(), false);
        assert_eq!(services(&lake), before, "{} rebuilt", folder.display());
        assert!(lake.identify_again(&mut |_, _| {}).unwrap().total > 0);
        assert_eq!(services(&lake).len(), now);
    }
}

#[test]
fn backups_of_earlier_versions_come_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut count = 0;
    for (state, held) in fixtures() {
        let backup = folder.join(state.file_name().unwrap().to_str().unwrap().replace("state-", "backup-"));
        if !backup.exists() {
            continue;
        }
        count += 1;
        let back = tempfile::tempdir().unwrap();
        let restored = back.path().join("state");
        let mut finish = |dir: &Path| open(dir, false).erase_again("test").map(drop);
        restore(&backup, None, &restored, &clock(), &mut |_, _| {}, &mut finish).unwrap();
        let lake = open(&restored, false);
        assert_eq!(services(&lake), held, "{}", backup.display());
        check_depth(&lake, &held);
        // Events, holds, ledgers and lists of what was erased are those of their time.
        assert!(!lake.watch_book().queries().unwrap().is_empty() && lake.watch_book().newest().unwrap() > 0);
        let mut shelf = Shelf::new(ShelfName::State);
        check_state(&restored, &mut shelf).unwrap();
        assert!(shelf.is_whole() && shelf.files >= 4, "{shelf:?}");
        drop(lake);
        let told = check(&restored, true, &clock(), &mut |_, _| {}).unwrap();
        assert!(told.iter().all(Shelf::is_whole), "{told:?}");
    }
    assert!(count > 0);
}

/// History, evidence and the campaign's position are all there.
fn check_depth(lake: &Lake, held: &[Service]) {
    for service in held {
        let host = lake.host(service.key.address).unwrap();
        assert!(host.services.contains(service) && !host.history.is_empty());
        for reference in &service.evidence {
            // Reading checks that the bytes have their hash.
            assert_eq!(lake.evidence(&reference.hash).unwrap().unwrap().kind, reference.kind);
        }
    }
    let position = lake.checkpoint(&"fixture".parse().unwrap()).unwrap().unwrap();
    assert!(!position.state.is_empty());
}
