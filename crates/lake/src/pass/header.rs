//! What every executor of a pass is told: one line of JSON, then a line for each share.
//!
//! The versions of the tables are pinned by naming their files with size and sums, so that whoever reads sees the same
//! rows whatever is committed meanwhile, and bytes that are others are refused. The place of the tables is told, keys are
//! not: each machine has its own. At a hundred times the data: some hundred bytes a file, and 0.03% of its size for sums.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Order;
use crate::error::LakeError;
use crate::table::store::Place;
use crate::table::sums::Sums;
use crate::table::{DataFile, Extent, Origin, Table};

/// Version of these lines.
const FORMAT: u32 = 1;

/// The most bytes of the header that are read.
pub(crate) const MAX_HEADER_BYTES: u64 = 1 << 30;

/// The most bytes of a line that tells of a share.
pub(crate) const MAX_SHARE_BYTES: u64 = 16 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    format: u32,
    /// Version of the program.
    program: String,
    /// What is done.
    pub(crate) order: Order,
    /// Version of the pass.
    pass: u32,
    /// Revision of the rules, where the result depends on them.
    pub(crate) rules: Option<String>,
    /// Where the tables are.
    pub(crate) place: Place,
    /// The tables that are read.
    pub(crate) tables: Vec<Pinned>,
    /// The table of places (`places.csv`), where the result depends on it.
    pub(crate) places: Option<String>,
}

/// A table as it was.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pinned {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: Option<u64>,
    files: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    version: u64,
    rows: u64,
    bytes: u64,
    extent: [(i64, i64); 3],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sums: Option<String>,
}

impl Header {
    /// Of this pass.
    pub(crate) fn new(order: Order, pass: u32, place: Place, tables: Vec<Pinned>) -> Self {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, program, order, pass, rules: None, place, tables, places: None }
    }

    /// Reads a first line.
    pub(crate) fn read(line: &str) -> Result<Self, LakeError> {
        let header: Self =
            serde_json::from_str(line).map_err(|error| LakeError::damaged("the header of a pass", &error))?;
        let own = env!("CARGO_PKG_VERSION");
        if header.format != FORMAT || header.program != own {
            let detail = format!(
                "this executor has Hinomi {own} and the pass is of Hinomi {}: give every machine the same program",
                header.program.chars().take(32).collect::<String>()
            );
            return Err(LakeError::Unfit { detail });
        }
        let known = super::of(&header.order).version();
        if header.pass != known {
            let detail = format!("this executor has version {known} of the pass, version {} is asked for", header.pass);
            return Err(LakeError::Unfit { detail });
        }
        Ok(header)
    }

    /// As a line, without its end.
    pub(crate) fn line(&self) -> Result<String, LakeError> {
        serde_json::to_string(self).map_err(|error| LakeError::damaged("the header of a pass", &error))
    }

    /// Refuses other rules than those asked for.
    pub(crate) fn check_rules(&self, own: &str) -> Result<(), LakeError> {
        match &self.rules {
            Some(rules) if rules != own => Err(LakeError::Unfit {
                detail: format!(
                    "this executor has other rules ({own}) than the pass is for ({rules}): give every machine the same \
                     program and the same folders of rules"
                ),
            }),
            _ => Ok(()),
        }
    }
}

impl Pinned {
    /// A table as it is known now.
    pub(crate) fn of(table: &Table) -> Self {
        let files = table.files(|_| true).iter().map(|file| Entry::of(file)).collect();
        Self { name: table.name().to_owned(), version: table.version(), files }
    }

    /// Its files, to be read.
    pub(crate) fn files(&self) -> Result<Vec<Arc<DataFile>>, LakeError> {
        self.files.iter().map(|entry| entry.file(&self.name).map(Arc::new)).collect()
    }
}

impl Entry {
    fn of(file: &DataFile) -> Self {
        Self {
            path: file.path.clone(),
            version: file.version,
            rows: file.rows,
            bytes: file.bytes,
            extent: [file.extent.high, file.extent.low, file.extent.time],
            origin: file.origin.map(|origin| (origin.newest, origin.looks)),
            sums: file.sums.as_ref().map(|sums| sums.to_text()),
        }
    }

    fn file(&self, table: &str) -> Result<DataFile, LakeError> {
        let read = |text: &String| Sums::read(text, self.bytes);
        let sums = self.sums.as_ref().map(read).transpose();
        let sums = sums.map_err(|why| LakeError::damaged(table, &format!("file {:?}: {why}", self.path)))?;
        let [high, low, time] = self.extent;
        Ok(DataFile {
            path: self.path.clone(),
            version: self.version,
            rows: self.rows,
            bytes: self.bytes,
            extent: Extent { high, low, time },
            origin: self.origin.map(|(newest, looks)| Origin { newest, looks }),
            sums: sums.map(Arc::new),
        })
    }
}
