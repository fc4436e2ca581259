//! Partial rows: a key and some cells, to and from Arrow.
//!
//! The key comes first and decides order and group: bytes that sort as the result shall. Cells are of the plain kinds
//! that Spark keeps as they are (long integers, texts, bytes), so that rows come back from it as they went.
//! At a hundred times the data nothing changes here: it works on one batch.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::SchemaRef;

use crate::error::LakeError;
use crate::table::columns::{self, Columns};
use crate::table::definition::{Column, Definition, Kind};

/// The name of the first column.
pub(crate) const KEY: &str = "key";

/// Bytes that a row costs beside its texts.
const ROW_BYTES: usize = 64;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Not known.
    Nothing,
    /// A number, or a time in microseconds.
    Long(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One partial row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What it is about.
    pub(crate) key: Vec<u8>,
    /// What is known of it so far, in the order of the columns after the key.
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    /// A number of it.
    pub(crate) fn long(&self, at: usize) -> Result<i64, LakeError> {
        match self.cells.get(at) {
            Some(Cell::Long(value)) => Ok(*value),
            _ => Err(torn()),
        }
    }

    /// A text of it.
    pub(crate) fn text(&self, at: usize) -> Result<&str, LakeError> {
        match self.cells.get(at) {
            Some(Cell::Text(value)) => Ok(value),
            _ => Err(torn()),
        }
    }

    /// Bytes of it.
    pub(crate) fn bytes(&self, at: usize) -> Result<&[u8], LakeError> {
        match self.cells.get(at) {
            Some(Cell::Bytes(value)) => Ok(value),
            _ => Err(torn()),
        }
    }

    /// What it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        let cell = |cell: &Cell| match cell {
            Cell::Nothing | Cell::Long(_) => 0,
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
        };
        ROW_BYTES + self.key.len() + self.cells.iter().map(|one| 32 + cell(one)).sum::<usize>()
    }
}

/// A row that is not what its pass makes.
pub(crate) fn torn() -> LakeError {
    LakeError::damaged("a partial row", "its cells are not those of this pass")
}

/// Adds numbers at these places.
pub(crate) fn add(into: &mut Row, other: &Row, places: &[usize]) -> Result<(), LakeError> {
    combine(into, other, places, i64::saturating_add)
}

/// Puts numbers at these places together.
pub(crate) fn combine(
    into: &mut Row,
    other: &Row,
    places: &[usize],
    both: impl Fn(i64, i64) -> i64,
) -> Result<(), LakeError> {
    for at in places {
        let value = both(into.long(*at)?, other.long(*at)?);
        *into.cells.get_mut(*at).ok_or_else(torn)? = Cell::Long(value);
    }
    Ok(())
}

/// Partial rows as an Arrow batch.
pub(crate) fn encode(definition: &Definition, schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, LakeError> {
    let keys = BinaryArray::from_iter_values(rows.iter().map(|row| row.key.as_slice()));
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(keys)];
    for (at, column) in definition.columns().skip(1).enumerate() {
        arrays.push(array(column, rows.iter().map(|row| row.cells.get(at)))?);
    }
    columns::batch(schema, arrays)
}

/// Result rows as an Arrow batch.
pub(crate) fn encode_cells(
    definition: &Definition,
    schema: &SchemaRef,
    rows: &[Vec<Cell>],
) -> Result<RecordBatch, LakeError> {
    let arrays = definition.columns().enumerate();
    let arrays = arrays.map(|(at, column)| array(column, rows.iter().map(|row| row.get(at))));
    columns::batch(schema, arrays.collect::<Result<_, _>>()?)
}

fn array<'a>(column: &Column, cells: impl Iterator<Item = Option<&'a Cell>>) -> Result<ArrayRef, LakeError> {
    let long = |cell: Option<&Cell>| if let Some(Cell::Long(value)) = cell { Some(*value) } else { None };
    Ok(match column.kind {
        Kind::Long => columns::maybe_longs(cells.map(long)),
        Kind::Int => columns::maybe_ints(cells.map(|cell| long(cell).and_then(|value| i32::try_from(value).ok()))),
        Kind::Time => columns::times(cells.map(|cell| long(cell).map(hinomi_model::Timestamp::from_micros))),
        Kind::Text => columns::maybe_texts(cells.map(|cell| match cell {
            Some(Cell::Text(text)) => Some(text.as_str()),
            _ => None,
        })),
        Kind::Bytes => Arc::new(BinaryArray::from_iter(cells.map(|cell| match cell {
            Some(Cell::Bytes(bytes)) => Some(bytes.as_slice()),
            _ => None,
        }))),
        Kind::Bool | Kind::Texts | Kind::Times | Kind::References => return Err(torn()),
    })
}

/// Partial rows out of an Arrow batch.
pub(crate) fn decode(definition: &'static Definition, batch: &RecordBatch) -> Result<Vec<Row>, LakeError> {
    let columns = Columns::new(definition.name, batch);
    let keys = columns.bytes(KEY)?;
    let empty = |key: Option<&[u8]>| Row { key: key.unwrap_or_default().to_vec(), cells: Vec::new() };
    let mut rows: Vec<Row> = keys.iter().map(empty).collect();
    for column in definition.columns().skip(1) {
        match column.kind {
            Kind::Long => {
                let values = columns.longs(column.name)?;
                fill(&mut rows, values.iter().map(|value| value.map(Cell::Long)));
            }
            Kind::Text => {
                let values = columns.texts(column.name)?;
                fill(&mut rows, values.iter().map(|value| value.map(|text| Cell::Text(text.to_owned()))));
            }
            Kind::Bytes => {
                let values = columns.bytes(column.name)?;
                fill(&mut rows, values.iter().map(|value| value.map(|bytes| Cell::Bytes(bytes.to_vec()))));
            }
            _ => return Err(torn()),
        }
    }
    debug_assert!(keys.null_count() == 0, "a key is always present");
    Ok(rows)
}

fn fill(rows: &mut [Row], cells: impl Iterator<Item = Option<Cell>>) {
    rows.iter_mut().zip(cells).for_each(|(row, cell)| row.cells.push(cell.unwrap_or(Cell::Nothing)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static EXAMPLE: Definition = Definition {
        name: "example",
        description: "Partial rows.",
        columns: &[&[
            Column::new(KEY, Kind::Bytes),
            Column::new("count", Kind::Long),
            Column::new("name", Kind::Text).optional(),
            Column::new("days", Kind::Bytes),
        ]],
        sorted_by: &[KEY],
        format: 1,
    };

    proptest! {
        #[test]
        fn rows_come_back(rows in prop::collection::vec(any::<(Vec<u8>, i64, Option<String>, Vec<u8>)>(), 0..20)) {
            let row = |(key, count, name, days): (Vec<u8>, i64, Option<String>, Vec<u8>)| {
                Row { key, cells: vec![Cell::Long(count), name.map_or(Cell::Nothing, Cell::Text), Cell::Bytes(days)] }
            };
            let rows: Vec<Row> = rows.into_iter().map(row).collect();
            let batch = encode(&EXAMPLE, &EXAMPLE.arrow_schema(), &rows).unwrap();
            prop_assert_eq!(decode(&EXAMPLE, &batch).unwrap(), rows);
        }
    }
}
