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

use std::net::IpAddr;

pub use contact::{Answer, Contact, Timeline};
pub use epoch::{CLIENTS_KEPT, EpochState};
pub use table::{Population, ServerConfig, ServerCounts, Servers};

use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};
use crate::sketch::{HourMap, KSmallest, LogHistogram, Merge};
use contact::ClientKey;

/// One remote endpoint: address, port and protocol.
///
/// Lists, and not trees: what is asked for with every flow is their last element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub(crate) endpoint: Remote,
    pub(crate) first_epoch: u32,
    /// Some epoch saw as many clients as a server has that everybody uses.
    pub(crate) popular: bool,
    /// Ascending.
    pub(crate) epochs: Vec<(u32, EpochState)>,
    /// Ascending.
    pub(crate) timelines: Vec<(ClientKey, Timeline)>,
}

impl Server {
    pub(crate) const fn new(endpoint: Remote, first_epoch: u32) -> Self {
        Self { endpoint, first_epoch, popular: false, epochs: Vec::new(), timelines: Vec::new() }
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
        self.epochs.iter().map(|(epoch, state)| (*epoch, state))
    }

    /// Most distinct clients that any one epoch saw. Epochs cannot be added up: their pseudonyms are unlinkable.
    pub fn most_clients(&self) -> u64 {
        self.states().map(EpochState::clients).max().unwrap_or(0)
    }

    /// Most distinct infected clients that any one epoch saw; 0 while that switch is off.
    pub fn most_infected_clients(&self) -> u64 {
        self.states().map(EpochState::infected_clients).max().unwrap_or(0)
    }

    /// Distinct clients of two epochs together, which is a count of (client, epoch) and what the export gate asks for.
    pub fn clients_of_best_two_epochs(&self) -> u64 {
        let mut counts: Vec<u64> = self.states().map(EpochState::clients).collect();
        counts.sort_unstable_by(|left, right| right.cmp(left));
        counts.iter().take(2).sum()
    }

    /// All epochs as one.
    pub fn total(&self) -> EpochState {
        let mut sum = EpochState::default();
        self.states().for_each(|state| sum.merge(state));
        sum
    }

    /// Contacts of all epochs.
    pub fn contacts(&self) -> u64 {
        self.states().fold(0, |sum, state| sum.saturating_add(state.contacts))
    }

    /// Hours of the week in which it was talked to.
    pub fn hours(&self) -> HourMap {
        self.total().hours
    }

    /// Gaps in seconds between the starts of consecutive contacts of one client, over all timed clients.
    pub fn gaps_s(&self) -> LogHistogram {
        let mut gaps = LogHistogram::default();
        for (_, timeline) in &self.timelines {
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
        let (_, state) = self.epochs.iter().find(|(of, _)| *of == epoch)?;
        Some(&state.clients)
    }

    fn states(&self) -> impl Iterator<Item = &EpochState> {
        self.epochs.iter().map(|(_, state)| state)
    }

    /// The state of an epoch, from now on among those that are held.
    fn epoch(&mut self, epoch: u32) -> Option<&mut EpochState> {
        let is_latest = self.epochs.last().is_some_and(|(latest, _)| *latest == epoch);
        let place = if is_latest { self.epochs.len() - 1 } else { self.epochs.partition_point(|(of, _)| *of < epoch) };
        if self.epochs.get(place).is_none_or(|(of, _)| *of != epoch) {
            // Exactly: most servers are seen in one epoch only.
            self.epochs.reserve_exact(1);
            self.epochs.insert(place, (epoch, EpochState::default()));
        }
        self.epochs.get_mut(place).map(|(_, state)| state)
    }

    /// The timelines with their clients, infected ones first.
    pub(crate) fn timelines(&self) -> impl Iterator<Item = (&ClientKey, &Timeline)> {
        self.timelines.iter().map(|(key, timeline)| (key, timeline))
    }

    /// Takes in one flow to this endpoint.
    pub(crate) fn take(&mut self, flow: &Flow<CncDetection>, config: &ServerConfig) {
        self.first_epoch = self.first_epoch.min(flow.epoch);
        let popular_clients = config.popular_clients;
        let becomes_popular = |state: &mut EpochState| state.take(flow) && state.clients() >= popular_clients;
        self.popular |= self.epoch(flow.epoch).is_some_and(becomes_popular);
        let key = ClientKey { infected: flow.infected, client: flow.subscriber, epoch: flow.epoch };
        self.time(key, || Contact::of(flow), config);
    }

    /// Keeps a contact if its client is among those that are timed.
    fn time(&mut self, key: ClientKey, contact: impl FnOnce() -> Contact, config: &ServerConfig) {
        let room = self.clients_to_time(config);
        // Of a busy server most clients are beyond the last that is timed.
        if self.timelines.len() >= room && self.timelines.last().is_some_and(|(last, _)| *last < key) {
            return;
        }
        let place = self.timelines.partition_point(|(known, _)| *known < key);
        if self.timelines.get(place).is_none_or(|(known, _)| *known != key) {
            self.timelines.insert(place, (key, Timeline::default()));
        }
        if let Some((_, timeline)) = self.timelines.get_mut(place) {
            timeline.keep(contact(), config.contacts_timed);
        }
        self.timelines.truncate(room);
    }

    /// A server that everybody uses needs no more than a few timelines, and there are many such servers.
    fn clients_to_time(&self, config: &ServerConfig) -> usize {
        if self.popular { config.clients_timed / 4 } else { config.clients_timed }.max(1)
    }

    /// Drops what is older than it may be; tells whether anything of the server is left.
    pub(crate) fn expire(&mut self, current_epoch: u32, config: &ServerConfig) -> bool {
        let oldest = current_epoch.saturating_sub(config.epochs_kept.saturating_sub(1));
        let oldest_timed = current_epoch.saturating_sub(config.timeline_epochs.saturating_sub(1));
        self.epochs.retain(|(epoch, _)| *epoch >= oldest);
        self.timelines.retain(|(key, _)| key.epoch >= oldest_timed);
        self.popular = self.most_clients() >= config.popular_clients;
        !self.epochs.is_empty()
    }

    /// Takes in what another part of the work saw of the same endpoint; parts must not overlap (see
    /// [`Contributions`](crate::sketch::Contributions) where they may be told twice).
    pub(crate) fn merge(&mut self, other: &Self, config: &ServerConfig) {
        self.first_epoch = self.first_epoch.min(other.first_epoch);
        for (epoch, theirs) in &other.epochs {
            if let Some(mine) = self.epoch(*epoch) {
                mine.merge(theirs);
            }
        }
        self.popular = self.most_clients() >= config.popular_clients;
        for (key, timeline) in &other.timelines {
            for contact in timeline.contacts() {
                self.time(*key, || *contact, config);
            }
        }
        self.timelines.truncate(self.clients_to_time(config));
    }

    /// Which of two servers is missed less when the table is full: infected clients, then clients, then age decide.
    pub(crate) fn weight(&self) -> (u64, u64, u32, Remote) {
        let latest = self.epochs.last().map_or(0, |(epoch, _)| *epoch);
        (self.most_infected_clients(), self.most_clients(), latest, self.endpoint)
    }
}

/// The hash of a pseudonym for sketches: it is one already.
pub(crate) const fn client_hash(client: Pseudonym) -> u64 {
    client.0
}

#[cfg(test)]
mod tests;
