//! What the last checkpoint and the commits since come to, as the next one.
//!
//! Action reconciliation of the Delta Lake protocol: the newest of each kind counts, what was taken away is said as long as
//! its file may stand. At a hundred times the data: the actions of the table are in memory while it is written.

use std::collections::BTreeMap;

use hinomi_model::ContentHash;

use super::{
    Checkpoint, Companion, EVERY, FORMAT, Known, VERSION, checkpoint_name, companion_name, last as last_of, listed,
    names, newest_of, pointer, read_companion, rows,
};
use crate::error::LakeError;
use crate::table::log::{self, Add, Line, MetaData, Note, Protocol, Remove, Transaction};
use crate::table::store::Store;

/// Writes the checkpoint of a version: what the last one and the commits since come to.
pub(crate) fn write(store: &dyn Store, table: &str, known: &Known) -> Result<Companion, LakeError> {
    let begun = newest_of(store, table, |version, _| version <= known.version)?.checkpoint;
    let mut standing = begun.as_ref().map(|begun| begun.companion.standing.clone()).unwrap_or_default();
    let state = replayed(store, table, begun, known.version)?;
    let notes = state.notes.clone();
    let lines = state.lines(known.deleted_before);
    let name = checkpoint_name(table, known.version);
    let refuse = |error: parquet::errors::ParquetError| LakeError::parquet("writing", &store.place(&name))(error);
    let bytes = rows::write(&lines).map_err(refuse)?;
    let dropped = thin(&mut standing, known);
    standing.push((known.version, known.latest));
    let companion = Companion {
        format: FORMAT,
        version: known.version,
        hash: ContentHash::of(&bytes),
        bytes: bytes.len() as u64,
        actions: lines.len() as u64,
        removals: known.removals,
        horizon: known.horizon,
        begins: if known.alone { known.version } else { known.begins },
        latest: known.latest,
        notes,
        standing,
    };
    let text = serde_json::to_string(&companion).map_err(|error| LakeError::damaged("a companion", &error))?;
    store.replace(&name, &bytes)?;
    let sealed = format!("{text}\n{}\n", ContentHash::of(text.as_bytes()));
    store.replace(&companion_name(table, known.version), sealed.as_bytes())?;
    let (last, told) = pointer(table, &companion);
    // Another server may have gone on, and taken away what follows this version: the newest is named, never an older one.
    if last_of(store, table)?.is_none_or(|newest| newest <= known.version) {
        store.replace(&last, &told)?;
    }
    if log::read(store, table, known.version)?.is_none() {
        // Ours speaks of what was erased; the companion first, as below.
        names(table, known.version).into_iter().rev().try_for_each(|name| store.delete(&name))?;
        name_newest(store, table)?;
        return Err(LakeError::Crossed { table: "the log" });
    }
    // The companion first: a checkpoint without one is nobody's.
    for name in dropped.into_iter().flat_map(|version| names(table, version).into_iter().rev()) {
        store.delete(&name)?;
    }
    Ok(companion)
}

/// Names the newest checkpoint that stands: the commits that follow ours were replaced while it was written.
fn name_newest(store: &dyn Store, table: &str) -> Result<(), LakeError> {
    let Some(newest) = listed(store, table)?.last().copied() else { return Ok(()) };
    let Some(companion) = read_companion(store, table, newest)? else { return Ok(()) };
    let (last, told) = pointer(table, &companion);
    store.replace(&last, &told)
}

/// Leaves fewer checkpoints the older they are, by the number of twos in theirs, the last one, and the one that the log
/// begins with; which go. What lies between is read from commits.
fn thin(standing: &mut Vec<(u64, Option<i64>)>, known: &Known) -> Vec<u64> {
    standing.retain(|(version, _)| *version < known.version && *version >= known.begins && !known.alone);
    let last = standing.last().map(|(version, _)| *version);
    let stays = |version: u64| {
        let (place, age) = (version / EVERY, (known.version - version) / EVERY);
        Some(version) == last || version == known.begins || age >> place.trailing_zeros().min(63) < 2
    };
    standing.extract_if(.., |(version, _)| !stays(*version)).map(|(version, _)| version).collect()
}

