//! Finds JSON objects in a stream that is only nearly JSON.
//!
//! masscan's lists have had trailing commas, missing brackets and end marks that are no JSON, and a killed scan leaves
//! half an object in the middle when the next is appended. So objects are found by their braces, one by one; what lies
//! between them is skipped when it is list punctuation and reported when it is not. Lists, lines and objects one behind
//! the other read alike.

use std::io::{self, BufRead};

use memchr::memchr;

use super::bounded::Bounded;

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// A whole object is in the buffer.
    Object,
    /// Something else was skipped; why.
    Skipped(&'static str),
    /// The stream is at its end.
    End,
}

/// Finds objects. The last one found stays in [`Objects::bytes`].
#[derive(Debug)]
pub(super) struct Objects<R> {
    source: Bounded<R>,
    max_bytes: usize,
    first_key: Option<&'static [u8]>,
    bytes: Vec<u8>,
    position: (u64, u64),
    scanner: Scanner,
    /// Whether the buffer holds the beginning of an object already.
    begun: bool,
}

/// Where in an object the last byte stood.
#[derive(Debug, Default)]
struct Scanner {
    first_key: Option<&'static [u8]>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// A brace at the beginning of a line inside an object: perhaps the next record.
    restart: Option<usize>,
    at_line_start: bool,
}

/// What a byte means.
enum Verdict {
    More,
    Complete,
    /// The object was never closed: another began at this place of the buffer.
    Restart(usize),
    /// A line end inside a string.
    Broken,
}

impl<R: BufRead> Objects<R> {
    /// Objects of at most so many bytes. Where every record begins with the same key, in quotes, an object that begins
    /// with it on a line of its own inside another is the next record: the other one was cut off.
    pub(super) fn new(source: R, max_bytes: usize, first_key: Option<&'static [u8]>) -> Self {
        let (source, scanner) = (Bounded::new(source), Scanner { first_key, ..Scanner::default() });
        Self { source, max_bytes, first_key, bytes: Vec::new(), position: (1, 0), scanner, begun: false }
    }

    /// The object that was found last.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Line and offset where it, or what was skipped, began.
    pub(super) const fn position(&self) -> (u64, u64) {
        self.position
    }

    /// The source, for errors.
    pub(super) const fn source(&self) -> &Bounded<R> {
        &self.source
    }

    /// Finds the next object.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        if !self.begun {
            match self.find_brace()? {
                Found::Object => self.begin(),
                other => return Ok(other),
            }
        }
        self.begun = false;
        self.read_object()
    }

    /// Skips list punctuation up to the next object. What is none is skipped to the end of its line and reported.
    fn find_brace(&mut self) -> io::Result<Found> {
        loop {
            self.source.allow(usize::MAX);
            self.position = self.source.position();
            let available = self.source.fill_buf()?;
            let Some(first) = available.first() else { return Ok(Found::End) };
            match first {
                b'{' => return Ok(Found::Object),
                b'[' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf => self.source.consume(1),
                _ => {
                    self.skip_line()?;
                    return Ok(Found::Skipped("something that is no record stands between the records"));
                }
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            self.source.allow(usize::MAX);
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(());
            }
            let end = memchr(b'\n', available);
            let count = end.map_or(available.len(), |end| end + 1);
            self.source.consume(count);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn begin(&mut self) {
        self.bytes.clear();
        self.scanner = Scanner { first_key: self.first_key, ..Scanner::default() };
    }

    fn read_object(&mut self) -> io::Result<Found> {
        loop {
            self.source.allow(self.max_bytes);
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(Found::Skipped("the file ends in the middle of a record: it was cut off"));
            }
            let (count, verdict) = self.scanner.feed(&mut self.bytes, available, self.max_bytes);
            self.source.consume(count);
            match verdict {
                Verdict::Complete => return Ok(Found::Object),
                Verdict::Broken => return Ok(Found::Skipped("a line ends inside a text: the record was cut off")),
                Verdict::Restart(at) => {
                    self.bytes.drain(..at);
                    self.scanner = Scanner { first_key: self.first_key, depth: 1, ..Scanner::default() };
                    self.begun = true;
                    return Ok(Found::Skipped("the next record begins inside this one: it was cut off"));
                }
                Verdict::More if self.bytes.len() > self.max_bytes => {
                    self.skip_line()?;
                    return Ok(Found::Skipped("longer than any record of this scanner"));
                }
                Verdict::More => {}
            }
        }
    }
}

impl Scanner {
    /// Takes bytes into the object until something is decided; gives how many were taken.
    fn feed(&mut self, object: &mut Vec<u8>, available: &[u8], max_bytes: usize) -> (usize, Verdict) {
        let before = object.len();
        for (index, byte) in available.iter().enumerate() {
            object.push(*byte);
            let verdict = if self.in_string { self.text(*byte, object) } else { self.structure(*byte, object.len()) };
            if !matches!(verdict, Verdict::More) {
                return (index + 1, verdict);
            }
            if object.len() - before > max_bytes {
                return (index + 1, Verdict::More);
            }
        }
        (available.len(), Verdict::More)
    }

    fn text(&mut self, byte: u8, object: &[u8]) -> Verdict {
        match byte {
            b'\n' => return Verdict::Broken,
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                let begun = self.restart.take().zip(self.first_key);
                if let Some((at, _)) = begun.filter(|(at, key)| begins_record(object, *at, key)) {
                    return Verdict::Restart(at);
                }
            }
            _ => {}
        }
        Verdict::More
    }

    fn structure(&mut self, byte: u8, length: usize) -> Verdict {
        match byte {
            b'"' => self.in_string = true,
            b'{' => {
                self.restart = (self.at_line_start && self.depth > 0).then(|| length - 1);
                self.depth += 1;
            }
            b'}' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Verdict::Complete;
                }
            }
            _ => {}
        }
        self.at_line_start = byte == b'\n' || self.at_line_start && byte.is_ascii_whitespace();
        Verdict::More
    }
}

fn begins_record(object: &[u8], at: usize, first_key: &[u8]) -> bool {
    let inside = object.get(at + 1..).unwrap_or_default();
    inside.trim_ascii_start() == first_key
}
