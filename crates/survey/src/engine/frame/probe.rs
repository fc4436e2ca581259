//! The frames of probes: a SYN as Windows lays it out, which more hosts answer than one without options, and the reset
//! that takes it back once it was answered.
//!
//! Everything that is the same for all probes is laid out and summed up once; a probe changes addresses, ports, number
//! and checksums (RFC 1624 is not needed: sums of what changes are added to the sum of what does not).

use std::net::IpAddr;

use super::cookie::Mark;
use super::question::Question;
use crate::grab::words::First;

const LINK: usize = 14;
const TCP_BYTES: usize = 32;
const FOUR: usize = LINK + 20 + TCP_BYTES;
const SIX: usize = LINK + 40 + TCP_BYTES;
/// Bytes of a TCP header without options.
const PLAIN: u16 = 20;
const SYN: u8 = 2;
const RST: u8 = 4;
const PUSH: u8 = 8;
const ACK: u8 = 16;
const TCP: u8 = 6;
/// Where the checksum stands in a TCP header.
const CHECKSUM_AT: usize = 16;
const HOPS: u8 = 128;
const WINDOW: u16 = 64_240;
/// Maximum segment size 1460, window scale 8, selective acknowledgements (RFC 9293, RFC 7323, RFC 2018).
const OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];

/// Where frames go: hardware addresses, none for raw IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) to: [u8; 6],
    pub(super) from: [u8; 6],
}

/// Makes frames from one source address.
#[derive(Clone, Debug)]
pub(super) struct Template {
    source: IpAddr,
    link: Option<Link>,
    /// Sum of the IPv4 header, and of the SYN with its pseudo-header, without what changes.
    header_sum: u32,
    syn_sum: u32,
    /// A SYN of which addresses, ports, number and sums are to be filled in.
    syn: Vec<u8>,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Over TCP.
    Segment(Segment),
    /// Over UDP.
    Question(Question),
    /// The last acknowledgement of a handshake.
    Word(Word),
}

/// The last acknowledgement of a handshake, with the first words or without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) to: IpAddr,
    pub(super) port: u16,
    /// The source port, and our number of the first byte.
    pub(super) mark: Mark,
    /// The number of the first byte that is expected from there.
    pub(super) acknowledgement: u32,
    pub(super) first: First,
}

impl Frame {
    /// To whom.
    pub(super) const fn to(&self) -> IpAddr {
        match self {
            Self::Segment(segment) => segment.to,
            Self::Question(question) => question.to,
            Self::Word(word) => word.to,
        }
    }
}

/// What tells packets apart in the header of IP: the identification (low sixteen bits) or the flow label (twenty).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(pub(super) u32);

/// A probe or what takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) to: IpAddr,
    pub(super) port: u16,
    pub(super) mark: Mark,
    pub(super) reset: bool,
}

impl Template {
    pub(super) fn new(source: IpAddr, link: Option<Link>) -> Self {
        let address = sum(&octets(source));
        let header_sum =
            0x4500 + 20 + u32::try_from(TCP_BYTES).unwrap_or(0) + 0x4000 + u32::from(HOPS) * 256 + 6 + address;
        let offset = u32::try_from(TCP_BYTES / 4).unwrap_or(0) << 12;
        let syn_sum = address
            + 6
            + u32::try_from(TCP_BYTES).unwrap_or(0)
            + offset
            + u32::from(SYN)
            + u32::from(WINDOW)
            + sum(&OPTIONS);
        let mut template = Self { source, link, header_sum, syn_sum, syn: Vec::new() };
        let to = if source.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        let mark = Mark { source_port: 0, sequence: 0 };
        let mut slot = [0; SIX];
        let len = template.write_whole(&mut slot, &Segment { to, port: 0, mark, reset: false });
        template.syn = slot.get(..len.unwrap_or(0)).unwrap_or_default().to_vec();
        template
    }

    /// Writes a frame to the front of a slot; gives its length. None when the address is of the other family or the
    /// slot is too short.
    #[inline]
    pub(super) fn write(&self, slot: &mut [u8], segment: &Segment) -> Option<usize> {
        match (self.source, segment.to) {
            (IpAddr::V4(_), IpAddr::V4(to)) if !segment.reset => self.write_syn(slot, to.octets(), segment),
            _ => self.write_whole(slot, segment),
        }
    }

