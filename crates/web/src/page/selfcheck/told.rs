//! What a look from outside met, in words.

use hinomi_model::{Service, ServiceKey, Timestamp, Transport};
use hinomi_share::Concern;

use super::looks::Look;
use super::outside::verdict;
use super::{OpenView, name_of, view};
use crate::moment;
use crate::prober::{Ended, Met, Terms};
use crate::seen::Seen;
use crate::words::Words;

/// What is usual at ports that matter at home (IANA, and what devices are known to do), and what it would be to its owner
/// when nothing else is known of it.
const USUAL: &[(Transport, u16, &str, Concern)] = &[
    (Transport::Tcp, 21, "FTP", Concern::Files),
    (Transport::Tcp, 22, "SSH", Concern::Login),
    (Transport::Tcp, 23, "Telnet", Concern::Telnet),
    (Transport::Tcp, 80, "HTTP", Concern::Public),
    (Transport::Tcp, 443, "HTTPS", Concern::Public),
    (Transport::Tcp, 445, "SMB", Concern::Files),
    (Transport::Tcp, 554, "RTSP", Concern::Camera),
    (Transport::Tcp, 631, "IPP", Concern::Printer),
    (Transport::Tcp, 1723, "PPTP", Concern::Vpn),
    (Transport::Tcp, 1883, "MQTT", Concern::Messages),
    (Transport::Tcp, 2323, "Telnet", Concern::Telnet),
    (Transport::Tcp, 3306, "MySQL", Concern::Database),
    (Transport::Tcp, 3389, "RDP", Concern::Desktop),
    (Transport::Tcp, 5000, "UPnP, NAS", Concern::Other),
    (Transport::Tcp, 5432, "PostgreSQL", Concern::Database),
    (Transport::Tcp, 5555, "ADB, Android", Concern::Desktop),
    (Transport::Tcp, 5900, "VNC", Concern::Desktop),
    (Transport::Tcp, 6379, "Redis", Concern::Database),
    (Transport::Tcp, 7547, "TR-069", Concern::Provider),
    (Transport::Tcp, 8000, "HTTP, DVR", Concern::Other),
    (Transport::Tcp, 8080, "HTTP", Concern::Other),
    (Transport::Tcp, 8081, "HTTP", Concern::Other),
    (Transport::Tcp, 8443, "HTTPS", Concern::Other),
    (Transport::Tcp, 8728, "RouterOS API", Concern::Admin),
    (Transport::Tcp, 9100, "JetDirect", Concern::Printer),
    (Transport::Tcp, 9200, "Elasticsearch", Concern::Database),
    (Transport::Tcp, 11211, "memcached", Concern::Database),
    (Transport::Tcp, 27017, "MongoDB", Concern::Database),
    (Transport::Tcp, 52869, "UPnP", Concern::Reflector),
    (Transport::Udp, 53, "DNS", Concern::Other),
    (Transport::Udp, 123, "NTP", Concern::Reflector),
    (Transport::Udp, 161, "SNMP", Concern::Reflector),
    (Transport::Udp, 1900, "SSDP, UPnP", Concern::Reflector),
    (Transport::Udp, 3610, "ECHONET Lite", Concern::Plant),
    (Transport::Udp, 3702, "WS-Discovery", Concern::Reflector),
    (Transport::Udp, 5353, "mDNS", Concern::Reflector),
    (Transport::Udp, 5683, "CoAP", Concern::Messages),
];

/// What was met.
pub(super) struct Answer {
    pub(super) heading: String,
    /// A class: `urgent`, `some`, `nothing`.
    pub(super) verdict: &'static str,
    pub(super) says: String,
    pub(super) count: Option<String>,
    pub(super) device: Option<String>,
    pub(super) open: Vec<OpenView>,
    pub(super) ports: Vec<MetView>,
    pub(super) cut: bool,
    pub(super) sent: String,
    pub(super) gone: String,
    pub(super) inside: bool,
}

/// One line of the table: a port that answers, or all that did the same.
pub(super) struct MetView {
    /// A class: `open`, `odd`, `closed`, `silent`, `not`.
    pub(super) met: &'static str,
    pub(super) says: String,
    pub(super) ports: String,
    pub(super) name: Option<Seen>,
}

fn usual(transport: Transport, port: u16) -> Option<(&'static str, Concern)> {
    let found = USUAL.iter().find(|(over, at, ..)| (*over, *at) == (transport, port));
    found.map(|(.., name, concern)| (*name, *concern))
}

