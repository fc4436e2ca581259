//! The datagrams that we send: read-only, well-formed, and padded where their protocol has room for it. Those whose
//! answer can be longer all the same are told in `docs/decisions/0011-udp-answers-longer-than-questions.md`.
//!
//! Transaction identifiers are derived from the target, so an answer can be matched without remembering the question;
//! engines of frames put others there, which nobody can guess ([`super::marks`]).

use hinomi_model::ServiceKey;
use hinomi_model::scope::Probe;
use hinomi_wire::plant::{bacnet, enip, fins, knx, slmp};
use hinomi_wire::reply::{ike, ipmi, l2tp, mdns, sip, wsd};
use hinomi_wire::{coap, dns, echonet, ntp, snmp, ssdp};

/// Sixty-four bits that belong to this target.
pub(super) fn mark(key: ServiceKey) -> [u8; 8] {
    let hash = blake3::hash(key.to_string().as_bytes());
    let mut mark = [0; 8];
    for (byte, from) in mark.iter_mut().zip(hash.as_bytes()) {
        *byte = *from;
    }
    mark
}

/// The same in short.
pub(crate) fn short_mark(key: ServiceKey) -> u16 {
    let [first, second, ..] = mark(key);
    u16::from_be_bytes([first, second])
}

/// Eight bits of it, for protocols that have no room for more.
pub(crate) fn short_number(key: ServiceKey) -> u8 {
    let [first, ..] = mark(key);
    first
}

/// The payload of a UDP probe to this target.
pub(crate) fn udp(probe: Probe, key: ServiceKey, contact: &str) -> Vec<u8> {
    marked(probe, key, contact, mark(key))
}

/// The same with this mark in place of the target's own.
pub(crate) fn marked(probe: Probe, key: ServiceKey, contact: &str, mark: [u8; 8]) -> Vec<u8> {
    let [a, b, c, d, e, f, ..] = mark;
    let id = u16::from_be_bytes([a, b]);
    match probe {
        Probe::Dns => dns::version_query(id),
        Probe::Ntp => ntp::client_request(mark).to_vec(),
        Probe::Snmp => snmp::engine_discovery(u32::from_be_bytes([a, b, c, d])),
        Probe::Coap => coap::get_well_known_core(id, [c, d, e, f], 0),
        Probe::EchonetLite => echonet::get_node_profile(id),
        Probe::Ssdp => ssdp::search_request(&key.socket().to_string(), contact).unwrap_or_default(),
        Probe::Sip => {
            let host = key.socket().to_string();
            sip::options_request(&host, contact, sip::Over::Udp, id).unwrap_or_default()
        }
        Probe::Enip => enip::list_identity(id).to_vec(),
        Probe::Bacnet => bacnet::read_all(a),
        Probe::Fins => fins::controller_data_read(a).to_vec(),
        Probe::Slmp => slmp::READ_TYPE_NAME.to_vec(),
        Probe::Knx => knx::DESCRIBE.to_vec(),
        Probe::Ipmi => ipmi::ASK.to_vec(),
        Probe::L2tp => l2tp::start(contact),
        Probe::Mdns => mdns::enumerate(id & UNLIKE_TELNET),
        Probe::Ike => ike::start(mark, contact),
        Probe::WsDiscovery => wsd::probe(mark, contact),
        _ => Vec::new(),
    }
}

/// An answer of mDNS is recognised by its bytes alone and begins with the number of the question: that must not begin
/// as a command of Telnet does.
const UNLIKE_TELNET: u16 = 0x7FFF;

#[cfg(test)]
mod tests {
    use hinomi_model::Transport;

    use super::*;

    #[test]
    fn no_number_makes_mdns_look_like_telnet() {
        let telnet = |port: &u16| {
            let key = ServiceKey { address: [192, 0, 2, 1].into(), port: *port, transport: Transport::Udp };
            let mut answer = udp(Probe::Mdns, key, "");
            // The answer repeats number and question; the flags say that it is one.
            answer.get_mut(2..3).unwrap_or_default().fill(0x84);
            hinomi_wire::recognise(&answer) != Some("mdns")
        };
        assert_eq!((1..=u16::MAX).find(telnet), None);
    }
}
