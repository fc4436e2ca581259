//! Backups, restores and checks beside deletions, damage, links and one another.

use std::fs;
use std::path::Path;

use hinomi_lake::LakeError;
use hinomi_lake::backup::{self, manifests};
use hinomi_lake::check::{Shelf, check};
use hinomi_lake::retain::{Hold, range};
use hinomi_model::Sink;

use crate::keep::{back_up, damaged, erase, fill, look, restore};
use crate::support::{batch, clock, now, open, services, sighting};

fn try_back_up(state: &Path, to: &Path, copy: bool) -> Result<backup::Taken, LakeError> {
    backup::take(state, to, backup::Options { copy, ..backup::Options::default() }, &clock(), &mut |_| {})
}

fn first_file(table: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(table).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "parquet")).min().unwrap()
}

#[test]
fn a_torn_list_of_what_was_erased_is_put_right_and_never_brought_along() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = open(dir.path());
    fill(&lake);
    back_up(dir.path(), to.path());
    erase(&lake, "192.0.2.1");
    let list = fs::read_dir(to.path().join("erased")).unwrap().next().unwrap().unwrap().path();
    let right = fs::read(&list).unwrap();
    fs::write(&list, &right[..right.len() / 2]).unwrap();
    // Nothing comes back without the list.
    let state = back.path().join("one");
    assert!(restore(to.path(), None, &state).is_err() && !state.exists());
    // The next backup has a whole list of its own, and puts the torn one right.
    back_up(dir.path(), to.path());
    assert_eq!(fs::read(&list).unwrap(), right);
    fs::write(&list, &right[..right.len() / 2]).unwrap();
    restore(to.path(), Some(2), &state).unwrap();
    fs::write(&list, &right).unwrap();
    let again = back.path().join("two");
    restore(to.path(), Some(1), &again).unwrap();
    for state in [state, again] {
        assert_eq!(services(&open(&state)).len(), 19);
    }
}

#[test]
fn no_backup_is_taken_of_half_a_deletion() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = open(dir.path());
    fill(&lake);
    drop(lake);
    // A deletion that was killed before its commit: mark and list stand, the rows too.
    let other = tempfile::tempdir().unwrap();
    let erased = open(other.path());
    fill(&erased);
    erase(&erased, "192.0.2.1");
    let list = fs::read_dir(other.path().join("lake/erased")).unwrap().next().unwrap().unwrap().path();
    let name = list.file_stem().unwrap().to_str().unwrap().to_owned();
    fs::create_dir_all(dir.path().join("lake/erased")).unwrap();
    fs::copy(&list, dir.path().join("lake/erased").join(list.file_name().unwrap())).unwrap();
    let digest = hinomi_model::ContentHash::of(b"");
    let order = r#"{"kind":"erase","reason":"r","by":"b"}"#;
    let mark = format!(r#"{{"name":"{name}","order":{order},"sightings":3,"digest":"{digest}"}}"#);
    fs::write(dir.path().join("lake/erasing.json"), mark).unwrap();
    let error = try_back_up(dir.path(), to.path(), false).unwrap_err().to_string();
    assert!(error.contains("deletion"), "{error}");
    assert!(!to.path().join("erased").exists(), "the list of a deletion that did not happen was brought");
    // The next start takes the deletion back.
    drop(open(dir.path()));
    back_up(dir.path(), to.path());
    let state = back.path().join("state");
    restore(to.path(), None, &state).unwrap();
    assert_eq!(services(&open(&state)).len(), 20);
}

#[test]
fn a_hold_in_a_backup_brings_nothing_back() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = open(dir.path());
    fill(&lake);
    let prefix = Some(range("192.0.2.0/30").unwrap());
    let (reason, by) = ("a court asked".to_owned(), "test".to_owned());
    let hold =
        Hold { name: "case-7".to_owned(), prefix, campaign: None, from: None, until: None, reason, by, since: now() };
    lake.hold(hold).unwrap();
    back_up(dir.path(), to.path());
    lake.release("case-7", "the case is closed", "test").unwrap();
    assert_eq!(erase(&lake, "192.0.2.0/30").sightings, 12);
    let state = back.path().join("state");
    restore(to.path(), None, &state).unwrap();
    assert_eq!(services(&open(&state)).len(), 16);
}

#[test]
fn a_damaged_data_file_is_not_taken_for_whole() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(dir.path()));
    let one = first_file(&dir.path().join("tables/evidence"));
    let right = fs::read(&one).unwrap();
    let mut changed = right.clone();
    changed[right.len() / 2] ^= 1;
    for wrong in [&right[..right.len() - 9], &changed] {
        fs::write(&one, wrong).unwrap();
        let error = try_back_up(dir.path(), to.path(), false).unwrap_err().to_string();
        assert!(error.contains(one.file_name().unwrap().to_str().unwrap()), "{error}");
        assert!(manifests(to.path()).unwrap().is_empty());
    }
    fs::write(&one, &right).unwrap();
    back_up(dir.path(), to.path());
}

