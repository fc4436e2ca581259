//! One table: Parquet files, and a log that says which of them count.
//!
//! The log follows the Delta Lake protocol (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md>), reader
//! version 1 and writer version 2, so that other engines read tables, versions and time travel without our code. Why it
//! is written here and not by a library stands in `docs/decisions/0001-delta-log.md`.
//!
//! Invariants: a file counts when a commit adds it and no later commit removes it; commits are complete or absent;
//! versions have no gaps. What a killed writer left behind is in no commit and is swept by the next writer.
//!
//! At a hundred times the data: the list of files (about 300 bytes each) stays in memory and is read from the log at
//! start; beyond some hundred thousand commits that wants log checkpoints, and small files want compaction.

pub(crate) mod columns;
pub(crate) mod definition;
mod log;
pub(crate) mod read;
mod snapshot;
mod statistics;
mod sweep;
pub(crate) mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hinomi_model::Timestamp;

use crate::error::LakeError;
use definition::Definition;
use log::{Line, Put};
use snapshot::Snapshot;

pub(crate) use log::Note;
pub(crate) use read::Rows;
pub(crate) use snapshot::{DataFile, Extent};
pub(crate) use write::Staged;

/// How often a commit is tried again when another writer took its version.
const MAX_ATTEMPTS: u64 = 100;

/// Version of our use of the table format; kept in the table's configuration.
pub(crate) const FORMAT: u64 = 1;

/// One table, open. Reading is shared; the caller sees to it that one commit runs at a time.
#[derive(Debug)]
pub(crate) struct Table {
    dir: PathBuf,
    definition: &'static Definition,
    schema: SchemaRef,
    snapshot: RwLock<Snapshot>,
}

/// What a commit changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Files that count from now on.
    pub(crate) add: Vec<Staged>,
    /// Whether everything that counted before stops counting.
    pub(crate) replace_all: bool,
    /// What is stored beside the rows, in the same step.
    pub(crate) note: Option<Note>,
}

impl Table {
    /// Opens a table for writing, creating it when absent, and sweeps what a killed writer left.
    pub(crate) fn open_or_create(
        root: &Path,
        definition: &'static Definition,
        now: Timestamp,
    ) -> Result<Self, LakeError> {
        let table = Self::open(root, definition)?;
        fs::create_dir_all(table.log_dir()).map_err(LakeError::io("creating", &table.log_dir()))?;
        if table.version().is_none() {
            let first = log::creation(definition, &table.dir, now);
            log::put(&table.log_dir(), 0, &first)?;
            table.refresh()?;
        }
        sweep::sweep(&table.dir, &table.log_dir(), &table.read(), now)?;
        Ok(table)
    }

    /// Opens a table for reading; one that does not exist is empty.
    pub(crate) fn open(root: &Path, definition: &'static Definition) -> Result<Self, LakeError> {
        let dir = root.join(definition.name);
        let snapshot = Snapshot::load(definition.name, &dir.join(log::FOLDER))?;
        Ok(Self { dir, definition, schema: definition.arrow_schema(), snapshot: RwLock::new(snapshot) })
    }

    /// Takes note of commits that another process made.
    pub(crate) fn refresh(&self) -> Result<(), LakeError> {
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        snapshot.catch_up(&self.log_dir())
    }

    /// The newest version, when the table exists.
    pub(crate) fn version(&self) -> Option<u64> {
        self.read().version()
    }

    /// The files that count and are wanted, oldest commit first.
    pub(crate) fn files(&self, wanted: impl Fn(&DataFile) -> bool) -> Vec<Arc<DataFile>> {
        let mut files: Vec<_> = self.read().files().filter(|file| wanted(file)).cloned().collect();
        files.sort_by(|a, b| (a.version, &a.path).cmp(&(b.version, &b.path)));
        files
    }

    /// How often files stopped counting: when this changes, what was learnt of places in files is void.
    pub(crate) fn removals(&self) -> u64 {
        self.read().removals()
    }

    /// The versions at which applications noted something, by application.
    pub(crate) fn notes(&self) -> Vec<(String, u64, Option<Timestamp>)> {
        self.read().notes()
    }

    /// The version of the newest note of one application.
    pub(crate) fn noted(&self, application: &str) -> Option<u64> {
        self.read().note_version(application)
    }

    /// The newest note of one application, from the commit that made it.
    pub(crate) fn note(&self, application: &str) -> Result<Option<String>, LakeError> {
        let Some(version) = self.noted(application) else { return Ok(None) };
        log::read_note(self.definition.name, &self.log_dir(), version, application)
    }

    /// Where a file of this table is.
    pub(crate) fn path(&self, file: &DataFile) -> PathBuf {
        self.dir.join(&file.path)
    }

    /// The Arrow schema of its rows.
    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Writes rows into a file that does not count yet. `label` makes its name unlike others of the same version.
    pub(crate) fn stage(
        &self,
        label: &str,
        rows: impl Iterator<Item = Result<RecordBatch, LakeError>>,
    ) -> Result<Staged, LakeError> {
        let version = self.version().map_or(0, |version| version + 1);
        let name = sweep::file_name(version, label);
        write::stage(&self.dir, name, self.definition, &self.schema, rows)
    }

    /// Makes a change in one step and returns its version. Nothing is visible when it fails.
    pub(crate) fn commit(&self, mut change: Change, now: Timestamp) -> Result<u64, LakeError> {
        for _ in 0..MAX_ATTEMPTS {
            let version = self.version().map_or(0, |version| version + 1);
            let lines = self.lines(version, &change, now);
            if log::put(&self.log_dir(), version, &lines)? == Put::Done {
                change.add.iter_mut().for_each(Staged::keep);
                let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
                snapshot.take(version, lines)?;
                return Ok(version);
            }
            self.refresh()?;
        }
        Err(LakeError::Overtaken { table: self.definition.name.to_owned(), attempts: MAX_ATTEMPTS })
    }

    fn lines(&self, version: u64, change: &Change, now: Timestamp) -> Vec<Line> {
        let mut lines = vec![log::commit_info(change.note.as_ref(), now)];
        if change.replace_all {
            lines.extend(self.read().files().map(|file| log::remove(&file.path, now)));
        }
        lines.extend(change.add.iter().map(|staged| log::add(staged, now)));
        lines.extend(change.note.as_ref().map(|note| log::transaction(note, version, now)));
        lines
    }

    fn log_dir(&self) -> PathBuf {
        self.dir.join(log::FOLDER)
    }

    fn read(&self) -> RwLockReadGuard<'_, Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
