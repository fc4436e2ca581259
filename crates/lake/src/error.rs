//! Why the lake could not do what was asked.

use crate::query::QueryError;

/// The lake's errors. What a user can mend says how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The query text cannot be understood; the error points at the character.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The cursor is not one that this index gave.
    #[error("this cursor is not valid here; start again from the first page")]
    Cursor,
    /// Another process writes to this state folder.
    #[error("{folder} is in use by another hinomi (process {holder}); stop it, or give this one its own --state folder")]
    Locked {
        /// The state folder.
        folder: String,
        /// Process id as the lock file says, or `unknown`.
        holder: String,
    },
    /// The lake was opened for reading only.
    #[error("this lake was opened for reading only")]
    ReadOnly,
    /// Written by a newer version.
    #[error("{what} has format {found}; this version reads up to {known}: use a newer hinomi")]
    TooNew {
        /// Which table or file.
        what: String,
        /// Its format.
        found: u64,
        /// What we know.
        known: u64,
    },
    /// Stored bytes do not make sense.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// Which file.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The Parquet library refused.
    #[error("{what}: {source}")]
    Parquet {
        /// What was attempted, with the path.
        what: String,
        /// Its reason.
        source: parquet::errors::ParquetError,
    },
    /// The index library refused.
    #[error("{what}: {source}")]
    Index {
        /// What was attempted.
        what: String,
        /// Its reason.
        source: tantivy::TantivyError,
    },
}
