//! What counts now: the log replayed.
//!
//! At a hundred times the data: about 300 bytes a file and 20 microseconds a commit at start.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use hinomi_model::Timestamp;

use super::log::{self, Add, Line};
use super::statistics;
use crate::error::LakeError;

pub(crate) use super::statistics::Extent;

/// One Parquet file that counts.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// Relative to the table's folder.
    pub(crate) path: String,
    /// The commit that added it.
    pub(crate) version: u64,
    /// Rows in it, as its commit says.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// What its rows lie between.
    pub(crate) extent: Extent,
}

/// The state of a table at its newest known version.
#[derive(Debug)]
pub(crate) struct Snapshot {
    table: &'static str,
    next: u64,
    files: BTreeMap<String, Arc<DataFile>>,
    gone: BTreeMap<String, Option<i64>>,
    removals: u64,
    notes: BTreeMap<String, (u64, Option<i64>)>,
}

impl Snapshot {
    /// Replays the log from its beginning; without a log the table is empty.
    pub(crate) fn load(table: &'static str, log_dir: &Path) -> Result<Self, LakeError> {
        let found = look(log_dir)?;
        let mut snapshot =
            Self { table, next: 0, files: BTreeMap::new(), gone: BTreeMap::new(), removals: 0, notes: BTreeMap::new() };
        snapshot.catch_up(log_dir)?;
        if found.newest.is_some_and(|newest| newest >= snapshot.next) || (found.checkpoint && snapshot.next == 0) {
            let mut detail = format!("commit {} is missing from {}", snapshot.next, log_dir.display());
            if found.checkpoint {
                // Not read on purpose, see docs/decisions/0001: what campaigns noted is in commits only.
                detail.push_str(
                    "; another program wrote a checkpoint and removed commits, but a checkpoint does not hold the \
                     positions of campaigns: put the commits back from a backup",
                );
            }
            return Err(LakeError::damaged(table, &detail));
        }
        Ok(snapshot)
    }

    /// Replays what was committed since.
    pub(crate) fn catch_up(&mut self, log_dir: &Path) -> Result<(), LakeError> {
        while let Some(lines) = log::read(self.table, log_dir, self.next)? {
            self.take(self.next, lines)?;
        }
        Ok(())
    }

    /// Replays one commit.
    pub(crate) fn take(&mut self, version: u64, lines: Vec<Line>) -> Result<(), LakeError> {
        for line in lines {
            self.take_line(version, line)?;
        }
        self.next = version + 1;
        Ok(())
    }

    fn take_line(&mut self, version: u64, line: Line) -> Result<(), LakeError> {
        if let Some(protocol) = line.protocol {
            self.check("Delta reader version", protocol.min_reader_version, log::READER_VERSION)?;
        }
        if let Some(meta_data) = line.meta_data {
            let format = meta_data.configuration.get("hinomi.format").and_then(|text| text.parse().ok());
            self.check("table", format.unwrap_or(super::FORMAT), super::FORMAT)?;
        }
        if let Some(remove) = line.remove {
            self.files.remove(&remove.path);
            self.gone.insert(remove.path, remove.deletion_timestamp);
            self.removals += 1;
        }
        if let Some(add) = line.add {
            self.add(version, add)?;
        }
        if let Some(txn) = line.txn {
            self.notes.insert(txn.app_id, (txn.version, txn.last_updated));
        }
        Ok(())
    }

    fn add(&mut self, version: u64, add: Add) -> Result<(), LakeError> {
        let relative = Path::new(&add.path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !relative || add.path.contains('%') {
            let detail = format!("file {:?} is not a plain relative path", add.path);
            return Err(LakeError::damaged(self.table, &detail));
        }
        let (rows, extent) = statistics::parse(add.stats.as_deref());
        let file = DataFile { path: add.path.clone(), version, rows, bytes: add.size, extent };
        self.gone.remove(&add.path);
        self.files.insert(add.path, Arc::new(file));
        Ok(())
    }

    fn check(&self, what: &str, found: u64, known: u64) -> Result<(), LakeError> {
        if found > known {
            return Err(LakeError::TooNew { what: format!("{what} of {}", self.table), found, known });
        }
        Ok(())
    }

    /// The newest version, when there is any.
    pub(crate) const fn version(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// The files that count.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files.values()
    }

    /// Whether the log ever spoke of this file: then it stays, for readers of older versions.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.gone.contains_key(path)
    }

    /// The files that stopped counting before this time.
    pub(crate) fn gone_before(&self, limit: Timestamp) -> impl Iterator<Item = &str> {
        let past = move |millis: i64| millis.saturating_mul(1_000) < limit.as_micros();
        self.gone.iter().filter(move |(_, millis)| millis.is_some_and(past)).map(|(path, _)| path.as_str())
    }

    /// How often a file stopped counting.
    pub(crate) const fn removals(&self) -> u64 {
        self.removals
    }

    /// In which version the newest note of an application is.
    pub(crate) fn note_version(&self, application: &str) -> Option<u64> {
        self.notes.get(application).map(|(version, _)| *version)
    }

    /// Every application that noted something, the version, and when.
    pub(crate) fn notes(&self) -> Vec<(String, u64, Option<Timestamp>)> {
        let time = |millis: Option<i64>| millis.map(|millis| Timestamp::from_micros(millis.saturating_mul(1_000)));
        self.notes.iter().map(|(name, (version, millis))| (name.clone(), *version, time(*millis))).collect()
    }
}

/// What a listing of the log shows.
#[derive(Debug, Default)]
struct Found {
    /// The highest version, so that a gap is noticed and not taken for the end.
    newest: Option<u64>,
    /// Whether another program wrote a checkpoint.
    checkpoint: bool,
}

fn look(log_dir: &Path) -> Result<Found, LakeError> {
    let entries = match fs::read_dir(log_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(LakeError::io("listing", log_dir)(error)),
    };
    let mut found = Found::default();
    for entry in entries {
        let name = entry.map_err(LakeError::io("listing", log_dir))?.file_name();
        let name = name.to_str().unwrap_or_default();
        found.newest = found.newest.max(name.strip_suffix(".json").and_then(|digits| digits.parse().ok()));
        found.checkpoint |= name.ends_with(".checkpoint.parquet");
    }
    Ok(found)
}
