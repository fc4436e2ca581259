//! How long services last, by kind, by port and by network.
//!
//! The lake says when a service first and last answered. That it is gone follows from a finished campaign that asked it
//! afterwards and saw nothing; half of the time between is counted as life, for nobody saw it end. (A service that was
//! missed by bad luck counts as gone; it is looked for again.) The rate of ends is ends over time lived, drawn towards
//! the rate over all services, and that towards one end in ninety days: with little to go by a service is taken for
//! ordinary. Of the three the fastest counts: to look once too early costs a packet.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use hinomi_model::Timestamp;

use super::asked::Asked;
use super::code;
use super::ground::Ground;
use super::known::{Known, networks};

/// How long a service lasts when nothing is known.
const USUAL_S: f64 = 90.0 * 86_400.0;

/// Weight of what holds for all services, in ends.
const PRIOR_ENDS: f64 = 5.0;

/// The most kinds, ports and networks that are told apart; the rest is as usual.
const MAX_GROUPS: usize = 1 << 20;

/// See the module.
pub struct Lifetimes<'a> {
    asked: &'a [Asked],
    ground: &'a Ground,
    groups: HashMap<u64, Lived>,
    all: Lived,
}

/// Time lived and ends seen.
#[derive(Clone, Copy, Debug, Default)]
struct Lived {
    time_s: f64,
    ends: u32,
}

/// What services are put together by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// All of them.
    All,
    /// Of a kind.
    Kind(std::sync::Arc<str>),
    /// At a port.
    Port(u32),
    /// In a /16 or /48.
    Network(bool, u64),
}

/// How fast services of a group end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ends {
    /// Ends a second.
    pub(super) rate: f64,
    pub(super) group: Group,
    pub(super) ends: u32,
}

impl Ends {
    /// How long a service lasts on average.
    pub(super) fn mean(&self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.rate).unwrap_or(Duration::MAX)
    }
}

impl<'a> Lifetimes<'a> {
    /// By what these campaigns asked. What lies outside this ground does not count: nobody knows whether it was asked.
    pub fn new(asked: &'a [Asked], ground: &'a Ground) -> Self {
        Self { asked, ground, groups: HashMap::new(), all: Lived::default() }
    }

    /// Takes a service; the order does not matter.
    pub fn take(&mut self, service: &Known) {
        if !self.ground.permits(service.key) {
            return;
        }
        let mut time_s = service.last_seen.since(service.first_seen).as_secs_f64();
        let gone = missed_at(self.asked, service);
        time_s += gone.map_or(0.0, |when| when.since(service.last_seen).as_secs_f64() / 2.0);
        let add = |lived: &mut Lived| {
            lived.time_s += time_s;
            lived.ends = lived.ends.saturating_add(u32::from(gone.is_some()));
        };
        add(&mut self.all);
        for group in groups_of(service) {
            let hash = hash(&group);
            if self.groups.len() < MAX_GROUPS || self.groups.contains_key(&hash) {
                add(self.groups.entry(hash).or_default());
            }
        }
    }

    /// How fast services like this one end.
    pub(super) fn of(&self, service: &Known) -> Ends {
        let usual = f64::from(self.all.ends + 1) / (self.all.time_s + USUAL_S);
        let mut fastest = Ends { rate: usual, group: Group::All, ends: self.all.ends };
        for group in groups_of(service) {
            let Some(lived) = self.groups.get(&hash(&group)) else { continue };
            let rate = (f64::from(lived.ends) + PRIOR_ENDS) / (lived.time_s + PRIOR_ENDS / usual);
            if rate > fastest.rate {
                fastest = Ends { rate, group, ends: lived.ends };
            }
        }
        fastest
    }
}

/// When a service was first asked in vain after it last answered.
pub(super) fn missed_at(asked: &[Asked], service: &Known) -> Option<Timestamp> {
    let later = asked.iter().filter(|asked| asked.started > service.last_seen && asked.holds(service.key));
    later.map(|asked| asked.started).min()
}

fn groups_of(service: &Known) -> impl Iterator<Item = Group> {
    let wide = networks(service.key.address).1;
    let kind = service.kind.clone().map(Group::Kind);
    let port = Group::Port(code((service.key.transport, service.key.port)));
    kind.into_iter().chain([port, Group::Network(service.key.address.is_ipv6(), wide)])
}

fn hash(group: &Group) -> u64 {
    let mut hasher = DefaultHasher::new();
    group.hash(&mut hasher);
    hasher.finish()
}
