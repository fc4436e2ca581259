//! What the pages of a column promise, before any is unpacked.
//!
//! The `parquet` crate makes room for as many bytes as a page's header claims, two gigabytes at most: a file of a few
//! kilobytes could fill the machine. So the headers of a column are read here first, and a page beyond
//! [`MAX_PAGE_BYTES`] is refused. A header is a structure of Thrift's compact protocol; two of its fields are wanted,
//! the rest is skipped, a field told twice is refused.
//!
//! Follows `parquet.thrift` (PageHeader) and Thrift's "compact protocol" specification.

use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

/// The most bytes of a page, unpacked; writers make pages of about one megabyte.
pub const MAX_PAGE_BYTES: u32 = 32 << 20;
/// Bytes in which a header usually fits, and in which it must.
const HEADER_BYTES: [usize; 2] = [512, 64 << 10];
/// Structures within structures; headers have three.
const MAX_DEPTH: usize = 8;

/// Whether every page of a column keeps to the bound. None when its headers make no sense.
pub(super) fn are_bounded(source: &impl ChunkReader, column: &ColumnChunkMetaData) -> Option<bool> {
    let mut at = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    // The library takes for granted that neither is negative.
    if at < 0 || column.compressed_size() < 0 {
        return None;
    }
    let end = at.checked_add(column.compressed_size())?;
    while at < end {
        let header = header(source, u64::try_from(at).ok()?, usize::try_from(end - at).ok()?)?;
        if header.unpacked > MAX_PAGE_BYTES {
            return Some(false);
        }
        at = at.checked_add(i64::try_from(header.length).ok()?)?.checked_add(i64::from(header.packed))?;
    }
    Some(true)
}

#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Of the header itself.
    length: usize,
    unpacked: u32,
    packed: u32,
}

fn header(source: &impl ChunkReader, at: u64, left: usize) -> Option<Header> {
    HEADER_BYTES.iter().find_map(|most| {
        let bytes = source.get_bytes(at, left.min(*most)).ok()?;
        read(&bytes)
    })
}

fn read(bytes: &[u8]) -> Option<Header> {
    let mut input = Input { rest: bytes };
    let (mut unpacked, mut packed) = (None, None);
    input.fields(MAX_DEPTH, &mut |id, value| match id {
        2 => unpacked.replace(value).is_none(),
        3 => packed.replace(value).is_none(),
        _ => true,
    })?;
    let length = bytes.len() - input.rest.len();
    Some(Header { length, unpacked: u32::try_from(unpacked?).ok()?, packed: u32::try_from(packed?).ok()? })
}

/// Bytes of the compact protocol.
struct Input<'a> {
    rest: &'a [u8],
}

impl Input<'_> {
    /// A structure: its numbers of 32 bits go to `number`, which says whether it may go on.
    fn fields(&mut self, depth: usize, number: &mut dyn FnMut(i64, i64) -> bool) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            let (step, kind) = (head >> 4, head & 15);
            if kind == 0 {
                return Some(());
            }
            id = if step == 0 { self.signed()? } else { id.checked_add(i64::from(step))? };
            if kind == 5 {
                let value = self.signed()?;
                if !number(id, value) {
                    return None;
                }
            } else {
                self.skip(kind, depth)?;
            }
        }
    }

    /// A value of that kind. Truth values of fields are in their heads.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(|_| ()),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.take(8),
            8 => {
                let length = self.unsigned()?;
                self.take(usize::try_from(length).ok()?)
            }
            9 | 10 => self.list(depth),
            12 => self.fields(depth, &mut |_, _| true),
            // Maps, sets of maps and what is to come: no header has them.
            _ => None,
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let head = self.byte()?;
        let (short, kind) = (head >> 4, head & 15);
        let count = if short == 15 { self.unsigned()? } else { u64::from(short) };
        // In a list, truth values are bytes: each element takes one at least.
        let kind = if matches!(kind, 1 | 2) { 3 } else { kind };
        if usize::try_from(count).ok()? > self.rest.len() {
            return None;
        }
        (0..count).try_for_each(|_| self.skip(kind, depth))
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Zigzag: the sign is the lowest bit.
    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Type 0, 300 bytes unpacked, 200 packed, and a header of a data page: ten values, encodings, statistics.
    const PAGE: [u8; 24] =
        [0x15, 0, 0x15, 0xd8, 4, 0x15, 0x90, 3, 0x2c, 0x15, 20, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2, 7, 7, 0, 0];

    #[test]
    fn sizes_are_found_and_the_rest_is_skipped() {
        let page = [PAGE.as_slice(), &[0, 0xff, 0xff]].concat();
        assert_eq!(read(&page), Some(Header { length: 25, unpacked: 300, packed: 200 }));
        for length in 0..25 {
            assert_eq!(page.get(..length).and_then(read), None, "{length}");
        }
    }

    #[test]
    fn a_size_that_is_told_twice_or_is_negative_is_refused() {
        // Once more with its number written out.
        assert_eq!(read(&[0x15, 0, 0x15, 8, 0x15, 8, 0x05, 4, 8, 0]), None);
        assert_eq!(read(&[0x15, 0, 0x15, 7, 0x15, 8, 0]), None);
        assert_eq!(read(&[0x15, 0, 0x15, 8, 0x15, 8, 0]).map(|header| header.unpacked), Some(4));
        // Structures without end.
        assert_eq!(read(&[0x1c; 1_000]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).is_none_or(|header| header.length <= bytes.len()));
        }
    }
}
