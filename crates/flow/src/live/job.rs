//! The job with sockets: threads, the queue between them, and the clock that moves keys, ages and scorings.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinomi_model::cnc::status::{CollectorStatus, STATUS_FORMAT};
use hinomi_model::{Clock, Timestamp};
use hinomi_wire::flow::Limits;

use super::analysis::{Analysis, AnalysisConfig, Scored};
use super::desk::{Batch, Desk, Failure, whole};
use super::keys::SharedKeys;
use super::part::{Part, tell_analysis};
use super::scoring::{Outcome, Scorer};
use super::scrub::scrub_stack;
use super::sockets::Sockets;
use super::stream::{self, Streams};
use super::turn::record;
pub(super) use super::turn::turn;
use super::{loss, receive, watch};
use crate::epoch::{EpochLength, KeyEvent, LegalBasis};
use crate::error::FlowError;
use crate::finding::Endpoint;
use crate::inlet::Inlet;
use crate::ledger::Event;
use crate::own::{OwnDesk, World};
use crate::subscribers::Subscribers;

/// Batches that wait for the analysis: at most as many flows as a receiver's datagrams hold, 32 times.
const QUEUE_BATCHES: usize = 32;
/// How often keys, ages and sums are looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the analysis waits for flows before it looks at the clock.
const WAIT: Duration = Duration::from_millis(200);

/// Says whether somebody showed an endpoint to be none.
pub type Refuted = Box<dyn Fn(&Endpoint) -> bool>;

/// Who keeps what the job tells: ledger, journal, status. A failure ends the job: what cannot be recorded must not be done.
pub trait Recorder {
    /// Keys were made or destroyed.
    ///
    /// # Errors
    /// When that cannot be recorded.
    fn keys(&mut self, now: Timestamp, events: &[KeyEvent]) -> io::Result<()>;

    /// State was deleted because its life was over.
    ///
    /// # Errors
    /// When that cannot be recorded.
    fn deleted(&mut self, now: Timestamp, what: &str, count: u64) -> io::Result<()>;

    /// Servers were scored.
    ///
    /// # Errors
    /// When that cannot be recorded.
    fn scored(&mut self, scored: &Scored) -> io::Result<()>;

    /// A key was made and knows no infected line: which are there, and on what basis? None while that switch is off.
    ///
    /// # Errors
    /// When the list cannot be read.
    fn infected(&mut self) -> io::Result<Option<(Vec<IpAddr>, LegalBasis)>> {
        Ok(None)
    }

    /// Before what a scoring names is held: which endpoints did somebody show to be no C&C servers?
    ///
    /// # Errors
    /// When that cannot be read.
    fn refuted(&mut self, _now: Timestamp) -> io::Result<Refuted> {
        Ok(Box::new(|_| false))
    }

    /// Somebody asks about own lines: the entry is on disk when this returns, and before anything is answered.
    ///
    /// # Errors
    /// When that cannot be recorded; nothing is answered then.
    fn asked(&mut self, _event: Event) -> io::Result<()> {
        Err(io::Error::other("this collector keeps no record of who asks"))
    }

    /// All sums, every second and at the end.
    ///
    /// # Errors
    /// When they cannot be written.
    fn status(&mut self, status: &CollectorStatus) -> io::Result<()>;
}

/// What a job needs.
pub struct Job {
    /// Where it listens.
    pub sockets: Sockets,
    /// Whose addresses become pseudonyms.
    pub subscribers: Arc<Subscribers>,
    /// Take remote ends in private address space for what they say.
    pub local_remotes: bool,
    /// How long a pseudonym lives.
    pub epochs: EpochLength,
    /// What exporters may make the decoders keep.
    pub limits: Limits,
    /// The second half.
    pub analysis: AnalysisConfig,
    /// How often servers are scored.
    pub score_every: Duration,
    /// When to end by itself.
    pub lasting: Option<Duration>,
    /// Who answers which own lines met a finding; none while that switch is off.
    pub own: Option<OwnDesk>,
}

/// A place where a receiver publishes its sums.
pub(super) type Slot = Mutex<Part>;

/// Puts the sums there.
pub(super) fn publish(slot: &Slot, part: Part) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = part;
}

