//! CSV (RFC 4180) of any origin: quotes, doubled quotes, line breaks in quotes, a byte order mark, CRLF or LF.
//!
//! A record that is cut off in the middle of quotes would swallow what follows. No quote stands in quotes but doubled, so
//! one that begins a line and has neither a comma nor a line end behind it begins the next record. A row that is refused
//! is read on to its real end with nothing kept, quotes and all: what a host says in it never becomes a row.

use std::io::BufRead;

use super::super::MAX_RECORD_BYTES;
use super::super::bounded::Bounded;
use super::super::error::ScanError;

/// The most columns of a row.
const MAX_COLUMNS: usize = 1_024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads rows. The one read last stays in [`Csv::cells`].
#[derive(Debug)]
pub(in crate::scans) struct Csv<R> {
    source: Bounded<R>,
    row: Row,
    position: (u64, u64),
    /// What was read of the next row already.
    carried: Option<u8>,
}

/// A row while it is read.
#[derive(Debug)]
struct Row {
    /// The values, one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    state: State,
    /// What is wrong with the row; from then on, nothing of it is kept.
    trouble: Option<&'static str>,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scans) enum Got {
    /// A row.
    Row,
    /// A row that cannot be read; why. It was skipped.
    Refused(&'static str),
    /// The source is at its end.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value begins.
    Start,
    Plain,
    /// In quotes; whether a line begins.
    Quoted(bool),
    /// Behind a quote in quotes, which ends them unless it is doubled; whether it began a line.
    Quote(bool),
}

/// What a byte means.
enum Verdict {
    More,
    Row,
    /// The row was cut off, and the next one begins with this byte in quotes.
    Restart(u8),
}

const CUT_OFF: &str = "it was cut off in the middle of quotes";

impl<R: BufRead> Csv<R> {
    pub(in crate::scans) const fn new(source: R) -> Self {
        let row = Row { bytes: Vec::new(), ends: Vec::new(), state: State::Start, trouble: None };
        Self { source: Bounded::new(source), row, position: (1, 0), carried: None }
    }

    /// The values of the row.
    pub(in crate::scans) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.row.ends.iter().copied());
        starts.zip(&self.row.ends).map(|(start, end)| self.row.bytes.get(start..*end).unwrap_or_default())
    }

    /// An error about the row.
    pub(in crate::scans) fn refuse(&self, reason: impl Into<String>) -> ScanError {
        Bounded::<R>::record_error(self.position, reason)
    }

    /// The row tells of something that is not asked for.
    pub(in crate::scans) const fn leave_out(&self, reason: &'static str) -> ScanError {
        let (line, offset) = self.position;
        ScanError::Other { line, offset, reason }
    }

    /// An error that ends the file here.
    pub(in crate::scans) fn file_error(&self, reason: &str) -> ScanError {
        self.source.file_error(reason)
    }

    /// Reads the next row that is not empty.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub(in crate::scans) fn next(&mut self) -> Result<Got, ScanError> {
        loop {
            match self.read_row()? {
                Got::Row if self.row.is_empty() => {}
                got => return Ok(got),
            }
        }
    }

    fn read_row(&mut self) -> Result<Got, ScanError> {
        self.position = self.source.position();
        self.row.begin(self.carried.take());
        let mut taken = 0_usize;
        loop {
            self.source.allow(usize::MAX);
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) => return Err(self.source.read_error(error)),
            };
            if available.is_empty() {
                return Ok(self.row.end(taken));
            }
            let skipped = if self.position.1 == 0 && taken == 0 { mark(available) } else { 0 };
            let (count, verdict) = self.row.feed(available.get(skipped..).unwrap_or_default());
            self.source.consume(skipped + count);
            taken = taken.saturating_add(count);
            match verdict {
                Verdict::More if taken > MAX_RECORD_BYTES => {
                    self.row.wrong("longer than the 8 MiB that we read of a row")
                }
                Verdict::More => {}
                Verdict::Row => return Ok(self.row.trouble.map_or(Got::Row, Got::Refused)),
                Verdict::Restart(byte) => {
                    self.carried = Some(byte);
                    return Ok(Got::Refused(CUT_OFF));
                }
            }
        }
    }
}

