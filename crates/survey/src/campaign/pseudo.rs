//! Hosts on which every port answers: middleboxes, tarpits, decoys of the simple kind.
//!
//! A service that spoke no protocol we know, or behaves like none, is *senseless*. The more of them a host has, the less patience its other
//! ports get; once it has as many as the bound and hardly any that make sense, all of them, the earlier ones too, are
//! told again as [`Outcome::Pseudo`] and its other ports are not asked any more. Memory: one small entry for a host that
//! answers, dropped down to a mark once it is judged; at most [`MAX_HOSTS`] are watched. A resumed campaign remembers
//! the first [`MAX_REMEMBERED`] hosts with senseless services.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinomi_model::remark::EVERY_PORT;
use hinomi_model::{Outcome, ServiceKey, Sighting, Timestamp, Transport};
use serde::{Deserialize, Serialize};

/// The most hosts that are watched at the same time.
pub(crate) const MAX_HOSTS: usize = 1_000_000;

/// The most hosts that a checkpoint speaks of.
pub(crate) const MAX_REMEMBERED: usize = 1_000;

/// A host is no ordinary one when it has this many senseless services for each that makes sense.
const SENSELESS_EACH: usize = 4;

/// A host with so many senseless services is suspected.
const SUSPECT: usize = 3;

/// The least step of time.
const TICK: Duration = Duration::from_micros(1);

/// What is known of hosts that answer without sense.
pub(crate) struct Judge {
    bound: usize,
    hosts: Mutex<HashMap<IpAddr, Watched>>,
}

enum Watched {
    Collecting { senseless: Vec<Sighting>, sensible: usize },
    Judged,
}

/// What a checkpoint remembers of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspect {
    address: IpAddr,
    judged: bool,
    sensible: usize,
    senseless: Vec<(Transport, u16)>,
}

/// How a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing speaks against it.
    Ordinary,
    /// Some of its services made no sense: be brief.
    Suspected,
    /// It is no ordinary host: do not ask.
    Judged,
}

impl Judge {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, hosts: Mutex::default() }
    }

    pub(crate) fn standing(&self, address: IpAddr) -> Standing {
        match self.lock().get(&address) {
            Some(Watched::Judged) => Standing::Judged,
            Some(Watched::Collecting { senseless, sensible })
                if senseless.len() >= SUSPECT && is_odd(senseless.len(), *sensible) =>
            {
                Standing::Suspected
            }
            _ => Standing::Ordinary,
        }
    }

    /// Notes that a host has a service that makes sense.
    pub(crate) fn makes_sense(&self, address: IpAddr) {
        let mut hosts = self.lock();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&address) {
            return;
        }
        if let Watched::Collecting { sensible, .. } = hosts.entry(address).or_insert_with(Watched::nothing) {
            *sensible += 1;
        }
    }

    /// What a checkpoint should remember.
    pub(crate) fn suspects(&self) -> Vec<Suspect> {
        let hosts = self.lock();
        let suspect = |(address, watched): (&IpAddr, &Watched)| match watched {
            Watched::Judged => Some(Suspect { address: *address, judged: true, sensible: 0, senseless: Vec::new() }),
            Watched::Collecting { senseless, .. } if senseless.is_empty() => None,
            Watched::Collecting { senseless, sensible } => {
                let ports = senseless.iter().map(|sighting| (sighting.subject.transport, sighting.subject.port));
                Some(Suspect { address: *address, judged: false, sensible: *sensible, senseless: ports.collect() })
            }
        };
        hosts.iter().filter_map(suspect).take(MAX_REMEMBERED).collect()
    }

    /// Takes up what a checkpoint remembered; `again` makes the sighting of a service without its evidence.
    pub(crate) fn remember(&self, suspects: Vec<Suspect>, again: impl Fn(ServiceKey) -> Sighting) {
        let mut hosts = self.lock();
        for Suspect { address, judged, sensible, senseless } in suspects.into_iter().take(MAX_REMEMBERED) {
            let sighting = |(transport, port)| again(ServiceKey { address, port, transport });
            let watched = match judged {
                true => Watched::Judged,
                false => Watched::Collecting { senseless: senseless.into_iter().map(sighting).collect(), sensible },
            };
            hosts.insert(address, watched);
        }
    }

    /// Takes a senseless sighting; gives the sightings to store, those of earlier services told again included.
    pub(crate) fn judge(&self, sighting: Sighting) -> Vec<Sighting> {
        let address = sighting.subject.address;
        let mut hosts = self.lock();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&address) {
            return vec![sighting];
        }
        let watched = hosts.entry(address).or_insert_with(Watched::nothing);
        let Watched::Collecting { senseless: earlier, sensible } = watched else {
            return vec![pseudo(sighting)];
        };
        if earlier.len() + 1 < self.bound || !is_odd(earlier.len(), *sensible) {
            earlier.push(sighting.clone());
            return vec![sighting];
        }
        let now = sighting.time;
        let wrong = earlier.drain(..).filter(|old| old.outcome != Outcome::Pseudo);
        let mut again: Vec<_> = wrong.map(|old| corrected(old, now)).collect();
        again.push(pseudo(sighting));
        *watched = Watched::Judged;
        again
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Watched>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    const fn nothing() -> Self {
        Self::Collecting { senseless: Vec::new(), sensible: 0 }
    }
}

