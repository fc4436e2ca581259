//! When the services of an address were there, when they were not, and when nobody looked.
//!
//! Looks that lie at most [`super::FRESH`] apart count as looking all the time: what one found stands until the next.
//! Between looks further apart, and after the last one, nobody looked; that is neither there nor gone. A survey stores
//! nothing of ports that stay silent, so a service that ceased to answer is *closed* only where a look says so.
//!
//! At a hundred times the data: one address, [`MAX_SERVICES`] services of [`MAX_STRETCHES`] stretches each.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::{Outcome, ServiceKey, Timestamp};
use serde::Serialize;

use super::changes::{ChangeEvent, addresses};
use super::owners::Owners;
use super::trail::Trail;
use super::{FRESH, Settle, each_service};
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::looks::{Looks, OneLook};
use crate::query::eval::Matcher;
use crate::query::parse;

/// The most services of an address that are told of.
pub const MAX_SERVICES: usize = 1_000;

/// The most stretches of a service; the newest.
pub const MAX_STRETCHES: usize = 256;

/// How a service was during a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Was {
    /// It answered.
    Open,
    /// It answered, and only pretends to be a service.
    Pseudo,
    /// It was looked at, and nothing was there.
    Closed,
    /// Nobody looked.
    NotLookedAt,
}

impl Was {
    /// The name, as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pseudo => "pseudo",
            Self::Closed => "closed",
            Self::NotLookedAt => "not-looked-at",
        }
    }
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Its first moment.
    pub from: Timestamp,
    /// Where the next one begins.
    pub until: Timestamp,
    /// How the service was.
    pub was: Was,
    /// How often it was looked at.
    pub looks: u64,
}

/// One service over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServicePresence {
    /// Which service.
    pub service: ServiceKey,
    /// From the first look until now, without gaps.
    pub stretches: Vec<Stretch>,
    /// What happened during them.
    pub events: Vec<ChangeEvent>,
    /// Whether there is more than is told.
    pub more: bool,
}

/// The services of an address over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostPresence {
    /// The address.
    pub address: IpAddr,
    /// By port.
    pub services: Vec<ServicePresence>,
    /// Whether there are more services than are told of.
    pub more: bool,
}

impl Lake {
    /// When the services of an address were there.
    ///
    /// # Errors
    /// When tables cannot be read.
    pub fn presence(&self, address: IpAddr, now: Timestamp) -> Result<HostPresence, LakeError> {
        self.presence_within(address, now, None)
    }

    /// The same for who may not see all; none is all.
    ///
    /// # Errors
    /// When tables cannot be read.
    pub fn presence_within(
        &self,
        address: IpAddr,
        now: Timestamp,
        may: Option<&Entitlement>,
    ) -> Result<HostPresence, LakeError> {
        self.see_others()?;
        let address = address.to_canonical();
        let ranges = Arc::new(addresses(std::iter::once(address)));
        let looks = Looks::new(&self.sightings, &self.sightings.files(|_| true), Some(ranges));
        let may = may.map(|may| self.asked_now(may));
        let may = may.as_deref();
        let looks = self.visible(looks, may)?;
        let everything = Matcher::new(&parse("(has:closed OR -has:closed) (has:pseudo OR -has:pseudo)")?);
        let owners = self.owners.of_state(&self.dir)?;
        let mut host = HostPresence { address, services: Vec::new(), more: false };
        each_service(looks, Bars::take, &mut |batch: &[(ServiceKey, Bars)]| {
            let answered: Vec<_> = batch.iter().filter(|(_, bars)| bars.answered).collect();
            let room = MAX_SERVICES - host.services.len().min(MAX_SERVICES);
            host.more = answered.len() > room;
            let told = answered.get(..room.min(answered.len())).unwrap_or_default();
            let mut events = self.events_by_service(told, (&owners, may), &everything)?;
            host.services.extend(told.iter().map(|(key, bars)| ServicePresence {
                service: *key,
                stretches: bars.until(now),
                events: events.remove(key).unwrap_or_default(),
                more: bars.left_out,
            }));
            Ok(!host.more)
        })?;
        Ok(host)
    }