#[test]
fn only_one_backup_at_a_time_goes_into_a_folder() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(dir.path()));
    let mut inner = None;
    let mut during = |_| {
        inner.get_or_insert_with(|| try_back_up(dir.path(), to.path(), false).unwrap_err().to_string());
    };
    backup::take(dir.path(), to.path(), backup::Options::default(), &clock(), &mut during).unwrap();
    assert!(inner.unwrap().contains("under way"));
    assert_eq!(manifests(to.path()).unwrap(), [1]);
    back_up(dir.path(), to.path());
}

#[cfg(unix)]
#[test]
fn copies_replace_hard_links_when_copies_are_wanted() {
    use std::os::unix::fs::MetadataExt;
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(dir.path()));
    let links = || {
        let objects = fs::read_dir(to.path().join("objects")).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        objects.filter(|data| data.nlink() > 1).count()
    };
    let linked = back_up(dir.path(), to.path()).linked;
    assert!(linked > 0 && links() > 0);
    let copied = try_back_up(dir.path(), to.path(), true).unwrap();
    assert_eq!((links(), copied.new_files, copied.linked), (0, linked, 0));
    assert_eq!(try_back_up(dir.path(), to.path(), true).unwrap().new_files, 0);
}

#[cfg(unix)]
#[test]
fn links_in_the_state_folder_are_followed_or_named() {
    use std::os::unix::fs::symlink;
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let elsewhere = tempfile::tempdir().unwrap();
    fill(&open(dir.path()));
    fs::write(elsewhere.path().join("trust.txt"), "a key\n").unwrap();
    symlink(elsewhere.path(), dir.path().join("keys")).unwrap();
    symlink(elsewhere.path().join("trust.txt"), dir.path().join("trust.txt")).unwrap();
    back_up(dir.path(), to.path());
    let state = back.path().join("state");
    restore(to.path(), None, &state).unwrap();
    for inside in ["trust.txt", "keys/trust.txt"] {
        assert_eq!(fs::read_to_string(state.join(inside)).unwrap(), "a key\n");
    }
    symlink("nowhere", dir.path().join("lost")).unwrap();
    assert!(try_back_up(dir.path(), to.path(), false).unwrap_err().to_string().contains("lost"));
    fs::remove_file(dir.path().join("lost")).unwrap();
    symlink(dir.path(), dir.path().join("round")).unwrap();
    assert!(try_back_up(dir.path(), to.path(), false).unwrap_err().to_string().contains("round"));
    assert_eq!(manifests(to.path()).unwrap(), [1]);
}

#[test]
fn a_lake_of_which_everything_was_erased_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    fill(&lake);
    assert_eq!(erase(&lake, "192.0.2.0/24").sightings, 60);
    drop(lake);
    assert!(damaged(dir.path()).is_empty(), "{:?}", look(dir.path()));
    drop(open(dir.path()));
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert!(damaged(dir.path()).is_empty(), "{:?}", look(dir.path()));
}

#[test]
fn a_check_that_an_erase_or_a_writer_overtakes_tells_of_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    fill(&lake);
    let mut looks = 0;
    let told = check(dir.path(), true, &clock(), &mut |_, _| {
        looks += 1;
        if looks == 1 {
            // Its files of all tables go, and the index sees newer versions.
            erase(&lake, "192.0.2.1");
            lake.append(batch([sighting("198.51.100.1", 22, 9, "ssh S new")])).unwrap();
        }
    });
    let told = told.unwrap();
    assert!(told.iter().all(Shelf::is_whole), "{told:?}");
    assert_eq!(told[0].rows, 58, "what stands after the deletion was looked at");
    let mut looks = 0;
    let beside_writer = check(dir.path(), true, &clock(), &mut |_, _| {
        looks += 1;
        if looks == 1 {
            lake.append(batch([sighting("198.51.100.2", 22, 9, "ssh S newer")])).unwrap();
        }
    });
    let told = beside_writer.unwrap();
    assert!(told.iter().all(Shelf::is_whole), "{told:?}");
}

#[test]
fn what_an_earlier_backup_brought_is_put_right_when_it_is_read_again() {
    let (dir, to, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(dir.path()));
    assert!(try_back_up(dir.path(), to.path(), true).unwrap().linked == 0);
    let mut objects: Vec<_> = fs::read_dir(to.path().join("objects")).unwrap().map(|one| one.unwrap().path()).collect();
    objects.sort();
    let mut wrong = fs::read(&objects[0]).unwrap();
    wrong[0] ^= 1;
    fs::write(&objects[0], &wrong).unwrap();
    let options = backup::Options { copy: true, verify: true, ..backup::Options::default() };
    assert_eq!(backup::take(dir.path(), to.path(), options, &clock(), &mut |_| {}).unwrap().new_files, 1);
    let state = back.path().join("state");
    restore(to.path(), Some(1), &state).unwrap();
    assert_eq!(services(&open(&state)).len(), 20);
}
