//! What readers of logs have in common: line after line, each a flow, nothing, or an error with its place.

use std::io::BufRead;

use super::FlowRecord;
use super::file::{Counts, FileError, Line, Lines, Reason};

/// How one kind of log is read. It remembers what earlier lines said about later ones.
pub(super) trait Format {
    /// A line without its end; none where it is to be no flow.
    fn read(&mut self, line: &[u8]) -> Result<Option<FlowRecord>, Failure>;
}

/// How far a reason reaches.
pub(super) enum Failure {
    /// This line; the next ones can be read.
    Line(Reason),
    /// All that follows.
    File(Reason),
}

/// A log on its way.
#[derive(Debug)]
pub(super) struct Log<R, F> {
    lines: Lines<R>,
    format: F,
    counts: Counts,
    done: bool,
}

impl<R: BufRead, F: Format> Log<R, F> {
    pub(super) fn new(source: R, format: F) -> Self {
        Self { lines: Lines::new(source), format, counts: Counts::default(), done: false }
    }

    /// The flow of the line that was read last.
    fn read(&mut self, line: Line) -> Result<Option<FlowRecord>, FileError> {
        let place = self.lines.place();
        let read = match line {
            Line::TooLong => Err(Failure::Line(Reason::TooLong)),
            Line::Held => self.format.read(self.lines.text()),
        };
        read.map_err(|failure| match failure {
            Failure::Line(reason) => FileError::Record { place, reason },
            Failure::File(reason) => FileError::File { place, reason },
        })
    }
}

impl<R, F> Log<R, F> {
    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl<R: BufRead, F: Format> Iterator for Log<R, F> {
    type Item = Result<FlowRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            let item = match self.lines.advance() {
                Ok(None) => break,
                Ok(Some(line)) => self.read(line).transpose(),
                Err(source) => Some(Err(FileError::Read { place: self.lines.place(), source })),
            };
            let Some(item) = item else {
                self.counts.other = self.counts.other.saturating_add(1);
                continue;
            };
            self.done = item.as_ref().is_err_and(FileError::ends_the_file);
            self.counts.add(&item);
            return Some(item);
        }
        self.done = true;
        None
    }
}
