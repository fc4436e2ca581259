//! Addresses of one segment as small numbers that sort like them.
//!
//! The column keeps addresses squeezed to 32 bits, gaps left out, in their order. Comparing and looking up work on
//! these numbers; the 128 bits are put together again only for what is shown.

use std::sync::Arc;

use tantivy::columnar::column_values::{CompactHit, CompactSpaceU64Accessor};
use tantivy::columnar::{ColumnType, ColumnValues};
use tantivy::{DocId, SegmentReader, TantivyError};

use super::block::{BLOCK, Block};
use super::schema::column;
use crate::query::AddressRanges;

/// From so many rows on a bitmap is made of an entitlement; for fewer each row is looked up by itself.
pub(super) const FENCE_FROM_ROWS: u64 = 20_000;
/// The most bits of such a bitmap: 16 MB.
const MAX_FENCE_BITS: usize = 1 << 27;

/// The addresses of a segment.
#[derive(Clone)]
pub(super) struct Addresses {
    small: Arc<dyn ColumnValues<u64>>,
    space: Arc<CompactSpaceU64Accessor>,
}

impl Addresses {
    pub(super) fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let handles = reader.fast_fields().dynamic_column_handles(column::ADDRESS)?;
        let handle = handles.iter().find(|handle| handle.column_type() == ColumnType::IpAddr);
        let odd = || TantivyError::SchemaError("a segment without addresses".into());
        let column = handle.map(|handle| handle.open_u64_lenient()).transpose()?.flatten().ok_or_else(odd)?;
        let space = Arc::clone(&column.values).downcast_arc::<CompactSpaceU64Accessor>().map_err(|_| odd())?;
        Ok(Self { small: column.values, space })
    }

    /// The small number of a row's address.
    pub(super) fn small(&self, doc: DocId) -> u32 {
        u32::try_from(self.small.get_val(doc)).unwrap_or(u32::MAX)
    }

    /// The small numbers of several rows.
    pub(super) fn smalls(&self, docs: &Block, out: &mut [u64; BLOCK]) {
        if let Some(out) = out.get_mut(..docs.len()) {
            self.small.get_vals(docs, out);
        }
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

/// Who may see which rows of a segment.
pub(super) enum Fence {
    /// Everything.
    None,
    /// Each row is looked up: for few rows.
    Each(Arc<AddressRanges>),
    /// One bit for each small number.
    Bits(Vec<u64>),
}

impl Fence {
    /// The fence for about so many rows.
    pub(super) fn new(within: Option<&Arc<AddressRanges>>, addresses: &Addresses, rows: u64) -> Self {
        let Some(within) = within else { return Self::None };
        let bits = usize::try_from(addresses.small.max_value()).unwrap_or(usize::MAX);
        if rows < FENCE_FROM_ROWS || bits >= MAX_FENCE_BITS {
            return Self::Each(Arc::clone(within));
        }
        let mut words = vec![0_u64; bits / 64 + 1];
        for (low, high) in within.ranges() {
            let from = addresses.find(low).0;
            let until = high.checked_add(1).map_or(u32::MAX, |next| addresses.find(next).0);
            set(&mut words, u64::from(from), u64::from(until).min(bits as u64 + 1));
        }
        Self::Bits(words)
    }

    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn admits(&self, small: u64, addresses: &Addresses) -> bool {
        match self {
            Self::None => true,
            Self::Each(within) => within.contains_number(addresses.whole(u32::try_from(small).unwrap_or(u32::MAX))),
            Self::Bits(words) => {
                let word = usize::try_from(small / 64).ok().and_then(|at| words.get(at));
                word.is_some_and(|word| word >> (small % 64) & 1 == 1)
            }
        }
    }
}

/// Sets the bits from one to before another.
fn set(words: &mut [u64], from: u64, until: u64) {
    let mut at = from;
    while at < until {
        let count = (64 - at % 64).min(until - at);
        let mask = if count == 64 { u64::MAX } else { ((1 << count) - 1) << (at % 64) };
        if let Some(word) = usize::try_from(at / 64).ok().and_then(|at| words.get_mut(at)) {
            *word |= mask;
        }
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_are_set_from_one_to_before_another(from in 0u64..300, length in 0u64..300) {
            let until = (from + length).min(320);
            let mut words = [0; 5];
            set(&mut words, from, until);
            for bit in 0..320_u64 {
                let is = words[(bit / 64) as usize] >> (bit % 64) & 1 == 1;
                prop_assert_eq!(is, (from..until).contains(&bit));
            }
        }
    }
}
