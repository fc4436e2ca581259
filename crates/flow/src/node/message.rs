//! What hub and workers say to each other.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::marker::PhantomData;
use std::net::IpAddr;

use hinomi_model::Timestamp;

use super::portable::{Bytes, Portable, portable};
use crate::detect::watch::Doings;
use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};
use crate::server::{Population, Server, ServerConfig, ServerCounts};
use crate::sketch::spread;

/// Version of all messages: hub and workers must be of the same.
const VERSION: u8 = 2;

/// Which run of a collector a message belongs to.
pub(super) type JobId = u64;

/// For a worker.
pub(super) struct Parcel {
    pub(super) job: JobId,
    /// From 1, without gaps, for each partition.
    pub(super) number: u64,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// Forget all and begin.
    Begin(ServerConfig),
    /// Known endpoints: they are admitted from their first flow on.
    Seeds(Vec<(IpAddr, Option<u16>)>),
    Flows(Vec<Addressed>),
    Advance(u32),
    /// It is so late: drop what was kept for minutes or hours.
    Expire(Timestamp),
    /// Tell your share of the state.
    Tell {
        round: u64,
    },
    /// The job is over: forget all.
    End,
}

/// A flow and for which of the two tables of a worker it is.
pub(super) struct Addressed {
    pub(super) for_servers: bool,
    pub(super) for_watch: bool,
    pub(super) flow: Flow<CncDetection>,
}

/// From a worker: a piece of what it tells.
pub(super) struct Reply {
    pub(super) job: JobId,
    pub(super) round: u64,
    pub(super) partition: u32,
    /// Which piece, from 0, of how many.
    pub(super) piece: u32,
    pub(super) pieces: u32,
    /// The share, cut; nothing when the worker has no state of this job.
    pub(super) bytes: Vec<u8>,
}

/// All that a worker knows.
pub(super) struct Share {
    pub(super) servers: Vec<Server>,
    pub(super) population: BTreeMap<u32, Population>,
    pub(super) counts: ServerCounts,
    pub(super) doings: Doings,
    /// Parcels that did not arrive.
    pub(super) missed: u64,
}

/// The partition of a server.
pub(super) fn of_server(remote: &Remote, partitions: u32) -> u32 {
    let mut hash = Fold(u64::from(remote.port) << 8 | u64::from(remote.protocol));
    std::hash::Hash::hash(&remote.address, &mut hash);
    place(hash.finish(), partitions)
}

/// The partition of a subscriber: pseudonyms are spread already, but the sketches look at their lowest.
pub(super) const fn of_subscriber(subscriber: Pseudonym, partitions: u32) -> u32 {
    place(spread(subscriber.0), partitions)
}

const fn place(hash: u64, partitions: u32) -> u32 {
    (((hash >> 32) * partitions as u64) >> 32) as u32
}

/// A hash that is the same in every process. Who chooses addresses to meet in one partition gains a slow worker.
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.0 = spread(self.0 ^ u64::from_le_bytes(word));
        }
    }

    fn finish(&self) -> u64 {
        spread(self.0)
    }
}

impl Parcel {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.put(&mut out);
        out
    }

    /// None when it is no parcel of this version.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        read(bytes)
    }
}

impl Reply {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.put(&mut out);
        out
    }

    /// None when it is no reply of this version.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        read(bytes)
    }
}

fn read<T: Portable>(bytes: &[u8]) -> Option<T> {
    let mut from = Bytes::new(bytes);
    (u8::take(&mut from)? == VERSION).then_some(())?;
    T::take(&mut from).filter(|_| from.is_empty())
}

impl Portable for Content {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Begin(config) => {
                0_u8.put(out);
                config.put(out);
            }
            Self::Flows(flows) => {
                1_u8.put(out);
                flows.put(out);
            }
            Self::Advance(epoch) => {
                2_u8.put(out);
                epoch.put(out);
            }
            Self::Tell { round } => {
                3_u8.put(out);
                round.put(out);
            }
            Self::End => 4_u8.put(out),
            Self::Expire(now) => {
                6_u8.put(out);
                now.put(out);
            }
            Self::Seeds(seeds) => {
                5_u8.put(out);
                seeds.put(out);
            }
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some(match u8::take(from)? {
            0 => Self::Begin(Portable::take(from)?),
            1 => Self::Flows(Portable::take(from)?),
            2 => Self::Advance(Portable::take(from)?),
            3 => Self::Tell { round: Portable::take(from)? },
            4 => Self::End,
            5 => Self::Seeds(Portable::take(from)?),
            6 => Self::Expire(Portable::take(from)?),
            _ => return None,
        })
    }
}

impl Portable for Flow<CncDetection> {
    fn put(&self, out: &mut Vec<u8>) {
        self.subscriber.put(out);
        self.subscriber_port.put(out);
        self.remote.put(out);
        self.epoch.put(out);
        self.out.put(out);
        self.back.put(out);
        self.told_by_subscriber.put(out);
        self.start.put(out);
        self.end.put(out);
        self.sampling.put(out);
        self.infected.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            subscriber: Portable::take(from)?,
            subscriber_port: Portable::take(from)?,
            remote: Portable::take(from)?,
            epoch: Portable::take(from)?,
            out: Portable::take(from)?,
            back: Portable::take(from)?,
            told_by_subscriber: Portable::take(from)?,
            start: Portable::take(from)?,
            end: Portable::take(from)?,
            sampling: Portable::take(from)?,
            infected: Portable::take(from)?,
            purpose: PhantomData,
        })
    }
}

portable!(Parcel { job, number, content });
portable!(Addressed { for_servers, for_watch, flow });
portable!(Reply { job, round, partition, piece, pieces, bytes });
portable!(Share { servers, population, counts, doings, missed });
portable!(ServerConfig {
    clients_to_admit,
    max_servers,
    max_waiting,
    epochs_kept,
    timeline_epochs,
    clients_timed,
    contacts_timed,
    popular_clients,
    gate_cells,
    subscribers_watched,
});
portable!(ServerCounts {
    flows,
    remote_is_client,
    counted,
    waiting,
    not_admitted,
    admitted,
    evicted,
    expired,
    forgotten,
});
