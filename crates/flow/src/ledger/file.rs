//! The ledger's file: opening, checking, mending.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use data_encoding::HEXLOWER;
use hinomi_model::merkle::{Tree, leaf};

use super::{Entry, Sha256};
use crate::error::FlowError;

/// Longest line, in bytes.
const MAX_LINE_BYTES: u64 = 65_536;

/// What a file holds.
pub(super) struct ReadFile {
    pub(super) tree: Tree<Sha256>,
    pub(super) entries: Vec<Entry>,
    pub(super) whole_bytes: u64,
    pub(super) torn_bytes: u64,
}

/// Opens the file for appending, alone; a new one is known to its folder when this returns.
pub(super) fn open(path: &Path) -> Result<File, FlowError> {
    let is_new = !path.exists();
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(FlowError::file(path))?;
    file.try_lock().map_err(|_| {
        let reason = io::Error::other("another process has this ledger open; stop it first");
        FlowError::file(path)(reason)
    })?;
    if let (true, Some(folder)) = (is_new, path.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(FlowError::file(path))?;
    }
    Ok(file)
}

/// Cuts the file to its whole lines.
pub(super) fn cut(path: &Path, file: &File, whole_bytes: u64) -> Result<(), FlowError> {
    file.set_len(whole_bytes).and_then(|()| file.sync_all()).map_err(FlowError::file(path))
}

/// Reads and checks every line. A last line without its end is torn; anything else that is wrong is an error.
pub(super) fn read(path: &Path) -> Result<ReadFile, FlowError> {
    let mut reader = BufReader::new(File::open(path).map_err(FlowError::file(path))?);
    let mut found = ReadFile { tree: Tree::default(), entries: Vec::new(), whole_bytes: 0, torn_bytes: 0 };
    let mut previous = String::new();
    loop {
        let mut line = Vec::new();
        let length =
            reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(FlowError::file(path))?;
        if length == 0 {
            return Ok(found);
        }
        let number = found.tree.size();
        let broken = |reason: &str| FlowError::Ledger { path: path.into(), entry: number, reason: reason.to_owned() };
        let Some(body) = line.strip_suffix(b"\n") else {
            let at_end = reader.fill_buf().map_err(FlowError::file(path))?.is_empty();
            found.torn_bytes = length as u64;
            return if at_end { Ok(found) } else { Err(broken("the line is too long")) };
        };
        let entry: Entry = serde_json::from_slice(body).map_err(|error| broken(&format!("not an entry: {error}")))?;
        if entry.number != number {
            return Err(broken("its number is not the next one"));
        }
        if entry.previous != previous {
            return Err(broken("it does not follow the line before it"));
        }
        let hash = leaf::<Sha256>(body);
        previous = HEXLOWER.encode(&hash);
        found.tree.push(hash);
        found.entries.push(entry);
        found.whole_bytes += length as u64;
    }
}
