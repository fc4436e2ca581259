//! The second half of the job: flows of pseudonyms in, messages about findings out.

use hinomi_model::Timestamp;

use crate::detect::detection::{Detection, Scoring, ScoringCounts};
use crate::detect::watch::WatchCounts;
use crate::export::gate::{Candidate, Corroboration, Gate};
use crate::export::Day;
use crate::finding::{Endpoint, ExportVerdict, Finding, Held, Message};
use crate::pair::{PairConfig, PairCounts, Pairs};
use crate::purpose::{CncDetection, Flow};
use crate::server::{ServerCounts, Servers};
use crate::suppress::Knowledge;

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
    pairs: Pairs,
    ready: Vec<Flow<CncDetection>>,
    detection: Detection,
    knowledge: Knowledge,
    gate: Gate,
    held: Held,
    train: bool,
    epoch: Option<u32>,
    last: Option<(Timestamp, ScoringCounts)>,
}

impl Analysis {
    /// One that has seen nothing.
    pub fn new(config: AnalysisConfig) -> Self {
        let AnalysisConfig { detection, knowledge, pairs, gate, held, train } = config;
        Self {
            pairs: Pairs::new(pairs),
            ready: Vec::new(),
            detection,
            knowledge,
            gate,
            held,
            train,
            epoch: None,
            last: None,
        }
    }

    /// Takes in flows; `now` is the time at which they came.
    pub fn take(&mut self, flows: impl IntoIterator<Item = Flow<CncDetection>>, now: Timestamp) {
        for flow in flows {
            self.pairs.take(flow, now, &mut self.ready);
        }
        self.hand_on();
    }

    /// Passes on halves that waited long enough.
    pub fn expire(&mut self, now: Timestamp) {
        self.pairs.expire(now, &mut self.ready);
        self.hand_on();
    }

    /// Passes on all halves: nothing more will come.
    pub fn finish(&mut self) {
        self.pairs.finish(&mut self.ready);
        self.hand_on();
    }

    /// Drops what is older than it may be once this epoch runs. Tells how many servers went with their last epoch.
    pub fn advance(&mut self, epoch: u32) -> u64 {
        if self.epoch.replace(epoch).is_none_or(|before| before == epoch) {
            return 0;
        }
        let before = self.detection.servers().counts().expired;
        self.detection.advance(epoch);
        self.detection.servers().counts().expired.saturating_sub(before)
    }

    /// Scores all servers; `loss` is the share of records that did not arrive, `is_refuted` says what somebody showed
    /// to be wrong.
    pub fn score(&mut self, now: Timestamp, loss: f64, is_refuted: &dyn Fn(&Endpoint) -> bool) -> Scored {
        let no_model = self.train.then(|| self.detection.train().err().map(|reason| reason.to_string())).flatten();
        let knowledge = &self.knowledge;
        let vouched = |address, port, protocol| knowledge.vouches(address, port, protocol, now);
        let Scoring { ranked, counts } = self.detection.score(now, loss, vouched);
        self.last = Some((now, counts));
        let candidates = ranked.iter().take(CANDIDATES).cloned().collect();
        let silenced = |at: &Endpoint| vouched(at.address, at.port, at.protocol) || is_refuted(at);
        let (gate, servers) = (&self.gate, self.detection.servers());
        let verdict = |finding: &Finding| verdict(gate, servers, finding, now);
        let messages = self.held.update(ranked, now, silenced, verdict);
        Scored { time: now, messages, candidates, counts, loss, no_model }
    }

    /// What became of halves.
    pub const fn pair_counts(&self) -> PairCounts {
        self.pairs.counts()
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

    /// Findings held now.
    pub fn findings(&self) -> usize {
        self.held.findings().count()
    }

    /// When the last scoring was, and what became of the servers in it.
    pub const fn last_scoring(&self) -> Option<(Timestamp, ScoringCounts)> {
        self.last
    }

    fn hand_on(&mut self) {
        for flow in self.ready.drain(..) {
            self.detection.take(flow);
        }
    }
}

/// What the export gate says of a finding now.
fn verdict(gate: &Gate, servers: &Servers, finding: &Finding, now: Timestamp) -> ExportVerdict {
    let Endpoint { address, port, protocol } = finding.endpoint;
    let corroboration = finding.fused.seeded.then_some(Corroboration::Seed);
    let candidate = match servers.get(address, port, protocol) {
        Some(server) => Candidate::of(server, finding.confidence, corroboration),
        None => Candidate::of_finding(finding, corroboration),
    };
    gate.verdict(&candidate, Day::of(now))
}
