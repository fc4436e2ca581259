//! Sends, at the pace of the scope, and waits by timer when there is nothing to send.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::course::Course;
use super::errand::Errand;
use super::notebook::SentNotes;
use super::shared::{Mark, Shared};
use crate::pace::Pace;
use crate::scope::{Batch, FrameDoor, FrameError};

/// Frames a batch, at most; at lower rates a thousandth of the rate.
const BATCH: u32 = 512;
/// The longest time between two looks at whether to stop.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How long to wait for the interface to take what it was given.
const BUSY_WAIT: Duration = Duration::from_millis(1);
/// How long to wait where the scope does not permit sending at this hour.
const CLOSED_WAIT: Duration = Duration::from_secs(1);
/// How long to wait for grabs to catch up.
const FULL_WAIT: Duration = Duration::from_millis(5);
/// How often canaries are asked, and how many at once.
const CANARIES_EVERY: Duration = Duration::from_secs(1);
const CANARIES: usize = 16;
/// Canaries are at most this part of what is sent.
const CANARY_SHARE: u32 = 20;

/// See the module.
pub(super) struct Sender {
    door: FrameDoor,
    course: Course,
    notes: SentNotes,
    errands: Receiver<Errand>,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
    pace: Arc<Pace>,
    canaries_next: Instant,
    canary: usize,
    noted: u64,
    /// Probes that the door refused.
    refused: u64,
    /// Targets that were sent something in the first pass.
    first: u64,
}

impl Sender {
    pub(super) fn new(
        door: FrameDoor,
        course: Course,
        notes: SentNotes,
        errands: Receiver<Errand>,
        shared: Arc<Shared>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let pace = course.pace();
        let noted = shared.sent_before;
        Self {
            door,
            course,
            notes,
            errands,
            shared,
            stop,
            pace,
            canaries_next: Instant::now(),
            canary: 0,
            noted,
            refused: 0,
            first: 0,
        }
    }

    /// Sends until the course is done or somebody says stop, and then what has to be taken back.
    pub(super) fn run(mut self) -> Result<(), String> {
        let ended = self.send_all();
        let mark = self.mark();
        self.shared.mark(mark, true);
        self.shared.end_sending();
        if ended.is_err() {
            self.shared.end();
        }
        while ended.is_ok() && !self.shared.is_over() {
            if *self.stop.borrow() {
                self.course.end();
            }
            if let Some(wait) = self.step(false)? {
                pause(wait);
            }
        }
        ended
    }

    fn send_all(&mut self) -> Result<(), String> {
        while !self.course.is_done() && !*self.stop.borrow() && !self.shared.is_over() {
            if let Some(wait) = self.step(true)? {
                pause(wait);
            }
        }
        Ok(())
    }

    /// Sends one batch; gives how long to wait before the next. Without `walk` only what comes before the walk.
    fn step(&mut self, walk: bool) -> Result<Option<Duration>, String> {
        // Who was found is taken back and heard to the end even where nobody else is looked for.
        let is_full = self.shared.is_full();
        let walk = walk && !is_full;
        let batch = (self.pace.total_pps() / 1_000).clamp(1, BATCH);
        let want = match self.pace.allowance(batch) {
            Ok(want) => want,
            Err(wait) => return Ok(Some(wait)),
        };
        self.come_first(want, walk);
        let (course, mut asked) = (&mut self.course, false);
        let filled = self.door.fill(usize::try_from(want).unwrap_or(1), |slot| {
            asked = true;
            course.write(slot, walk)
        });
        let batch = match filled {
            Err(FrameError::NotNow) => return Ok(Some(CLOSED_WAIT)),
            other => other.map_err(|error| error.to_string())?,
        };
        self.refused += u64::try_from(batch.refused_probes).unwrap_or(0);
        self.flush(batch, walk)?;
        let idle = match batch == Batch::default() {
            true if asked && is_full => Some(FULL_WAIT),
            true if asked => Some(LONGEST_WAIT),
            // The interface has every slot in hand.
            true => Some(BUSY_WAIT),
            false => None,
        };
        Ok(self.course.take_wait().or(idle))
    }

    fn flush(&mut self, batch: Batch, walk: bool) -> Result<(), String> {
        let next = self.course.next();
        self.shared.sending(next);
        if next > self.noted {
            self.notes.sent(next).map_err(not_noted)?;
            self.noted = next;
        }
        self.door.flush(batch).map_err(|error| error.to_string())?;
        self.pace.spent(u32::try_from(batch.written).unwrap_or(0));
        let upto = self.course.upto();
        if upto.min(self.shared.sent_before) > self.shared.start {
            self.notes.twice(upto.min(self.shared.sent_before)).map_err(not_noted)?;
        }
        if walk {
            let mark = self.mark();
            self.shared.mark(mark, false);
        }
        Ok(())
    }

    fn mark(&mut self) -> Mark {
        let visits = self.course.visits();
        if self.course.is_first_pass() {
            self.first = visits.saturating_sub(self.refused);
        }
        Mark { at: Instant::now(), upto: self.course.upto(), visits, first: self.first }
    }

    /// Puts errands and canaries in front, as many as are sent at once.
    fn come_first(&mut self, want: u32, walk: bool) {
        let room = usize::try_from(want).unwrap_or(1).min(self.course.room());
        for _ in 0..room {
            let Ok(errand) = self.errands.try_recv() else { break };
            self.course.first(errand);
        }
        let now = Instant::now();
        if now < self.canaries_next || !walk {
            return;
        }
        let canaries = self.shared.canaries();
        let a_second = usize::try_from(self.pace.total_pps() / CANARY_SHARE).unwrap_or(CANARIES);
        let count = CANARIES.min(canaries.len()).min(a_second.max(1)).min(self.course.room());
        for _ in 0..count {
            self.canary = (self.canary + 1) % canaries.len();
            if let (Some(key), Ok(number)) = (canaries.get(self.canary), u32::try_from(self.canary)) {
                self.course.canary(*key, number);
                self.shared.asked(self.canary, now);
            }
        }
        self.canaries_next = now + CANARIES_EVERY;
    }
}

/// Waits, but never long: there may be something to take back, or a reason to stop.
fn pause(wait: Duration) {
    std::thread::park_timeout(wait.min(LONGEST_WAIT));
}

#[expect(clippy::needless_pass_by_value, reason = "the form of map_err")]
fn not_noted(error: std::io::Error) -> String {
    format!("the notes of the campaign cannot be written: {error}")
}
