//! Flows in, scored servers out: the detectors' own state beside the table of servers.

use std::io::BufRead;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::Timestamp;
use serde::Serialize;

use super::model::{self, Model, NoModel, Sample};
use super::seeds::SeedBook;
use super::view::ServerView;
use super::watch::{Removed, Watch, WatchCounts};
use super::{Evidence, World, look};
use crate::finding::{Endpoint, Finding, Visibility};
use crate::fuse::fuse;
use crate::node::Gathered;
use crate::purpose::{CncDetection, Flow};
use crate::server::{Server, ServerConfig, Servers};

/// One scored endpoint in two thousand is taken to be a C&C server before anything is seen. Scored are servers of
/// several clients that nobody scanned or flooded and no knowledge vouches for: what is left of a carrier's servers
/// after that is small, and this is an assumption that every finding states and an operator may change.
pub const BASE_RATE: f64 = 5e-4;

/// What became of the servers of a scoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScoringCounts {
    /// Servers with a state.
    pub servers: u64,
    /// Left out: subscribers scanned them.
    pub scanned: u64,
    /// Left out: subscribers flooded them.
    pub flooded: u64,
    /// Left out: answers to packets with forged sources.
    pub backscatter: u64,
    /// Left out: maintained knowledge vouches for them.
    pub suppressed: u64,
    /// Scored.
    pub scored: u64,
}

/// A whole scoring.
#[derive(Clone, Debug)]
pub struct Scoring {
    /// Every server that anything speaks for, the likeliest first.
    pub ranked: Vec<Finding>,
    /// What became of the rest.
    pub counts: ScoringCounts,
}

/// Servers, subscribers' doings, seeds and the model.
pub struct Detection {
    servers: Servers,
    watch: Watch,
    seeds: Arc<SeedBook>,
    model: Option<Arc<Model>>,
    base_rate: f64,
}

impl Detection {
    /// A detection that has seen nothing.
    pub fn new(config: ServerConfig) -> Self {
        let (watch, seeds) = (Watch::new(config.subscribers_watched), Arc::default());
        Self { servers: Servers::new(config), watch, seeds, model: None, base_rate: BASE_RATE }
    }

    /// With another base rate, for a network that is known to be cleaner or worse.
    #[must_use]
    pub fn with_base_rate(self, base_rate: f64) -> Self {
        Self { base_rate, ..self }
    }

    /// Takes in a list of known endpoints; they are admitted to the table from their first flow on.
    ///
    /// # Errors
    /// When the list cannot be read on.
    pub fn read_seeds(
        &mut self,
        name: &str,
        told: Option<Timestamp>,
        source: impl BufRead,
    ) -> Result<(), std::io::Error> {
        Arc::make_mut(&mut self.seeds).read(name, told, source)?;
        for (address, port) in self.seeds.endpoints() {
            self.servers.seed(address, port);
        }
        Ok(())
    }

    /// The known endpoints.
    pub fn seeds(&self) -> &SeedBook {
        &self.seeds
    }

    /// The table of servers.
    pub const fn servers(&self) -> &Servers {
        &self.servers
    }

    /// What subscribers were seen doing.
    pub const fn watched(&self) -> WatchCounts {
        self.watch.counts()
    }

    /// Takes in one whole session.
    pub fn take(&mut self, flow: &Flow<CncDetection>) {
        self.watch.see(flow);
        self.servers.take(flow);
    }

    /// Drops what was kept for minutes or hours only, now that it is so late.
    pub fn expire(&mut self, now: Timestamp) {
        self.servers.expire(now);
        self.watch.expire(now);
    }

    /// Takes the place of what was known by what all workers of the job know together.
    pub(crate) fn replace(&mut self, gathered: Gathered) {
        (self.servers, self.watch) = (gathered.servers, gathered.watch);
    }

    /// Drops what is older than it may be, now that this epoch runs.
    pub fn advance(&mut self, epoch: u32) {
        self.servers.advance(epoch);
        self.watch.advance(epoch);
    }

    /// As [`advance`](Self::advance), for a replay that is scored once at its end: what subscribers did stays known.
    pub(crate) fn servers_advance(&mut self, epoch: u32) {
        self.servers.advance(epoch);
    }

    /// As [`expire`](Self::expire), for such a replay.
    pub(crate) fn servers_expire(&mut self, now: Timestamp) {
        self.servers.expire(now);
    }

    /// Uses a stored model, if it is one of this program's.
    pub fn use_model(&mut self, model: Model) -> bool {
        let fits = model.fits();
        self.model = fits.then(|| Arc::new(model));
        fits
    }

    /// Makes a model of what was seen and of the lists, or says why not; the old one stays then.
    ///
    /// # Errors
    /// When there is too little to learn from, or nothing to be learnt.
    pub fn train(&mut self) -> Result<&Model, NoModel> {
        let samples: Vec<Sample> = self.servers.sorted().into_iter().filter_map(|server| self.sample(server)).collect();
        Ok(self.model.insert(Arc::new(model::train(&samples)?)))
    }