    /// What is written most: a SYN over IPv4, of which only what differs is written.
    fn write_syn(&self, slot: &mut [u8], to: [u8; 4], segment: &Segment) -> Option<usize> {
        let len = self.syn.len();
        let frame = slot.get_mut(..len)?;
        frame.copy_from_slice(&self.syn);
        let packet: &mut [u8; FOUR - LINK] = frame.last_chunk_mut()?;
        let [id_high, id_low, ..] = segment.mark.sequence.to_be_bytes();
        let to_sum = sum(&to);
        packet[4] = id_high;
        packet[5] = id_low;
        packet[10..12]
            .copy_from_slice(&folded(self.header_sum + to_sum + u32::from(u16::from_be_bytes([id_high, id_low]))));
        packet[16..20].copy_from_slice(&to);
        packet[20..22].copy_from_slice(&segment.mark.source_port.to_be_bytes());
        packet[22..24].copy_from_slice(&segment.port.to_be_bytes());
        packet[24..28].copy_from_slice(&segment.mark.sequence.to_be_bytes());
        packet[36..38].copy_from_slice(&self.tcp_sum(segment, to_sum));
        Some(len)
    }

    /// Writes a packet around what a transport carries, with its header in front, of which the checksum is to be filled in
    /// here; gives the frame's length. None when the address is of the other family or the slot is too short.
    pub(super) fn write_around(
        &self,
        slot: &mut [u8],
        to: IpAddr,
        label: Label,
        (protocol, checksum_at): (u8, usize),
        transport: &mut [u8],
    ) -> Option<usize> {
        let length = u16::try_from(transport.len()).ok()?;
        let mut head = [0; LINK + 40];
        let head_bytes = match (self.source, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                self.link_header(&mut head, [0x08, 0x00]);
                let packet = head.get_mut(LINK..LINK + 20)?;
                four_header(packet.first_chunk_mut()?, length.checked_add(20)?, label, protocol);
                packet[12..16].copy_from_slice(&from.octets());
                packet[16..20].copy_from_slice(&to.octets());
                let checksum = folded(sum(packet));
                packet[10..12].copy_from_slice(&checksum);
                LINK + 20
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                self.link_header(&mut head, [0x86, 0xdd]);
                let packet = head.get_mut(LINK..)?;
                packet[..4].copy_from_slice(&(0x6000_0000 | label.0 & 0x000f_ffff).to_be_bytes());
                packet[4..6].copy_from_slice(&length.to_be_bytes());
                packet[6] = protocol;
                packet[7] = HOPS;
                packet[8..24].copy_from_slice(&from.octets());
                packet[24..40].copy_from_slice(&to.octets());
                LINK + 40
            }
            _ => return None,
        };
        let pseudo = sum(&octets(self.source)) + sum(&octets(to)) + u32::from(protocol) + u32::from(length);
        let checksum = match folded(pseudo + sum(transport) + last(transport)) {
            [0, 0] => [0xff, 0xff], // Zero would say that there is none (RFC 768); both mean the same.
            checksum => checksum,
        };
        transport.get_mut(checksum_at..checksum_at + 2)?.copy_from_slice(&checksum);
        let head = head.get(self.skipped()..head_bytes)?;
        slot.get_mut(..head.len())?.copy_from_slice(head);
        slot.get_mut(head.len()..head.len() + transport.len())?.copy_from_slice(transport);
        Some(head.len() + transport.len())
    }

    /// Writes an acknowledgement that carries these words; gives the frame's length.
    pub(super) fn write_word(&self, slot: &mut [u8], word: &Word, words: &[u8]) -> Option<usize> {
        let flags = if words.is_empty() { ACK } else { ACK | PUSH };
        let mut segment = Vec::with_capacity(usize::from(PLAIN) + words.len());
        segment.extend(word.mark.source_port.to_be_bytes());
        segment.extend(word.port.to_be_bytes());
        segment.extend(word.mark.sequence.to_be_bytes());
        segment.extend(word.acknowledgement.to_be_bytes());
        segment.extend([0x50, flags]);
        segment.extend(WINDOW.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend(words);
        self.write_around(slot, word.to, Label(word.mark.sequence >> 16), (TCP, CHECKSUM_AT), &mut segment)
    }

    fn write_whole(&self, slot: &mut [u8], segment: &Segment) -> Option<usize> {
        let short = if segment.reset { TCP_BYTES - usize::from(PLAIN) } else { 0 };
        match (self.source, segment.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut frame = [0; FOUR];
                self.four(&mut frame, from.octets(), to.octets(), segment);
                put(slot, frame.get(self.skipped()..FOUR - short)?)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut frame = [0; SIX];
                self.six(&mut frame, from.octets(), to.octets(), segment);
                put(slot, frame.get(self.skipped()..SIX - short)?)
            }
            _ => None,
        }
    }

    fn skipped(&self) -> usize {
        if self.link.is_some() { 0 } else { LINK }
    }

    fn four(&self, frame: &mut [u8; FOUR], from: [u8; 4], to: [u8; 4], segment: &Segment) {
        self.link_header(frame, [0x08, 0x00]);
        let tcp_bytes = tcp_bytes(segment);
        // Different for each probe, so that nothing on the way takes two for fragments of one.
        let [id_high, id_low, ..] = segment.mark.sequence.to_be_bytes();
        frame[14] = 0x45;
        frame[16..18].copy_from_slice(&(20 + tcp_bytes).to_be_bytes());
        frame[18] = id_high;
        frame[19] = id_low;
        frame[20] = 0x40;
        frame[22] = HOPS;
        frame[23] = 6;
        frame[26..30].copy_from_slice(&from);
        frame[30..34].copy_from_slice(&to);
        let to_sum = sum(&to);
        let shorter = u32::try_from(TCP_BYTES).unwrap_or(0) - u32::from(tcp_bytes);
        let header = self.header_sum - shorter + to_sum + u32::from(u16::from_be_bytes([id_high, id_low]));
        frame[24..26].copy_from_slice(&folded(header));
        let checksum = self.tcp_sum(segment, to_sum);
        if let Some(tcp) = frame.last_chunk_mut::<TCP_BYTES>() {
            tcp_header(tcp, segment, checksum);
        }
    }

    fn six(&self, frame: &mut [u8; SIX], from: [u8; 16], to: [u8; 16], segment: &Segment) {
        self.link_header(frame, [0x86, 0xdd]);
        frame[14] = 0x60;
        frame[18..20].copy_from_slice(&tcp_bytes(segment).to_be_bytes());
        frame[20] = 6;
        frame[21] = HOPS;
        frame[22..38].copy_from_slice(&from);
        frame[38..54].copy_from_slice(&to);
        let checksum = self.tcp_sum(segment, sum(&to));
        if let Some(tcp) = frame.last_chunk_mut::<TCP_BYTES>() {
            tcp_header(tcp, segment, checksum);
        }
    }

    fn link_header(&self, frame: &mut [u8], kind: [u8; 2]) {
        if let (Some(link), Some(header)) = (self.link, frame.first_chunk_mut::<LINK>()) {
            header[0..6].copy_from_slice(&link.to);
            header[6..12].copy_from_slice(&link.from);
            header[12..14].copy_from_slice(&kind);
        }
    }

    #[inline]
    fn tcp_sum(&self, segment: &Segment, to_sum: u32) -> [u8; 2] {
        let constant = match segment.reset {
            false => self.syn_sum,
            true => sum(&octets(self.source)) + 6 + u32::from(PLAIN) + 0x5000 + u32::from(RST),
        };
        let [a, b, c, d] = segment.mark.sequence.to_be_bytes();
        let number = u32::from(u16::from_be_bytes([a, b])) + u32::from(u16::from_be_bytes([c, d]));
        folded(constant + to_sum + number + u32::from(segment.port) + u32::from(segment.mark.source_port))
    }
}

