//! One table: Parquet files, and a log that says which of them count.
//!
//! The log follows the Delta Lake protocol (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md>), reader
//! version 1 and writer version 2, so that other engines read tables, versions and time travel without our code. Why it
//! is written here and not by a library stands in `docs/decisions/0001-delta-log.md`.
//!
//! Invariants: a file counts when a commit adds it and no later commit removes it; commits are complete or absent;
//! versions have no gaps. What a killed writer left behind is in no commit and is swept by the next writer.
//!
//! At a hundred times the data: the list of files (about 300 bytes each) stays in memory and is read at start from the
//! newest checkpoint of the log and the commits after it; small files want compaction.

pub(crate) mod checkpoint;
pub(crate) mod columns;
mod data_file;
pub(crate) mod definition;
mod footers;
mod groups;
mod log;
mod origin;
pub(crate) mod read;
mod same;
mod seal;
mod snapshot;
mod statistics;
pub(crate) mod store;
pub(crate) mod sums;
mod sweep;
mod tidy;
pub(crate) mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hinomi_model::Timestamp;

use crate::error::LakeError;
use crate::shared::Mark;
use definition::Definition;
use log::Line;
use snapshot::Snapshot;
use store::{Put, Root};

pub(crate) use log::Note;
pub(crate) use origin::Origin;
pub(crate) use read::{Located, Rows};
pub use snapshot::Known;
pub(crate) use snapshot::{DataFile, Extent};
pub(crate) use statistics::number_of;
pub(crate) use sweep::RETENTION;
pub(crate) use write::{Effort, Staged};

/// How often a commit is tried again when another writer took its version.
pub(crate) const MAX_ATTEMPTS: u64 = 100;

/// The newest version of our use of the table format that is understood; each table states its own.
pub(crate) const FORMAT: u64 = 3;

/// One table, open. Reading is shared; the caller sees to it that one commit runs at a time.
#[derive(Debug)]
pub(crate) struct Table {
    root: Root,
    definition: &'static Definition,
    schema: SchemaRef,
    snapshot: RwLock<Snapshot>,
    /// Files staged by this opening: the version alone would name two alike when a commit came to nothing.
    staged: AtomicU64,
}

/// What a commit changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Files that count from now on.
    pub(crate) add: Vec<Staged>,
    /// Whether everything that counted before stops counting.
    pub(crate) replace_all: bool,
    /// Files that stop counting, by path. When one does not count any more, nothing is changed.
    pub(crate) remove: Vec<String>,
    /// Whether the rows stay the same and only lie elsewhere.
    pub(crate) same_rows: bool,
    /// What is stored beside the rows, in the same step.
    pub(crate) note: Option<Note>,
    /// What must still stand in the log: see [`crate::shared`].
    pub(crate) marks: Vec<Mark>,
}

impl Table {
    /// Opens a table for writing, creating it when absent, and sweeps what a killed writer left.
    pub(crate) fn open_or_create(
        root: impl Into<Root>,
        definition: &'static Definition,
        now: Timestamp,
    ) -> Result<Self, LakeError> {
        let table = Self::open(root, definition)?;
        table.root.make_folder(&log::folder(definition.name))?;
        if table.version().is_none() {
            let place = table.root.place(definition.name).display().to_string();
            table.put(0, &log::creation(definition, &place, now))?;
            table.refresh()?;
        }
        table.upgrade(now)?;
        sweep::sweep(&*table.root, definition.name, &table.read(), now)?;
        table.expire(now.minus(RETENTION))?;
        table.checkpoint_if_due(true);
        Ok(table)
    }

    /// Brings the columns of a table that an earlier version made up to what they are now; its files stay.
    fn upgrade(&self, now: Timestamp) -> Result<(), LakeError> {
        let lines = self.read().meta_data().and_then(|stands| log::upgrade(self.definition, stands, now));
        let (Some(lines), Some(version)) = (lines, self.version()) else { return Ok(()) };
        self.put(version + 1, &lines)?;
        self.refresh()
    }

    /// Opens a table for reading; one that does not exist is empty.
    pub(crate) fn open(root: impl Into<Root>, definition: &'static Definition) -> Result<Self, LakeError> {
        let root = root.into();
        let snapshot = Snapshot::load(definition.name, &*root)?;
        let (schema, snapshot) = (definition.arrow_schema(), RwLock::new(snapshot));
        Ok(Self { root, definition, schema, snapshot, staged: AtomicU64::new(0) })
    }

