//! What an open service means for the one who has it: the few things that people at home can act on.
//!
//! Words for each [`Concern`] are in the catalogues of pages and notices; here is only which one a service is. At a
//! hundred times the data nothing changes here.

use hinomi_model::{DeviceKind, Service};

/// What is open to everybody, in terms of what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// It runs malware or somebody else uses it, as sinkholes, honeypots or others say. A host, not a service.
    Infected,
    /// Remote login without encryption: the way in of most device malware.
    Telnet,
    /// A plant, a building or a meter that takes commands.
    Plant,
    /// A database or cache.
    Database,
    /// A desktop, or the console of a machine.
    Desktop,
    /// A camera or recorder.
    Camera,
    /// Files: shares, transfer, storage.
    Files,
    /// The pages by which a device is set up.
    Admin,
    /// A name server that answers everybody.
    Resolver,
    /// Something that answers more than it is asked, and so can be aimed at others.
    Reflector,
    /// Messages of sensors and homes.
    Messages,
    /// Remote login.
    Login,
    /// A printer.
    Printer,
    /// A telephone system.
    Voice,
    /// The maintenance door of a provider.
    Provider,
    /// A way into a private network; often meant to be there.
    Vpn,
    /// Pages or mail that may be meant for everybody.
    Public,
    /// Something else.
    Other,
}

/// Which protocols are which concern, whatever the device is.
const BY_PROTOCOL: &[(Concern, &[&str])] = &[
    (Concern::Infected, &["infection"]),
    (Concern::Telnet, &["telnet", "rlogin", "rsh"]),
    (
        Concern::Plant,
        &[
            "modbus",
            "bacnet",
            "knx",
            "s7",
            "iec104",
            "iec-104",
            "dnp3",
            "enip",
            "opcua",
            "opc-ua",
            "fox",
            "melsec",
            "omron-fins",
            "fins",
            "echonet-lite",
            "echonet",
            "atg",
        ],
    ),
    (
        Concern::Database,
        &[
            "mysql",
            "postgresql",
            "postgres",
            "redis",
            "mongodb",
            "memcached",
            "elasticsearch",
            "mssql",
            "couchdb",
            "cassandra",
            "oracle",
        ],
    ),
    (Concern::Desktop, &["rdp", "vnc", "x11", "ipmi", "adb"]),
    (Concern::Camera, &["rtsp", "onvif"]),
    (Concern::Files, &["ftp", "tftp", "smb", "nfs", "rsync", "afp", "netbios", "svn"]),
    (
        Concern::Reflector,
        &["ntp", "ssdp", "snmp", "ldap", "cldap", "chargen", "mdns", "upnp", "ws-discovery", "portmap", "quake"],
    ),
    (Concern::Messages, &["mqtt", "coap", "amqp", "nats", "stomp"]),
    (Concern::Login, &["ssh"]),
    (Concern::Printer, &["ipp", "pjl", "lpd", "jetdirect"]),
    (Concern::Voice, &["sip", "h323", "mgcp"]),
    (Concern::Provider, &["cwmp", "tr-069", "tr069"]),
    (Concern::Vpn, &["pptp", "l2tp", "ike", "openvpn", "wireguard"]),
    (Concern::Public, &["smtp", "pop3", "imap"]),
];

/// The port of the maintenance door that providers use (TR-069, Broadband Forum).
const PROVIDER_PORT: u16 = 7547;

impl Concern {
    /// Every one, the most pressing first.
    pub const ALL: [Self; 18] = [
        Self::Infected,
        Self::Telnet,
        Self::Plant,
        Self::Database,
        Self::Desktop,
        Self::Camera,
        Self::Files,
        Self::Admin,
        Self::Resolver,
        Self::Reflector,
        Self::Messages,
        Self::Login,
        Self::Printer,
        Self::Voice,
        Self::Provider,
        Self::Vpn,
        Self::Public,
        Self::Other,
    ];

