//! What a port number, or an answer in another language, suggests: which question to ask first or next. Numbers from
//! the IANA registry of service names and from what devices are known to do; none of this is taken as an answer.

use hinomi_model::scope::{Probe, Scope};

/// A question to a TCP service that did not speak first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// TLS ClientHello.
    Tls,
    /// HTTP GET.
    Http,
    /// RTSP OPTIONS.
    Rtsp,
    /// MQTT CONNECT.
    Mqtt,
    /// Redis PING and INFO.
    Redis,
    /// DNS version.bind over TCP.
    Dns,
    /// Modbus device identification.
    Modbus,
    /// memcached version.
    Memcached,
    /// PostgreSQL SSLRequest and start-up.
    Postgresql,
    /// LDAP root entry.
    Ldap,
    /// SMB2 NEGOTIATE.
    Smb,
    /// AMQP protocol header.
    Amqp,
    /// IRC welcome.
    Irc,
    /// XMPP stream.
    Xmpp,
    /// SIP OPTIONS.
    Sip,
    /// beanstalkd stats.
    Beanstalk,
    /// Network UPS Tools VER.
    Nut,
    /// EtherNet/IP ListIdentity.
    Enip,
    /// S7 system status lists.
    S7,
    /// OPC UA GetEndpoints.
    OpcUa,
    /// IEC 60870-5-104 TESTFR.
    Iec104,
    /// DNP3 link status.
    Dnp3,
    /// OMRON FINS controller data read.
    Fins,
    /// SLMP read type name.
    Slmp,
    /// RDP connection request.
    Rdp,
    /// PPTP Start-Control-Connection.
    Pptp,
    /// Android Debug Bridge connection message.
    Adb,
    /// MongoDB isMaster and buildInfo.
    Mongodb,
    /// RouterOS API, the end of a session.
    Routeros,
}

/// Every question, the probe that a scope must permit for it, and the protocol whose name an answer has.
const QUESTIONS: &[(Question, Probe, &str)] = &[
    (Question::Tls, Probe::Tls, "tls"),
    (Question::Http, Probe::Http, "http"),
    (Question::Rtsp, Probe::Rtsp, "rtsp"),
    (Question::Mqtt, Probe::Mqtt, "mqtt"),
    (Question::Redis, Probe::Redis, "redis"),
    (Question::Dns, Probe::Dns, "dns"),
    (Question::Modbus, Probe::Modbus, "modbus"),
    (Question::Memcached, Probe::Memcached, "memcached"),
    (Question::Postgresql, Probe::Postgresql, "postgresql"),
    (Question::Ldap, Probe::Ldap, "ldap"),
    (Question::Smb, Probe::Smb, "smb"),
    (Question::Amqp, Probe::Amqp, "amqp"),
    (Question::Irc, Probe::Irc, "irc"),
    (Question::Xmpp, Probe::Xmpp, "xmpp"),
    (Question::Sip, Probe::Sip, "sip"),
    (Question::Beanstalk, Probe::Beanstalk, "beanstalkd"),
    (Question::Nut, Probe::Nut, "nut"),
    (Question::Enip, Probe::Enip, "enip"),
    (Question::S7, Probe::S7, "s7"),
    (Question::OpcUa, Probe::OpcUa, "opcua"),
    (Question::Iec104, Probe::Iec104, "iec104"),
    (Question::Dnp3, Probe::Dnp3, "dnp3"),
    (Question::Fins, Probe::Fins, "fins"),
    (Question::Slmp, Probe::Slmp, "slmp"),
    (Question::Rdp, Probe::Rdp, "rdp"),
    (Question::Pptp, Probe::Pptp, "pptp"),
    (Question::Adb, Probe::Adb, "adb"),
    (Question::Mongodb, Probe::Mongodb, "mongodb"),
    (Question::Routeros, Probe::Routeros, "routeros-api"),
];

/// How servers of line protocols refuse a line that is not theirs, an HTTP request for instance. Too little to name
/// them, enough to ask.
const REFUSALS: &[(&[u8], Question)] = &[
    (b"ERROR\r\n", Question::Memcached),
    (b"CLIENT_ERROR ", Question::Memcached),
    (b"UNKNOWN_COMMAND\r\n", Question::Beanstalk),
    (b"BAD_FORMAT\r\n", Question::Beanstalk),
    (b"ERR UNKNOWN-COMMAND", Question::Nut),
    (b"ERR INVALID-ARGUMENT", Question::Nut),
    (b"ERR ACCESS-DENIED", Question::Nut),
    (b"ERROR :", Question::Irc),
];

