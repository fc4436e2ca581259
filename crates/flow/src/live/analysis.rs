//! The second half of the job: flows of pseudonyms in, messages about findings out.

use std::sync::Arc;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::pairs::SharedPairs;
use super::scoring::{Outcome, Task};
use crate::detect::detection::{Detection, Scoring, ScoringCounts};
use crate::detect::watch::WatchCounts;
use crate::error::FlowError;
use crate::export::Day;
use crate::export::gate::{Candidate, Corroboration, Gate};
use crate::finding::{Endpoint, ExportVerdict, Finding, Held, Message};
use crate::node::{Hub, HubCounts};
use crate::pair::{PairConfig, PairCounts};
use crate::purpose::{CncDetection, Flow};
use crate::server::{ServerCounts, Servers};
use crate::suppress::Knowledge;

/// How often state is looked through for what was kept for minutes only.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Candidates of a scoring that are handed out with it.
const CANDIDATES: usize = 50;

/// How the second half works.
pub struct AnalysisConfig {
    /// Detectors with their seeds and model.
    pub detection: Detection,
    /// Maintained knowledge.
    pub knowledge: Knowledge,
    /// How halves wait for each other.
    pub pairs: PairConfig,
    /// What may leave.
    pub gate: Gate,
    /// What an earlier run held.
    pub held: Held,
    /// Make a model of what was seen and of the lists before each scoring.
    pub train: bool,
    /// Workers that keep the state; none when it is kept here.
    pub hub: Option<Hub>,
}

/// What a scoring brought.
#[derive(Clone, Debug)]
pub struct Scored {
    /// When.
    pub time: Timestamp,
    /// What changed: for the journal.
    pub messages: Vec<Message>,
    /// The likeliest endpoints, named or not, at most fifty.
    pub candidates: Vec<Finding>,
    /// What became of the servers.
    pub counts: ScoringCounts,
    /// Share of records lost that it reckoned with.
    pub loss: f64,
    /// Why no model could be made, where one was asked for.
    pub no_model: Option<String>,
}

/// Pairs, detectors and the findings that are held.
pub struct Analysis {
    pairs: SharedPairs,
    ready: Vec<Flow<CncDetection>>,
    detection: Detection,
    knowledge: Arc<Knowledge>,
    gate: Gate,
    held: Held,
    train: bool,
    hub: Option<Hub>,
    epoch: Option<u32>,
    looked: Timestamp,
    last: Option<(Timestamp, ScoringCounts)>,
}

impl Analysis {
    /// One that has seen nothing.
    pub fn new(config: AnalysisConfig) -> Self {
        let AnalysisConfig { detection, knowledge, pairs, gate, held, train, hub } = config;
        Self {
            pairs: SharedPairs::new(pairs),
            ready: Vec::new(),
            detection,
            knowledge: Arc::new(knowledge),
            gate,
            held,
            train,
            hub,
            epoch: None,
            looked: Timestamp::default(),
            last: None,
        }
    }

    /// Takes in flows; `now` is the time at which they came.
    ///
    /// # Errors
    /// When workers cannot be reached any more; without workers, never.
    pub fn take(
        &mut self,
        flows: impl IntoIterator<Item = Flow<CncDetection>>,
        now: Timestamp,
    ) -> Result<(), FlowError> {
        self.pairs.take(flows, now, &mut self.ready);
        self.hand_on()
    }

    /// Halves that wait for each other: receivers join them before the queue, which balances the two halves of the job.
    pub fn pairs(&self) -> SharedPairs {
        self.pairs.clone()
    }

