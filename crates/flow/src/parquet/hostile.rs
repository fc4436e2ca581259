//! Small files that would fill memory or stack, which ends a process whatever it contains.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use ::parquet::basic::Compression;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use bytes::Bytes;

use super::pages::OTHER_ENCODING;
use super::tests::{file, plain, read_all, reasons, two};
use super::{MAX_ELEMENTS, MAX_FOOTER_BYTES, MAX_NESTING};
use hinomi_wire::flow::file::Reason;

/// Zigzag of a number of five bytes: the largest of 32 bits.
const HUGE: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];

/// A file of this footer alone.
fn of_footer(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1".as_slice(), footer, &length, b"PAR1"].concat()
}

/// A footer without row groups, of these elements of a schema.
fn of_schema(elements: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(elements.len()).unwrap();
    let head = [0x15, 2, 0x19, 0xfc, count as u8 | 0x80, (count >> 7) as u8 | 0x80, (count >> 14) as u8];
    of_footer(&[&head, elements.concat().as_slice(), &[0x16, 0, 0x19, 0x0c, 0]].concat())
}

/// An element by its name, and how many children it claims.
fn element(name: &[u8], children: &[u8]) -> Vec<u8> {
    let length = u32::try_from(name.len()).unwrap();
    let length = [length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8];
    [&[0x35, 2, 0x18], &length[..], name, &[0x15], children, &[0]].concat()
}

#[test]
fn a_schema_that_claims_children_without_end_is_refused() {
    let leaf = [0x15, 2, 0x25, 2, 0x18, 1, b'a', 0].to_vec();
    assert_eq!(reasons(&of_schema(&[element(b"m", &[2]), leaf.clone()])), [Reason::MissingColumn("start")]);
    assert_eq!(reasons(&of_schema(&[element(b"m", &HUGE), leaf.clone()])), [Reason::Footer]);
    assert_eq!(reasons(&of_schema(&[element(b"m", &[2]), element(b"g", &HUGE), leaf])), [Reason::Footer]);
}

#[test]
fn a_schema_that_is_nested_without_end_is_refused() {
    let too_large = [Reason::TooLarge("the schema")];
    let nested = |count: usize| of_schema(&vec![element(b"g", &[2]); count]);
    assert_eq!(reasons(&nested(MAX_ELEMENTS)), too_large);
    assert_eq!(reasons(&nested(MAX_ELEMENTS + 1)), too_large);
    assert_eq!(reasons(&nested(MAX_NESTING + 2)), too_large);
    // The last of them claims one that is not there.
    assert_eq!(reasons(&nested(MAX_NESTING + 1)), [Reason::Footer]);
}

/// The library keeps the whole path of each column.
#[test]
fn a_long_name_above_many_columns_is_refused() {
    let leaf = [0x15, 2, 0x25, 2, 0x18, 1, b'a', 0].to_vec();
    let count = [0xa0, 0x1f];
    let mut elements = vec![element(b"m", &[2]), element(&[b'g'; 100_000], &count)];
    elements.extend(vec![leaf; 2_000]);
    assert_eq!(reasons(&of_schema(&elements)), [Reason::TooLarge("the schema")]);
}

#[test]
fn a_footer_that_the_library_would_read_in_another_way_is_refused() {
    let bytes = plain(&two());
    let footer = &bytes[footer_at(&bytes)..bytes.len() - 8];
    assert_eq!(footer[..3], [0x15, 2, 0x19], "the version, and a list of elements");
    let beginnings: [(&[u8], usize); 3] = [
        // The version once more, under a number that is the same in 16 bits.
        (&[0x15, 2, 0x05, 0x82, 0x80, 8, 2], 2),
        // The version with another type; the list's number in its long form.
        (&[0x16, 2], 2),
        (&[0x15, 2, 0x09, 4], 3),
    ];
    for (begin, from) in beginnings {
        let other = of_footer(&[begin, &footer[from..]].concat());
        assert!(SerializedFileReader::new(Bytes::from(other.clone())).is_ok(), "{begin:?}");
        assert_eq!(reasons(&other), [Reason::Footer], "{begin:?}");
    }
    let most = usize::try_from(MAX_FOOTER_BYTES).unwrap();
    assert_eq!(reasons(&of_footer(&vec![0; most + 1])), [Reason::TooLarge("the footer")]);
}

