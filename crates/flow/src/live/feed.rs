//! The whole job in one thread, without sockets: files, the demonstration, tests.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::cnc::status::{CollectorStatus, FileStatus, STATUS_FORMAT};
use hinomi_model::{Clock, Timestamp};
use hinomi_wire::flow::FlowRecord;

use super::analysis::{Analysis, AnalysisConfig, Scored};
use super::files;
use super::job::Recorder;
use super::order::Order;
use super::part::{Part, tell_analysis};
use super::pipe::{PIECE_BYTES, Pipe};
use crate::epoch::{EpochLength, Keys};
use crate::error::FlowError;
use crate::inlet::Inlet;
use crate::subscribers::Subscribers;

/// How long time may pass in the records before halves and keys are looked after again.
const LOOK_EVERY_MICROS: i64 = 1_000_000;
/// How long a pipe may be silent before the window is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Inlet, keys and analysis. Time is given by the caller and never runs backwards.
pub struct Live {
    keys: Keys,
    inlet: Inlet,
    subscribers: Arc<Subscribers>,
    analysis: Analysis,
    now: Timestamp,
    started: Option<Timestamp>,
    looked: Option<Timestamp>,
}

impl Live {
    /// A job that has seen nothing.
    pub fn new(
        subscribers: Arc<Subscribers>,
        local_remotes: bool,
        length: EpochLength,
        config: AnalysisConfig,
    ) -> Self {
        let inlet = Inlet::new(Arc::clone(&subscribers));
        let inlet = if local_remotes { inlet.with_local_remotes() } else { inlet };
        let (keys, analysis) = (Keys::new(length), Analysis::new(config));
        Self { keys, inlet, subscribers, analysis, now: Timestamp::default(), started: None, looked: None }
    }

    /// Takes in one record at this time. Key events, and what an ended epoch's last scoring said, go to the recorder.
    ///
    /// # Errors
    /// When no key can be made, or the recorder fails.
    pub fn feed(&mut self, now: Timestamp, record: &FlowRecord, recorder: &mut dyn Recorder) -> Result<(), FlowError> {
        self.tick(now, recorder)?;
        if let Ok(flow) = self.inlet.take(&self.keys, record) {
            self.analysis.take([flow], self.now)?;
        }
        Ok(())
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn tick(&mut self, now: Timestamp, recorder: &mut dyn Recorder) -> Result<(), FlowError> {
        self.now = self.now.max(now);
        self.started.get_or_insert(self.now);
        let due = |before: Timestamp| self.now.as_micros().saturating_sub(before.as_micros()) >= LOOK_EVERY_MICROS;
        if !self.looked.is_none_or(due) {
            return Ok(());
        }
        let is_first = self.looked.replace(self.now).is_none();
        if !is_first && self.keys.length().epoch_of(self.now) != self.keys.current_epoch() {
            // The ending epoch's own scoring, while all of it is known.
            self.score(0.0, recorder)?;
        }
        let turned = super::job::turn(&mut self.keys, self.now, recorder)?;
        super::job::age(&mut self.analysis, turned, self.now, recorder)?;
        self.analysis.expire(self.now)
    }

    /// Reads a file of whatever kind, in the order of the records' ends as far as the window of `order` goes; time is
    /// that of the records.
    ///
    /// # Errors
    /// When its first bytes cannot be read, or as [`feed`](Self::feed).
    pub fn read(
        &mut self,
        name: &str,
        source: impl BufRead,
        order: &mut Order,
        recorder: &mut dyn Recorder,
    ) -> Result<(FileStatus, Part), FlowError> {
        files::read_file(name, source, &mut |record| self.sort(record, order, Timestamp::default(), recorder))
    }

    /// The same of a Parquet file on disk, which need not fit into memory.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn read_parquet(
        &mut self,
        name: &str,
        file: File,
        order: &mut Order,
        recorder: &mut dyn Recorder,
    ) -> Result<(FileStatus, Part), FlowError> {
        files::read_parquet(name, file, &mut |record| self.sort(record, order, Timestamp::default(), recorder))
    }

