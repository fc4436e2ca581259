//! The hosts of one network of which everything is known: what they say of an address beside them.
//!
//! The silences of one address speak of the same device, or of none: to multiply what each says alone would count it many
//! times, and to take the strongest leaves an address that was silent five times nearly as likely as one that was silent
//! once. So it is counted: how many here are silent at the same ports, and how many of these have the port that is
//! asked about. The same where something answers: of the neighbours those are asked that speak the same there.

use std::net::IpAddr;
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
    address: IpAddr,
    ports: Vec<u32>,
    things: Vec<(u32, Arc<str>)>,
}

impl Neighbour {
    fn of(host: &Host) -> Self {
        let port = |one: &super::Known| code((one.key.transport, one.key.port));
        let things = host.services.iter().filter_map(|one| Some((port(one), one.product.clone()?)));
        Self { address: host.address, ports: host.services.iter().map(port).collect(), things: things.collect() }
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

    /// The neighbours of a host that have something of it: the same product at the same port, or, where it tells none,
    /// an open port. The host itself is none of them. They are the same for every port that is asked about.
    pub(super) fn alike(&self, host: &Host) -> Alike<'_> {
        let own = Neighbour::of(host);
        let is_alike = |other: &&Neighbour| match own.things.is_empty() {
            true => own.ports.iter().any(|port| other.ports.contains(port)),
            false => own.things.iter().any(|thing| other.things.contains(thing)),
        };
        let others = self.hosts.iter().filter(|other| other.address != own.address);
        Alike { hosts: others.filter(is_alike).collect() }
    }
}

/// The neighbours of one host that are like it.
#[derive(Debug)]
pub(super) struct Alike<'a> {
    hosts: Vec<&'a Neighbour>,
}

impl Alike<'_> {
    /// Those that are silent at these, as the host is.
    pub(super) fn silent_at(mut self, silent: &[(u32, f64)]) -> Self {
        self.hosts.retain(|host| host.is_silent(silent));
        self
    }

    /// How likely a port is open at the host; `otherwise` is what else is thought of it.
    pub(super) fn rate(&self, port: u32, otherwise: f64) -> f64 {
        let (mut hits, mut of) = (0.0, 0.0);
        for other in &self.hosts {
            of += 1.0;
            hits += if other.ports.contains(&port) { 1.0 } else { 0.0 };
        }
        (hits + PRIOR_ALIKE * otherwise) / (of + PRIOR_ALIKE)
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::{Severity, Timestamp, Transport};

    use super::*;
    use crate::predict::Known;
    use crate::predict::world::tcp;

    fn host(number: u32, ports: &[u16]) -> Host {
        let time: Timestamp = "2026-11-01".parse().expect("a time");
        let known = |port: &u16| Known {
            key: tcp(number, *port),
            first_seen: time,
            last_seen: time,
            product: Some("x".into()),
            kind: None,
            asn: None,
            severity: Severity::Info,
            plant: false,
        };
        Host { address: tcp(number, 0).address, services: ports.iter().map(known).collect(), pretends: false }
    }

    #[test]
    fn a_host_is_no_neighbour_of_its_own() {
        let hosts = [host(1, &[80, 443]), host(2, &[80, 443]), host(3, &[80]), host(4, &[22])];
        let mut around = Around::default();
        hosts.iter().for_each(|host| around.take(host));
        let port = code((Transport::Tcp, 443));
        let alike = around.alike(&hosts[2]);
        assert!((alike.rate(port, 0.5) - 0.75).abs() < 1e-9, "two of two: {alike:?}");
        let alike = alike.silent_at(&[(port, 0.5)]);
        assert!((alike.rate(port, 0.5) - 0.5).abs() < 1e-9, "nobody is left: {alike:?}");
    }
}
