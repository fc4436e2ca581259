//! Lines of bounded length, and what one line or one object gives, one record after another.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use super::bounded::Bounded;
use super::error::ScanError;
use super::{MAX_RECORD_BYTES, Record};

/// What a reader gives.
pub(super) type Item = Result<Record, ScanError>;

/// A reader that takes one step of its source at a time.
pub(super) trait Step {
    /// Reads on; what was found goes to the end of `ready`. False at the end of the source.
    ///
    /// # Errors
    /// When nothing can be read beyond this point.
    fn step(&mut self, ready: &mut VecDeque<Item>) -> Result<bool, ScanError>;
}

/// The records of a [`Step`] as an iterator.
#[derive(Debug)]
pub(super) struct Steps<S> {
    source: S,
    ready: VecDeque<Item>,
    done: bool,
}

impl<S> Steps<S> {
    pub(super) const fn new(source: S) -> Self {
        Self { source, ready: VecDeque::new(), done: false }
    }
}

impl<S: Step> Iterator for Steps<S> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.done {
                return None;
            }
            match self.source.step(&mut self.ready) {
                Ok(more) => self.done = !more,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Reads lines of at most [`MAX_RECORD_BYTES`].
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: Bounded<R>,
    line: Vec<u8>,
    position: (u64, u64),
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A line; see [`Lines::bytes`].
    Line,
    /// A line that is too long; it was skipped.
    TooLong,
    /// The source is at its end.
    End,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(source: R) -> Self {
        Self { source: Bounded::new(source), line: Vec::new(), position: (1, 0) }
    }

    /// The line that was read last, without blanks around it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    /// An error about it.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> ScanError {
        Bounded::<R>::record_error(self.position, reason)
    }

    /// The error of a line that is too long.
    pub(super) fn too_long(&self) -> ScanError {
        self.refuse(format!("longer than the {MAX_RECORD_BYTES} bytes we read"))
    }

    /// Reads the next line.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub(super) fn next(&mut self) -> Result<Got, ScanError> {
        self.line.clear();
        self.source.skip_mark().map_err(|error| self.source.read_error(error))?;
        self.position = self.source.position();
        self.source.allow(usize::MAX);
        let limit = u64::try_from(MAX_RECORD_BYTES).unwrap_or(u64::MAX);
        let read = self.source.by_ref().take(limit).read_until(b'\n', &mut self.line);
        let count = read.map_err(|error| self.source.read_error(error))?;
        if count == MAX_RECORD_BYTES && self.line.last() != Some(&b'\n') {
            self.line.clear();
            self.source.skip_until(b'\n').map_err(|error| self.source.read_error(error))?;
            return Ok(Got::TooLong);
        }
        Ok(if count == 0 { Got::End } else { Got::Line })
    }
}
