//! What a port number suggests: which question to ask first. Numbers from the IANA registry of service names and from
//! what devices are known to do; none of this is taken as an answer.

use hinomi_model::scope::Probe;

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
    /// One empty line.
    Line,
}

impl Question {
    /// The probe that a scope must permit for it.
    pub const fn probe(self) -> Probe {
        match self {
            Self::Tls => Probe::Tls,
            Self::Http => Probe::Http,
            Self::Rtsp => Probe::Rtsp,
            Self::Mqtt => Probe::Mqtt,
            Self::Redis => Probe::Redis,
            Self::Dns => Probe::Dns,
            Self::Modbus => Probe::Modbus,
            Self::Line => Probe::Line,
        }
    }

    /// The question that a recognised protocol's name calls for.
    pub fn named(protocol: &str) -> Option<Self> {
        match protocol {
            "tls" => Some(Self::Tls),
            "http" => Some(Self::Http),
            "rtsp" => Some(Self::Rtsp),
            "mqtt" => Some(Self::Mqtt),
            "redis" => Some(Self::Redis),
            _ => None,
        }
    }
}

/// The order in which a silent TCP service is asked when nothing is known. Plant protocols come last: they get their own
/// read-only request and nothing after it.
pub(crate) const ORDER: [Question; 5] =
    [Question::Tls, Question::Http, Question::Mqtt, Question::Rtsp, Question::Modbus];

/// What is usually asked at this TCP port; `None` where the service usually speaks first or nothing is usual.
pub fn tcp(port: u16) -> Option<Question> {
    match port {
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
        | 49152 => Some(Question::Http),
        443 | 465 | 636 | 853 | 990 | 993 | 995 | 4433 | 4443 | 5001 | 5061 | 5986 | 7443 | 8443 | 8883 | 9443 => {
            Some(Question::Tls)
        }
        554 | 8554 => Some(Question::Rtsp),
        1883 => Some(Question::Mqtt),
        6379 => Some(Question::Redis),
        53 => Some(Question::Dns),
        502 => Some(Question::Modbus),
        _ => None,
    }
}

/// Ports at which only their own question may be asked: plant equipment that is known to suffer from foreign ones.
pub const fn only_its_own(port: u16) -> bool {
    matches!(port, 102 | 502 | 2404 | 4840 | 5006 | 5007 | 9600 | 20000 | 44818 | 47808)
}

/// Whether what speaks inside TLS at this port usually speaks first.
pub(crate) const fn speaks_first_inside_tls(port: u16) -> bool {
    matches!(port, 465 | 990 | 993 | 995)
}

/// The UDP probes, in the order in which a port that suggests nothing is asked.
pub(crate) const UDP_PROBES: [Probe; 6] =
    [Probe::Dns, Probe::Snmp, Probe::Ssdp, Probe::Ntp, Probe::Coap, Probe::EchonetLite];

/// What is usually asked at this UDP port.
pub const fn udp(port: u16) -> Option<Probe> {
    match port {
        53 => Some(Probe::Dns),
        123 => Some(Probe::Ntp),
        161 => Some(Probe::Snmp),
        1900 => Some(Probe::Ssdp),
        3610 => Some(Probe::EchonetLite),
        5683 => Some(Probe::Coap),
        _ => None,
    }
}
