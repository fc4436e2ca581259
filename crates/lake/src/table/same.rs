//! Columns that hold one value in all row groups that are wanted, by what the footer tells: they are made, not read. Of a
//! survey that is most columns: one sensor, one marking, no remark.
//!
//! Only what the footer says exactly counts; a file that says nothing is read, and so is one without sums over its blocks.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

/// What all rows have.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Nothing,
    Text(String),
    Int(i32),
}

/// Columns with what all rows have in them.
#[derive(Debug, Default)]
pub(super) struct Same {
    made: Vec<(Arc<Field>, Value)>,
    /// All columns that are wanted, in the order of the file.
    order: Vec<String>,
}

impl Same {
    /// Those of these columns that hold one value in these row groups; a file without any wanted groups has none.
    pub(super) fn of(schema: &Schema, groups: &[&RowGroupMetaData], columns: &[&str]) -> Self {
        let one = |name: &&str| {
            let field = schema.fields().iter().find(|field| field.name() == name)?;
            let (first, others) = groups.split_first()?;
            let value = value_in(first, field)?;
            others
                .iter()
                .all(|group| value_in(group, field).as_ref() == Some(&value))
                .then(|| (Arc::clone(field), value))
        };
        let wanted = schema.fields().iter().map(|field| field.name()).filter(|name| columns.contains(&name.as_str()));
        Self { made: columns.iter().filter_map(one).collect(), order: wanted.cloned().collect() }
    }

    /// Whether a column is made.
    pub(super) fn has(&self, name: &str) -> bool {
        self.made.iter().any(|(field, _)| field.name() == name)
    }

    /// Puts the columns among what was read of the others, each in its place.
    pub(super) fn add_to(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.made.is_empty() {
            return Ok(batch);
        }
        let (rows, schema) = (batch.num_rows(), batch.schema());
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for name in &self.order {
            if let Some((field, value)) = self.made.iter().find(|(field, _)| field.name() == name) {
                fields.push(Arc::clone(field));
                arrays.push(array_of(value, field, rows));
            } else if let Some((at, field)) = schema.fields().find(name) {
                fields.push(Arc::clone(field));
                arrays.push(Arc::clone(batch.column(at)));
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
    }
}

fn array_of(value: &Value, field: &Field, rows: usize) -> ArrayRef {
    match value {
        Value::Nothing => new_null_array(field.data_type(), rows),
        Value::Text(text) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))),
        Value::Int(number) => Arc::new(Int32Array::from_value(*number, rows)),
    }
}

/// What all rows of a group have in a column, where its footer says so.
fn value_in(group: &RowGroupMetaData, field: &Field) -> Option<Value> {
    let mut leaves = group.columns().iter().filter(|column| column.column_path().parts().first() == Some(field.name()));
    let (leaf, None) = (leaves.next()?, leaves.next()) else { return None };
    let told = leaf.statistics()?;
    let nulls = told.null_count_opt()?;
    // Of a list it is not told whether it is absent or empty: only one that may be absent is.
    if i64::try_from(nulls) == Ok(leaf.num_values()) {
        return field.is_nullable().then_some(Value::Nothing);
    }
    if nulls > 0 || leaf.column_path().parts().len() > 1 {
        return None;
    }
    match (told, field.data_type()) {
        (Statistics::ByteArray(texts), DataType::Utf8) if texts.min_is_exact() && texts.max_is_exact() => {
            let least = texts.min_opt().filter(|least| Some(*least) == texts.max_opt())?;
            Some(Value::Text(std::str::from_utf8(least.data()).ok()?.to_owned()))
        }
        (Statistics::Int32(numbers), DataType::Int32) => {
            numbers.min_opt().filter(|least| Some(*least) == numbers.max_opt()).map(|least| Value::Int(*least))
        }
        _ => None,
    }
}
