//! What is asked of single files of a state folder, and of the folder of backups.
//!
//! At a hundred times the data nothing changes here.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::LakeError;

/// Held while a backup is taken, in the folder of backups.
const LOCK: &str = "lock";

/// Two backups into one folder at once would take each other's number and drafts.
pub(super) fn alone(backup: &Path) -> Result<File, LakeError> {
    let path = backup.join(LOCK);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(LakeError::io("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let detail = format!("another backup into {} is under way; wait until it is done", backup.display());
            Err(LakeError::Unfit { detail })
        }
        Err(TryLockError::Error(source)) => Err(LakeError::io("locking", &path)(source)),
    }
}

/// Half a deletion would come back as none, or as one that never was.
pub(super) fn refuse_deletion(state: &Path) -> Result<(), LakeError> {
    if crate::erase::marked(state)?.is_none() {
        return Ok(());
    }
    let detail = "a deletion is under way here, or was interrupted; back up when it is done: the next command that \
                  writes finishes it, as hinomi identify";
    Err(LakeError::Unfit { detail: format!("{}: {detail}", state.display()) })
}

/// Whether a file never changes once it stands: checkpoints of a log may be written anew.
pub(super) fn is_data(inside: &str) -> bool {
    let name = inside.rsplit('/').next().unwrap_or_default();
    inside.starts_with("tables/") && !name.starts_with('_') && !name.contains(".checkpoint.")
}

pub(super) fn of_link(place: &Path, source: std::io::Error) -> LakeError {
    let is_link = fs::symlink_metadata(place).is_ok_and(|data| data.is_symlink());
    if !is_link {
        return LakeError::io("looking at", place)(source);
    }
    let detail = format!("{}: this link cannot be followed ({source}); remove it or put it right", place.display());
    LakeError::Unfit { detail }
}

#[cfg(unix)]
pub(super) fn is_linked(data: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(data) > 1
}

#[cfg(not(unix))]
pub(super) fn is_linked(_: &fs::Metadata) -> bool {
    // Not known here: copied once more.
    true
}

#[cfg(unix)]
pub(super) fn is_private(data: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    data.permissions().mode() & 0o077 == 0
}

#[cfg(not(unix))]
pub(super) fn is_private(_: &fs::Metadata) -> bool {
    false
}
