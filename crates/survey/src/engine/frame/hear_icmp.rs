//! Errors of ICMP: routers and hosts say that a probe did not arrive, and quote it.
//!
//! Only what quotes a probe of ours counts: the number of a SYN, or the label of a question over UDP. "Port
//! unreachable" about a question says that its port is closed (RFC 1122, 4.1.3.1); all else is counted by kind and
//! believed by none. Those who say that probing is not permitted, and are many, slow us down ([`super::governor`]).

use hinomi_model::{ServiceKey, Transport};
use hinomi_wire::packet::{ICMP, ICMP6, Link, Packet, TCP, UDP};

use super::listener::Listener;

/// What an error says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    NotPermitted,
    PortUnreachable,
    Unreachable,
    TooManyHops,
}

impl Kind {
    /// RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1); RFC 4443.
    const fn of(protocol: u8, icmp: Option<(u8, u8)>) -> Option<Self> {
        match (protocol, icmp) {
            (ICMP, Some((3, 9 | 10 | 13))) | (ICMP6, Some((1, 1 | 5 | 6))) => Some(Self::NotPermitted),
            (ICMP, Some((3, 3))) | (ICMP6, Some((1, 4))) => Some(Self::PortUnreachable),
            (ICMP, Some((3, _))) | (ICMP6, Some((1, _))) => Some(Self::Unreachable),
            (ICMP, Some((11, _))) | (ICMP6, Some((3, _))) => Some(Self::TooManyHops),
            _ => None, // Echo, neighbours and the like: not about us.
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::NotPermitted => "told by ICMP: not permitted",
            Self::PortUnreachable | Self::Unreachable => "told by ICMP: not to be reached",
            Self::TooManyHops => "told by ICMP: too many hops",
        }
    }
}

/// What an error quotes.
enum Quoted {
    /// Nothing of ours to begin with.
    Nothing,
    /// Something that looks like ours and is not.
    Foreign,
    /// A probe; with its position, where it is one of the walk.
    Probe(Option<u64>),
}

impl Listener {
    pub(super) fn hear_icmp(&mut self, packet: &Packet, network: &[u8]) {
        let Some(kind) = Kind::of(packet.protocol, packet.icmp) else { return };
        // Four bytes without meaning, then the packet it is about.
        let bytes = packet.payload(network).get(4..).unwrap_or_default();
        let Ok(quoted) = Packet::read(Link::Ip, bytes) else { return };
        let position = match self.quoted(&quoted, bytes) {
            Quoted::Nothing => return,
            Quoted::Foreign => return self.spoofed(),
            Quoted::Probe(position) => position,
        };
        match (kind, position) {
            (Kind::PortUnreachable, Some(position)) if quoted.protocol == UDP => {
                return self.closed(position, u16::try_from(self.leg.pass_of(position)).unwrap_or(0));
            }
            (Kind::NotPermitted, Some(position)) => self.not_permitted(position),
            _ => {}
        }
        self.parts.metrics.reason(kind.reason());
    }

    fn quoted(&self, quoted: &Packet, bytes: &[u8]) -> Quoted {
        if !self.parts.sources.contains(&quoted.source) {
            return Quoted::Nothing;
        }
        let position = match quoted.protocol {
            TCP => self.quoted_segment(quoted, bytes),
            UDP => self.quoted_question(quoted, bytes),
            _ => return Quoted::Nothing,
        };
        position.map_or(Quoted::Foreign, Quoted::Probe)
    }

    fn quoted_segment(&self, quoted: &Packet, bytes: &[u8]) -> Option<Option<u64>> {
        let sequence = quoted_number(quoted.source.is_ipv4(), bytes)?;
        let (address, port) = (quoted.destination, quoted.destination_port);
        let (pass, number) = self.parts.cookie.read(address, port, quoted.source_port, sequence)?;
        if u32::from(pass) >= self.leg.passes() {
            return Some(None);
        }
        let key = ServiceKey { address, port, transport: Transport::Tcp };
        self.place(number, pass, key).map(|(position, _)| Some(position))
    }
}

/// The number of a segment of ours that is quoted, of which eight bytes are promised (RFC 792): ports and number. Ours have
/// no extension headers.
fn quoted_number(is_four: bool, bytes: &[u8]) -> Option<u32> {
    let header_bytes = if is_four { usize::from(bytes.first()? & 0x0f) * 4 } else { 40 };
    Some(u32::from_be_bytes(*bytes.get(header_bytes + 4..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_however_much_is_quoted() {
        let segment: Vec<u8> = (1..=32).collect();
        for (is_four, head) in [(true, vec![0x45; 20]), (true, vec![0x46; 24]), (false, vec![0x60; 40])] {
            for quoted in 0..=segment.len() {
                let bytes = [&head[..], &segment[..quoted]].concat();
                let number = (quoted >= 8).then_some(0x0506_0708);
                assert_eq!(quoted_number(is_four, &bytes), number, "{quoted} bytes behind {}", head.len());
            }
        }
    }
}
