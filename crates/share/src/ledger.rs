//! What was looked at, handed out, told and decided, in a log that can be checked without us.
//!
//! ```text
//!   append(Event) -> queue -> one step for all that wait -> state: rows with the hashes of a Merkle tree (RFC 9162)
//!                                                             |
//!   checkpoint() <- root, signed by the key of this folder <--+--> prove_*() -> files -> proof::verify_file (no database)
//! ```
//!
//! - An entry is on disk when [`Log::append`] returns. Callers that come while a step is under way share the next one.
//! - All servers of one database append to one log. Each signs with a key of its own, and [`Event::KeyMade`] names it.
//! - A checkpoint is signed only when the log continues the one that this folder signed last: a database that was put
//!   back, cut or rewritten is refused, and told.
//! - [`Log::retain`] deletes what old entries say. Their hashes stay, and with them every proof.
//!
//! At a hundred times the data: rows by number, logarithmic reads; [`check`](Log::check) alone reads everything, by pages.

mod check;
mod event;
mod group;
mod hash;
mod kept;
mod key;
mod look;
pub mod note;
pub mod proof;
mod queue;
mod taken;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinomi_model::merkle::{Digest, consistency_of, inclusion_of, root_of, verify_consistency, wanted};
use hinomi_model::{Clock, Timestamp};
use hinomi_state::ledger::{LedgerCheckpoint, LedgerEntry, MAX_READ, NewLedgerEntry};
use hinomi_state::{Database, StateError};

pub use check::Checked;
pub use event::{ACCOUNTS, Actor, Entry, Event, KINDS, MAX_ENTRY_BYTES, account_concern, organisation_concern};
pub use group::{Group, MAX_NAMED};
pub use hash::{Sha256, sha256_hex};
pub use key::KEY_FILE;
pub use look::LookLog;
use note::{Checkpoint, Signer, Verifier};
use proof::Proof;
use queue::Queue;
pub use taken::{sum as sum_of_change, sum_of_account};

/// The checkpoint that this folder signed last, beside its key.
pub const CHECKPOINT_FILE: &str = "ledger.checkpoint";
/// Entries after which a checkpoint is signed without being asked for.
const CHECKPOINT_EVERY: u64 = 1_024;

/// Why the ledger could not do what was asked, or what does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
    /// The entries that were appended together could not be.
    #[error("the entry could not be written: {0}")]
    Append(String),
    /// So many wait already.
    #[error("too many entries wait to be written; try again")]
    Busy,
    /// The entry.
    #[error("the entry is not fit for the ledger: {0}")]
    Unfit(String),
    /// The key.
    #[error("{0}")]
    Key(String),
    /// A signed note.
    #[error("the checkpoint is not to be believed: {0}")]
    Note(String),
    /// A proof.
    #[error("the proof does not hold: {0}")]
    Proof(String),
    /// What is stored.
    #[error("the ledger does not hold: {0}")]
    Broken(String),
    /// There is no such entry, or no checkpoint yet.
    #[error("{0}")]
    Missing(String),
    /// A file of the state folder.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// The log of an installation, as one server writes it.
pub struct Log {
    database: Database,
    signer: Signer,
    clock: Arc<dyn Clock>,
    kept: PathBuf,
    queue: Queue,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.signer.name())
    }
}

impl Log {
    /// The log in this database, signed by the key of this state folder, which is made at first use.
    ///
    /// # Errors
    /// When the database cannot be read, the key cannot be read or made, or the log does not continue what this folder
    /// signed last.
    pub fn open(database: &Database, folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        let name = format!("hinomi/ledger/{}", database.installation()?);
        let (signer, made) = key::load_or_make(folder, &name)?;
        let (kept, queue) = (folder.join(CHECKPOINT_FILE), Queue::default());
        let log = Self { database: database.clone(), signer, clock, kept, queue };
        log.check_kept(log.database.ledger_size()?)?;
        if made {
            log.append(Event::KeyMade { vkey: log.verifier().to_string() })?;
        }
        log.take_in()?;
        Ok(log)
    }

    /// The public half of this server's key.
    pub fn verifier(&self) -> Verifier {
        self.signer.verifier()
    }

