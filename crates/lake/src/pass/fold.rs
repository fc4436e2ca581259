//! Rows with one key become one row: as they come, and out of sorted rows.
//!
//! Merging is associative and commutative, so that rows may be merged here, at an executor, or in both places.
//! At a hundred times the data: memory is [`MAX_BYTES`], whatever comes; a group of equal keys is one row at any time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Pass;
use super::row::{Cell, Row};
use crate::error::LakeError;

/// Bytes of rows that are gathered at once, about.
const MAX_BYTES: usize = 32 << 20;

/// Gathers rows in any order and hands them on sorted, each key once, whenever there are enough.
pub(crate) struct Fold<'p> {
    pass: &'p dyn Pass,
    rows: BTreeMap<Vec<u8>, Vec<Cell>>,
    bytes: usize,
    max_bytes: usize,
}

impl<'p> Fold<'p> {
    /// By the merge of this pass.
    pub(crate) fn new(pass: &'p dyn Pass) -> Self {
        Self { pass, rows: BTreeMap::new(), bytes: 0, max_bytes: MAX_BYTES }
    }

    /// The same with another bound.
    #[cfg(test)]
    pub(crate) fn within(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Takes one row. Gives rows when there are enough: sorted, each key once.
    pub(crate) fn take(&mut self, row: Row) -> Result<Option<Vec<Row>>, LakeError> {
        self.bytes += row.weight();
        match self.rows.entry(row.key) {
            Entry::Vacant(free) => drop(free.insert(row.cells)),
            Entry::Occupied(mut there) => {
                let key = there.key().clone();
                let mut into = Row { key: key.clone(), cells: std::mem::take(there.get_mut()) };
                let before = into.weight();
                let other = Row { key, cells: row.cells };
                let came = other.weight();
                self.pass.merge(&mut into, other)?;
                self.bytes = (self.bytes + into.weight()).saturating_sub(before + came);
                *there.get_mut() = into.cells;
            }
        }
        Ok((self.bytes >= self.max_bytes).then(|| self.rest()))
    }

    /// What is left.
    pub(crate) fn rest(&mut self) -> Vec<Row> {
        self.bytes = 0;
        std::mem::take(&mut self.rows).into_iter().map(|(key, cells)| Row { key, cells }).collect()
    }
}

/// Merges rows that come sorted by key.
pub(crate) struct Sorted<'p> {
    pass: &'p dyn Pass,
    here: Option<Row>,
    merged: u64,
}

impl<'p> Sorted<'p> {
    /// By the merge of this pass.
    pub(crate) const fn new(pass: &'p dyn Pass) -> Self {
        Self { pass, here: None, merged: 0 }
    }

    /// Takes the next row; gives the one before when its key is done.
    pub(crate) fn take(&mut self, row: Row) -> Result<Option<Row>, LakeError> {
        match &mut self.here {
            Some(here) if here.key == row.key => {
                self.merged += 1;
                self.pass.merge(here, row)?;
                Ok(None)
            }
            Some(here) if here.key > row.key => {
                Err(LakeError::damaged("rows to be merged", "they are not sorted by their key"))
            }
            here => Ok(here.replace(row)),
        }
    }

    /// The last one, and how many rows went into others.
    pub(crate) fn finish(self) -> (Option<Row>, u64) {
        (self.here, self.merged)
    }
}
