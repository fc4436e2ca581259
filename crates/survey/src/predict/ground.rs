//! The ground on which something may be sent: what scope and opt-out list leave, address by address and port by port.

use std::net::IpAddr;

use hinomi_model::address::to_u128;
use hinomi_model::scope::Scope;
use hinomi_model::{ServiceKey, Transport};
use ipnet::IpNet;

use super::{code, port_of};
use crate::campaign::forecast::{Spans, left_of, sends_at};
use crate::config::Config;

/// See the module.
#[derive(Clone, Debug)]
pub struct Ground {
    left: Spans,
    /// Those to which the scope lets anything be sent, sorted.
    ports: Vec<u32>,
}

impl Ground {
    /// What this scope and this opt-out list leave.
    pub fn new(scope: &Scope, opt_out: &[IpNet]) -> Self {
        let all = scope.tcp.iter().map(|port| (Transport::Tcp, port));
        let all = all.chain(scope.udp.iter().map(|port| (Transport::Udp, port)));
        let config = Config::default();
        let ports = all.filter(|port| sends_at(scope, *port, &config)).map(code).collect();
        Self { left: left_of(scope, opt_out), ports }
    }

    /// Whether anything may be sent there.
    pub fn permits(&self, key: ServiceKey) -> bool {
        self.permits_address(key.address) && self.permits_port(code((key.transport, key.port)))
    }

    pub(super) fn permits_address(&self, address: IpAddr) -> bool {
        self.left.hold(address.is_ipv6(), to_u128(address))
    }

    pub(super) fn permits_port(&self, port: u32) -> bool {
        self.ports.binary_search(&port).is_ok()
    }

    /// Its ports.
    pub fn ports(&self) -> impl ExactSizeIterator<Item = (Transport, u16)> + '_ {
        self.ports.iter().map(|port| port_of(*port))
    }

    /// How many addresses.
    pub fn addresses(&self) -> u64 {
        self.left.count()
    }

    /// Disjoint runs of addresses, rising: whether IPv6, first number, number after the last.
    pub(super) fn runs(&self) -> &[(bool, u128, u128)] {
        self.left.runs()
    }
}