    /// A table with just these files, as it was at a version: for who has no need of its log.
    pub(crate) fn pinned(
        root: impl Into<Root>,
        definition: &'static Definition,
        version: Option<u64>,
        files: Vec<Arc<DataFile>>,
    ) -> Self {
        let snapshot = RwLock::new(Snapshot::pinned(definition.name, version, files));
        Self { root: root.into(), definition, schema: definition.arrow_schema(), snapshot, staged: AtomicU64::new(0) }
    }

    /// Takes note of commits that another process made.
    pub(crate) fn refresh(&self) -> Result<(), LakeError> {
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        snapshot.catch_up(&*self.root)
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

    /// The files that count and were committed from this version on, and the version from which to ask next.
    pub(crate) fn files_since(&self, version: u64) -> (Vec<Arc<DataFile>>, u64) {
        // The version first: what is committed after this line is for the next time.
        let next = self.version().map_or(0, |newest| newest + 1);
        (self.files(|file| (version..next).contains(&file.version)), next)
    }

    /// The files that this commit appended; none when there is no such commit. What a merge or a deletion wrote is not
    /// among them.
    pub(crate) fn appended_by(&self, version: u64) -> Result<Option<Vec<Arc<DataFile>>>, LakeError> {
        let Some(commit) = Snapshot::of_commit(self.definition.name, &*self.root, version)? else { return Ok(None) };
        let is_append = commit.removals() == 0;
        let files: Vec<_> = commit.files().filter(|file| is_append && file.origin.is_none()).cloned().collect();
        let missing = |path: &str| self.root.open(&format!("{}/{path}", self.definition.name)).is_err();
        match files.iter().find(|file| !self.read().counts(&file.path) && missing(&file.path)) {
            Some(gone) => Err(LakeError::Forgotten { table: self.definition.name, file: gone.path.clone() }),
            None => Ok(Some(files)),
        }
    }

    /// The files that counted at an earlier moment, while they stand.
    pub(crate) fn files_known(&self, known: Known) -> Result<Vec<Arc<DataFile>>, LakeError> {
        let then = Snapshot::known(self.definition.name, &*self.root, known)?;
        let mut files: Vec<_> = then.files().cloned().collect();
        let missing = |path: &str| self.root.open(&format!("{}/{path}", self.definition.name)).is_err();
        if let Some(gone) = files.iter().find(|file| !self.read().counts(&file.path) && missing(&file.path)) {
            return Err(LakeError::Forgotten { table: self.definition.name, file: gone.path.clone() });
        }
        files.sort_by(|a, b| (a.version, &a.path).cmp(&(b.version, &b.path)));
        Ok(files)
    }

    /// How often files stopped counting together with their rows: when this changes, what was learnt of places in
    /// files is void.
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
        let in_commit = log::read_note(&*self.root, self.definition.name, version, application)?;
        if in_commit.is_some() { Ok(in_commit) } else { self.note_kept(application) }
    }

    /// Whether a file of this table can be opened.
    pub(crate) fn stands(&self, file: &DataFile) -> bool {
        self.root.open(&format!("{}/{}", self.definition.name, file.path)).is_ok()
    }

    /// Where a file of this table is.
    pub(crate) fn path(&self, file: &DataFile) -> Located {
        let name = format!("{}/{}", self.definition.name, file.path);
        let looks_a_row = file.looks().div_ceil(file.rows.max(1));
        Located::new(&self.root, name, file.sums.clone()).with_looks_a_row(looks_a_row)
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.definition.name
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
        self.stage_with(Effort::Thorough, label, rows)
    }

    /// The same for what just came and is compacted soon: with less effort for its size.
    pub(crate) fn stage_quickly(
        &self,
        label: &str,
        rows: impl Iterator<Item = Result<RecordBatch, LakeError>>,
    ) -> Result<Staged, LakeError> {
        self.stage_with(Effort::Quick, label, rows)
    }

    fn stage_with(
        &self,
        effort: Effort,
        label: &str,
        rows: impl Iterator<Item = Result<RecordBatch, LakeError>>,
    ) -> Result<Staged, LakeError> {
        let version = self.version().map_or(0, |version| version + 1);
        let label = format!("{}-{label}", self.staged.fetch_add(1, Ordering::Relaxed));
        let name = sweep::file_name(version, self.root.opening(), &label);
        write::stage(&self.root, name, (self.definition, effort), &self.schema, rows)
    }

