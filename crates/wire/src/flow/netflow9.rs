//! NetFlow v9 (RFC 3954): a header of 20 bytes, then sets up to the end of the datagram.
//!
//! The header's count is not used: exporters count records, sets or something else by it. Its number counts packets.

use super::books::{Message, Seat};
use super::counts::{Part, Reason};
use super::exporter::DomainKey;
use super::record::FlowRecord;
use super::sequence::Unit;
use super::sets;
use super::times::Clock;

const HEADER_BYTES: usize = 20;

/// Reads a datagram.
pub(super) fn read(seat: &mut Seat<'_>, datagram: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let Some((header, body)) = datagram.split_first_chunk::<HEADER_BYTES>() else {
        return seat.books.counts.refuse(Reason::TruncatedHeader, datagram.len());
    };
    let [_, _, _, _, u0, u1, u2, u3, s0, s1, s2, s3, n0, n1, n2, n3, d0, d1, d2, d3] = *header;
    let key = DomainKey::NetFlow9(u32::from_be_bytes([d0, d1, d2, d3]));
    let uptime_ms = u32::from_be_bytes([u0, u1, u2, u3]);
    let export_us = i64::from(u32::from_be_bytes([s0, s1, s2, s3])) * 1_000_000;
    let Seat { exporter, books, received } = seat;
    if exporter.domain(books, key).is_none() {
        return books.counts.refuse(Reason::TooManyDomains, datagram.len());
    }
    exporter.see_uptime(books, key, uptime_ms, *received);
    exporter.see_number(key, Unit::Packets, u32::from_be_bytes([n0, n1, n2, n3]), Some(1));
    books.counts.understood(Part::Header, HEADER_BYTES);
    let clamped = &mut books.counts.clamped;
    let clock = Clock::new(&books.limits, *received, export_us, Some(uptime_ms), clamped);
    let _records = sets::read(seat, &mut Message { key, clock, body }, each);
}