impl Row {
    /// Starts anew, perhaps with a byte in quotes.
    fn begin(&mut self, carried: Option<u8>) {
        self.bytes.clear();
        self.ends.clear();
        self.trouble = None;
        self.state = if carried.is_some() { State::Quoted(false) } else { State::Start };
        self.bytes.extend(carried);
    }

    const fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.ends.len() == 1
    }

    /// The source ended, perhaps without a line end.
    fn end(&mut self, taken: usize) -> Got {
        match (self.state, self.trouble) {
            (_, Some(reason)) => Got::Refused(reason),
            (State::Quoted(_), _) => Got::Refused(CUT_OFF),
            (State::Start, _) if taken == 0 => Got::End,
            _ => {
                self.end_line();
                Got::Row
            }
        }
    }

    /// Takes bytes until the row is at its end; how many were taken.
    fn feed(&mut self, available: &[u8]) -> (usize, Verdict) {
        for (index, byte) in available.iter().enumerate() {
            let verdict = self.take(*byte);
            if !matches!(verdict, Verdict::More) {
                return (index + 1, verdict);
            }
        }
        (available.len(), Verdict::More)
    }

    fn take(&mut self, byte: u8) -> Verdict {
        match (self.state, byte) {
            (State::Quoted(_), b'"') => self.state = State::Quote(matches!(self.state, State::Quoted(true))),
            (State::Quoted(_), _) => {
                self.keep(byte);
                self.state = State::Quoted(byte == b'\n');
            }
            (State::Start, b'"') => self.state = State::Quoted(false),
            (State::Quote(_), b'"') => {
                self.keep(byte);
                self.state = State::Quoted(false);
            }
            (_, b',') => self.end_cell(),
            (_, b'\n') => {
                self.end_line();
                return Verdict::Row;
            }
            (State::Quote(_), b'\r') => {}
            (State::Quote(true), _) => return Verdict::Restart(byte),
            (State::Quote(false), _) => {
                self.wrong("a quote stands in quotes that is not doubled");
                self.state = State::Plain;
            }
            (State::Start | State::Plain, _) => {
                self.keep(byte);
                self.state = State::Plain;
            }
        }
        Verdict::More
    }

    fn keep(&mut self, byte: u8) {
        if self.trouble.is_none() {
            self.bytes.push(byte);
        }
    }

    fn end_cell(&mut self) {
        self.state = State::Start;
        if self.trouble.is_some() {
            return;
        }
        if self.ends.len() + 1 < MAX_COLUMNS {
            self.ends.push(self.bytes.len());
        } else {
            self.wrong("more than the 1,024 columns that we read");
        }
    }

    /// The carriage return of a line end is no part of the last value.
    fn end_line(&mut self) {
        if self.state == State::Plain && self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        self.ends.push(self.bytes.len());
    }

    /// From here to the end of the row, nothing is kept. Where quotes begin and end is still followed.
    fn wrong(&mut self, reason: &'static str) {
        self.trouble.get_or_insert(reason);
        self.bytes = Vec::new();
        self.ends.clear();
    }
}

