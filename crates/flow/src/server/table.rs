//! The table of servers: who is admitted, how many there are, when they go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::gate::{DEFAULT_CELLS, Gate};
use super::role::Role;
use super::{Server, client_hash};
use crate::detect::watch::MAX_SUBSCRIBERS;
use crate::hash::{FastMap, FastSet};
use crate::node::portable::portable;
use crate::purpose::{CncDetection, Flow, Remote};
use crate::rows::Rows;
use crate::sketch::{Distinct, Merge};

/// Flows of one endpoint that wait for it to be admitted.
const WAITING_AN_ENDPOINT: usize = 16;
/// How long they wait: a single flow is kept for minutes and no longer. The gate remembers its client for the epoch.
const WAITING_LIFE: Duration = Duration::from_secs(600);
/// Share of the table that goes when it is full: one in so many.
const EVICTED_ONE_IN: usize = 16;
/// Most clients that a newcomer to a full table must have beyond the usual: the gate does not count further than 64.
const MOST_MORE_CLIENTS: u32 = 31;
/// Flows without an eviction, as multiples of the table, after which a newcomer has it easier.
const EASIER_AFTER: u64 = 16;
/// Registers of the counter of all subscribers, as a power of two: 1.6% standard error.
const POPULATION_PRECISION: u8 = 12;

/// Sizes and lifetimes of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Distinct clients in an epoch that an endpoint must have to get a state. One on a small network.
    pub clients_to_admit: u32,
    /// Most endpoints with a state.
    pub max_servers: usize,
    /// Most flows that wait for their endpoint to be admitted.
    pub max_waiting: usize,
    /// Epochs that numbers live.
    pub epochs_kept: u32,
    /// Epochs that timelines live.
    pub timeline_epochs: u32,
    /// Clients of an endpoint that are timed.
    pub clients_timed: usize,
    /// Contacts of a timed client that are kept.
    pub contacts_timed: usize,
    /// From so many clients in an epoch an endpoint has a quarter of the timelines.
    pub popular_clients: u64,
    /// Cells of a row of the gate.
    pub gate_cells: usize,
    /// Subscribers whose doings are watched beside the table.
    pub subscribers_watched: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            clients_to_admit: 3,
            max_servers: 65_536,
            max_waiting: 262_144,
            epochs_kept: 8,
            timeline_epochs: 2,
            clients_timed: 16,
            contacts_timed: 128,
            popular_clients: 1_024,
            gate_cells: DEFAULT_CELLS,
            subscribers_watched: MAX_SUBSCRIBERS,
        }
    }
}

/// What came into the table, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Flows taken in.
    pub flows: u64,
    /// Flows in which the remote end asked: no server.
    pub remote_is_client: u64,
    /// Flows that went into a server's state, at once or after waiting.
    pub counted: u64,
    /// Flows that wait now.
    pub waiting: u64,
    /// Flows of endpoints that are not admitted, beyond what may wait, or whose wait is over.
    pub not_admitted: u64,
    /// Endpoints admitted.
    pub admitted: u64,
    /// Endpoints put out because the table was full.
    pub evicted: u64,
    /// Endpoints whose last epoch has gone.
    pub expired: u64,
    /// Flows that were in evicted or expired states.
    pub forgotten: u64,
}

impl ServerCounts {
    fn add(&mut self, other: &Self) {
        let plus = |mine: &mut u64, theirs: u64| *mine = mine.saturating_add(theirs);
        plus(&mut self.flows, other.flows);
        plus(&mut self.remote_is_client, other.remote_is_client);
        plus(&mut self.counted, other.counted);
        plus(&mut self.waiting, other.waiting);
        plus(&mut self.not_admitted, other.not_admitted);
        plus(&mut self.admitted, other.admitted);
        plus(&mut self.evicted, other.evicted);
        plus(&mut self.expired, other.expired);
        plus(&mut self.forgotten, other.forgotten);
    }
}

/// Subscribers seen in an epoch: what shares of clients are compared with.
#[derive(Clone, Debug)]
pub struct Population {
    subscribers: Distinct,
    infected: Distinct,
}

impl Population {
    fn new() -> Self {
        Self { subscribers: Distinct::new(POPULATION_PRECISION), infected: Distinct::new(POPULATION_PRECISION) }
    }

    /// Distinct subscribers, estimated.
    pub fn subscribers(&self) -> u64 {
        self.subscribers.count()
    }

    /// Distinct subscribers known to be infected, estimated; 0 while that switch is off.
    pub fn infected(&self) -> u64 {
        self.infected.count()
    }
}

