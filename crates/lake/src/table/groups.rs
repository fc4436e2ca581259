//! Row groups of a Parquet file, their columns encoded side by side.
//!
//! [`RowGroups`] gathers batches until a group is full and then encodes every column on its own, on all processors:
//! compression of the long columns is most of what writing costs. What is written does not depend on the number of
//! processors. At a hundred times the data: memory stays at one group, as it came and encoded.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{Field, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedFileWriter;

/// Rows of one row group, at most.
pub(super) const GROUP_ROWS: usize = 65_536;

/// Bytes of one row group before it is encoded, at most, but for a single batch that is larger.
pub(super) const GROUP_BYTES: usize = 64 << 20;

/// Fewer rows are encoded by one thread.
const WORTH_THREADS: usize = 2_048;

/// A file that is being written.
pub(super) struct RowGroups<W: Write + Send> {
    file: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    gathered: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> RowGroups<W> {
    pub(super) fn new(sink: W, schema: SchemaRef, options: ArrowWriterOptions) -> Result<Self> {
        let writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self { file, factory, schema, gathered: Vec::new(), rows: 0, bytes: 0 })
    }

    /// Takes rows; writes a group when it is full.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let bytes = batch.get_array_memory_size();
        if self.bytes + bytes > GROUP_BYTES {
            self.flush()?;
        }
        let mut rest = batch.clone();
        while self.rows + rest.num_rows() >= GROUP_ROWS {
            let fits = GROUP_ROWS - self.rows;
            self.gather(rest.slice(0, fits), 0);
            self.flush()?;
            rest = rest.slice(fits, rest.num_rows() - fits);
        }
        self.gather(rest, bytes);
        Ok(())
    }

    /// Writes what is left and the file's end.
    pub(super) fn finish(mut self) -> Result<W> {
        self.flush()?;
        self.file.into_inner()
    }

    fn gather(&mut self, batch: RecordBatch, bytes: usize) {
        if batch.num_rows() > 0 {
            (self.rows, self.bytes) = (self.rows + batch.num_rows(), self.bytes + bytes);
            self.gathered.push(batch);
        }
    }

    fn flush(&mut self) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows == 0 {
            return Ok(());
        }
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let columns = self.columns(&gathered)?;
        let encoded = encode(columns, &gathered, if rows < WORTH_THREADS { 1 } else { threads })?;
        let mut group = self.file.next_row_group()?;
        for chunk in encoded {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }

    /// The columns of the next group, in file order.
    fn columns<'a>(&'a self, gathered: &[RecordBatch]) -> Result<Vec<Column<'a>>> {
        let mut writers = self.factory.create_column_writers(self.file.flushed_row_groups().len())?.into_iter();
        let first = gathered.first().ok_or_else(|| ParquetError::General("a row group without rows".to_owned()))?;
        let column = |(at, field): (usize, &'a std::sync::Arc<Field>)| {
            let leaves = compute_leaves(field, &first.column(at).slice(0, 0))?.len();
            Ok(Column { at, field, writers: writers.by_ref().take(leaves).collect() })
        };
        self.schema.fields().iter().enumerate().map(column).collect()
    }
}

/// A column that is being encoded, with one writer for each of its leaves.
struct Column<'a> {
    at: usize,
    field: &'a Field,
    writers: Vec<ArrowColumnWriter>,
}

impl Column<'_> {
    fn encode(mut self, batches: &[RecordBatch]) -> Result<Vec<ArrowColumnChunk>> {
        for batch in batches {
            let leaves = compute_leaves(self.field, batch.column(self.at))?;
            for (writer, leaf) in self.writers.iter_mut().zip(&leaves) {
                writer.write(leaf)?;
            }
        }
        self.writers.into_iter().map(ArrowColumnWriter::close).collect()
    }
}

/// Encodes the columns, each by the first thread that is free.
fn encode(columns: Vec<Column<'_>>, batches: &[RecordBatch], threads: usize) -> Result<Vec<ArrowColumnChunk>> {
    let waiting = Mutex::new(columns.into_iter());
    let work = || -> Result<Vec<(usize, Vec<ArrowColumnChunk>)>> {
        let mut done = Vec::new();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(column) = next else { return Ok(done) };
            done.push((column.at, column.encode(batches)?));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work()?;
        for other in others {
            done.extend(other.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))?);
        }
        Ok::<_, ParquetError>(done)
    })?;
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().flat_map(|(_, chunks)| chunks).collect())
}
