//! How good the detection is, on captures whose answer is known, beside a RITA-like baseline on the same flows.
//!
//! ```text
//!   records (read, composed or synthetic) + truth
//!     -> inlet -> pairs -> Detection -> ranked findings --\
//!                       -> Baseline  -> ranked endpoints --> Outcome -> Report: precision, recall, rank, calibration
//! ```
//!
//! Nothing here is a shortcut: records pass the same inlet, keys, table and fusion as at work. A composed case says
//! so in its name and in its report.

pub mod baseline;
pub mod compose;
pub mod grid;
mod measure;
pub mod picture;
pub mod read;
pub mod report;
pub mod synthetic;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::Timestamp;
use hinomi_wire::flow::FlowRecord;
use ipnet::IpNet;

pub use measure::{Baselined, Outcome, Place};
pub use report::{Bin, Report};

use crate::detect::detection::{Detection, Scoring};
use crate::epoch::{EpochLength, Keys, LegalBasis};
use crate::error::FlowError;
use crate::export::gate::DEFAULT_K;
use crate::export::{Candidate, Corroboration, Day, Gate};
use crate::finding::Finding;
use crate::inlet::Inlet;
use crate::pair::{PairConfig, Pairs};
use crate::server::ServerConfig;
use crate::subscribers::Subscribers;
use crate::suppress::Knowledge;
use baseline::Baseline;

/// Flows with a known answer.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What it is, as it stands in the report.
    pub name: String,
    /// Put together from several captures, or made up.
    pub composed: bool,
    /// In any order.
    pub records: Vec<FlowRecord>,
    /// Whose lines they are.
    pub subscribers: Vec<IpNet>,
    /// The C&C endpoints in it; empty where nothing may be named.
    pub truth: BTreeSet<(IpAddr, u16)>,
    /// Subscribers known to be infected, if that is to be used.
    pub infected: Vec<IpAddr>,
}

/// How to run cases.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lists of known endpoints: name, when told, text.
    pub seeds: Vec<(String, Option<Timestamp>, Vec<u8>)>,
    /// Take remote ends in private address space for what they say: captures of laboratories.
    pub local_remotes: bool,
    /// Make a model of the case's own servers before scoring, where that is possible.
    pub train: bool,
    /// Another base rate.
    pub base_rate: Option<f64>,
    /// Maintained knowledge; none to see what it is worth.
    pub knowledge: Option<Knowledge>,
}

/// Runs one case.
///
/// # Errors
/// When the case names no subscribers, a list cannot be read, or no key can be made.
pub fn run(case: &Case, options: &Options) -> Result<Outcome, FlowError> {
    let mut detection = detection(options)?;
    let mut baseline = Baseline::default();
    feed(case, options, &mut detection, &mut baseline)?;
    let refusal = options.train.then(|| detection.train().err()).flatten();
    let now = case.records.iter().map(|record| record.end).max().unwrap_or_default();
    let vouched = |address, port, protocol| {
        options.knowledge.as_ref().is_some_and(|known| known.vouches(address, port, protocol, now))
    };
    let scoring: Scoring = detection.score(now, 0.0, vouched);
    let doings = detection.watched();
    let gate = Gate::new(DEFAULT_K, Vec::new());
    let leaves = |finding: &Finding| {
        let endpoint = finding.endpoint;
        let server = detection.servers().get(endpoint.address, endpoint.port, endpoint.protocol);
        let corroboration = finding.fused.seeded.then_some(Corroboration::Seed);
        let asks = |server| Candidate::of(server, finding.confidence, corroboration);
        server.is_some_and(|server| gate.pass(&asks(server), Day::of(now)).is_ok())
    };
    let mut outcome = measure::measure(case, &scoring, &baseline.ranked(), leaves);
    outcome.watched = doings;
    outcome.no_model = refusal.map(|reason| reason.to_string());
    Ok(outcome)
}

fn detection(options: &Options) -> Result<Detection, FlowError> {
    // A capture is a small network: every endpoint gets a state, and more of a timeline than at a carrier.
    let config = ServerConfig { clients_to_admit: 1, contacts_timed: 512, ..ServerConfig::default() };
    let mut detection = Detection::new(config);
    if let Some(rate) = options.base_rate {
        detection = detection.with_base_rate(rate);
    }
    for (name, told, text) in &options.seeds {
        let read = detection.read_seeds(name, *told, text.as_slice());
        read.map_err(FlowError::file(std::path::Path::new(name)))?;
    }
    Ok(detection)
}

/// Replays the records in the order in which an exporter would tell them: by their ends.
fn feed(case: &Case, options: &Options, detection: &mut Detection, baseline: &mut Baseline) -> Result<(), FlowError> {
    let mut inlet = Inlet::new(Arc::new(Subscribers::of(&case.subscribers)?));
    if options.local_remotes {
        inlet = inlet.with_local_remotes();
    }
    let mut keys = Keys::new(EpochLength::default());
    let basis = LegalBasis::new("evaluation of a capture with a known answer")?;
    let mut pairs = Pairs::new(PairConfig::default());
    let mut order: Vec<&FlowRecord> = case.records.iter().collect();
    order.sort_by_key(|record| (record.end, record.start));
    let mut ready = Vec::new();
    let mut epoch = None;
    for record in order {
        if !keys.advance(record.end)?.is_empty() && !case.infected.is_empty() {
            // A new key knows nobody until it is told.
            keys.tell_infected(&case.infected, &basis);
        }
        if epoch != Some(keys.current_epoch()) {
            epoch = Some(keys.current_epoch());
            detection.servers_advance(keys.current_epoch());
        }
        if let Ok(flow) = inlet.take(&keys, record) {
            pairs.take(flow, record.end, &mut ready);
        }
        pairs.expire(record.end, &mut ready);
        hand_on(&mut ready, detection, baseline);
        detection.servers_expire(record.end);
    }
    pairs.finish(&mut ready);
    hand_on(&mut ready, detection, baseline);
    Ok(())
}

fn hand_on(ready: &mut Vec<crate::Flow<crate::CncDetection>>, detection: &mut Detection, baseline: &mut Baseline) {
    for flow in ready.drain(..) {
        baseline.take(&flow);
        detection.take(&flow);
    }
}

#[cfg(test)]
mod tests;