portable!(Population { subscribers, infected });

impl Merge for Population {
    fn merge(&mut self, other: &Self) {
        self.subscribers.merge(&other.subscribers);
        self.infected.merge(&other.infected);
    }
}

/// How much a full table asks of newcomers: without it, endpoints that do not fit push each other out forever, and none
/// of them is ever known for longer than a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Pressure {
    more_clients: u32,
    flows: u64,
}

impl Pressure {
    /// Clients that a newcomer must have beyond those that a table with room asks for.
    const fn more_clients(self) -> u32 {
        self.more_clients
    }

    /// A part of the table was put out: newcomers must have twice as many more.
    fn evicted(&mut self) {
        *self = Self { more_clients: (self.more_clients * 2 + 1).min(MOST_MORE_CLIENTS), flows: 0 };
    }

    /// A flow passes; after many without an eviction the next newcomer has it easier.
    fn passes(&mut self, servers: usize) {
        self.flows += u64::from(self.more_clients > 0);
        if self.flows >= (servers as u64).saturating_mul(EASIER_AFTER) {
            *self = Self { more_clients: self.more_clients / 2, flows: 0 };
        }
    }
}

/// All servers with a state, and those that may get one.
pub struct Servers {
    config: ServerConfig,
    /// Shared with a scoring that runs: whoever is met meanwhile is copied first.
    servers: FastMap<Remote, Arc<Server>>,
    gate: Gate,
    waiting: Rows<Remote, Flow<CncDetection>>,
    now: Timestamp,
    seeds: FastSet<(IpAddr, Option<u16>)>,
    pressure: Pressure,
    population: BTreeMap<u32, Population>,
    counts: ServerCounts,
}

impl Servers {
    /// An empty table.
    pub fn new(config: ServerConfig) -> Self {
        Self {
            gate: Gate::new(config.gate_cells),
            waiting: Rows::new(config.max_waiting, WAITING_LIFE, |flow| flow.remote),
            now: Timestamp::default(),
            config,
            servers: FastMap::default(),
            seeds: FastSet::default(),
            pressure: Pressure::default(),
            population: BTreeMap::new(),
            counts: ServerCounts::default(),
        }
    }

    /// Admits this address (at this port, or at any) from its first flow on.
    pub fn seed(&mut self, address: IpAddr, port: Option<u16>) {
        self.seeds.insert((address, port));
    }

    /// Its sizes and lifetimes.
    pub const fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// What became of the flows.
    pub const fn counts(&self) -> ServerCounts {
        self.counts
    }

    /// How many endpoints have a state.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The state of one endpoint.
    pub fn get(&self, address: IpAddr, port: u16, protocol: u8) -> Option<&Server> {
        self.servers.get(&Remote { address, port, protocol }).map(Arc::as_ref)
    }

    /// All servers in the order of their endpoints.
    pub fn sorted(&self) -> Vec<&Server> {
        let mut all: Vec<&Server> = self.servers.values().map(Arc::as_ref).collect();
        all.sort_unstable_by_key(|server| server.endpoint);
        all
    }

    /// Subscribers seen in an epoch.
    pub fn population(&self, epoch: u32) -> Option<&Population> {
        self.population.get(&epoch)
    }

