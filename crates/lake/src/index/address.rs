//! Addresses of one segment as small numbers that sort like them.
//!
//! The column keeps addresses squeezed to 32 bits, gaps left out, in their order. Comparing and looking up work on
//! these numbers; the 128 bits are put together again only for what is shown.

use std::sync::Arc;

use tantivy::columnar::column_values::{CompactHit, CompactSpaceU64Accessor};
use tantivy::columnar::{Column, ColumnType};
use tantivy::{DocId, SegmentReader, TantivyError};

use super::schema::column;

/// The addresses of a segment.
#[derive(Clone)]
pub(super) struct Addresses {
    small: Column<u64>,
    space: Arc<CompactSpaceU64Accessor>,
}

impl Addresses {
    pub(super) fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let handles = reader.fast_fields().dynamic_column_handles(column::ADDRESS)?;
        let handle = handles.iter().find(|handle| handle.column_type() == ColumnType::IpAddr);
        let odd = || TantivyError::SchemaError("a segment without addresses".into());
        let column = handle.map(|handle| handle.open_u64_lenient()).transpose()?.flatten().ok_or_else(odd)?;
        let space = Arc::clone(&column.values).downcast_arc::<CompactSpaceU64Accessor>().map_err(|_| odd())?;
        Ok(Self { small: column, space })
    }

    /// The small number of a row's address.
    pub(super) fn small(&self, doc: DocId) -> u32 {
        u32::try_from(self.small.values.get_val(doc)).unwrap_or(u32::MAX)
    }

    /// No row has a greater number.
    pub(super) fn greatest(&self) -> u64 {
        self.small.max_value()
    }

    /// The small numbers of all rows.
    pub(super) const fn smalls(&self) -> &Column<u64> {
        &self.small
    }

    /// The same of a number as it stands in the column.
    pub(super) fn whole_of(&self, small: u64) -> u128 {
        self.whole(u32::try_from(small).unwrap_or(u32::MAX))
    }

    /// The address of a small number that a row has.
    pub(super) fn whole(&self, small: u32) -> u128 {
        self.space.compact_to_u128(small)
    }

    /// The small number of an address, and whether it is that of this very address; otherwise that of the next one.
    /// The greatest number there is stands for what comes after all: no row has it.
    pub(super) fn find(&self, address: u128) -> (u32, bool) {
        match self.space.u128_to_next_compact(address) {
            CompactHit::Exact(small) => (small, true),
            CompactHit::Next(small) => (small, false),
            CompactHit::AfterLast => (u32::MAX, false),
        }
    }
}