/// Where the footer begins.
pub(super) fn footer_at(bytes: &[u8]) -> usize {
    let tail = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap());
    tail - usize::try_from(length).unwrap()
}

/// Two groups, of which the first has one page in the place of the pages of `src`: of this type, with this structure in
/// its header and this beginning.
fn with_page(kind: u8, structure: &[u8], begin: &[u8]) -> Vec<u8> {
    let mut bytes = file(&two(), 2, Compression::UNCOMPRESSED);
    let about = SerializedFileReader::new(Bytes::from(bytes.clone())).unwrap();
    let (at, length) = about.metadata().row_group(0).column(2).byte_range();
    let (at, length) = (usize::try_from(at).unwrap(), usize::try_from(length).unwrap());
    let rest = length - (2 + 6 + structure.len() + 1);
    let size = [0x15, (rest * 2) as u8 | 0x80, ((rest * 2) >> 7) as u8];
    let page = [&[0x15, kind], &size[..], &size, structure, &[0], begin].concat();
    assert!(page.len() <= length, "{length}");
    bytes[at..at + page.len()].copy_from_slice(&page);
    bytes
}

/// The first group's two rows are lost for this reason, the second's are read.
#[track_caller]
fn loses_a_group(bytes: &[u8], reason: Reason) {
    let (flows, errors, counts) = read_all(bytes);
    assert_eq!((flows.len(), errors.len()), (2, 1), "{errors:?}");
    assert_eq!(counts.left_out.into_iter().collect::<Vec<_>>(), [(reason, 2)]);
}

#[test]
fn a_dictionary_that_claims_values_without_end_is_refused() {
    let structure = |values: &[u8]| [&[0x4c, 0x15], values, &[0x15, 0, 0]].concat();
    loses_a_group(&with_page(4, &structure(&HUGE), &[]), Reason::TooLarge("the dictionary of a column"));
    loses_a_group(&with_page(4, &structure(&[0xfe, 1]), &[]), Reason::Invalid("a dictionary's number of values"));
}

#[test]
fn encodings_that_count_for_themselves_are_refused() {
    // Levels of two values that are there; blocks of 128 in four, and so many lengths as 32 bits hold, the first zero.
    let body = [2, 0, 0, 0, 4, 1, 0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 7, 0];
    for encoding in [6, 7, 9, 4] {
        let structure = [0x2c, 0x15, 4, 0x15, encoding * 2, 0x15, 6, 0x15, 6, 0];
        loses_a_group(&with_page(0, &structure, &body), Reason::Undecodable(OTHER_ENCODING));
    }
    assert!(Reason::Undecodable(OTHER_ENCODING).to_string().starts_with("the column whose encoding is not plain"));
}

#[test]
fn pages_with_more_or_fewer_values_than_rows_are_told() {
    for values in [0, 2, 6, 126] {
        let structure = [0x2c, 0x15, values, 0x15, 0, 0x15, 6, 0x15, 6, 0];
        loses_a_group(&with_page(0, &structure, &[]), Reason::Invalid("a column's number of values"));
    }
}

/// A number of rows in the footer, of the first group: `to` in its place, as zigzag.
fn with_rows(to: u8) -> Vec<u8> {
    let mut bytes = plain(&two());
    let footer = footer_at(&bytes);
    // Behind the last column: the bytes of all, the rows, where it begins, the bytes packed, and its number.
    let tail = |bytes: &[u8]| bytes[0] == 0x16 && bytes[1] == 4 && bytes[2] == 0x26;
    let at = footer + bytes[footer..].windows(3).rposition(tail).expect("a number of rows");
    bytes[at + 1] = to;
    bytes
}

#[test]
fn a_group_whose_rows_and_values_differ_counts_the_greater_number() {
    assert_eq!(read_all(&with_rows(4)).2.records, 2);
    for (rows, lost) in [(0, 2), (2, 2), (6, 3), (126, 63)] {
        let (flows, errors, counts) = read_all(&with_rows(rows));
        assert_eq!((flows.len(), errors.len()), (0, 1), "{rows}");
        assert_eq!(
            counts.left_out.into_iter().collect::<Vec<_>>(),
            [(Reason::Invalid("a column's number of values"), lost)]
        );
    }
    assert_eq!(reasons(&with_rows(1)), [Reason::Invalid("a number of rows")]);
}
