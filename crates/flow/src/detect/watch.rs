//! What each subscriber does over minutes: scans, floods, an infection's steps. It feeds three detectors and takes
//! out of the evidence what is no server's doing.
//!
//! ```text
//!   flow -> Watch::see -> onset of a scan or flood      -> synchrony
//!                      -> endpoints met before a scan   -> chain
//!                      -> scanned, flooded, backscatter -> removed before scoring, and counted
//! ```
//!
//! State is per pseudonym, lives [`MEMORY_SECONDS`] after it was last added to, and every list in it has a bound.

mod doings;
mod few;
mod marks;
mod subscriber;

use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;

use hinomi_model::Timestamp;

use super::chain::Chains;
use crate::hash::FastMap;
use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};

pub(crate) use doings::Doings;
use marks::{Swept, has_room};
use subscriber::{Subscriber, Verdict, WORM_PORTS};

/// Subscribers that are watched at once by default. Where there are more, those with the smallest pseudonyms are: a
/// uniform sample, infected ones first, and the same whatever the order in which they come.
pub const MAX_SUBSCRIBERS: usize = 131_072;
/// Onsets kept.
pub const MAX_ONSETS: usize = 65_536;
/// Endpoints remembered as scanned, flooded or backscatter; more are counted only.
pub const MAX_REMOVED: usize = 262_144;
/// What was scanned, flooded or reflected stays known for as many epochs as servers are by default: the contacts that
/// it explains are in their sums for so long.
const EPOCHS_REMEMBERED: u32 = 8;
/// What a subscriber did is forgotten after so long.
const MEMORY_SECONDS: u64 = 4 * 3_600;
/// How often is looked for those of whom it is so long.
const LOOK_EVERY_SECONDS: u64 = 600;
/// A scanned endpoint of so many contacts a client is more than a target.
const SCANNED_CONTACTS: f64 = 3.0;

const SYN_ACK: u8 = 18;
const RST: u8 = 4;

/// Why an endpoint is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removed {
    /// Subscribers scanned it.
    Scanned,
    /// Subscribers flooded it.
    Flooded,
    /// It answers packets that subscribers did not send: somebody forged their addresses.
    Backscatter,
    /// Maintained knowledge vouches for it.
    Suppressed,
}

/// What a subscriber begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Attack {
    /// Many hosts on that port.
    Scan(u16),
    /// One host.
    Flood(IpAddr),
}

/// A subscriber began an attack.
#[derive(Clone, Copy)]
pub(crate) struct Onset {
    pub(crate) client: Pseudonym,
    pub(crate) epoch: u32,
    pub(crate) time: Timestamp,
    pub(crate) attack: Attack,
}

/// Counts of what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WatchCounts {
    /// Flows seen.
    pub flows: u64,
    /// Scans begun by subscribers.
    pub scans: u64,
    /// Floods begun by subscribers.
    pub floods: u64,
    /// Flows that answer nothing.
    pub backscatter: u64,
    /// Flows by which the outside asks subscribers.
    pub inbound: u64,
    /// Subscribers forgotten to make room.
    pub forgotten: u64,
    /// Flows of subscribers that are not watched for lack of room.
    pub unwatched: u64,
    /// Endpoints not remembered for lack of room.
    pub no_room: u64,
}

/// Who is watched rather: infected ones, then by pseudonym; with its epoch.
type Rank = (bool, Pseudonym, u32);

/// Who does what.
pub struct Watch {
    max_subscribers: usize,
    /// Names of remote ends, keyed anew in every process: nobody can choose an address that has another one's name.
    names: ahash::RandomState,
    subscribers: FastMap<(u32, Pseudonym), Subscriber>,
    /// Those that are watched; the one that makes room first on top.
    order: BinaryHeap<Rank>,
    /// Somebody may be watched as infected.
    has_infected: bool,
    /// When subscribers were looked through last for those whose time is over.
    looked: Timestamp,
    onsets: Vec<Onset>,
    /// With the epoch in which it was scanned last; so for floods and backscatter.
    scanned: HashMap<(IpAddr, u16), u32>,
    flooded: HashMap<IpAddr, u32>,
    backscatter: HashMap<Remote, (u64, u32)>,
    swept: Swept,
    chains: Chains,
    counts: WatchCounts,
}

