//! Results of passes as files: JSON lines, CSV, Parquet, a batch of rows at a time.
//!
//! At a hundred times the data the time grows and the memory does not.

use std::io::{self, Write};

use arrow_schema::SchemaRef;
use hinomi_model::Timestamp;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value, json};

use super::row::{Cell, Row, encode_cells};
use super::{Job, Order, churn, presence};
use crate::error::LakeError;
use crate::export::{Format, csv};
use crate::table::Effort;
use crate::table::definition::{Definition, Kind};
use crate::table::write;

/// Rows gathered before they are encoded.
const ENCODED_ROWS: usize = 8_192;

/// A pass whose merged rows are shown.
pub(super) trait Shown {
    /// What result rows look like.
    fn result(&self) -> &'static Definition;

    /// A merged row as it is shown.
    fn shown(&self, row: &Row) -> Result<Vec<Cell>, LakeError>;
}

/// How the rows of an order are shown.
pub(super) fn of(order: &Order) -> Result<Box<dyn Shown>, LakeError> {
    match order.job {
        Job::Presence => Ok(Box::new(presence::Presence { gap_days: order.gap_days })),
        Job::Churn => Ok(Box::new(churn::Churn)),
        Job::Rollup | Job::Reidentify => {
            let detail = format!("the result of {} is a table of the lake, not a file", order.job.name());
            Err(LakeError::Unfit { detail })
        }
    }
}

/// Writes rows as they come.
pub(super) struct Writer<'o> {
    definition: &'static Definition,
    form: Form<'o>,
}

enum Form<'o> {
    Jsonl(&'o mut (dyn Write + Send)),
    Csv(&'o mut (dyn Write + Send)),
    Parquet { schema: SchemaRef, rows: Vec<Vec<Cell>>, inner: Box<ArrowWriter<&'o mut (dyn Write + Send)>> },
}

impl<'o> Writer<'o> {
    /// Rows of this kind in this form.
    pub(super) fn new(
        definition: &'static Definition,
        format: Format,
        out: &'o mut (dyn Write + Send),
    ) -> Result<Self, LakeError> {
        let form = match format {
            Format::Jsonl => Form::Jsonl(out),
            Format::Csv => {
                let names = definition.columns().map(|column| column.name.to_owned());
                csv::write_cells(out, names).map_err(refused)?;
                Form::Csv(out)
            }
            Format::CycloneDx => {
                let detail = "a pass has rows and no cryptography: jsonl, csv or parquet".to_owned();
                return Err(LakeError::Unfit { detail });
            }
            Format::Parquet => {
                let (schema, options) = (definition.arrow_schema(), write::options(definition, Effort::Thorough));
                let inner = ArrowWriter::try_new_with_options(out, schema.clone(), options).map_err(unwritten)?;
                Form::Parquet { schema, rows: Vec::new(), inner: Box::new(inner) }
            }
        };
        Ok(Self { definition, form })
    }

    /// Takes one row.
    pub(super) fn take(&mut self, row: Vec<Cell>) -> Result<(), LakeError> {
        match &mut self.form {
            Form::Jsonl(out) => {
                let named = self.definition.columns().zip(&row);
                let object: Map<_, _> =
                    named.map(|(column, cell)| (column.name.to_owned(), value(column.kind, cell))).collect();
                serde_json::to_writer(&mut *out, &object).map_err(|error| refused(error.into()))?;
                out.write_all(b"\n").map_err(refused)
            }
            Form::Csv(out) => {
                let cells = self.definition.columns().zip(&row).map(|(column, cell)| text(column.kind, cell));
                csv::write_cells(*out, cells).map_err(refused)
            }
            Form::Parquet { rows, .. } => {
                rows.push(row);
                if rows.len() < ENCODED_ROWS { Ok(()) } else { self.encode() }
            }
        }
    }

    fn encode(&mut self) -> Result<(), LakeError> {
        let Form::Parquet { schema, rows, inner } = &mut self.form else { return Ok(()) };
        let batch = encode_cells(self.definition, schema, &std::mem::take(rows))?;
        inner.write(&batch).map_err(unwritten)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), LakeError> {
        self.encode()?;
        match self.form {
            Form::Parquet { inner, .. } => inner.close().map(drop).map_err(unwritten),
            Form::Jsonl(out) | Form::Csv(out) => out.flush().map_err(refused),
        }
    }
}

fn value(kind: Kind, cell: &Cell) -> Value {
    match cell {
        Cell::Long(micros) if kind == Kind::Time => json!(Timestamp::from_micros(*micros)),
        Cell::Long(number) => json!(number),
        Cell::Text(text) => json!(text),
        Cell::Nothing | Cell::Bytes(_) => Value::Null,
    }
}

fn text(kind: Kind, cell: &Cell) -> String {
    match cell {
        Cell::Long(micros) if kind == Kind::Time => Timestamp::from_micros(*micros).to_string(),
        Cell::Long(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Nothing | Cell::Bytes(_) => String::new(),
    }
}

fn refused(source: io::Error) -> LakeError {
    LakeError::Io { what: "writing the result".to_owned(), source }
}

fn unwritten(source: parquet::errors::ParquetError) -> LakeError {
    LakeError::Parquet { what: "writing the result".to_owned(), source }
}
