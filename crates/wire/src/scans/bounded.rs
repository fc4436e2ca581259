//! A source that knows its line and offset and gives no more than it was allowed to.

use std::io::{self, BufRead, Read};

use memchr::memchr_iter;

use super::error::ScanError;

/// Wraps a reader. Each [`Bounded::allow`] grants so many more bytes; beyond them reading fails.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    line: u64,
    offset: u64,
    allowance: usize,
}

impl<R> Bounded<R> {
    /// Starts at line 1 with nothing allowed.
    pub(super) const fn new(inner: R) -> Self {
        Self { inner, line: 1, offset: 0, allowance: 0 }
    }

    /// From here, so many bytes may be read.
    pub(super) const fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// Line (from 1) and offset of the next byte.
    pub(super) const fn position(&self) -> (u64, u64) {
        (self.line, self.offset)
    }

    /// An error about the record at that position.
    pub(super) fn record_error((line, offset): (u64, u64), reason: impl Into<String>) -> ScanError {
        ScanError::Record { line, offset, reason: reason.into() }
    }

    /// An error that ends the file here.
    pub(super) fn file_error(&self, reason: impl Into<String>) -> ScanError {
        ScanError::File { line: self.line, offset: self.offset, reason: reason.into() }
    }

    /// An error of the system.
    pub(super) fn read_error(&self, source: io::Error) -> ScanError {
        ScanError::Read { line: self.line, offset: self.offset, source }
    }
}

/// What some programs write before the first character.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: BufRead> Bounded<R> {
    /// At the beginning of the source, steps over a byte order mark.
    pub(super) fn skip_mark(&mut self) -> io::Result<()> {
        if self.offset == 0 {
            self.allow(BYTE_ORDER_MARK.len());
            if self.fill_buf()? == BYTE_ORDER_MARK {
                self.consume(BYTE_ORDER_MARK.len());
            }
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let allowance = self.allowance;
        let available = self.inner.fill_buf()?;
        if allowance == 0 && !available.is_empty() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "one part is longer than we read"));
        }
        Ok(available.get(..allowance).unwrap_or(available))
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed is in the buffer: this asks the reader below for nothing new.
        if let Ok(available) = self.inner.fill_buf() {
            let lines = memchr_iter(b'\n', available.get(..amount).unwrap_or(available)).count();
            self.line += u64::try_from(lines).unwrap_or(0);
        }
        self.offset += u64::try_from(amount).unwrap_or(0);
        self.allowance = self.allowance.saturating_sub(amount);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(room)?;
        self.consume(count);
        Ok(count)
    }
}
