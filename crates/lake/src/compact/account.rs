//! What compaction did last, and what kept it from going on: `<state>/compaction.json`, for other processes to read.
//!
//! Of this moment and no part of a backup; when it is lost nothing is lost but the telling. At a hundred times the
//! data nothing changes here.

use std::path::{Path, PathBuf};

use hinomi_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::Compacted;
use crate::durable;
use crate::error::LakeError;
use crate::lake::Lake;

/// The file in the state folder.
pub(crate) const FILE: &str = "compaction.json";

/// The most bytes of the file.
const MAX_BYTES: u64 = 64 * 1024;

/// The most characters of a reason that are kept.
const MAX_REASON_CHARS: usize = 1_000;

/// How compaction stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompactionStatus {
    /// Whether a merge is worth it now: the next process that writes does it, or `hinomi lake compact`.
    pub due: bool,
    /// The last one that merged anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastCompaction>,
    /// Why it did not come about, when the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedCompaction>,
}

/// A compaction that merged something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCompaction {
    /// When it was done.
    pub time: Timestamp,
    /// What it came to.
    #[serde(flatten)]
    pub did: Compacted,
}

/// A compaction that failed; nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCompaction {
    /// When.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    #[serde(default)]
    last: Option<LastCompaction>,
    #[serde(default)]
    failed: Option<FailedCompaction>,
}

impl Lake {
    /// How compaction stands, by whichever process it was done.
    pub(crate) fn compaction_status(&self) -> CompactionStatus {
        let Account { last, failed } = read(&self.dir);
        CompactionStatus { due: self.compaction_is_due(), last, failed }
    }

    /// Writes down what was done.
    pub(super) fn tell_compacted(&self, did: Compacted) {
        if did.files_before == did.files_after && did.bytes_before == did.bytes_after {
            return;
        }
        let last = Some(LastCompaction { time: self.clock.now(), did });
        write(&self.dir, &Account { last, failed: None });
    }

    /// Writes down why nothing was done.
    pub(super) fn tell_compaction_failed(&self, error: &LakeError) {
        let reason = error.to_string().chars().take(MAX_REASON_CHARS).collect();
        let failed = Some(FailedCompaction { time: self.clock.now(), reason });
        write(&self.dir, &Account { failed, ..read(&self.dir) });
    }
}

fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// What cannot be read is as if it was never written: the tables say everything that counts.
fn read(state: &Path) -> Account {
    let bytes = durable::read(&path(state), MAX_BYTES).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn write(state: &Path, account: &Account) {
    let Ok(bytes) = serde_json::to_vec(account) else { return };
    if let Err(error) = durable::write(&path(state), &bytes) {
        tracing::debug!(%error, "what compaction did could not be written down");
    }
}
