//! The way back: a new state folder from a backup, without what was erased since.
//!
//! The folder is filled beside its final name and gets that name when every byte has been compared, so that a restore
//! that was interrupted leaves nothing that looks whole; in a bucket what each log begins with comes last ([`store`]).
//! Until all is done it is a lake that stands alone: the settings that make it one server of several ([`SETTINGS`]) come
//! after that. At a hundred times the data: see [`super`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinomi_model::Clock;
use serde::Serialize;

use super::manifest::{Kept, Manifest, manifests, path_of};
use super::{ERASED, OBJECTS, store};
use crate::durable;
use crate::error::LakeError;
use crate::table::store::Root;

/// The settings that name other servers and their database.
const SETTINGS: &str = "state.toml";

/// What a restore came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Which backup.
    pub number: u64,
    /// When it was taken.
    pub time: hinomi_model::Timestamp,
    /// Files in it.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Lists of what was erased since, which were brought along.
    pub erasures: u64,
}

/// Makes a state folder from a backup: the newest one, or that of a number. The folder must not be there, or be empty;
/// or it holds nothing but the settings of an object store, in which there must be no tables: then they are put there.
/// `finish` is called with the filled folder, before it gets its name or, with a bucket, in its place: it takes out what
/// was erased, and builds the index.
///
/// # Errors
/// When folder or bucket hold something, a byte of the backup is not what it was, or something cannot be written.
pub fn restore(
    backup: &Path,
    number: Option<u64>,
    state: &Path,
    clock: &Arc<dyn Clock>,
    progress: &mut dyn FnMut(u64, u64),
    finish: &mut dyn FnMut(&Path) -> Result<(), LakeError>,
) -> Result<Restored, LakeError> {
    let standing = manifests(backup)?;
    let Some(wanted) = number.or_else(|| standing.last().copied()).filter(|wanted| standing.contains(wanted)) else {
        let detail = format!("{} holds no such backup, of {} in all", backup.display(), standing.len());
        return Err(LakeError::Unfit { detail });
    };
    let manifest = Manifest::read(&path_of(backup, wanted))?;
    let (bytes, erasures) = match store::is_remote(state) {
        true => {
            let root = store::open_empty(state, &manifest, clock)?;
            let bytes = fill(backup, &manifest, state, Some(&root), progress)?;
            drop(root);
            let erasures = bring_erasures(backup, state)?;
            finish(state)?;
            bring_settings(backup, &manifest, state)?;
            (bytes, erasures)
        }
        false => into_folder(backup, &manifest, state, progress, finish)?,
    };
    let files = manifest.files.len() as u64;
    Ok(Restored { number: wanted, time: manifest.time, files, bytes, erasures })
}

fn into_folder(
    backup: &Path,
    manifest: &Manifest,
    state: &Path,
    progress: &mut dyn FnMut(u64, u64),
    finish: &mut dyn FnMut(&Path) -> Result<(), LakeError>,
) -> Result<(u64, u64), LakeError> {
    if fs::read_dir(state).is_ok_and(|mut entries| entries.next().is_some()) {
        let detail =
            format!("{} is not empty; restore into a new folder, and move it when it is right", state.display());
        return Err(LakeError::Unfit { detail });
    }
    let draft = draft_of(state);
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(LakeError::io("removing", &draft))?;
    }
    let bytes = fill(backup, manifest, &draft, None, progress)?;
    let erasures = bring_erasures(backup, &draft)?;
    finish(&draft)?;
    bring_settings(backup, manifest, &draft)?;
    if state.exists() {
        fs::remove_dir(state).map_err(LakeError::io("removing", state))?;
    }
    fs::rename(&draft, state).map_err(LakeError::io("renaming", &draft))?;
    Ok((bytes, erasures))
}

fn draft_of(state: &Path) -> PathBuf {
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    state.with_file_name(name)
}

fn fill(
    backup: &Path,
    manifest: &Manifest,
    draft: &Path,
    root: Option<&Root>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, LakeError> {
    let (mut bytes, total) = (0, manifest.files.len() as u64);
    for (done, kept) in (1..).zip(store::in_order(&manifest.files)) {
        if kept.path != SETTINGS {
            bring(backup, kept, draft, root)?;
        }
        bytes += kept.bytes;
        progress(done, total);
    }
    Ok(bytes)
}

/// Brings one file back, and compares it.
fn bring(backup: &Path, kept: &Kept, draft: &Path, root: Option<&Root>) -> Result<(), LakeError> {
    let from = backup.join(OBJECTS).join(kept.hash.to_string());
    let told = match (root, kept.path.strip_prefix("tables/")) {
        (Some(root), Some(object)) => store::put(root, &from, object, kept)?,
        _ => {
            let to = draft.join(&kept.path);
            let folder = to.parent().unwrap_or(draft);
            fs::create_dir_all(folder).map_err(LakeError::io("creating", folder))?;
            durable::copy(&from, &to, kept.private)?
        }
    };
    if told == (kept.hash, kept.bytes) {
        return Ok(());
    }
    let detail = format!("its bytes are not those of {} that were backed up", kept.path);
    Err(LakeError::damaged(from.display().to_string(), &detail))
}

/// The settings last: whoever opened the folder before would have asked other servers for the right to write.
fn bring_settings(backup: &Path, manifest: &Manifest, draft: &Path) -> Result<(), LakeError> {
    manifest.files.iter().filter(|kept| kept.path == SETTINGS).try_for_each(|kept| bring(backup, kept, draft, None))
}

/// The lists of what was erased after this backup was taken.
fn bring_erasures(backup: &Path, draft: &Path) -> Result<u64, LakeError> {
    let folder = backup.join(ERASED);
    let entries = durable::entries(&folder)?;
    let into = draft.join(crate::erase::FOLDER);
    fs::create_dir_all(&into).map_err(LakeError::io("creating", &into))?;
    let mut count = 0;
    for path in entries {
        let name = path.file_name().unwrap_or_default();
        if !name.to_string_lossy().ends_with(crate::erase::LIST) {
            continue;
        }
        // A list that is damaged here may be whole in the backup itself.
        let whole = crate::erase::List::read_if_there(&path);
        match whole.and_then(|_| durable::replace(&path, &into.join(name))) {
            Ok(()) => count += 1,
            Err(_) if matches!(crate::erase::List::read_if_there(&into.join(name)), Ok(Some(_))) => count += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
