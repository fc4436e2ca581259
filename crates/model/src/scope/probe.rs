//! Probes: what may be sent, one kind of question each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What may be sent. The text form stands in scope documents: never rename, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Probe {
    /// Open a connection (or send a SYN), send nothing, listen.
    Connect,
    /// TLS ClientHello and handshake.
    Tls,
    /// Two further TLS ClientHellos to a server that speaks TLS: does it take hybrid groups, does it take old versions.
    TlsOffers,
    /// HTTP GET of `/` and of the icon of that page.
    Http,
    /// SSH key exchange up to the host key.
    Ssh,
    /// RTSP OPTIONS.
    Rtsp,
    /// MQTT CONNECT without credentials; no subscription.
    Mqtt,
    /// Redis PING and INFO.
    Redis,
    /// Refusal of every Telnet option that a service asks for.
    Line,
    /// DNS version.bind, and a question for `localhost` whose answer tells whether the server resolves for us.
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
    /// Modbus read device identification, at the ports of [`Probe::home_ports`] and those that a scope names for it.
    Modbus,
    /// memcached `version`.
    Memcached,
    /// PostgreSQL SSLRequest, and a start-up packet of a version that no server has, which is refused.
    Postgresql,
    /// LDAP search of the root entry, anonymous, without a bind.
    Ldap,
    /// SMB2 NEGOTIATE; no session.
    Smb,
    /// AMQP 0-9-1 protocol header; no login.
    Amqp,
    /// IRC NICK, USER and QUIT without a password: the welcome names the server.
    Irc,
    /// XMPP stream opening and closing; no login.
    Xmpp,
    /// SIP OPTIONS, forwarded by nobody.
    Sip,
    /// beanstalkd `stats`.
    Beanstalk,
    /// Network UPS Tools `VER`.
    Nut,
    /// EtherNet/IP ListIdentity, without a session; at home ports like Modbus.
    Enip,
    /// BACnet/IP ReadProperty of the device object's names and revisions; at home ports like Modbus.
    Bacnet,
    /// S7 communication: the system status lists that identify modules and components; at home ports like Modbus.
    S7,
    /// OPC UA GetEndpoints over a channel without security, no session; at home ports like Modbus.
    OpcUa,
    /// IEC 60870-5-104 TESTFR; no STARTDT; at home ports like Modbus.
    Iec104,
    /// DNP3 request of the link status; at home ports like Modbus.
    Dnp3,
    /// OMRON FINS controller data read; at home ports like Modbus.
    Fins,
    /// SLMP (MELSEC) read type name; at home ports like Modbus.
    Slmp,
    /// KNXnet/IP description request; no tunnel; at home ports like Modbus.
    Knx,
    /// RDP connection request; a TLS handshake where the server wants one, no session.
    Rdp,
    /// VNC: the version that a server offered, so that it tells its kinds of security; none is chosen.
    Vnc,
    /// IPMI Get Channel Authentication Capabilities; no session.
    Ipmi,
    /// PPTP Start-Control-Connection and its end; no call.
    Pptp,
    /// L2TP Start-Control-Connection and its end; no call.
    L2tp,
    /// mDNS, by unicast: which kinds of services there are.
    Mdns,
    /// Android Debug Bridge connection message; no key, no stream.
    Adb,
    /// IKE: the first message of an exchange that never goes on, in version 2, in version 1 to who wants that.
    Ike,
    /// WS-Discovery Probe by unicast; nothing is resolved or fetched.
    WsDiscovery,
    /// MongoDB `isMaster` and `buildInfo`; no database is listed.
    Mongodb,
    /// MikroTik's RouterOS API: `/quit`, without a login.
    Routeros,
}

/// Every probe with its name in documents.
const PROBES: &[(Probe, &str)] = &[
    (Probe::Connect, "connect"),
    (Probe::Tls, "tls"),
    (Probe::TlsOffers, "tls-offers"),
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
    (Probe::Memcached, "memcached"),
    (Probe::Postgresql, "postgresql"),
    (Probe::Ldap, "ldap"),
    (Probe::Smb, "smb"),
    (Probe::Amqp, "amqp"),
    (Probe::Irc, "irc"),
    (Probe::Xmpp, "xmpp"),
    (Probe::Sip, "sip"),
    (Probe::Beanstalk, "beanstalk"),
    (Probe::Nut, "nut"),
    (Probe::Enip, "enip"),
    (Probe::Bacnet, "bacnet"),
    (Probe::S7, "s7"),
    (Probe::OpcUa, "opc-ua"),
    (Probe::Iec104, "iec104"),
    (Probe::Dnp3, "dnp3"),
    (Probe::Fins, "fins"),
    (Probe::Slmp, "slmp"),
    (Probe::Knx, "knx"),
    (Probe::Rdp, "rdp"),
    (Probe::Vnc, "vnc"),
    (Probe::Ipmi, "ipmi"),
    (Probe::Pptp, "pptp"),
    (Probe::L2tp, "l2tp"),
    (Probe::Mdns, "mdns"),
    (Probe::Adb, "adb"),
    (Probe::Ike, "ike"),
    (Probe::WsDiscovery, "ws-discovery"),
    (Probe::Mongodb, "mongodb"),
    (Probe::Routeros, "routeros-api"),
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

    /// The only ports at which it may be sent unless a scope names others; `None`: at every port.
    ///
    /// Modbus has no way of saying "that is not me". A gateway passes what it gets on to a serial line, and many a
    /// controller has room for one connection, which is then missing where the work is done. Who does not speak it gets
    /// eleven bytes of nonsense. So it is asked where it is at home and where somebody who knows the devices says so.
    /// The same holds for every other language of plant, building and energy control.
    pub const fn home_ports(self) -> Option<&'static [u16]> {
        match self {
            Self::Modbus => Some(&[502]),
            Self::Enip => Some(&[44818]),
            Self::Bacnet => Some(&[47808]),
            Self::S7 => Some(&[102]),
            Self::OpcUa => Some(&[4840]),
            Self::Iec104 => Some(&[2404]),
            Self::Dnp3 => Some(&[20000]),
            Self::Fins => Some(&[9600]),
            Self::Slmp => Some(&[5006, 5007]),
            Self::Knx => Some(&[3671]),
            _ => None,
        }
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
