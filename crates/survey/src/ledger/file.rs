//! The ledger's file: locking, checking, mending.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use hinomi_model::merkle::leaf;

use super::{Entry, Known, Sha256};
use crate::error::SurveyError;

/// Longest line, in bytes: a tally of as many prefixes as a scope may have ranges.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// The file while no other process may append. Opened anew for every append, so that a log that was put in the place of
/// the one known is noticed.
pub(super) struct Locked {
    file: File,
}

/// Waits for the others to have appended, then keeps them waiting. A new file is known to its folder when this returns.
pub(super) fn lock(path: &Path) -> Result<Locked, SurveyError> {
    let is_new = !path.exists();
    let file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(SurveyError::file(path))?;
    file.lock().map_err(SurveyError::file(path))?;
    if let (true, Some(folder)) = (is_new, path.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(SurveyError::file(path))?;
    }
    Ok(Locked { file })
}

impl Locked {
    pub(super) const fn reader(&mut self) -> &mut File {
        &mut self.file
    }

    pub(super) const fn writer(&mut self) -> &mut impl Write {
        &mut self.file
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Cuts the file to its whole lines.
    pub(super) fn cut(&self, path: &Path, whole_bytes: u64) -> Result<(), SurveyError> {
        self.file.set_len(whole_bytes).and_then(|()| self.file.sync_all()).map_err(SurveyError::file(path))
    }
}

/// Reads and checks every line after those known. A last line without its end is torn, and its bytes are told; anything
/// else that is wrong is an error.
pub(super) fn read_on(
    path: &Path,
    file: &mut File,
    known: &mut Known,
    mut each: impl FnMut(Entry),
) -> Result<u64, SurveyError> {
    let broken = |entry: u64, reason: String| SurveyError::Ledger { path: path.into(), entry, reason };
    let length = file.seek(SeekFrom::End(0)).map_err(SurveyError::file(path))?;
    if length < known.whole_bytes {
        let reason = format!("the file was {} bytes long and has {length} now", known.whole_bytes);
        return Err(broken(known.tree.size(), reason));
    }
    file.seek(SeekFrom::Start(known.whole_bytes)).map_err(SurveyError::file(path))?;
    // What others append meanwhile (when this one holds no lock) is for the next reading.
    let mut reader = BufReader::new(file.take(length - known.whole_bytes));
    loop {
        let mut line = Vec::new();
        let most = MAX_LINE_BYTES as u64 + 1;
        let length = reader.by_ref().take(most).read_until(b'\n', &mut line).map_err(SurveyError::file(path))?;
        if length == 0 {
            return Ok(0);
        }
        let number = known.tree.size();
        let Some(body) = line.strip_suffix(b"\n") else {
            let at_end = reader.fill_buf().map_err(SurveyError::file(path))?.is_empty();
            return if at_end { Ok(length as u64) } else { Err(broken(number, "the line is too long".to_owned())) };
        };
        let entry: Entry =
            serde_json::from_slice(body).map_err(|error| broken(number, format!("not an entry: {error}")))?;
        if entry.number != number {
            return Err(broken(number, "its number is not the next one".to_owned()));
        }
        if entry.previous != known.last {
            return Err(broken(number, "it does not follow the line before it".to_owned()));
        }
        known.take(leaf::<Sha256>(body), length as u64, &entry).map_err(|reason| broken(number, reason))?;
        each(entry);
    }
}
