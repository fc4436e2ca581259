//! Checkpoints of the log: what it came to at a version, so that opening reads that and the commits after it.
//!
//! ```text
//!   _delta_log/<version>.checkpoint.parquet    the actions that count (Delta Lake protocol, "Checkpoints", classic, V1)
//!   _delta_log/_hinomi.<version>.json          its companion: what a checkpoint cannot say, and its hash; sealed
//!   _delta_log/_last_checkpoint                which is the newest; replaced in one step, after the two
//! ```
//!
//! - A checkpoint has no `commitInfo`, and the texts of campaigns' positions are in there: the companion holds the newest
//!   of each, and how often rows were removed. The version that added or removed a file is a tag of its action.
//! - A checkpoint counts for us when its companion is whole and names its hash; those of other engines have none and are
//!   passed over. One that is damaged is passed over too, for the one before it or for the commits; where neither
//!   stands, the table is refused.
//! - `_last_checkpoint` is read by name, at the start and whenever a commit is missing: commits go only after the
//!   checkpoint that replaces them is named there, so that a log that begins later is never taken for one that ends.
//! - A new one is due after [`EVERY`] commits, later where the last was large ([`BYTES_A_COMMIT`]). Of older ones fewer
//!   stand the older they are.
//!
//! At a hundred times the data: writing is a share of what was committed since, about 64 KiB a commit; opening reads the
//! newest checkpoint whole, about a hundred bytes and the sums of a file, and at most so many commits as were not due.

mod rows;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::log::{self, Line};
use super::seal;
use super::store::Store;
use crate::error::LakeError;

pub(crate) use write::write;

/// A checkpoint is due after so many commits.
pub(crate) const EVERY: u64 = 128;

/// And not before so many bytes of the last one were outweighed by each commit since.
const BYTES_A_COMMIT: u64 = 64 << 10;

/// The most bytes of a checkpoint.
const MAX_BYTES: u64 = 2 << 30;

/// The most bytes of a companion: some positions of campaigns may be a megabyte.
const MAX_COMPANION_BYTES: u64 = 256 << 20;

/// The most bytes of what says which is the newest.
const MAX_LAST_BYTES: u64 = 1 << 20;

/// Version of a companion.
const FORMAT: u64 = 1;

/// The tag of an action that says in which version it was.
const VERSION: &str = "hinomi.version";

/// What a checkpoint cannot say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Companion {
    format: u64,
    /// The version that both are of.
    pub(crate) version: u64,
    /// Hash of the checkpoint.
    pub(crate) hash: ContentHash,
    /// Its size.
    pub(crate) bytes: u64,
    /// Actions in it.
    actions: u64,
    /// How often a file stopped counting together with its rows.
    pub(crate) removals: u64,
    /// The newest version that took a file away which is deleted by now: nothing before it can be read whole.
    pub(crate) horizon: u64,
    /// The first version whose commit may still stand.
    pub(crate) begins: u64,
    /// The latest moment that any commit until here says, in milliseconds.
    pub(crate) latest: Option<i64>,
    /// The newest note of each application, with its version.
    notes: BTreeMap<String, (u64, String)>,
    /// Checkpoints that stand, ascending, this one included: version and latest moment.
    pub(crate) standing: Vec<(u64, Option<i64>)>,
}

impl Companion {
    /// The newest note of an application until this version.
    pub(crate) fn note(&self, application: &str) -> Option<&str> {
        self.notes.get(application).map(|(_, text)| text.as_str())
    }
}

/// What is known of a table beside its actions when a checkpoint is written.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The version to write.
    pub(crate) version: u64,
    /// See [`Companion`].
    pub(crate) removals: u64,
    /// See [`Companion`].
    pub(crate) horizon: u64,
    /// See [`Companion`].
    pub(crate) begins: u64,
    /// See [`Companion`].
    pub(crate) latest: Option<i64>,
    /// Files that stopped counting before this moment are deleted, in milliseconds: nothing is said of them any more.
    pub(crate) deleted_before: i64,
    /// Whether older versions are to be forgotten.
    pub(crate) alone: bool,
}

/// Whether one is due, so many commits after one of so many bytes.
pub(crate) const fn is_due(commits: u64, bytes: u64) -> bool {
    commits >= EVERY && commits.saturating_mul(BYTES_A_COMMIT) >= bytes
}

fn checkpoint_name(table: &str, version: u64) -> String {
    format!("{}/{version:020}.checkpoint.parquet", log::folder(table))
}

fn companion_name(table: &str, version: u64) -> String {
    format!("{}/_hinomi.{version:020}.json", log::folder(table))
}

