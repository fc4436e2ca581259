//! What is known of each remote endpoint: summaries of each epoch, and for few clients a timeline.
//!
//! ```text
//!   Flow<CncDetection> -> role: does the remote end serve?  -> gate: three clients, an infected one, or a seed?
//!        -> Server { epochs: [EpochState], timelines: [Timeline] }
//! ```
//!
//! Invariants:
//! - Everything in a [`Server`] belongs to an epoch and goes with it: no number outlives `epochs_kept` epochs, no
//!   timeline `timeline_epochs`. Only the first epoch in which the endpoint was met stays while later epochs hold it.
//! - Sizes are bounded: [`KSmallest`] of [`CLIENTS_KEPT`], histograms of at most 976 buckets, `clients_timed` timelines
//!   of `contacts_timed` contacts. The table holds `max_servers`.
//! - Which clients and contacts are kept depends on what was seen, not on the order in which it came: the clients with
//!   the smallest pseudonyms (a uniform sample, since pseudonyms are keyed hashes; infected ones first), and their
//!   latest contacts. Replays and partitioned runs end with equal servers.
//! - Pseudonyms never leave: what is public here tells counts, sizes and times of the endpoint only.
//!
//! ```compile_fail,E0624
//! fn who(server: &hinomi_flow::server::Server) { let _ = server.client_set(0); }
//! ```
//! ```compile_fail,E0616
//! fn who(state: &hinomi_flow::server::EpochState) { let _ = &state.clients; }
//! ```

pub mod contact;
pub mod epoch;
pub mod gate;
pub mod role;
pub mod table;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use contact::{Answer, Contact, Timeline};
pub use epoch::{CLIENTS_KEPT, EpochState};
pub use table::{Population, ServerConfig, ServerCounts, Servers};

use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};
use crate::sketch::{HourMap, KSmallest, LogHistogram, Merge};
use contact::ClientKey;

/// One remote endpoint: address, port and protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub(crate) endpoint: Remote,
    pub(crate) first_epoch: u32,
    /// Boxed: most servers have one, and a node of the map has room for eleven.
    pub(crate) epochs: BTreeMap<u32, Box<EpochState>>,
    pub(crate) timelines: BTreeMap<ClientKey, Timeline>,
}

impl Server {
    pub(crate) fn new(endpoint: Remote, first_epoch: u32) -> Self {
        Self { endpoint, first_epoch, epochs: BTreeMap::new(), timelines: BTreeMap::new() }
    }

    /// Its address.
    pub const fn address(&self) -> IpAddr {
        self.endpoint.address
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.endpoint.port
    }

    /// IANA protocol number.
    pub const fn protocol(&self) -> u8 {
        self.endpoint.protocol
    }

    /// The epoch in which it was first met; young against the running epoch is evidence.
    pub const fn first_epoch(&self) -> u32 {
        self.first_epoch
    }

    /// What each epoch told, oldest first.
    pub fn epochs(&self) -> impl DoubleEndedIterator<Item = (u32, &EpochState)> {
        self.epochs.iter().map(|(epoch, state)| (*epoch, state.as_ref()))
    }

    /// Most distinct clients that any one epoch saw. Epochs cannot be added up: their pseudonyms are unlinkable.
    pub fn most_clients(&self) -> u64 {
        self.epochs.values().map(|state| state.clients()).max().unwrap_or(0)
    }

    /// Most distinct infected clients that any one epoch saw; 0 while that switch is off.
    pub fn most_infected_clients(&self) -> u64 {
        self.epochs.values().map(|state| state.infected_clients()).max().unwrap_or(0)
    }

    /// Distinct clients of two epochs together, which is a count of (client, epoch) and what the export gate asks for.
    pub fn clients_of_best_two_epochs(&self) -> u64 {
        let mut counts: Vec<u64> = self.epochs.values().map(|state| state.clients()).collect();
        counts.sort_unstable_by(|left, right| right.cmp(left));
        counts.iter().take(2).sum()
    }

    /// All epochs as one.
    pub fn total(&self) -> EpochState {
        let mut sum = EpochState::default();
        for state in self.epochs.values() {
            sum.merge(state);
        }
        sum
    }