/// A header of IPv4 without addresses and sum.
fn four_header(packet: &mut [u8; 20], length: u16, label: Label, protocol: u8) {
    let [_, _, id @ ..] = label.0.to_be_bytes();
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet[4..6].copy_from_slice(&id);
    packet[6] = 0x40;
    packet[8] = HOPS;
    packet[9] = protocol;
}

fn tcp_bytes(segment: &Segment) -> u16 {
    if segment.reset { PLAIN } else { u16::try_from(TCP_BYTES).unwrap_or(PLAIN) }
}

fn tcp_header(tcp: &mut [u8; TCP_BYTES], segment: &Segment, checksum: [u8; 2]) {
    tcp[0..2].copy_from_slice(&segment.mark.source_port.to_be_bytes());
    tcp[2..4].copy_from_slice(&segment.port.to_be_bytes());
    tcp[4..8].copy_from_slice(&segment.mark.sequence.to_be_bytes());
    tcp[16..18].copy_from_slice(&checksum);
    if segment.reset {
        tcp[12] = 0x50;
        tcp[13] = RST;
        return;
    }
    tcp[12] = 0x80;
    tcp[13] = SYN;
    tcp[14..16].copy_from_slice(&WINDOW.to_be_bytes());
    tcp[20..32].copy_from_slice(&OPTIONS);
}

