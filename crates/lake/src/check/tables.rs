//! The tables: logs, files, and in depth every name that can be computed again.
//!
//! At a hundred times the data: see [`super`].

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::RecordBatch;
use hinomi_model::sighting::content_of;
use hinomi_model::{ContentHash, Outcome, ServiceKey, Timestamp};

use super::{Shelf, ShelfName};
use crate::error::LakeError;
use crate::evidence::{self, EVIDENCE};
use crate::facts::{self, FACTS};
use crate::sightings::{self, Row, SIGHTINGS};
use crate::table::columns::Columns;
use crate::table::definition::Definition;
use crate::table::store::Root;
use crate::table::{DataFile, Rows, Table, read};

/// Addresses whose services are looked up in the index, at most about so many rows of them are remembered.
const MAX_SAMPLE: usize = 100_000;

/// When services of some addresses last answered, by address: what the index must say too.
pub(super) type Sample = BTreeMap<IpAddr, BTreeMap<ServiceKey, Option<Timestamp>>>;

/// First half of a hash: enough to tell pieces apart.
type Prefix = [u8; 16];

struct Checker<'a> {
    deep: bool,
    /// Whether a file was missing that counts no more.
    overtaken: bool,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
    pieces: HashSet<Prefix>,
    sample: Sample,
    sampled_rows: usize,
    /// What the file at hand refers to and is not there.
    missing: Option<String>,
    /// One address in so many is sampled; doubled when the sample is full.
    one_in: u64,
}

/// Sightings, evidence and facts, in this order; none when files were erased meanwhile.
///
/// # Errors
/// When the store does not answer: nothing can be said of what lies there.
pub(super) fn check(
    root: &Root,
    deep: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<(Vec<Shelf>, Sample)>, LakeError> {
    let open = |name, definition: &'static Definition| {
        let mut shelf = Shelf::new(name);
        let table = Table::open(root, definition);
        if let Err(LakeError::Store { .. }) = table {
            return table.map(|table| (shelf, Some(table)));
        }
        if let Err(error) = &table {
            shelf.note(format!("tables/{}/_delta_log", definition.name), error, false);
        }
        Ok((shelf, table.ok()))
    };
    // Evidence is committed before the sightings that refer to it: who opens sightings first misses none.
    let mut opened = [
        open(ShelfName::Sightings, &SIGHTINGS)?,
        open(ShelfName::Evidence, &EVIDENCE)?,
        open(ShelfName::Facts, &FACTS)?,
    ];
    let count = |table: &Option<Table>| table.as_ref().map_or(0, |table| table.files(|_| true).len());
    let total = opened.iter().map(|(_, table)| count(table) as u64).sum();
    let (pieces, sample) = (HashSet::new(), Sample::new());
    let mut checker = Checker {
        deep,
        overtaken: false,
        done: 0,
        total,
        progress,
        pieces,
        sample,
        sampled_rows: 0,
        missing: None,
        one_in: 1,
    };
    // Evidence first: sightings refer to it.
    for at in [1, 0, 2] {
        if let Some((shelf, Some(table))) = opened.get_mut(at) {
            checker.table(shelf, table)?;
        }
    }
    let shelves = opened.into_iter().map(|(shelf, _)| shelf).collect();
    Ok((!checker.overtaken).then_some((shelves, checker.sample)))
}

