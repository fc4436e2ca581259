//! What was done and decided, in a log that can be checked offline.
//!
//! One line of JSON an entry; each names the hash of the line before it, and all are leaves of a Merkle tree with
//! SHA-256 (RFC 9162), so that a [`Checkpoint`] somebody noted down months ago proves that nothing before it was
//! changed. Every append is on disk when it returns. A line that a crash tore is cut off at the next append, which is
//! an entry itself.
//!
//! Several processes share one log (a collector, pages, the command line): the file is locked only while one appends,
//! and who appends first takes in what the others wrote since, checking that it continues what it knew.
//!
//! The ledger holds no address: [`Words`] refuses texts in which one stands.

pub mod event;
mod file;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use hinomi_model::Timestamp;
use hinomi_model::merkle::{Digest, Tree, TreeHash, leaf};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

pub use event::{AuditOutcome, Event, NotWords, Words};

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

/// Name of the log in the folder of the flow module.
pub const FILE_NAME: &str = "ledger.jsonl";

/// The log, as far as this process has read it. Locked only while it appends.
pub struct Ledger {
    path: PathBuf,
    known: Known,
}

/// Whole lines that were read and checked.
#[derive(Default)]
struct Known {
    tree: Tree<Sha256>,
    whole_bytes: u64,
    /// Leaf hash of the last line, in hex; empty before the first.
    last: String,
}

impl Ledger {
    /// Opens or begins a log, checks all of it, and mends a torn end.
    ///
    /// # Errors
    /// When the file cannot be opened, or does not prove what it says.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, FlowError> {
        let mut ledger = Self { path: path.to_path_buf(), known: Known::default() };
        let mut file = file::lock(path)?;
        ledger.catch_up(&mut file, now)?;
        Ok(ledger)
    }

    /// Adds an entry after what others wrote; it is on disk when this returns. Tells its number.
    ///
    /// # Errors
    /// When it cannot be written, or the file does not continue what was known of it.
    pub fn append(&mut self, time: Timestamp, event: Event) -> Result<u64, FlowError> {
        let mut file = file::lock(&self.path)?;
        self.catch_up(&mut file, time)?;
        self.write(&mut file, time, event)
    }

    /// Takes in what others wrote; cuts off what a crash tore and says so.
    fn catch_up(&mut self, file: &mut file::Locked, now: Timestamp) -> Result<(), FlowError> {
        let torn_bytes = file::read_on(&self.path, file.reader(), &mut self.known, |_| {})?;
        if torn_bytes > 0 {
            file.cut(&self.path, self.known.whole_bytes)?;
            self.write(file, now, Event::Mended { torn_bytes })?;
        }
        Ok(())
    }

    fn write(&mut self, file: &mut file::Locked, time: Timestamp, event: Event) -> Result<u64, FlowError> {
        let number = self.known.tree.size();
        let entry = Entry { number, time, previous: self.known.last.clone(), event };
        let mut line = serde_json::to_vec(&entry)
            .map_err(|error| FlowError::file(&self.path)(std::io::Error::other(error.to_string())))?;
        let hash = leaf::<Sha256>(&line);
        line.push(b'\n');
        if let Err(error) = file.writer().write_all(&line).and_then(|()| file.sync()) {
            // Half a line must not stand before the next one; if this fails too, the next append mends it.
            let _ = file.cut(&self.path, self.known.whole_bytes);
            return Err(FlowError::file(&self.path)(error));
        }
        self.known.take(hash, line.len() as u64);
        Ok(number)
    }

    /// What to note down elsewhere.
    pub fn checkpoint(&self) -> Checkpoint {
        self.known.checkpoint()
    }

    /// The tree, for proofs.
    pub const fn tree(&self) -> &Tree<Sha256> {
        &self.known.tree
    }
}

impl Known {
    fn take(&mut self, hash: Digest, line_bytes: u64) {
        self.tree.push(hash);
        self.last = HEXLOWER.encode(&hash);
        self.whole_bytes += line_bytes;
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { size: self.tree.size(), root: self.tree.root() }
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
    let (known, torn_bytes) = read(path, |_| {})?;
    for checkpoint in noted {
        if known.tree.root_at(checkpoint.size) != Some(checkpoint.root) {
            let reason = format!("it does not continue the checkpoint of {} entries", checkpoint.size);
            return Err(FlowError::Ledger { path: path.to_path_buf(), entry: checkpoint.size, reason });
        }
    }
    Ok(Verified { checkpoint: known.checkpoint(), torn_bytes })
}

/// The newest entries of a log, oldest first, at most so many, after all of it was checked.
///
/// # Errors
/// When something does not hold.
pub fn newest(path: &Path, most: usize) -> Result<Vec<Entry>, FlowError> {
    let mut entries = VecDeque::new();
    read(path, |entry| {
        if entries.len() >= most {
            entries.pop_front();
        }
        entries.push_back(entry);
    })?;
    entries.truncate(most);
    Ok(entries.into())
}

/// The entries of a log, oldest first, after it was checked.
///
/// # Errors
/// When something does not hold.
pub fn entries(path: &Path) -> Result<Vec<Entry>, FlowError> {
    newest(path, usize::MAX)
}

/// What each rule was said to be last, after the log was checked.
///
/// # Errors
/// When something does not hold.
pub fn rules(path: &Path) -> Result<BTreeMap<String, String>, FlowError> {
    let mut told = BTreeMap::new();
    read(path, |entry| {
        if let Event::RuleChanged { rule, value: Some(value), .. } = entry.event {
            told.insert(rule.as_str().to_owned(), value.as_str().to_owned());
        }
    })?;
    Ok(told)
}

/// Reads a whole log without the right to write; tells the bytes of an unfinished last line.
fn read(path: &Path, each: impl FnMut(Entry)) -> Result<(Known, u64), FlowError> {
    let mut known = Known::default();
    let mut file = File::open(path).map_err(FlowError::file(path))?;
    let torn_bytes = file::read_on(path, &mut file, &mut known, each)?;
    Ok((known, torn_bytes))
}

#[cfg(test)]
mod tests;
