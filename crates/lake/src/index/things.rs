//! What different things are counted of: the address, prefix, number or text of each row, as numbers that mean the same
//! in every segment.

use tantivy::SegmentReader;
use tantivy::columnar::Column;

use super::address::Addresses;
use super::block::{BLOCK, Block, each_value};
use super::distinct::WIDE;
use super::document::split_column_text;
use super::facet::net_number;
use super::mix::{mix_text, mix_wide};
use super::opened::Opened;
use super::plain::Numbers;
use super::schema::{Columns, column};
use crate::query::Field;

/// The things of one block of rows.
pub(super) struct Things {
    source: Source,
    flat: Vec<u64>,
    /// Where the things of each row begin; one more for the end.
    starts: [usize; BLOCK + 1],
}

enum Source {
    Address(Addresses, Numbers),
    Net(Addresses, Numbers),
    Number(Column<u64>),
    /// Ordinals, and the hash of each text.
    Text(Column<u64>, Vec<u64>),
    Nothing,
}

impl Things {
    /// About so many rows of the segment will be looked at.
    pub(super) fn open(
        reader: &SegmentReader,
        (columns, opened): (&Columns, &Opened),
        field: Field,
        rows: u64,
    ) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let addresses = || (opened.spots.addresses.clone(), opened.smalls(rows));
        let source = match field {
            Field::Ip => {
                let (addresses, smalls) = addresses();
                Source::Address(addresses, smalls)
            }
            Field::Net => {
                let (addresses, smalls) = addresses();
                Source::Net(addresses, smalls)
            }
            Field::Port => Source::Number(fast.u64(column::PORT)?),
            Field::As => Source::Number(fast.u64(column::ASN)?),
            text => match columns.text_of(text).map(|found| fast.str(&found.shown_name)).transpose()?.flatten() {
                None => Source::Nothing,
                Some(texts) => {
                    let mut hashes = Vec::with_capacity(texts.dictionary().num_terms());
                    let mut terms = texts.dictionary().stream()?;
                    while terms.advance() {
                        let text = String::from_utf8_lossy(terms.key());
                        hashes.push(WIDE | mix_text(split_column_text(&text).0.as_bytes()));
                    }
                    Source::Text(texts.ords().clone(), hashes)
                }
            },
        };
        Ok(Self { source, flat: Vec::with_capacity(BLOCK), starts: [0; BLOCK + 1] })
    }

    /// Looks at these rows.
    pub(super) fn look(&mut self, docs: &Block) {
        let Self { source, flat, starts } = self;
        flat.clear();
        *starts = [0; BLOCK + 1];
        let mut put = |at: usize, thing: u64| {
            flat.push(thing);
            if let Some(end) = starts.get_mut(at + 1) {
                *end = flat.len();
            }
        };
        match source {
            Source::Address(addresses, smalls) => {
                smalls.each(docs, |at, small| put(at, thing_of(addresses.whole_of(small))));
            }
            Source::Net(addresses, smalls) => {
                smalls.each(docs, |at, small| put(at, net_number(addresses.whole_of(small))));
            }
            Source::Number(column) => each_value(column, docs, &mut put),
            Source::Text(column, hashes) => each_value(column, docs, |at, ordinal| {
                let hash = usize::try_from(ordinal).ok().and_then(|at| hashes.get(at));
                put(at, hash.copied().unwrap_or(WIDE));
            }),
            Source::Nothing => {}
        }
        // A row without any ends where the one before it ends.
        let mut last = 0;
        for end in starts {
            last = last.max(*end);
            *end = last;
        }
    }

    /// The things of a row, by its place in the block.
    pub(super) fn of(&self, at: usize) -> &[u64] {
        let end = |at: usize| self.starts.get(at).copied().unwrap_or(0);
        self.flat.get(end(at)..end(at + 1)).unwrap_or_default()
    }
}

/// IPv4 as itself, IPv6 by a hash.
fn thing_of(address: u128) -> u64 {
    const MAPPED: u128 = 0xffff << 32;
    if address & !u128::from(u32::MAX) == MAPPED {
        return u64::try_from(address & u128::from(u32::MAX)).unwrap_or(0);
    }
    WIDE | mix_wide(address, 0)
}
