//! Why a survey could not start or go on. What single targets did is counted, not an error.

use std::path::{Path, PathBuf};

use hinomi_model::SinkError;

use crate::campaign::CheckpointError;
use crate::scope::Refused;
use crate::sweep::SweepError;

/// A survey's errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// The job makes no sense.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The store would not take what was seen. The survey can be resumed.
    #[error("the survey stopped because its results could not be stored; start it again to resume: {0}")]
    Store(#[from] SinkError),
    /// Not one target is permitted.
    #[error("nothing may be sent: {0}")]
    NothingPermitted(Refused),
    /// What a campaign left behind cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The ledger does not prove what it says, or says what may not be.
    #[error("the ledger {}, entry {entry}: {reason}", path.display())]
    Ledger {
        /// Which file.
        path: PathBuf,
        /// Which entry, counted from 0.
        entry: u64,
        /// What is wrong.
        reason: String,
    },
    /// The engine cannot work here.
    #[error("engine {engine}: {reason}")]
    Engine {
        /// Which engine.
        engine: &'static str,
        /// Why.
        reason: String,
    },
}

impl SurveyError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::File { path, source }
    }
}
