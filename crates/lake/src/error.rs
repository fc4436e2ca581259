//! Why the lake could not do what was asked.

use std::error::Error;
use std::io;
use std::path::Path;

use hinomi_model::SinkError;

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
    #[error(
        "{folder} is in use by another hinomi (process {holder}); stop it, or give this one its own --state folder"
    )]
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
    /// There is no whole index of this version. Who writes builds it from the tables.
    #[error(
        "the index is missing, not complete, or was made by another version of Hinomi; \
         hinomi identify builds it from the tables"
    )]
    OtherIndex,
    /// Stored bytes do not make sense.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// Which file.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// What was handed over breaks the rules of the store; nothing of it was taken.
    #[error("this batch cannot be stored: {detail}")]
    Refused {
        /// Which rule, and what to do.
        detail: String,
    },
    /// Other writers kept taking the next version of a table.
    #[error("{table}: {attempts} commits in a row were overtaken by another writer; try again when it is quiet")]
    Overtaken {
        /// Which table.
        table: String,
        /// How often it was tried.
        attempts: u64,
    },
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path.
        what: String,
        /// The system's reason.
        source: io::Error,
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

impl LakeError {
    /// Wraps the system's reason with what was attempted on which path.
    pub(crate) fn io(attempt: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("{attempt} {}", path.display());
        move |source| Self::Io { what, source }
    }

    /// Wraps the Parquet library's reason with what was attempted on which path.
    pub(crate) fn parquet(attempt: &str, path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let what = format!("{attempt} {}", path.display());
        move |source| Self::Parquet { what, source }
    }

    /// Stored bytes that make no sense, with the reason.
    pub(crate) fn damaged(what: impl Into<String>, detail: &(impl ToString + ?Sized)) -> Self {
        Self::Damaged { what: what.into(), detail: detail.to_string() }
    }

    /// Whether the reason, however deep, is that there is no room: disk full, quota reached, file size limited.
    pub fn is_no_room(&self) -> bool {
        let mut next: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = next {
            if error.downcast_ref::<io::Error>().is_some_and(tells_no_room) {
                return true;
            }
            if error.downcast_ref::<std::sync::Arc<io::Error>>().is_some_and(|inner| tells_no_room(inner)) {
                return true;
            }
            if error.downcast_ref::<tantivy::TantivyError>().is_some_and(index_tells_no_room) {
                return true;
            }
            next = error.source();
        }
        false
    }
}

/// The index library keeps its I/O errors to itself.
fn index_tells_no_room(error: &tantivy::TantivyError) -> bool {
    use tantivy::TantivyError::{InternalError, IoError, OpenWriteError};
    use tantivy::directory::error::OpenWriteError as Opening;
    match error {
        IoError(inner) | OpenWriteError(Opening::IoError { io_error: inner, .. }) => tells_no_room(inner),
        // What failed in a thread of its own comes back as text only.
        InternalError(text) => text.contains("No space left on device"),
        _ => false,
    }
}

/// An I/O error may itself wrap another one.
fn tells_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) || inner.is_some_and(tells_no_room)
}

impl From<LakeError> for SinkError {
    fn from(error: LakeError) -> Self {
        if error.is_no_room() { Self::NoRoom(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}