    /// Takes in sessions that were joined already.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_joined(&mut self, sessions: &[Flow<CncDetection>]) -> Result<(), FlowError> {
        hand_on(&mut self.hub, &mut self.detection, sessions)
    }

    /// Passes on halves that waited long enough, and drops what was kept for minutes or hours only.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn expire(&mut self, now: Timestamp) -> Result<(), FlowError> {
        self.pairs.lock().expire(now, &mut self.ready);
        self.hand_on()?;
        if now.since(self.looked).max(self.looked.since(now)) < LOOK_EVERY {
            return Ok(());
        }
        self.looked = now;
        match &mut self.hub {
            Some(hub) => hub.expire(now),
            None => {
                self.detection.expire(now);
                Ok(())
            }
        }
    }

    /// Passes on all halves: nothing more will come.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn finish(&mut self) -> Result<(), FlowError> {
        self.pairs.lock().finish(&mut self.ready);
        self.hand_on()
    }

    /// Drops what is older than it may be once this epoch runs. Tells how many servers went with their last epoch.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn advance(&mut self, epoch: u32) -> Result<u64, FlowError> {
        if self.epoch.replace(epoch).is_none_or(|before| before == epoch) {
            return Ok(0);
        }
        let before = self.detection.servers().counts().expired;
        match &mut self.hub {
            Some(hub) => {
                hub.advance(epoch)?;
                self.detection.replace(hub.gather()?);
            }
            None => self.detection.advance(epoch),
        }
        Ok(self.detection.servers().counts().expired.saturating_sub(before))
    }

    /// What passed to workers; none without them.
    pub fn hub_counts(&self) -> Option<HubCounts> {
        self.hub.as_ref().map(Hub::counts)
    }

    /// The job is over: workers forget what they know.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn release(&mut self) -> Result<(), FlowError> {
        self.hub.as_mut().map_or(Ok(()), Hub::end)
    }

    /// Scores all servers; `loss` is the share of records lost, `is_refuted` says what somebody showed to be wrong.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn score(
        &mut self,
        now: Timestamp,
        loss: f64,
        is_refuted: &dyn Fn(&Endpoint) -> bool,
    ) -> Result<Scored, FlowError> {
        let outcome = self.begin_scoring(now, loss)?.run();
        Ok(self.end_scoring(outcome, is_refuted).0)
    }

    /// All as it is known now, to be scored by somebody else.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn begin_scoring(&mut self, time: Timestamp, loss: f64) -> Result<Task, FlowError> {
        if let Some(hub) = &mut self.hub {
            self.detection.replace(hub.gather()?);
        }
        let (detection, knowledge) = (self.detection.snapshot(), Arc::clone(&self.knowledge));
        Ok(Task { time, loss, detection, knowledge, train: self.train })
    }

    /// Holds what a scoring named. Gives back what was scored as well: freeing that takes a while.
    pub fn end_scoring(&mut self, outcome: Outcome, is_refuted: &dyn Fn(&Endpoint) -> bool) -> (Scored, Detection) {
        let Outcome { time, loss, scoring: Scoring { ranked, counts }, detection, no_model } = outcome;
        self.detection.use_model_of(&detection);
        self.last = Some((time, counts));
        let candidates = ranked.iter().take(CANDIDATES).cloned().collect();
        let knowledge = &self.knowledge;
        let silenced = |at: &Endpoint| knowledge.vouches(at.address, at.port, at.protocol, time) || is_refuted(at);
        let gate = &self.gate;
        let messages = self.held.update(ranked, time, silenced, |finding| verdict(gate, finding, time));
        (Scored { time, messages, candidates, counts, loss, no_model }, detection)
    }

    /// What became of halves.
    pub fn pair_counts(&self) -> PairCounts {
        self.pairs.lock().counts()
    }

    /// What became of sessions.
    pub const fn server_counts(&self) -> ServerCounts {
        self.detection.servers().counts()
    }

    /// What subscribers were seen doing.
    pub const fn watch_counts(&self) -> WatchCounts {
        self.detection.watched()
    }

    /// Servers with a state now.
    pub fn servers(&self) -> usize {
        self.detection.servers().len()
    }

    /// The findings that are held.
    pub(crate) const fn held(&self) -> &Held {
        &self.held
    }

    /// The table of servers; with workers, as they told it last.
    pub(crate) const fn table(&self) -> &Servers {
        self.detection.servers()
    }

    /// Findings held now.
    pub fn findings(&self) -> usize {
        self.held.findings().count()
    }

    /// When the last scoring was, and what became of the servers in it.
    pub const fn last_scoring(&self) -> Option<(Timestamp, ScoringCounts)> {
        self.last
    }

    fn hand_on(&mut self) -> Result<(), FlowError> {
        let told = hand_on(&mut self.hub, &mut self.detection, &self.ready);
        self.ready.clear();
        told
    }
}

fn hand_on(hub: &mut Option<Hub>, detection: &mut Detection, sessions: &[Flow<CncDetection>]) -> Result<(), FlowError> {
    match hub {
        Some(hub) => sessions.iter().try_for_each(|flow| hub.take(*flow)),
        None => {
            sessions.iter().for_each(|flow| detection.take(flow));
            Ok(())
        }
    }
}

/// What the export gate says of a finding now.
fn verdict(gate: &Gate, finding: &Finding, now: Timestamp) -> ExportVerdict {
    let corroboration = finding.fused.seeded.then_some(Corroboration::Seed);
    gate.verdict(&Candidate::of_finding(finding, corroboration), Day::of(now))
}
