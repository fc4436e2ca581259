//! Engines find out which targets answer. All fit behind one trait, chosen by what the machine allows.
//!
//! An engine takes [`Job`]s and gives a [`Found`] for each, in any order. The engine here opens ordinary connections and
//! needs no privilege: its discovery is at the same time the first handshake of the grab. An engine that sends bare
//! frames answers [`Opened::Known`], and the grab connects on its own; it asks the same [`Door`] for a permit a frame.

mod connect;
mod patience;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hinomi_model::ServiceKey;
use hinomi_model::scope::Probe;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

pub use connect::ConnectEngine;

use crate::error::SurveyError;
use crate::pace::HostTurn;
use crate::scope::{Connection, Datagrams, Refused};

/// One target to visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its step in the walk.
    pub step: u64,
    /// What to visit.
    pub key: ServiceKey,
}

/// What came of a job.
pub struct Found {
    /// Which job.
    pub job: Job,
    /// What came of it.
    pub discovery: Discovery,
    /// Its place among the targets in flight; dropped when the target is finished.
    pub slot: Option<OwnedSemaphorePermit>,
}

/// What a target did.
pub enum Discovery {
    /// It answered.
    Open(Opened),
    /// Its host says that nothing is there.
    Closed,
    /// Nothing came back.
    Silent,
    /// It may not be visited.
    Refused(Refused),
    /// This machine or the network failed; the text is fixed, not the target's.
    Failed(String),
}

/// How far an engine has got with a target that answers.
pub enum Opened {
    /// It is known to answer; no connection stands.
    Known,
    /// A connection stands and nothing has been sent over it.
    Stream(Connection, HostTurn),
    /// It answered this probe with these bytes.
    Datagram {
        /// The probe that was answered.
        probe: Probe,
        /// The answer.
        answer: Vec<u8>,
        /// The socket it came over.
        socket: Datagrams,
        /// The turn under which it was sent.
        turn: HostTurn,
    },
}

/// A running engine.
pub type Running = Pin<Box<dyn Future<Output = Result<(), SurveyError>> + Send>>;

/// Finds out which targets answer.
pub trait Engine: Send + Sync {
    /// Its name, as users see it.
    fn name(&self) -> &'static str;

    /// Works until `jobs` ends and every job has its [`Found`]. Waits when `found` is full: who stores sets the pace.
    fn discover(self: Arc<Self>, jobs: mpsc::Receiver<Job>, found: mpsc::Sender<Found>) -> Running;
}
