//! A file of a table, as the log tells of it.
//!
//! At a hundred times the data: some 300 bytes for each file, however many rows it has.

use std::sync::Arc;

use super::origin::Origin;
use super::statistics::Extent;
use super::sums::Sums;

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
    /// Where its rows come from, when it was made of other files.
    pub(crate) origin: Option<Origin>,
    /// Sums over its blocks, where its commit has them.
    pub(crate) sums: Option<Arc<Sums>>,
}

impl DataFile {
    /// The newest version that rows in it were committed with.
    pub(crate) fn newest(&self) -> u64 {
        self.origin.map_or(self.version, |origin| origin.newest)
    }

    /// Observations in it: rows, where none stands for several.
    pub(crate) fn looks(&self) -> u64 {
        self.origin.map_or(self.rows, |origin| origin.looks)
    }
}