    /// Where the log is stored, for people.
    pub fn place(&self) -> &str {
        self.database.place()
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn size(&self) -> Result<u64, LedgerError> {
        Ok(self.database.ledger_size()?)
    }

    /// Appends an entry; it is on disk when this returns. Tells its place.
    ///
    /// # Errors
    /// When it is too long, too many wait, or the database cannot be written.
    pub fn append(&self, event: Event) -> Result<u64, LedgerError> {
        let entry = self.entry(event)?;
        let write = |entries: &[NewLedgerEntry]| {
            let first = self.database.ledger_append::<Sha256>(entries).map_err(|error| error.to_string())?;
            self.sign_now_and_then(first, first + entries.len() as u64);
            Ok(first)
        };
        self.queue.append(entry, &write)
    }

    /// An entry as it is stored.
    fn entry(&self, event: Event) -> Result<NewLedgerEntry, LedgerError> {
        let (event, group) = event.grouped();
        let (time, kind, concerns) = (self.clock.now(), event.kind().to_owned(), event.concerns());
        let data = Entry::new(event, time, key::random()?).to_bytes()?;
        Ok(NewLedgerEntry { time, kind, data, concerns, group })
    }

    /// Appends which rules count from now on, unless the last entry of rules named the same; tells whether it did.
    ///
    /// # Errors
    /// When the entry cannot be written.
    pub fn rules_count(&self, by: Actor, sha256: &str, reason: &str) -> Result<bool, LedgerError> {
        let event = Event::Policy { by, sha256: sha256.to_owned(), reason: reason.to_owned() };
        Ok(self.database.ledger_append_policy::<Sha256>(&self.entry(event)?, sha256)?)
    }

    /// Signs when a round number was passed. That the entries stand does not depend on it.
    fn sign_now_and_then(&self, before: u64, after: u64) {
        if before / CHECKPOINT_EVERY != after / CHECKPOINT_EVERY {
            // Whoever asks for a checkpoint is told why there is none.
            drop(self.checkpoint());
        }
    }

    /// Entries from a place on, oldest first, at most so many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn entries(&self, from: u64, most: u64) -> Result<Vec<LedgerEntry>, LedgerError> {
        Ok(self.database.ledger_entries(from, most)?)
    }

    /// Entries that concern one of these ([`Event::concerns`]), from before a place on, the newest first, at most so many.
    ///
    /// # Errors
    /// When the histories cannot be taken in, or the database cannot be read.
    pub fn about(&self, concerns: &[String], before: Option<u64>, most: u64) -> Result<Vec<LedgerEntry>, LedgerError> {
        self.take_in()?;
        Ok(self.database.ledger_about(concerns, before, most)?)
    }

    /// The log as it is now, signed; kept in the database and in the state folder.
    ///
    /// # Errors
    /// When the log does not continue what this folder signed last, or something cannot be read or written.
    pub fn checkpoint(&self) -> Result<String, LedgerError> {
        self.take_in()?;
        let size = self.database.ledger_size()?;
        self.check_kept(size)?;
        let checkpoint = Checkpoint { origin: self.signer.name().to_owned(), size, root: self.root(size)? };
        let note = self.signer.sign(&checkpoint);
        let (signer, time) = (self.verifier().to_string(), self.clock.now());
        self.database.ledger_keep_checkpoint(&LedgerCheckpoint { size, signer, time, note: note.clone() })?;
        let size_of = |note: &str| note::open(note, &[self.verifier()]).map_or(0, |kept| kept.size);
        kept::keep(&self.kept, &note, key::random()?, size_of).map_err(|error| self.of_kept(error))?;
        Ok(note)
    }

