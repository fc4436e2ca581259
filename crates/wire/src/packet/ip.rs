//! IP headers, versions 4 and 6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::link::truncated;
use super::{Cut, Fragment, MAX_EXTENSIONS, Packet, Unread};
use crate::read::Reader;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Reads the header at the reader's place; `payload_at` and `payload_len` then say what the IP packet carries.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Packet, Unread> {
    match reader.rest().first().map(|byte| byte >> 4) {
        Some(4) => version4(reader),
        Some(6) => version6(reader),
        Some(_) => Err(Unread::Malformed),
        None => Err(Unread::Truncated),
    }
}

fn version4(reader: &mut Reader<'_>) -> Result<Packet, Unread> {
    let (start, captured) = (reader.at(), reader.rest().len());
    let [first, _, length_high, length_low, id_high, id_low, part_high, part_low, ttl, protocol, _, _] =
        reader.array("IPv4 header").map_err(truncated)?;
    let source: [u8; 4] = reader.array("source").map_err(truncated)?;
    let destination: [u8; 4] = reader.array("destination").map_err(truncated)?;
    let header = usize::from(first & 0x0f) * 4;
    let told = usize::from(u16::from_be_bytes([length_high, length_low]));
    let total = if told == 0 { captured } else { told };
    if header < 20 || total < header && told != 0 {
        return Err(Unread::Malformed);
    }
    let part = u16::from_be_bytes([part_high, part_low]);
    let fragment = Fragment { offset: (part & 0x1fff) << 3, more: part & 0x2000 != 0 };
    let mut packet = empty(IpAddr::V4(Ipv4Addr::from(source)), IpAddr::V4(Ipv4Addr::from(destination)));
    packet.protocol = protocol;
    packet.ttl = ttl;
    packet.ip_id = u32::from(u16::from_be_bytes([id_high, id_low]));
    packet.total_bytes = u32::try_from(total).unwrap_or(u32::MAX);
    packet.fragment = (fragment.offset != 0 || fragment.more).then_some(fragment);
    // Options may be cut off: then nothing of what follows is there either.
    let held = total.min(captured);
    packet.payload_at = start + header.min(held);
    packet.payload_len = held.saturating_sub(header);
    packet.cut = cut_by(&packet, header > captured);
    Ok(packet)
}

fn version6(reader: &mut Reader<'_>) -> Result<Packet, Unread> {
    let start = reader.at();
    let [_, _, _, _, length_high, length_low, next, ttl] = reader.array("IPv6 header").map_err(truncated)?;
    let source: [u8; 16] = reader.array("source").map_err(truncated)?;
    let destination: [u8; 16] = reader.array("destination").map_err(truncated)?;
    let captured = reader.rest().len();
    let told = usize::from(u16::from_be_bytes([length_high, length_low]));
    let carried = if told == 0 && next != 59 { captured } else { told };
    let mut packet = empty(IpAddr::V6(Ipv6Addr::from(source)), IpAddr::V6(Ipv6Addr::from(destination)));
    packet.protocol = next;
    packet.ttl = ttl;
    packet.total_bytes = u32::try_from(carried.saturating_add(40)).unwrap_or(u32::MAX);
    packet.payload_at = start + 40;
    packet.payload_len = carried.min(captured);
    let held = reader.rest().get(..packet.payload_len).unwrap_or_default();
    let walked = extensions(&mut packet, held);
    packet.payload_at += walked;
    packet.payload_len -= walked;
    Ok(packet)
}

/// Walks the extension headers in `held`; gives how many bytes they take, at most all.
fn extensions(packet: &mut Packet, held: &[u8]) -> usize {
    let mut reader = Reader::new(held);
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(packet.protocol) {
            return reader.at();
        }
        let at = reader.at();
        if extension(packet, &mut reader).is_none() {
            packet.cut = Some(Cut::Truncated);
            return at;
        }
        if packet.fragment.is_some_and(|part| part.offset != 0) {
            packet.cut = Some(Cut::LaterFragment);
            return reader.at();
        }
    }
    if is_extension(packet.protocol) {
        packet.cut = Some(Cut::TooManyExtensions);
    }
    reader.at()
}

const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6)
}

/// One extension header; none when it is not all there.
fn extension(packet: &mut Packet, reader: &mut Reader<'_>) -> Option<()> {
    let [next, length, part_high, part_low, a, b, c, d] = reader.array("extension header").ok()?;
    let rest = match packet.protocol {
        FRAGMENT => {
            let part = u16::from_be_bytes([part_high, part_low]);
            let (offset, more) = (part & 0xfff8, part & 1 != 0);
            packet.ip_id = u32::from_be_bytes([a, b, c, d]);
            // An atomic fragment (RFC 6946) is whole.
            packet.fragment = (offset != 0 || more).then_some(Fragment { offset, more });
            0
        }
        // Counted in units of four bytes, less two.
        AUTHENTICATION => usize::from(length) * 4,
        _ => usize::from(length) * 8,
    };
    reader.take(rest, "extension header").ok()?;
    packet.protocol = next;
    Some(())
}

fn cut_by(packet: &Packet, options_missing: bool) -> Option<Cut> {
    match packet.fragment {
        Some(part) if part.offset != 0 => Some(Cut::LaterFragment),
        _ => options_missing.then_some(Cut::Truncated),
    }
}

const fn empty(source: IpAddr, destination: IpAddr) -> Packet {
    Packet {
        source,
        destination,
        source_port: 0,
        destination_port: 0,
        protocol: 0,
        ttl: 0,
        ip_id: 0,
        total_bytes: 0,
        fragment: None,
        tcp: None,
        icmp: None,
        payload_at: 0,
        payload_len: 0,
        cut: None,
    }
}
