//! Flows of a file, whatever wrote it: the same kinds that a collector reads ([`Kind`](crate::live::Kind)), held in memory.
//!
//! The format is recognised by the first bytes; all bytes are read by `wire`. What cannot be read is counted and told.

use std::fs::File;
use std::io::{BufRead, BufReader};

use hinomi_model::cnc::status::{FileStatus, Sums};
use hinomi_wire::flow::FlowRecord;

use crate::error::FlowError;
use crate::live::{Kind, Part, files};

/// Most records of one file that an evaluation holds in memory.
pub const MAX_RECORDS: usize = 20_000_000;

/// Flows, and how much was left out.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// In the order of the file.
    pub records: Vec<FlowRecord>,
    /// Lines, blocks or packets that gave no record for a reason.
    pub left_out: u64,
    /// The same by reason, in words, where the reader of a file knows it.
    pub reasons: Sums,
    /// What ended the reading before its end.
    pub ended: Option<String>,
}

/// Reads a whole file, unpacked already.
///
/// # Errors
/// When not even its first bytes can be read.
pub fn read(source: impl BufRead) -> Result<Read, FlowError> {
    held(|each| files::read_file("the file", source, each))
}

/// The same of a file on disk: Parquet's is not held in memory besides its records.
///
/// # Errors
/// As [`read`].
pub fn read_file(file: File) -> Result<Read, FlowError> {
    let failed = |source| FlowError::file(std::path::Path::new("the file"))(source);
    let is_on_disk = file.metadata().map_err(failed)?.is_file();
    let mut source = BufReader::new(&file);
    if Kind::of(source.fill_buf().map_err(failed)?) != Kind::Parquet || !is_on_disk {
        return read(source);
    }
    drop(source);
    held(|each| files::read_parquet("the file", file, each))
}

fn held(reading: impl FnOnce(files::Each<'_>) -> Result<(FileStatus, Part), FlowError>) -> Result<Read, FlowError> {
    let mut read = Read::default();
    let (status, part) = reading(&mut |record, _so_far| {
        if read.records.len() < MAX_RECORDS {
            read.records.push(record);
        } else {
            read.left_out = read.left_out.saturating_add(1);
        }
        Ok(())
    })?;
    let refused = part.decoded.refused.values().map(|refused| refused.items);
    read.left_out = status.left_out.values().copied().chain(refused).fold(read.left_out, u64::saturating_add);
    (read.ended, read.reasons) = (status.ended, status.left_out);
    Ok(read)
}
