//! What was done and decided, in a log that can be checked offline.
//!
//! One line of JSON an entry; each names the hash of the line before it, and all are leaves of a Merkle tree with
//! SHA-256 (RFC 9162), so that a [`Checkpoint`] somebody noted down months ago proves that nothing before it was
//! changed. Every append is on disk when it returns. A line that a crash tore is cut off at the next opening, which is
//! an entry itself.
//!
//! The ledger holds no address: [`Words`] refuses texts in which one stands.

pub mod event;
mod file;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use hinomi_model::Timestamp;
use hinomi_model::merkle::{Digest, Tree, TreeHash, leaf};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

pub use event::{Event, NotWords, Words};

use crate::error::FlowError;

/// First line of a checkpoint: what kind of log this is.
pub const ORIGIN: &str = "hinomi-flow-ledger-1";

/// SHA-256, as RFC 9162 has it.
#[derive(Clone, Copy, Debug)]
pub struct Sha256;

impl TreeHash for Sha256 {
    fn hash(parts: &[&[u8]]) -> Digest {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().first_chunk::<32>().copied().unwrap_or_default()
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 0.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// Leaf hash of the line before, in hex; empty in the first.
    pub previous: String,
    /// What happened.
    pub event: Event,
}

/// How long the log was and what its root was: enough to prove later that it only grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// Three lines: origin, size, root in base64 (the body of a C2SP tlog-checkpoint).
    pub fn to_text(&self) -> String {
        format!("{ORIGIN}\n{}\n{}\n", self.size, BASE64.encode(&self.root))
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != ORIGIN {
            return None;
        }
        let size = lines.next()?.parse().ok()?;
        let root = BASE64.decode(lines.next()?.as_bytes()).ok()?;
        Some(Self { size, root: root.try_into().ok()? })
    }
}

/// The open log. One process at a time: the file is locked.
pub struct Ledger {
    path: PathBuf,
    file: File,
    whole_bytes: u64,
    tree: Tree<Sha256>,
}

impl Ledger {
    /// Opens or begins a log, checks all of it, and mends a torn end.
    ///
    /// # Errors
    /// When the file cannot be opened, is open elsewhere, or does not prove what it says.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, FlowError> {
        let file = file::open(path)?;
        let read = file::read(path)?;
        let mut ledger = Self { path: path.to_path_buf(), file, whole_bytes: read.whole_bytes, tree: read.tree };
        if read.torn_bytes > 0 {
            file::cut(path, &ledger.file, read.whole_bytes)?;
            ledger.append(now, Event::Mended { torn_bytes: read.torn_bytes })?;
        }
        Ok(ledger)
    }

    /// Adds an entry; it is on disk when this returns. Tells its number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, time: Timestamp, event: Event) -> Result<u64, FlowError> {
        let number = self.tree.size();
        let previous = number.checked_sub(1).and_then(|last| self.tree.leaf(last));
        let previous = previous.map_or_else(String::new, |hash| HEXLOWER.encode(&hash));
        let entry = Entry { number, time, previous, event };
        let mut line = serde_json::to_vec(&entry)
            .map_err(|error| FlowError::file(&self.path)(std::io::Error::other(error.to_string())))?;
        let hash = leaf::<Sha256>(&line);
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            // Half a line must not stand before the next one; if this fails too, the next opening mends it.
            let _ = self.file.set_len(self.whole_bytes);
            return Err(FlowError::file(&self.path)(error));
        }
        self.whole_bytes += line.len() as u64;
        self.tree.push(hash);
        Ok(number)
    }

    /// What to note down elsewhere.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { size: self.tree.size(), root: self.tree.root() }
    }

    /// The tree, for proofs.
    pub const fn tree(&self) -> &Tree<Sha256> {
        &self.tree
    }
}

/// What the verification of a file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its present state.
    pub checkpoint: Checkpoint,
    /// Bytes of an unfinished last line.
    pub torn_bytes: u64,
}

/// Checks a log without opening it for writing: numbers, chain, and that it continues every checkpoint given.
///
/// # Errors
/// When something does not hold, with the entry at which it was seen.
pub fn verify(path: &Path, noted: &[Checkpoint]) -> Result<Verified, FlowError> {
    let read = file::read(path)?;
    for checkpoint in noted {
        if read.tree.root_at(checkpoint.size) != Some(checkpoint.root) {
            let reason = format!("it does not continue the checkpoint of {} entries", checkpoint.size);
            return Err(FlowError::Ledger { path: path.to_path_buf(), entry: checkpoint.size, reason });
        }
    }
    let checkpoint = Checkpoint { size: read.tree.size(), root: read.tree.root() };
    Ok(Verified { checkpoint, torn_bytes: read.torn_bytes })
}

/// The entries of a log, oldest first, after it was checked.
///
/// # Errors
/// When something does not hold.
pub fn entries(path: &Path) -> Result<Vec<Entry>, FlowError> {
    file::read(path).map(|read| read.entries)
}

#[cfg(test)]
mod tests;
