//! A scope: who permits which probes against which ranges, how fast, when, and who answers the phone.
//!
//! [`Scope::decide`] is the whole law of sending in one pure function. Rules are asked in the order of [`Rule`] and the
//! first that speaks wins, so exclusions and reserved ranges beat every permission. Default is refusal. How a scope is
//! written, signed and guarded at the socket is `survey::scope`'s business.

mod hours;
mod ports;
mod probe;
mod reserved;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use hours::{Hours, HoursError};
pub use ports::{PortSet, PortsError};
pub use probe::{Probe, UnknownProbe};
pub use reserved::{Reserved, is_public, reserved, reserved_blocks, reserved_in};

use crate::address::Transport;
use crate::time::Timestamp;

/// Who authorises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The organisation that has the right to permit this.
    pub organisation: String,
    /// The person who decided.
    pub person: String,
    /// Contract, decision or law it rests on.
    #[serde(default)]
    pub reference: String,
}

/// Who answers when something goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Mail address that is read.
    pub email: String,
    /// Telephone that is answered during the survey.
    #[serde(default)]
    pub phone: String,
    /// Page that says who surveys, why and how to stop it.
    #[serde(default)]
    pub page: String,
}

/// Upper bounds on sending. Zero is refused when a document is read: it would permit nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Packets or connections a second in total.
    pub total_pps: u32,
    /// The same to one /24 (IPv4) or /48 (IPv6).
    pub per_prefix_pps: u32,
    /// The same to one address.
    pub per_host_pps: u32,
    /// Connections to one address at the same time.
    pub per_host_connections: u16,
}

/// An authorisation. Its parts have been checked: see `survey::scope` for documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// Who authorises.
    pub authority: Authority,
    /// Who answers.
    pub contact: Contact,
    /// What may be probed.
    pub ranges: Vec<IpNet>,
    /// What may not, though it lies in a range.
    pub exclude: Vec<IpNet>,
    /// TCP ports.
    pub tcp: PortSet,
    /// UDP ports.
    pub udp: PortSet,
    /// What may be sent.
    pub probes: Vec<Probe>,
    /// Ports at which the owner says that a probe's protocol is spoken: it is asked there first, and may be sent there
    /// though it is not at home ([`Probe::home_ports`]).
    pub probe_ports: Vec<(Probe, PortSet)>,
    /// How fast.
    pub rate: Rate,
    /// At which hours of the day.
    pub hours: Hours,
    /// Not before.
    pub valid_from: Timestamp,
    /// Not at or after.
    pub valid_until: Timestamp,
}

/// What one wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// To whom.
    pub address: IpAddr,
    /// To which port.
    pub port: u16,
    /// Over what.
    pub transport: Transport,
    /// What one would send.
    pub probe: Probe,
    /// When.
    pub time: Timestamp,
}

/// The rules, in the order they are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "rule")]
#[non_exhaustive]
pub enum Rule {
    /// Someone asked not to be probed.
    OptOut {
        /// The entry of the opt-out list.
        prefix: IpNet,
    },
    /// The address is reserved and never a target, or not named by a range of its own block.
    Reserved {
        /// The block and why.
        block: Reserved,
    },
    /// The scope itself excludes it.
    Excluded {
        /// The entry.
        prefix: IpNet,
    },
    /// In no range of the scope.
    OutsideRanges,
    /// The port is not in the scope.
    Port,
    /// The probe is not in the scope.
    Probe,
    /// The probe is in the scope, but the port is neither its own nor named for it.
    ProbePort,
    /// Before the scope is valid.
    NotYetValid,
    /// After the scope ended.
    Expired,
    /// Outside the permitted hours.
    Hours,
    /// Taken back by who answers for it.
    Revoked,
}

impl Rule {
    /// Whether it speaks of the moment and not of the target.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::NotYetValid | Self::Expired | Self::Hours | Self::Revoked)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptOut { prefix } => write!(f, "opted out: {prefix} is on the opt-out list"),
            Self::Reserved { block } => write!(f, "reserved: {} is {}", block.prefix, block.name),
            Self::Excluded { prefix } => write!(f, "excluded: the scope excludes {prefix}"),
            Self::Revoked => f.write_str("revoked: the scope was taken back"),
            Self::OutsideRanges => f.write_str("outside: no range of the scope contains the address"),
            Self::Port => f.write_str("port: the scope does not permit this port"),
            Self::Probe => f.write_str("probe: the scope does not permit this probe"),
            Self::ProbePort => f.write_str("probe: the scope does not name this port for this probe"),
            Self::NotYetValid => f.write_str("validity: the scope is not valid yet"),
            Self::Expired => f.write_str("validity: the scope has ended"),
            Self::Hours => f.write_str("hours: the scope does not permit this hour of the day"),
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May be sent; the range that permits it.
    Allowed {
        /// The range of the scope.
        range: IpNet,
    },
    /// May not be sent; the first rule that forbids it.
    Refused(Rule),
}

impl Scope {
    /// Whether this may be sent. `opt_out` is the list of those who asked not to be probed, and always wins.
    pub fn decide(&self, request: &Request, opt_out: &[IpNet]) -> Verdict {
        match self.first_objection(request, opt_out) {
            Ok(range) => Verdict::Allowed { range },
            Err(rule) => Verdict::Refused(rule),
        }
    }

    /// The same for the address alone: whether anything at all may be sent to it, whatever port, probe and time.
    ///
    /// # Errors
    /// The first rule that forbids it.
    pub fn permits_address(&self, asked: IpAddr, opt_out: &[IpNet]) -> Result<IpNet, Rule> {
        let address = asked.to_canonical();
        let holds = |prefix: &&IpNet| prefix.contains(&address);
        if let Some(prefix) = opt_out.iter().find(holds) {
            return Err(Rule::OptOut { prefix: *prefix });
        }
        let range = self.ranges.iter().find(holds).copied();
        if let Some(block) = reserved(address, range) {
            return Err(Rule::Reserved { block });
        }
        if let Some(prefix) = self.exclude.iter().find(holds) {
            return Err(Rule::Excluded { prefix: *prefix });
        }
        range.ok_or(Rule::OutsideRanges)
    }

    /// The probes for which the owner names this port.
    pub fn named_at(&self, port: u16) -> impl Iterator<Item = Probe> {
        self.probe_ports.iter().filter(move |(_, ports)| ports.contains(port)).map(|(probe, _)| *probe)
    }

    fn is_at_home(&self, probe: Probe, port: u16) -> bool {
        probe.home_ports().is_none_or(|ports| ports.contains(&port)) || self.named_at(port).any(|named| named == probe)
    }

    fn first_objection(&self, request: &Request, opt_out: &[IpNet]) -> Result<IpNet, Rule> {
        let range = self.permits_address(request.address, opt_out)?;
        let ports = match request.transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        };
        if !ports.contains(request.port) {
            return Err(Rule::Port);
        }
        if !self.probes.contains(&request.probe) {
            return Err(Rule::Probe);
        }
        if !self.is_at_home(request.probe, request.port) {
            return Err(Rule::ProbePort);
        }
        if request.time < self.valid_from {
            return Err(Rule::NotYetValid);
        }
        if request.time >= self.valid_until {
            return Err(Rule::Expired);
        }
        if !self.hours.contains(request.time) {
            return Err(Rule::Hours);
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests;
