//! Many small files into few large ones, while others read and append.
//!
//! ```text
//!   plan (which files)  ->  merge (sorted, streamed)  ->  stage new files  ->  one commit: remove the old, add the new
//! ```
//!
//! - Files are merged when [`plan::FAN_IN`] of about one size stand side by side, so each observation is rewritten
//!   once for each
//!   factor of [`plan::FAN_IN`] that the table grows by, and not more.
//! - Sightings become runs ([`crate::sightings::Run`]): equal observations in a row are one row. No observation is
//!   lost and none changes
//!   its name. Large results are cut by address. Evidence and facts keep their rows, sorted by name.
//! - The right to write is held for looking and for the commit, not while files are written. A file that was replaced
//!   meanwhile
//!   (facts derived again, a deletion) makes the commit fail with nothing changed.
//! - A commit says `dataChange: false`, and each new file the newest version its rows come from
//!   ([`crate::table::Origin`]): the index applies nothing again, and one that is rebuilt reads the new files.
//! - Old files stay on disk for [`CompactOptions::grace`], for who reads them; then older versions can be read no more.
//! - Who writes for long has a [`background::Compactor`]; what was merged last, and what went wrong, stands in
//!   [`account`].
//!
//! At a hundred times the data: memory is that of [`crate::looks`]; disk holds old and new files until the grace is
//! over.

pub(crate) mod account;
pub(crate) mod background;
mod keyed;
mod plan;
mod runs;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::lake::Lake;
use crate::table::{Change, DataFile, Origin, Staged, Table};
use plan::Want;

/// Rows of one file of sightings, about: some hundred megabytes at most.
const FILE_ROWS: u64 = 4_000_000;

/// A file of evidence or facts with so many rows is merged no more.
const KEYED_FILE_ROWS: u64 = 4_000_000;

/// A file of evidence or facts of so many bytes is merged no more.
const KEYED_FILE_BYTES: u64 = 1 << 30;

/// How to compact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactOptions {
    /// Merge everything into as few files as can be, whether it is worth it now or not.
    pub all: bool,
    /// How long files that were replaced stay, for who reads them and for looks at older versions.
    pub grace: Duration,
    /// Rows of one file of sightings, about.
    pub file_rows: u64,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self { all: false, grace: crate::table::RETENTION, file_rows: FILE_ROWS }
    }
}

/// What compaction came to, over all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Files that counted before.
    pub files_before: u64,
    /// Files that count now.
    pub files_after: u64,
    /// Rows before.
    pub rows_before: u64,
    /// Rows now: equal observations in a row are one.
    pub rows_after: u64,
    /// Bytes of the files that counted before.
    pub bytes_before: u64,
    /// Bytes of the files that count now.
    pub bytes_after: u64,
}

