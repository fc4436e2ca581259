//! The collector's side: spreads flows over the partitions, and puts the shares together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::message::{Addressed, Content, JobId, Parcel, Reply, Share, of_server, of_subscriber};
use super::portable::read_whole;
use super::worker::MAX_PIECES;
use super::{Bus, MAX_PARTITIONS};
use crate::detect::watch::Watch;
use crate::error::FlowError;
use crate::purpose::{CncDetection, Flow};
use crate::server::{ServerConfig, Servers};

/// Flows of a parcel: some 400 KB at most.
const FLOWS: usize = 3_000;
/// Known endpoints of a parcel.
const SEEDS: usize = 20_000;
/// How long all workers may be silent while a share is missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What passed the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubCounts {
    /// Parcels sent.
    pub parcels: u64,
    /// Flows in them; one that two partitions need counts twice.
    pub flows: u64,
    /// Replies that are none of this job, of another round, or no replies at all.
    pub stray: u64,
    /// Parcels that workers said they missed.
    pub missed: u64,
    /// Times that a worker had no state of this job and was given it anew.
    pub begun_anew: u64,
}

/// Spreads a job over partitions.
pub struct Hub {
    bus: Box<dyn Bus>,
    job: JobId,
    config: ServerConfig,
    seeds: Vec<(IpAddr, Option<u16>)>,
    waiting: Vec<Vec<Addressed>>,
    numbers: Vec<u64>,
    round: u64,
    missed: BTreeMap<u32, u64>,
    counts: HubCounts,
}

/// All shares as one.
pub(crate) struct Gathered {
    pub(crate) servers: Servers,
    pub(crate) watch: Watch,
}

