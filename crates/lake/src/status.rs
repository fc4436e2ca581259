//! How much there is.
//!
//! At a hundred times the data: counts come from the log and the index, bytes of the index from one listing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use crate::compact::account::CompactionStatus;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::table::Table;

/// One table in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableStatus {
    /// Rows that count; of sightings, observations: a row may stand for several.
    pub rows: u64,
    /// Files that count.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Newest version; absent when the table does not exist.
    pub version: Option<u64>,
}

/// The lake in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Observations.
    pub sightings: TableStatus,
    /// Distinct pieces of evidence.
    pub evidence: TableStatus,
    /// Distinct contents with their facts.
    pub facts: TableStatus,
    /// Services in the index.
    pub services: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Files of sightings that the index has not seen yet.
    pub behind: u64,
    /// Campaigns that left a checkpoint.
    pub campaigns: u64,
    /// Revision of the rules in use.
    pub rules: String,
    /// Prefixes of the table of places.
    pub prefixes: u64,
    /// How compaction stands.
    pub compaction: CompactionStatus,
}

impl Lake {
    /// How much there is.
    ///
    /// # Errors
    /// When log or index folder cannot be read.
    pub fn status(&self) -> Result<Status, LakeError> {
        let campaigns = self.campaigns()?.len();
        let applied = self.index.shown();
        let behind = self.sightings.files(|file| applied.is_none_or(|applied| file.newest() > applied)).len();
        Ok(Status {
            sightings: table_status(&self.sightings),
            evidence: table_status(&self.pieces.keyed.table),
            facts: table_status(&self.knowledge.keyed.table),
            services: self.index.count(),
            index_bytes: folder_bytes(&self.dir.join("index"), 0)?,
            behind: u64::try_from(behind).unwrap_or(u64::MAX),
            campaigns: u64::try_from(campaigns).unwrap_or(u64::MAX),
            rules: self.knowledge.revision().to_owned(),
            prefixes: u64::try_from(self.places.current().len()).unwrap_or(u64::MAX),
            compaction: self.compaction_status(),
        })
    }
}

fn table_status(table: &Table) -> TableStatus {
    let files = table.files(|_| true);
    TableStatus {
        rows: files.iter().map(|file| file.looks()).sum(),
        files: u64::try_from(files.len()).unwrap_or(u64::MAX),
        bytes: files.iter().map(|file| file.bytes).sum(),
        version: table.version(),
    }
}

/// How deep folders of the index nest, at most.
const MAX_DEPTH: u32 = 4;

/// Bytes of the files of a folder and of the folders in it.
fn folder_bytes(folder: &Path, depth: u32) -> Result<u64, LakeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(LakeError::io("listing", folder)(error)),
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(LakeError::io("listing", folder))?;
        // A file may go between listing and looking: the index merges its own at any time.
        let Ok(data) = entry.metadata() else { continue };
        bytes += if !data.is_dir() {
            data.len()
        } else if depth < MAX_DEPTH {
            folder_bytes(&entry.path(), depth + 1)?
        } else {
            0
        };
    }
    Ok(bytes)
}