fn last_name(table: &str) -> String {
    format!("{}/_last_checkpoint", log::folder(table))
}

/// The version that `_last_checkpoint` names, whoever wrote it; where it is damaged, the newest that a listing shows.
pub(crate) fn last(store: &dyn Store, table: &str) -> Result<Option<u64>, LakeError> {
    #[derive(Deserialize)]
    struct Last {
        version: u64,
    }
    let Some(bytes) = store.get(&last_name(table), MAX_LAST_BYTES)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).ok().filter(|text| seal::holds(text));
    match text.and_then(|text| serde_json::from_str::<Last>(text).ok()) {
        Some(last) => Ok(Some(last.version)),
        None => Ok(listed(store, table)?.last().copied()),
    }
}

/// A checkpoint and its companion, whole.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) companion: Companion,
    pub(crate) lines: Vec<Line>,
}

/// The checkpoint of this version; none where there is no companion.
pub(crate) fn read(store: &dyn Store, table: &str, version: u64) -> Result<Option<Checkpoint>, LakeError> {
    let Some(companion) = read_companion(store, table, version)? else { return Ok(None) };
    let name = checkpoint_name(table, version);
    let damaged = |detail: &str| LakeError::damaged(store.place(&name).display().to_string(), detail);
    let bytes = store.get(&name, MAX_BYTES)?.ok_or_else(|| damaged("it is missing"))?;
    if bytes.len() as u64 != companion.bytes || ContentHash::of(&bytes) != companion.hash {
        return Err(damaged("its bytes are not those that were written"));
    }
    let lines = rows::read(bytes.into()).map_err(|error| damaged(&error.to_string()))?;
    let is_action = |line: &&Line| {
        [
            line.add.is_some(),
            line.remove.is_some(),
            line.txn.is_some(),
            line.meta_data.is_some(),
            line.protocol.is_some(),
        ]
        .iter()
        .filter(|there| **there)
        .count()
            == 1
    };
    let count = lines.iter().filter(is_action).count() as u64;
    if count != companion.actions {
        return Err(damaged(&format!("{count} actions where {} were written", companion.actions)));
    }
    Ok(Some(Checkpoint { companion, lines }))
}

/// The companion of a version, when it stands.
pub(crate) fn read_companion(store: &dyn Store, table: &str, version: u64) -> Result<Option<Companion>, LakeError> {
    let name = companion_name(table, version);
    let Some(bytes) = store.get(&name, MAX_COMPANION_BYTES)? else { return Ok(None) };
    let damaged = |detail: &str| LakeError::damaged(store.place(&name).display().to_string(), detail);
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
    let (body, hash) = text.trim_end().rsplit_once('\n').ok_or_else(|| damaged("it does not end with its hash"))?;
    if hash.parse() != Ok(ContentHash::of(body.as_bytes())) {
        return Err(damaged("it does not have the hash that it ends with"));
    }
    #[derive(Deserialize)]
    struct Version {
        format: u64,
    }
    let stated: Version = serde_json::from_str(body).map_err(|error| damaged(&error.to_string()))?;
    if stated.format > FORMAT {
        let what = store.place(&name).display().to_string();
        return Err(LakeError::TooNew { what, found: stated.format, known: FORMAT });
    }
    let companion: Companion = serde_json::from_str(body).map_err(|error| damaged(&error.to_string()))?;
    if companion.version == version { Ok(Some(companion)) } else { Err(damaged("it is of another version")) }
}

/// What was found to begin with.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The newest checkpoint that is whole and wanted.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// What is wrong with newer ones.
    pub(crate) damaged: Vec<LakeError>,
}

/// The newest whole checkpoint: the one that `_last_checkpoint` names, or what a listing shows.
pub(crate) fn newest(store: &dyn Store, table: &str) -> Result<Found, LakeError> {
    let mut found = Found::default();
    if let Some(version) = last(store, table)?
        && found.take(read(store, table, version))?
    {
        return Ok(found);
    }
    for version in listed(store, table)?.into_iter().rev() {
        if found.take(read(store, table, version))? {
            break;
        }
    }
    Ok(found)
}

/// The newest whole checkpoint among those that are wanted.
pub(crate) fn newest_of(
    store: &dyn Store,
    table: &str,
    wanted: impl Fn(u64, Option<i64>) -> bool,
) -> Result<Found, LakeError> {
    let mut found = newest(store, table)?;
    let Some(newest) = found.checkpoint.take() else { return Ok(found) };
    let standing = newest.companion.standing.clone();
    if standing.last().is_some_and(|(version, latest)| wanted(*version, *latest)) {
        found.checkpoint = Some(newest);
        return Ok(found);
    }
    for (version, _) in standing.into_iter().rev().filter(|(version, latest)| wanted(*version, *latest)) {
        if found.take(read(store, table, version))? {
            break;
        }
    }
    Ok(found)
}

