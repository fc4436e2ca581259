//! NetFlow v5: a header of 24 bytes and up to 30 records of 48 (Cisco, "NetFlow Export Datagram Format").
//!
//! The header counts the records and numbers the flows; times are on the exporter's uptime. A datagram whose count does
//! not fit is refused whole: nothing tells which of its bytes are true. Several messages may follow one another.

use std::net::Ipv4Addr;

use super::books::Seat;
use super::counts::{Clamped, Part, Reason};
use super::exporter::DomainKey;
use super::plan::has_ports;
use super::record::{FlowRecord, Volume};
use super::sequence::Unit;
use super::times::Clock;

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 48;
/// Mode and interval of sampling share 16 bits.
const INTERVAL: u16 = 0x3fff;

/// Reads a datagram.
pub(super) fn read(seat: &mut Seat<'_>, datagram: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let mut rest = datagram;
    loop {
        let (header, records, after) = match split(rest) {
            Ok(found) => found,
            Err(reason) => return seat.books.counts.refuse(reason, rest.len()),
        };
        message(seat, &header, records, each);
        rest = after;
        if !rest.starts_with(&[0, 5]) {
            return seat.books.counts.rest(rest, Reason::Leftover);
        }
    }
}

/// What the header says.
struct Header {
    count: u16,
    uptime_ms: u32,
    seconds: u32,
    nanoseconds: u32,
    number: u32,
    engine: u16,
    sampling: u16,
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Self {
        let [_, _, c0, c1, u0, u1, u2, u3, s0, s1, s2, s3, n0, n1, n2, n3, q0, q1, q2, q3, e0, e1, i0, i1] = *bytes;
        Self {
            count: u16::from_be_bytes([c0, c1]),
            uptime_ms: u32::from_be_bytes([u0, u1, u2, u3]),
            seconds: u32::from_be_bytes([s0, s1, s2, s3]),
            nanoseconds: u32::from_be_bytes([n0, n1, n2, n3]),
            number: u32::from_be_bytes([q0, q1, q2, q3]),
            engine: u16::from_be_bytes([e0, e1]),
            sampling: u16::from_be_bytes([i0, i1]),
        }
    }

    fn export_us(&self) -> i64 {
        // More than a second of nanoseconds is none.
        let fraction = if self.nanoseconds < 1_000_000_000 { self.nanoseconds / 1_000 } else { 0 };
        i64::from(self.seconds) * 1_000_000 + i64::from(fraction)
    }
}

fn split(rest: &[u8]) -> Result<(Header, &[u8], &[u8]), Reason> {
    let (header, body) = rest.split_first_chunk().ok_or(Reason::TruncatedHeader)?;
    let header = Header::read(header);
    let records = usize::from(header.count) * RECORD_BYTES;
    let (records, after) = body.split_at_checked(records).ok_or(Reason::LengthMismatch)?;
    Ok((header, records, after))
}

fn message(seat: &mut Seat<'_>, header: &Header, records: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let Seat { exporter, books, received } = seat;
    let key = DomainKey::NetFlow5(header.engine);
    if exporter.domain(books, key).is_none() {
        return books.counts.refuse(Reason::TooManyDomains, HEADER_BYTES + records.len());
    }
    exporter.see_uptime(books, key, header.uptime_ms, *received);
    exporter.see_number(key, Unit::Flows, header.number, Some(u32::from(header.count)));
    let mut clamped = Clamped::default();
    let uptime = Some(header.uptime_ms);
    let mut clock = Clock::new(&books.limits, *received, header.export_us(), uptime, &mut clamped);
    let sampling = u32::from(header.sampling & INTERVAL);
    for bytes in records.as_chunks::<RECORD_BYTES>().0 {
        each(record(bytes, sampling, &mut clock, &mut clamped));
    }
    books.counts.understood(Part::Header, HEADER_BYTES);
    books.counts.projected(u64::from(header.count), records.len(), &clamped);
    exporter.counts.records = exporter.counts.records.saturating_add(u64::from(header.count));
}

/// Next hop, interfaces, type of service, autonomous systems and masks are not looked at.
fn record(bytes: &[u8; RECORD_BYTES], sampling: u32, clock: &mut Clock, clamped: &mut Clamped) -> FlowRecord {
    let source = Ipv4Addr::from(at::<4>(bytes, 0));
    let destination = Ipv4Addr::from(at::<4>(bytes, 4));
    let [start, end] = [24, 28].map(|offset| u32::from_be_bytes(at(bytes, offset)));
    let told = start > 0 || end > 0;
    let [start, end] = [start, end].map(|ms| told.then(|| clock.at_uptime(u64::from(ms), false)));
    let (start, end) = clock.settle(start, end, 0, clamped);
    let [tcp_flags, protocol] = at(bytes, 37);
    let port = |offset| if has_ports(protocol) { u16::from_be_bytes(at(bytes, offset)) } else { 0 };
    FlowRecord {
        source: source.into(),
        destination: destination.into(),
        source_port: port(32),
        destination_port: port(34),
        protocol,
        forward: Volume {
            packets: u64::from(u32::from_be_bytes(at(bytes, 16))),
            bytes: u64::from(u32::from_be_bytes(at(bytes, 20))),
            tcp_flags: if protocol == 6 { tcp_flags } else { 0 },
        },
        reverse: None,
        start,
        end,
        sampling,
    }
}

#[inline]
fn at<const N: usize>(bytes: &[u8; RECORD_BYTES], offset: usize) -> [u8; N] {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
