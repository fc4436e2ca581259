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
use super::files::Table;
use super::job::Recorder;
use super::order::Order;
use super::part::{Part, plus, tell_analysis};
use super::pipe::{PIECE_BYTES, Pipe};
use super::silence::Silence;
use super::{files, loss};
use crate::epoch::{EpochLength, Keys};
use crate::error::FlowError;
use crate::inlet::Inlet;
use crate::subscribers::Subscribers;

/// How long time may pass in the records before halves and keys are looked after again.
const LOOK_EVERY_MICROS: i64 = 1_000_000;
/// How long a pipe may be silent before the window is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A record of a pipe may end so much later than it is: clocks differ a little. What ends later is left out: keys and ages
/// would follow it, and never come back.
const SKEW: Duration = Duration::from_mins(2);
/// The same of files on disk, whose clocks may tell the time of another zone.
const FILE_SKEW: Duration = Duration::from_hours(24);

/// Inlet, keys and analysis. Time is given by the caller and never runs backwards.
pub struct Live {
    keys: Keys,
    inlet: Inlet,
    subscribers: Arc<Subscribers>,
    analysis: Analysis,
    /// What decoders in front of the inlet counted, as far as it is known here.
    before: Part,
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
        let (before, now) = (Part::default(), Timestamp::default());
        Self { keys, inlet, subscribers, analysis, before, now, started: None, looked: None }
    }

    /// Says what decoders that stand before this counted so far: an epoch that ends is scored with the share of records
    /// that they missed. Files that are [read](Self::read) here need not be told.
    pub fn heard(&mut self, part: Part) {
        self.before = part;
    }

    /// Takes in one record at this time. Key events, and what an ended epoch's last scoring said, go to the recorder.
    ///
    /// # Errors
    /// When no key can be made, or the recorder fails.
    pub fn feed(&mut self, now: Timestamp, record: &FlowRecord, recorder: &mut dyn Recorder) -> Result<(), FlowError> {
        self.tick(now, recorder)?;
        self.take(record)
    }

    fn take(&mut self, record: &FlowRecord) -> Result<(), FlowError> {
        match self.inlet.take(&self.keys, record) {
            Ok(flow) => self.analysis.take([flow], self.now),
            Err(_) => Ok(()),
        }
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn tick(&mut self, now: Timestamp, recorder: &mut dyn Recorder) -> Result<(), FlowError> {
        self.pass(now, &Part::default, recorder)
    }

    /// As [`tick`](Self::tick), while a file is read whose exports came to so much so far.
    fn pass(
        &mut self,
        now: Timestamp,
        so_far: &dyn Fn() -> Part,
        recorder: &mut dyn Recorder,
    ) -> Result<(), FlowError> {
        self.now = self.now.max(now);
        self.started.get_or_insert(self.now);
        let due = |before: Timestamp| self.now.as_micros().saturating_sub(before.as_micros()) >= LOOK_EVERY_MICROS;
        if !self.looked.is_none_or(due) {
            return Ok(());
        }
        self.looked = Some(self.now);
        if self.keys.is_ended(self.now) {
            // The ending epoch's own scoring, while all of it is known.
            let mut all = self.before.clone();
            all.add(&so_far());
            self.analysis.expire(self.now)?;
            self.score(loss::share(&all), recorder)?;
        }
        let turned = super::job::turn(&mut self.keys, self.now, recorder)?;
        super::job::age(&mut self.analysis, turned, self.now, recorder)?;
        self.analysis.expire(self.now)
    }

    /// Reads a file of whatever kind, in the order of the records' ends as far as the window of `order` goes; time is
    /// that of the records. What ends later than a day from now is left out.
    ///
    /// # Errors
    /// When its first bytes cannot be read, or as [`feed`](Self::feed).
    pub fn read(
        &mut self,
        name: &str,
        source: impl BufRead,
        order: &mut Order,
        clock: &dyn Clock,
        recorder: &mut dyn Recorder,
    ) -> Result<(FileStatus, Part), FlowError> {
        let (horizon, mut beyond) = (clock.now().plus(FILE_SKEW), 0);
        let (mut status, part) = files::read_file(name, source, &mut |record, so_far| {
            if record.end > horizon {
                plus(&mut beyond, 1);
                return Ok(());
            }
            self.sort(record, so_far, order, Timestamp::default(), recorder)
        })?;
        files::leave_out_future(&mut status, beyond);
        self.before.add(&part);
        Ok((status, part))
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
        clock: &dyn Clock,
        recorder: &mut dyn Recorder,
    ) -> Result<(FileStatus, Part), FlowError> {
        let (horizon, mut beyond) = (clock.now().plus(FILE_SKEW), 0);
        let (mut status, part) = files::read_parquet(name, file, &mut |record, so_far| {
            if record.end > horizon {
                plus(&mut beyond, 1);
                return Ok(());
            }
            self.sort(record, so_far, order, Timestamp::default(), recorder)
        })?;
        files::leave_out_future(&mut status, beyond);
        Ok((status, part))
    }

    /// The same of a pipe, where what ends later than two minutes from now is left out. While it is silent, time goes on
    /// by this clock: conversations end, records leave the window once `order` has no more
    /// [patience](Order::with_patience), and then keys and halves end when their time is over.
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
        let heard = self.started.map(|_| self.now);
        let silence = Silence::new(heard, clock.now());
        let window = RefCell::new(Window { live: self, order, recorder, silence, so_far: Part::default(), beyond: 0 });
        let (table, failure) = (RefCell::default(), RefCell::new(None));
        let idle = || {
            window.borrow_mut().idle(&mut table.borrow_mut(), clock.now()).map_err(|error| {
                failure.replace(Some(error));
                io::Error::other("what was read cannot be handed on")
            })
        };
        let source = BufReader::with_capacity(PIECE_BYTES, Pipe::new(source, LOOK_EVERY, &idle));
        let read = files::read_with(name, source, &table, &mut |record, so_far| {
            window.borrow_mut().take(record, so_far, clock.now())
        });
        let (mut status, part) = failure.take().map_or(read, Err)?;
        let window = window.into_inner();
        files::leave_out_future(&mut status, window.beyond);
        window.live.before.add(&part);
        Ok((status, part))
    }

    /// Takes a record into the window, and feeds what leaves it.
    fn sort(
        &mut self,
        record: FlowRecord,
        so_far: &dyn Fn() -> Part,
        order: &mut Order,
        came: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), FlowError> {
        if let Some(first) = order.push(record, came) {
            self.pass(first.end, so_far, recorder)?;
            self.take(&first)?;
        }
        self.release(so_far, order, came, recorder)
    }

    /// Feeds what has waited for too long.
    fn release(
        &mut self,
        so_far: &dyn Fn() -> Part,
        order: &mut Order,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), FlowError> {
        while let Some(first) = order.overdue(now) {
            self.pass(first.end, so_far, recorder)?;
            self.take(&first)?;
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
            loss: loss::share(part),
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

/// A pipe on its way: who takes its records, in what order, and what is known while it is silent.
struct Window<'a> {
    live: &'a mut Live,
    order: &'a mut Order,
    recorder: &'a mut dyn Recorder,
    silence: Silence,
    /// What its exports came to, as of the last second in which any came.
    so_far: Part,
    /// Records that were left out, for they end in the future.
    beyond: u64,
}

impl Window<'_> {
    fn take(&mut self, record: FlowRecord, so_far: &dyn Fn() -> Part, now: Timestamp) -> Result<(), FlowError> {
        if record.end > now.plus(SKEW) {
            plus(&mut self.beyond, 1);
            // It has come all the same: what waits may have waited long enough.
            return self.live.release(so_far, self.order, now, self.recorder);
        }
        if self.silence.hear(record.end, now) {
            self.so_far = so_far();
        }
        self.live.sort(record, so_far, self.order, now, self.recorder)
    }

    /// Nothing has come for a while.
    fn idle(&mut self, table: &mut Table, now: Timestamp) -> Result<(), FlowError> {
        let moment = self.silence.moment(table, now).map(|moment| moment.min(now.plus(SKEW)));
        let so_far = std::mem::take(&mut self.so_far);
        let told = || so_far.clone();
        for record in moment.map(|moment| table.advance(moment)).unwrap_or_default() {
            if record.end > now.plus(SKEW) {
                plus(&mut self.beyond, 1);
            } else {
                self.live.sort(record, &told, self.order, now, self.recorder)?;
            }
        }
        self.live.release(&told, self.order, now, self.recorder)?;
        // Not before: what waits ended before this moment, and perhaps in another epoch.
        if let Some(moment) = moment.filter(|_| self.order.is_empty()) {
            self.live.pass(moment, &told, self.recorder)?;
        }
        self.so_far = so_far;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
