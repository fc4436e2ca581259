//! Tables of a backup into an object store.
//!
//! A log that does not begin is refused by who opens it, so that what it begins with is put last: a restore that was
//! interrupted leaves no table. At a hundred times the data: one object at a time, a draft of it on the disk.

use std::path::Path;
use std::sync::Arc;

use hinomi_model::{Clock, ContentHash};

use super::manifest::{Kept, Manifest};
use crate::durable;
use crate::error::LakeError;
use crate::evidence::EVIDENCE;
use crate::facts::FACTS;
use crate::sightings::SIGHTINGS;
use crate::table::store::{Claim, Put, Root};

/// The most bytes of an object of a log.
const MAX_LOG_BYTES: u64 = 2 << 30;

/// What a state folder that was used has, beside what a backup brings.
const USED: &[&str] = &["tables", "index", "writer", "lock"];

/// Whether the settings of an object store lie in this folder.
pub(super) fn is_remote(state: &Path) -> bool {
    state.join("lake.toml").exists()
}

/// The store that the settings of this folder name, when neither holds anything yet.
pub(super) fn open_empty(state: &Path, manifest: &Manifest, clock: &Arc<dyn Clock>) -> Result<Root, LakeError> {
    let brought = manifest.files.iter().map(|kept| kept.path.as_str()).filter(|path| !path.starts_with("tables/"));
    if let Some(there) = USED.iter().copied().chain(brought).find(|path| state.join(path).exists()) {
        let told = "restore into a folder that holds nothing but lake.toml and the keys that it names";
        return Err(LakeError::Unfit { detail: format!("{} has {there} already; {told}", state.display()) });
    }
    let root = Root::of_state(state, &Claim::Nothing, clock)?;
    for table in [SIGHTINGS.name, EVIDENCE.name, FACTS.name] {
        let mut found = root.get(&format!("{table}/_delta_log/{:020}.json", 0), MAX_LOG_BYTES)?.is_some();
        for folder in [table.to_owned(), format!("{table}/_delta_log")] {
            root.list(&folder, &mut |_| {
                found = true;
                Ok(())
            })?;
        }
        if found {
            let place = root.place(table);
            let detail = format!("{} is not empty; delete what is there, or name another prefix", place.display());
            return Err(LakeError::Unfit { detail });
        }
    }
    Root::of_state(state, &Claim::Alone, clock)
}

/// Files in the order in which they are brought back.
pub(super) fn in_order(files: &[Kept]) -> Vec<&Kept> {
    let mut files: Vec<&Kept> = files.iter().collect();
    files.sort_by_key(|kept| rank(&kept.path));
    files
}

fn rank(path: &str) -> u8 {
    let Some((_, name)) = path.split_once("/_delta_log/") else { return 0 };
    match name {
        "_last_checkpoint" => 3,
        _ if name.trim_start_matches('0') == ".json" || name.starts_with("_hinomi.") => 2,
        _ => 1,
    }
}

/// Makes a file of the backup an object; hash and size of what was put.
pub(super) fn put(root: &Root, from: &Path, object: &str, kept: &Kept) -> Result<(ContentHash, u64), LakeError> {
    if rank(&kept.path) == 0 {
        let draft = root.draft(object);
        let told = durable::copy(from, &draft, false)?;
        if told == (kept.hash, kept.bytes) {
            root.publish(object)?;
        }
        return Ok(told);
    }
    let bytes = durable::read(from, MAX_LOG_BYTES)?.unwrap_or_default();
    let told = (ContentHash::of(&bytes), bytes.len() as u64);
    if told == (kept.hash, kept.bytes) && root.put_if_absent(object, &bytes)? == Put::Taken {
        let detail = "somebody else writes there; restore when nobody does, under an empty prefix";
        return Err(LakeError::Unfit { detail: format!("{}: {detail}", root.place(object).display()) });
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_begins_with_comes_last() {
        let paths = [
            "tables/facts/_delta_log/_last_checkpoint",
            "tables/facts/_delta_log/00000000000000000000.json",
            "tables/facts/_delta_log/_hinomi.00000000000000000010.json",
            "tables/facts/_delta_log/00000000000000000010.checkpoint.parquet",
            "tables/facts/_delta_log/00000000000000000010.json",
            "tables/facts/hinomi-1.parquet",
            "trust.txt",
        ];
        let kept =
            |path: &&str| Kept { path: (*path).to_owned(), hash: ContentHash::of(b""), bytes: 0, private: false };
        let files: Vec<_> = paths.iter().map(kept).collect();
        let told: Vec<_> = in_order(&files).into_iter().map(|kept| kept.path.as_str()).collect();
        assert_eq!(told, [paths[5], paths[6], paths[3], paths[4], paths[1], paths[2], paths[0]]);
    }
}