    /// Its name in keys and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Infected => "infected",
            Self::Telnet => "telnet",
            Self::Plant => "plant",
            Self::Database => "database",
            Self::Desktop => "desktop",
            Self::Camera => "camera",
            Self::Files => "files",
            Self::Admin => "admin",
            Self::Resolver => "resolver",
            Self::Reflector => "reflector",
            Self::Messages => "messages",
            Self::Login => "login",
            Self::Printer => "printer",
            Self::Voice => "voice",
            Self::Provider => "provider",
            Self::Vpn => "vpn",
            Self::Public => "public",
            Self::Other => "other",
        }
    }

    /// Whether it should be dealt with today: hardly anybody at home wants this open to everybody.
    pub const fn is_urgent(self) -> bool {
        matches!(
            self,
            Self::Infected
                | Self::Telnet
                | Self::Plant
                | Self::Database
                | Self::Desktop
                | Self::Camera
                | Self::Files
                | Self::Admin
                | Self::Resolver
        )
    }

    /// The protocols that are this, whatever the device is.
    pub(crate) fn protocols(self) -> &'static [&'static str] {
        BY_PROTOCOL.iter().find(|(concern, _)| *concern == self).map_or(&[], |(_, names)| names)
    }

    /// What this service is to the one who has it.
    pub fn of(service: &Service) -> Self {
        let facts = &service.facts;
        let protocol = facts.protocol.as_ref().map(ToString::to_string).unwrap_or_default();
        if facts.tags.iter().any(|tag| tag == "recursion") {
            return Self::Resolver;
        }
        if let Some((concern, _)) = BY_PROTOCOL.iter().find(|(_, names)| names.contains(&protocol.as_str())) {
            return *concern;
        }
        let is_web = matches!(protocol.as_str(), "http" | "https");
        match facts.kind {
            Some(DeviceKind::Camera | DeviceKind::Recorder) => Self::Camera,
            Some(DeviceKind::Controller | DeviceKind::Building | DeviceKind::Energy) => Self::Plant,
            Some(DeviceKind::Nas) => Self::Files,
            Some(DeviceKind::Printer) => Self::Printer,
            Some(DeviceKind::Voice) => Self::Voice,
            _ if is_web && service.key.port == PROVIDER_PORT => Self::Provider,
            Some(DeviceKind::Server) if is_web => Self::Public,
            Some(_) if is_web => Self::Admin,
            None if is_web => Self::Public,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hinomi_model::{Facts, ServiceKey, Timestamp, Transport};

    use super::*;

    fn service(protocol: &str, kind: Option<DeviceKind>, port: u16) -> Service {
        let facts = Facts { protocol: protocol.parse().ok(), kind, ..Facts::default() };
        let key = ServiceKey { address: [192, 0, 2, 1].into(), transport: Transport::Tcp, port };
        let (first_seen, last_seen) = (Timestamp::default(), Timestamp::default());
        let (sensor, evidence) = ("survey".to_owned(), Vec::new());
        Service {
            key,
            first_seen,
            last_seen,
            sensor,
            asn: None,
            country: None,
            facts: facts.into(),
            evidence,
            terms: hinomi_model::Terms::default(),
        }
    }

    #[test]
    fn services_are_what_their_owners_can_act_on() {
        let of = |protocol, kind, port| Concern::of(&service(protocol, kind, port));
        assert_eq!(of("infection", Some(DeviceKind::Router), 0), Concern::Infected);
        assert_eq!(of("telnet", Some(DeviceKind::Router), 23), Concern::Telnet);
        assert_eq!(of("http", Some(DeviceKind::Router), 80), Concern::Admin);
        assert_eq!(of("https", Some(DeviceKind::Recorder), 443), Concern::Camera);
        assert_eq!(of("http", None, 7547), Concern::Provider);
        assert_eq!(of("http", None, 80), Concern::Public);
        assert_eq!(of("no-such", None, 9), Concern::Other);
        let mut open = service("dns", Some(DeviceKind::Router), 53);
        assert_eq!(Concern::of(&open), Concern::Other);
        std::sync::Arc::make_mut(&mut open.facts).tags.push("recursion".to_owned());
        assert_eq!(Concern::of(&open), Concern::Resolver);
    }

    #[test]
    fn no_protocol_is_two_concerns_and_no_name_is_used_twice() {
        let mut seen = BTreeSet::new();
        assert!(BY_PROTOCOL.iter().flat_map(|(_, names)| names.iter()).all(|name| seen.insert(name)));
        let names: BTreeSet<&str> = Concern::ALL.iter().map(|concern| concern.name()).collect();
        assert_eq!(names.len(), Concern::ALL.len());
        assert!(Concern::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
