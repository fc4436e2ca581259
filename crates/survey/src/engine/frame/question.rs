//! Questions over UDP: which one each port is asked, and the frame that asks it.
//!
//! A port is asked by a frame where the grab has exactly one question for it ([`hints::udp`]); what has several, one
//! after another, is for connections. The request is byte for byte what a socket would send, but for its mark
//! ([`marks`]).

use std::collections::BTreeMap;
use std::net::IpAddr;

use hinomi_model::scope::{Probe, Scope};
use hinomi_model::{ServiceKey, Transport};

use super::cookie::{Asking, Cookie};
use super::probe::{Label, Template, Word};
use crate::grab::words::{self, First};
use crate::grab::{hints, marks, requests};

const UDP: u8 = 17;
const HEADER_BYTES: u16 = 8;
/// Where the checksum stands in a header.
const CHECKSUM_AT: usize = 6;

/// A question to one target, in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) to: IpAddr,
    pub(super) port: u16,
    pub(super) pass: u16,
}

/// Which probe each port is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Questions {
    by_port: BTreeMap<u16, Probe>,
    contact: String,
}

impl Questions {
    /// For the UDP ports of a scope. Requests with room for words name `contact`.
    pub(super) fn of(scope: &Scope, contact: &str) -> Self {
        let only = |port: u16| match hints::udp(scope, port).as_slice() {
            [probe] if marks::can_be_framed(*probe) => Some((port, *probe)),
            _ => None,
        };
        Self { by_port: scope.udp.iter().filter_map(only).collect(), contact: contact.to_owned() }
    }