    /// Contacts of all epochs.
    pub fn contacts(&self) -> u64 {
        self.epochs.values().fold(0, |sum, state| sum.saturating_add(state.contacts))
    }

    /// Hours of the week in which it was talked to.
    pub fn hours(&self) -> HourMap {
        self.total().hours
    }

    /// Gaps in seconds between the starts of consecutive contacts of one client, over all timed clients.
    pub fn gaps_s(&self) -> LogHistogram {
        let mut gaps = LogHistogram::default();
        for timeline in self.timelines.values() {
            timeline.gaps_s().for_each(|gap| gaps.add(gap));
        }
        gaps
    }

    /// How many clients are timed.
    pub fn timed_clients(&self) -> usize {
        self.timelines.len()
    }

    /// Pseudonyms of one epoch's clients, for intersections within that epoch.
    pub(crate) fn client_set(&self, epoch: u32) -> Option<&KSmallest> {
        self.epochs.get(&epoch).map(|state| &state.clients)
    }

    /// The timelines with their clients, infected ones first.
    pub(crate) fn timelines(&self) -> impl Iterator<Item = (&ClientKey, &Timeline)> {
        self.timelines.iter()
    }

    /// Takes in one flow to this endpoint.
    pub(crate) fn take(&mut self, flow: &Flow<CncDetection>, config: &ServerConfig) {
        self.first_epoch = self.first_epoch.min(flow.epoch);
        self.epochs.entry(flow.epoch).or_default().take(flow);
        let key = ClientKey { infected: flow.infected, client: flow.subscriber, epoch: flow.epoch };
        self.time(key, Contact::of(flow), config);
    }

    /// Keeps a contact if its client is among those that are timed.
    fn time(&mut self, key: ClientKey, contact: Contact, config: &ServerConfig) {
        let room = self.clients_to_time(config);
        // Of a busy server most clients are beyond the last that is timed.
        if self.timelines.len() >= room && self.timelines.keys().next_back().is_some_and(|last| *last < key) {
            return;
        }
        self.timelines.entry(key).or_default().keep(contact, config.contacts_timed);
        while self.timelines.len() > room {
            self.timelines.pop_last();
        }
    }

    /// A server that everybody uses needs no more than a few timelines, and there are many such servers.
    fn clients_to_time(&self, config: &ServerConfig) -> usize {
        let popular = self.most_clients() >= config.popular_clients;
        if popular { config.clients_timed / 4 } else { config.clients_timed }.max(1)
    }

    /// Drops what is older than it may be; tells whether anything of the server is left.
    pub(crate) fn expire(&mut self, current_epoch: u32, config: &ServerConfig) -> bool {
        let oldest = current_epoch.saturating_sub(config.epochs_kept.saturating_sub(1));
        let oldest_timed = current_epoch.saturating_sub(config.timeline_epochs.saturating_sub(1));
        self.epochs.retain(|epoch, _| *epoch >= oldest);
        self.timelines.retain(|key, _| key.epoch >= oldest_timed);
        !self.epochs.is_empty()
    }

    /// Takes in what another part of the work saw of the same endpoint; parts must not overlap (see
    /// [`Contributions`](crate::sketch::Contributions) where they may be told twice).
    pub(crate) fn merge(&mut self, other: &Self, config: &ServerConfig) {
        self.first_epoch = self.first_epoch.min(other.first_epoch);
        for (epoch, state) in &other.epochs {
            self.epochs.entry(*epoch).or_default().merge(state);
        }
        for (key, timeline) in &other.timelines {
            for contact in timeline.contacts() {
                self.time(*key, *contact, config);
            }
        }
        let room = self.clients_to_time(config);
        while self.timelines.len() > room {
            self.timelines.pop_last();
        }
    }

    /// Which of two servers is missed less when the table is full: infected clients, then clients, then age decide.
    pub(crate) fn weight(&self) -> (u64, u64, u32, Remote) {
        let latest = self.epochs.keys().next_back().copied().unwrap_or(0);
        (self.most_infected_clients(), self.most_clients(), latest, self.endpoint)
    }
}

/// The hash of a pseudonym for sketches: it is one already.
pub(crate) const fn client_hash(client: Pseudonym) -> u64 {
    client.0
}

#[cfg(test)]
mod tests;