impl Watch {
    /// One that has seen nothing and watches so many subscribers at once.
    pub(crate) fn new(max_subscribers: usize) -> Self {
        Self {
            max_subscribers,
            names: ahash::RandomState::new(),
            subscribers: FastMap::default(),
            order: BinaryHeap::new(),
            has_infected: false,
            looked: Timestamp::default(),
            onsets: Vec::new(),
            scanned: HashMap::new(),
            flooded: HashMap::new(),
            backscatter: HashMap::new(),
            swept: Swept::default(),
            chains: Chains::default(),
            counts: WatchCounts::default(),
        }
    }

    /// Looks at one flow. Flows should come about in the order of their starts.
    pub(crate) fn see(&mut self, flow: &Flow<CncDetection>) {
        self.counts.flows = self.counts.flows.saturating_add(1);
        if is_backscatter(flow) {
            self.counts.backscatter = self.counts.backscatter.saturating_add(1);
            if !has_room(&mut self.backscatter, &flow.remote, (flow.epoch, &mut self.swept.backscatter), |(_, of)| *of)
            {
                self.counts.no_room = self.counts.no_room.saturating_add(1);
            } else {
                let (count, epoch) = self.backscatter.entry(flow.remote).or_default();
                *count = count.saturating_add(1);
                *epoch = flow.epoch.max(*epoch);
            }
            return;
        }
        if !self.watches(flow) {
            self.counts.unwatched = self.counts.unwatched.saturating_add(1);
            return;
        }
        let Some(subscriber) = self.subscribers.get_mut(&(flow.epoch, flow.subscriber)) else { return };
        if flow.start.since(subscriber.seen).as_secs() > MEMORY_SECONDS {
            *subscriber = Subscriber::default();
        }
        subscriber.seen = subscriber.seen.max(flow.start);
        subscriber.steps.see(flow, self.names.hash_one(flow.remote) as u32);
        if !flow.told_by_subscriber {
            self.counts.inbound = self.counts.inbound.saturating_add(1);
            return;
        }
        let scan = subscriber.fan(flow);
        let aim = subscriber.aim(flow);
        self.record(flow, scan, &aim);
    }

    /// Whether this subscriber is watched, perhaps from now on.
    fn watches(&mut self, flow: &Flow<CncDetection>) -> bool {
        let rank = (!flow.infected, flow.subscriber, flow.epoch);
        let full = self.subscribers.len() >= self.max_subscribers;
        let key = (flow.epoch, flow.subscriber);
        let is_beyond = full && !flow.infected && self.order.peek().is_some_and(|last| rank > *last);
        // On a large network most flows end here, before the table is asked.
        if is_beyond && !self.has_infected {
            return false;
        }
        if self.subscribers.contains_key(&key) {
            return true;
        }
        // Who was told as infected before is known under the other rank, and was found.
        if is_beyond {
            return false;
        }
        self.has_infected |= flow.infected;
        if full && let Some((_, client, epoch)) = self.order.pop() {
            self.subscribers.remove(&(epoch, client));
            self.counts.forgotten = self.counts.forgotten.saturating_add(1);
        }
        self.subscribers.insert(key, Subscriber::default());
        self.order.push(rank);
        true
    }

    fn record(&mut self, flow: &Flow<CncDetection>, scan: Verdict, aim: &Verdict) {
        match scan {
            Verdict::Begins(targets) => {
                self.counts.scans = self.counts.scans.saturating_add(1);
                for target in targets {
                    self.remember((target, flow.remote.port), flow.epoch);
                }
                self.onset(flow, Attack::Scan(flow.remote.port));
            }
            Verdict::GoesOn => self.remember((flow.remote.address, flow.remote.port), flow.epoch),
            Verdict::Nothing => (),
        }
        if let Verdict::Begins(_) = aim {
            self.counts.floods = self.counts.floods.saturating_add(1);
            if has_room(&mut self.flooded, &flow.remote.address, (flow.epoch, &mut self.swept.flooded), |of| *of) {
                self.flooded.insert(flow.remote.address, flow.epoch);
            } else {
                self.counts.no_room = self.counts.no_room.saturating_add(1);
            }
            self.onset(flow, Attack::Flood(flow.remote.address));
        }
    }

