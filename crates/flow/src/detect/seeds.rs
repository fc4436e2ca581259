//! Known C&C endpoints, and what a match still says after so much time.
//!
//! Lists are read by [`hinomi_wire::flow::seeds`]. An endpoint keeps the newest time at which a list or its source
//! told of it; addresses change hands, so a match says less the older it is, and nothing in the end.

use std::collections::HashMap;
use std::io::BufRead;
use std::net::IpAddr;

use hinomi_model::Timestamp;
use hinomi_wire::flow::seeds::{Entry, Lines, Month};

use super::graph::network;
use super::statistics::as_f64;
use super::view::ServerView;
use super::{Code, Evidence, World};

/// Most endpoints that are kept; what comes after is counted.
pub const MAX_SEEDS: usize = 4_000_000;
/// Odds that a fresh match of the endpoint is right, against the base rate.
const FRESH_ENDPOINT: f64 = 20_000.0;
/// As above, of the host alone.
const FRESH_HOST: f64 = 50.0;
/// Half of the matches are stale after so long: C&C servers of devices live for days to weeks, hosts of remote control
/// tools longer.
const HALF_LIFE_DAYS: f64 = 45.0;
/// The age that an entry without a date is taken to have.
const UNKNOWN_AGE_DAYS: f64 = 180.0;

/// What was read of lists, line by line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SeedCounts {
    /// Lines of all kinds.
    pub lines: u64,
    /// Endpoints and hosts taken.
    pub taken: u64,
    /// Names and paths, which flows do not carry.
    pub names: u64,
    /// Lines that could not be read.
    pub refused: u64,
    /// Beyond [`MAX_SEEDS`].
    pub no_room: u64,
}

/// One known endpoint.
#[derive(Clone, Copy, Debug)]
struct Known {
    told: Option<Timestamp>,
    lists: u32,
    /// Which list named it first: the family, for training.
    family: u32,
}

/// Every known endpoint, by address and port; port 0 stands for a host told without one.
#[derive(Clone, Debug, Default)]
pub struct SeedBook {
    known: HashMap<(IpAddr, u16), Known>,
    hosts: HashMap<IpAddr, u32>,
    networks: HashMap<IpAddr, u32>,
    ports: HashMap<u16, u32>,
    lists: Vec<String>,
    counts: SeedCounts,
}

impl SeedBook {
    /// Takes in a list. `told` is when the list was made, where that is known: no entry is newer.
    pub fn read(&mut self, name: &str, told: Option<Timestamp>, source: impl BufRead) -> Result<(), std::io::Error> {
        let family = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        self.lists.push(name.to_owned());
        let mut since = None;
        for line in Lines::new(source) {
            self.counts.lines = self.counts.lines.saturating_add(1);
            match line {
                Ok(Entry::Endpoint { address, port }) => self.add(address, port, since.or(told), family),
                Ok(Entry::Host(address)) => self.add(address, 0, since.or(told), family),
                Ok(Entry::Source(month)) => since = month.map(start_of),
                Ok(Entry::Name) => self.counts.names = self.counts.names.saturating_add(1),
                Ok(Entry::Nothing) => (),
                Err(hinomi_wire::flow::seeds::SeedError::Read { source, .. }) => return Err(source),
                Err(_) => self.counts.refused = self.counts.refused.saturating_add(1),
            }
        }
        Ok(())
    }

    /// Takes in one endpoint; port 0 is the host alone.
    pub fn add(&mut self, address: IpAddr, port: u16, told: Option<Timestamp>, family: u32) {
        if self.known.len() >= MAX_SEEDS {
            self.counts.no_room = self.counts.no_room.saturating_add(1);
            return;
        }
        self.counts.taken = self.counts.taken.saturating_add(1);
        let fresh = Known { told, lists: 1, family };
        let mut is_new = false;
        let known = self.known.entry((address, port)).or_insert_with(|| {
            is_new = true;
            fresh
        });
        if !is_new {
            known.told = known.told.max(told);
            known.lists = known.lists.saturating_add(u32::from(known.family != family));
            return;
        }
        *self.hosts.entry(address).or_default() += 1;
        *self.networks.entry(network(address)).or_default() += 1;
        if port != 0 {
            *self.ports.entry(port).or_default() += 1;
        }
    }

