//! Why a scanner's file, or a record of it, could not be read.

use std::io;

/// A refusal that says where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The file could not be read further.
    #[error("could not read on at line {line} (byte {offset}): {source}")]
    Read {
        /// Line, from 1.
        line: u64,
        /// Bytes before it.
        offset: u64,
        /// The system's words.
        source: io::Error,
    },
    /// One record could not be read; the next ones can.
    #[error("line {line} (byte {offset}): this record was left out: {reason}")]
    Record {
        /// Line, from 1.
        line: u64,
        /// Bytes before it.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// One record was read and tells of something else than a service. The next ones are read.
    #[error("line {line} (byte {offset}): this record was left out: {reason}")]
    Other {
        /// Line, from 1.
        line: u64,
        /// Bytes before it.
        offset: u64,
        /// What it tells of; the same words for every record of that kind.
        reason: &'static str,
    },
    /// The file cannot be read beyond this point. Records before it are good.
    #[error("line {line} (byte {offset}): the file cannot be read further: {reason}")]
    File {
        /// Line, from 1.
        line: u64,
        /// Bytes before it.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl ScanError {
    /// Whether nothing after this error was read.
    pub const fn ends_the_file(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::File { .. })
    }
}