impl Hub {
    /// Begins a job; its number must not have been used on this bus before.
    ///
    /// # Errors
    /// When there are no partitions or too many, or the bus does not take the beginning.
    pub fn begin(
        bus: Box<dyn Bus>,
        partitions: u32,
        job: u64,
        config: ServerConfig,
        seeds: impl IntoIterator<Item = (IpAddr, Option<u16>)>,
    ) -> Result<Self, FlowError> {
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(FlowError::Partitions { most: MAX_PARTITIONS });
        }
        let waiting = (0..partitions).map(|_| Vec::new()).collect();
        let mut hub = Self {
            bus,
            job,
            config,
            seeds: seeds.into_iter().collect(),
            waiting,
            numbers: vec![0; partitions as usize],
            round: 0,
            missed: BTreeMap::new(),
            counts: HubCounts::default(),
        };
        (0..partitions).try_for_each(|partition| hub.give(partition))?;
        Ok(hub)
    }

    /// What passed.
    pub const fn counts(&self) -> HubCounts {
        self.counts
    }

    fn partitions(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(MAX_PARTITIONS)
    }

    /// Gives a partition the job from its beginning.
    fn give(&mut self, partition: u32) -> Result<(), FlowError> {
        self.send(partition, Content::Begin(self.config.clone()))?;
        let seeds: Vec<_> = self.seeds.chunks(SEEDS).map(<[_]>::to_vec).collect();
        seeds.into_iter().try_for_each(|some| self.send(partition, Content::Seeds(some)))
    }

    fn send(&mut self, partition: u32, content: Content) -> Result<(), FlowError> {
        let Some(number) = self.numbers.get_mut(partition as usize) else { return Ok(()) };
        *number += 1;
        let parcel = Parcel { job: self.job, number: *number, content };
        self.counts.parcels = self.counts.parcels.saturating_add(1);
        self.bus.send(partition, parcel.write())
    }

    /// Takes in one session.
    ///
    /// # Errors
    /// When the bus does not take a parcel.
    pub(crate) fn take(&mut self, flow: Flow<CncDetection>) -> Result<(), FlowError> {
        let server = of_server(&flow.remote, self.partitions());
        let subscriber = of_subscriber(flow.subscriber, self.partitions());
        self.put(server, Addressed { for_servers: true, for_watch: subscriber == server, flow })?;
        if subscriber == server {
            return Ok(());
        }
        self.put(subscriber, Addressed { for_servers: false, for_watch: true, flow })
    }

    fn put(&mut self, partition: u32, flow: Addressed) -> Result<(), FlowError> {
        let Some(waiting) = self.waiting.get_mut(partition as usize) else { return Ok(()) };
        waiting.push(flow);
        if waiting.len() < FLOWS { Ok(()) } else { self.post(partition) }
    }

    /// Sends what waits for a partition.
    fn post(&mut self, partition: u32) -> Result<(), FlowError> {
        let flows = self.waiting.get_mut(partition as usize).map(std::mem::take).unwrap_or_default();
        if flows.is_empty() {
            return Ok(());
        }
        self.counts.flows = self.counts.flows.saturating_add(flows.len() as u64);
        self.send(partition, Content::Flows(flows))
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// When the bus does not take a parcel.
    pub(crate) fn flush(&mut self) -> Result<(), FlowError> {
        (0..self.partitions()).try_for_each(|partition| self.post(partition))
    }

    /// Tells all that this epoch runs.
    ///
    /// # Errors
    /// When the bus does not take a parcel.
    pub(crate) fn advance(&mut self, epoch: u32) -> Result<(), FlowError> {
        self.flush()?;
        (0..self.partitions()).try_for_each(|partition| self.send(partition, Content::Advance(epoch)))
    }

    /// Tells all how late it is.
    ///
    /// # Errors
    /// When the bus does not take a parcel.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Result<(), FlowError> {
        self.flush()?;
        (0..self.partitions()).try_for_each(|partition| self.send(partition, Content::Expire(now)))
    }

    /// Asks all workers for their shares and puts them together.
    ///
    /// # Errors
    /// When a worker does not tell its share in time, or the bus is gone.
    pub(crate) fn gather(&mut self) -> Result<Gathered, FlowError> {
        self.flush()?;
        self.round += 1;
        let round = self.round;
        (0..self.partitions()).try_for_each(|partition| self.send(partition, Content::Tell { round }))?;
        let mut desk: BTreeMap<u32, Pieces> = (0..self.partitions()).map(|each| (each, Pieces::default())).collect();
        let mut gathered =
            Gathered { servers: Servers::new(self.config.clone()), watch: Watch::new(self.config.subscribers_watched) };
        while desk.values().any(|pieces| !pieces.told) {
            let Some(bytes) = self.bus.reply(PATIENCE)? else {
                let silent = desk.iter().filter(|(_, pieces)| !pieces.told).map(|(partition, _)| *partition);
                return Err(FlowError::WorkersSilent { partitions: silent.collect(), seconds: PATIENCE.as_secs() });
            };
            let Some(reply) = self.of_round(&bytes, round) else { continue };
            let partition = reply.partition;
            let Some(share) = desk.get_mut(&partition).and_then(|pieces| pieces.take(reply)) else { continue };
            self.join(partition, &share, &mut gathered)?;
        }
        Ok(gathered)
    }

    /// A reply to the question that was asked; others are counted.
    fn of_round(&mut self, bytes: &[u8], round: u64) -> Option<Reply> {
        let fits = |reply: &Reply| {
            reply.job == self.job
                && reply.round == round
                && reply.partition < self.partitions()
                && reply.piece < reply.pieces
                && reply.pieces <= MAX_PIECES
        };
        let reply = Reply::read(bytes).filter(fits);
        if reply.is_none() {
            self.counts.stray = self.counts.stray.saturating_add(1);
        }
        reply
    }

    fn join(&mut self, partition: u32, share: &[u8], gathered: &mut Gathered) -> Result<(), FlowError> {
        if share.is_empty() {
            self.counts.begun_anew = self.counts.begun_anew.saturating_add(1);
            self.missed.remove(&partition);
            return self.give(partition);
        }
        let share: Share = read_whole(share).ok_or(FlowError::NoShare { partition })?;
        let before = self.missed.insert(partition, share.missed).unwrap_or(0);
        self.counts.missed = self.counts.missed.saturating_add(share.missed.saturating_sub(before));
        gathered.servers.absorb(share.servers, &share.population, share.counts);
        gathered.watch.absorb(share.doings);
        Ok(())
    }

    /// Ends the job: workers forget it.
    ///
    /// # Errors
    /// When the bus does not take a parcel.
    pub(crate) fn end(&mut self) -> Result<(), FlowError> {
        (0..self.partitions()).try_for_each(|partition| self.send(partition, Content::End))
    }
}

/// The pieces of one share.
#[derive(Default)]
struct Pieces {
    pieces: BTreeMap<u32, Vec<u8>>,
    /// How many there are.
    of: u32,
    told: bool,
}

impl Pieces {
    /// The whole share with its last piece, once.
    fn take(&mut self, reply: Reply) -> Option<Vec<u8>> {
        if self.told {
            return None;
        }
        // A successor tells another share than the one that was being told when its predecessor ended.
        if self.of != reply.pieces {
            self.pieces.clear();
            self.of = reply.pieces;
        }
        self.pieces.insert(reply.piece, reply.bytes);
        self.told = self.pieces.len() >= reply.pieces as usize;
        self.told.then(|| std::mem::take(&mut self.pieces).into_values().flatten().collect())
    }
}