/// The ports of these terms, each with what is usual there.
pub(super) fn names_of(terms: &Terms, over: Transport) -> String {
    let ports = terms.ports().filter(|(transport, _)| *transport == over);
    let name = |(transport, port)| match usual(transport, port) {
        Some((name, _)) => format!("{port} ({name})"),
        None => port.to_string(),
    };
    ports.map(name).collect::<Vec<_>>().join(", ")
}

/// What the look met, and what to do about it.
pub(super) fn answer(words: &Words, look: &Look, ended: Ended) -> Answer {
    let mut open: Vec<(Concern, Service)> = look
        .terms
        .ports()
        .filter_map(|port| match look.met.get(&port)? {
            Met::Open(service) => Some(known(look, port, service.as_deref())),
            _ => None,
        })
        .collect();
    open.sort_by_key(|(concern, service)| (*concern, service.key.port));
    let concerns: Vec<Concern> = open.iter().map(|(concern, _)| *concern).collect();
    let verdict = verdict(&concerns);
    let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
    let device = open.iter().find(|(_, service)| service.facts.model.is_some()).and_then(|(_, one)| name_of(one));
    Answer {
        heading: words.with("outside-answer", look.terms.address),
        verdict,
        says: words.say(if verdict == "nothing" { "outside-nothing" } else { verdict_key(verdict) }),
        count: (count > 0).then(|| words.count("outside-found", count)),
        device: device.map(|device| words.with("own-device", device)),
        open: open.iter().map(|(concern, service)| view(words, *concern, service)).collect(),
        ports: met_views(words, look),
        cut: !ended.whole,
        sent: words.count("outside-sent", ended.sent),
        gone: words.with("outside-gone", moment::minute(look.until())),
        inside: super::is_inside(look.terms.address),
    }
}

fn verdict_key(verdict: &str) -> &'static str {
    if verdict == "urgent" { "own-urgent" } else { "own-some" }
}

/// An open port with what is known of it; where that is nothing, what is usual there says what it may be.
fn known(look: &Look, (transport, port): (Transport, u16), service: Option<&Service>) -> (Concern, Service) {
    let found = service.cloned().unwrap_or_else(|| unknown(look, (transport, port)));
    let concern = match Concern::of(&found) {
        Concern::Other if found.facts.protocol.is_none() => {
            usual(transport, port).map_or(Concern::Other, |(_, concern)| concern)
        }
        concern => concern,
    };
    (concern, found)
}

fn unknown(look: &Look, (transport, port): (Transport, u16)) -> Service {
    let seen: Timestamp = look.ended.as_ref().map_or(look.begun, |(ended, _)| *ended);
    Service {
        key: ServiceKey { address: look.terms.address, port, transport },
        first_seen: seen,
        last_seen: seen,
        sensor: String::new(),
        asn: None,
        country: None,
        facts: Default::default(),
        evidence: Vec::new(),
        terms: hinomi_model::Terms::default(),
    }
}

/// What ports can have done, in the order in which it is told.
const METS: [&str; 5] = ["open", "odd", "silent", "not", "closed"];

fn met_views(words: &Words, look: &Look) -> Vec<MetView> {
    let mut views: Vec<MetView> = Vec::new();
    for met in METS {
        let says = words.say(&format!("outside-met-{met}"));
        let ports = look.terms.ports().filter(|port| class_of(look.met.get(port)) == met);
        if met == "open" {
            views.extend(ports.map(|port| {
                let name = match look.met.get(&port) {
                    Some(Met::Open(Some(service))) => name_of(service),
                    _ => None,
                };
                MetView { met, says: says.clone(), ports: named(port), name }
            }));
            continue;
        }
        let ports = ports.map(named).collect::<Vec<_>>().join(", ");
        if !ports.is_empty() {
            views.push(MetView { met, says, ports, name: None });
        }
    }
    views
}

const fn class_of(met: Option<&Met>) -> &'static str {
    match met {
        Some(Met::Open(_)) => "open",
        Some(Met::Odd) => "odd",
        Some(Met::Closed) => "closed",
        Some(Met::Silent) => "silent",
        Some(Met::Not) | None => "not",
    }
}

fn named((transport, port): (Transport, u16)) -> String {
    match usual(transport, port) {
        Some((name, _)) => format!("{port}/{transport} ({name})"),
        None => format!("{port}/{transport}"),
    }
}
