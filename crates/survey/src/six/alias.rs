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
//! So a prefix is asked [`MAX_ASKED`] times at most. Of an aliased prefix the lowest address of the list is visited,
//! for all of them; the others are not asked at all. An answer is an open port: a firewall that resets everything makes
//! no alias. Prefixes of which fewer than [`ENOUGH`] parts lie in the scope are not tested.
//!
//! It is a leg of its own in front of the others ([`Prelude`]), a position a prefix, so it needs no engine of its own,
//! goes before frames as before connections, and is resumed as they are: a prefix is settled together with its verdict,
//! in one step of the store. As a judge of answers it would come too late: a list of frames is out before the first
//! verdict.

mod crowd;
mod prefixes;
mod test;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hinomi_model::scope::Scope;
use hinomi_model::{ServiceKey, Transport};
use ipnet::Ipv6Net;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use self::crowd::{Suspect, suspects};
use self::test::{Inquiry, Later, PARTS, draw, is_aliased};
use super::inside::Inside;
use crate::campaign::{Progress, Survey};
use crate::engine::{ConnectEngine, Passed, Tidings};
use crate::sweep::List;

pub use prefixes::AliasedPrefixes;
pub use test::{ENOUGH, MAX_ASKED};

/// The most aliased prefixes that a campaign remembers; of further ones all addresses are visited.
pub const MAX_ALIASED: usize = 4_096;

/// Prefixes that are tested at the same time, if so many connections may be open.
const AT_ONCE: usize = 32;

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
    Prelude::of(list.iter(), scope, seed).map_or(0, |prelude| prelude.len())
}

/// The tests before a list. See the module.
#[derive(Debug)]
pub(crate) struct Prelude {
    suspects: Vec<Suspect>,
    left_out: u64,
    ports: Vec<(Transport, u16)>,
    inside: Inside,
    seed: u64,
    /// What was found, each with the address of the list that stands for it.
    found: Mutex<AliasedPrefixes>,
    /// Aliased prefixes beyond what is remembered.
    forgotten: AtomicU64,
    settled: Arc<OnceLock<AliasedPrefixes>>,
}

impl Prelude {
    /// The tests that these targets, sorted by address, call for; none where nothing is crowded.
    pub(crate) fn of(targets: impl Iterator<Item = ServiceKey>, scope: &Scope, seed: u64) -> Option<Self> {
        let inside = Inside::of(scope, &[]);
        let mut asked = Vec::new();
        let addresses = targets.filter(|key| key.address.is_ipv6()).map(|key| {
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
        let (found, forgotten, settled) = (Mutex::default(), AtomicU64::default(), Arc::default());
        Some(Self { suspects, left_out, ports, inside, seed, found, forgotten, settled })
    }

    /// How many prefixes are tested; so many positions it has.
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

    /// What the legs behind it leave out, once all is settled.
    pub(crate) fn shunned(&self) -> Arc<OnceLock<AliasedPrefixes>> {
        Arc::clone(&self.settled)
    }

    /// The aliased prefixes that were found until now, sorted, the widest only.
    pub(crate) fn aliased(&self) -> Vec<Ipv6Net> {
        self.lock().iter().collect()
    }

    /// Takes up what an earlier run found.
    pub(crate) fn remember(&self, aliased: Vec<Ipv6Net>) {
        let aliased: HashSet<Ipv6Net> = aliased.into_iter().take(MAX_ALIASED).collect();
        let mut found = self.lock();
        for suspect in self.suspects.iter().filter(|suspect| aliased.contains(&suspect.prefix)) {
            found.add(suspect.prefix, Some(suspect.representative));
        }
    }

    /// Tests what is not done; true when nothing is left to test. `tidings` hears of every prefix that is settled.
    pub(crate) async fn run(
        self: &Arc<Self>,
        survey: &Survey,
        done: &Progress,
        tidings: &mpsc::Sender<Tidings>,
        stop: &watch::Receiver<bool>,
    ) -> bool {
        let at_once = (survey.config.concurrency / PARTS).clamp(1, AT_ONCE);
        let (slots, mut tests) = (Arc::new(Semaphore::new(at_once)), JoinSet::new());
        let engine = Arc::new(ConnectEngine::asking_once(&survey.door, &survey.pace, &survey.config));
        let mut complete = true;
        for (position, suspect) in (0..).zip(&self.suspects).filter(|(position, _)| !done.contains(*position)) {
            while tests.try_join_next().is_some_and(|test| ended(test, &mut complete)) {}
            if position % SWEEP_EVERY == 0 {
                survey.pace.sweep();
            }
            let open = engine.is_open_or_waits(stop.clone()).await && !tidings.is_closed();
            let slot = if open { Arc::clone(&slots).acquire_owned().await.ok() } else { None };
            let Some(slot) = slot else {
                complete = false;
                break;
            };
            let inquiry = Inquiry::new(Arc::clone(&engine), stop.clone(), survey.config.spacing);
            let (prelude, suspect, tidings) = (Arc::clone(self), suspect.clone(), tidings.clone());
            tests.spawn(async move {
                let settled = prelude.test(&suspect, &inquiry).await;
                drop(slot);
                let passed = Passed { positions: position..position + 1, except: Vec::new(), visits: 0 };
                settled.is_ok() && tidings.send(Tidings::Passed(passed)).await.is_ok()
            });
        }
        while let Some(test) = tests.join_next().await {
            ended(test, &mut complete);
        }
        if complete {
            // Set before only where this run began with everything settled.
            let _ = self.settled.set(self.lock().clone());
        }
        complete
    }

    /// Settles one prefix; what is found is noted before anybody is told.
    async fn test(&self, suspect: &Suspect, inquiry: &Inquiry) -> Result<(), Later> {
        if self.lock().cover(suspect.prefix) {
            return Ok(());
        }
        let addresses = draw(suspect.prefix, &self.inside, self.seed);
        if is_aliased(&addresses, &self.ports, inquiry).await? {
            let mut found = self.lock();
            match found.len() < MAX_ALIASED {
                true => found.add(suspect.prefix, Some(suspect.representative)),
                false => drop(self.forgotten.fetch_add(1, Relaxed)),
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, AliasedPrefixes> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes whether a test settled its prefix; true, so that others are looked at.
fn ended(test: Result<bool, tokio::task::JoinError>, complete: &mut bool) -> bool {
    *complete &= test.unwrap_or(false);
    true
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
