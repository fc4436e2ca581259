//! Arrow batches between processes: frames of a length and one whole Arrow stream.
//!
//! A frame is four bytes (its length, little-endian) and so many bytes of an Arrow IPC stream with one batch in it
//! (<https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format>). A frame of length 0 is the end: what ends
//! without one was cut off, and is refused. At a hundred times the data nothing changes: a frame holds one batch.

use std::io::{ErrorKind, Read, Write};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

use super::row::{self, Row};
use crate::error::LakeError;
use crate::table::definition::Definition;

/// The most bytes of a frame.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 30;

/// Rows of one frame, at most.
const FRAME_ROWS: usize = 4_096;

/// Bytes of the rows of one frame, about.
const FRAME_BYTES: usize = 4 << 20;

/// Writes partial rows as frames.
pub(crate) struct Frames<W: Write> {
    out: W,
    definition: &'static Definition,
    schema: SchemaRef,
    rows: Vec<Row>,
    bytes: usize,
}

impl<W: Write> Frames<W> {
    /// Rows of this kind, into this.
    pub(crate) fn new(out: W, definition: &'static Definition) -> Self {
        Self { out, definition, schema: definition.arrow_schema(), rows: Vec::new(), bytes: 0 }
    }

    /// Takes one row.
    pub(crate) fn take(&mut self, row: Row) -> Result<(), LakeError> {
        self.bytes += row.weight();
        self.rows.push(row);
        if self.rows.len() >= FRAME_ROWS || self.bytes >= FRAME_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), LakeError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let batch = row::encode(self.definition, &self.schema, &rows)?;
        let mut writer = StreamWriter::try_new(Vec::new(), &self.schema).map_err(refused)?;
        writer.write(&batch).map_err(refused)?;
        let bytes = writer.into_inner().map_err(refused)?;
        let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= MAX_FRAME_BYTES);
        let length = length.ok_or_else(|| LakeError::damaged("partial rows", "a frame of more than a gibibyte"))?;
        let written = self.out.write_all(&length.to_le_bytes()).and_then(|()| self.out.write_all(&bytes));
        written.map_err(told("writing partial rows"))
    }

    /// Writes what is left, and the end.
    pub(crate) fn finish(mut self) -> Result<W, LakeError> {
        self.write()?;
        let ended = self.out.write_all(&0_u32.to_le_bytes()).and_then(|()| self.out.flush());
        ended.map_err(told("writing partial rows"))?;
        Ok(self.out)
    }
}

/// Reads the rows of the next frame; none at the end.
pub(crate) fn read(source: &mut impl Read, definition: &'static Definition) -> Result<Option<Vec<Row>>, LakeError> {
    let mut length = [0; 4];
    source.read_exact(&mut length).map_err(cut)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_FRAME_BYTES {
        return Err(LakeError::damaged("partial rows", "a frame of more than a gibibyte"));
    }
    let mut bytes = Vec::new();
    let found = source.take(length as u64).read_to_end(&mut bytes).map_err(told("reading partial rows"))?;
    if found < length {
        return Err(cut(ErrorKind::UnexpectedEof.into()));
    }
    let mut rows = Vec::new();
    for batch in StreamReader::try_new(bytes.as_slice(), None).map_err(refused)? {
        let batch: RecordBatch = batch.map_err(refused)?;
        rows.extend(row::decode(definition, &batch)?);
    }
    Ok(Some(rows))
}

fn cut(error: std::io::Error) -> LakeError {
    match error.kind() {
        ErrorKind::UnexpectedEof => LakeError::damaged("partial rows", "they end before their end was told"),
        _ => told("reading partial rows")(error),
    }
}

fn told(what: &str) -> impl FnOnce(std::io::Error) -> LakeError {
    let what = what.to_owned();
    move |source| LakeError::Io { what, source }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(error: ArrowError) -> LakeError {
    LakeError::damaged("partial rows", &error)
}
