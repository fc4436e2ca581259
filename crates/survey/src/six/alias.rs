//! Aliased prefixes: every address in them answers, for one machine or middlebox has them all.
//!
//! One such /64 in a list is 2^64 hosts that are one, and what a survey of it finds says nothing (Gasser et al.,
//! "Clusters in the Expanse", 2018, whose test this follows). Before a campaign visits its list, each prefix in which
//! the list is crowded ([`crowd`]) is asked at addresses of chance, one in each of its 16 parts. Real hosts do not sit
//! there.
//!
//! - Three are asked first. If none is open the next port is tried, or the prefix is an ordinary one: most are, and
//!   cost three packets.
//! - Then the other thirteen. Those that were silent are asked once more after [`Config::spacing`](crate::Config),
//!   since packets get lost.
//! - It is aliased when all are open but one at most, and none said that nothing is there.
//!
//! So a prefix is asked [`MAX_ASKED`] times at most. Of an aliased prefix the lowest address of the list that has not
//! opted out is visited, for all of them; the others are not asked at all. An answer is an open port: a firewall that resets everything makes
//! no alias. What fails on this machine is tested again, [`MAX_FAILURES`] times at most. Prefixes of which fewer than [`ENOUGH`] parts lie in the scope are not tested.
//!
//! It is a leg of its own in front of the others ([`Prelude`]), a position a prefix, so it needs no engine of its own,
//! goes before frames as before connections, and is resumed as they are: a prefix is settled together with its verdict,
//! in one step of the store. A share of a job tests those prefixes in which it has targets itself. It cannot leave them to
//! the others: what they find it does not hear of before its own targets are due. As a judge of answers it would come too late: a list of frames is out before the first
//! verdict.

mod crowd;
mod prefixes;
mod test;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hinomi_model::Transport;
use hinomi_model::address::{bounds, to_u128};
use hinomi_model::scope::Scope;
use ipnet::{IpNet, Ipv6Net};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use self::crowd::{Suspect, suspects};
use self::test::{Ask, Inquiry, Later, PARTS, draw, is_aliased};
use super::inside::Inside;
use crate::campaign::{Progress, Survey};
use crate::engine::{ConnectEngine, Passed, Tidings};
use crate::scope::Door;
use crate::sweep::List;

pub use prefixes::AliasedPrefixes;
pub use test::{ENOUGH, MAX_ASKED};

/// The most aliased prefixes that a campaign remembers; of further ones all addresses are visited.
pub const MAX_ALIASED: usize = 4_096;

/// Targets of a prefix among which one is looked for that has not opted out.
const MAX_LOOKED_AT: usize = 1 << 16;

/// Prefixes that are tested at the same time, if so many connections may be open.
const AT_ONCE: usize = 32;

/// A prefix whose test fails so often, by this machine or the network, is taken for an ordinary one and counted.
const MAX_FAILURES: u32 = 5;

/// Hosts that nobody is connected to are forgotten after so many prefixes.
const SWEEP_EVERY: u64 = 64;

/// Ports at which one machine for many addresses is likeliest to be open.
const LIKELY: [(Transport, u16); 10] = [
    (Transport::Tcp, 443),
    (Transport::Tcp, 80),
    (Transport::Tcp, 22),
    (Transport::Tcp, 8443),
    (Transport::Tcp, 8080),
    (Transport::Tcp, 25),
    (Transport::Tcp, 53),
    (Transport::Tcp, 7547),
    (Transport::Udp, 53),
    (Transport::Udp, 443),
];

/// Ports that are asked.
const MAX_PORTS: usize = 2;

/// How many prefixes a campaign tests before it visits this list.
pub fn tests_before(list: &List, scope: &Scope, seed: u64) -> u64 {
    Prelude::of(list, scope, seed).map_or(0, |prelude| prelude.len())
}

/// The tests before a list. See the module.
#[derive(Debug)]
pub(crate) struct Prelude {
    list: List,
    suspects: Vec<Suspect>,
    /// The places of those in which this share of the job has a target; none is all.
    own: Option<HashSet<u64>>,
    left_out: u64,
    ports: Vec<(Transport, u16)>,
    inside: Inside,
    seed: u64,
    /// What was found, each with the address of the list that stands for it, if one may be asked.
    found: Mutex<AliasedPrefixes>,
    /// Aliased prefixes beyond what is remembered.
    forgotten: AtomicU64,
    /// Prefixes whose test failed each time.
    untested: AtomicU64,
    settled: Arc<OnceLock<AliasedPrefixes>>,
}

