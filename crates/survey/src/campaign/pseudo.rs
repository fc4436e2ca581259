//! Hosts on which every port answers: middleboxes, tarpits, decoys of the simple kind.
//!
//! A service that spoke no protocol we know is *senseless*. Once a host has more senseless services than the bound, all
//! of them, the earlier ones too, are told again as [`Outcome::Pseudo`]. Memory: one small entry per host that has a
//! senseless service, dropped down to a mark once the host is judged; at most [`MAX_HOSTS`] are watched.

use std::collections::HashMap;
use std::net::IpAddr;

use hinomi_model::{Outcome, Sighting};

/// The most hosts that are watched at the same time.
pub(crate) const MAX_HOSTS: usize = 1_000_000;

/// What was decided about senseless services.
pub(crate) struct Judge {
    bound: usize,
    hosts: HashMap<IpAddr, Watched>,
}

enum Watched {
    Collecting(Vec<Sighting>),
    Judged,
}

/// The remark on services of a host on which every port answers.
pub(crate) const EVERY_PORT: &str = "every port of this host answers alike";

impl Judge {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, hosts: HashMap::new() }
    }

    /// Takes a senseless sighting; gives the sightings to store, those of earlier services told again included.
    pub(crate) fn judge(&mut self, sighting: Sighting) -> Vec<Sighting> {
        let address = sighting.subject.address;
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&address) {
            return vec![sighting];
        }
        let watched = self.hosts.entry(address).or_insert_with(|| Watched::Collecting(Vec::new()));
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
}

fn pseudo(sighting: Sighting, time: Option<hinomi_model::Timestamp>) -> Sighting {
    Sighting {
        outcome: Outcome::Pseudo,
        remark: Some(EVERY_PORT.to_owned()),
        time: time.unwrap_or(sighting.time),
        ..sighting
    }
}