/// Whether senseless services outweigh the others.
const fn is_odd(senseless: usize, sensible: usize) -> bool {
    senseless >= sensible * SENSELESS_EACH
}

fn pseudo(sighting: Sighting) -> Sighting {
    Sighting { outcome: Outcome::Pseudo, remark: Some(EVERY_PORT.to_owned()), ..sighting }
}

/// The same service told again, later than it was told: of two sightings of one moment the store believes the open one,
/// and grabs that run side by side reach the judge in another order than they ended in.
fn corrected(old: Sighting, now: Timestamp) -> Sighting {
    let time = now.max(old.time.plus(TICK));
    Sighting { time, ..pseudo(old) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::{Marking, Purpose, ServiceKey, Transport};

    fn senseless(port: u16) -> Sighting {
        Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: None,
            time: Timestamp::from_micros(i64::from(port)),
            subject: ServiceKey { address: [127, 0, 0, 9].into(), port, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: Vec::new(),
            marking: Marking::own(Purpose::ExposureReduction),
        }
    }

    #[test]
    fn a_host_is_suspected_then_judged_and_its_past_told_again() {
        let judge = Judge::new(5);
        let address = senseless(1).subject.address;
        for port in 1..=4 {
            assert_eq!(judge.judge(senseless(port)), vec![senseless(port)]);
        }
        assert_eq!(judge.standing(address), Standing::Suspected);
        let told = judge.judge(senseless(5));
        let ports: Vec<u16> = told.iter().map(|sighting| sighting.subject.port).collect();
        assert_eq!(ports, [1, 2, 3, 4, 5]);
        let newest = |sighting: &Sighting| sighting.outcome == Outcome::Pseudo && sighting.time.as_micros() == 5;
        assert!(told.iter().all(newest), "later than what it corrects");
        assert_eq!(judge.standing(address), Standing::Judged);
        assert_eq!(judge.judge(senseless(6)).len(), 1);
    }

    #[test]
    fn what_ended_later_than_the_last_is_still_corrected() {
        let judge = Judge::new(5);
        let late = Sighting { time: Timestamp::from_micros(900), ..senseless(1) };
        judge.judge(late.clone());
        (2..=4).for_each(|port| drop(judge.judge(senseless(port))));
        let told = judge.judge(senseless(5));
        let again = told.iter().find(|sighting| sighting.subject == late.subject).expect("told again");
        assert!(again.outcome == Outcome::Pseudo && again.time > late.time, "{again:?}");
    }

    #[test]
    fn what_behaves_like_no_service_speaks_against_its_host() {
        let judge = Judge::new(5);
        let reset = |port| Sighting { outcome: Outcome::Pseudo, ..senseless(port) };
        (1..=2).for_each(|port| drop(judge.judge(senseless(port))));
        (3..=4).for_each(|port| assert_eq!(judge.judge(reset(port)), vec![reset(port)]));
        let told = judge.judge(senseless(5));
        let ports: Vec<u16> = told.iter().map(|sighting| sighting.subject.port).collect();
        assert_eq!(ports, [1, 2, 5], "what was told as pseudo is not told again");
    }

    #[test]
    fn a_server_with_many_services_of_its_own_is_not_judged() {
        let judge = Judge::new(5);
        let address = senseless(1).subject.address;
        (0..3).for_each(|_| judge.makes_sense(address));
        for port in 1..=11 {
            assert_eq!(judge.judge(senseless(port)), vec![senseless(port)]);
            assert_eq!(judge.standing(address), Standing::Ordinary);
        }
    }

    #[test]
    fn a_resumed_campaign_judges_what_was_seen_before() {
        let (before, after) = (Judge::new(5), Judge::new(5));
        (1..=4).for_each(|port| drop(before.judge(senseless(port))));
        after.remember(before.suspects(), |key| senseless(key.port));
        assert_eq!(after.judge(senseless(5)).len(), 5);
        let last = Judge::new(5);
        last.remember(after.suspects(), |key| senseless(key.port));
        assert_eq!(last.standing(senseless(1).subject.address), Standing::Judged);
    }
}
