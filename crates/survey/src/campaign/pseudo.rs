//! Hosts on which every port answers: middleboxes, tarpits, decoys of the simple kind.
//!
//! A service that spoke no protocol we know is *senseless*. The more of them a host has, the less patience its other
//! ports get; once it has as many as the bound, all of them, the earlier ones too, are told again as
//! [`Outcome::Pseudo`] and its other ports are not asked any more. Memory: one small entry for a host that has a
//! senseless service, dropped down to a mark once the host is judged; at most [`MAX_HOSTS`] are watched.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hinomi_model::{Outcome, Sighting, Timestamp};

/// The most hosts that are watched at the same time.
pub(crate) const MAX_HOSTS: usize = 1_000_000;

/// A host with so many senseless services is suspected.
const SUSPECT: usize = 3;

/// The remark on services of a host on which every port answers.
pub(crate) const EVERY_PORT: &str = "every port of this host answers alike";

/// What is known of hosts that answer without sense.
pub(crate) struct Judge {
    bound: usize,
    hosts: Mutex<HashMap<IpAddr, Watched>>,
}

enum Watched {
    Collecting(Vec<Sighting>),
    Judged,
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
            Some(Watched::Collecting(earlier)) if earlier.len() >= SUSPECT => Standing::Suspected,
            _ => Standing::Ordinary,
        }
    }

    /// Takes a senseless sighting; gives the sightings to store, those of earlier services told again included.
    pub(crate) fn judge(&self, sighting: Sighting) -> Vec<Sighting> {
        let address = sighting.subject.address;
        let mut hosts = self.lock();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&address) {
            return vec![sighting];
        }
        let watched = hosts.entry(address).or_insert_with(|| Watched::Collecting(Vec::new()));
        let Watched::Collecting(earlier) = watched else { return vec![pseudo(sighting, None)] };
        if earlier.len() + 1 < self.bound {
            earlier.push(sighting.clone());
            return vec![sighting];
        }
        let now = sighting.time;
        let mut again: Vec<_> = earlier.drain(..).map(|old| pseudo(old, Some(now))).collect();
        again.push(pseudo(sighting, None));
        *watched = Watched::Judged;
        again
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Watched>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pseudo(sighting: Sighting, time: Option<Timestamp>) -> Sighting {
    Sighting {
        outcome: Outcome::Pseudo,
        remark: Some(EVERY_PORT.to_owned()),
        time: time.unwrap_or(sighting.time),
        ..sighting
    }
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
}