impl Found {
    /// Takes one when it is whole; tells whether it is.
    fn take(&mut self, read: Result<Option<Checkpoint>, LakeError>) -> Result<bool, LakeError> {
        match read {
            Ok(read) => self.checkpoint = read,
            Err(error @ LakeError::Damaged { .. }) => {
                tracing::warn!(%error, "this checkpoint is passed over");
                self.damaged.push(error);
            }
            Err(error) => return Err(error),
        }
        Ok(self.checkpoint.is_some())
    }
}

/// The versions whose companions a listing shows.
fn listed(store: &dyn Store, table: &str) -> Result<BTreeSet<u64>, LakeError> {
    let mut versions = BTreeSet::new();
    store.list(&log::folder(table), &mut |object| {
        versions.extend(companion_version(&object.name));
        Ok(())
    })?;
    Ok(versions)
}

fn companion_version(name: &str) -> Option<u64> {
    name.strip_prefix("_hinomi.")?.strip_suffix(".json")?.parse().ok()
}

/// Everything that is wrong with checkpoints that stand.
pub(crate) fn damages(store: &dyn Store, table: &str) -> Result<Vec<(String, LakeError)>, LakeError> {
    let mut found = Vec::new();
    for version in listed(store, table)? {
        match read(store, table, version) {
            Ok(_) => {}
            Err(error @ LakeError::Damaged { .. }) => found.push((checkpoint_name(table, version), error)),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Takes away the checkpoint of this name and its companion, so that it is made anew.
pub(crate) fn discard(store: &dyn Store, table: &str, name: &str) -> Result<(), LakeError> {
    let file = name.rsplit('/').next().unwrap_or_default();
    let Some(version) = file.strip_suffix(".checkpoint.parquet").and_then(|digits| digits.parse().ok()) else {
        return Ok(());
    };
    if last(store, table)? == Some(version) {
        store.delete(&last_name(table))?;
    }
    store.delete(&companion_name(table, version))?;
    store.delete(&checkpoint_name(table, version))
}

/// The names of a checkpoint and its companion.
pub(crate) fn names(table: &str, version: u64) -> [String; 2] {
    [checkpoint_name(table, version), companion_name(table, version)]
}

/// What says which checkpoint is the newest.
pub(crate) fn pointer(table: &str, base: &Companion) -> (String, Vec<u8>) {
    let Companion { version, actions, bytes, .. } = base;
    let told = json!({ "version": version, "size": actions, "sizeInBytes": bytes, (seal::FIELD): seal::ZEROS });
    (last_name(table), seal::seal(told.to_string()).into_bytes())
}

/// The version that an action was in, as it says itself.
pub(crate) fn version_of(tags: Option<&BTreeMap<String, Option<String>>>) -> Option<u64> {
    tags?.get(VERSION)?.as_deref()?.parse().ok()
}

/// Deletes commits and checkpoints before a version, as far as a listing shows them, at most so many; how many. The
/// checkpoint of that version stands and is named.
pub(crate) fn expire(store: &dyn Store, table: &str, first: u64, most: usize) -> Result<u64, LakeError> {
    let folder = log::folder(table);
    let mut old = Vec::new();
    store.list(&folder, &mut |object| {
        old.extend(version_in(&object.name).is_some_and(|version| version < first).then_some(object.name));
        Ok(())
    })?;
    // Ascending: what a kill leaves is a log without gaps.
    old.sort_unstable_by_key(|name| version_in(name));
    old.truncate(most);
    old.iter().try_for_each(|name| store.delete(&format!("{folder}/{name}")))?;
    Ok(old.len() as u64)
}

/// The same by name, from a version on: a listing may leave one out.
pub(crate) fn expire_all(store: &dyn Store, table: &str, begins: u64, first: u64) -> Result<u64, LakeError> {
    let told = expire(store, table, first, usize::MAX)?;
    (begins..first).try_for_each(|version| store.delete(&log::commit_name(table, version)))?;
    Ok(told)
}

/// The version that an object of the log is of, whichever engine wrote it.
fn version_in(name: &str) -> Option<u64> {
    companion_version(name).or_else(|| name.split('.').next()?.parse().ok())
}

#[cfg(test)]
mod tests;
