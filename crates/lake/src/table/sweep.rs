//! What a killed writer left behind, and the names that let us tell it from others' files.
//!
//! At a hundred times the data: one listing of the folder at each start of a writer.

use std::collections::HashSet;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::log;
use super::snapshot::Snapshot;
use super::store::{Store, UNFINISHED};
use crate::error::LakeError;

/// Our files begin so; files of other writers are never swept, they may be about to commit them.
const PREFIX: &str = "hinomi-";

/// The name of a file written for this version. The opening keeps writers apart, the label files of one commit.
pub(crate) fn file_name(version: u64, opening: u64, label: &str) -> String {
    format!("{PREFIX}{version:020}-{opening:016x}-{label}.parquet")
}

/// How long a file that stopped counting stays, for readers of older versions: Delta Lake's own default.
pub(crate) const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Removes our files that no commit ever spoke of.
pub(crate) fn sweep(store: &dyn Store, table: &str, snapshot: &Snapshot, now: Timestamp) -> Result<(), LakeError> {
    delete_gone_before(store, table, snapshot, now.minus(RETENTION))?;
    let ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(".parquet");
    sweep_folder(store, table, now, |name| ours(name) && !snapshot.knows(name))?;
    sweep_folder(store, &log::folder(table), now, |name| name.starts_with('.') && name.ends_with(UNFINISHED))
}

/// Removes files that stopped counting before this moment. The log speaks of every file that ever was, so those that
/// still stand are found by a listing; one that it leaves out goes the next time.
pub(crate) fn delete_gone_before(
    store: &dyn Store,
    table: &str,
    snapshot: &Snapshot,
    limit: Timestamp,
) -> Result<(), LakeError> {
    let mut gone: HashSet<&str> = snapshot.gone_before(limit).collect();
    // A listing does not go into folders; files there are other writers'.
    let mut found: Vec<String> = gone.extract_if(|name| name.contains('/')).map(ToOwned::to_owned).collect();
    if !gone.is_empty() {
        store.list(table, &mut |object| {
            found.extend(gone.contains(object.name.as_str()).then_some(object.name));
            Ok(())
        })?;
    }
    found.iter().try_for_each(|name| store.delete(&format!("{table}/{name}")))
}

/// Removes every file that stopped counting, by name: a listing may leave one out.
pub(crate) fn delete_gone(store: &dyn Store, table: &str, snapshot: &Snapshot) -> Result<(), LakeError> {
    snapshot.gone().try_for_each(|name| store.delete(&format!("{table}/{name}")))
}

fn sweep_folder(
    store: &dyn Store,
    folder: &str,
    now: Timestamp,
    stale: impl Fn(&str) -> bool,
) -> Result<(), LakeError> {
    let limit = now.minus(store.settled_after());
    let settled = |modified: Option<Timestamp>| {
        store.settled_after().is_zero() || modified.is_some_and(|modified| modified < limit)
    };
    let mut found = Vec::new();
    store.list(folder, &mut |object| {
        if stale(&object.name) && settled(object.modified) {
            found.push(format!("{folder}/{}", object.name));
        }
        Ok(())
    })?;
    for name in found {
        tracing::info!(file = %store.place(&name).display(), "removing what an interrupted writer left");
        store.delete(&name)?;
    }
    Ok(())
}
