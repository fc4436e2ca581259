//! What is known: services, one by one and host by host.

use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{ServiceKey, Severity, Timestamp};

use super::MAX_OPEN;

/// A service that answered, with what helps to tell what stands beside it and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub key: ServiceKey,
    /// When it first answered.
    pub first_seen: Timestamp,
    /// When it last did.
    pub last_seen: Timestamp,
    /// What it is: product, or else protocol. Said by a stranger; only compared and shown.
    pub product: Option<Arc<str>>,
    /// What sort of device, or else protocol.
    pub kind: Option<Arc<str>>,
    /// AS number of the address, if known.
    pub asn: Option<u32>,
    /// How much it matters, by what stands out.
    pub severity: Severity,
    /// Whether it is plant, building or energy control, which is asked gently.
    pub plant: bool,
}

/// The services of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Where.
    pub address: IpAddr,
    /// At most [`MAX_OPEN`].
    pub services: Vec<Known>,
    /// Whether it has more: then it is no host but something that answers at every port.
    pub pretends: bool,
}

/// Puts services that come in order of address together to hosts.
#[derive(Debug, Default)]
pub struct Hosts {
    host: Option<Host>,
}

impl Hosts {
    /// Takes a service; gives the host before it when that is complete.
    pub fn take(&mut self, service: Known) -> Option<Host> {
        match &mut self.host {
            Some(host) if host.address == service.key.address => {
                match host.services.len() < MAX_OPEN {
                    true => host.services.push(service),
                    false => host.pretends = true,
                }
                None
            }
            _ => {
                let address = service.key.address;
                self.host.replace(Host { address, services: vec![service], pretends: false })
            }
        }
    }

    /// The last host.
    pub const fn end(&mut self) -> Option<Host> {
        self.host.take()
    }
}

/// The networks of an address: the near one (/24 or /64) and the wide one (/16 or /48), as numbers.
pub(super) fn networks(address: IpAddr) -> (u64, u64) {
    match address {
        IpAddr::V4(v4) => (u64::from(u32::from(v4) >> 8), u64::from(u32::from(v4) >> 16)),
        IpAddr::V6(v6) => {
            let high = u64::try_from(u128::from(v6) >> 64).unwrap_or(u64::MAX);
            (high, high >> 16)
        }
    }
}