impl Prelude {
    /// The tests that this list calls for; none where nothing is crowded.
    pub(crate) fn of(list: &List, scope: &Scope, seed: u64) -> Option<Self> {
        let inside = Inside::of(scope, &[]);
        let mut asked = Vec::new();
        let addresses = list.iter().filter(|key| key.address.is_ipv6()).map(|key| {
            note_port(&mut asked, (key.transport, key.port));
            key.address
        });
        let (mut suspects, left_out) = suspects(addresses, seed);
        let left_out = left_out as u64;
        suspects.retain(|suspect| draw(suspect.prefix, &inside, seed).len() >= ENOUGH);
        if suspects.is_empty() {
            return None;
        }
        let ports = likeliest(&asked);
        Some(Self {
            list: list.clone(),
            suspects,
            own: None,
            left_out,
            ports,
            inside,
            seed,
            found: Mutex::default(),
            forgotten: AtomicU64::default(),
            untested: AtomicU64::default(),
            settled: Arc::default(),
        })
    }

    /// Keeps a share of a job to the prefixes in which its own targets lie: of others it asks nothing, so it needs no
    /// verdict. The positions stay those of all prefixes.
    pub(crate) fn keep_to(&mut self, targets: impl Iterator<Item = IpAddr>) {
        let places: HashMap<Ipv6Net, u64> = self.suspects.iter().map(|suspect| suspect.prefix).zip(0..).collect();
        let mut own = HashSet::new();
        for address in targets {
            let IpAddr::V6(address) = address else { continue };
            let around = crowd::LEVELS.into_iter().filter_map(|level| Ipv6Net::new(address, level).ok());
            own.extend(around.filter_map(|prefix| places.get(&prefix.trunc())));
        }
        self.own = Some(own);
    }

    fn is_own(&self, position: u64) -> bool {
        self.own.as_ref().is_none_or(|own| own.contains(&position))
    }

    /// How many prefixes are tested.
    pub(crate) fn tests(&self) -> u64 {
        self.own.as_ref().map_or(self.len(), |own| own.len() as u64)
    }

    /// How many prefixes are crowded; so many positions it has.
    pub(crate) const fn len(&self) -> u64 {
        self.suspects.len() as u64
    }

