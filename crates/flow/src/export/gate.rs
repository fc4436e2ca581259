//! The export gate: nobody's life can be read from what passes.
//!
//! An endpoint passes when in one epoch at least k distinct pseudonyms met it, and it was met in at least two epochs;
//! or when something outside the flows names it too (a seed, a decoy, a telescope). Pseudonyms of different epochs
//! cannot be compared, so adding them up could count one subscriber twice: the k must be met within a single epoch.
//! An endpoint inside a member's own range is for that member alone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{Purpose, Transport};

use super::{Day, Shared};
use crate::server::Server;
use crate::subscribers::Subscribers;

/// Distinct pseudonyms that are asked for by default.
pub const DEFAULT_K: u64 = 5;
/// The gate never asks for fewer.
pub const LEAST_K: u64 = 3;
const LEAST_EPOCHS: usize = 2;
/// Confidence below which nothing leaves, in percent.
const LEAST_CONFIDENCE_PERCENT: u8 = 50;
/// Days after which a listed endpoint is forgotten.
const VALID_DAYS: u16 = 30;
const STEP_PERCENT: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What names an endpoint independently of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Corroboration {
    /// A list of known servers.
    Seed,
    /// A decoy's visitor came from there or was sent there.
    Decoy,
    /// A telescope saw it.
    Telescope,
}

/// An endpoint that asks to leave, with what the gate wants to know.
pub struct Candidate {
    address: IpAddr,
    port: u16,
    protocol: u8,
    confidence: f64,
    clients_by_epoch: Vec<u64>,
    corroboration: BTreeSet<Corroboration>,
}

impl Candidate {
    /// A server with the confidence (0 to 1) of its finding.
    pub fn of(server: &Server, confidence: f64, corroboration: impl IntoIterator<Item = Corroboration>) -> Self {
        Self {
            address: server.address(),
            port: server.port(),
            protocol: server.protocol(),
            confidence,
            clients_by_epoch: server.epochs().map(|(_, state)| state.clients()).collect(),
            corroboration: corroboration.into_iter().collect(),
        }
    }
}

/// Why an endpoint stays inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Too few pseudonyms in every epoch, and nothing corroborates it.
    TooFewClients {
        /// Most in one epoch.
        had: u64,
        /// How many are asked for.
        k: u64,
    },
    /// Enough pseudonyms, but in one epoch only.
    OneEpoch,
    /// Not sure enough.
    Unsure,
    /// Neither TCP nor UDP.
    NoTransport,
    /// In the range of this member, who alone is told.
    MemberOnly(String),
}

/// One who shares the list, with the range that is its own matter.
#[derive(Clone)]
pub struct Member {
    /// Its name; stays inside.
    pub name: String,
    /// Its subscribers' range.
    pub range: Arc<Subscribers>,
}

/// The gate.
#[derive(Clone)]
pub struct Gate {
    k: u64,
    members: Vec<Member>,
}

impl Gate {
    /// A gate that asks for so many pseudonyms (at least [`LEAST_K`]).
    pub fn new(k: u64, members: Vec<Member>) -> Self {
        Self { k: k.max(LEAST_K), members }
    }

    /// The shared record of a candidate, in the list of this day.
    ///
    /// # Errors
    /// The reason why it stays inside.
    pub fn pass(&self, candidate: &Candidate, listed: Day) -> Result<Shared, Held> {
        let transport = match candidate.protocol {
            TCP => Transport::Tcp,
            UDP => Transport::Udp,
            _ => return Err(Held::NoTransport),
        };
        if let Some(member) = self.members.iter().find(|member| member.range.contains(candidate.address)) {
            return Err(Held::MemberOnly(member.name.clone()));
        }
        self.enough_clients(candidate)?;
        let confidence_percent = coarse(candidate.confidence);
        if confidence_percent < LEAST_CONFIDENCE_PERCENT {
            return Err(Held::Unsure);
        }
        Ok(Shared {
            address: candidate.address,
            port: candidate.port,
            transport,
            confidence_percent,
            valid_until: listed.plus(VALID_DAYS),
            purpose: Purpose::CncDetection,
        })
    }

    fn enough_clients(&self, candidate: &Candidate) -> Result<(), Held> {
        if !candidate.corroboration.is_empty() {
            return Ok(());
        }
        let had = candidate.clients_by_epoch.iter().copied().max().unwrap_or(0);
        if had < self.k {
            return Err(Held::TooFewClients { had, k: self.k });
        }
        let epochs = candidate.clients_by_epoch.iter().filter(|clients| **clients > 0).count();
        if epochs < LEAST_EPOCHS { Err(Held::OneEpoch) } else { Ok(()) }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(DEFAULT_K, Vec::new())
    }
}

/// Whole tens of percent, rounded down, 90 at most: nothing here is certain.
fn coarse(confidence: f64) -> u8 {
    let percent = (confidence.clamp(0.0, 0.99) * 100.0).floor() as u8;
    percent / STEP_PERCENT * STEP_PERCENT
}
