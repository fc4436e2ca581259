//! One writer a state folder.
//!
//! The lock is the operating system's, on `<state>/lock`: it goes when the process goes, however it ends, so a killed
//! writer leaves nothing to clean up. The file holds the process id for people to read; nothing depends on it.
//! At a hundred times the data nothing changes here.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::LakeError;

/// The most bytes of the lock file that are read to name its holder.
const MAX_HOLDER_BYTES: u64 = 32;

/// Held while this process may write.
#[derive(Debug)]
pub(crate) struct WriteLock {
    _file: File,
}

impl WriteLock {
    /// Takes the lock of this state folder.
    pub(crate) fn take(folder: &Path) -> Result<Self, LakeError> {
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(LakeError::io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refusal(folder, &mut file)),
            Err(TryLockError::Error(source)) => return Err(LakeError::io("locking", &path)(source)),
        }
        write_holder(&mut file).map_err(LakeError::io("writing", &path))?;
        Ok(Self { _file: file })
    }
}

fn refusal(folder: &Path, file: &mut File) -> LakeError {
    let mut text = String::new();
    // Some systems lock the bytes too: then the holder stays unknown, and the refusal stands.
    let read = file.take(MAX_HOLDER_BYTES).read_to_string(&mut text);
    let known = read.is_ok() && !text.trim().is_empty() && text.trim().chars().all(|c| c.is_ascii_digit());
    let holder = if known { text.trim().to_owned() } else { "unknown".to_owned() };
    LakeError::Locked { folder: folder.display().to_string(), holder }
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_when_the_first_goes() {
        let folder = tempfile::tempdir().unwrap();
        let first = WriteLock::take(folder.path()).unwrap();
        let Err(LakeError::Locked { holder, .. }) = WriteLock::take(folder.path()) else { panic!("two writers") };
        assert_eq!(holder, std::process::id().to_string());
        drop(first);
        WriteLock::take(folder.path()).unwrap();
    }
}
