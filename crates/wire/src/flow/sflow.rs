//! sFlow v5 (sflow.org, "sFlow Version 5"): samples of packets, and counters, in a datagram numbered by its agent.
//!
//! A packet sample becomes one [`FlowRecord`] of one packet, from the raw header it carries or, where there is none,
//! from the sampled IPv4 or IPv6 record. Its time is the time of receipt: sFlow tells no other. Counter samples are counted
//! and skipped. How many samples an agent dropped for want of resources is told in every sample, and counted as lost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::books::{Books, Seat};
use super::counts::{Part, Reason};
use super::exporter::{DomainKey, Exporter};
use super::plan::has_ports;
use super::record::{FlowRecord, Volume};
use super::sequence::Unit;
use crate::Malformed;
use crate::packet::{Link, Packet};
use crate::read::Reader;

/// A jump of the drop counter further than this is a new beginning.
const MAX_DROPS: u32 = 1 << 24;
const TCP: u8 = 6;

/// Reads a datagram.
pub(super) fn read(seat: &mut Seat<'_>, datagram: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let mut reader = Reader::new(datagram);
    let Ok(header) = Header::read(&mut reader) else {
        return seat.books.counts.refuse(Reason::TruncatedHeader, datagram.len());
    };
    let Seat { exporter, books, received } = seat;
    if exporter.domain(books, header.key).is_none() {
        return books.counts.refuse(Reason::TooManyDomains, datagram.len());
    }
    exporter.see_uptime(books, header.key, header.uptime_ms, *received);
    exporter.see_number(header.key, Unit::Datagrams, header.number, Some(1));
    books.counts.understood(Part::Header, reader.at());
    for _ in 0..header.samples {
        let before = reader.rest();
        let Ok((format, body)) = sample(&mut reader) else {
            return seat.books.counts.refuse(Reason::BadSample, before.len());
        };
        seat.books.counts.understood(Part::Header, 8);
        take(seat, header.key, format, body, each);
    }
    seat.books.counts.rest(reader.rest(), Reason::Leftover);
}

struct Header {
    key: DomainKey,
    number: u32,
    uptime_ms: u32,
    samples: u32,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.u32("version")?;
        let at = reader.at();
        let agent = match reader.u32("address type")? {
            1 => IpAddr::V4(Ipv4Addr::from(reader.array::<4>("agent")?)),
            2 => IpAddr::V6(Ipv6Addr::from(reader.array::<16>("agent")?)),
            _ => return Err(Malformed::Invalid { what: "address type", at }),
        };
        let key = DomainKey::Sflow(agent, reader.u32("sub-agent")?);
        let number = reader.u32("number")?;
        Ok(Self { key, number, uptime_ms: reader.u32("uptime")?, samples: reader.u32("sample count")? })
    }
}

/// Format and content of the next sample or record; lengths are of the content.
fn sample<'a>(reader: &mut Reader<'a>) -> Result<(u32, &'a [u8]), Malformed> {
    let mut ahead = reader.clone();
    let format = ahead.u32("format")?;
    let length = usize::try_from(ahead.u32("length")?).unwrap_or(usize::MAX);
    let body = ahead.take(length, "content")?;
    *reader = ahead;
    Ok((format, body))
}

fn take(seat: &mut Seat<'_>, key: DomainKey, format: u32, body: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let Seat { exporter, books, received } = seat;
    let expanded = match format {
        1 => false,
        3 => true,
        2 | 4 => {
            books.counts.counter_samples = books.counts.counter_samples.saturating_add(1);
            return books.counts.understood(Part::Counter, body.len());
        }
        _ => return books.counts.refuse(Reason::UnknownSample, body.len()),
    };
    let Ok(flow) = Sample::read(body, expanded) else {
        return books.counts.refuse(Reason::BadSample, body.len());
    };
    see_drops(exporter, books, key, flow.source, flow.drops);
    exporter.counts.arrived(Unit::Samples, 1);
    let Some(seen) = flow.seen else {
        return books.counts.refuse(Reason::UnreadablePacket, body.len());
    };
    exporter.counts.records = exporter.counts.records.saturating_add(1);
    books.counts.projected(1, body.len(), &super::counts::Clamped::default());
    each(FlowRecord { start: *received, end: *received, sampling: flow.rate, ..seen });
}

/// Drops are told as a running total of each data source.
fn see_drops(exporter: &mut Exporter, books: &mut Books, key: DomainKey, source: u64, drops: u32) {
    if let Some(before) = exporter.drops.get_mut(&(key, source)) {
        let more = drops.wrapping_sub(std::mem::replace(before, drops));
        if more <= MAX_DROPS {
            exporter.counts.lost(Unit::Samples, more);
        }
    } else if books.has_room(&exporter.kept, |kept| kept.selectors, 1) {
        exporter.kept.selectors += 1;
        books.kept.selectors += 1;
        exporter.drops.insert((key, source), drops);
    } else {
        books.counts.selectors_refused = books.counts.selectors_refused.saturating_add(1);
    }
}

