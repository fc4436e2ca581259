//! The whole job in one thread, without sockets: files, the demonstration, tests.

use std::io::BufRead;
use std::sync::Arc;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{CollectorStatus, FileStatus, STATUS_FORMAT};
use hinomi_wire::flow::FlowRecord;

use super::analysis::{Analysis, AnalysisConfig, Scored};
use super::job::Recorder;
use super::order::Order;
use super::part::{Part, tell_analysis};
use super::{files, loss};
use crate::epoch::{EpochLength, Keys};
use crate::error::FlowError;
use crate::inlet::Inlet;
use crate::subscribers::Subscribers;

/// How long time may pass in the records before halves and keys are looked after again.
const LOOK_EVERY_MICROS: i64 = 1_000_000;

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
        let (status, part) = files::read_file(name, source, &mut |record, so_far| {
            let Some(first) = order.push(record) else { return Ok(()) };
            self.pass(first.end, so_far, recorder)?;
            self.take(&first)
        })?;
        self.before.add(&part);
        Ok((status, part))
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

#[cfg(test)]
mod tests;