    /// The checkpoints that were signed, the largest first, at most so many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn checkpoints(&self, most: u64) -> Result<Vec<LedgerCheckpoint>, LedgerError> {
        Ok(self.database.ledger_checkpoints(0, most)?)
    }

    /// That this entry is in the log.
    ///
    /// # Errors
    /// When there is no such entry, or something cannot be read or written.
    pub fn prove_inclusion(&self, place: u64) -> Result<Proof, LedgerError> {
        let missing = || LedgerError::Missing(format!("the ledger has no entry {place}"));
        let entry = self.entries(place, 1)?.into_iter().find(|entry| entry.place == place).ok_or_else(missing)?;
        let checkpoint = self.checkpoint()?;
        let size = note::open(&checkpoint, &[self.verifier()])?.size;
        let ask = |subtrees: &dyn hinomi_model::merkle::Subtrees| inclusion_of::<Sha256>(subtrees, place, size);
        let path = ask(&self.database.ledger_subtrees(&wanted(ask))?).ok_or_else(missing)?;
        let leaf = entry.hashes.first().ok_or_else(missing)?;
        let text = entry.data.map(String::from_utf8).transpose();
        let text = text.map_err(|error| LedgerError::Broken(format!("entry {place}: {error}")))?;
        let organisations = text.as_ref().map(|text| self.list_beside(text.as_bytes())).transpose()?.flatten();
        let path = path.iter().map(proof::encode).collect();
        Ok(Proof::Inclusion { place, entry: text, organisations, leaf: proof::encode(leaf), path, checkpoint })
    }

    /// That the log as it is now continues that of an earlier checkpoint, which somebody kept.
    ///
    /// # Errors
    /// When it does not, the checkpoint is not ours, or something cannot be read or written.
    pub fn prove_consistency(&self, old: &str) -> Result<Proof, LedgerError> {
        let before = note::open(old, &self.own_keys()?)?;
        let new = self.checkpoint()?;
        let size = note::open(&new, &[self.verifier()])?.size;
        let path = self.consistency(&before, size)?.iter().map(proof::encode).collect();
        Ok(Proof::Consistency { old: old.to_owned(), new, path })
    }

    /// This server's key, and those that other servers of this database said they have.
    fn own_keys(&self) -> Result<Vec<Verifier>, LedgerError> {
        let signers: BTreeSet<String> = self.checkpoints(u64::MAX)?.into_iter().map(|one| one.signer).collect();
        let mut keys = vec![self.verifier()];
        keys.extend(signers.iter().filter_map(|signer| Verifier::read(signer).ok()));
        Ok(keys)
    }

    /// Deletes what entries of these kinds from before this moment say; an entry tells of it when it was done, also where
    /// only a part was. Tells how many.
    ///
    /// # Errors
    /// When a kind is none, the reason is too long, or the database cannot be written.
    pub fn retain(&self, by: &Actor, before: Timestamp, kinds: &[&str], reason: &str) -> Result<u64, LedgerError> {
        if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
            return Err(LedgerError::Missing(format!("there is no kind {unknown}; there are {}", KINDS.join(", "))));
        }
        let named: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let told = |reason: String| Event::Retained { by: by.clone(), before, kinds: named.clone(), reason };
        let in_part = |deleted: u64| told(format!("{reason} (it failed after {deleted} entries)"));
        // Nothing is deleted that no entry could tell of.
        Entry::new(in_part(u64::MAX), self.clock.now(), key::random()?).to_bytes()?;
        let (mut from, mut deleted, size) = (0, 0, self.size()?);
        while from < size {
            match self.database.ledger_retain(from, before, kinds) {
                Ok(some) => deleted += some,
                Err(error) if deleted == 0 => return Err(error.into()),
                Err(error) => {
                    self.append(in_part(deleted))?;
                    return Err(error.into());
                }
            }
            from += MAX_READ;
        }
        self.append(told(reason.to_owned()))?;
        Ok(deleted)
    }

    fn root(&self, size: u64) -> Result<Digest, LedgerError> {
        let ask = |subtrees: &dyn hinomi_model::merkle::Subtrees| root_of::<Sha256>(subtrees, size);
        let found = ask(&self.database.ledger_subtrees(&wanted(ask))?);
        found.ok_or_else(|| LedgerError::Broken(format!("hashes of its first {size} entries are missing")))
    }

    /// Hashes that prove that the log of so many entries continues a checkpoint.
    fn consistency(&self, old: &Checkpoint, size: u64) -> Result<Vec<Digest>, LedgerError> {
        let broken = |why: &str| LedgerError::Broken(format!("{why} the checkpoint of {} entries", old.size));
        if old.size == 0 {
            return Ok(Vec::new());
        }
        if size < old.size {
            return Err(broken(&format!("it has {size} entries, fewer than")));
        }
        let ask = |subtrees: &dyn hinomi_model::merkle::Subtrees| consistency_of::<Sha256>(subtrees, old.size, size);
        let found = ask(&self.database.ledger_subtrees(&wanted(ask))?);
        let path = found.ok_or_else(|| broken("hashes are missing to prove that it continues"))?;
        match verify_consistency::<Sha256>(old.size, &old.root, size, &self.root(size)?, &path) {
            true => Ok(path),
            false => Err(broken("it does not continue")),
        }
    }

    /// Whether the log of so many entries continues what this folder signed last.
    fn check_kept(&self, size: u64) -> Result<(), LedgerError> {
        let note = match fs::read_to_string(&self.kept) {
            Ok(note) => note,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.of_kept(error)),
        };
        let kept = note::open(&note, &[self.verifier()]).map_err(|error| {
            LedgerError::Broken(format!("{}: {error}; put it away if the key was changed", self.kept.display()))
        })?;
        // Another thread may have signed a later one since the size was read.
        if size < kept.size && self.database.ledger_size()? >= kept.size {
            return Ok(());
        }
        self.consistency(&kept, size).map(drop)
    }

    fn of_kept(&self, error: std::io::Error) -> LedgerError {
        LedgerError::File { path: self.kept.display().to_string(), error }
    }
}

#[cfg(test)]
mod tests;