impl Question {
    /// The probe that a scope must permit for it.
    pub fn probe(self) -> Probe {
        QUESTIONS.iter().find(|(question, ..)| *question == self).map_or(Probe::Connect, |(_, probe, _)| *probe)
    }

    /// The protocol whose name an answer to it has.
    pub fn protocol(self) -> &'static str {
        QUESTIONS.iter().find(|(question, ..)| *question == self).map_or("", |(.., name)| name)
    }

    /// Whether it is of a language of plant equipment, which is asked at its home ports and by name alone.
    pub fn is_of_plant(self) -> bool {
        self.probe().home_ports().is_some()
    }

    /// The question that a probe puts over TCP.
    pub fn of(probe: Probe) -> Option<Self> {
        QUESTIONS.iter().find(|(_, of, _)| *of == probe).map(|(question, ..)| *question)
    }

    /// The question that an answer calls for: its language's, or that of who refuses so.
    pub fn suggested_by(words: &[u8]) -> Option<Self> {
        let refusal = || REFUSALS.iter().find(|(start, _)| words.starts_with(start)).map(|(_, question)| *question);
        match hinomi_wire::recognise(words) {
            Some(named) => QUESTIONS.iter().find(|(.., name)| *name == named).map(|(question, ..)| *question),
            None => refusal(),
        }
    }
}

/// What is usually asked at this TCP port, or said by the scope to be spoken there; `None` where the service usually
/// speaks first or nothing is usual, and where plant equipment is expected whose language goes over UDP alone.
pub fn tcp(scope: &Scope, port: u16) -> Option<Question> {
    let plant = plant_at(scope, port);
    if !plant.is_empty() {
        return plant.into_iter().find_map(Question::of);
    }
    scope.named_at(port).find_map(Question::of).or_else(|| usual(port))
}

/// Whether nothing but the port's own question may be sent to this port, over TCP or UDP: where plant equipment is
/// expected, and at ports of [`only_its_own`].
pub(super) fn stands_alone(scope: &Scope, port: u16) -> bool {
    only_its_own(port) || !plant_at(scope, port).is_empty()
}

/// The languages of plant equipment that are expected at this port, whichever transport they go over: those that the
/// scope names for it, else those at home there.
fn plant_at(scope: &Scope, port: u16) -> Vec<Probe> {
    let named: Vec<Probe> = scope.named_at(port).filter(|probe| probe.home_ports().is_some()).collect();
    if !named.is_empty() {
        return named;
    }
    Probe::all().filter(|probe| probe.home_ports().is_some_and(|homes| homes.contains(&port))).collect()
}

fn usual(port: u16) -> Option<Question> {
    Some(match port {
        80
        | 81
        | 88
        | 591
        | 631
        | 3000
        | 5000
        | 5357
        | 7547
        | 8000
        | 8001
        | 8008
        | 8080..=8082
        | 8086
        | 8088
        | 8200
        | 8888
        | 9000
        | 9090
        | 49152 => Question::Http,
        443 | 465 | 636 | 853 | 990 | 993 | 995 | 3269 | 4433 | 4443 | 5001 | 5061 | 5223 | 5671 | 5986 | 6697
        | 7443 | 8443 | 8729 | 8883 | 9443 => Question::Tls,
        554 | 8554 => Question::Rtsp,
        1883 => Question::Mqtt,
        6379 => Question::Redis,
        53 => Question::Dns,
        102 => Question::S7,
        502 => Question::Modbus,
        2404 => Question::Iec104,
        4840 => Question::OpcUa,
        5006 | 5007 => Question::Slmp,
        9600 => Question::Fins,
        20000 => Question::Dnp3,
        44818 => Question::Enip,
        389 | 3268 => Question::Ldap,
        1723 => Question::Pptp,
        3389 => Question::Rdp,
        445 => Question::Smb,
        3493 => Question::Nut,
        5060 => Question::Sip,
        5222 | 5269 => Question::Xmpp,
        5432 => Question::Postgresql,
        5555 => Question::Adb,
        5672 => Question::Amqp,
        6665..=6669 => Question::Irc,
        8728 => Question::Routeros,
        11211 => Question::Memcached,
        11300 => Question::Beanstalk,
        27017..=27019 => Question::Mongodb,
        _ => return None,
    })
}

