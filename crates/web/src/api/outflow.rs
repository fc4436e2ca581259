//! Bytes that leave as a body, piece by piece: how far they are, until when they may, and that they do not stand still.
//!
//! ```text
//!   lake -> Outflow (a thread) -> channel of a few pieces -> Pieces, the body -> the connection
//!              ^ which piece was taken last <-----------------'
//! ```
//!
//! What counts as left is what the connection took. Between pieces the caller is asked for again; who takes too little for
//! too long is left, so that the seat is free for others. A body that does not end as it should breaks off: nobody takes
//! half a file for a whole one.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use hinomi_share::policy::{Outlet, Tally};
use hinomi_share::{Format, ReadError};
use http_body::Frame;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender};

use crate::limits::{EXPORT_CHECK_EVERY, EXPORT_PIECE_BYTES, EXPORT_SLOWEST, STREAM_SEND_TIME};

/// A piece of a body, or why it breaks off.
pub(crate) type Piece = Result<Bytes, ReadError>;

/// How far a body is.
#[derive(Default)]
pub(crate) struct Taken {
    pieces: AtomicU64,
    changed: Notify,
    broken: AtomicBool,
}

impl Taken {
    /// Whether the body broke off.
    pub(crate) fn broke_off(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// Whether who asked is still let in. Blocks.
pub(crate) type Holds = Box<dyn Fn() -> bool + Send>;

/// How long is waited for whom.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// How often it is asked whether the caller is still let in.
    pub(crate) check: Duration,
    /// How long a client may take nothing, in all.
    pub(crate) wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { check: EXPORT_CHECK_EVERY, wait: STREAM_SEND_TIME }
    }
}

/// The writing end: gathers what the lake writes into pieces. Blocks while the client is slow.
pub(crate) struct Outflow {
    pieces: Sender<Piece>,
    taken: Arc<Taken>,
    handle: Handle,
    holds: Holds,
    patience: Patience,
    checked: Instant,
    waited: Duration,
    buffer: Vec<u8>,
    sent: u64,
    bytes: u64,
    /// What was sent; after each piece that may not have left yet, and before them.
    tally: Tally,
    behind: VecDeque<(u64, Tally)>,
    left: Tally,
    whole: bool,
}

impl Outflow {
    pub(crate) fn new(
        (pieces, taken): (Sender<Piece>, Arc<Taken>),
        format: Format,
        (holds, patience): (Holds, Patience),
    ) -> Self {
        let (tally, left) = (Tally::new(format), Tally::new(format));
        Self {
            pieces,
            taken,
            handle: Handle::current(),
            holds,
            patience,
            checked: Instant::now(),
            waited: Duration::ZERO,
            buffer: Vec::with_capacity(EXPORT_PIECE_BYTES),
            sent: 0,
            bytes: 0,
            tally,
            behind: VecDeque::new(),
            left,
            whole: true,
        }
    }

    /// How long this client may be waited for yet: it must take a little for each while.
    fn rest(&self) -> Duration {
        let earned = Duration::from_millis(self.bytes.saturating_mul(1_000) / EXPORT_SLOWEST);
        (self.patience.wait + earned).saturating_sub(self.waited).min(self.patience.wait)
    }

    fn send(&mut self, piece: Vec<u8>) -> io::Result<()> {
        if self.checked.elapsed() >= self.patience.check {
            if !(self.holds)() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the session or key ended"));
            }
            self.checked = Instant::now();
        }
        let (began, rest, length) = (Instant::now(), self.rest(), piece.len() as u64);
        let mut after = self.tally.clone();
        after.add(&piece);
        let sent = self.handle.block_on(tokio::time::timeout(rest, self.pieces.send(Ok(piece.into()))));
        self.waited += began.elapsed();
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client went away")),
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")),
        }
        self.behind.push_back((self.sent, after.clone()));
        self.tally = after;
        self.sent += 1;
        self.bytes += length;
        self.catch_up();
        Ok(())
    }

    /// Counts what was taken meanwhile.
    fn catch_up(&mut self) {
        let taken = self.taken.pieces.load(Ordering::Acquire);
        while let Some((_, tally)) = self.behind.pop_front_if(|(number, _)| *number < taken) {
            self.left = tally;
        }
    }

    /// Whether the client took everything in time.
    fn drain(&mut self) -> bool {
        let (taken, sent, pieces) = (Arc::clone(&self.taken), self.sent, self.pieces.clone());
        let everything = async move {
            loop {
                let changed = taken.changed.notified();
                if taken.pieces.load(Ordering::Acquire) >= sent {
                    return true;
                }
                tokio::select! {
                    () = changed => {}
                    () = pieces.closed() => return taken.pieces.load(Ordering::Acquire) >= sent,
                }
            }
        };
        let done = self.handle.block_on(tokio::time::timeout(self.rest(), everything)).unwrap_or(false);
        self.catch_up();
        done
    }

    /// Breaks the body off, whatever of it waits.
    pub(crate) fn break_off(taken: &Taken) {
        taken.broken.store(true, Ordering::Release);
    }
}

/// Breaks a body off when it goes before it was told how the body ended: what a panic ends is no whole file. It must go
/// before the senders of the body do.
pub(crate) struct Unended<'a> {
    taken: &'a Taken,
    told: bool,
}

impl<'a> Unended<'a> {
    pub(crate) const fn of(taken: &'a Taken) -> Self {
        Self { taken, told: false }
    }

    /// That the body ends by itself.
    pub(crate) fn ends(mut self) {
        self.told = true;
    }
}

impl Drop for Unended<'_> {
    fn drop(&mut self) {
        if !self.told {
            Outflow::break_off(self.taken);
        }
    }
}

impl Write for Outflow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= EXPORT_PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.buffer);
        self.send(piece).inspect_err(|_| self.whole = false)
    }
}

