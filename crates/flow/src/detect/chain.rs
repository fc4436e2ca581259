//! The order of an infection: asked from outside, a download, a server not met before, a scan.
//!
//! Steps are kept per pseudonym in memory for hours ([`super::watch`]). When a subscriber begins to attack, every
//! server that it first met between the infection's start and now is a candidate; it counts more the more steps are
//! in order, less the more candidates there are, and more when it stands in the chains of several subscribers.

use std::collections::{BTreeSet, HashMap, VecDeque};

use hinomi_model::Timestamp;

use super::statistics::{along, as_f64};
use super::view::ServerView;
use super::{Code, Evidence, World};
use crate::node::portable::portable;
use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};
use crate::server::Answer;

/// Servers that one subscriber met for the first time, remembered with their time.
const MAX_MET: usize = 64;
/// Servers that one subscriber met, remembered by short name, twice.
const MAX_KNOWN: usize = 256;
/// How long they are, twice; and those with their time at most.
const KNOWN_SECONDS: u64 = 2 * 3_600;
/// Servers in chains; more are not remembered.
const MAX_CHAINED: usize = 65_536;
/// Clients remembered of one chained server.
const MAX_CLIENTS: usize = 64;
/// Services on which devices are broken into from outside.
const PROBED: [u16; 14] = [22, 23, 80, 81, 2323, 5358, 5555, 7547, 8080, 8443, 37215, 49152, 52869, 60001];
/// A download of an implant is at least this large.
const DOWNLOAD_BYTES: u64 = 20_000;
/// From the probe to the download, and from the last step to the scan.
const STEP_SECONDS: u64 = 1_800;
/// What so many steps say when one server alone comes into question.
const STEPS: [(f64, f64); 3] = [(2.0, 1.0), (3.0, 2.5), (4.0, 4.2)];

/// What one subscriber met lately.
#[derive(Default)]
pub(crate) struct Steps {
    probe: Option<Timestamp>,
    download: Option<Timestamp>,
    /// The latest that it had not met before, oldest first.
    met: VecDeque<Met>,
    known: Known,
}

/// Who was met in the last hours, by short name. The older half goes when the newer is full or old: so everything is
/// forgotten in time, and what is met again and again stays known.
#[derive(Default)]
struct Known {
    since: Timestamp,
    newer: Vec<u32>,
    older: Vec<u32>,
}

impl Known {
    /// Notes that somebody was met; tells whether for the first time in hours.
    fn note(&mut self, name: u32, now: Timestamp) -> bool {
        if now.since(self.since).as_secs() >= KNOWN_SECONDS || self.newer.len() >= MAX_KNOWN {
            self.older = std::mem::take(&mut self.newer);
            self.since = now;
        }
        if self.newer.contains(&name) {
            return false;
        }
        self.newer.push(name);
        !self.older.contains(&name)
    }
}

/// A server that a subscriber met.
struct Met {
    remote: Remote,
    first: Timestamp,
    /// Something as large as an implant was fetched there: it hands out files, whoever's they are, and commands nobody.
    fetched: bool,
}

/// Candidates of one chain: steps in order, and servers met among them.
pub(crate) struct Before {
    steps: u32,
    servers: Vec<Remote>,
}

impl Steps {
    /// Looks at a flow; `name` is a short name of its remote end, the same whenever it is met.
    pub(crate) fn see(&mut self, flow: &Flow<CncDetection>, name: u32) {
        if !flow.told_by_subscriber {
            let opened = PROBED.contains(&flow.subscriber_port) && Answer::of(flow) == Answer::Data;
            if opened {
                self.probe = Some(flow.start);
            }
            return;
        }
        let fetched = flow.back.is_some_and(|back| back.bytes >= DOWNLOAD_BYTES);
        let after_probe =
            self.probe.is_some_and(|probe| flow.start >= probe && flow.start.since(probe).as_secs() <= STEP_SECONDS);
        if fetched && after_probe {
            self.download = Some(flow.start);
        }
        let is_old = |met: &Met| flow.start.since(met.first).as_secs() > KNOWN_SECONDS;
        while self.met.len() >= MAX_MET || self.met.front().is_some_and(is_old) {
            self.met.pop_front();
        }
        if self.known.note(name, flow.start) {
            self.met.push_back(Met { remote: flow.remote, first: flow.start, fetched });
        } else if fetched && let Some(met) = self.met.iter_mut().find(|met| met.remote == flow.remote) {
            met.fetched = true;
        }
    }

