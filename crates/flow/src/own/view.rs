//! Findings that are sure enough, and the sets of pseudonyms that met them.

use hinomi_model::Timestamp;
use hinomi_model::cnc::{Endpoint, Finding};

use super::{LEAST_CONFIDENCE_PERCENT, OwnEpoch, OwnFinding, percent};
use crate::epoch::Keys;
use crate::error::FlowError;
use crate::live::Analysis;
use crate::sketch::KSmallest;

/// What is held, at this moment.
pub(super) struct View<'a> {
    pub(super) keys: &'a Keys,
    pub(super) analysis: &'a Analysis,
    pub(super) now: Timestamp,
    pub(super) is_refuted: &'a dyn Fn(&Endpoint) -> bool,
}

/// Clients of an endpoint in an epoch whose key lives.
pub(super) type Met<'a> = Vec<(u32, &'a KSmallest)>;

impl<'a> View<'a> {
    /// Those that are sure enough, the surest first.
    pub(super) fn counts(&self) -> Vec<OwnFinding> {
        let mut all: Vec<OwnFinding> = self
            .held()
            .filter(is_sure)
            .map(|Finding { endpoint, confidence, .. }| OwnFinding {
                endpoint,
                confidence,
                epochs: self.epochs(&self.met(&endpoint)),
            })
            .collect();
        all.sort_by(|one, other| other.confidence.total_cmp(&one.confidence).then(one.endpoint.cmp(&other.endpoint)));
        all
    }

    /// The finding whose lines may be told, and who met it while keys that live were in use.
    pub(super) fn resolvable(&self, endpoint: &Endpoint) -> Result<(Finding, Met<'a>), FlowError> {
        let held = self.held().find(|finding| finding.endpoint == *endpoint);
        let finding = held.ok_or(FlowError::NotHeld { endpoint: *endpoint })?;
        if !is_sure(&finding) {
            let least_percent = LEAST_CONFIDENCE_PERCENT;
            return Err(FlowError::NotSureEnough { percent: percent(finding.confidence), least_percent });
        }
        let met = self.met(endpoint);
        if met.is_empty() { Err(FlowError::NobodyCanTell) } else { Ok((finding, met)) }
    }

    /// What is held now: not faded, not refuted since the last scoring.
    fn held(&self) -> impl Iterator<Item = Finding> {
        let faded = self.analysis.held().findings().map(|finding| finding.faded(self.now));
        faded.filter(|finding| finding.is_named() && !(self.is_refuted)(&finding.endpoint))
    }

    fn met(&self, endpoint: &Endpoint) -> Met<'a> {
        let Endpoint { address, port, protocol } = *endpoint;
        let Some(server) = self.analysis.table().get(address, port, protocol) else { return Vec::new() };
        let clients = |epoch| server.client_set(epoch).filter(|clients| !clients.is_empty());
        self.keys.epochs().filter_map(|epoch| Some((epoch, clients(epoch)?))).collect()
    }

    pub(super) fn epochs(&self, met: &Met<'_>) -> Vec<OwnEpoch> {
        let length = self.keys.length();
        let told = |(epoch, clients): &(u32, &KSmallest)| OwnEpoch {
            begins: length.begin_of(*epoch),
            ends: length.end_of(*epoch),
            lines: clients.count(),
            known: clients.kept(),
            sampled: !clients.is_exact(),
        };
        met.iter().map(told).collect()
    }
}

fn is_sure(finding: &Finding) -> bool {
    percent(finding.confidence) >= LEAST_CONFIDENCE_PERCENT
}