    /// Prefixes that are crowded, and too many to be tested.
    pub(crate) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Aliased prefixes that are not remembered: their addresses are visited.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten.load(Relaxed)
    }

    /// Prefixes whose test failed each time: their addresses are visited.
    pub(crate) fn untested(&self) -> u64 {
        self.untested.load(Relaxed)
    }

    /// What the legs behind it leave out, once all is settled.
    pub(crate) fn shunned(&self) -> Arc<OnceLock<AliasedPrefixes>> {
        Arc::clone(&self.settled)
    }

    /// The aliased prefixes that were found until now, sorted, the widest only.
    pub(crate) fn aliased(&self) -> Vec<Ipv6Net> {
        self.lock().iter().collect()
    }

    /// Takes up what an earlier run found.
    pub(crate) fn remember(&self, aliased: Vec<Ipv6Net>, door: &Door) {
        let aliased: HashSet<Ipv6Net> = aliased.into_iter().take(MAX_ALIASED).collect();
        let mut found = self.lock();
        for suspect in self.suspects.iter().filter(|suspect| aliased.contains(&suspect.prefix)) {
            found.add(suspect.prefix, self.representative(suspect.prefix, door));
        }
    }

    /// Tests what is not done, and what cannot be tested now again later; true when nothing is left to test, false when
    /// it is told to stop, the scope has ended or nobody listens. `tidings` hears of every prefix that is settled.
    pub(crate) async fn run(
        self: &Arc<Self>,
        survey: &Survey,
        done: &Progress,
        tidings: &mpsc::Sender<Tidings>,
        stop: &watch::Receiver<bool>,
    ) -> bool {
        let at_once = (survey.config.concurrency / PARTS).clamp(1, AT_ONCE);
        let slots = Arc::new(Semaphore::new(at_once));
        let engine = Arc::new(ConnectEngine::asking_once(&survey.door, &survey.pace, &survey.config));
        let inquiry = Inquiry::new(engine, stop.clone(), survey.config.spacing);
        let positions = (0..self.len()).filter(|position| !done.contains(*position));
        let mut left: Vec<Trial> = positions.map(|position| Trial { position, failures: 0 }).collect();
        while !left.is_empty() {
            let Some(again) = self.round(&left, &inquiry, survey, &slots, tidings).await else { return false };
            if !again.is_empty() {
                inquiry.pause().await;
            }
            left = again;
        }
        // Set before only where this run began with everything settled.
        let _ = self.settled.set(self.lock().clone());
        true
    }

    /// Tests these once; those that are to be tested again, or nothing when all is to stop.
    async fn round(
        self: &Arc<Self>,
        trials: &[Trial],
        inquiry: &Inquiry,
        survey: &Survey,
        slots: &Arc<Semaphore>,
        tidings: &mpsc::Sender<Tidings>,
    ) -> Option<Vec<Trial>> {
        let (mut tests, mut again) = (JoinSet::new(), Vec::new());
        for trial in trials.iter().copied() {
            while let Some(test) = tests.try_join_next() {
                again.extend(test.ok()?);
            }
            if trial.position % SWEEP_EVERY == 0 {
                survey.pace.sweep();
            }
            if !inquiry.may_go_on().await || tidings.is_closed() {
                return finished_anyway(tests).await;
            }
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            let (prelude, inquiry, tidings) = (Arc::clone(self), inquiry.clone(), tidings.clone());
            tests.spawn(async move {
                let later = prelude.try_once(trial, &inquiry, &tidings).await;
                drop(slot);
                later
            });
        }
        while let Some(test) = tests.join_next().await {
            again.extend(test.ok()?);
        }
        Some(again)
    }

    /// Tests one prefix and tells when it is settled; gives it back when it is to be tested again.
    async fn try_once(&self, trial: Trial, inquiry: &Inquiry, tidings: &mpsc::Sender<Tidings>) -> Option<Trial> {
        let suspect = self.suspects.get(usize::try_from(trial.position).ok()?)?;
        let tested = if self.is_own(trial.position) { self.test(suspect, inquiry).await } else { Ok(()) };
        match tested {
            Ok(()) => {}
            Err(Later::Closed) => return Some(trial),
            Err(Later::Failed) if trial.failures + 1 < MAX_FAILURES => {
                return Some(Trial { failures: trial.failures + 1, ..trial });
            }
            Err(Later::Failed) => drop(self.untested.fetch_add(1, Relaxed)),
        }
        let passed = Passed { positions: trial.position..trial.position + 1, except: Vec::new(), visits: 0 };
        // Nobody takes it: seen at the next turn.
        tidings.send(Tidings::Passed(passed)).await.is_err().then_some(trial)
    }

    /// Settles one prefix; what is found is noted before anybody is told.
    async fn test(&self, suspect: &Suspect, inquiry: &Inquiry) -> Result<(), Later> {
        if self.lock().cover(suspect.prefix) {
            return Ok(());
        }
        let addresses = draw(suspect.prefix, &self.inside, self.seed);
        if is_aliased(&addresses, &self.ports, inquiry).await? {
            let representative = self.representative(suspect.prefix, inquiry.door());
            let mut found = self.lock();
            match found.len() < MAX_ALIASED {
                true => found.add(suspect.prefix, representative),
                false => drop(self.forgotten.fetch_add(1, Relaxed)),
            }
        }
        Ok(())
    }

    /// The lowest address of the list in a prefix that has not opted out: it stands for all.
    fn representative(&self, prefix: Ipv6Net, door: &Door) -> Option<u128> {
        let (first, last) = bounds(IpNet::V6(prefix));
        let mut listed = self.list.addresses_in(first, last).take(MAX_LOOKED_AT);
        listed.find(|address| door.permits_address(*address)).map(to_u128)
    }

    fn lock(&self) -> MutexGuard<'_, AliasedPrefixes> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets tests that were begun come to their end when no more are begun.
async fn finished_anyway(mut tests: JoinSet<Option<Trial>>) -> Option<Vec<Trial>> {
    while tests.join_next().await.is_some() {}
    None
}

/// A prefix that is to be tested: the place of its suspect, and how often its test failed.
#[derive(Clone, Copy, Debug)]
struct Trial {
    position: u64,
    failures: u32,
}

/// Whether a leg leaves this address out.
pub(crate) fn is_shunned(shunned: &OnceLock<AliasedPrefixes>, address: IpAddr) -> bool {
    shunned.get().is_some_and(|aliased| aliased.shun(address))
}

/// Remembers the ports that matter here: those that are likely, and the first few others.
fn note_port(asked: &mut Vec<(Transport, u16)>, port: (Transport, u16)) {
    let others = asked.iter().filter(|known| !LIKELY.contains(known)).count();
    if (LIKELY.contains(&port) || others < MAX_PORTS) && !asked.contains(&port) {
        asked.push(port);
    }
}

fn likeliest(asked: &[(Transport, u16)]) -> Vec<(Transport, u16)> {
    let likely = LIKELY.iter().filter(|port| asked.contains(port));
    let others = asked.iter().filter(|port| !LIKELY.contains(port));
    likely.chain(others).take(MAX_PORTS).copied().collect()
}