impl Outlet for Outflow {
    fn settle(&mut self) -> (Tally, bool) {
        // Of a body that broke off, what waits is not waited for.
        let everything = self.whole && self.drain();
        self.catch_up();
        (self.left.clone(), everything)
    }
}

/// The reading end, as a body.
pub(crate) struct Pieces {
    first: Option<Bytes>,
    waiting: Receiver<Piece>,
    taken: Arc<Taken>,
}

impl Pieces {
    /// What is there already, and what comes.
    pub(crate) fn new(first: Option<Bytes>, waiting: Receiver<Piece>) -> Self {
        Self::counted(first, waiting, Arc::default())
    }

    /// The same, where it is counted what was taken.
    pub(crate) const fn counted(first: Option<Bytes>, waiting: Receiver<Piece>, taken: Arc<Taken>) -> Self {
        Self { first, waiting, taken }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        let broken = |pieces: &Self| pieces.taken.broke_off();
        let broke_off = || Poll::Ready(Some(Err(ReadError::Failed("the export broke off".to_owned()))));
        if broken(&self) {
            return broke_off();
        }
        let piece = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => ready!(self.waiting.poll_recv(context)),
        };
        if piece.is_none() && broken(&self) {
            return broke_off();
        }
        if matches!(piece, Some(Ok(_))) {
            self.taken.pieces.fetch_add(1, Ordering::AcqRel);
            self.taken.changed.notify_waiters();
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::limits::EXPORT_PIECES_WAITING;

    const PIECE: &[u8] = &[b'\n'; EXPORT_PIECE_BYTES];
    const PATIENT: Patience = Patience { check: Duration::ZERO, wait: Duration::from_secs(30) };

    async fn next(pieces: &mut Pieces) -> Option<Result<Bytes, ReadError>> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *pieces).poll_frame(context)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().expect("data")))
    }

    fn both(holds: Holds, patience: Patience) -> (Outflow, Pieces) {
        let (pieces, waiting) = channel(EXPORT_PIECES_WAITING);
        let taken = Arc::<Taken>::default();
        let outflow = Outflow::new((pieces, Arc::clone(&taken)), Format::Jsonl, (holds, patience));
        (outflow, Pieces::counted(None, waiting, taken))
    }

    /// Writes so many pieces, or as many as go; how many, what left, and whether that was all.
    async fn write(mut outflow: Outflow, many: usize) -> (usize, Tally, bool) {
        let work = move || {
            let written = (0..many).take_while(|_| outflow.write_all(PIECE).is_ok()).count();
            let (tally, whole) = outflow.settle();
            (written, tally, whole)
        };
        tokio::task::spawn_blocking(work).await.expect("written")
    }

    fn sum(pieces: usize) -> String {
        let mut tally = Tally::new(Format::Jsonl);
        (0..pieces).for_each(|_| tally.add(PIECE));
        tally.sha256()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_taken_has_left_and_nothing_else() {
        let (outflow, mut pieces) = both(Box::new(|| true), PATIENT);
        let client = tokio::spawn(async move {
            for _ in 0..9 {
                assert_eq!(next(&mut pieces).await.expect("a piece").expect("whole").len(), PIECE.len());
            }
            assert!(next(&mut pieces).await.is_none());
        });
        let (written, tally, whole) = write(outflow, 9).await;
        assert_eq!((written, tally.sha256(), whole), (9, sum(9), true));
        client.await.expect("taken");
        // One that goes after three has taken three.
        let (outflow, mut pieces) = both(Box::new(|| true), PATIENT);
        let client = tokio::spawn(async move {
            for _ in 0..3 {
                next(&mut pieces).await.expect("a piece").expect("whole");
            }
        });
        let (_, tally, whole) = write(outflow, 100).await;
        assert_eq!((tally.sha256(), tally.records(), whole), (sum(3), 3 * PIECE.len() as u64, false));
        client.await.expect("taken");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_takes_nothing_is_left_and_who_may_no_more_gets_no_more() {
        let patience = Patience { check: Duration::from_secs(60), wait: Duration::from_millis(50) };
        let (outflow, pieces) = both(Box::new(|| true), patience);
        let (written, tally, whole) = write(outflow, 100).await;
        assert_eq!((written, tally.is_empty(), whole), (EXPORT_PIECES_WAITING, true, false));
        drop(pieces);
        let asked = AtomicU64::new(0);
        let (outflow, mut pieces) = both(Box::new(move || asked.fetch_add(1, Ordering::Relaxed) < 5), PATIENT);
        let client = tokio::spawn(async move {
            let mut taken = 0;
            while next(&mut pieces).await.is_some() {
                taken += 1;
            }
            taken
        });
        let (written, _, whole) = write(outflow, 100).await;
        assert_eq!((written, whole), (5, false));
        assert!(client.await.expect("taken") <= 5);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_that_broke_off_does_not_end_as_a_whole_one() {
        let (mut outflow, mut pieces) = both(Box::new(|| true), PATIENT);
        let taken = Arc::clone(&pieces.taken);
        tokio::task::spawn_blocking(move || outflow.write_all(PIECE)).await.expect("done").expect("written");
        Outflow::break_off(&taken);
        assert!(next(&mut pieces).await.expect("told").is_err());
        // Nor does one whose end nobody told; one that was told ends by itself.
        for told in [false, true] {
            let (outflow, mut pieces) = both(Box::new(|| true), PATIENT);
            let taken = Arc::clone(&pieces.taken);
            let unended = Unended::of(&taken);
            if told {
                unended.ends();
            } else {
                drop(unended);
            }
            drop(outflow);
            assert_eq!((next(&mut pieces).await.is_none(), taken.broke_off()), (told, !told));
        }
    }
}
