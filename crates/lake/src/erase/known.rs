//! The folders of backups that are known: lists of what was erased are brought there at once, when they can be reached.
//!
//! `lake/backups.json` is a list of folders. One that cannot be reached now gets the lists with the next backup into
//! it. At a hundred times the data nothing changes here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::list::List;
use super::{FOLDER, LIST};
use crate::backup::ERASED;
use crate::durable;
use crate::error::LakeError;

/// The most bytes of the list of folders.
const MAX_BYTES: u64 = 1 << 20;

/// The folders that are known.
pub(crate) fn known(state: &Path) -> Result<BTreeSet<PathBuf>, LakeError> {
    let path = state.join("lake/backups.json");
    let Some(bytes) = durable::read(&path, MAX_BYTES)? else { return Ok(BTreeSet::new()) };
    serde_json::from_slice(&bytes).map_err(|error| LakeError::damaged(path.display().to_string(), &error))
}

/// Remembers a folder of backups, and brings the lists there.
///
/// # Errors
/// When the state folder or the backup cannot be written.
pub(crate) fn known_backup(state: &Path, backup: &Path) -> Result<(), LakeError> {
    let folder = fs::canonicalize(backup).map_err(LakeError::io("looking for", backup))?;
    let mut folders = known(state)?;
    if folders.insert(folder.clone()) {
        let lake = state.join("lake");
        fs::create_dir_all(&lake).map_err(LakeError::io("creating", &lake))?;
        let text = serde_json::to_vec(&folders).map_err(|error| LakeError::damaged("folders of backups", &error))?;
        durable::write(&lake.join("backups.json"), &text)?;
    }
    let lists = lists_of(state)?;
    // Looked at after the lists: a list that no mark names now belongs to a deletion that happened, or is gone again.
    let under_way = super::marked(state)?;
    bring_to(lists.into_iter().filter(|list| under_way.as_deref() != stem_of(list)), &folder)
}

/// Brings the lists to every folder that can be reached.
pub(super) fn bring(state: &Path) -> Result<(), LakeError> {
    let lists = lists_of(state)?;
    for folder in known(state)? {
        if let Err(error) = bring_to(lists.iter().cloned(), &folder) {
            tracing::warn!(folder = %folder.display(), %error, "these backups do not know yet what was erased");
        }
    }
    Ok(())
}

fn stem_of(list: &Path) -> Option<&str> {
    list.file_name()?.to_str()?.strip_suffix(LIST)
}

fn lists_of(state: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let mut lists = durable::entries(&state.join(FOLDER))?;
    lists.retain(|path| stem_of(path).is_some());
    Ok(lists)
}

/// What stands there already and differs was torn, and is replaced.
fn bring_to(lists: impl Iterator<Item = PathBuf>, backup: &Path) -> Result<(), LakeError> {
    // A folder that is not there is another disk that is not mounted: nothing is made in its place.
    fs::metadata(backup).map_err(LakeError::io("looking at", backup))?;
    let into = backup.join(ERASED);
    fs::create_dir_all(&into).map_err(LakeError::io("creating", &into))?;
    for path in lists {
        // Taken back meanwhile: that deletion did not happen.
        let Some(list) = List::read_if_there(&path)? else { continue };
        durable::replace(&path, &into.join(format!("{}{LIST}", list.name())))?;
    }
    durable::sync_folder(&into)
}
