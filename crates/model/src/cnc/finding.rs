//! A finding: an endpoint, how sure, why, what speaks against it, and what would refute it.
//!
//! A finding holds no subscriber. It is of one scoring; without new evidence its confidence fades ([`Finding::faded`]).

use serde::{Deserialize, Serialize};

use super::{Code, Endpoint, Evidence, Fused, Group, fuse};
use crate::time::Timestamp;

/// What speaks for an endpoint fades by half in so many days without new evidence.
pub const HALF_LIFE_DAYS: f64 = 14.0;

/// How much of the traffic the evidence rests on, and what that did to the confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visibility {
    /// One of so many packets was looked at; 1 is all.
    pub sampling: u32,
    /// Whether some exporter does not tell its sampling.
    pub sampling_unknown: bool,
    /// Share of records lost on the way, 0 to 1.
    pub loss: f64,
    /// Confidence that the same evidence would have with every packet seen.
    pub confidence_if_all_seen: f64,
}

/// What observation would show that it is wrong. The name is stable: catalogues have a message `flow-refute-NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refutation {
    /// The operator of the address shows that a lawful service runs there.
    LawfulService,
    /// The address was given to somebody else after the list was made.
    AddressMoved,
    /// Clients that come by the clock are of one product whose maker names this endpoint.
    KnownProduct,
    /// The infected clients share something else: a household service, a maker's cloud.
    SharedOtherwise,
    /// Its clients reach it without ever attacking, over several epochs.
    NoAttacks,
    /// The port serves a known protocol when asked with permission.
    KnownProtocol,
}

impl Refutation {
    /// Every one: for catalogues of words.
    pub const ALL: [Self; 6] = [
        Self::LawfulService,
        Self::AddressMoved,
        Self::KnownProduct,
        Self::SharedOtherwise,
        Self::NoAttacks,
        Self::KnownProtocol,
    ];

    /// As it is written in catalogues and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LawfulService => "lawful-service",
            Self::AddressMoved => "address-moved",
            Self::KnownProduct => "known-product",
            Self::SharedOtherwise => "shared-otherwise",
            Self::NoAttacks => "no-attacks",
            Self::KnownProtocol => "known-protocol",
        }
    }

    /// What would refute reasons of that kind.
    const fn of(code: Code) -> Option<Self> {
        match code {
            Code::SeedEndpoint | Code::SeedHost | Code::GraphNetwork => Some(Self::AddressMoved),
            Code::GraphPort => Some(Self::KnownProtocol),
            Code::BeaconRegular | Code::BeaconPeriod | Code::BeaconFailed | Code::BeaconKeepAlive => {
                Some(Self::KnownProduct)
            }
            Code::LiftInfected | Code::GraphClients => Some(Self::SharedOtherwise),
            Code::ChainOrder | Code::SynchronyOnset => Some(Self::NoAttacks),
            _ => None,
        }
    }
}

/// One endpoint and all that was held for and against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Where.
    pub endpoint: Endpoint,
    /// When it was reckoned.
    pub time: Timestamp,
    /// 0 to 1.
    pub confidence: f64,
    /// How the confidence came to be.
    pub fused: Fused,
    /// Reasons for, the strongest first.
    pub reasons: Vec<Evidence>,
    /// Reasons against, the strongest first.
    pub counter_evidence: Vec<Evidence>,
    /// Share of all endpoints assumed to be C&C servers.
    pub base_rate: f64,
    /// Epochs in which it was seen.
    pub epochs: u32,
    /// Distinct clients of the epoch that has most: for the own-network view and the gate; the shared record has none.
    pub clients: u64,
    /// What loss and sampling did.
    pub visibility: Visibility,
    /// What would show that it is wrong.
    pub refuted_by: Vec<Refutation>,
}

impl Finding {
    /// Whether it may be named: two groups or a list, and likelier than not.
    pub fn is_named(&self) -> bool {
        self.fused.is_finding()
    }

    /// What is left of it at a later time without new evidence: everything for it fades, nothing against it does.
    #[must_use]
    pub fn faded(&self, now: Timestamp) -> Self {
        let days = now.since(self.time).as_secs_f64() / 86_400.0;
        let left = 0.5_f64.powf(days / HALF_LIFE_DAYS);
        let weaker =
            |reason: &Evidence| Evidence { log_likelihood_ratio: reason.log_likelihood_ratio * left, ..reason.clone() };
        let reasons: Vec<Evidence> = self.reasons.iter().map(weaker).collect();
        let all: Vec<Evidence> = reasons.iter().chain(&self.counter_evidence).cloned().collect();
        let fused = fuse(self.base_rate, &all);
        Self { confidence: fused.confidence(), fused, reasons, ..self.clone() }
    }

    /// What each group would refute, in order, without repetition.
    pub fn refutations(reasons: &[Evidence]) -> Vec<Refutation> {
        let mut list: Vec<Refutation> = reasons.iter().filter_map(|reason| Refutation::of(reason.code)).collect();
        list.push(Refutation::LawfulService);
        list.sort_unstable();
        list.dedup();
        list
    }

    /// What a group adds.
    pub fn group(&self, group: Group) -> f64 {
        self.fused.contributions.iter().filter(|part| part.group == group).map(|part| part.log_odds).sum()
    }
}
