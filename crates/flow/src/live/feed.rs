//! The whole job in one thread, without sockets: files, the demonstration, tests.

use std::io::BufRead;
use std::sync::Arc;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{CollectorStatus, FileStatus, STATUS_FORMAT};
use hinomi_wire::flow::FlowRecord;

use super::analysis::{Analysis, AnalysisConfig, Scored};
use super::files;
use super::job::Recorder;
use super::order::Order;
use super::part::{Part, tell_analysis};
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
        files::read_file(name, source, &mut |record| match order.push(record) {
            Some(first) => self.feed(first.end, &first, recorder),
            None => Ok(()),
        })
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
