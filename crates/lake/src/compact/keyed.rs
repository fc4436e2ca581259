//! Rows with names, of many files, into one file sorted by name.
//!
//! Rows are copied as they are; a name that stands twice is kept once. At a hundred times the data: memory holds a few
//! rows of each file, at most 16 pieces of evidence of 256 KiB.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, new_null_array};
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave_record_batch;

use super::Progress;
use crate::error::LakeError;
use crate::table::{DataFile, Rows, Staged, Table, read};

/// Merges these files into one that does not count yet.
pub(super) fn merge(table: &Table, files: &[Arc<DataFile>], told: &mut Progress<'_>) -> Result<Vec<Staged>, LakeError> {
    let newest = super::newest(files);
    let mut merge = Merge::open(table, files, told)?;
    let staged = table.stage("merged-0", merge.by_ref())?;
    let rows = staged.rows;
    Ok(vec![super::with_origin(staged, newest, rows)])
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, LakeError>>>;

struct Merge<'t, 'p> {
    table: &'static str,
    schema: SchemaRef,
    sources: Vec<Source>,
    /// The next name of each file.
    heap: BinaryHeap<Reverse<(String, usize)>>,
    last: String,
    told: &'t mut Progress<'p>,
}

struct Source {
    batches: Batches,
    batch: RecordBatch,
    row: usize,
}

impl<'t, 'p> Merge<'t, 'p> {
    fn open(table: &Table, files: &[Arc<DataFile>], told: &'t mut Progress<'p>) -> Result<Self, LakeError> {
        let schema = table.schema().clone();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let empty = RecordBatch::new_empty(schema.clone());
        let source = |file: &Arc<DataFile>| {
            let batches: Batches = Box::new(read::stream(&table.path(file), &names, Rows::AllBulk)?);
            Ok(Source { batches, batch: empty.clone(), row: 0 })
        };
        let sources = files.iter().map(source).collect::<Result<Vec<_>, LakeError>>()?;
        let (heap, last) = (BinaryHeap::new(), String::new());
        let mut merge = Self { table: table.name(), schema, sources, heap, last, told };
        (0..files.len()).try_for_each(|at| merge.refill(at))?;
        Ok(merge)
    }

    /// Takes the next rows of a file, if it has any.
    fn refill(&mut self, at: usize) -> Result<(), LakeError> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        source.row = 0;
        while let Some(batch) = source.batches.next().transpose()? {
            if batch.num_rows() > 0 {
                source.batch = conform(self.table, &self.schema, &batch)?;
                return self.offer(at);
            }
        }
        source.batch = RecordBatch::new_empty(self.schema.clone());
        Ok(())
    }

    /// Puts the name at which a file stands among the others.
    fn offer(&mut self, at: usize) -> Result<(), LakeError> {
        let Some(source) = self.sources.get(at) else { return Ok(()) };
        // The first column of a table with names is the name.
        let names = source.batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        let name = names.filter(|names| source.row < names.len()).map(|names| names.value(source.row).to_owned());
        let name = name.ok_or_else(|| LakeError::damaged(self.table, "a row without a name"))?;
        self.heap.push(Reverse((name, at)));
        Ok(())
    }

    /// The next rows: until one of the files needs other rows in memory.
    fn batch(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        let mut wanted = Vec::new();
        while let Some(Reverse((name, at))) = self.heap.pop() {
            let Some(source) = self.sources.get_mut(at) else { continue };
            if name != self.last {
                wanted.push((at, source.row));
            }
            self.last = name;
            source.row += 1;
            self.told.add(1)?;
            if source.row < source.batch.num_rows() {
                self.offer(at)?;
                continue;
            }
            let rows = self.pick(&wanted)?;
            self.refill(at)?;
            if rows.num_rows() > 0 {
                return Ok(Some(rows));
            }
            wanted.clear();
        }
        Ok(None)
    }

    fn pick(&self, wanted: &[(usize, usize)]) -> Result<RecordBatch, LakeError> {
        let batches: Vec<&RecordBatch> = self.sources.iter().map(|source| &source.batch).collect();
        interleave_record_batch(&batches, wanted).map_err(|error| LakeError::damaged(self.table, &error))
    }
}

impl Iterator for Merge<'_, '_> {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// The same rows with the columns of today, in today's order; columns that an older file lacks are absent values.
fn conform(table: &'static str, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let column = |field: &Arc<arrow_schema::Field>| match batch.column_by_name(field.name()) {
        Some(array) => Arc::clone(array),
        None => new_null_array(field.data_type(), batch.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| LakeError::damaged(table, &error))
}
