//! What the pages of a column promise, before any is unpacked.
//!
//! The `parquet` crate makes room for as many bytes as a page's header claims, two gigabytes at most, and for as many
//! values as a dictionary's header claims: a file of a few kilobytes could fill the machine. So the headers of a column
//! are read here first, and a page beyond [`MAX_PAGE_BYTES`] or [`MAX_DICTIONARY_VALUES`] is refused. In encodings that
//! have counts of their own within the page ([`is_read`] has the others) the crate believes those; they are refused too.
//! The values of all pages are as many as the group has rows, or the column contradicts the group.
//!
//! Follows `parquet.thrift` (PageHeader).

use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

use super::footer::STATISTICS;
use super::thrift::Kind::{Bool, Int, Struct};
use super::thrift::{Input, Kind, MAX_DEPTH, STOP, STRUCT, Shape};
use hinomi_wire::flow::file::Reason;

/// The most bytes of a page, unpacked; writers make pages of about one megabyte.
pub const MAX_PAGE_BYTES: u32 = 32 << 20;
/// The most values of a dictionary; writers give up on one beyond a megabyte.
pub const MAX_DICTIONARY_VALUES: u32 = 1 << 20;
/// No value of a type that is read takes less: a number of 32 bits, the length of a text.
const MIN_VALUE_BYTES: u32 = 4;
/// Bytes in which a header usually fits, and in which it must.
const HEADER_BYTES: [usize; 2] = [512, 64 << 10];

const UNPACKED: i16 = 2;
const PACKED: i16 = 3;
const DATA: i16 = 5;
const DICTIONARY: i16 = 7;
const DATA_V2: i16 = 8;
/// Type of page, sizes, checksum, and one structure by type of page.
const HEADER: &Shape = &[
    (1, Int),
    (UNPACKED, Int),
    (PACKED, Int),
    (4, Int),
    (DATA, Struct(&[(1, Int), (2, Int), (3, Int), (4, Int), (5, Struct(STATISTICS))])),
    (DICTIONARY, Struct(&[(1, Int), (2, Int), (3, Bool)])),
    (
        DATA_V2,
        Struct(&[(1, Int), (2, Int), (3, Int), (4, Int), (5, Int), (6, Int), (7, Bool), (8, Struct(STATISTICS))]),
    ),
];

/// Whether every page of a column of that name keeps to the bounds, and all together hold a value for each row.
pub(super) fn check(
    source: &impl ChunkReader,
    chunk: &ColumnChunkMetaData,
    name: &'static str,
    rows: u64,
) -> Result<(), Reason> {
    let mut values = 0_u64;
    walk(source, chunk, name, &mut |header| {
        if let Content::Data { values: more, .. } = header.content {
            values = values.saturating_add(u64::from(more));
        }
        header.check()
    })?;
    if values == rows { Ok(()) } else { Err(Reason::Invalid("a column's number of values")) }
}

fn walk(
    source: &impl ChunkReader,
    chunk: &ColumnChunkMetaData,
    name: &'static str,
    each: &mut dyn FnMut(&Header) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let broken = || Reason::Undecodable(name);
    let at = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    // The library takes for granted that neither is negative.
    let mut at = u64::try_from(at).map_err(|_| broken())?;
    let length = u64::try_from(chunk.compressed_size()).map_err(|_| broken())?;
    let end = at.checked_add(length).ok_or_else(broken)?;
    while at < end {
        let header = header(source, at, usize::try_from(end - at).unwrap_or(usize::MAX)).ok_or_else(broken)?;
        each(&header)?;
        at = at.checked_add(header.span()).ok_or_else(broken)?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Of the header itself.
    length: u64,
    unpacked: u32,
    packed: u32,
    content: Content,
}

/// What a page says about its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Dictionary { values: u32 },
    Data { values: u32, encoding: u32 },
}

