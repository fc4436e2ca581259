//! The export gate: nobody's life can be read from what passes.
//!
//! An endpoint passes when in one epoch at least k distinct pseudonyms met it, and it was met in at least two epochs;
//! or when something outside the flows names it too (a seed, a decoy, a telescope). Pseudonyms of different epochs
//! cannot be compared, so adding them up could count one subscriber twice: the k must be met within a single epoch.
//! An endpoint inside a member's own range is for that member alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use hinomi_model::Purpose;
pub use hinomi_model::cnc::{Corroboration, KeptBack as Held};
use hinomi_model::cnc::{Endpoint, ExportVerdict, Finding};

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
pub const VALID_DAYS: u16 = 30;
const STEP_PERCENT: u8 = 10;

/// An endpoint that asks to leave, with what the gate wants to know.
pub struct Candidate {
    endpoint: Endpoint,
    confidence: f64,
    /// Most distinct clients in one epoch.
    clients: u64,
    /// Epochs in which it was met.
    epochs: usize,
    corroboration: BTreeSet<Corroboration>,
}

impl Candidate {
    /// A server with the confidence (0 to 1) of its finding.
    pub fn of(server: &Server, confidence: f64, corroboration: impl IntoIterator<Item = Corroboration>) -> Self {
        let by_epoch = || server.epochs().map(|(_, state)| state.clients());
        Self {
            endpoint: Endpoint { address: server.address(), port: server.port(), protocol: server.protocol() },
            confidence,
            clients: by_epoch().max().unwrap_or(0),
            epochs: by_epoch().filter(|clients| *clients > 0).count(),
            corroboration: corroboration.into_iter().collect(),
        }
    }

    /// A finding by its own account, with what names it besides the flows.
    pub fn of_finding(finding: &Finding, corroboration: impl IntoIterator<Item = Corroboration>) -> Self {
        Self {
            endpoint: finding.endpoint,
            confidence: finding.confidence,
            clients: finding.clients,
            epochs: usize::try_from(finding.epochs).unwrap_or(usize::MAX),
            corroboration: corroboration.into_iter().collect(),
        }
    }
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
        let Endpoint { address, port, .. } = candidate.endpoint;
        let Some(transport) = candidate.endpoint.transport() else { return Err(Held::NoTransport) };
        if let Some(member) = self.members.iter().find(|member| member.range.contains(address)) {
            return Err(Held::MemberOnly { member: member.name.clone() });
        }
        self.enough_clients(candidate)?;
        let confidence_percent = coarse(candidate.confidence);
        if confidence_percent < LEAST_CONFIDENCE_PERCENT {
            return Err(Held::Unsure);
        }
        Ok(Shared {
            address,
            port,
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
        let had = candidate.clients;
        if had < self.k {
            return Err(Held::TooFewClients { had, k: self.k });
        }
        if candidate.epochs < LEAST_EPOCHS { Err(Held::OneEpoch) } else { Ok(()) }
    }

    /// What is said of a candidate, to be stored with its finding.
    pub fn verdict(&self, candidate: &Candidate, listed: Day) -> ExportVerdict {
        match self.pass(candidate, listed) {
            Ok(_) => ExportVerdict::Passes { corroboration: candidate.corroboration.clone() },
            Err(reason) => ExportVerdict::KeptBack { reason },
        }
    }

    /// The shared record of a stored finding: what was kept back when it was scored stays inside, and what passed is
    /// asked everything again.
    ///
    /// # Errors
    /// The reason why it stays inside.
    pub fn pass_stored(&self, finding: &Finding, verdict: &ExportVerdict, listed: Day) -> Result<Shared, Held> {
        match verdict {
            ExportVerdict::Passes { corroboration } => {
                self.pass(&Candidate::of_finding(finding, corroboration.iter().copied()), listed)
            }
            ExportVerdict::KeptBack { reason } => Err(reason.clone()),
        }
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