    /// Whether no port is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.by_port.is_empty()
    }

    /// The probe that a port is asked.
    pub(super) fn at(&self, port: u16) -> Option<Probe> {
        self.by_port.get(&port).copied()
    }

    /// Whether a target that answered may be asked again and again, to see whether answers still come: not devices of
    /// plants, nor who says more than he is asked.
    pub(super) fn may_be_repeated(&self, key: ServiceKey) -> bool {
        let is_light = |probe| matches!(probe, Probe::Dns | Probe::Ntp | Probe::Snmp | Probe::Coap);
        key.transport == Transport::Tcp || self.at(key.port).is_some_and(is_light)
    }

    /// The request to a port of an address.
    pub(super) fn request(&self, address: IpAddr, port: u16, asking: &Asking) -> Option<Vec<u8>> {
        let key = ServiceKey { address, port, transport: Transport::Udp };
        Some(requests::marked(self.at(port)?, key, &self.contact, asking.mark))
    }

    /// What is said first to who accepts: empty where it is listened to. None for what cannot be put together.
    pub(super) fn first_words(&self, word: &Word) -> Option<Vec<u8>> {
        match word.first {
            First::Listen => Some(Vec::new()),
            First::Ask(question) => self.first_request(question, word.to, word.port),
        }
    }

    /// The request of a question to a TCP port of an address.
    pub(super) fn first_request(&self, question: hints::Question, address: IpAddr, port: u16) -> Option<Vec<u8>> {
        words::request(question, ServiceKey { address, port, transport: Transport::Tcp }, &self.contact)
    }

    /// Writes a question's frame to the front of a slot; gives its length. None where no port is asked so, or the address
    /// is of the other family than the template's.
    pub(super) fn write(
        &self,
        slot: &mut [u8],
        template: &Template,
        question: &Question,
        cookie: &Cookie,
    ) -> Option<usize> {
        let asking = cookie.asking(question.to, question.port, question.pass);
        let request = self.request(question.to, question.port, &asking)?;
        let length = HEADER_BYTES.checked_add(u16::try_from(request.len()).ok()?)?;
        let mut datagram = Vec::with_capacity(usize::from(length));
        for number in [asking.source_port, question.port, length, 0] {
            datagram.extend(number.to_be_bytes());
        }
        datagram.extend(request);
        template.write_around(slot, question.to, Label(asking.label), (UDP, CHECKSUM_AT), &mut datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Link;
    use super::*;
    use crate::scope::Document;
    use hinomi_wire::packet::{Link as Kind, Packet};
    use proptest::prelude::*;

    fn questions(ports: &str, probes: &str) -> Questions {
        let text = format!(
            "format = 1\nname = \"t\"\nhours = \"always\"\nvalid_from = \"2026-11-01T00:00:00Z\"\n\
            valid_until = \"2026-12-01T00:00:00Z\"\n[authority]\norganisation = \"T\"\nperson = \"T\"\n\
            [contact]\nemail = \"t@example.org\"\n[targets]\nranges = [\"127.0.0.0/24\"]\ntcp_ports = \"80\"\n\
            udp_ports = \"{ports}\"\nprobes = [{probes}]\n\
            [rate]\ntotal_pps = 1\nper_prefix_pps = 1\nper_host_pps = 1\nper_host_connections = 1\n"
        );
        let scope = Document::read(text.as_bytes()).and_then(|document| document.check()).expect("a scope");
        Questions::of(&scope, "https://a.example/")
    }

    #[test]
    fn ports_with_one_question_are_asked_by_frames() {
        let all = "\"connect\", \"dns\", \"snmp\", \"ntp\", \"l2tp\", \"slmp\", \"bacnet\"";
        let asked = questions("53, 123, 161, 502, 1701, 5006, 47808, 9999", all);
        let of = |port| asked.at(port);
        assert_eq!([of(53), of(123), of(161)], [Some(Probe::Dns), Some(Probe::Ntp), Some(Probe::Snmp)]);
        assert_eq!([of(5006), of(47808)], [Some(Probe::Slmp), Some(Probe::Bacnet)]);
        assert_eq!(of(502), None, "its language goes over TCP");
        assert_eq!(of(9999), None, "several questions");
        assert_eq!(of(1701), None, "begins a conversation");
        assert_eq!(of(54), None, "not in the scope");
        assert_eq!(questions("9999", "\"connect\", \"coap\"").at(9999), Some(Probe::Coap), "the only one permitted");
    }

    proptest! {
        #[test]
        fn frames_say_what_a_socket_would_and_their_sums_are_right(
            from: u128, to: u128, four: bool, pass in 0u16..3, which in 0usize..4, link: bool, key: [u64; 2],
        ) {
            let address = |bits: u128| match four {
                true => IpAddr::from(u32::try_from(bits & 0xffff_ffff).expect("32 bits").to_be_bytes()),
                false => IpAddr::from(bits.to_be_bytes()),
            };
            let asked = questions("53, 123, 1900, 5060", "\"connect\", \"dns\", \"ntp\", \"ssdp\", \"sip\"");
            let (cookie, port) = (Cookie::new(key, (40_000, 50_000), 2), [53, 123, 1900, 5060][which]);
            let link_addresses = Link { to: [2, 0, 0, 0, 0, 1], from: [2, 0, 0, 0, 0, 2] };
            let template = Template::new(address(from), link.then_some(link_addresses));
            let mut slot = [0xff; 2_048];
            let question = Question { to: address(to), port, pass };
            let len = asked.write(&mut slot, &template, &question, &cookie).expect("written");
            let frame = &slot[..len];
            let packet = Packet::read(if link { Kind::Ethernet } else { Kind::Ip }, frame).expect("a packet");
            prop_assert_eq!((packet.source, packet.destination), (address(from), address(to)));
            prop_assert_eq!((packet.protocol, packet.destination_port, packet.cut), (17, port, None));
            let asking = cookie.asking(address(to), port, pass);
            prop_assert_eq!(packet.source_port, asking.source_port);
            let request = asked.request(address(to), port, &asking).expect("a request");
            prop_assert_eq!(packet.payload(frame), &request[..]);
            prop_assert!(is_whole(&frame[packet.payload_at - 8..], &packet));
            let other = Question { to: if four { IpAddr::from([0; 16]) } else { IpAddr::from([0; 4]) }, ..question };
            prop_assert_eq!(asked.write(&mut slot, &template, &other, &cookie), None);
            prop_assert_eq!(asked.write(&mut [0; 40], &template, &question, &cookie), None);
        }
    }

    /// The sum over datagram and pseudo-header, as a receiver takes it (RFC 768).
    fn is_whole(datagram: &[u8], packet: &Packet) -> bool {
        let octets = |address| match address {
            IpAddr::V4(four) => four.octets().to_vec(),
            IpAddr::V6(six) => six.octets().to_vec(),
        };
        let length = u16::try_from(datagram.len()).expect("short").to_be_bytes();
        let odd: &[u8] = if datagram.len() % 2 == 1 { &[0] } else { &[] };
        let all = [&octets(packet.source)[..], &octets(packet.destination), &[0, 17], &length, datagram, odd].concat();
        let mut sum: u64 = all.chunks_exact(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum == 0xffff && datagram[4..6] == length && datagram[6..8] != [0, 0]
    }
}
