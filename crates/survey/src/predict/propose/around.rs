//! The hosts of one network of which everything is known: what they say of an address beside them.
//!
//! The silences of one address speak of the same device, or of none: to multiply what each says alone would count it many
//! times, and to take the strongest leaves an address that was silent five times nearly as likely as one that was silent
//! once. So it is counted: how many here are silent at the same ports, and how many of these have the port that is
//! asked about. The same where something answers: of the neighbours those are asked that speak the same there.

use std::sync::Arc;

use super::super::code;
use super::super::known::Host;
use super::super::model::Model;

/// Hosts of one network at most.
const MAX_HOSTS: usize = 256;

/// Weight of what is thought otherwise against the neighbours of the same kind, in hosts.
const PRIOR_ALIKE: f64 = 2.0;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Around {
    hosts: Vec<Neighbour>,
}

#[derive(Debug)]
struct Neighbour {
    ports: Vec<u32>,
    things: Vec<(u32, Arc<str>)>,
}

impl Neighbour {
    fn of(host: &Host) -> Self {
        let port = |one: &super::Known| code((one.key.transport, one.key.port));
        let things = host.services.iter().filter_map(|one| Some((port(one), one.product.clone()?)));
        Self { ports: host.services.iter().map(port).collect(), things: things.collect() }
    }

    fn is_silent(&self, at: &[(u32, f64)]) -> bool {
        !at.iter().any(|(port, _)| self.ports.contains(port))
    }
}

impl Around {
    /// One more host of which everything is known.
    pub(super) fn take(&mut self, host: &Host) {
        if self.hosts.len() < MAX_HOSTS {
            self.hosts.push(Neighbour::of(host));
        }
    }

    /// How likely a port is open at an address that is silent at these, of so many addresses that were asked; `otherwise`
    /// is what else is thought of it.
    pub(super) fn rate(&self, port: u32, silent: &[(u32, f64)], addresses: u64, otherwise: f64) -> f64 {
        if silent.is_empty() {
            return otherwise;
        }
        let (alike, other): (Vec<_>, Vec<_>) = self.hosts.iter().partition(|host| host.is_silent(silent));
        let hits = alike.iter().filter(|host| host.ports.contains(&port)).count();
        let of = addresses.saturating_sub(other.len() as u64);
        Model::in_network(u32::try_from(hits).unwrap_or(u32::MAX), of, otherwise)
    }

    /// How likely a port is open at a host that is silent at these, by its neighbours that have something of it: the same
    /// product at the same port, or, where it tells none, an open port.
    pub(super) fn at_host(&self, host: &Host, port: u32, silent: &[(u32, f64)], otherwise: f64) -> f64 {
        let own = Neighbour::of(host);
        let alike = |other: &&Neighbour| match own.things.is_empty() {
            true => own.ports.iter().any(|port| other.ports.contains(port)),
            false => own.things.iter().any(|thing| other.things.contains(thing)),
        };
        let (mut hits, mut of) = (0.0, 0.0);
        for other in self.hosts.iter().filter(alike).filter(|other| other.is_silent(silent)) {
            of += 1.0;
            hits += if other.ports.contains(&port) { 1.0 } else { 0.0 };
        }
        (hits + PRIOR_ALIKE * otherwise) / (of + PRIOR_ALIKE)
    }
}