fn put(slot: &mut [u8], frame: &[u8]) -> Option<usize> {
    slot.get_mut(..frame.len())?.copy_from_slice(frame);
    Some(frame.len())
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

/// The last byte of an odd number of them, as a word.
fn last(bytes: &[u8]) -> u32 {
    bytes.last().filter(|_| bytes.len() % 2 == 1).map_or(0, |byte| u32::from(*byte) << 8)
}

/// The sum of RFC 1071 over whole words, not folded: of at most a thousand of them.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn folded(sum: u32) -> [u8; 2] {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    (!u16::try_from(twice).unwrap_or(0)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_wire::packet::{Link as Kind, Packet};
    use proptest::prelude::*;

    const LINK_ADDRESSES: Link = Link { to: [2, 0, 0, 0, 0, 1], from: [2, 0, 0, 0, 0, 2] };

    /// The whole sum over header and pseudo-header, as a receiver takes it: zero when the checksum is right.
    fn left_over(frame: &[u8], packet: &Packet) -> u32 {
        let segment = &frame[packet.payload_at - if packet.tcp_flags() == RST { 20 } else { 32 }..];
        let len = u32::try_from(segment.len()).expect("short");
        let all = sum(segment) + sum(&octets(packet.source)) + sum(&octets(packet.destination)) + 6 + len;
        u32::from(u16::from_be_bytes(folded(all)))
    }

    fn address(bits: u128, four: bool) -> IpAddr {
        match four {
            true => IpAddr::from(u32::try_from(bits & 0xffff_ffff).expect("32 bits").to_be_bytes()),
            false => IpAddr::from(bits.to_be_bytes()),
        }
    }

    proptest! {
        #[test]
        fn frames_say_what_was_asked_and_their_sums_are_right(
            from: u128, to: u128, four: bool, port: u16, source_port: u16, sequence: u32, reset: bool, link: bool,
        ) {
            let template = Template::new(address(from, four), link.then_some(LINK_ADDRESSES));
            let segment = Segment { to: address(to, four), port, mark: Mark { source_port, sequence }, reset };
            let mut slot = [0xff; 128];
            let len = template.write(&mut slot, &segment).expect("written");
            let frame = &slot[..len];
            let packet = Packet::read(if link { Kind::Ethernet } else { Kind::Ip }, frame).expect("a packet");
            prop_assert_eq!((packet.source, packet.destination), (address(from, four), segment.to));
            prop_assert_eq!((packet.source_port, packet.destination_port, packet.cut), (source_port, port, None));
            let tcp = packet.tcp.expect("TCP");
            prop_assert_eq!((tcp.sequence, tcp.flags), (sequence, if reset { RST } else { SYN }));
            prop_assert_eq!(left_over(frame, &packet), 0);
            if four {
                let header = &frame[len - usize::try_from(packet.total_bytes).expect("short")..][..20];
                prop_assert_eq!(u16::from_be_bytes(folded(sum(header))), 0);
            }
        }
    }

    #[test]
    fn the_other_family_and_a_short_slot_are_refused() {
        let template = Template::new(address(1, true), None);
        let segment =
            |four| Segment { to: address(2, four), port: 80, mark: Mark { source_port: 1, sequence: 1 }, reset: false };
        assert_eq!(template.write(&mut [0; 128], &segment(false)), None);
        assert_eq!(template.write(&mut [0; 20], &segment(true)), None);
        assert_eq!(template.write(&mut [0; 128], &segment(true)), Some(52));
    }
}
