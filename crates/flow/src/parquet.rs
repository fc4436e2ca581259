//! Flow records in Parquet, in an open schema that anybody can write: one row a flow, columns by name.
//!
//! ```text
//!   footer -> schema::Columns (which column holds what) -> row group -> cells, some rows at a time -> FlowRecord
//! ```
//!
//! [`COLUMNS`] is the schema; columns of other names are never read. Numbers may be of any whole type, times of any unit
//! of Parquet's time stamps; addresses are text. A null is a value that is not known.
//!
//! The file is hostile: its footer, the rows of a group, the bytes of a column and of a page and the values of a
//! dictionary are bounded before anything is read ([`footer`], [`pages`]): room that cannot be had, or a stack that is
//! full, would end the process. A group that cannot be read is one error while all rows that it promised count as left
//! out; the next group is read. Columns may be plain or packed with zstd. Decoding is the `parquet` crate's, and what it panics on is an error
//! here ([`contained`]); what the values mean is read here.
//! The program reads this form and has no writer of it: a flow that may be looked at for one purpose is not stored.
//!
//! Follows the Parquet format's specification at parquet.apache.org.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use bytes::Bytes;

use hinomi_wire::flow::FlowRecord;
use hinomi_wire::flow::file::{Counts, FileError, FlowFile, Place, Reason};

mod cells;
mod footer;
mod pages;
mod row;
mod schema;
mod source;
mod thrift;

use cells::{Cells, Readers};
pub use footer::{MAX_ELEMENTS, MAX_GROUPS, MAX_NESTING};
pub use pages::{MAX_DICTIONARY_VALUES, MAX_PAGE_BYTES};
pub use schema::COLUMNS;
use schema::Columns;
use source::Source;

/// The first bytes, and the last.
pub const MAGIC: [u8; 4] = *b"PAR1";
/// The last bytes of a file with an encrypted footer.
const ENCRYPTED: [u8; 4] = *b"PARE";
/// The most bytes of a footer; a row group of fourteen columns takes some two kilobytes.
pub const MAX_FOOTER_BYTES: u32 = 4 << 20;
/// The most rows of a row group; writers make groups of some hundred thousand.
pub const MAX_GROUP_ROWS: u64 = 64 << 20;
/// The most bytes of a column of a row group, packed and unpacked as the footer tells.
pub const MAX_COLUMN_BYTES: u64 = 1 << 30;
/// The most bytes of a file that comes from a pipe: it is held in memory, for its beginning cannot be read before its end.
pub const MAX_PIPED_BYTES: u64 = 1 << 30;
/// Length and magic at the end of a file.
const TAIL_BYTES: usize = 8;

/// Reads flows; see the module and [`hinomi_wire::flow::file`].
pub struct Flows {
    table: Result<Table, Option<FileError>>,
    cells: Cells,
    /// Rows of the file that were given or left out.
    row: u64,
    counts: Counts,
}

/// A file whose footer makes sense.
struct Table {
    source: Source,
    file: Box<dyn FileReader>,
    columns: Columns,
    group: usize,
    readers: Option<Readers>,
    /// How many rows the group promises beyond those that were read.
    promised: u64,
}

impl Flows {
    /// Of a file, without reading more of it than its footer.
    pub fn of_file(file: File) -> Self {
        Self::of(Table::open(Source::File(Arc::new(file))))
    }

    /// Of bytes that come once, from a pipe: they are held in memory, [`MAX_PIPED_BYTES`] at most.
    pub fn of_stream(source: impl Read) -> Self {
        let mut bytes = Vec::new();
        let table = match source.take(MAX_PIPED_BYTES + 1).read_to_end(&mut bytes) {
            Err(source) => Err(FileError::Read { place: Place::Byte(0), source }),
            Ok(count) if u64::try_from(count).is_ok_and(|count| count > MAX_PIPED_BYTES) => {
                Err(fails(Reason::TooLarge("a Parquet file from a pipe")))
            }
            Ok(_) => Table::open(Source::Memory(Bytes::from(bytes))),
        };
        Self::of(table)
    }

    fn of(table: Result<Table, FileError>) -> Self {
        Self { table: table.map_err(Some), cells: Cells::default(), row: 0, counts: Counts::default() }
    }

