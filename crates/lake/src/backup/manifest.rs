//! What a backup consists of.
//!
//! At a hundred times the data: about 200 bytes a file, read whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use hinomi_model::{ContentHash, Timestamp};
use serde::{Deserialize, Serialize};

use super::MANIFESTS;
use crate::durable;
use crate::error::LakeError;

/// Version of a manifest.
const FORMAT: u64 = 1;

/// The most bytes of a manifest that are read: some five million files.
const MAX_BYTES: u64 = 1 << 30;

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Where it belongs in the state folder, parts separated by `/`.
    pub path: String,
    /// Hash of its bytes.
    pub hash: ContentHash,
    /// Its size.
    pub bytes: u64,
    /// Whether only its owner may read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u64,
    /// From 1.
    pub number: u64,
    /// When it was begun.
    pub time: Timestamp,
    /// The version of each table.
    pub versions: BTreeMap<String, u64>,
    /// Every file.
    pub files: Vec<Kept>,
}

impl Manifest {
    /// An empty one.
    pub(crate) const fn new(number: u64, time: Timestamp) -> Self {
        Self { format: FORMAT, number, time, versions: BTreeMap::new(), files: Vec::new() }
    }

    /// Writes it, in one step.
    pub(crate) fn write(&self, backup: &Path) -> Result<(), LakeError> {
        let text = serde_json::to_string(self).map_err(|error| LakeError::damaged("a manifest", &error))?;
        let sealed = format!("{text}\n{}\n", ContentHash::of(text.as_bytes()));
        durable::write(&path_of(backup, self.number), sealed.as_bytes())
    }

    /// Reads one, with everything that can be wrong with it.
    pub(crate) fn read(path: &Path) -> Result<Self, LakeError> {
        let text = durable::read(path, MAX_BYTES)?.unwrap_or_default();
        let damaged = |detail: &str| LakeError::damaged(path.display().to_string(), detail);
        let text = String::from_utf8(text).map_err(|_| damaged("it is no text"))?;
        let (body, hash) = text.trim_end().rsplit_once('\n').ok_or_else(|| damaged("it does not end with its hash"))?;
        if hash.parse() != Ok(ContentHash::of(body.as_bytes())) {
            return Err(damaged("it does not have the hash that it ends with"));
        }
        let manifest: Self = serde_json::from_str(body).map_err(|error| damaged(&error.to_string()))?;
        if manifest.format > FORMAT {
            let what = path.display().to_string();
            return Err(LakeError::TooNew { what, found: manifest.format, known: FORMAT });
        }
        match manifest.files.iter().find(|kept| !is_plain(&kept.path)) {
            Some(kept) => Err(damaged(&format!("{:?} is not a plain relative path", kept.path))),
            None => Ok(manifest),
        }
    }
}

fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Where the manifest of this number is.
pub(crate) fn path_of(backup: &Path, number: u64) -> PathBuf {
    backup.join(MANIFESTS).join(format!("{number:010}.json"))
}

/// The numbers of the backups in a folder, ascending; what is not a manifest is passed over.
///
/// # Errors
/// When the folder cannot be listed.
pub fn manifests(backup: &Path) -> Result<Vec<u64>, LakeError> {
    let folder = backup.join(MANIFESTS);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LakeError::io("listing", &folder)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(LakeError::io("listing", &folder))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