    /// All servers as they are now, for a scoring: nothing that comes later changes them.
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            servers: self.servers.clone(),
            population: self.population.clone(),
            counts: self.counts,
            ..Self::new(self.config.clone())
        }
    }

    /// Takes in one flow.
    pub fn take(&mut self, flow: &Flow<CncDetection>) {
        self.counts.flows = self.counts.flows.saturating_add(1);
        let population = self.population.entry(flow.epoch).or_insert_with(Population::new);
        population.subscribers.insert(client_hash(flow.subscriber));
        if flow.infected {
            population.infected.insert(client_hash(flow.subscriber));
        }
        if Role::of(flow) == Role::Client {
            self.counts.remote_is_client = self.counts.remote_is_client.saturating_add(1);
            return;
        }
        self.pressure.passes(self.config.max_servers);
        if let Some(server) = self.servers.get_mut(&flow.remote) {
            Arc::make_mut(server).take(flow, &self.config);
            self.counts.counted = self.counts.counted.saturating_add(1);
        } else if self.deserves(flow) {
            self.admit(flow);
        } else {
            self.wait(flow);
        }
    }

    fn deserves(&mut self, flow: &Flow<CncDetection>) -> bool {
        let Remote { address, port, .. } = flow.remote;
        let seeded = self.seeds.contains(&(address, Some(port))) || self.seeds.contains(&(address, None));
        let clients = self.gate.note(&flow.remote, flow.subscriber, flow.epoch);
        flow.infected || seeded || clients >= self.config.clients_to_admit.saturating_add(self.pressure.more_clients())
    }

    fn admit(&mut self, flow: &Flow<CncDetection>) {
        if self.servers.len() >= self.config.max_servers {
            self.evict();
            self.pressure.evicted();
        }
        let mut server = Server::new(flow.remote, flow.epoch);
        while let Some(earlier) = self.waiting.pop_of(&flow.remote) {
            server.take(&earlier, &self.config);
            self.counts.counted = self.counts.counted.saturating_add(1);
        }
        server.take(flow, &self.config);
        self.counts.counted = self.counts.counted.saturating_add(1);
        self.counts.waiting = self.waiting.waiting() as u64;
        self.counts.admitted = self.counts.admitted.saturating_add(1);
        self.servers.insert(flow.remote, Arc::new(server));
    }

    /// Keeps a flow until its endpoint is admitted; those that came first make room.
    fn wait(&mut self, flow: &Flow<CncDetection>) {
        if self.waiting.length(&flow.remote) >= WAITING_AN_ENDPOINT {
            self.counts.not_admitted = self.counts.not_admitted.saturating_add(1);
            return;
        }
        while self.waiting.pop_crowded().is_some() {
            self.counts.not_admitted = self.counts.not_admitted.saturating_add(1);
        }
        self.waiting.push(*flow, self.now);
        self.counts.waiting = self.waiting.waiting() as u64;
    }

    /// Drops flows that waited long enough for their endpoint to be admitted.
    pub fn expire(&mut self, now: Timestamp) {
        self.now = now;
        while self.waiting.pop_over(now).is_some() {
            self.counts.not_admitted = self.counts.not_admitted.saturating_add(1);
        }
        self.counts.waiting = self.waiting.waiting() as u64;
    }

    /// Takes in the states and populations of another part of the work; what waits there stays there.
    pub fn merge(&mut self, other: &Self) {
        for theirs in other.sorted() {
            if !self.servers.contains_key(&theirs.endpoint) && self.servers.len() >= self.config.max_servers {
                self.evict();
            }
            let fresh = || Arc::new(Server::new(theirs.endpoint, theirs.first_epoch));
            let mine = self.servers.entry(theirs.endpoint).or_insert_with(fresh);
            Arc::make_mut(mine).merge(theirs, &self.config);
        }
        for (epoch, population) in &other.population {
            self.population.entry(*epoch).or_insert_with(Population::new).merge(population);
        }
    }

    /// Subscribers seen, by epoch.
    pub(crate) const fn populations(&self) -> &BTreeMap<u32, Population> {
        &self.population
    }

    /// Takes in the share of a partition: servers that no other one has.
    pub(crate) fn absorb(
        &mut self,
        servers: Vec<Server>,
        population: &BTreeMap<u32, Population>,
        counts: ServerCounts,
    ) {
        self.servers.extend(servers.into_iter().map(|server| (server.endpoint, Arc::new(server))));
        for (epoch, population) in population {
            self.population.entry(*epoch).or_insert_with(Population::new).merge(population);
        }
        self.counts.add(&counts);
    }

    /// Puts out the part of the table that is missed least.
    fn evict(&mut self) {
        let mut order: Vec<_> = self.servers.values().map(|server| server.weight()).collect();
        let leave = (order.len() / EVICTED_ONE_IN).max(1);
        if leave < order.len() {
            order.select_nth_unstable(leave);
        }
        for (_, _, _, endpoint) in order.into_iter().take(leave) {
            if let Some(server) = self.servers.remove(&endpoint) {
                self.counts.evicted = self.counts.evicted.saturating_add(1);
                self.counts.forgotten = self.counts.forgotten.saturating_add(server.contacts());
            }
        }
    }

    /// Drops all that is older than it may be, now that this epoch runs.
    pub fn advance(&mut self, current_epoch: u32) {
        let counts = &mut self.counts;
        let config = &self.config;
        self.servers.retain(|_, server| {
            let before = server.contacts();
            let stays = Arc::make_mut(server).expire(current_epoch, config);
            let left = server.contacts();
            counts.forgotten = counts.forgotten.saturating_add(before.saturating_sub(left));
            counts.expired = counts.expired.saturating_add(u64::from(!stays));
            stays
        });
        let oldest = current_epoch.saturating_sub(self.config.epochs_kept.saturating_sub(1));
        self.population.retain(|epoch, _| *epoch >= oldest);
    }
}