    /// The same of a pipe: when it is silent, records leave the window all the same once `order` has no more
    /// [patience](Order::with_patience), by this clock.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_pipe(
        &mut self,
        name: &str,
        source: impl io::Read + Send + 'static,
        order: &mut Order,
        clock: &dyn Clock,
        recorder: &mut dyn Recorder,
    ) -> Result<(FileStatus, Part), FlowError> {
        let window = RefCell::new((self, order, recorder));
        let failure = RefCell::new(None);
        let idle = || {
            let (live, order, recorder) = &mut *window.borrow_mut();
            live.release(order, clock.now(), *recorder).map_err(|error| {
                failure.replace(Some(error));
                io::Error::other("what was read cannot be handed on")
            })
        };
        let source = BufReader::with_capacity(PIECE_BYTES, Pipe::new(source, LOOK_EVERY, &idle));
        let read = files::read_file(name, source, &mut |record| {
            let (live, order, recorder) = &mut *window.borrow_mut();
            live.sort(record, order, clock.now(), *recorder)
        });
        failure.take().map_or(read, Err)
    }

    /// Takes a record into the window, and feeds what leaves it.
    fn sort(
        &mut self,
        record: FlowRecord,
        order: &mut Order,
        came: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), FlowError> {
        if let Some(first) = order.push(record, came) {
            self.feed(first.end, &first, recorder)?;
        }
        self.release(order, came, recorder)
    }

    /// Feeds what has waited for too long.
    fn release(&mut self, order: &mut Order, now: Timestamp, recorder: &mut dyn Recorder) -> Result<(), FlowError> {
        while let Some(first) = order.overdue(now) {
            self.feed(first.end, &first, recorder)?;
        }
        Ok(())
    }

    /// Feeds what still waits for its turn.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn drain(&mut self, order: &mut Order, recorder: &mut dyn Recorder) -> Result<(), FlowError> {
        while let Some(first) = order.pop() {
            self.feed(first.end, &first, recorder)?;
        }
        Ok(())
    }

    /// Scores now.
    ///
    /// # Errors
    /// When the recorder fails.
    pub fn score(&mut self, loss: f64, recorder: &mut dyn Recorder) -> Result<Scored, FlowError> {
        let refuted = recorder.refuted(self.now).map_err(FlowError::recorder)?;
        let scored = self.analysis.score(self.now, loss, &refuted)?;
        recorder.scored(&scored).map_err(FlowError::recorder)?;
        Ok(scored)
    }

    /// Nothing more will come: passes on what waits, scores a last time, destroys the keys.
    ///
    /// # Errors
    /// When the recorder fails.
    pub fn end(&mut self, loss: f64, recorder: &mut dyn Recorder) -> Result<Scored, FlowError> {
        self.analysis.finish()?;
        let scored = self.score(loss, recorder)?;
        self.analysis.release()?;
        let events = self.keys.destroy();
        recorder.keys(self.now, &events).map_err(FlowError::recorder)?;
        Ok(scored)
    }

    /// Everything that was counted. `part` has the sums of decoders that stood before the inlet, if any did.
    pub fn status(&self, part: &Part, running: bool) -> CollectorStatus {
        let mut status = CollectorStatus {
            format: STATUS_FORMAT,
            running,
            started: self.started.unwrap_or(self.now),
            updated: self.now,
            epoch: self.keys.current_epoch(),
            epoch_ends: self.keys.length().end_of(self.keys.current_epoch()),
            loss: super::loss::share(part),
            ..CollectorStatus::default()
        };
        let mut whole = part.clone();
        whole.add(&Part { inlet: super::part::inlet_status(self.inlet.counts()), ..Part::default() });
        whole.tell(&mut status, &self.subscribers);
        tell_analysis(&self.analysis, &mut status);
        status
    }

    /// The time that it is.
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}

#[cfg(test)]
mod tests;