impl Job {
    /// Runs until told to stop, or until its time is over; then takes in what has arrived, scores a last time, and
    /// destroys the keys.
    ///
    /// # Errors
    /// When a key cannot be made, a socket fails for good, the recorder fails, or a thread breaks off.
    pub fn run(
        self,
        clock: &dyn Clock,
        stop: &AtomicBool,
        recorder: &mut dyn Recorder,
    ) -> Result<(CollectorStatus, Scored), FlowError> {
        let Self { sockets, subscribers, epochs, limits, .. } = self;
        let inlet = Inlet::new(Arc::clone(&subscribers));
        let inlet = if self.local_remotes { inlet.with_local_remotes() } else { inlet };
        let (keys, streams) = (SharedKeys::new(epochs), Streams::new(Arc::clone(&subscribers)));
        let failure = Failure::default();
        let sources = sockets.udp.len() + sockets.interfaces.len();
        let slots: Vec<Slot> = std::iter::repeat_with(Slot::default).take(sources).collect();
        let mut centre = Centre {
            analysis: Analysis::new(self.analysis),
            keys: keys.clone(),
            subscribers,
            listening: &sockets.listening,
            clock,
            started: clock.now(),
            slots: &slots,
            streams: &streams,
            own: self.own,
            recorder,
        };
        // Before the first datagram is taken: no record finds itself without a key.
        if let Err(error) = whole("the analysis", || centre.look(clock.now(), false)) {
            centre.abandon();
            return Err(error);
        }
        let told = std::thread::scope(|scope| {
            let (sender, queue) = sync_channel(QUEUE_BATCHES);
            let pairs = centre.analysis.pairs();
            let desk = Desk { keys, inlet, pairs, limits, clock, stop, failure: &failure, queue: sender };
            let mut free = slots.iter();
            for (socket, slot) in sockets.udp.iter().zip(&mut free) {
                let desk = desk.clone();
                scope.spawn(move || desk.guarded("a receiver", |desk| receive::run(socket, desk, slot)));
            }
            for (interface, slot) in sockets.interfaces.iter().zip(&mut free) {
                let desk = desk.clone();
                scope.spawn(move || desk.guarded("a watched interface", |desk| watch::run(interface, desk, slot)));
            }
            for listener in &sockets.tcp {
                let (desk, streams) = (desk.clone(), &streams);
                scope.spawn(move || {
                    desk.guarded("a listener", |desk| {
                        stream::accept(scope, listener, &desk, streams);
                        Ok(())
                    });
                });
            }
            // The queue ends when the last of its senders does.
            drop(desk);
            let (scorer, times) = (Scorer::start(scope), (self.score_every, self.lasting));
            let outcome = whole("the analysis", || centre.run(&queue, scorer, stop, times));
            stop.store(true, Ordering::Relaxed);
            // Nobody takes flows any more: a receiver that waits for room in the queue is let go.
            drop(queue);
            outcome
        });
        if told.is_err() {
            centre.abandon();
        }
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => told,
        }
    }
}

/// The thread that analyses and keeps time.
struct Centre<'a> {
    analysis: Analysis,
    keys: SharedKeys,
    subscribers: Arc<Subscribers>,
    listening: &'a [SocketAddr],
    clock: &'a dyn Clock,
    started: Timestamp,
    slots: &'a [Slot],
    streams: &'a Streams,
    own: Option<OwnDesk>,
    recorder: &'a mut dyn Recorder,
}

