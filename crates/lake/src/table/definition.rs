//! What a table's rows look like, said once: the Arrow schema and the Delta schema are both made from it.
//!
//! Kinds of column are those that DuckDB, Spark, Polars and ClickHouse read alike: plain UTF-8, signed integers,
//! microseconds in UTC, lists. No views, no unsigned or fixed-size types.
//! At a hundred times the data nothing changes here.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Value, json};

/// A table: its name and its columns.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Folder under `tables/`.
    pub(crate) name: &'static str,
    /// What it holds, for people who find it in a catalogue.
    pub(crate) description: &'static str,
    /// Its columns, in order, in groups that tables may share. Only ever added to.
    pub(crate) columns: &'static [&'static [Column]],
    /// The columns that rows of one file are sorted by.
    pub(crate) sorted_by: &'static [&'static str],
    /// Version of our use of the table format, kept in the table's configuration; who knows less is refused.
    pub(crate) format: u64,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8 text.
    Text,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// True or false.
    Bool,
    /// Microseconds since the epoch, UTC.
    Time,
    /// Bytes.
    Bytes,
    /// A list of texts.
    Texts,
    /// A list of times, ascending.
    Times,
    /// A list of references to evidence: `kind` and `hash`.
    References,
}

/// How the values of a column behave, and so how it is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Values repeat: a dictionary pays.
    Repeats,
    /// Every value is another: no dictionary, a Bloom filter instead.
    Names,
    /// Long values that nobody compares: no dictionary, no statistics, small pages.
    Bulk,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Whether it may be absent.
    pub(crate) nullable: bool,
    /// How its values behave.
    pub(crate) habit: Habit,
}

impl Column {
    /// A column that is always present and whose values repeat.
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: false, habit: Habit::Repeats }
    }

    /// The same, and it may be absent.
    pub(crate) const fn optional(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same, with values that behave so.
    pub(crate) const fn habit(mut self, habit: Habit) -> Self {
        self.habit = habit;
        self
    }

    fn arrow_field(&self) -> Field {
        Field::new(self.name, self.kind.arrow_type(), self.nullable)
    }

    fn delta_field(&self) -> Value {
        json!({ "name": self.name, "type": self.kind.delta_type(), "nullable": self.nullable, "metadata": {} })
    }
}

impl Kind {
    fn arrow_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Bool => DataType::Boolean,
            Self::Time => time_type(),
            Self::Bytes => DataType::Binary,
            Self::Texts => DataType::List(text_element()),
            Self::Times => DataType::List(time_element()),
            Self::References => DataType::List(reference_element()),
        }
    }

    fn delta_type(self) -> Value {
        match self {
            Self::Text => json!("string"),
            Self::Int => json!("integer"),
            Self::Long => json!("long"),
            Self::Bool => json!("boolean"),
            Self::Time => json!("timestamp"),
            Self::Bytes => json!("binary"),
            Self::Texts => json!({ "type": "array", "elementType": "string", "containsNull": false }),
            Self::Times => json!({ "type": "array", "elementType": "timestamp", "containsNull": false }),
            Self::References => {
                let element = json!({ "type": "struct", "fields": [
                    { "name": "kind", "type": "string", "nullable": false, "metadata": {} },
                    { "name": "hash", "type": "string", "nullable": false, "metadata": {} },
                ] });
                json!({ "type": "array", "elementType": element, "containsNull": false })
            }
        }
    }
}

/// The element of a list of texts; Parquet's own name for it is `element`.
pub(crate) fn text_element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, false))
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The element of a list of times.
pub(crate) fn time_element() -> Arc<Field> {
    Arc::new(Field::new("element", time_type(), false))
}

/// The element of a list of references.
pub(crate) fn reference_element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Struct(reference_fields()), false))
}

/// What a reference consists of.
pub(crate) fn reference_fields() -> Fields {
    Fields::from(vec![Field::new("kind", DataType::Utf8, false), Field::new("hash", DataType::Utf8, false)])
}

impl Definition {
    /// Its columns, in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().copied().flatten()
    }

    /// The schema of its rows in memory.
    pub(crate) fn arrow_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns().map(Column::arrow_field).collect::<Vec<_>>()))
    }

    /// The `schemaString` of the log.
    pub(crate) fn delta_schema(&self) -> String {
        let fields: Vec<_> = self.columns().map(Column::delta_field).collect();
        json!({ "type": "struct", "fields": fields }).to_string()
    }
}
