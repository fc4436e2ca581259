//! All hosts, their addresses, and what is seen of them in which week.
//!
//! Addresses are of 240.0.0.0/4, which is nobody's: one /16 for every 25,000 services, a fifth of its addresses in use.
//! Hosts are met in an order as random as a survey's; the services of one host one after another. Everything follows
//! from seed and number, so that nothing is kept.

use std::net::Ipv4Addr;

use crate::devices::{Host, Said};
use crate::random::{Order, mix};

const FIRST: u32 = 0xf000_0000;
const SERVICES_A_NET: u64 = 25_000;
const WEEK_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;
const START_MICROS: i64 = 1_788_000_000 * 1_000_000;
const HOST_MICROS: i64 = 4_000;
/// Of a thousand services change so many from one week to the next.
const CHANGES: u64 = 20;

/// Countries and how many of a hundred networks they have.
const COUNTRIES: &[(&str, u64)] =
    &[("JP", 46), ("KR", 9), ("TW", 8), ("US", 8), ("DE", 7), ("VN", 6), ("BR", 6), ("FR", 5), ("TH", 5)];

/// Where a /16 is.
pub struct Place {
    pub asn: u32,
    pub country: &'static str,
    pub prefecture: Option<u64>,
}

/// One look at one service.
pub struct Look {
    pub address: Ipv4Addr,
    pub time_micros: i64,
    pub said: Said,
}

/// All hosts.
pub struct World {
    seed: u64,
    extras: bool,
    hosts: u64,
    services: u64,
    nets: u64,
    order: Order,
}

impl World {
    /// At least so many services.
    pub fn new(seed: u64, wanted: u64, extras: bool) -> Self {
        let nets = wanted.div_ceil(SERVICES_A_NET);
        let mut world = Self { seed, extras, hosts: 0, services: 0, nets, order: Order::new(mix(seed, 1), nets << 16) };
        while world.services < wanted {
            world.services += world.host(world.hosts).services() as u64;
            world.hosts += 1;
        }
        world
    }

    pub const fn hosts(&self) -> u64 {
        self.hosts
    }

    pub const fn services(&self) -> u64 {
        self.services
    }

    pub const fn nets(&self) -> u64 {
        self.nets
    }

    /// The prefix of a /16 and where it is.
    pub fn place(&self, net: u64) -> Place {
        let mut at = mix(self.seed ^ 0x0c, net) % 100;
        let found = COUNTRIES.iter().find(|(_, share)| {
            let here = at < *share;
            at = at.saturating_sub(*share);
            here
        });
        let country = found.map_or("JP", |(name, _)| name);
        let prefecture = (country == "JP").then(|| mix(self.seed ^ 0x0f, net) % 47 + 1);
        Place { asn: 64_512 + (mix(self.seed ^ 0x0a, net) % 300) as u32, country, prefecture }
    }

    /// What is seen of a host in a week, hosts in the order of the survey.
    pub fn looks(&self, turn: u64, week: u32) -> Vec<Look> {
        let host = self.host(turn);
        let address = Ipv4Addr::from(FIRST + self.order.place_of(turn) as u32);
        let start = START_MICROS + i64::from(week) * WEEK_MICROS + turn as i64 * HOST_MICROS;
        let look = |nth: usize| {
            let said = host.say(nth, self.changes(turn, host.offer(nth), week), self.extras);
            Look { address, time_micros: start + nth as i64 * 150, said }
        };
        (0..host.services()).map(look).collect()
    }

    /// The same of the host at a place of the address space, if one is there.
    pub fn looks_at(&self, place: u64, week: u32) -> Vec<Look> {
        let turn = self.order.turn_of(place);
        if turn < self.hosts { self.looks(turn, week) } else { Vec::new() }
    }

    fn host(&self, turn: u64) -> Host {
        Host::new(mix(self.seed, turn))
    }

    /// How often the service has changed up to this week.
    fn changes(&self, turn: u64, offer: usize, week: u32) -> u64 {
        let changed = |week: &u32| mix(self.seed ^ u64::from(*week) << 8, mix(turn, offer as u64)) % 1_000 < CHANGES;
        (1..=week).filter(changed).count() as u64
    }
}

/// The /16 of an address, by number.
pub fn net_of(address: Ipv4Addr) -> u64 {
    u64::from((u32::from(address) - FIRST) >> 16)
}

/// The prefix of this number.
pub fn prefix(net: u64) -> String {
    format!("{}/16", Ipv4Addr::from(FIRST + ((net as u32) << 16)))
}