impl Header {
    /// Of header and page.
    fn span(&self) -> u64 {
        self.length.saturating_add(u64::from(self.packed))
    }

    fn check(&self) -> Result<(), Reason> {
        if self.unpacked > MAX_PAGE_BYTES {
            return Err(Reason::TooLarge("a page of a column"));
        }
        match self.content {
            Content::Dictionary { values } if values > MAX_DICTIONARY_VALUES => {
                Err(Reason::TooLarge("the dictionary of a column"))
            }
            Content::Dictionary { values } if values > self.unpacked / MIN_VALUE_BYTES => {
                Err(Reason::Invalid("a dictionary's number of values"))
            }
            Content::Data { encoding, .. } if !is_read(encoding) => Err(Reason::Undecodable(OTHER_ENCODING)),
            Content::Dictionary { .. } | Content::Data { .. } => Ok(()),
        }
    }
}

/// In the place of a column's name.
pub(super) const OTHER_ENCODING: &str =
    "whose encoding is not plain, dictionary, RLE or DELTA_BINARY_PACKED (write the file again with one of these)";

/// `PLAIN`, `PLAIN_DICTIONARY`, `RLE`, `DELTA_BINARY_PACKED` (whose counts make no room) and `RLE_DICTIONARY`.
const fn is_read(encoding: u32) -> bool {
    matches!(encoding, 0 | 2 | 3 | 5 | 8)
}

fn header(source: &impl ChunkReader, at: u64, left: usize) -> Option<Header> {
    HEADER_BYTES.iter().find_map(|most| {
        let bytes = source.get_bytes(at, left.min(*most)).ok()?;
        read(&bytes)
    })
}

fn read(bytes: &[u8]) -> Option<Header> {
    let mut input = Input::new(bytes);
    let (mut last, mut kind, mut unpacked, mut packed, mut content) = (0, None, None, None, None);
    loop {
        let (id, code) = input.field(&mut last)?;
        if code == STOP {
            break;
        }
        // Those that are not known could be the library's in another way.
        let (_, about) = HEADER.iter().find(|(known, _)| *known == id)?;
        if let Kind::Struct(shape) = about {
            if content.is_some() || code != STRUCT {
                return None;
            }
            content = Some(content_of(&mut input, id, shape)?);
            continue;
        }
        let value = input.value(about, code, MAX_DEPTH)?;
        match id {
            UNPACKED => unpacked = u32::try_from(value).ok(),
            PACKED => packed = u32::try_from(value).ok(),
            1 => kind = Some(value),
            _ => {}
        }
    }
    let length = u64::try_from(bytes.len() - input.left()).ok()?;
    let (told, content) = content?;
    (kind? == told).then_some(Header { length, unpacked: unpacked?, packed: packed?, content })
}