impl Centre<'_> {
    fn run(
        &mut self,
        queue: &Receiver<Batch>,
        mut scorer: Scorer,
        stop: &AtomicBool,
        (score_every, lasting): (Duration, Option<Duration>),
    ) -> Result<(CollectorStatus, Scored), FlowError> {
        let ends = lasting.map(|lasting| self.started.plus(lasting));
        let (mut looked, mut scored) = (self.started, self.started);
        loop {
            match queue.recv_timeout(WAIT) {
                Ok(batch) => self.analysis.take_joined(&batch)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(outcome) = scorer.wait()? {
                        self.hold(outcome)?;
                    }
                    return self.end();
                }
            }
            let now = self.clock.now();
            if has_passed(looked, now, LOOK_EVERY) {
                if self.keys.read().is_ended(now) {
                    self.score_ended_epoch(&mut scorer, now)?;
                    scored = self.clock.now();
                }
                self.look(now, scorer.is_busy())?;
                looked = now;
            }
            if has_passed(scored, now, score_every) && !scorer.is_busy() {
                scorer.begin(self.analysis.begin_scoring(now, loss::share(&self.part()))?)?;
                // With workers their shares were waited for: what came meanwhile was not there to be seen.
                scored = self.clock.now();
            }
            if let Some(outcome) = scorer.outcome()? {
                self.hold(outcome)?;
            }
            if ends.is_some_and(|end| now >= end) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Begins the ended epoch's last scoring, of all as it is known before anything is dropped. One that runs is waited for.
    fn score_ended_epoch(&mut self, scorer: &mut Scorer, now: Timestamp) -> Result<(), FlowError> {
        if let Some(outcome) = scorer.wait()? {
            self.hold(outcome)?;
        }
        self.analysis.expire(now)?;
        scorer.begin(self.analysis.begin_scoring(now, loss::share(&self.part()))?)
    }

    /// Keys, ages, who asks about own lines, sums.
    fn look(&mut self, now: Timestamp, is_scoring: bool) -> Result<(), FlowError> {
        let epoch = self.turn(now)?;
        // While a scoring holds all as it was, nothing would be gone by it, and all would be copied first.
        if !is_scoring {
            age(&mut self.analysis, epoch, now, self.recorder)?;
        }
        self.analysis.expire(now)?;
        self.answer(now);
        let status = self.status(now, true);
        self.recorder.status(&status).map_err(FlowError::recorder)
    }

    /// As [`turn`], without keeping receivers waiting for the disk: they wait for keys alone. Until a new key is told which
    /// lines are infected it knows none, as it does while that list cannot be read.
    fn turn(&mut self, now: Timestamp) -> Result<u32, FlowError> {
        let events = self.keys.write().advance(now)?;
        if let Some(infected) = record(&events, now, self.recorder)? {
            infected.tell(&mut self.keys.write());
        }
        Ok(self.keys.read().current_epoch())
    }

    /// After the keys were moved to this moment: none that should be gone resolves anything.
    fn answer(&mut self, now: Timestamp) {
        let Some(desk) = &self.own else { return };
        let keys = self.keys.read();
        let (analysis, subscribers) = (&self.analysis, self.subscribers.as_ref());
        desk.serve(&mut World { keys: &keys, analysis, subscribers, recorder: &mut *self.recorder, now });
        // The carrier's lines passed through calls.
        scrub_stack();
    }

    fn score(&mut self, now: Timestamp) -> Result<Scored, FlowError> {
        let task = self.analysis.begin_scoring(now, loss::share(&self.part()))?;
        self.hold(task.run())
    }

    /// Holds and records what a scoring brought.
    fn hold(&mut self, outcome: Outcome) -> Result<Scored, FlowError> {
        let refuted = self.recorder.refuted(outcome.time).map_err(FlowError::recorder)?;
        let scored = self.analysis.end_scoring(outcome, &refuted);
        self.recorder.scored(&scored).map_err(FlowError::recorder)?;
        Ok(scored)
    }

    fn end(&mut self) -> Result<(CollectorStatus, Scored), FlowError> {
        let now = self.clock.now();
        self.analysis.finish()?;
        let scored = self.score(now)?;
        self.analysis.release()?;
        let events = self.keys.write().destroy();
        scrub_stack();
        self.recorder.keys(now, &events).map_err(FlowError::recorder)?;
        let status = self.status(now, false);
        self.recorder.status(&status).map_err(FlowError::recorder)?;
        Ok((status, scored))
    }

    /// After a failure: workers forget, keys end and that is recorded, as far as that is possible still. The failure
    /// itself is what is told.
    fn abandon(&mut self) {
        let now = self.clock.now();
        let _ = self.analysis.release();
        let events = self.keys.write().destroy();
        scrub_stack();
        let _ = self.recorder.keys(now, &events);
        let status = self.status(now, false);
        let _ = self.recorder.status(&status);
    }

    fn part(&self) -> Part {
        let mut all = self.streams.part();
        for slot in self.slots {
            all.add(&slot.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }

    fn status(&self, now: Timestamp, running: bool) -> CollectorStatus {
        let (part, keys) = (self.part(), self.keys.read());
        let epoch = keys.current_epoch();
        let mut status = CollectorStatus {
            format: STATUS_FORMAT,
            running,
            started: self.started,
            updated: now,
            listening: self.listening.to_vec(),
            epoch,
            epoch_ends: keys.length().end_of(epoch),
            infected_switch: keys.knows_infected(),
            own_switch: self.own.is_some(),
            loss: loss::share(&part),
            ..CollectorStatus::default()
        };
        part.tell(&mut status, &self.subscribers);
        tell_analysis(&self.analysis, &mut status);
        status
    }
}

/// Drops what is too old now that this epoch runs.
pub(super) fn age(
    analysis: &mut Analysis,
    epoch: u32,
    now: Timestamp,
    recorder: &mut dyn Recorder,
) -> Result<(), FlowError> {
    let gone = analysis.advance(epoch)?;
    if gone > 0 {
        recorder.deleted(now, "server states", gone).map_err(FlowError::recorder)?;
    }
    Ok(())
}

/// Whether so much time lies between two moments; a clock that was set back has passed as well.
fn has_passed(before: Timestamp, now: Timestamp, span: Duration) -> bool {
    now.since(before).max(before.since(now)) >= span
}

#[cfg(test)]
mod tests;