impl Checker<'_> {
    fn table(&mut self, shelf: &mut Shelf, table: &Table) -> Result<(), LakeError> {
        shelf.version = table.version();
        for (name, error) in table.damaged_checkpoints()? {
            shelf.note(format!("tables/{name}"), &error, false);
        }
        for file in table.files(|_| true) {
            shelf.files += 1;
            shelf.without_sums += u64::from(file.sums.is_none());
            let place = format!("tables/{}/{}", shelf.name.name(), file.path);
            let found = self.file(shelf, table, &file);
            if let Err(error @ LakeError::Store { .. }) = found {
                return Err(error);
            }
            if let Err(error) = found {
                self.overtaken |= self.is_erased(table, &file);
                shelf.note(place, &error, true);
            } else if let Some(missing) = self.missing.take() {
                shelf.note(place, &missing, false);
            }
            self.done += 1;
            (self.progress)(self.done, self.total);
        }
        Ok(())
    }

    /// Whether a file is gone and counts no more: a deletion came first.
    fn is_erased(&self, table: &Table, file: &DataFile) -> bool {
        !table.stands(file) && table.refresh().is_ok() && table.files(|one| one.path == file.path).is_empty()
    }

    fn file(&mut self, shelf: &mut Shelf, table: &Table, file: &Arc<DataFile>) -> Result<(), LakeError> {
        let located = table.path(file);
        let outline = read::outline(&located)?;
        let damaged = |detail: String| Err(LakeError::damaged(file.path.clone(), &detail));
        if outline.bytes != file.bytes {
            return damaged(format!("{} bytes where the log says {}", outline.bytes, file.bytes));
        }
        if outline.rows != file.rows {
            return damaged(format!("{} rows where the log says {}", outline.rows, file.rows));
        }
        shelf.rows += outline.rows;
        if !self.deep {
            return Ok(());
        }
        read::compare_all(&located)?;
        let (columns, rows) = match shelf.name {
            ShelfName::Evidence => (evidence::STORED, Rows::AllBulk),
            ShelfName::Facts => (facts::STORED, Rows::AllBulk),
            _ => (sightings::STORED, Rows::All),
        };
        read::read(&located, columns, rows, &mut |batch| match shelf.name {
            ShelfName::Evidence => self.evidence(batch),
            ShelfName::Facts => self.facts(batch),
            _ => self.sightings(batch),
        })
    }

    /// Reading evidence computes every hash again.
    fn evidence(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        evidence::decode(&Columns::new(EVIDENCE.name, batch), &mut |hash, _| {
            self.pieces.insert(prefix(&hash));
        })
    }

    fn facts(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        for row in facts::decode(&Columns::new(FACTS.name, batch))? {
            if content_of(&row.evidence) != row.content {
                return Err(LakeError::damaged(format!("content {}", row.content), "its evidence has another name"));
            }
            self.refers(row.evidence.iter().map(|one| &one.hash), &row.content);
        }
        Ok(())
    }

    fn sightings(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        for row in sightings::decode(batch)? {
            let damaged = |detail: &str| Err(LakeError::damaged(format!("sighting {}", row.id), detail));
            if row.sighting.id() != row.id {
                return damaged("what it says has another name");
            }
            if row.sighting.content() != row.content {
                return damaged("its evidence has another name");
            }
            self.refers(row.sighting.evidence.iter().map(|one| &one.hash), &row.id);
            self.remember(&row);
        }
        Ok(())
    }

    /// That evidence is missing is no fault of the file that refers to it.
    fn refers<'h>(&mut self, mut hashes: impl Iterator<Item = &'h ContentHash>, who: &impl std::fmt::Display) {
        if let Some(hash) = hashes.find(|hash| !self.pieces.contains(&prefix(hash))) {
            let tell = || format!("{who} refers to evidence {hash}, which is not stored whole");
            self.missing.get_or_insert_with(tell);
        }
    }

    fn remember(&mut self, row: &Row) {
        let seen = &row.sighting;
        if !is_sampled(seen.subject.address, self.one_in) {
            return;
        }
        let last = self.sample.entry(seen.subject.address).or_default().entry(seen.subject).or_insert_with(|| {
            self.sampled_rows += 1;
            None
        });
        if seen.outcome != Outcome::Closed {
            *last = (*last).max(Some(seen.time));
        }
        while self.sampled_rows > MAX_SAMPLE {
            self.one_in *= 2;
            self.sample.retain(|address, _| is_sampled(*address, self.one_in));
            self.sampled_rows = self.sample.values().map(BTreeMap::len).sum();
        }
    }
}

/// Whether an address is among those looked at, one in so many of them.
fn is_sampled(address: IpAddr, one_in: u64) -> bool {
    let hash = ContentHash::of(&hinomi_model::address::to_u128(address).to_be_bytes());
    let number = hash.as_bytes().first_chunk::<8>().copied().map_or(0, u64::from_le_bytes);
    number.is_multiple_of(one_in)
}

fn prefix(hash: &ContentHash) -> Prefix {
    hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default()
}