    /// What happened to each, in time.
    fn events_by_service(
        &self,
        told: &[&(ServiceKey, Bars)],
        (owners, may): (&Owners, Option<&Entitlement>),
        everything: &Matcher,
    ) -> Result<HashMap<ServiceKey, Vec<ChangeEvent>>, LakeError> {
        let mut events: HashMap<ServiceKey, Vec<ChangeEvent>> = HashMap::new();
        let then = self.then()?;
        let may_see = |look: &OneLook, time: Timestamp| then.may_see(may, look, time);
        let turned = |key: &ServiceKey, bars: &Bars| Trail::of(bars.trail.turns(key, owners, &|_, _| true, &may_see));
        let turns: Vec<_> = told.iter().map(|(key, bars)| (*key, turned(key, bars))).collect();
        let mut all: Vec<(ServiceKey, &Trail)> = told.iter().map(|(key, bars)| (*key, &bars.trail)).collect();
        all.extend(turns.iter().map(|(key, trail)| (*key, trail)));
        self.tell_events(&all, everything, &mut |event| events.entry(event.service).or_default().push(event))?;
        for (key, bars) in told {
            let Some(events) = events.get_mut(key) else { continue };
            // What is older than the oldest stretch that is told has no place beside it.
            events.retain(|event| bars.stretches.front().is_some_and(|first| first.from <= event.time));
            events.sort_by_key(|event| event.time);
        }
        Ok(events)
    }
}

/// The stretches of a service, as its looks are taken in time.
#[derive(Default)]
struct Bars {
    stretches: VecDeque<Stretch>,
    trail: Trail,
    answered: bool,
    left_out: bool,
}

impl Bars {
    fn take(&mut self, look: &OneLook) {
        // As of the stretches, the newest are told.
        self.left_out |= self.trail.make_room();
        self.trail.take(look, &|_, _| true);
        let was = match look.run.first.outcome {
            Outcome::Closed => Was::Closed,
            Outcome::Pseudo => Was::Pseudo,
            _ => Was::Open,
        };
        self.answered |= was != Was::Closed;
        self.add(look.time, was, FRESH);
    }

    fn add(&mut self, time: Timestamp, was: Was, fresh: Duration) {
        let new = Stretch { from: time, until: time, was, looks: 1 };
        match self.stretches.back_mut() {
            Some(last) if time.since(last.until) > fresh => {
                let gap = Stretch { from: last.until, until: time, was: Was::NotLookedAt, looks: 0 };
                self.stretches.extend([gap, new]);
            }
            Some(last) if last.was == was => (last.until, last.looks) = (time, last.looks + 1),
            Some(last) => {
                last.until = time;
                self.stretches.push_back(new);
            }
            None => self.stretches.push_back(new),
        }
        while self.stretches.len() > MAX_STRETCHES {
            self.stretches.pop_front();
            self.left_out = true;
        }
    }

    /// All of them, and that nobody looked since.
    fn until(&self, now: Timestamp) -> Vec<Stretch> {
        let last = self.stretches.back().filter(|last| last.until < now);
        let since = last.map(|last| Stretch { from: last.until, until: now, was: Was::NotLookedAt, looks: 0 });
        self.stretches.iter().copied().chain(since).collect()
    }
}

impl Settle for Bars {
    fn settle(&mut self) {
        self.trail.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_micros(day * 86_400_000_000)
    }

    fn bars(looks: &[(i64, Was)]) -> Vec<(i64, i64, Was, u64)> {
        let mut bars = Bars::default();
        looks.iter().for_each(|(at, was)| bars.add(day(*at), *was, FRESH));
        let days = |time: Timestamp| time.as_micros() / 86_400_000_000;
        let told = bars.until(day(100)).into_iter();
        told.map(|one| (days(one.from), days(one.until), one.was, one.looks)).collect()
    }

    #[test]
    fn what_nobody_looked_at_is_a_stretch_of_its_own() {
        use Was::{Closed, NotLookedAt, Open};
        assert_eq!(bars(&[(1, Open)]), [(1, 1, Open, 1), (1, 100, NotLookedAt, 0)]);
        let told = bars(&[(1, Open), (8, Open), (10, Closed), (12, Closed), (20, Open), (70, Open), (100, Open)]);
        let expected =
            [(1, 10, Open, 2), (10, 20, Closed, 2), (20, 20, Open, 1), (20, 70, NotLookedAt, 0), (70, 100, Open, 2)];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_newest_are_told() {
        let mut bars = Bars::default();
        let was = |n: i64| if n % 2 == 0 { Was::Open } else { Was::Closed };
        (0..1_000).for_each(|n| bars.add(day(n), was(n), FRESH));
        let told = bars.until(day(999));
        assert_eq!((told.len(), told.last().map(|one| one.from)), (MAX_STRETCHES, Some(day(999))));
        assert!(bars.left_out);
    }
}
