//! The same job on several machines: shares of the state, and the bus between them.
//!
//! ```text
//!   collector: inlet -> pairs -> Hub --parcels of flows, by server and by pseudonym--> Worker 0: Servers, Watch
//!                                 ^                                                    Worker 1: Servers, Watch
//!                                 \---------- shares of the state, at each scoring -----------/
//! ```
//!
//! One collector reads, names and joins; that is where keys live, and no key reaches the bus. A worker holds the servers
//! whose endpoint, and the doings of the subscribers whose pseudonym, fall to its partition. Before a scoring the hub
//! asks for all shares, which do not overlap, puts them together and scores as one node does: the findings are equal.
//!
//! Invariants:
//! - Parcels of a partition carry numbers: what comes twice is taken once, what is missing is counted.
//! - What travels is private to this crate (`portable`), lives in the bus's memory for minutes, and holds no address of
//!   a subscriber.
//! - A worker that lost its state says so; it is given the job anew, and the loss is counted.

mod hub;
mod message;
pub(crate) mod portable;
mod worker;

use std::time::Duration;

pub(crate) use hub::Gathered;
pub use hub::{Hub, HubCounts};
pub use worker::{Worker, WorkerCounts};

use crate::error::FlowError;

/// Most partitions of a job.
pub const MAX_PARTITIONS: u32 = 256;

/// The collector's end of a bus. Delivers at least once, in order for each partition.
pub trait Bus: Send {
    /// Sends a parcel to the worker of a partition.
    ///
    /// # Errors
    /// When the bus does not take it.
    fn send(&mut self, partition: u32, parcel: Vec<u8>) -> Result<(), FlowError>;

    /// The next reply of any worker; none when none came in that time.
    ///
    /// # Errors
    /// When the bus is gone.
    fn reply(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, FlowError>;
}

/// A worker's end of a bus.
pub trait WorkerBus: Send {
    /// The next parcel of its partition; none when none came in that time.
    ///
    /// # Errors
    /// When the bus is gone.
    fn parcel(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, FlowError>;

    /// Sends a reply to the collector.
    ///
    /// # Errors
    /// When the bus does not take it.
    fn reply(&mut self, reply: Vec<u8>) -> Result<(), FlowError>;

    /// What was handed out so far has been dealt with.
    ///
    /// # Errors
    /// When the bus is gone.
    fn done(&mut self) -> Result<(), FlowError>;
}

#[cfg(test)]
mod tests;
