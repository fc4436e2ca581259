//! A pipe whose silence is noticed: a thread reads, and who waits for it is woken now and then.
//!
//! Reading from a pipe blocks for as long as nobody writes. What must happen meanwhile is called from within the read:
//! no reader above needs to know.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes that are read at once.
pub(super) const PIECE_BYTES: usize = 256 * 1_024;
/// Pieces that wait to be taken: with the system's own buffer of a pipe, enough that neither side waits for the other.
const MAX_PIECES: usize = 2;

/// What is done while nothing comes.
type Idle<'a> = &'a dyn Fn() -> io::Result<()>;

/// See the module.
pub(super) struct Pipe<'a> {
    pieces: Receiver<io::Result<Vec<u8>>>,
    held: io::Cursor<Vec<u8>>,
    tick: Duration,
    idle: Idle<'a>,
}

impl<'a> Pipe<'a> {
    /// Reads that source; calls `idle` each time that nothing came for so long.
    pub(super) fn new(mut source: impl Read + Send + 'static, tick: Duration, idle: Idle<'a>) -> Self {
        let (sender, pieces) = sync_channel(MAX_PIECES);
        // It ends with the source, or at the first piece that nobody wants any more.
        std::thread::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE_BYTES];
                let read = source.read(&mut piece).map(|count| {
                    piece.truncate(count);
                    piece
                });
                let is_last = match &read {
                    Ok(piece) => piece.is_empty(),
                    Err(error) => error.kind() != io::ErrorKind::Interrupted,
                };
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Self { pieces, held: io::Cursor::default(), tick, idle }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.held.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.pieces.recv_timeout(self.tick) {
                Ok(piece) => {
                    let piece = piece?;
                    if piece.is_empty() {
                        return Ok(0);
                    }
                    self.held = io::Cursor::new(piece);
                }
                Err(RecvTimeoutError::Timeout) => (self.idle)()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests;
