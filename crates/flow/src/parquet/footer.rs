//! What a footer promises, before the `parquet` crate reads it.
//!
//! The crate makes room for as many children as an element of the schema claims, two thousand millions at most, follows
//! their nesting by calling itself, and copies the names of all groups above a column for each column: some bytes could
//! fill memory or stack and end the process. [`check`] walks the whole footer first, by the shapes of the format, and
//! bounds the schema.
//!
//! Follows `parquet.thrift` (FileMetaData).

use super::thrift::Kind::{Bool, Byte, Double, Int, List, Long, Short, Struct, Text};
use super::thrift::{Input, Kind, LIST, MAX_DEPTH, STOP, STRUCT, Shape};
use hinomi_wire::flow::file::Reason;

/// The most elements of a schema: columns, and groups of them.
pub const MAX_ELEMENTS: usize = 10_000;
/// How deep they may be nested.
pub const MAX_NESTING: usize = 16;
/// The most row groups.
pub const MAX_GROUPS: usize = 100_000;
/// The most bytes of the paths of all columns.
const MAX_PATH_BYTES: i64 = 16 << 20;

const SCHEMA: i16 = 2;
const GROUPS: i16 = 4;

/// All but the schema, which is walked by itself.
const FILE: &Shape = &[
    (1, Int),
    (3, Long),
    (GROUPS, List(&Struct(GROUP))),
    (5, List(&Struct(PAIR))),
    (6, Text),
    (7, List(&Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))),
];
const EMPTY: Kind = Struct(&[]);
const PAIR: &Shape = &[(1, Text), (2, Text)];
const NAME: i16 = 4;
const CHILDREN: i16 = 5;
const ELEMENT: &Shape = &[
    (1, Int),
    (2, Int),
    (3, Int),
    (NAME, Text),
    (CHILDREN, Int),
    (6, Int),
    (7, Int),
    (8, Int),
    (9, Int),
    (10, Struct(MEANING)),
];
/// Of a column's values; the others have nothing in them.
const MEANING: &Shape = &[
    (5, Struct(&[(1, Int), (2, Int)])),
    (7, Struct(TIME)),
    (8, Struct(TIME)),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Text)])),
    (18, Struct(&[(1, Text), (2, Int)])),
];
const TIME: &Shape = &[(1, Bool), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))];
const GROUP: &Shape = &[
    (1, List(&Struct(CHUNK))),
    (2, Long),
    (3, Long),
    (4, List(&Struct(&[(1, Int), (2, Bool), (3, Bool)]))),
    (5, Long),
    (6, Long),
    (7, Short),
];
const CHUNK: &Shape = &[(1, Text), (2, Long), (3, Struct(COLUMN)), (4, Long), (5, Int), (6, Long), (7, Int)];
const COLUMN: &Shape = &[
    (1, Int),
    (2, List(&Int)),
    (3, List(&Text)),
    (4, Int),
    (5, Long),
    (6, Long),
    (7, Long),
    (8, List(&Struct(PAIR))),
    (9, Long),
    (10, Long),
    (11, Long),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, Int), (2, Int), (3, Int)]))),
    (14, Long),
    (15, Int),
    (16, Struct(&[(1, Long), (2, List(&Long)), (3, List(&Long))])),
    (17, Struct(&[(1, Struct(BOX)), (2, List(&Int))])),
];
/// Of the values of a column, or of a page.
pub(super) const STATISTICS: &Shape =
    &[(1, Text), (2, Text), (3, Long), (4, Long), (5, Text), (6, Text), (7, Bool), (8, Bool), (9, Long)];
const BOX: &Shape =
    &[(1, Double), (2, Double), (3, Double), (4, Double), (5, Double), (6, Double), (7, Double), (8, Double)];

/// Whether the crate may read this footer.
pub(super) fn check(bytes: &[u8]) -> Result<(), Reason> {
    let mut input = Input::new(bytes);
    let mut last = 0;
    loop {
        let (id, code) = input.field(&mut last).ok_or(Reason::Footer)?;
        match (id, code) {
            (_, STOP) => return Ok(()),
            (SCHEMA, LIST) => schema(&mut input)?,
            (SCHEMA, _) => return Err(Reason::Footer),
            _ => {
                let value = input.field_of(FILE, id, code).ok_or(Reason::Footer)?;
                if id == GROUPS && usize::try_from(value).is_ok_and(|count| count > MAX_GROUPS) {
                    return Err(Reason::TooLarge("the number of row groups"));
                }
            }
        }
    }
}

/// A group of columns whose children are still to come.
struct Open {
    children: usize,
    /// Of the names from the root to here.
    path_bytes: i64,
}

/// The list of elements, each before its children.
fn schema(input: &mut Input<'_>) -> Result<(), Reason> {
    const TOO_LARGE: Reason = Reason::TooLarge("the schema");
    let (count, code) = input.list_head().ok_or(Reason::Footer)?;
    if count > MAX_ELEMENTS {
        return Err(TOO_LARGE);
    }
    let (mut open, mut paths): (Vec<Open>, i64) = (Vec::new(), 0);
    for left in (0..count).rev() {
        let (name, children) = element(input, code).ok_or(Reason::Footer)?;
        while open.last().is_some_and(|group| group.children == 0) {
            open.pop();
        }
        let above = open.last_mut().map_or(0, |group| {
            group.children -= 1;
            group.path_bytes
        });
        let path_bytes = above.saturating_add(name);
        paths = paths.saturating_add(path_bytes);
        if children > left {
            return Err(Reason::Footer);
        }
        open.push(Open { children, path_bytes });
        if open.len() > MAX_NESTING || paths > MAX_PATH_BYTES {
            return Err(TOO_LARGE);
        }
    }
    Ok(())
}

/// The length of an element's name, and how many children it claims.
fn element(input: &mut Input<'_>, code: u8) -> Option<(i64, usize)> {
    if code != STRUCT {
        return None;
    }
    let (mut name, mut children) = (0, 0);
    input.structure(ELEMENT, MAX_DEPTH, &mut |id, value| {
        match id {
            NAME => name = value,
            CHILDREN => children = value,
            _ => {}
        }
        true
    })?;
    Some((name, usize::try_from(children).ok()?))
}
