//! The schema, and where a file has its columns.

use ::parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::source::Source;
use super::{MAX_COLUMN_BYTES, MAX_GROUP_ROWS, pages};
use hinomi_wire::flow::file::Reason;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A moment: Parquet's time stamp of any unit, or microseconds since 1970 UTC as a number of 64 bits.
    Time,
    /// An address as text: `192.0.2.1`, `2001:db8::1`.
    Address,
    /// A whole number, not negative.
    Number,
}

/// The schema: name, what it holds, and whether a file must have it.
pub const COLUMNS: [(&str, Holds, bool); 14] = [
    ("start", Holds::Time, true),
    ("src", Holds::Address, true),
    ("dst", Holds::Address, true),
    ("src_port", Holds::Number, true),
    ("dst_port", Holds::Number, true),
    ("protocol", Holds::Number, true),
    ("packets", Holds::Number, true),
    ("bytes", Holds::Number, true),
    ("end", Holds::Time, false),
    ("tcp_flags", Holds::Number, false),
    ("packets_back", Holds::Number, false),
    ("bytes_back", Holds::Number, false),
    ("tcp_flags_back", Holds::Number, false),
    ("sampling", Holds::Number, false),
];

/// How many columns the schema has.
pub(super) const WIDTH: usize = COLUMNS.len();

/// A column of the file that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Its place among the leaves of the file's schema.
    pub(super) at: usize,
    pub(super) form: Form,
    /// Whether it may hold nulls.
    pub(super) nullable: bool,
}

/// How its values are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Millis,
    Micros,
    Nanos,
    Text,
    Signed,
    Unsigned,
}

/// The file's columns in the order of [`COLUMNS`].
#[derive(Debug)]
pub(super) struct Columns(pub(super) [Option<Column>; WIDTH]);

impl Columns {
    /// Finds them by name; the first of a name counts.
    pub(super) fn of(schema: &SchemaDescriptor) -> Result<Self, Reason> {
        let mut columns = [None; WIDTH];
        for (slot, (name, holds, required)) in columns.iter_mut().zip(COLUMNS) {
            *slot = column(schema, name, holds)?;
            if slot.is_none() && required {
                return Err(Reason::MissingColumn(name));
            }
        }
        Ok(Self(columns))
    }

    /// Whether a group keeps to the bounds, and to the compressions that are read.
    pub(super) fn check(&self, source: &Source, group: &RowGroupMetaData) -> Result<(), Reason> {
        let rows = u64::try_from(group.num_rows()).map_err(|_| Reason::Invalid("a number of rows"))?;
        if rows > MAX_GROUP_ROWS {
            return Err(Reason::TooLarge("a row group"));
        }
        self.0.iter().flatten().try_for_each(|column| {
            let chunk = group.columns().get(column.at).ok_or(Reason::Invalid("a row group"))?;
            if !matches!(chunk.compression(), Compression::UNCOMPRESSED | Compression::ZSTD(_)) {
                return Err(Reason::ColumnCompression(column.name));
            }
            let is_bounded = |bytes: i64| u64::try_from(bytes).is_ok_and(|bytes| bytes <= MAX_COLUMN_BYTES);
            if !is_bounded(chunk.compressed_size()) || !is_bounded(chunk.uncompressed_size()) {
                return Err(Reason::TooLarge("a column of a row group"));
            }
            if chunk.num_values() != group.num_rows() {
                return Err(Reason::Invalid("a column's number of values"));
            }
            pages::check(source, chunk, column.name, rows)
        })
    }

    /// Rows that a group promises: those it tells, or as many as a column of it has values.
    pub(super) fn promised(&self, group: &RowGroupMetaData) -> u64 {
        let values = self.0.iter().flatten().filter_map(|column| group.columns().get(column.at));
        let most = values.map(ColumnChunkMetaData::num_values).chain([group.num_rows()]).max();
        most.and_then(|most| u64::try_from(most).ok()).unwrap_or(0)
    }
}

fn column(schema: &SchemaDescriptor, name: &'static str, holds: Holds) -> Result<Option<Column>, Reason> {
    let mut named = schema.columns().iter().enumerate();
    let found = named.find(|(_, leaf)| leaf.path().parts().first().is_some_and(|part| part == name));
    let Some((at, leaf)) = found else { return Ok(None) };
    // A leaf below a group of that name is a list or a structure.
    let is_flat = leaf.path().parts().len() == 1 && leaf.max_rep_level() == 0 && leaf.max_def_level() <= 1;
    let form = form(leaf, holds).filter(|_| is_flat).ok_or(Reason::WrongType(name))?;
    Ok(Some(Column { name, at, form, nullable: leaf.max_def_level() > 0 }))
}

fn form(leaf: &ColumnDescriptor, holds: Holds) -> Option<Form> {
    match (holds, leaf.physical_type()) {
        (Holds::Time, Type::INT64) => time(leaf),
        (Holds::Address, Type::BYTE_ARRAY) => Some(Form::Text),
        (Holds::Number, Type::INT32 | Type::INT64) => number(leaf),
        _ => None,
    }
}

fn time(leaf: &ColumnDescriptor) -> Option<Form> {
    match (leaf.logical_type_ref(), leaf.converted_type()) {
        (Some(LogicalType::Timestamp(told)), _) => Some(match told.unit {
            TimeUnit::MILLIS => Form::Millis,
            TimeUnit::MICROS => Form::Micros,
            TimeUnit::NANOS => Form::Nanos,
        }),
        (None, ConvertedType::TIMESTAMP_MILLIS) => Some(Form::Millis),
        (None, ConvertedType::TIMESTAMP_MICROS | ConvertedType::NONE | ConvertedType::INT_64) => Some(Form::Micros),
        _ => None,
    }
}

/// Whole numbers only: a date, a time of day or a decimal has the same physical type and another meaning.
fn number(leaf: &ColumnDescriptor) -> Option<Form> {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    match (leaf.logical_type_ref(), leaf.converted_type()) {
        (Some(LogicalType::Integer(told)), _) => Some(if told.is_signed { Form::Signed } else { Form::Unsigned }),
        (None, UINT_8 | UINT_16 | UINT_32 | UINT_64) => Some(Form::Unsigned),
        (None, NONE | INT_8 | INT_16 | INT_32 | INT_64) => Some(Form::Signed),
        _ => None,
    }
}
