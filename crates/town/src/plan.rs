//! The town without its sockets: who lives where, and what is true of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::scope::PortSet;
use hinomi_model::{Timestamp, Transport};
use ipnet::IpNet;

use crate::catalog;
use crate::config::{Layout, SINGLE_HOSTS_MAX, TownConfig};
use crate::error::TownError;
use crate::filter::{self, Instruction};
use crate::host::Host;
use crate::operators;
use crate::persona::{Fault, Persona, Service, Variant};
use crate::population::Population;
use crate::ports::{self, PortMap, RealPort};
use crate::template::Vars;
use crate::truth::Truth;

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// A town on one day. Cheap to make; says the ports that are expected until [`crate::Running::plan`] knows the real
/// ones.
#[derive(Clone, Debug)]
pub struct Plan {
    config: TownConfig,
    population: Population,
    ports: PortMap,
}

/// Something of a host that can be connected to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    /// `None`: a port of a host that has every port open.
    pub(crate) service: Option<&'static Service>,
    pub(crate) transport: Transport,
    pub(crate) natural: u16,
}

impl Plan {
    /// The town of this configuration.
    ///
    /// # Errors
    /// When size or base cannot be, or a persona's file is broken.
    pub fn new(config: TownConfig) -> Result<Self, TownError> {
        config.check()?;
        let population = Population::new(&config)?;
        let mut plan = Self { config, population, ports: PortMap::default() };
        plan.expect_ports();
        Ok(plan)
    }

    /// What the town was made from.
    pub const fn config(&self) -> &TownConfig {
        &self.config
    }

