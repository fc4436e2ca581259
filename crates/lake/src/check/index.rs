//! The index: whether it can be opened and says what the tables say.
//!
//! At a hundred times the data: see [`super`].

use std::path::Path;

use super::tables::Sample;
use super::{Shelf, ShelfName};
use crate::error::LakeError;
use crate::index::Index;
use crate::sightings::SIGHTINGS;
use crate::table::Table;
use crate::table::store::Root;

pub(super) fn check(dir: &Path, root: &Root, deep: bool, sightings: Option<&Shelf>, sample: &Sample) -> Shelf {
    let newest = sightings.and_then(|shelf| shelf.version);
    // Of nothing there need be no index: everything may have been erased.
    let is_needed = newest.is_some_and(|newest| newest > 0) && sightings.is_some_and(|shelf| shelf.files > 0);
    let mut shelf = Shelf::new(ShelfName::Index);
    let folder = dir.join("index");
    if !folder.exists() {
        if is_needed {
            shelf.note("index", "there is none", false);
        }
        return shelf;
    }
    if let Err(error) = look(&mut shelf, (dir, root), deep, (newest, is_needed), sample) {
        shelf.note("index", &error, false);
    }
    shelf
}

fn look(
    shelf: &mut Shelf,
    (dir, root): (&Path, &Root),
    deep: bool,
    (newest, is_needed): (Option<u64>, bool),
    sample: &Sample,
) -> Result<(), LakeError> {
    let index = Index::open(&dir.join("index"), true)?;
    (shelf.version, shelf.rows) = (index.shown(), index.count());
    if shelf.version.is_none() && is_needed {
        shelf.note("index", "no whole index stands here", false);
    }
    // A writer may have gone on since the tables were looked at: what stands now counts.
    let now = if shelf.version > newest { newest_of(root)? } else { newest };
    if shelf.version > now {
        let (shown, newest) = (shelf.version.unwrap_or(0), now.unwrap_or(0));
        let detail =
            format!("it has seen version {shown} of sightings, of which {newest} is the newest: commits are lost");
        shelf.note("index", &detail, false);
    }
    if !deep {
        return Ok(());
    }
    for (file, detail) in index.damages()? {
        shelf.note(file, &detail, false);
    }
    // Who looks while a writer goes on would compare two moments.
    if shelf.is_whole() && shelf.version == newest {
        compare(shelf, &index, sample)?;
    }
    Ok(())
}

fn newest_of(root: &Root) -> Result<Option<u64>, LakeError> {
    Ok(Table::open(root, &SIGHTINGS)?.version())
}

fn compare(shelf: &mut Shelf, index: &Index, sample: &Sample) -> Result<(), LakeError> {
    for (address, expected) in sample {
        let mut found: Vec<_> = index.services_of(*address, None)?.iter().map(|one| (one.key, one.last_seen)).collect();
        found.sort_unstable_by_key(|(key, _)| *key);
        let expected: Vec<_> = expected.iter().filter_map(|(key, last)| Some((*key, (*last)?))).collect();
        // A service that never answered has no state to compare.
        found.retain(|(key, _)| expected.iter().any(|(known, _)| known == key) || !sample_knows(sample, key));
        if found != expected {
            shelf.note("index", &format!("services of {address} are not those of the tables"), false);
        }
    }
    Ok(())
}

fn sample_knows(sample: &Sample, key: &hinomi_model::ServiceKey) -> bool {
    sample.get(&key.address).is_some_and(|services| services.contains_key(key))
}
