//! What sender and listener know of one another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinomi_model::ServiceKey;
use tokio::time::Instant;

use super::super::Work;
use super::errand::Waiting;
use super::notebook::Cursor;

/// Targets that were found and wait to be grabbed, at most; then no more are looked for. Each makes a hole in what the
/// checkpoint calls settled.
const MAX_PENDING: usize = 16_384;
/// Canaries that wait to be judged, at most.
const MAX_ASKED: usize = 1_024;
/// Marks stand this far apart in time.
const MARK_EVERY: Duration = Duration::from_millis(5);

/// At a moment, positions below `upto` had been sent, and with them so many visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Instant,
    pub(super) upto: u64,
    pub(super) visits: u64,
    /// How many of them were of the first pass, without those that the door refused.
    pub(super) first: u64,
}

/// See the module.
pub(super) struct Shared {
    /// Where this run begins to send.
    pub(super) start: u64,
    /// Up to where an earlier run sent; what lies between is sent a second time.
    pub(super) sent_before: u64,
    /// Positions that were sent twice and that nobody may have listened to.
    pub(super) unheard: u64,
    sent: AtomicU64,
    pending: AtomicUsize,
    /// Errands that were handed to the sender and have not left.
    errands: Arc<AtomicUsize>,
    over: AtomicBool,
    sending_over: AtomicBool,
    marks: Mutex<VecDeque<Mark>>,
    canaries: Mutex<Vec<ServiceKey>>,
    /// Which canaries were asked, and when.
    asked: Mutex<VecDeque<(usize, Instant)>>,
}

impl Shared {
    /// For a run that goes on from these notes.
    pub(super) fn new(work: &Work, cursor: Cursor) -> Self {
        let positions = work.leg.positions();
        let within = |position: u64| position.clamp(work.start(), positions.end);
        let heard = within(cursor.heard);
        let sent_before = within(cursor.sent);
        let start = heard.max(within(cursor.twice).min(sent_before));
        Self {
            start,
            sent_before,
            unheard: start - heard,
            sent: AtomicU64::new(sent_before.max(start)),
            pending: AtomicUsize::new(0),
            errands: Arc::default(),
            over: AtomicBool::new(false),
            sending_over: AtomicBool::new(false),
            marks: Mutex::default(),
            canaries: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Answers may speak of positions below this.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// Positions below this are about to be sent.
    pub(super) fn sending(&self, upto: u64) {
        self.sent.fetch_max(upto, Ordering::AcqRel);
    }

    /// Notes what was sent by now; unless it is the last mark, only every few milliseconds.
    pub(super) fn mark(&self, mark: Mark, last: bool) {
        let mut marks = lock(&self.marks);
        if last || marks.back().is_none_or(|before| mark.at.duration_since(before.at) >= MARK_EVERY) {
            marks.push_back(mark);
        }
    }

    /// The last of the marks that are this old; those before it are forgotten with it.
    pub(super) fn mark_before(&self, moment: Instant) -> Option<Mark> {
        let mut marks = lock(&self.marks);
        let mut last = None;
        while marks.front().is_some_and(|mark| mark.at <= moment) {
            last = marks.pop_front();
        }
        last
    }

    /// Whether no mark is left to wait for.
    pub(super) fn all_heard(&self) -> bool {
        self.is_sending_over() && lock(&self.marks).is_empty()
    }

    /// One more target was found.
    pub(super) fn found(&self) {
        self.pending.fetch_add(1, Ordering::AcqRel);
    }

    /// One of those found is being grabbed.
    pub(super) fn handed_on(&self) {
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether more was found than can be grabbed in good time.
    pub(super) fn is_full(&self) -> bool {
        self.pending.load(Ordering::Acquire) > MAX_PENDING
    }

    /// One more errand is handed to the sender.
    pub(super) fn errand(&self) -> Waiting {
        Waiting::new(&self.errands)
    }

    /// How many errands have not left.
    pub(super) fn errands(&self) -> usize {
        self.errands.load(Ordering::Acquire)
    }

    /// Nothing more is to be done.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Nothing more will be sent but resets.
    pub(super) fn end_sending(&self) {
        self.sending_over.store(true, Ordering::Release);
    }

    /// Whether nothing more will be sent but resets.
    pub(super) fn is_sending_over(&self) -> bool {
        self.sending_over.load(Ordering::Acquire)
    }

    /// A canary is asked.
    pub(super) fn asked(&self, place: usize, now: Instant) {
        let mut asked = lock(&self.asked);
        if asked.len() < MAX_ASKED {
            asked.push_back((place, now));
        }
    }

    /// Those asked before a moment; they are forgotten here.
    pub(super) fn take_asked(&self, before: Instant) -> Vec<(usize, Instant)> {
        let mut asked = lock(&self.asked);
        let count = asked.iter().take_while(|(_, at)| *at <= before).count();
        asked.drain(..count).collect()
    }

    /// Targets that answer and are asked again and again, to see whether answers still come.
    pub(super) fn canaries(&self) -> MutexGuard<'_, Vec<ServiceKey>> {
        lock(&self.canaries)
    }
}

#[cfg(test)]
impl Shared {
    /// Of a run without work.
    pub(super) fn empty() -> Self {
        Self {
            start: 0,
            sent_before: 0,
            unheard: 0,
            sent: AtomicU64::new(0),
            pending: AtomicUsize::new(0),
            errands: Arc::default(),
            over: AtomicBool::new(false),
            sending_over: AtomicBool::new(false),
            marks: Mutex::default(),
            canaries: Mutex::default(),
            asked: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