/// A packet sample.
struct Sample {
    source: u64,
    rate: u32,
    drops: u32,
    /// The packet as a flow, without time and rate.
    seen: Option<FlowRecord>,
}

impl Sample {
    fn read(body: &[u8], expanded: bool) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        reader.u32("number")?;
        let source = source(&mut reader, expanded)?;
        let rate = reader.u32("rate")?;
        reader.u32("pool")?;
        let drops = reader.u32("drops")?;
        reader.take(if expanded { 16 } else { 8 }, "interfaces")?;
        let mut best = (0, None);
        for _ in 0..reader.u32("record count")? {
            let (format, content) = sample(&mut reader)?;
            // A raw header says more than the records that repeat parts of it.
            let (rank, seen) = match format {
                1 => (2, raw(content)),
                3 => (1, ipv4(content).ok()),
                4 => (1, ipv6(content).ok()),
                _ => continue,
            };
            if rank > best.0 && seen.is_some() {
                best = (rank, seen);
            }
        }
        Ok(Self { source, rate, drops, seen: best.1 })
    }
}

/// Type and index of what was sampled; together in 32 bits, or apart.
fn source(reader: &mut Reader<'_>, expanded: bool) -> Result<u64, Malformed> {
    let first = u64::from(reader.u32("source")?);
    if !expanded {
        return Ok(((first >> 24) << 32) | (first & 0x00ff_ffff));
    }
    Ok((first << 32) | u64::from(reader.u32("source index")?))
}

/// The first bytes of a packet: Ethernet, or IP without a link.
fn raw(content: &[u8]) -> Option<FlowRecord> {
    let mut reader = Reader::new(content);
    let link = match reader.u32("header protocol").ok()? {
        1 => Link::Ethernet,
        11 | 12 => Link::Ip,
        _ => return None,
    };
    reader.take(8, "frame length").ok()?;
    let length = usize::try_from(reader.u32("header length").ok()?).ok()?;
    let packet = Packet::read(link, reader.take(length, "header").ok()?).ok()?;
    Some(FlowRecord {
        source: packet.source,
        destination: packet.destination,
        source_port: packet.source_port,
        destination_port: packet.destination_port,
        protocol: packet.protocol,
        forward: Volume { packets: 1, bytes: u64::from(packet.total_bytes), tcp_flags: packet.tcp_flags() },
        reverse: None,
        start: hinomi_model::Timestamp::default(),
        end: hinomi_model::Timestamp::default(),
        sampling: 0,
    })
}

fn ipv4(content: &[u8]) -> Result<FlowRecord, Malformed> {
    let mut reader = Reader::new(content);
    let (length, protocol) = (reader.u32("length")?, reader.u32("protocol")?);
    let source = Ipv4Addr::from(reader.array::<4>("source")?).into();
    let destination = Ipv4Addr::from(reader.array::<4>("destination")?).into();
    sampled(&mut reader, length, protocol, source, destination)
}

fn ipv6(content: &[u8]) -> Result<FlowRecord, Malformed> {
    let mut reader = Reader::new(content);
    let (length, protocol) = (reader.u32("length")?, reader.u32("protocol")?);
    let source = Ipv6Addr::from(reader.array::<16>("source")?).into();
    let destination = Ipv6Addr::from(reader.array::<16>("destination")?).into();
    sampled(&mut reader, length, protocol, source, destination)
}

fn sampled(
    reader: &mut Reader<'_>,
    length: u32,
    protocol: u32,
    source: IpAddr,
    destination: IpAddr,
) -> Result<FlowRecord, Malformed> {
    let mut port = || reader.u32("port").map(|port| u16::try_from(port).unwrap_or_default());
    let (source_port, destination_port) = (port()?, port()?);
    let flags = reader.u32("TCP flags")?.to_be_bytes()[3];
    let protocol = u8::try_from(protocol).unwrap_or(u8::MAX);
    let ports = if has_ports(protocol) { (source_port, destination_port) } else { (0, 0) };
    Ok(FlowRecord {
        source,
        destination,
        source_port: ports.0,
        destination_port: ports.1,
        protocol,
        forward: Volume { packets: 1, bytes: u64::from(length), tcp_flags: if protocol == TCP { flags } else { 0 } },
        reverse: None,
        start: hinomi_model::Timestamp::default(),
        end: hinomi_model::Timestamp::default(),
        sampling: 0,
    })
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests;