    /// The candidates when an attack begins at that time.
    pub(crate) fn before(&self, attack: Timestamp) -> Before {
        let since = match (self.probe, self.download) {
            (Some(probe), _) if attack.since(probe).as_secs() <= 2 * STEP_SECONDS => probe,
            _ => attack.minus(std::time::Duration::from_secs(STEP_SECONDS)),
        };
        let download = self.download.filter(|time| *time >= since);
        let probe = self.probe.filter(|time| *time >= since);
        let steps = 2 + u32::from(probe.is_some()) + u32::from(download.is_some());
        // Of what a scan itself touches, the last seconds are the scan's.
        let until = attack.minus(std::time::Duration::from_secs(5));
        let candidate = |met: &&Met| !met.fetched && met.first >= since && met.first <= until;
        Before { steps, servers: self.met.iter().filter(candidate).map(|met| met.remote).collect() }
    }
}

/// One server in chains of subscribers.
#[derive(Clone, Default)]
struct Chained {
    clients: BTreeSet<Pseudonym>,
    /// Best ratio of one chain.
    ratio: f64,
    steps: u32,
}

portable!(Chained { clients, ratio, steps });

/// All servers in chains.
#[derive(Clone, Default)]
pub(crate) struct Chains {
    servers: HashMap<Remote, Chained>,
}

portable!(Chains { servers });

impl Chains {
    /// Takes in the candidates of a subscriber that began to attack.
    pub(crate) fn take(&mut self, client: Pseudonym, before: Before, _attack: Timestamp) {
        let share = as_f64(before.servers.len().max(1)).ln();
        let ratio = (along(&STEPS, f64::from(before.steps)) - share * 0.7).max(0.0);
        for remote in before.servers {
            if self.servers.len() >= MAX_CHAINED && !self.servers.contains_key(&remote) {
                continue;
            }
            let chained = self.servers.entry(remote).or_default();
            if chained.clients.len() < MAX_CLIENTS {
                chained.clients.insert(client);
            }
            chained.ratio = chained.ratio.max(ratio);
            chained.steps = chained.steps.max(before.steps);
        }
    }

    /// Takes in what other subscribers' chains say.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (remote, theirs) in other.servers {
            let mine = self.servers.entry(remote).or_default();
            mine.clients.extend(theirs.clients);
            mine.ratio = mine.ratio.max(theirs.ratio);
            mine.steps = mine.steps.max(theirs.steps);
            while mine.clients.len() > MAX_CLIENTS {
                mine.clients.pop_last();
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.servers.clear();
    }
}

/// What chains say of a server.
pub(crate) fn look(server: &ServerView, world: &World) -> Option<Evidence> {
    let chained = world.watch.chains().servers.get(&server.remote)?;
    let clients = as_f64(chained.clients.len());
    // What stands in many chains is what everybody meets, unless most of its clients are in chains.
    let part = clients / as_f64(usize::try_from(server.clients.max(1)).unwrap_or(usize::MAX));
    let several = along(&[(1.0, 0.0), (2.0, 1.0), (5.0, 2.5)], clients);
    let ratio = (chained.ratio + several) * along(&[(0.1, 0.0), (0.5, 1.0)], part);
    let values = [("stages", f64::from(chained.steps)), ("clients", clients)];
    (ratio > 0.0).then(|| Evidence::new(Code::ChainOrder, ratio.min(5.0), &values))
}

#[cfg(test)]
mod tests;