fn mark(available: &[u8]) -> usize {
    if available.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

/// Writes a row.
pub(super) fn write<'a>(bytes: &mut Vec<u8>, cells: impl Iterator<Item = &'a [u8]>) {
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            bytes.push(b',');
        }
        let plain = !cell.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n'));
        if plain && !cell.is_empty() {
            bytes.extend_from_slice(cell);
            continue;
        }
        bytes.push(b'"');
        for byte in cell {
            bytes.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
        }
        bytes.push(b'"');
    }
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// Rows and refusals, read in pieces of so many bytes.
    fn read(text: &[u8], piece: usize) -> Vec<Result<Vec<Vec<u8>>, &'static str>> {
        let mut csv = Csv::new(BufReader::with_capacity(piece.max(4), text));
        let mut rows = Vec::new();
        loop {
            match csv.next().expect("no trouble with memory") {
                Got::End => return rows,
                Got::Row => rows.push(Ok(csv.cells().map(<[u8]>::to_vec).collect())),
                Got::Refused(reason) => rows.push(Err(reason)),
            }
        }
    }

    fn texts(text: &str) -> Vec<Result<Vec<String>, &'static str>> {
        let strings = |row: Vec<Vec<u8>>| row.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        read(text.as_bytes(), 8192).into_iter().map(|row| row.map(strings)).collect()
    }

    fn row(cells: &[&str]) -> Result<Vec<String>, &'static str> {
        Ok(cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn quotes_breaks_marks_and_line_ends() {
        let text = "\u{feff}a,\"b\"\r\n\r\n\"x \"\"y\"\"\r\nz\",\n\"\",\"1,2\"\nlast,row";
        let rows = [row(&["a", "b"]), row(&["x \"y\"\r\nz", ""]), row(&["", "1,2"]), row(&["last", "row"])];
        assert_eq!(texts(text), rows);
        assert_eq!(texts(""), []);
        assert_eq!(texts("a,"), [row(&["a", ""])]);
    }

    #[test]
    fn a_row_that_was_cut_off_takes_no_other_with_it() {
        let text = "\"a\",\"1\"\n\"b\",\"2 and then\n\"c\",\"3\"\n\"d\",\"4\"\n";
        assert_eq!(texts(text), [row(&["a", "1"]), Err(CUT_OFF), row(&["c", "3"]), row(&["d", "4"])]);
        assert_eq!(texts("\"a\",\"1"), [Err(CUT_OFF)]);
        let wrong = texts("\"a\"b,1\nc,2\n");
        assert_eq!((wrong.len(), wrong.last()), (2, Some(&row(&["c", "2"]))));
    }

    #[test]
    fn rows_are_bounded() {
        let many = format!("{}\na,b\n", ",".repeat(2_000));
        let rows = texts(&many);
        assert!(rows.first().is_some_and(Result::is_err) && rows.last() == Some(&row(&["a", "b"])), "{rows:?}");
        let long = format!("\"{}\"\na,b\n", "x".repeat(MAX_RECORD_BYTES + 20_000));
        let rows = texts(&long);
        assert_eq!((rows.len(), rows.last()), (2, Some(&row(&["a", "b"]))));
        assert!(rows.first().is_some_and(Result::is_err));
    }

    #[test]
    fn what_a_refused_row_says_is_no_row() {
        let long = format!("a,\"{}\nevil,\"\"1\"\"\nevil,2\n\"\nb,3\n", "x".repeat(MAX_RECORD_BYTES + 20_000));
        let many = format!("{}\"\nevil,1\n\",\nb,3\n", ",".repeat(2_000));
        let quote = "\"a\"b,\"\nevil,1\n\"\nb,3\n".to_owned();
        for text in [long, many, quote] {
            let rows = texts(&text);
            assert!(rows.first().is_some_and(Result::is_err));
            assert_eq!(rows.get(1..), Some(&[row(&["b", "3"])][..]));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6), 0..6),
            piece in 1_usize..9,
        ) {
            let mut bytes = b"head\r\n".to_vec();
            rows.iter().for_each(|row| write(&mut bytes, row.iter().map(Vec::as_slice)));
            let back = read(&bytes, piece);
            // A row of one empty value is an empty line, which is skipped.
            let expected: Vec<_> = rows.into_iter().filter(|row| row != &[Vec::<u8>::new()]).map(Ok).collect();
            prop_assert_eq!(back.get(1..).unwrap_or_default(), &*expected);
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes, 16).len() <= bytes.len() + 1);
        }
    }
}