    /// Makes a change in one step and returns its version. Nothing is visible when it fails.
    pub(crate) fn commit(&self, mut change: Change, now: Timestamp) -> Result<u64, LakeError> {
        for _ in 0..MAX_ATTEMPTS {
            self.check_marks(&change.marks)?;
            self.check_removed(&change)?;
            let version = self.version().map_or(0, |version| version + 1);
            let lines = self.lines(version, &change, now);
            let put = self.put(version, &lines);
            if matches!(put, Err(LakeError::Unsure { .. })) {
                // The commit may still arrive, and then it speaks of these files.
                change.add.iter_mut().for_each(Staged::keep);
            }
            if put? == Put::Done {
                change.add.iter_mut().for_each(Staged::keep);
                let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
                snapshot.take(version, lines)?;
                drop(snapshot);
                self.checkpoint_if_due(false);
                return Ok(version);
            }
            self.refresh()?;
        }
        Err(LakeError::Overtaken { table: self.definition.name.to_owned(), attempts: MAX_ATTEMPTS })
    }

    /// Puts a commit of nothing but marks; false when somebody else had the version.
    pub(crate) fn put_marks(&self, marks: &[&Mark], now: Timestamp) -> Result<bool, LakeError> {
        let version = self.version().map_or(0, |version| version + 1);
        let lines = log::marks(marks, now);
        if self.put(version, &lines)? == Put::Taken {
            return Ok(false);
        }
        self.snapshot.write().unwrap_or_else(PoisonError::into_inner).take(version, lines)?;
        Ok(true)
    }

    /// Puts a commit, unless somebody has its version, or had it: where a checkpoint took the place of commits, their
    /// names are free again, and who slept meanwhile would put into the past what nobody reads.
    fn put(&self, version: u64, lines: &[Line]) -> Result<Put, LakeError> {
        match log::put(&*self.root, self.definition.name, version, lines)? {
            Put::Taken => Ok(Put::Taken),
            Put::Done => self.confirm(version, lines).map_err(|error| self.unsure(version, &error)),
        }
    }

    /// Takes a commit that was just put back, unless it is part of the log.
    fn confirm(&self, version: u64, lines: &[Line]) -> Result<Put, LakeError> {
        if self.is_in_log(version, lines)? {
            return Ok(Put::Done);
        }
        self.root.delete(&log::commit_name(self.definition.name, version))?;
        Ok(Put::Taken)
    }

    /// Whether a commit that was just put is part of the log: a checkpoint of its version or a later one says so, where
    /// there is one. What became of files tells it; of the rest only what still says the very same.
    fn is_in_log(&self, version: u64, lines: &[Line]) -> Result<bool, LakeError> {
        let (store, table) = (&*self.root, self.definition.name);
        // Commits go only after the checkpoint that replaces them is named.
        if checkpoint::last(store, table)? < Some(version) {
            return Ok(true);
        }
        let anew = Snapshot::load(table, store)?;
        if lines.iter().any(|line| line.add.is_some() || line.remove.is_some()) {
            return Ok(lines.iter().all(|line| {
                line.add.as_ref().is_none_or(|add| anew.knows(&add.path))
                    && line.remove.as_ref().is_none_or(|remove| !anew.counts(&remove.path))
            }));
        }
        Ok(lines.iter().all(|line| {
            line.txn.as_ref().is_none_or(|txn| anew.says(txn))
                && line.meta_data.as_ref().is_none_or(|told| {
                    anew.meta_data().is_some_and(|one| one.id == told.id && one.schema_string == told.schema_string)
                })
        }))
    }

    fn unsure(&self, version: u64, why: &LakeError) -> LakeError {
        let what = self.root.place(&log::commit_name(self.definition.name, version));
        LakeError::Unsure { what: what.display().to_string(), why: why.to_string() }
    }

    fn check_removed(&self, change: &Change) -> Result<(), LakeError> {
        let snapshot = self.read();
        match change.remove.iter().find(|path| !snapshot.counts(path)) {
            Some(_) => Err(LakeError::Crossed { table: self.definition.name }),
            None => Ok(()),
        }
    }

    fn lines(&self, version: u64, change: &Change, now: Timestamp) -> Vec<Line> {
        let (operation, other_rows) = if change.same_rows { ("OPTIMIZE", false) } else { ("WRITE", true) };
        let mut lines = vec![log::commit_info(operation, change.note.as_ref(), now)];
        if change.replace_all {
            lines.extend(self.read().files().map(|file| log::remove(&file.path, true, now)));
        }
        lines.extend(change.remove.iter().map(|path| log::remove(path, other_rows, now)));
        lines.extend(change.add.iter().map(|staged| log::add(staged, other_rows, now)));
        lines.extend(change.note.as_ref().map(|note| log::transaction(note, version, now)));
        lines
    }

    fn read(&self) -> RwLockReadGuard<'_, Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
