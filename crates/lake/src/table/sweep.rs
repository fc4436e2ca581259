//! What a killed writer left behind, and the names that let us tell it from others' files.
//!
//! At a hundred times the data: one listing of the folder at each start of a writer.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::log::UNFINISHED;
use super::snapshot::Snapshot;
use crate::error::LakeError;

/// Our files begin so; files of other writers are never swept, they may be about to commit them.
const PREFIX: &str = "hinomi-";

/// The name of a file written for this version. The label keeps two attempts at one version apart.
pub(crate) fn file_name(version: u64, label: &str) -> String {
    format!("{PREFIX}{version:020}-{}-{label}.parquet", std::process::id())
}

/// How long a file that stopped counting stays, for readers of older versions: Delta Lake's own default.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Removes our files that no commit ever spoke of, and files that stopped counting long ago.
pub(crate) fn sweep(dir: &Path, log_dir: &Path, snapshot: &Snapshot, now: Timestamp) -> Result<(), LakeError> {
    for name in snapshot.gone_before(now.minus(RETENTION)) {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(LakeError::io("removing", &path)(error)),
            _ => {}
        }
    }
    sweep_folder(dir, |name| name.starts_with(PREFIX) && name.ends_with(".parquet") && !snapshot.knows(name))?;
    sweep_folder(log_dir, |name| name.starts_with('.') && name.ends_with(UNFINISHED))
}

fn sweep_folder(folder: &Path, stale: impl Fn(&str) -> bool) -> Result<(), LakeError> {
    for entry in fs::read_dir(folder).map_err(LakeError::io("listing", folder))? {
        let entry = entry.map_err(LakeError::io("listing", folder))?;
        if entry.file_name().to_str().is_some_and(&stale) {
            let path = entry.path();
            tracing::info!(file = %path.display(), "removing what an interrupted writer left");
            fs::remove_file(&path).map_err(LakeError::io("removing", &path))?;
        }
    }
    Ok(())
}