/// What is usually spoken inside TLS at this port.
pub(crate) const fn inside_tls(port: u16) -> Option<Question> {
    match port {
        636 | 3269 => Some(Question::Ldap),
        5061 => Some(Question::Sip),
        5223 => Some(Question::Xmpp),
        5671 => Some(Question::Amqp),
        6697 => Some(Question::Irc),
        8729 => Some(Question::Routeros),
        27017..=27019 => Some(Question::Mongodb),
        8883 => Some(Question::Mqtt),
        _ => None,
    }
}

/// Ports at which only their own question may be asked: plant equipment that is known to suffer from foreign ones, and
/// printers, which print what they get.
pub const fn only_its_own(port: u16) -> bool {
    matches!(
        port,
        102 | 502
            | 515
            | 789
            | 1911
            | 1962
            | 2404
            | 2455
            | 4840
            | 4911
            | 5006
            | 5007
            | 5094
            | 9100..=9107
            | 9600
            | 11740
            | 18245
            | 18246
            | 20000
            | 20547
            | 34962..=34964
            | 34980
            | 44818
            | 47808
    )
}

/// Whether what speaks inside TLS at this port usually speaks first.
pub(crate) const fn speaks_first_inside_tls(port: u16) -> bool {
    matches!(port, 465 | 990 | 993 | 995)
}

/// The UDP probes for a port that suggests nothing, in the order in which it is asked.
const UDP_ANYWHERE: [Probe; 7] =
    [Probe::Dns, Probe::Snmp, Probe::Ssdp, Probe::Ntp, Probe::Coap, Probe::EchonetLite, Probe::Sip];

/// The UDP probes for ports where their language is usual or named by the scope, and for no other.
const UDP_AT_HOME: [Probe; 10] = [
    Probe::Enip,
    Probe::Bacnet,
    Probe::Fins,
    Probe::Slmp,
    Probe::Knx,
    Probe::Ipmi,
    Probe::L2tp,
    Probe::Mdns,
    Probe::Ike,
    Probe::WsDiscovery,
];

/// The permitted probes for a UDP port, in the order to be asked: those the scope names for it or the usual one, else
/// every one that may be sent anywhere. Where plant equipment is expected, its own languages alone, and none where
/// those go over TCP.
pub(crate) fn udp(scope: &Scope, port: u16) -> Vec<Probe> {
    let permitted = |probe: &Probe| scope.probes.contains(probe);
    let plant = plant_at(scope, port);
    let expected = if plant.is_empty() { scope.named_at(port).collect() } else { plant.clone() };
    let named: Vec<Probe> = expected.into_iter().filter(|probe| over_udp(*probe)).collect();
    let probes = match (named.is_empty(), usual_udp(port)) {
        (false, _) => named,
        (true, _) if !plant.is_empty() => Vec::new(),
        (true, Some(probe)) => vec![probe],
        (true, None) if only_its_own(port) => Vec::new(),
        (true, None) => UDP_ANYWHERE.to_vec(),
    };
    probes.into_iter().filter(permitted).collect()
}

fn over_udp(probe: Probe) -> bool {
    UDP_ANYWHERE.contains(&probe) || UDP_AT_HOME.contains(&probe)
}

const fn usual_udp(port: u16) -> Option<Probe> {
    match port {
        53 => Some(Probe::Dns),
        123 => Some(Probe::Ntp),
        500 => Some(Probe::Ike),
        3702 => Some(Probe::WsDiscovery),
        161 => Some(Probe::Snmp),
        623 => Some(Probe::Ipmi),
        1701 => Some(Probe::L2tp),
        1900 => Some(Probe::Ssdp),
        3610 => Some(Probe::EchonetLite),
        3671 => Some(Probe::Knx),
        5060 => Some(Probe::Sip),
        5006 | 5007 => Some(Probe::Slmp),
        5353 => Some(Probe::Mdns),
        5683 => Some(Probe::Coap),
        9600 => Some(Probe::Fins),
        44818 => Some(Probe::Enip),
        47808 => Some(Probe::Bacnet),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests;
