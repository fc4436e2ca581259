//! The hosts of one network of which everything is known: what they say of an address beside them.
//!
//! The silences of one address speak of the same device, or of none: to multiply what each says alone would count it many
//! times, and to take the strongest leaves an address that was silent five times nearly as likely as one that was silent
//! once. So it is counted: how many here are silent at the same ports, and how many of these have the port that is
//! asked about. The same where something answers: of the neighbours those are asked that speak the same there.

use std::collections::HashMap;
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
    /// A number for each product that one of them has.
    products: HashMap<Arc<str>, u32>,
}

#[derive(Debug)]
struct Neighbour {
    address: IpAddr,
    /// Each once.
    ports: Vec<u32>,
    /// Port and number of the product.
    things: Vec<(u32, u32)>,
}

impl Neighbour {
    /// With the products that have a number.
    fn of(host: &Host, number: impl Fn(&Arc<str>) -> Option<u32>) -> Self {
        let port = |one: &super::Known| code((one.key.transport, one.key.port));
        let things = host.services.iter().filter_map(|one| Some((port(one), number(one.product.as_ref()?)?)));
        let mut ports: Vec<u32> = host.services.iter().map(port).collect();
        ports.sort_unstable();
        ports.dedup();
        Self { address: host.address, ports, things: things.collect() }
    }

    fn is_silent(&self, at: &[(u32, f64)]) -> bool {
        !at.iter().any(|(port, _)| self.ports.contains(port))
    }
}

impl Around {
    /// One more host of which everything is known.
    pub(super) fn take(&mut self, host: &Host) {
        if self.hosts.len() < MAX_HOSTS {
            for product in host.services.iter().filter_map(|one| one.product.as_ref()) {
                let next = u32::try_from(self.products.len()).unwrap_or(u32::MAX);
                self.products.entry(Arc::clone(product)).or_insert(next);
            }
            self.hosts.push(self.neighbour(host));
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

    fn neighbour(&self, host: &Host) -> Neighbour {
        Neighbour::of(host, |product| self.products.get(product).copied())
    }

    /// The neighbours of a host that have something of it: the same product at the same port, or, where it tells none,
    /// an open port. The host itself is none of them. They are the same for every port that is asked about.
    pub(super) fn alike(&self, host: &Host) -> Alike<'_> {
        let own = self.neighbour(host);
        let tells_none = host.services.iter().all(|one| one.product.is_none());
        let is_alike = |other: &&Neighbour| match tells_none {
            true => own.ports.iter().any(|port| other.ports.contains(port)),
            false => own.things.iter().any(|thing| other.things.contains(thing)),
        };
        let others = self.hosts.iter().filter(|other| other.address != own.address);
        Alike::of(others.filter(is_alike).collect())
    }
}

/// The neighbours of one host that are like it.
#[derive(Debug)]
pub(super) struct Alike<'a> {
    hosts: Vec<&'a Neighbour>,
    /// How many of them have a port open, by port.
    open: Vec<(u32, u32)>,
}

impl<'a> Alike<'a> {
    fn of(hosts: Vec<&'a Neighbour>) -> Self {
        let mut ports: Vec<u32> = hosts.iter().flat_map(|host| &host.ports).copied().collect();
        ports.sort_unstable();
        let runs = ports.chunk_by(|one, other| one == other);
        let open = runs.filter_map(|run| Some((*run.first()?, u32::try_from(run.len()).unwrap_or(u32::MAX)))).collect();
        Self { hosts, open }
    }

    /// Those that are silent at these, as the host is.
    pub(super) fn silent_at(self, silent: &[(u32, f64)]) -> Self {
        let count = self.hosts.len();
        let hosts: Vec<_> = self.hosts.iter().copied().filter(|host| host.is_silent(silent)).collect();
        if hosts.len() == count { self } else { Self::of(hosts) }
    }

    /// How likely a port is open at the host; `otherwise` is what else is thought of it.
    pub(super) fn rate(&self, port: u32, otherwise: f64) -> f64 {
        let hits = self.open.binary_search_by_key(&port, |(one, _)| *one).ok().and_then(|at| self.open.get(at));
        let (hits, of) = (hits.map_or(0, |(_, hits)| *hits), u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        (f64::from(hits) + PRIOR_ALIKE * otherwise) / (f64::from(of) + PRIOR_ALIKE)
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
