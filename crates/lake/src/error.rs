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
    /// The search would look at more rows than the asker may spend.
    #[error(
        "this search would look at about {rows} services, and {budget} are allowed; add an address, a prefix, a port or \
         another word that must be there, ask for a sample, or raise the budget"
    )]
    TooCostly {
        /// How many rows it would look at.
        rows: u64,
        /// How many are allowed.
        budget: u64,
    },
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
    /// What was asked for cannot be done.
    #[error("{detail}")]
    Unfit {
        /// Why, and what to do.
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
    /// What was to be rewritten was changed by somebody else meanwhile.
    #[error("{table}: files that were being rewritten were replaced meanwhile; nothing was changed, try again")]
    Crossed {
        /// Which table.
        table: &'static str,
    },
    /// A merge of files was given up for somebody who cannot wait.
    #[error("the merge of files was given up; nothing was changed, it is done again when it is due")]
    GaveWay,
    /// An older version of a table is asked for whose files are deleted.
    #[error(
        "{table}: this moment is no longer kept: {file} was deleted after it had been replaced; ask for a later one"
    )]
    Forgotten {
        /// Which table.
        table: &'static str,
        /// The first file that is missing.
        file: String,
    },
    /// A share of a pass could not be mapped; the pass came to nothing.
    #[error("{what} came to nothing{remedy}")]
    Pass {
        /// Which share of which pass.
        what: String,
        /// The reason.
        source: Box<LakeError>,
        /// What to do about it, where that is known.
        remedy: &'static str,
    },
    /// The settings of the state folder make no sense.
    #[error("{file}: {detail}")]
    Settings {
        /// Which file.
        file: String,
        /// What is wrong with it, and what to do.
        detail: String,
    },
    /// The object store did not do what was asked.
    #[error("{what}: {reason}")]
    Store {
        /// What was asked, of which object, where.
        what: String,
        /// What came of it.
        reason: String,
    },
    /// The object store fell silent while a commit was put: it may stand or not.
    #[error("{what}: whether this commit stands is not known, look again when the object store answers: {why}")]
    Unsure {
        /// Which commit.
        what: String,
        /// What came of it.
        why: String,
    },
    /// Another state folder writes to this prefix of the bucket.
    #[error(
        "{place} says that this lake is written by {holder}; if that one is gone for good, delete this object and start \
         again"
    )]
    OtherWriter {
        /// The object that says who writes.
        place: String,
        /// Who does.
        holder: String,
    },
    /// Another server may write there, or nobody could be asked who may.
    #[error("{why}")]
    NotOurs {
        /// Why, and which server to ask.
        why: String,
    },
    /// Another server has taken over what this one held; nothing was changed.
    #[error(
        "{table}: another server has taken over ({mark} is {found} now, and was {ours}); nothing was stored, tell it again \
         and it goes to whom it belongs"
    )]
    Fenced {
        /// Which table.
        table: &'static str,
        /// The mark of what was held.
        mark: String,
        /// Its number here.
        ours: u64,
        /// Its number in the log.
        found: String,
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
        IoError(inner) | OpenWriteError(Opening::IoError { io_error: inner, .. }) => {
            tells_no_room(inner) || says_no_room(&inner.to_string())
        }
        InternalError(text) => says_no_room(text),
        _ => false,
    }
}

/// What failed in a thread of its own, or as its state was written, comes back as text only.
fn says_no_room(text: &str) -> bool {
    text.contains("No space left on device")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_known_however_the_index_says_it() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let text = || io::Error::other("No space left on device (os error 28)");
        let index = |source: tantivy::TantivyError| LakeError::Index { what: "write the index".into(), source };
        for (error, expected) in [
            (index(full().into()), true),
            (index(text().into()), true),
            (index(tantivy::TantivyError::InternalError(text().to_string())), true),
            (index(io::Error::other("something else").into()), false),
        ] {
            assert_eq!(error.is_no_room(), expected, "{error}");
        }
    }
}