fn replayed(store: &dyn Store, table: &str, begun: Option<Checkpoint>, version: u64) -> Result<State, LakeError> {
    let (mut state, mut next) = (State::default(), 0);
    if let Some(Checkpoint { companion, lines }) = begun {
        next = companion.version + 1;
        state.take(companion.version, lines);
        state.notes = companion.notes;
    }
    for version in next..=version {
        let missing = || LakeError::damaged(table, &format!("commit {version} is missing"));
        state.take(version, log::read(store, table, version)?.ok_or_else(missing)?);
    }
    Ok(state)
}

/// The actions that count.
#[derive(Debug, Default)]
struct State {
    protocol: Option<Protocol>,
    meta_data: Option<MetaData>,
    adds: BTreeMap<String, Add>,
    removes: BTreeMap<String, Remove>,
    transactions: BTreeMap<String, Transaction>,
    notes: BTreeMap<String, (u64, String)>,
}

impl State {
    fn take(&mut self, version: u64, lines: Vec<Line>) {
        if let Some(Note { application, text }) = log::note_of(&lines) {
            self.notes.insert(application, (version, text));
        }
        for line in lines {
            self.protocol = line.protocol.or(self.protocol.take());
            self.meta_data = line.meta_data.or(self.meta_data.take());
            if let Some(mut remove) = line.remove {
                tag(&mut remove.tags, version);
                self.adds.remove(&remove.path);
                self.removes.insert(remove.path.clone(), remove);
            }
            if let Some(mut add) = line.add {
                tag(&mut add.tags, version);
                add.data_change = false;
                self.removes.remove(&add.path);
                self.adds.insert(add.path.clone(), add);
            }
            if let Some(txn) = line.txn {
                self.transactions.insert(txn.app_id.clone(), txn);
            }
        }
    }

    fn lines(self, deleted_before: i64) -> Vec<Line> {
        // As in the snapshot: what has no time is of another engine, and that engine's to delete.
        let is_past = |remove: &Remove| remove.deletion_timestamp.is_none_or(|millis| millis < deleted_before);
        let mut lines = vec![
            Line { protocol: self.protocol, ..Line::default() },
            Line { meta_data: self.meta_data, ..Line::default() },
        ];
        lines.retain(|line| line.protocol.is_some() || line.meta_data.is_some());
        lines.extend(self.transactions.into_values().map(|txn| Line { txn: Some(txn), ..Line::default() }));
        lines.extend(self.adds.into_values().map(|add| Line { add: Some(add), ..Line::default() }));
        let standing = self.removes.into_values().filter(|remove| !is_past(remove));
        lines.extend(standing.map(|remove| Line { remove: Some(remove), ..Line::default() }));
        lines
    }
}

/// An action that is tagged already comes out of a checkpoint, and was in an earlier version.
fn tag(tags: &mut Option<BTreeMap<String, Option<String>>>, version: u64) {
    let tags = tags.get_or_insert_default();
    tags.entry(VERSION.to_owned()).or_insert_with(|| Some(version.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_checkpoints_become_fewer_and_some_stand_of_every_age() {
        let mut standing: Vec<(u64, Option<i64>)> = Vec::new();
        for number in 1..=2_000_u64 {
            let version = number * EVERY - 1;
            let known =
                Known { version, removals: 0, horizon: 0, begins: 0, latest: None, deleted_before: 0, alone: false };
            let before = standing.len();
            let dropped = thin(&mut standing, &known);
            assert_eq!(before, standing.len() + dropped.len());
            assert!(number == 1 || standing.last().is_some_and(|(last, _)| *last == version - EVERY));
            standing.push((version, None));
            assert!(standing.len() <= 26, "{}", standing.len());
        }
        let ages: Vec<u64> = standing.iter().rev().map(|(version, _)| 2_000 - version / EVERY).collect();
        let is_dense = |pair: &[u64]| pair[1] <= pair[0].max(1) * 3 + 2;
        assert!(ages.windows(2).all(is_dense), "{ages:?}");
    }
}