    /// What is known now, to be scored elsewhere: nothing that comes later changes it.
    pub(crate) fn snapshot(&self) -> Self {
        let mut watch = Watch::new(0);
        watch.absorb(self.watch.doings());
        Self {
            servers: self.servers.snapshot(),
            watch,
            seeds: Arc::clone(&self.seeds),
            model: self.model.clone(),
            base_rate: self.base_rate,
        }
    }

    /// Uses the model that a snapshot made for itself.
    pub(crate) fn use_model_of(&mut self, snapshot: &Self) {
        self.model.clone_from(&snapshot.model);
    }

    fn sample(&self, server: &Server) -> Option<Sample> {
        let view = ServerView::of(server, 0.0);
        let is_removed = self.watch.removed(view.remote, view.total.contacts, view.contacts_each()).is_some();
        let family = self.seeds.family(view.remote.address, view.remote.port);
        (!is_removed).then(|| Sample { features: model::features_of(&view), family, seed: view.seed() })
    }

    /// Scores every server. `loss` is the share of records lost, `suppressed` says whether knowledge vouches for an
    /// endpoint.
    pub fn score(&self, now: Timestamp, loss: f64, suppressed: impl Fn(IpAddr, u16, u8) -> bool) -> Scoring {
        let world = World::new(now, &self.servers, &self.seeds, &self.watch, self.model.as_deref());
        let mut counts = ScoringCounts::default();
        let mut ranked = Vec::new();
        for server in self.servers.sorted() {
            counts.servers = counts.servers.saturating_add(1);
            let view = ServerView::of(server, loss);
            if let Some(why) = self.removed(&view, &suppressed) {
                counts.remove(why);
                continue;
            }
            counts.scored = counts.scored.saturating_add(1);
            let finding = self.judge(&view, &world);
            if !finding.reasons.is_empty() {
                ranked.push(finding);
            }
        }
        ranked.sort_by(|one, other| {
            other.fused.log_odds.total_cmp(&one.fused.log_odds).then(one.endpoint.cmp(&other.endpoint))
        });
        Scoring { ranked, counts }
    }

    fn removed(&self, view: &ServerView, suppressed: impl Fn(IpAddr, u16, u8) -> bool) -> Option<Removed> {
        let remote = view.remote;
        if suppressed(remote.address, remote.port, remote.protocol) {
            return Some(Removed::Suppressed);
        }
        // What a list names stays, whatever subscribers did to it: bots do scan and flood each other's servers.
        if self.seeds.names(remote.address, remote.port) {
            return None;
        }
        self.watch.removed(remote, view.total.contacts, view.contacts_each())
    }

    fn judge(&self, view: &ServerView, world: &World) -> Finding {
        let evidence = look(view, world);
        let fused = fuse(self.base_rate, &evidence);
        let (mut reasons, mut counter_evidence): (Vec<Evidence>, Vec<Evidence>) =
            evidence.into_iter().partition(|reason| reason.log_likelihood_ratio > 0.0);
        reasons.sort_by(|one, other| other.log_likelihood_ratio.total_cmp(&one.log_likelihood_ratio));
        counter_evidence.sort_by(|one, other| one.log_likelihood_ratio.total_cmp(&other.log_likelihood_ratio));
        let endpoint =
            Endpoint { address: view.remote.address, port: view.remote.port, protocol: view.remote.protocol };
        Finding {
            endpoint,
            time: world.now,
            confidence: fused.confidence(),
            base_rate: self.base_rate,
            epochs: view.epochs,
            clients: view.clients,
            visibility: self.visibility(view, world, fused.confidence()),
            refuted_by: Finding::refutations(&reasons),
            fused,
            reasons,
            counter_evidence,
        }
    }

    /// The same evidence once more, as if every packet had been seen.
    fn visibility(&self, view: &ServerView, world: &World, confidence: f64) -> Visibility {
        let seen = view.seen;
        let is_whole = seen.sampling == 1 && seen.loss <= 0.0;
        let ideal = || fuse(self.base_rate, &look(&view.as_if_all_seen(), world)).confidence();
        Visibility {
            sampling: seen.sampling,
            sampling_unknown: seen.sampling_unknown,
            loss: seen.loss,
            confidence_if_all_seen: if is_whole { confidence } else { ideal() },
        }
    }
}

impl ScoringCounts {
    const fn remove(&mut self, why: Removed) {
        let count = match why {
            Removed::Scanned => &mut self.scanned,
            Removed::Flooded => &mut self.flooded,
            Removed::Backscatter => &mut self.backscatter,
            Removed::Suppressed => &mut self.suppressed,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