    /// Every address of the town, as prefixes.
    pub fn prefixes(&self) -> Vec<IpNet> {
        match self.is_single() {
            true => vec![IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST))],
            false => operators::prefixes(self.config.base, self.config.size),
        }
    }

    /// Who is said to run which prefix: prefix, AS number, name, country, prefecture. A small stand-in for a registry.
    pub fn operators(&self) -> Vec<(IpNet, u32, String, &'static str, String)> {
        match self.is_single() {
            true => operators::operators(Ipv4Addr::LOCALHOST, 1),
            false => operators::operators(self.config.base, self.config.size),
        }
    }

    /// Every TCP port that is open somewhere.
    pub fn tcp_ports(&self) -> PortSet {
        self.open_ports(Transport::Tcp)
    }

    /// Every UDP port that is open somewhere.
    pub fn udp_ports(&self) -> PortSet {
        self.open_ports(Transport::Udp)
    }

    /// Where the ports of the town really are, for whoever wants to tell the truth of a running town from elsewhere.
    pub fn real_ports(&self) -> Vec<RealPort> {
        self.ports.list()
    }

    /// The same town with its ports there.
    #[must_use]
    pub fn at_real_ports(self, ports: &[RealPort]) -> Self {
        self.with_ports(PortMap::of(ports))
    }

    /// What a perfect survey would find today, by address.
    pub fn truth(&self) -> impl Iterator<Item = Truth> + '_ {
        self.hosts().flat_map(|host| self.truth_of(&host))
    }

    /// The simulated present: midnight UTC of today.
    pub(crate) fn today(&self) -> Timestamp {
        let micros = i64::from(self.config.day).saturating_mul(DAY_MICROS);
        Timestamp::from_micros(self.config.today.as_micros().saturating_add(micros))
    }

    /// Whether hosts share 127.0.0.1.
    pub(crate) fn is_single(&self) -> bool {
        self.config.layout == Layout::Single
    }

    /// How many addresses have somebody.
    fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let size = if self.is_single() { self.config.size.min(SINGLE_HOSTS_MAX) } else { self.config.size };
        let base = u32::from(self.config.base);
        (0..size).map(move |offset| Ipv4Addr::from(base + offset))
    }

    /// Everybody who is at home.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = Host> + '_ {
        self.addresses().filter_map(|address| self.host(address))
    }

    /// Who lives at an address and is at home.
    pub(crate) fn host(&self, address: Ipv4Addr) -> Option<Host> {
        let offset = u32::from(address).checked_sub(u32::from(self.config.base))?;
        if offset >= self.config.size {
            return None;
        }
        let piece = self.population.piece_of(address)?;
        Host::new(self.config.seed, self.config.day, address, piece.persona, piece.variant?)
    }

    /// Where a host is reached.
    pub(crate) fn reached(&self, host: &Host) -> Ipv4Addr {
        if self.is_single() { Ipv4Addr::LOCALHOST } else { host.address }
    }

    /// Everything of a host that can be connected to.
    pub(crate) fn endpoints(&self, host: &Host) -> Vec<Endpoint> {
        if !host.is_every_port() {
            let endpoint = |(service, natural): (&'static Service, u16)| Endpoint {
                service: Some(service),
                transport: service.transport,
                natural,
            };
            return host.services().map(endpoint).collect();
        }
        let most = if self.is_single() { ports::BLOCK_EVERY_PORT } else { usize::MAX };
        let every = self.natural_ports(Transport::Tcp).into_iter().take(most);
        every.map(|natural| Endpoint { service: None, transport: Transport::Tcp, natural }).collect()
    }

    /// The real port of a natural one of this host.
    pub(crate) fn real_port(&self, host: &Host, transport: Transport, natural: u16) -> u16 {
        self.ports.real(self.port_owner(host), transport, natural)
    }

    /// The key of a host's ports: itself where it has a block of its own.
    pub(crate) fn port_owner(&self, host: &Host) -> Option<Ipv4Addr> {
        self.is_single().then_some(host.address)
    }

    /// Replaces what was expected by what is.
    pub(crate) fn with_ports(mut self, ports: PortMap) -> Self {
        self.ports = ports;
        self
    }

    /// The same town on another day, with the same real ports.
    pub(crate) fn on_day(&self, day: u32) -> Result<Self, TownError> {
        let config = TownConfig { day, ..self.config.clone() };
        let later = Self::new(config)?;
        Ok(if self.is_single() { later } else { later.with_ports(self.ports.clone()) })
    }

    /// What a host's texts may name, ports included.
    pub(crate) fn vars(&self, host: &Host) -> Vars {
        let mut vars = host.vars();
        vars.insert("address".into(), self.reached(host).to_string());
        for (service, natural) in host.services() {
            let real = self.real_port(host, service.transport, natural);
            vars.insert(format!("port.{}", service.name), real.to_string());
        }
        vars
    }

    /// Every natural port that some persona has in some variant.
    pub(crate) fn natural_ports(&self, transport: Transport) -> BTreeSet<u16> {
        let personas = catalog::personas().unwrap_or_default();
        let of_variant = |persona: &'static Persona, variant: &'static Variant| persona.active(variant);
        let all = personas.iter().flat_map(|persona| persona.variants.iter().map(move |variant| (persona, variant)));
        let active = all.flat_map(|(persona, variant)| of_variant(persona, variant));
        active.filter(|(service, _)| service.transport == transport).map(|(_, natural)| natural).collect()
    }

    /// Today's program of a natural TCP port.
    pub(crate) fn filter(&self, natural: u16) -> Result<Vec<Instruction>, TownError> {
        let intervals = self
            .population
            .intervals(|piece| piece.variant.is_some_and(|variant| is_open(piece.persona, variant, natural)));
        let program = filter::program(self.config.base, self.config.size, self.population.key(), &intervals);
        if program.len() > filter::INSTRUCTIONS_MAX {
            let limit = filter::INSTRUCTIONS_MAX;
            return Err(TownError::FilterTooLong { port: natural, instructions: program.len(), limit });
        }
        Ok(program)
    }

    fn truth_of(&self, host: &Host) -> Vec<Truth> {
        let vars = self.vars(host);
        let address = IpAddr::V4(self.reached(host));
        let endpoints = self.endpoints(host).into_iter();
        let tell = |endpoint: Endpoint| {
            let port = self.real_port(host, endpoint.transport, endpoint.natural);
            Truth::of(host, endpoint.service, &vars, address, port)
        };
        endpoints.map(tell).collect()
    }

    fn open_ports(&self, transport: Transport) -> PortSet {
        if !self.is_single() {
            let natural = self.natural_ports(transport).into_iter();
            return natural.map(|port| self.ports.real(None, transport, port)).collect();
        }
        let truth = self.truth().filter(|truth| truth.transport == transport);
        truth.map(|truth| truth.port).collect()
    }

    fn expect_ports(&mut self) {
        let mut expected = PortMap::default();
        if self.is_single() {
            for (host, endpoint, real) in self.blocks() {
                expected.set(Some(host), endpoint.transport, endpoint.natural, real);
            }
        } else {
            for transport in [Transport::Tcp, Transport::Udp] {
                for natural in self.natural_ports(transport) {
                    expected.set(None, transport, natural, ports::expected(self.config.ports, natural));
                }
            }
        }
        self.ports = expected;
    }

    /// Where hosts share 127.0.0.1: each endpoint with the port that its host's block has for it.
    pub(crate) fn blocks(&self) -> Vec<(Ipv4Addr, Endpoint, u16)> {
        let mut placed = Vec::new();
        for host in self.hosts() {
            let offset = u32::from(host.address) - u32::from(self.config.base);
            let block = ports::BLOCK_FIRST + u16::try_from(offset).unwrap_or(0) * ports::BLOCK_PORTS;
            let slots = block..block + ports::BLOCK_PORTS;
            let endpoints = self.endpoints(&host).into_iter().zip(slots);
            placed.extend(endpoints.map(|(endpoint, real)| (host.address, endpoint, real)));
        }
        placed
    }
}

/// Whether hosts of this variant answer at a natural TCP port.
fn is_open(persona: &'static Persona, variant: &'static Variant, natural: u16) -> bool {
    let at_port = |(service, port): (&Service, u16)| service.transport == Transport::Tcp && port == natural;
    variant.fault == Some(Fault::EveryPort) || persona.active(variant).any(at_port)
}

#[cfg(test)]
mod tests;
