//! Columns unpacked: one number a row, for questions that look at many rows.
//!
//! A column of the index takes as few bits as its values need, and rows without a value none: reading one number takes some ten
//! nanoseconds, unpacked one. What a broad question reads is unpacked and kept, so that the next one finds it.
//!
//! At a hundred times the data: [`MAX_BYTES`] in all, with the words of [`super::letters`]; what finds no room any more stays packed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tantivy::DocId;
use tantivy::columnar::{Cardinality, Column};

use super::block::{BLOCK, Block, each_value};

/// The most memory for all of them, in bytes.
const MAX_BYTES: usize = 256 << 20;
/// A column is unpacked for a question that looks at one row in so many.
const WORTH_IN: u64 = 16;

/// How much room is taken.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

/// Some of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// Takes so many bytes, where they are there.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        let taken = Taken { room: Arc::clone(self), bytes };
        (self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MAX_BYTES).then_some(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A column, unpacked.
#[derive(Debug)]
pub(super) struct Plain {
    numbers: Unpacked,
    _taken: Taken,
}

/// The greatest number stands for none.
#[derive(Debug)]
enum Unpacked {
    Short(Box<[u16]>),
    Long(Box<[u32]>),
}

impl Plain {
    /// Whether a question that looks at so many rows is worth it.
    pub(super) fn is_worth(column: &Column<u64>, rows: u64) -> bool {
        rows.saturating_mul(WORTH_IN) >= u64::from(column.num_docs())
    }

    /// Unpacks a column; none where rows have several values, values are too great, or there is no room.
    pub(super) fn of(column: &Column<u64>, room: &Arc<Room>) -> Option<Self> {
        let greatest = column.max_value();
        let is_short = greatest < u64::from(u16::MAX);
        if column.get_cardinality() == Cardinality::Multivalued || greatest >= u64::from(u32::MAX) {
            return None;
        }
        let rows = usize::try_from(column.num_docs()).ok()?;
        let taken = room.take(rows * if is_short { 2 } else { 4 })?;
        let numbers = match is_short {
            true => Unpacked::Short(unpack(column, rows, u16::MAX, |number| u16::try_from(number).ok())),
            false => Unpacked::Long(unpack(column, rows, u32::MAX, |number| u32::try_from(number).ok())),
        };
        Some(Self { numbers, _taken: taken })
    }
}

fn unpack<T: Copy>(column: &Column<u64>, rows: usize, none: T, narrow: impl Fn(u64) -> Option<T>) -> Box<[T]> {
    let mut numbers = vec![none; rows];
    let (mut block, mut from) = (Block::new(), 0);
    for part in numbers.chunks_mut(BLOCK) {
        for (slot, doc) in block.room().iter_mut().zip(from..).take(part.len()) {
            *slot = doc;
        }
        block.set_length(part.len());
        each_value(column, &block, |at, number| {
            if let (Some(slot), Some(number)) = (part.get_mut(at), narrow(number)) {
                *slot = number;
            }
        });
        from += BLOCK as DocId;
    }
    numbers.into()
}

/// The numbers of rows, packed or not.
#[derive(Clone)]
pub(super) enum Numbers {
    Packed(Column<u64>),
    Plain(Arc<Plain>),
}

impl Numbers {
    /// Hands over the numbers of a block, row by row, each with the row's place in it.
    pub(super) fn each(&self, docs: &Block, mut take: impl FnMut(usize, u64)) {
        let plain = match self {
            Self::Packed(column) => return each_value(column, docs, take),
            Self::Plain(plain) => plain,
        };
        let place = |doc: DocId| usize::try_from(doc).unwrap_or(usize::MAX);
        match &plain.numbers {
            Unpacked::Short(numbers) => {
                for (at, doc) in docs.iter().enumerate() {
                    let number = numbers.get(place(*doc)).copied().filter(|number| *number < u16::MAX);
                    number.into_iter().for_each(|number| take(at, u64::from(number)));
                }
            }
            Unpacked::Long(numbers) => {
                for (at, doc) in docs.iter().enumerate() {
                    let number = numbers.get(place(*doc)).copied().filter(|number| *number < u32::MAX);
                    number.into_iter().for_each(|number| take(at, u64::from(number)));
                }
            }
        }
    }
}