    /// What was read.
    pub const fn counts(&self) -> SeedCounts {
        self.counts
    }

    /// How many endpoints and hosts are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Every known endpoint, and hosts with no port, in no order: for the gate, which admits them at once.
    pub fn endpoints(&self) -> impl Iterator<Item = (IpAddr, Option<u16>)> {
        self.known.keys().map(|(address, port)| (*address, (*port != 0).then_some(*port)))
    }

    /// Whether a list names this very endpoint.
    pub fn names(&self, address: IpAddr, port: u16) -> bool {
        self.known.contains_key(&(address, port))
    }

    /// The list that named it first.
    pub(crate) fn family(&self, address: IpAddr, port: u16) -> Option<u32> {
        self.known.get(&(address, port)).map(|known| known.family)
    }

    /// Known endpoints in the same /24 or /48, other than the host's own.
    pub(crate) fn neighbours(&self, address: IpAddr) -> u32 {
        let own = self.hosts.get(&address).copied().unwrap_or(0);
        self.networks.get(&network(address)).copied().unwrap_or(0).saturating_sub(own)
    }

    /// Known endpoints on this port.
    pub(crate) fn on_port(&self, port: u16) -> u32 {
        self.ports.get(&port).copied().unwrap_or(0)
    }

    /// Known endpoints with a port.
    pub(crate) fn with_port(&self) -> u32 {
        self.ports.values().copied().fold(0, u32::saturating_add)
    }
}

/// The first moment of a month.
fn start_of(month: Month) -> Timestamp {
    let text = format!("{:04}-{:02}-01", month.year, month.month);
    text.parse().unwrap_or_default()
}

/// What the lists say of a server.
pub(crate) fn look(server: &ServerView, world: &World) -> Option<Evidence> {
    let address = server.remote.address;
    let (code, fresh, known) = match world.seeds.known.get(&(address, server.remote.port)) {
        Some(known) => (Code::SeedEndpoint, FRESH_ENDPOINT, *known),
        None => {
            // Of a host told with other ports the newest telling counts.
            world.seeds.hosts.get(&address)?;
            let told = world.seeds.known.get(&(address, 0)).copied();
            (Code::SeedHost, FRESH_HOST, told.unwrap_or(Known { told: None, lists: 1, family: 0 }))
        }
    };
    let age_days = known.told.map(|told| world.now.since(told).as_secs_f64() / 86_400.0);
    let left = 0.5_f64.powf(age_days.unwrap_or(UNKNOWN_AGE_DAYS) / HALF_LIFE_DAYS);
    let lists = as_f64(usize::try_from(known.lists).unwrap_or(1));
    let ratio = (1.0 + (fresh - 1.0) * left).ln();
    let values = [("age_days", age_days.map_or(-1.0, f64::floor)), ("lists", lists)];
    Some(Evidence::new(code, ratio, &values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_its_sources_date_what_follows() {
        let text = "# Reference: https://blog.example/2018/05/x\n203.0.113.9:1337\n# Reference: https://x.example/\n\
                    203.0.113.10:1337\n203.0.113.10\nbad.example\n10.0.0.1:5\n";
        let mut book = SeedBook::default();
        let told = "2026-11-01".parse().ok();
        book.read("family", told, text.as_bytes()).unwrap();
        let counts = book.counts();
        assert_eq!((counts.lines, counts.taken, counts.names, counts.refused), (7, 3, 1, 1));
        assert!(book.names("203.0.113.9".parse().unwrap(), 1337));
        assert_eq!((book.on_port(1337), book.with_port()), (2, 2));
        assert_eq!(book.neighbours("203.0.113.9".parse().unwrap()), 2);
        let of = |host: &str| book.known[&(host.parse().unwrap(), 1337)].told.map(|at| at.to_string());
        assert_eq!(of("203.0.113.9").as_deref(), Some("2018-05-01T00:00:00Z"));
        assert_eq!(of("203.0.113.10").as_deref(), Some("2026-11-01T00:00:00Z"));
    }
}
