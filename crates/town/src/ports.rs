//! Which real port stands for which natural one.
//!
//! A natural port is what the persona's file says. Where every host has an address of its own, one table serves all;
//! where hosts share 127.0.0.1, each has a block of ports.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hinomi_model::Transport;
use serde::{Deserialize, Serialize};

use crate::config::PortPlan;

/// How far [`PortPlan::High`] moves a port.
const HIGH_STEP: u16 = 20_000;
/// Ports from here on would leave the range when moved up, and are moved down.
const HIGH_FROM: u16 = 45_536;
/// Where the next free port is looked for: so far on, and so many times.
const NEXT_STEP: u16 = 100;
const NEXT_TRIES: u16 = 24;
/// First block of a host that shares 127.0.0.1, and ports in a block.
pub(crate) const BLOCK_FIRST: u16 = 24_000;
pub(crate) const BLOCK_PORTS: u16 = 16;
/// Ports of a host with every port open, where it has only a block.
pub(crate) const BLOCK_EVERY_PORT: usize = 8;

/// A natural port of one host (shared addresses) or of all (`None`).
type Key = (Option<Ipv4Addr>, Transport, u16);

/// A port that is open somewhere: what the persona's file says, and where it really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealPort {
    /// The host that has it to itself, where hosts share 127.0.0.1.
    pub host: Option<Ipv4Addr>,
    /// `tcp` or `udp`.
    pub transport: Transport,
    /// The service's own port.
    pub natural: u16,
    /// The port it listens on.
    pub real: u16,
}

/// Natural to real.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortMap(BTreeMap<Key, u16>);

impl PortMap {
    /// Notes where a natural port really is.
    pub(crate) fn set(&mut self, host: Option<Ipv4Addr>, transport: Transport, natural: u16, real: u16) {
        self.0.insert((host, transport, natural), real);
    }

    /// Every port that is noted.
    pub(crate) fn list(&self) -> Vec<RealPort> {
        let entry = |(&(host, transport, natural), &real): (&Key, &u16)| RealPort { host, transport, natural, real };
        self.0.iter().map(entry).collect()
    }

    /// The table that [`PortMap::list`] listed.
    pub(crate) fn of(list: &[RealPort]) -> Self {
        Self(list.iter().map(|port| ((port.host, port.transport, port.natural), port.real)).collect())
    }

    /// The real port; the natural one where nothing is noted.
    pub(crate) fn real(&self, host: Option<Ipv4Addr>, transport: Transport, natural: u16) -> u16 {
        self.0.get(&(host, transport, natural)).copied().unwrap_or(natural)
    }
}

/// A port moved out of the range that needs privilege.
pub(crate) const fn high(natural: u16) -> u16 {
    if natural < HIGH_FROM { natural + HIGH_STEP } else { natural - HIGH_STEP }
}

/// The ports to try for a natural one, in order. 0 is whatever the system gives.
pub(crate) fn candidates(plan: PortPlan, natural: u16) -> Vec<u16> {
    let next = (0..NEXT_TRIES).map(|step| high(natural).saturating_add(step * NEXT_STEP));
    match plan {
        PortPlan::Auto => std::iter::once(natural).chain(next).collect(),
        PortPlan::High => next.collect(),
        PortPlan::Free => vec![0],
    }
}

/// The port that is taken for granted until sockets are open.
pub(crate) fn expected(plan: PortPlan, natural: u16) -> u16 {
    candidates(plan, natural).first().copied().filter(|port| *port > 0).unwrap_or(natural)
}