    /// What was met so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    fn step(&mut self) -> Option<Result<FlowRecord, FileError>> {
        let table = match &mut self.table {
            Ok(table) => table,
            Err(error) => return error.take().map(Err),
        };
        while self.cells.is_empty() {
            match table.fill(&mut self.cells) {
                Ok(true) => {}
                Ok(false) => return None,
                Err((reason, lost)) => {
                    // The error itself counts for one row.
                    self.counts.leave_out(reason, lost.saturating_sub(1));
                    let place = Place::Row(self.row.saturating_add(1));
                    self.row = self.row.saturating_add(lost);
                    return Some(Err(FileError::Record { place, reason }));
                }
            }
        }
        self.row = self.row.saturating_add(1);
        let place = Place::Row(self.row);
        Some(row::flow(self.cells.take()).map_err(|reason| FileError::Record { place, reason }))
    }
}

impl Table {
    fn open(source: Source) -> Result<Self, FileError> {
        footer::check(&footer_bytes(&source)?).map_err(fails)?;
        let file = contained(|| SerializedFileReader::new(source.clone())).ok_or_else(|| fails(Reason::Footer))?;
        let columns = Columns::of(file.metadata().file_metadata().schema_descr()).map_err(fails)?;
        if file.metadata().row_groups().iter().any(|group| group.num_rows() < 0) {
            return Err(fails(Reason::Invalid("a number of rows")));
        }
        Ok(Self { source, file: Box::new(file), columns, group: 0, readers: None, promised: 0 })
    }

    /// Reads the next rows; false at the end. An error is of a whole group: how many of its rows are lost with it.
    fn fill(&mut self, cells: &mut Cells) -> Result<bool, (Reason, u64)> {
        if self.readers.is_none() && !self.next_group()? {
            return Ok(false);
        }
        let Some(readers) = &mut self.readers else { return Ok(true) };
        match readers.read(self.promised, cells) {
            Ok(rows) => self.promised = self.promised.saturating_sub(rows),
            Err(reason) => {
                self.readers = None;
                return Err((reason, std::mem::take(&mut self.promised)));
            }
        }
        if self.promised == 0 {
            self.readers = None;
        }
        Ok(true)
    }

    /// Opens the next group that promises anything; false when there is none.
    fn next_group(&mut self) -> Result<bool, (Reason, u64)> {
        while self.group < self.file.num_row_groups() {
            let at = self.group;
            self.group += 1;
            let promised = self.columns.promised(self.file.metadata().row_group(at));
            // Nothing to read, and nothing to lose.
            if promised == 0 {
                continue;
            }
            self.readers = Some(self.open_group(at).map_err(|reason| (reason, promised))?);
            self.promised = promised;
            return Ok(true);
        }
        Ok(false)
    }

    fn open_group(&self, at: usize) -> Result<Readers, Reason> {
        self.columns.check(&self.source, self.file.metadata().row_group(at))?;
        let group = contained(|| self.file.get_row_group(at)).ok_or(Reason::Invalid("a row group"))?;
        Readers::open(&*group, &self.columns)
    }
}

/// What the library answers; none where it fails, or panics: it takes some things for granted that a file can deny. Nothing
/// that it had in its hands is used afterwards.
fn contained<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()?.ok()
}

/// The footer, whose length and magic stand behind it.
fn footer_bytes(source: &Source) -> Result<Bytes, FileError> {
    let broken = || fails(Reason::Footer);
    let end = source.len().checked_sub(TAIL_BYTES as u64).ok_or_else(broken)?;
    let tail = source.get_bytes(end, TAIL_BYTES).map_err(|_| broken())?;
    let Some([a, b, c, d, magic @ ..]) = tail.first_chunk::<TAIL_BYTES>() else { return Err(broken()) };
    let length = u32::from_le_bytes([*a, *b, *c, *d]);
    match *magic {
        MAGIC if length <= MAX_FOOTER_BYTES => {
            let at = end.checked_sub(u64::from(length)).ok_or_else(broken)?;
            source.get_bytes(at, usize::try_from(length).unwrap_or(usize::MAX)).map_err(|_| broken())
        }
        MAGIC => Err(fails(Reason::TooLarge("the footer"))),
        ENCRYPTED => Err(fails(Reason::Encrypted)),
        _ => Err(broken()),
    }
}

const fn fails(reason: Reason) -> FileError {
    FileError::File { place: Place::Row(0), reason }
}

impl Iterator for Flows {
    type Item = Result<FlowRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step()?;
        self.counts.add(&item);
        Some(item)
    }
}

impl FlowFile for Flows {
    fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// Does not print what it holds: addresses are among it.
impl fmt::Debug for Flows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flows").field("row", &self.row).field("counts", &self.counts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
