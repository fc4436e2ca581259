//! A scope: who permits which probes against which ranges, how fast, when, and who answers the phone.
//!
//! [`Scope::decide`] is the whole law of sending in one pure function. Rules are asked in the order of [`Rule`] and the
//! first that speaks wins, so exclusions and reserved ranges beat every permission. Default is refusal. How a scope is
//! written, signed and guarded at the socket is `survey::scope`'s business.

mod hours;
mod ports;
mod reserved;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use hours::{Hours, HoursError};
pub use ports::{PortSet, PortsError};
pub use reserved::{Reserved, reserved};

use crate::address::Transport;
use crate::time::Timestamp;

/// What may be sent. The text form stands in scope documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Probe {
    /// Open a connection (or send a SYN), send nothing, listen.
    Connect,
    /// TLS ClientHello and handshake.
    Tls,
    /// HTTP GET of `/` and of a favicon.
    Http,
    /// SSH key exchange up to the host key.
    Ssh,
    /// RTSP OPTIONS.
    Rtsp,
    /// MQTT CONNECT without credentials; no subscription.
    Mqtt,
    /// Redis PING and INFO.
    Redis,
    /// One empty line, or the protocol's own greeting (FTP, SMTP, Telnet and others that speak in lines).
    Line,
    /// DNS version.bind and a recursion question.
    Dns,
    /// NTP client request; never monlist.
    Ntp,
    /// SNMP v3 engine discovery; no community.
    Snmp,
    /// SSDP search and the device description it points to, if that is inside the scope.
    Ssdp,
    /// CoAP GET /.well-known/core.
    Coap,
    /// ECHONET Lite Get of the node profile.
    EchonetLite,
    /// Modbus read device identification.
    Modbus,
}

/// Every probe with its name in documents.
const PROBES: &[(Probe, &str)] = &[
    (Probe::Connect, "connect"),
    (Probe::Tls, "tls"),
    (Probe::Http, "http"),
    (Probe::Ssh, "ssh"),
    (Probe::Rtsp, "rtsp"),
    (Probe::Mqtt, "mqtt"),
    (Probe::Redis, "redis"),
    (Probe::Line, "line"),
    (Probe::Dns, "dns"),
    (Probe::Ntp, "ntp"),
    (Probe::Snmp, "snmp"),
    (Probe::Ssdp, "ssdp"),
    (Probe::Coap, "coap"),
    (Probe::EchonetLite, "echonet-lite"),
    (Probe::Modbus, "modbus"),
];

impl Probe {
    /// Every probe.
    pub fn all() -> impl Iterator<Item = Self> {
        PROBES.iter().map(|(probe, _)| *probe)
    }

    /// The name in documents.
    pub fn name(self) -> &'static str {
        PROBES.iter().find(|(probe, _)| *probe == self).map_or("connect", |(_, name)| name)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no probe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no probe; probes are {}", Probe::all().map(Probe::name).collect::<Vec<_>>().join(", "))]
pub struct UnknownProbe {
    /// What was given.
    pub name: String,
}

impl FromStr for Probe {
    type Err = UnknownProbe;

    fn from_str(text: &str) -> Result<Self, UnknownProbe> {
        let found = Self::all().find(|probe| probe.name() == text);
        found.ok_or_else(|| UnknownProbe { name: text.chars().take(64).collect() })
    }
}

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
    /// Before the scope is valid.
    NotYetValid,
    /// After the scope ended.
    Expired,
    /// Outside the permitted hours.
    Hours,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptOut { prefix } => write!(f, "opted out: {prefix} is on the opt-out list"),
            Self::Reserved { block } => write!(f, "reserved: {} is {}", block.prefix, block.name),
            Self::Excluded { prefix } => write!(f, "excluded: the scope excludes {prefix}"),
            Self::OutsideRanges => f.write_str("outside: no range of the scope contains the address"),
            Self::Port => f.write_str("port: the scope does not permit this port"),
            Self::Probe => f.write_str("probe: the scope does not permit this probe"),
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
