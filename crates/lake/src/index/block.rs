//! Rows by the block: columns are read for up to [`BLOCK`] rows at a time.

use std::ops::Deref;

use tantivy::columnar::{Cardinality, Column};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId};

/// How many rows are looked at together.
pub(super) const BLOCK: usize = COLLECT_BLOCK_BUFFER_LEN;

/// Some rows of a segment, ascending.
#[derive(Clone, Debug)]
pub(super) struct Block {
    docs: [DocId; BLOCK],
    length: usize,
}

impl Block {
    pub(super) const fn new() -> Self {
        Self { docs: [0; BLOCK], length: 0 }
    }

    /// The room to fill, to be followed by [`Block::set_length`].
    pub(super) const fn room(&mut self) -> &mut [DocId; BLOCK] {
        &mut self.docs
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.length = length.min(BLOCK);
    }

    /// Keeps the rows that pass; they are asked in order, with their place.
    pub(super) fn retain(&mut self, mut passes: impl FnMut(usize, DocId) -> bool) {
        let mut kept = 0;
        for at in 0..self.length {
            let Some(doc) = self.docs.get(at).copied() else { break };
            if passes(at, doc)
                && let Some(slot) = self.docs.get_mut(kept)
            {
                *slot = doc;
                kept += 1;
            }
        }
        self.length = kept;
    }

    /// The same where a number tells, 1 or 0: nothing is to be guessed by the processor, so it does not matter in what order
    /// rows pass.
    pub(super) fn sift(&mut self, mut passes: impl FnMut(DocId) -> u64) {
        let mut kept = 0;
        for at in 0..self.length {
            let Some(doc) = self.docs.get(at).copied() else { break };
            self.docs.get_mut(kept).into_iter().for_each(|slot| *slot = doc);
            kept += usize::from(passes(doc) > 0);
        }
        self.length = kept;
    }
}

impl Deref for Block {
    type Target = [DocId];

    fn deref(&self) -> &[DocId] {
        self.docs.get(..self.length).unwrap_or_default()
    }
}

/// Hands over the values of a column, row by row, each with the row's place in the block.
pub(super) fn each_value(column: &Column<u64>, docs: &Block, mut take: impl FnMut(usize, u64)) {
    match column.get_cardinality() {
        Cardinality::Full => {
            let mut values = [0; BLOCK];
            let Some(values) = values.get_mut(..docs.len()) else { return };
            column.values.get_vals(docs, values);
            values.iter().enumerate().for_each(|(at, value)| take(at, *value));
        }
        Cardinality::Optional => {
            let mut values = [None; BLOCK];
            let Some(values) = values.get_mut(..docs.len()) else { return };
            column.first_vals(docs, values);
            values.iter().enumerate().for_each(|(at, value)| {
                if let Some(value) = value {
                    take(at, *value);
                }
            });
        }
        Cardinality::Multivalued => {
            for (at, doc) in docs.iter().enumerate() {
                column.values_for_doc(*doc).for_each(|value| take(at, value));
            }
        }
    }
}
