//! One partition: takes parcels in, keeps its part of the state, tells it when asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::WorkerBus;
use super::message::{Content, JobId, Parcel, Reply, Share};
use super::portable::Portable;
use crate::detect::watch::Watch;
use crate::error::FlowError;
use crate::server::{ServerConfig, Servers};

/// Bytes of a piece of a share: half of what a NATS server takes by default.
const PIECE_BYTES: usize = 512 * 1_024;
/// Most pieces of a share: 8 GiB would be too much for the collector.
pub(super) const MAX_PIECES: u32 = 16_384;
/// Without a word of the collector for so long, what is known of its job is forgotten: its keys are gone as well.
const ALONE: Duration = Duration::from_secs(30 * 60);
/// How long it waits before it looks whether to stop.
const WAIT: Duration = Duration::from_millis(200);

/// What became of parcels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Parcels taken in.
    pub parcels: u64,
    /// Flows in them.
    pub flows: u64,
    /// Parcels that came again.
    pub again: u64,
    /// Parcels that did not come.
    pub missed: u64,
    /// Parcels of a job whose beginning was not seen.
    pub of_unknown_job: u64,
    /// Messages that are no parcels of this version.
    pub malformed: u64,
    /// Shares told.
    pub shares: u64,
}

/// The state of the job that runs.
struct State {
    job: JobId,
    last: u64,
    missed: u64,
    servers: Servers,
    watch: Watch,
}

/// A worker of one partition.
pub struct Worker {
    partition: u32,
    state: Option<State>,
    counts: WorkerCounts,
}

impl Worker {
    /// One that knows of no job yet.
    pub const fn new(partition: u32) -> Self {
        let counts =
            WorkerCounts { parcels: 0, flows: 0, again: 0, missed: 0, of_unknown_job: 0, malformed: 0, shares: 0 };
        Self { partition, state: None, counts }
    }

    /// What became of parcels.
    pub const fn counts(&self) -> WorkerCounts {
        self.counts
    }

    /// Works until told to stop; its state is gone then.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn run(&mut self, bus: &mut dyn WorkerBus, stop: &AtomicBool) -> Result<(), FlowError> {
        let mut silent = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            silent = if self.step(bus, WAIT)? { Duration::ZERO } else { silent.saturating_add(WAIT) };
            if silent >= ALONE {
                self.state = None;
            }
        }
        Ok(())
    }

    /// Deals with the next parcel, if one comes in that time. Tells whether one came.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn step(&mut self, bus: &mut dyn WorkerBus, patience: Duration) -> Result<bool, FlowError> {
        let Some(bytes) = bus.parcel(patience)? else { return Ok(false) };
        match Parcel::read(&bytes) {
            Some(parcel) => self.take(parcel, bus)?,
            None => self.counts.malformed = self.counts.malformed.saturating_add(1),
        }
        bus.done()?;
        Ok(true)
    }

    fn take(&mut self, parcel: Parcel, bus: &mut dyn WorkerBus) -> Result<(), FlowError> {
        let Parcel { job, number, content } = parcel;
        if let Content::Begin(config) = content {
            self.begin(job, number, config);
            return Ok(());
        }
        let Some(state) = self.state.as_mut().filter(|state| state.job == job) else {
            self.counts.of_unknown_job = self.counts.of_unknown_job.saturating_add(1);
            return match content {
                // It was not here when the job began: says that it has nothing, and is given the job anew.
                Content::Tell { round } => self.tell(job, round, &[], bus),
                _ => Ok(()),
            };
        };
        if number <= state.last {
            self.counts.again = self.counts.again.saturating_add(1);
            return Ok(());
        }
        let missed = number - state.last - 1;
        state.missed = state.missed.saturating_add(missed);
        state.last = number;
        self.counts.missed = self.counts.missed.saturating_add(missed);
        self.counts.parcels = self.counts.parcels.saturating_add(1);
        match content {
            Content::Begin(_) => {}
            Content::Seeds(seeds) => seeds.into_iter().for_each(|(address, port)| state.servers.seed(address, port)),
            Content::Flows(flows) => {
                self.counts.flows = self.counts.flows.saturating_add(flows.len() as u64);
                for addressed in flows {
                    if addressed.for_watch {
                        state.watch.see(&addressed.flow);
                    }
                    if addressed.for_servers {
                        state.servers.take(&addressed.flow);
                    }
                }
            }
            Content::Advance(epoch) => {
                state.servers.advance(epoch);
                state.watch.advance(epoch);
            }
            Content::Expire(now) => {
                state.servers.expire(now);
                state.watch.expire(now);
            }
            Content::Tell { round } => {
                let mut share = Vec::new();
                state.share().put(&mut share);
                return self.tell(job, round, &share, bus);
            }
            Content::End => self.state = None,
        }
        Ok(())
    }

    fn begin(&mut self, job: JobId, number: u64, config: ServerConfig) {
        if self.state.as_ref().is_some_and(|state| state.job == job && number <= state.last) {
            self.counts.again = self.counts.again.saturating_add(1);
            return;
        }
        let watch = Watch::new(config.subscribers_watched);
        let servers = Servers::new(config);
        self.counts.parcels = self.counts.parcels.saturating_add(1);
        self.state = Some(State { job, last: number, missed: 0, servers, watch });
    }

    /// Tells a share in pieces; an empty one means that there is none.
    fn tell(&mut self, job: JobId, round: u64, share: &[u8], bus: &mut dyn WorkerBus) -> Result<(), FlowError> {
        let pieces = share.chunks(PIECE_BYTES).len().max(1);
        let (partition, pieces) = (self.partition, u32::try_from(pieces).unwrap_or(u32::MAX));
        if pieces > MAX_PIECES {
            return Err(FlowError::ShareTooLarge { partition, bytes: share.len() });
        }
        let empty: &[u8] = &[];
        let parts = share.chunks(PIECE_BYTES).chain(share.is_empty().then_some(empty));
        for (piece, bytes) in (0..).zip(parts) {
            bus.reply(Reply { job, round, partition, piece, pieces, bytes: bytes.to_vec() }.write())?;
        }
        self.counts.shares = self.counts.shares.saturating_add(1);
        Ok(())
    }
}

impl State {
    fn share(&self) -> Share {
        Share {
            servers: self.servers.sorted().into_iter().cloned().collect(),
            population: self.servers.populations().clone(),
            counts: self.servers.counts(),
            doings: self.watch.doings(),
            missed: self.missed,
        }
    }
}
