//! Which sightings are stored already: exactly, and without a list of all names in memory.
//!
//! A sighting can only be stored in a file whose statistics admit its address and its time. New observations are later
//! than almost everything stored, so a survey asks its own last files and nothing else; an import told again asks the
//! files that hold it. Names of files asked lately are kept, 16 bytes a sighting, at most [`MAX_NAMES`].
//! At a hundred times the data: new observations cost the same; telling an old import again reads the name column of
//! the files of its period, once each while they fit the bound.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use hinomi_model::{Marking, SightingId};

use crate::error::LakeError;
use crate::query::AddressRanges;
use crate::sightings::{self, Row, Run, SIGHTINGS};
use crate::table::columns::Columns;
use crate::table::{DataFile, Rows, Table, read};

/// The most names kept: 64 MB.
const MAX_NAMES: usize = 4_000_000;

/// The most observations of a file whose names are kept; a larger one, made by compaction, is asked for addresses.
const MAX_KEPT: u64 = 500_000;

/// Names of files that were asked lately.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    files: HashMap<String, Arc<[SightingId]>>,
    order: VecDeque<String>,
    names: usize,
}

impl Recent {
    /// Those of these sightings that the table holds.
    pub(crate) fn stored(&mut self, table: &Table, rows: &[Row]) -> Result<HashSet<SightingId>, LakeError> {
        let mut stored = HashSet::new();
        let Some(extent) = sightings::extent(rows) else { return Ok(stored) };
        for file in table.files(|file| file.extent.overlaps(&extent)) {
            let may_hold = |row: &&Row| {
                file.extent.may_hold_time(row.sighting.time.as_micros()) && file.extent.may_hold(row.halves())
            };
            let mut candidates = rows.iter().filter(may_hold).peekable();
            if candidates.peek().is_none() {
                continue;
            }
            if file.looks() > MAX_KEPT {
                stored.extend(asked(table, &file, candidates)?);
                continue;
            }
            let names = self.names_of(table, &file)?;
            stored.extend(candidates.map(|row| row.id).filter(|id| names.binary_search(id).is_ok()));
        }
        Ok(stored)
    }

    fn names_of(&mut self, table: &Table, file: &DataFile) -> Result<Arc<[SightingId]>, LakeError> {
        if let Some(names) = self.files.get(&file.path) {
            return Ok(names.clone());
        }
        let mut names = Vec::new();
        // Names of runs are not stored, they follow from the rest.
        let columns = if file.origin.is_none() { &["id"] } else { sightings::STORED };
        read::read(&table.path(file), columns, Rows::All, &mut |batch| {
            if file.origin.is_some() {
                names.extend(sightings::decode_runs(batch)?.iter().flat_map(Run::ids));
                return Ok(());
            }
            let columns = Columns::new(SIGHTINGS.name, batch);
            for name in columns.texts("id")?.iter().flatten() {
                names.push(name.parse().map_err(|error| LakeError::damaged(SIGHTINGS.name, &error))?);
            }
            Ok(())
        })?;
        names.sort_unstable();
        let names: Arc<[SightingId]> = names.into();
        self.keep(file.path.clone(), names.clone());
        Ok(names)
    }

    fn keep(&mut self, path: String, names: Arc<[SightingId]>) {
        self.names += names.len();
        self.order.push_back(path.clone());
        self.files.insert(path, names);
        while self.names > MAX_NAMES && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { return };
            self.names -= self.files.remove(&oldest).map_or(0, |names| names.len());
        }
    }
}

/// How these sightings are marked in the table, by all that was told of them together.
pub(crate) fn markings<'a>(
    table: &Table,
    rows: impl Iterator<Item = &'a Row>,
) -> Result<HashMap<SightingId, Marking>, LakeError> {
    let wanted: HashMap<SightingId, &Row> = rows.map(|row| (row.id, row)).collect();
    let times: HashSet<_> = wanted.values().map(|row| row.sighting.time).collect();
    let ranges = Arc::new(AddressRanges::new(wanted.values().map(|row| row.sighting.subject.address.into())));
    let may_hold = |file: &DataFile| {
        file.extent.may_touch(&ranges) && times.iter().any(|time| file.extent.may_hold_time(time.as_micros()))
    };
    let mut markings: HashMap<SightingId, Marking> = HashMap::new();
    for file in table.files(may_hold) {
        read::read(&table.path(&file), sightings::STORED, Rows::Within(&ranges), &mut |batch| {
            for run in sightings::decode_runs(batch)? {
                if !run.looks().any(|(time, _)| times.contains(&time)) {
                    continue;
                }
                for id in run.ids().filter(|id| wanted.contains_key(id)) {
                    let told = &run.first.marking;
                    markings
                        .entry(id)
                        .and_modify(|known| *known = known.together(told))
                        .or_insert_with(|| told.clone());
                }
            }
            Ok(())
        })?;
    }
    Ok(markings)
}

/// Those of these sightings that a large file holds: reads the row groups of their addresses.
fn asked<'a>(
    table: &Table,
    file: &DataFile,
    candidates: impl Iterator<Item = &'a Row>,
) -> Result<HashSet<SightingId>, LakeError> {
    let wanted: HashMap<SightingId, &Row> = candidates.map(|row| (row.id, row)).collect();
    let times: HashSet<_> = wanted.values().map(|row| row.sighting.time).collect();
    let addresses = wanted.values().map(|row| row.sighting.subject.address.into());
    let ranges = Arc::new(AddressRanges::new(addresses));
    let mut stored = HashSet::new();
    read::read(&table.path(file), sightings::STORED, Rows::Within(&ranges), &mut |batch| {
        for run in sightings::decode_runs(batch)? {
            if run.looks().any(|(time, _)| times.contains(&time)) {
                stored.extend(run.ids().filter(|id| wanted.contains_key(id)));
            }
        }
        Ok(())
    })?;
    Ok(stored)
}
