//! What was sent, under which scope, in a log that can be checked offline.
//!
//! ```text
//!   Door --(address, probe)--> Tally --Keeper: a beat every few seconds, a tally now and then--> ledger.jsonl
//!     ^                          |
//!     +----- waits for a lease --+ <-- extended when the entry is on disk
//! ```
//!
//! One line of JSON an entry; each names the hash of the line before it, and all are leaves of a Merkle tree with
//! SHA-256 (RFC 9162), so that a [`Checkpoint`] somebody noted down proves that nothing before it was changed. Every
//! append is on disk when it returns; a line that a crash tore is cut off at the next append, which is an entry itself.
//! Several processes may append to one log; the file is locked only while one does.
//!
//! A run begins with an entry ([`event::Start`]) before its first packet. What a killed run sent after its last entry
//! has a bound, for the door waits when the keeper is late: the next run of the campaign says since when and how many
//! at most ([`event::Doubt`]). [`proof`] is what an auditor runs.

pub mod book;
pub mod event;
mod file;
pub mod keeper;
pub mod proof;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use hinomi_model::Timestamp;
use hinomi_model::merkle::{Digest, Tree, TreeHash, leaf};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

pub use book::{Book, Run};
pub use event::{Doubt, Event, How, Start};
pub use keeper::{Keeper, Watched};
pub use proof::{Proof, Stored, prove};

use crate::error::SurveyError;

/// First line of a checkpoint: what kind of log this is.
pub const ORIGIN: &str = "hinomi-survey-ledger-1";

/// Name of the log in its folder.
pub const FILE_NAME: &str = "ledger.jsonl";

/// Folder beside the log with the signed scopes that it names, each under its digest.
pub const SCOPES: &str = "scopes";

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
    book: Book,
}

impl Ledger {
    /// Opens or begins a log, checks all of it, and mends a torn end.
    ///
    /// # Errors
    /// When the file cannot be opened, or does not prove what it says.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, SurveyError> {
        let mut ledger = Self { path: path.to_path_buf(), known: Known::default() };
        let mut file = file::lock(path)?;
        ledger.catch_up(&mut file, now)?;
        Ok(ledger)
    }

    /// Adds an entry after what others wrote; it is on disk when this returns. Tells its number.
    ///
    /// # Errors
    /// When it cannot be written, or the file does not continue what was known of it.
    pub fn append(&mut self, time: Timestamp, event: Event) -> Result<u64, SurveyError> {
        let mut file = file::lock(&self.path)?;
        self.catch_up(&mut file, time)?;
        self.write(&mut file, time, event)
    }

    /// The runs that the log tells of.
    pub const fn book(&self) -> &Book {
        &self.known.book
    }

    /// What to note down elsewhere.
    pub fn checkpoint(&self) -> Checkpoint {
        self.known.checkpoint()
    }

    /// Takes in what others wrote; cuts off what a crash tore and says so.
    fn catch_up(&mut self, file: &mut file::Locked, now: Timestamp) -> Result<(), SurveyError> {
        let torn_bytes = file::read_on(&self.path, file.reader(), &mut self.known, |_| {})?;
        if torn_bytes > 0 {
            file.cut(&self.path, self.known.whole_bytes)?;
            self.write(file, now, Event::Mended { torn_bytes })?;
        }
        Ok(())
    }

    fn write(&mut self, file: &mut file::Locked, time: Timestamp, event: Event) -> Result<u64, SurveyError> {
        let number = self.known.tree.size();
        let entry = Entry { number, time, previous: self.known.last.clone(), event };
        let refuse = |reason: String| SurveyError::Ledger { path: self.path.clone(), entry: number, reason };
        self.known.book.check(&entry).map_err(refuse)?;
        let mut line = serde_json::to_vec(&entry).map_err(|error| refuse(error.to_string()))?;
        if line.len() >= file::MAX_LINE_BYTES {
            return Err(refuse("the entry is too long".to_owned()));
        }
        let hash = leaf::<Sha256>(&line);
        line.push(b'\n');
        if let Err(error) = file.writer().write_all(&line).and_then(|()| file.sync()) {
            // Half a line must not stand before the next one; if this fails too, the next append mends it.
            let _ = file.cut(&self.path, self.known.whole_bytes);
            return Err(SurveyError::file(&self.path)(error));
        }
        self.known.take(hash, line.len() as u64, &entry).map_err(refuse)?;
        Ok(number)
    }
}

impl Known {
    fn take(&mut self, hash: Digest, line_bytes: u64, entry: &Entry) -> Result<(), String> {
        self.tree.push(hash);
        self.last = HEXLOWER.encode(&hash);
        self.whole_bytes += line_bytes;
        self.book.take(entry)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { size: self.tree.size(), root: self.tree.root() }
    }
}

/// What reading a whole log found.
pub struct Verified {
    /// Its present state.
    pub checkpoint: Checkpoint,
    /// Bytes of an unfinished last line.
    pub torn_bytes: u64,
    /// The runs it tells of.
    pub book: Book,
}

/// Checks a log without opening it for writing: numbers, chain, sums, and that it continues every checkpoint given.
///
/// # Errors
/// When something does not hold, with the entry at which it was seen.
pub fn verify(path: &Path, noted: &[Checkpoint]) -> Result<Verified, SurveyError> {
    let (known, torn_bytes) = read(path, |_| {})?;
    for checkpoint in noted {
        if known.tree.root_at(checkpoint.size) != Some(checkpoint.root) {
            let reason = format!("it does not continue the checkpoint of {} entries", checkpoint.size);
            return Err(SurveyError::Ledger { path: path.to_path_buf(), entry: checkpoint.size, reason });
        }
    }
    Ok(Verified { checkpoint: known.checkpoint(), torn_bytes, book: known.book })
}

/// The newest entries of a log that are wanted, oldest first, at most so many, after all of it was checked.
///
/// # Errors
/// When something does not hold.
pub fn newest(path: &Path, most: usize, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Entry>, SurveyError> {
    let mut entries = VecDeque::new();
    read(path, |entry| {
        if most > 0 && wanted(&entry.event) {
            if entries.len() >= most {
                entries.pop_front();
            }
            entries.push_back(entry);
        }
    })?;
    Ok(entries.into())
}

/// Reads a whole log without the right to write; tells the bytes of an unfinished last line.
fn read(path: &Path, each: impl FnMut(Entry)) -> Result<(Known, u64), SurveyError> {
    let mut known = Known::default();
    let mut file = File::open(path).map_err(SurveyError::file(path))?;
    let torn_bytes = file::read_on(path, &mut file, &mut known, each)?;
    Ok((known, torn_bytes))
}

#[cfg(test)]
mod tests;
