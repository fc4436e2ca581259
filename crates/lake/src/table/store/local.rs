//! Objects as files of a folder.
//!
//! A file that is put if absent is written beside, synced, and linked to its name, which fails if the name is taken.
//! At a hundred times the data nothing changes here.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hinomi_model::Timestamp;

use super::{Input, Listed, Put, Store};
use crate::error::LakeError;

/// What a file that is being written ends with.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// A folder of objects.
#[derive(Debug)]
pub(crate) struct Local {
    folder: PathBuf,
}

impl Local {
    /// The objects of this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Store for Local {
    fn make_folder(&self, folder: &str) -> Result<(), LakeError> {
        let path = self.place(folder);
        fs::create_dir_all(&path).map_err(LakeError::io("creating", &path))
    }

    fn get(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, LakeError> {
        let path = self.place(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LakeError::io("opening", &path)(error)),
        };
        let mut bytes = Vec::new();
        let read = file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes);
        let read = read.map_err(LakeError::io("reading", &path))?;
        if u64::try_from(read).is_ok_and(|read| read > max_bytes) {
            return Err(LakeError::damaged(path.display().to_string(), &format!("more than {max_bytes} bytes")));
        }
        Ok(Some(bytes))
    }

    fn open(self: Arc<Self>, name: &str) -> Result<Input, LakeError> {
        let path = self.place(name);
        File::open(&path).map(Input::File).map_err(LakeError::io("opening", &path))
    }

    fn draft(&self, name: &str) -> PathBuf {
        self.place(name)
    }

    fn publish(&self, name: &str) -> Result<u64, LakeError> {
        let path = self.place(name);
        sync_folder(&path)?;
        Ok(fs::metadata(&path).map_err(LakeError::io("looking at", &path))?.len())
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, LakeError> {
        let path = self.place(name);
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{file_name}.{}{UNFINISHED}", std::process::id()));
        let linked = write_whole(&beside, bytes).and_then(|()| fs::hard_link(&beside, &path));
        // Whether it was linked or not: the name beside has served. If this fails too, the next writer sweeps it.
        let _ = fs::remove_file(&beside);
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Put::Taken),
            Err(error) => return Err(LakeError::io("committing", &path)(error)),
        }
        done_if_synced(&path, sync_folder(&path))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), LakeError> {
        let path = self.place(name);
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{file_name}.{}{UNFINISHED}", std::process::id()));
        let renamed = write_whole(&beside, bytes).and_then(|()| fs::rename(&beside, &path));
        if let Err(error) = renamed {
            // If this fails too, the next writer sweeps it.
            let _ = fs::remove_file(&beside);
            return Err(LakeError::io("writing", &path)(error));
        }
        sync_folder(&path)
    }

    fn list(&self, folder: &str, each: &mut dyn FnMut(Listed) -> Result<(), LakeError>) -> Result<(), LakeError> {
        let path = self.place(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(LakeError::io("listing", &path)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(LakeError::io("listing", &path))?;
            let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else { continue };
            let modified = entry.metadata().ok().and_then(|data| data.modified().ok()).and_then(timestamp);
            each(Listed { name, modified })?;
        }
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), LakeError> {
        let path = self.place(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(LakeError::io("removing", &path)(error)),
            _ => Ok(()),
        }
    }

    fn forget_versions(&self, _folder: &str, _only_look: bool) -> Result<u64, LakeError> {
        Ok(0)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn settled_after(&self) -> Duration {
        // Who sweeps holds the lock of the state folder: nobody else is writing.
        Duration::ZERO
    }
}

/// The name stands from the link on: when it cannot be made to last, nobody may act as if it did not stand.
fn done_if_synced(path: &Path, synced: Result<(), LakeError>) -> Result<Put, LakeError> {
    let unsure = |why: LakeError| LakeError::Unsure { what: path.display().to_string(), why: why.to_string() };
    synced.map(|()| Put::Done).map_err(unsure)
}

fn timestamp(time: std::time::SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?))
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a new name survive a power cut, where the platform can.
fn sync_folder(of: &Path) -> Result<(), LakeError> {
    let Some(folder) = of.parent().filter(|_| cfg!(unix)) else { return Ok(()) };
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(LakeError::io("syncing", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_may_not_last_is_neither_there_nor_absent() {
        let failed = || Err(LakeError::io("syncing", Path::new("/x"))(std::io::Error::other("no")));
        let path = Path::new("/x/1.json");
        assert_eq!(done_if_synced(path, Ok(())).unwrap(), Put::Done);
        assert!(matches!(done_if_synced(path, failed()), Err(LakeError::Unsure { .. })));
    }
}
