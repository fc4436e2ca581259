//! What readers of flow files share: reasons, places, counts, lines of bounded length.
//!
//! A reader is a [`FlowFile`]: an iterator of `Result<FlowRecord, FileError>`. A record that cannot be read is an error
//! that says where, and reading goes on; an error that [`FileError::ends_the_file`] is the last item. [`Counts`] keeps
//! the sums.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read};

use super::FlowRecord;

/// The longest line of a log that is read; what is longer is left out under [`Reason::TooLong`].
pub const MAX_LINE_BYTES: usize = 65_536;

/// Why something in a flow file is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A line of values before the line that names the columns.
    #[error("no line before it names the columns")]
    NoHeader,
    /// A file without a column that a flow needs.
    #[error("there is no column {0}")]
    MissingColumn(&'static str),
    /// A log of something else.
    #[error("it is a log of something else than connections")]
    OtherLog,
    /// A line or row without a value that a flow needs.
    #[error("there is no value for {0}")]
    MissingValue(&'static str),
    /// A value that is not what its column holds.
    #[error("{0} is not what that column holds")]
    BadValue(&'static str),
    /// A port by name.
    #[error("{0} is a name: have it written as a number (ra -n)")]
    NamedPort(&'static str),
    /// A record about something below IP.
    #[error("not an IP flow")]
    NotIp,
    /// A record of the tool about itself.
    #[error("not a flow but a record of the tool about itself")]
    Management,
    /// An event without packets or bytes, such as a firewall's.
    #[error("an event without packets or bytes")]
    Event,
    /// Longer than we read.
    #[error("longer than we read")]
    TooLong,
    /// Broken JSON.
    #[error("not a JSON object of a connection")]
    Json,
    /// Packed with gzip.
    #[error("it is packed with gzip: unpack it first (gzip -d FILE)")]
    Gzip,
    /// The first bytes are another format's.
    #[error("it is not a file of nfdump on a little-endian machine")]
    NotNfdump,
    /// An older or a newer layout.
    #[error("its layout {0} is not one we read: convert it with nfdump -r FILE -w NEW")]
    Layout(u16),
    /// A compression that is not supported.
    #[error("it is compressed with {0}: convert it with nfdump -r FILE -y -w NEW")]
    Compression(&'static str),
    /// The end of a Parquet file is missing, or says nothing that can be.
    #[error("its end is not that of a Parquet file: was it cut off?")]
    Footer,
    /// A column of another type than the schema asks for.
    #[error("the column {0} is not of a type that the schema allows")]
    WrongType(&'static str),
    /// A column is compressed with what is not supported.
    #[error("the column {0} is compressed with something else than zstd: write the file again with zstd")]
    ColumnCompression(&'static str),
    /// A column's pages make no sense.
    #[error("the column {0} cannot be decoded")]
    Undecodable(&'static str),
    /// More than is read at once.
    #[error("{0} is larger than we read")]
    TooLarge(&'static str),
    /// Encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// Compressed bytes that are not.
    #[error("a block cannot be decompressed")]
    Decompress,
    /// The file was cut off.
    #[error("the file ends within {0}")]
    Truncated(&'static str),
    /// A length or a number that cannot be.
    #[error("{0} contradicts the rest of the file")]
    Invalid(&'static str),
}

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line, from 1.
    Line(u64),
    /// A row of a table, from 1; 0 is what stands before all rows.
    Row(u64),
    /// An offset in bytes; within a compressed block the offset of the block.
    Byte(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Row(0) => formatter.write_str("before the first row"),
            Self::Row(row) => write!(formatter, "row {row}"),
            Self::Byte(at) => write!(formatter, "byte {at}"),
        }
    }
}

/// Why a flow file, or a record of it, could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system could not read.
    #[error("could not read on at {place}: {source}")]
    Read {
        /// Where.
        place: Place,
        /// The system's words.
        source: io::Error,
    },
    /// One record could not be read; the next ones can.
    #[error("{place}: this record was left out: {reason}")]
    Record {
        /// Where.
        place: Place,
        /// Why.
        reason: Reason,
    },
    /// The file cannot be read beyond this point. Records before it are good.
    #[error("{place}: the file cannot be read further: {reason}")]
    File {
        /// Where.
        place: Place,
        /// Why.
        reason: Reason,
    },
}

impl FileError {
    /// Whether nothing after this error was read.
    pub const fn ends_the_file(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::File { .. })
    }

    /// The reason; none where the system could not read.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Read { .. } => None,
            Self::Record { reason, .. } | Self::File { reason, .. } => Some(*reason),
        }
    }
}

/// A reader of a flow file.
pub trait FlowFile: Iterator<Item = Result<FlowRecord, FileError>> {
    /// What was met so far.
    fn counts(&self) -> &Counts;
}

/// What a reader met: every line or record of the file is in one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Flows that were given.
    pub records: u64,
    /// Comments, names of columns, empty lines, descriptions: nothing that was to become a flow.
    pub other: u64,
    /// What was left out, by reason. An error that loses a block of records counts all that the block promised.
    pub left_out: BTreeMap<Reason, u64>,
    /// Files that the system could not read to the end.
    pub read_errors: u64,
}

impl Counts {
    /// Counts what a reader gave.
    pub fn add<T>(&mut self, item: &Result<T, FileError>) {
        match item.as_ref().map_err(FileError::reason) {
            Ok(_) => self.records = self.records.saturating_add(1),
            Err(Some(reason)) => {
                let count = self.left_out.entry(reason).or_default();
                *count = count.saturating_add(1);
            }
            Err(None) => self.read_errors = self.read_errors.saturating_add(1),
        }
    }

    /// Records that were left out without an error of their own.
    pub fn leave_out(&mut self, reason: Reason, records: u64) {
        if records > 0 {
            let count = self.left_out.entry(reason).or_default();
            *count = count.saturating_add(records);
        }
    }

    /// How many records were left out, whatever the reason.
    pub fn left_out_in_all(&self) -> u64 {
        self.left_out.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Lines of a log, one at a time, in one buffer.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    line: u64,
    buffer: Vec<u8>,
}

/// What stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It is in [`Lines::text`].
    Held,
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(source: R) -> Self {
        Self { source, line: 0, buffer: Vec::new() }
    }

    /// The line that was read last.
    pub(super) const fn place(&self) -> Place {
        Place::Line(self.line)
    }

    /// Its text without the end of line; bytes, for logs hold what a peer said.
    pub(super) fn text(&self) -> &[u8] {
        let text = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    /// Reads the next line; none at the end.
    pub(super) fn advance(&mut self) -> io::Result<Option<Line>> {
        self.buffer.clear();
        let limit = u64::try_from(MAX_LINE_BYTES + 1).unwrap_or(u64::MAX);
        if self.source.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        if self.buffer.len() <= MAX_LINE_BYTES || self.buffer.ends_with(b"\n") {
            return Ok(Some(Line::Held));
        }
        self.buffer.clear();
        self.skip_line().map(|()| Some(Line::TooLong))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(());
            }
            let end = memchr::memchr(b'\n', available);
            let count = end.map_or(available.len(), |end| end + 1);
            self.source.consume(count);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}
