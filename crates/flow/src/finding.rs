//! Findings that are held, and what must be told when that changes.
//!
//! What a finding is, how it fades and what a [`Retraction`] says is in [`hinomi_model::cnc`]. [`Held`] compares a whole
//! scoring with what is held: without new evidence confidence fades, and when it falls below the threshold, or the next
//! scoring says otherwise, a retraction goes to whoever got the finding.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hinomi_model::Timestamp;
pub use hinomi_model::cnc::{
    Endpoint, ExportVerdict, Finding, HALF_LIFE_DAYS, Message, Refutation, Retraction, Visibility, Withdrawn,
};

use crate::detect::Code;
#[cfg(test)]
use crate::detect::Evidence;
#[cfg(test)]
use crate::fuse::fuse;

/// A finding that still holds is told again after this time, so that who reads what was told does not see it fade.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(6 * 3_600);
/// Other reasons are news, but not oftener than this.
const OTHER_REASONS_AFTER: Duration = Duration::from_secs(600);
/// So much surer is news at once.
const SURER: f64 = 0.05;

/// One finding that is held.
#[derive(Clone, Debug)]
struct Kept {
    newest: Finding,
    told: Finding,
    verdict: ExportVerdict,
}

/// Findings that are held.
#[derive(Clone, Debug, Default)]
pub struct Held {
    findings: BTreeMap<Endpoint, Kept>,
}

impl Held {
    /// What an earlier run held, as it was told then.
    pub fn resume(told: impl IntoIterator<Item = (Finding, ExportVerdict)>) -> Self {
        let kept = |(finding, verdict): (Finding, ExportVerdict)| {
            (finding.endpoint, Kept { newest: finding.clone(), told: finding, verdict })
        };
        Self { findings: told.into_iter().map(kept).collect() }
    }

    /// Takes in a whole scoring: what it names is held, what it scored and does not name is retracted, what it did
    /// not see fades. `suppressed` says whether knowledge vouches for an endpoint, or somebody refuted it; `gate` what
    /// the export gate says of a finding.
    pub fn update(
        &mut self,
        scored: Vec<Finding>,
        now: Timestamp,
        suppressed: impl Fn(&Endpoint) -> bool,
        gate: impl Fn(&Finding) -> ExportVerdict,
    ) -> Vec<Message> {
        let mut by_endpoint: BTreeMap<Endpoint, Finding> =
            scored.into_iter().map(|finding| (finding.endpoint, finding)).collect();
        let mut messages = self.retract(&by_endpoint, now, &suppressed);
        by_endpoint.retain(|endpoint, finding| finding.is_named() && !suppressed(endpoint));
        for (endpoint, finding) in by_endpoint {
            let verdict = gate(&finding);
            let known = self.findings.remove(&endpoint);
            let is_news = known.as_ref().is_none_or(|known| known.is_outdated_by(&finding, &verdict));
            if is_news {
                messages.push(Message::Found { finding: Box::new(finding.clone()), export: verdict.clone() });
            }
            let told = known.filter(|_| !is_news).map_or_else(|| finding.clone(), |known| known.told);
            self.findings.insert(endpoint, Kept { newest: finding, told, verdict });
        }
        messages
    }

    fn retract(
        &mut self,
        scored: &BTreeMap<Endpoint, Finding>,
        now: Timestamp,
        suppressed: impl Fn(&Endpoint) -> bool,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        self.findings.retain(|endpoint, kept| {
            let held = &kept.newest;
            let reason = match scored.get(endpoint) {
                _ if suppressed(endpoint) => Some(Withdrawn::Suppressed),
                Some(newer) if newer.is_named() => None,
                // Less evidence than before is no evidence against: only what outweighs the faded finding retracts it.
                _ if !held.faded(now).is_named() => Some(Withdrawn::Faded),
                // A job that began anew has seen few subscribers yet, to whom any server looks popular.
                Some(newer) if newer.epochs >= held.epochs && against(newer) < against(held) - f64::EPSILON => {
                    Some(Withdrawn::Outweighed)
                }
                _ => None,
            };
            if let Some(reason) = reason {
                messages.push(Message::Retracted(Retraction { endpoint: *endpoint, reason }));
            }
            reason.is_none()
        });
        messages
    }

    /// Takes back a finding that somebody showed to be wrong.
    pub fn refute(&mut self, endpoint: &Endpoint) -> Option<Message> {
        self.findings.remove(endpoint)?;
        Some(Message::Retracted(Retraction { endpoint: *endpoint, reason: Withdrawn::Refuted }))
    }

    /// What is held, by endpoint, as of its own scoring.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values().map(|kept| &kept.newest)
    }
}

impl Kept {
    /// Whether those who follow must be told again.
    fn is_outdated_by(&self, finding: &Finding, verdict: &ExportVerdict) -> bool {
        let since_told = finding.time.since(self.told.time);
        self.told.confidence + SURER < finding.confidence
            || self.verdict.passes() != verdict.passes()
            || since_told >= TOLD_AGAIN_AFTER
            || (since_told >= OTHER_REASONS_AFTER && codes(&self.told) != codes(finding))
    }
}

fn codes(finding: &Finding) -> BTreeSet<Code> {
    finding.reasons.iter().chain(&finding.counter_evidence).map(|reason| reason.code).collect()
}

fn against(finding: &Finding) -> f64 {
    finding.counter_evidence.iter().map(|reason| reason.log_likelihood_ratio).sum()
}

#[cfg(test)]
mod tests;