    fn remember(&mut self, target: (IpAddr, u16), epoch: u32) {
        if has_room(&mut self.scanned, &target, (epoch, &mut self.swept.scanned), |of| *of) {
            self.scanned.insert(target, epoch);
        } else {
            self.counts.no_room = self.counts.no_room.saturating_add(1);
        }
    }

    fn onset(&mut self, flow: &Flow<CncDetection>, attack: Attack) {
        if let Some(subscriber) = self.subscribers.get_mut(&(flow.epoch, flow.subscriber)) {
            self.chains.take(flow.subscriber, subscriber.steps.before(flow.start), flow.start);
        }
        if self.onsets.len() < MAX_ONSETS {
            self.onsets.push(Onset { client: flow.subscriber, epoch: flow.epoch, time: flow.start, attack });
        }
    }

    /// Whether an endpoint with so many contacts a client is no candidate, and why.
    pub(crate) fn removed(&self, remote: Remote, contacts: u64, contacts_each: f64) -> Option<Removed> {
        if self.flooded.contains_key(&remote.address) {
            return Some(Removed::Flooded);
        }
        let reflected = self.backscatter.get(&remote).map_or(0, |(count, _)| *count);
        if reflected > 0 && reflected.saturating_mul(2) >= contacts {
            return Some(Removed::Backscatter);
        }
        let only_scanned = contacts_each <= SCANNED_CONTACTS || WORM_PORTS.contains(&remote.port);
        (self.scanned.contains_key(&(remote.address, remote.port)) && only_scanned).then_some(Removed::Scanned)
    }

    /// What was seen.
    pub const fn counts(&self) -> WatchCounts {
        self.counts
    }

    pub(crate) fn onsets(&self) -> &[Onset] {
        &self.onsets
    }

    pub(crate) const fn chains(&self) -> &Chains {
        &self.chains
    }

    /// Forgets subscribers that were not seen for [`MEMORY_SECONDS`].
    pub(crate) fn expire(&mut self, now: Timestamp) {
        if now.since(self.looked).max(self.looked.since(now)).as_secs() < LOOK_EVERY_SECONDS {
            return;
        }
        self.looked = now;
        let before = self.subscribers.len();
        // Either way: the clock may have been set back.
        let apart = |seen: Timestamp| now.since(seen).max(seen.since(now)).as_secs();
        self.subscribers.retain(|_, subscriber| apart(subscriber.seen) <= MEMORY_SECONDS);
        if self.subscribers.len() < before {
            let subscribers = &self.subscribers;
            self.order.retain(|(_, client, epoch)| subscribers.contains_key(&(*epoch, *client)));
        }
    }

    /// Forgets what subscribers did in epochs before this one, and after some epochs what they did it to.
    pub fn advance(&mut self, epoch: u32) {
        self.subscribers.retain(|(of, _), _| *of >= epoch);
        self.order.retain(|(_, _, of)| *of >= epoch);
        self.has_infected = self.order.iter().any(|(is_well, _, _)| !is_well);
        self.onsets.retain(|onset| onset.epoch.saturating_add(1) >= epoch);
        let is_known = |of: u32| of.saturating_add(EPOCHS_REMEMBERED) > epoch;
        self.scanned.retain(|_, of| is_known(*of));
        self.flooded.retain(|_, of| is_known(*of));
        self.backscatter.retain(|_, (_, of)| is_known(*of));
        self.chains.clear();
    }
}

/// The remote end begins with an answer (SYN and ACK, or a reset), and the subscriber sent nothing before.
fn is_backscatter(flow: &Flow<CncDetection>) -> bool {
    let Some(back) = flow.back else { return false };
    let silent = flow.out.is_none_or(|out| out.packets == 0 || out.tcp_flags == RST);
    let answers = back.tcp_flags & SYN_ACK == SYN_ACK || back.tcp_flags & RST != 0 && back.tcp_flags & 2 == 0;
    // One direction of a connection looks the same when the other is a record of its own: only few packets are sure.
    !flow.told_by_subscriber
        && flow.remote.protocol == 6
        && silent
        && answers
        && flow.out.is_some()
        && back.packets <= 3
}

#[cfg(test)]
pub(crate) mod tests;
