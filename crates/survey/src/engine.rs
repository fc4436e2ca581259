//! Engines find out which targets answer. All fit behind one trait, chosen by what the machine allows.
//!
//! An engine takes [`Work`], a leg of a campaign from where it was left, and sends [`Tidings`]: what it found, target by
//! target or, where nothing answered, range by range. [`ConnectEngine`] opens ordinary connections and needs no
//! privilege: its discovery is at the same time the first handshake of the grab. [`FrameEngine`] sends bare frames and
//! answers [`Opened::Known`], [`Opened::Spoke`], or [`Opened::Answered`] over UDP; the grab then goes on by itself. Both ask the same door for
//! every packet.

mod connect;
#[cfg(target_os = "linux")]
mod frame;
mod patience;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use hinomi_model::scope::Probe;
use hinomi_model::{CampaignId, ServiceKey, Transport};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

pub use connect::ConnectEngine;
#[cfg(target_os = "linux")]
pub use frame::{FrameEngine, Frames, NoWay};

use crate::campaign::{Coverage, Leg, Progress};
use crate::error::SurveyError;
use crate::grab::hints::Question;
use crate::pace::HostTurn;
use crate::scope::{Connection, Datagrams, Refused};

/// What is left to do of a leg.
pub struct Work {
    /// The campaign it belongs to.
    pub campaign: CampaignId,
    /// Which job: another scope, other ports or another seed is another job.
    pub job: String,
    /// The leg.
    pub leg: Arc<Leg>,
    /// What is done already, of the whole campaign.
    pub done: Progress,
    /// Becomes true when the survey is told to stop.
    pub stop: watch::Receiver<bool>,
}

impl Work {
    /// Whether the survey was told to stop.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// The first position that is not done.
    pub fn start(&self) -> u64 {
        let positions = self.leg.positions();
        self.done.watermark().clamp(positions.start, positions.end)
    }
}

/// What engines tell.
pub enum Tidings {
    /// What came of one target.
    Found(Found),
    /// Positions that are settled.
    Passed(Passed),
    /// What is known of those who were missed.
    Coverage(Coverage),
}

/// Positions that are settled: nothing answered, or it was found at another position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Which positions.
    pub positions: Range<u64>,
    /// Those among them that were [`Found`], which speak for themselves.
    pub except: Vec<u64>,
    /// How many of the rest are visits to a target.
    pub visits: u64,
}

/// One target to visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its position in the campaign.
    pub position: u64,
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
    /// It took a connection and said this, on its own or to this question; the connection is taken back.
    Spoke {
        /// What it was asked, if anything.
        question: Option<Question>,
        /// What it said; nothing, if it said nothing in good time.
        words: Vec<u8>,
    },
    /// It answered this probe with these bytes; no socket stands.
    Answered {
        /// The probe that was answered.
        probe: Probe,
        /// The answer.
        answer: Vec<u8>,
    },
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
    fn name(&self) -> String;

    /// Whether it can visit targets with this port.
    fn takes(&self, transport: Transport, port: u16) -> bool;

    /// How often it visits each target; twice and spaced, where it estimates how many it missed.
    fn passes(&self) -> u32;

    /// Whether it makes ordinary connections only. Which ports other engines take may change from one version to the
    /// next, so a job says what they were given.
    fn is_plain(&self) -> bool {
        false
    }

    /// Works until every position of the leg is told of, or until told to stop. Waits when `tidings` is full: who stores
    /// sets the pace.
    fn discover(self: Arc<Self>, work: Work, tidings: mpsc::Sender<Tidings>) -> Running;
}