impl Lake {
    /// Merges files until nothing is due. `progress` is told how many observations and other rows of how many are done,
    /// of the merges begun so far; what was stored twice is passed over. Waits for another compaction of this process.
    ///
    /// # Errors
    /// When this lake is for reading only, or tables cannot be read or written.
    pub fn compact(
        &self,
        options: &CompactOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Compacted, LakeError> {
        let _alone = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        self.may_merge()?;
        self.bring_up()?;
        let never = AtomicBool::new(false);
        let mut told = Progress { done: 0, total: 0, tell: progress, stop: &never };
        let before = self.sums();
        while self.round(options, &mut told)? {}
        self.vacuum(options.grace)?;
        let did = self.compacted(before);
        self.tell_compacted(did);
        Ok(did)
    }

    /// One merge of each table, where it is worth it: to be called after appends, from any thread. What was done; none
    /// when nothing is due, or when another compaction runs. Costs a look at the list of files then.
    ///
    /// # Errors
    /// When this lake is for reading only, or tables cannot be read or written.
    pub fn compact_if_due(&self) -> Result<Option<Compacted>, LakeError> {
        self.compact_until(&AtomicBool::new(false))
    }

    /// The same, given up with nothing changed as soon as `stop` is set.
    fn compact_until(&self, stop: &AtomicBool) -> Result<Option<Compacted>, LakeError> {
        let _alone = match self.compacting.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        if !self.compaction_is_due() {
            return Ok(None);
        }
        if matches!(self.may_merge(), Err(LakeError::NotOurs { .. })) {
            // Another server merges.
            return Ok(None);
        }
        self.bring_up()?;
        let options = CompactOptions::default();
        let before = self.sums();
        let done = match self.round(&options, &mut Progress { done: 0, total: 0, tell: &mut |_, _| {}, stop }) {
            Err(LakeError::Crossed { .. } | LakeError::GaveWay) => false,
            other => other?,
        };
        if !done {
            return Ok(None);
        }
        self.vacuum(options.grace)?;
        Ok(Some(self.compacted(before)))
    }

    /// Whether a merge of some table is worth it.
    pub(crate) fn compaction_is_due(&self) -> bool {
        self.tables().iter().any(|(table, want)| !plan::due(table.files(|_| true), *want, false).is_empty())
    }

    /// Only what the index has applied may be merged.
    fn bring_up(&self) -> Result<(), LakeError> {
        let _writer = self.writer()?;
        self.see_what_others_did()
    }

    fn tables(&self) -> [(&Table, Want); 3] {
        let keyed = Want { max_rows: KEYED_FILE_ROWS, max_bytes: KEYED_FILE_BYTES };
        [(&self.pieces.keyed.table, keyed), (&self.sightings, Want::ALL), (&self.knowledge.keyed.table, keyed)]
    }

    fn round(&self, options: &CompactOptions, told: &mut Progress<'_>) -> Result<bool, LakeError> {
        let mut done = false;
        for (table, want) in self.tables() {
            let files = plan::due(table.files(|_| true), want, options.all);
            if files.is_empty() {
                continue;
            }
            told.total += files.iter().map(|file| file.looks()).sum::<u64>();
            let is_sightings = std::ptr::eq(table, &raw const self.sightings);
            let staged = match is_sightings {
                true => runs::merge(table, &files, options.file_rows, told),
                false => keyed::merge(table, &files, told),
            };
            // What was erased meanwhile may be gone from the disk.
            let staged = staged.map_err(|error| if stand(table, &files) { error } else { crossed(table) })?;
            self.replace(table, &files, staged)?;
            done = true;
        }
        Ok(done)
    }

    fn replace(&self, table: &Table, files: &[Arc<DataFile>], staged: Vec<Staged>) -> Result<(), LakeError> {
        let _writer = self.writer()?;
        let remove = files.iter().map(|file| file.path.clone()).collect();
        let change = Change { add: staged, remove, same_rows: true, ..Change::default() };
        let version = table.commit(change, self.clock.now())?;
        tracing::debug!(version, files = files.len(), "files were merged");
        Ok(())
    }

    fn vacuum(&self, grace: Duration) -> Result<(), LakeError> {
        let limit = self.clock.now().minus(grace);
        let _writer = self.writer()?;
        self.tables().iter().try_for_each(|(table, _)| table.vacuum(limit))
    }

    /// What became of so many files, rows and bytes.
    fn compacted(&self, (files_before, rows_before, bytes_before): (u64, u64, u64)) -> Compacted {
        let (files_after, rows_after, bytes_after) = self.sums();
        Compacted { files_before, files_after, rows_before, rows_after, bytes_before, bytes_after }
    }

    /// Files, rows and bytes of all tables.
    fn sums(&self) -> (u64, u64, u64) {
        let mut sums = (0, 0, 0);
        for (table, _) in self.tables() {
            for file in table.files(|_| true) {
                sums = (sums.0 + 1, sums.1 + file.rows, sums.2 + file.bytes);
            }
        }
        sums
    }
}

/// How far a compaction is.
struct Progress<'a> {
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(u64, u64),
    /// Set by who cannot wait.
    stop: &'a AtomicBool,
}

impl Progress<'_> {
    /// So many observations or rows more are done; fails when it is to give way.
    fn add(&mut self, rows: u64) -> Result<(), LakeError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(LakeError::GaveWay);
        }
        self.done += rows;
        (self.tell)(self.done, self.total);
        Ok(())
    }
}

/// Whether all of these files still count.
fn stand(table: &Table, files: &[Arc<DataFile>]) -> bool {
    let standing = table.files(|_| true);
    files.iter().all(|file| standing.iter().any(|one| one.path == file.path))
}

const fn crossed(table: &Table) -> LakeError {
    LakeError::Crossed { table: table.name() }
}

/// The newest version that rows in these files come from.
fn newest(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.newest()).max().unwrap_or(0)
}

fn with_origin(mut staged: Staged, newest: u64, looks: u64) -> Staged {
    staged.origin = Some(Origin { newest, looks });
    staged
}