/// The structure of a type of page, and that type.
fn content_of(input: &mut Input<'_>, id: i16, shape: &Shape) -> Option<(i64, Content)> {
    let known = i16::try_from(shape.len()).ok()?;
    let (mut values, mut encoding) = (None, None);
    let (kind, encoding_at) = match id {
        DATA => (0, 2),
        DATA_V2 => (3, 4),
        _ => (2, 2),
    };
    input.structure(shape, MAX_DEPTH, &mut |id, value| {
        match id {
            1 => values = u32::try_from(value).ok(),
            _ if id == encoding_at => encoding = u32::try_from(value).ok(),
            _ => {}
        }
        (1..=known).contains(&id)
    })?;
    let (values, encoding) = (values?, encoding?);
    let content = if id == DICTIONARY { Content::Dictionary { values } } else { Content::Data { values, encoding } };
    Some((kind, content))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Type 0, 300 bytes unpacked, 200 packed, and a header of a data page: ten values, encodings, statistics.
    const PAGE: [u8; 25] = [
        0x15, 0, 0x15, 0xd8, 4, 0x15, 0x90, 3, 0x2c, 0x15, 20, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2, 7, 7, 0, 0, 0,
    ];
    /// Five bytes unpacked, four packed, a dictionary of one value.
    const SIZES: [u8; 4] = [0x15, 10, 0x15, 8];
    const DICTIONARY_OF_ONE: [u8; 6] = [0x4c, 0x15, 2, 0x15, 0, 0];

    fn dictionary(sizes: &[u8], structure: &[u8]) -> Option<Header> {
        read(&[&[0x15, 4], sizes, structure, &[0]].concat())
    }

    #[test]
    fn sizes_and_values_are_found_and_the_rest_is_skipped() {
        let page = [PAGE.as_slice(), &[0xff, 0xff]].concat();
        let content = Content::Data { values: 10, encoding: 0 };
        assert_eq!(read(&page), Some(Header { length: 25, unpacked: 300, packed: 200, content }));
        for length in 0..25 {
            assert_eq!(page.get(..length).and_then(read), None, "{length}");
        }
        let header = dictionary(&SIZES, &DICTIONARY_OF_ONE).unwrap();
        assert_eq!((header.unpacked, header.packed, header.content), (5, 4, Content::Dictionary { values: 1 }));
    }

    #[test]
    fn what_the_library_would_read_in_another_way_is_refused() {
        let sizes: [&[u8]; 6] = [
            // The size unpacked as a number of 64 bits, as a text, negative, beyond 32 bits.
            &[0x16, 10, 0x15, 8],
            &[0x18, 1, 0, 0x15, 8],
            &[0x15, 9, 0x15, 8],
            &[0x15, 0x8a, 0x80, 0x80, 0x80, 0x20, 0x15, 8],
            // Told twice, and once more under a number that is the same in 16 bits.
            &[0x15, 10, 0x05, 4, 10, 0x15, 8],
            &[0x15, 10, 0x05, 0x84, 0x80, 8, 10, 0x15, 8],
        ];
        for sizes in sizes {
            assert_eq!(dictionary(sizes, &DICTIONARY_OF_ONE), None, "{sizes:?}");
        }
        let structures: [&[u8]; 6] = [
            // None, one of another type of page, two, one that is a number, one with an unknown field.
            &[],
            &[0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0],
            &[0x4c, 0x15, 2, 0x15, 0, 0, 0x1c, 0x15, 2, 0x15, 2, 0x15, 2, 0x15, 0, 0x15, 0, 0x15, 0, 0],
            &[0x45, 2],
            &[0x4c, 0x15, 2, 0x15, 0, 0x25, 2, 0],
            // Its number of values as one of 64 bits.
            &[0x4c, 0x16, 2, 0x15, 0, 0],
        ];
        for structure in structures {
            assert_eq!(dictionary(&SIZES, structure), None, "{structure:?}");
        }
        // An unknown field, and structures without end.
        assert_eq!(dictionary(&SIZES, &[&DICTIONARY_OF_ONE[..], &[0x25, 2]].concat()), None);
        assert_eq!(read(&[0x1c; 1_000]), None);
    }

    #[test]
    fn a_dictionary_has_no_more_values_than_fit_in_it() {
        let check = |unpacked, values| {
            Header { length: 9, unpacked, packed: 9, content: Content::Dictionary { values } }.check()
        };
        assert_eq!(check(40, 10), Ok(()));
        assert_eq!(check(40, 11), Err(Reason::Invalid("a dictionary's number of values")));
        assert_eq!(check(MAX_PAGE_BYTES, MAX_DICTIONARY_VALUES), Ok(()));
        assert!(matches!(check(MAX_PAGE_BYTES, MAX_DICTIONARY_VALUES + 1), Err(Reason::TooLarge(_))));
        assert!(matches!(check(MAX_PAGE_BYTES + 1, 1), Err(Reason::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let most = u64::try_from(bytes.len()).unwrap();
            prop_assert!(read(&bytes).is_none_or(|header| header.length <= most));
        }
    }
}
