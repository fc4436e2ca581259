//! The checkpoint that a state folder signed last, in its file: whole or not at all, and never an older one over a newer.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::path::Path;

use super::KEY_FILE;

/// Puts a note there, unless the one that is there is of as many entries; `name` makes its draft its own.
pub(super) fn keep(path: &Path, note: &str, name: [u8; 16], size_of: impl Fn(&str) -> u64) -> Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // Whoever signs has the key, so that it is there to be locked, by threads and processes alike, until it is closed.
    let lock = File::open(folder.join(KEY_FILE))?;
    lock.lock()?;
    let before = match fs::read_to_string(path) {
        Ok(kept) => size_of(&kept),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if before > 0 && before >= size_of(note) {
        return Ok(());
    }
    let draft = path.with_extension(format!("checkpoint-{}", data_encoding::HEXLOWER.encode(&name)));
    let written = OpenOptions::new().write(true).create_new(true).open(&draft).and_then(|mut file| {
        file.write_all(note.as_bytes())?;
        file.sync_all()
    });
    let written = written.and_then(|()| fs::rename(&draft, path)).and_then(|()| sync_folder(folder));
    if written.is_err() {
        // What made it fail is told; the draft may not even be there.
        drop(fs::remove_file(&draft));
    }
    written
}

/// A new name in a folder is on disk when the folder is.
fn sync_folder(folder: &Path) -> Result<()> {
    // Windows opens no folders, and writes their entries by itself.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_one_stays_and_no_draft_is_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY_FILE), "").unwrap();
        let path = folder.path().join("ledger.checkpoint");
        let size_of = |note: &str| note.parse().unwrap();
        std::thread::scope(|scope| {
            for size in 1..=16_u8 {
                let path = &path;
                scope.spawn(move || keep(path, &size.to_string(), [size; 16], size_of).unwrap());
            }
        });
        keep(&path, "3", [0; 16], size_of).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "16");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
