//! Some rows of all columns at a time, as cells.

use std::net::IpAddr;

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::file::reader::RowGroupReader;

use super::contained;
use super::schema::{Column, Columns, Form, WIDTH};
use hinomi_wire::flow::file::Reason;
use hinomi_wire::flow::number;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 2_048;

/// One value of one column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// A null, or a column that the file does not have.
    Null,
    /// Not what the column holds.
    Bad,
    Number(u64),
    /// Microseconds since 1970 UTC.
    Time(i64),
    Address(IpAddr),
}

/// Decoded rows that wait to be taken.
#[derive(Default)]
pub(super) struct Cells {
    columns: [Vec<Cell>; WIDTH],
    next: usize,
    rows: usize,
}

impl Cells {
    pub(super) const fn is_empty(&self) -> bool {
        self.next >= self.rows
    }

    /// The next row. Of what is not there, nulls.
    pub(super) fn take(&mut self) -> [Cell; WIDTH] {
        let at = self.next;
        self.next += 1;
        self.columns.each_ref().map(|column| column.get(at).copied().unwrap_or(Cell::Null))
    }
}

/// The columns of an open group.
pub(super) struct Readers([Option<(Column, ColumnReader)>; WIDTH]);

impl Readers {
    pub(super) fn open(group: &dyn RowGroupReader, columns: &Columns) -> Result<Self, Reason> {
        let mut readers = [const { None }; WIDTH];
        for (slot, column) in readers.iter_mut().zip(columns.0) {
            let Some(column) = column else { continue };
            let reader = contained(|| group.get_column_reader(column.at)).ok_or(Reason::Undecodable(column.name))?;
            *slot = Some((column, reader));
        }
        Ok(Self(readers))
    }

    /// Reads as many rows as fit, of those that the group still promises, and tells how many.
    pub(super) fn read(&mut self, promised: u64, cells: &mut Cells) -> Result<u64, Reason> {
        let rows = usize::try_from(promised).map_or(BATCH_ROWS, |promised| promised.min(BATCH_ROWS));
        (cells.next, cells.rows) = (0, 0);
        for (slot, column) in self.0.iter_mut().zip(&mut cells.columns) {
            column.clear();
            if let Some((about, reader)) = slot {
                fill(*about, reader, rows, column)?;
            }
        }
        cells.rows = rows;
        Ok(u64::try_from(rows).unwrap_or_default())
    }
}

fn fill(column: Column, reader: &mut ColumnReader, rows: usize, cells: &mut Vec<Cell>) -> Result<(), Reason> {
    match reader {
        ColumnReader::Int32ColumnReader(reader) => pull(column, reader, rows, cells, |value| {
            let wide = match column.form {
                Form::Unsigned => i64::from(value.cast_unsigned()),
                _ => i64::from(*value),
            };
            number(wide)
        }),
        ColumnReader::Int64ColumnReader(reader) => pull(column, reader, rows, cells, |value| match column.form {
            Form::Unsigned => Cell::Number(value.cast_unsigned()),
            Form::Millis => time(value.checked_mul(1_000)),
            Form::Micros => time(Some(*value)),
            Form::Nanos => time(Some(value.div_euclid(1_000))),
            Form::Signed | Form::Text => number(*value),
        }),
        ColumnReader::ByteArrayColumnReader(reader) => pull(column, reader, rows, cells, |value: &ByteArray| {
            number::address(value.data()).map_or(Cell::Bad, Cell::Address)
        }),
        _ => Err(Reason::WrongType(column.name)),
    }
}

/// Exactly so many cells, or the reason why there are not.
fn pull<T: DataType>(
    column: Column,
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    cells: &mut Vec<Cell>,
    cell: impl Fn(&T::T) -> Cell,
) -> Result<(), Reason> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let more = contained(|| reader.read_records(rows - read, Some(&mut levels), None, &mut values));
        let (more, ..) = more.ok_or(Reason::Undecodable(column.name))?;
        if more == 0 {
            return Err(Reason::Invalid("a column's number of values"));
        }
        read += more;
    }
    let mut values = values.iter();
    if column.nullable {
        let next = |level: &i16| if *level > 0 { values.next().map_or(Cell::Bad, &cell) } else { Cell::Null };
        cells.extend(levels.iter().take(rows).map(next));
    } else {
        cells.extend(values.take(rows).map(cell));
    }
    if cells.len() == rows { Ok(()) } else { Err(Reason::Undecodable(column.name)) }
}

fn number(value: i64) -> Cell {
    u64::try_from(value).map_or(Cell::Bad, Cell::Number)
}

fn time(micros: Option<i64>) -> Cell {
    let is_time = |micros: &i64| (0..=number::MAX_SECONDS * number::MICROS).contains(micros);
    micros.filter(is_time).map_or(Cell::Bad, Cell::Time)
}
