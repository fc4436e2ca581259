//! A router of the drill: IPFIX (RFC 7011) by UDP, to the collector that the audit started.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_town::flows::{LoopbackSender, Message};
use hinomi_wire::flow::{FlowRecord, Volume};
use tokio::runtime::Runtime;

/// Records of a message: fits in a datagram without fragments.
const RECORDS: usize = 16;
const TEMPLATE_SET: u16 = 2;
/// Number and length of an element.
type Element = (u16, u16);
/// Ports, protocol, start and end in milliseconds, then packets, bytes and flags there, and back (RFC 5103).
const COMMON: [Element; 8] = [(7, 2), (11, 2), (4, 1), (152, 8), (153, 8), (2, 4), (1, 4), (6, 1)];
const BACK: [Element; 3] = [(2, 4), (1, 4), (6, 1)];
const REVERSE: u32 = 29_305;

/// Where it tells flows.
pub(super) struct Exporter<'a> {
    runtime: &'a Runtime,
    sender: LoopbackSender,
    sequence: u32,
}

/// Which template a record belongs to: its set's number, whether IPv6, whether both directions.
const TEMPLATES: [(u16, bool, bool); 4] =
    [(400, false, true), (401, false, false), (402, true, true), (403, true, false)];

impl<'a> Exporter<'a> {
    pub(super) fn towards(runtime: &'a Runtime, collector: SocketAddr) -> Result<Self> {
        Ok(Self { runtime, sender: runtime.block_on(LoopbackSender::to(collector))?, sequence: 0 })
    }

    /// Tells the templates of a domain.
    pub(super) fn introduce(&mut self, domain: u32) -> Result<()> {
        let mut body = Vec::new();
        for (number, is_v6, both) in TEMPLATES {
            write_template(&mut body, number, is_v6, both);
        }
        self.send(domain, TEMPLATE_SET, &body, 0)
    }

    /// Tells records.
    pub(super) fn tell(&mut self, domain: u32, records: &[FlowRecord]) -> Result<()> {
        for (number, is_v6, both) in TEMPLATES {
            let of = |record: &&FlowRecord| (record.source.is_ipv6(), record.reverse.is_some()) == (is_v6, both);
            let of: Vec<&FlowRecord> = records.iter().filter(of).collect();
            for some in of.chunks(RECORDS) {
                let mut body = Vec::with_capacity(RECORDS * 96);
                some.iter().for_each(|record| write_record(&mut body, record));
                self.send(domain, number, &body, some.len())?;
            }
        }
        Ok(())
    }

    fn send(&mut self, domain: u32, set: u16, body: &[u8], records: usize) -> Result<()> {
        let time = SystemClock.now();
        let length = |more: usize| u16::try_from(more + body.len()).unwrap_or(u16::MAX).to_be_bytes();
        let seconds = u32::try_from(time.as_micros() / 1_000_000).unwrap_or(0);
        let mut bytes = [[0, 10], length(20)].concat();
        for word in [seconds, self.sequence, domain] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&set.to_be_bytes());
        bytes.extend_from_slice(&length(4));
        bytes.extend_from_slice(body);
        let flows = u32::try_from(records).unwrap_or(0);
        self.sequence = self.sequence.wrapping_add(flows);
        Ok(self.runtime.block_on(self.sender.send(&Message { time, domain, flows, bytes }))?)
    }
}

/// A session whole, and the same as two records, one a direction.
pub(super) fn in_every_way(record: FlowRecord) -> [FlowRecord; 3] {
    // Another port of the subscriber's: another session.
    let there = FlowRecord { reverse: None, source_port: record.source_port ^ 0x1000, ..record };
    let back = FlowRecord {
        source: there.destination,
        destination: there.source,
        source_port: there.destination_port,
        destination_port: there.source_port,
        forward: record.reverse.unwrap_or(record.forward),
        ..there
    };
    [record, there, back]
}

fn write_template(body: &mut Vec<u8>, number: u16, is_v6: bool, both: bool) {
    let ends: [Element; 2] = if is_v6 { [(27, 16), (28, 16)] } else { [(8, 4), (12, 4)] };
    let back: &[Element] = if both { &BACK } else { &[] };
    let count = u16::try_from(ends.len() + COMMON.len() + back.len()).unwrap_or(0);
    for half in [number, count] {
        body.extend_from_slice(&half.to_be_bytes());
    }
    for (element, length) in ends.into_iter().chain(COMMON) {
        body.extend([element.to_be_bytes(), length.to_be_bytes()].concat());
    }
    for (element, length) in back {
        body.extend([(element | 0x8000).to_be_bytes(), length.to_be_bytes()].concat());
        body.extend_from_slice(&REVERSE.to_be_bytes());
    }
}

fn write_record(body: &mut Vec<u8>, record: &FlowRecord) {
    for end in [record.source, record.destination] {
        match end {
            IpAddr::V4(four) => body.extend_from_slice(&four.octets()),
            IpAddr::V6(six) => body.extend_from_slice(&six.octets()),
        }
    }
    for port in [record.source_port, record.destination_port] {
        body.extend_from_slice(&port.to_be_bytes());
    }
    body.push(record.protocol);
    for time in [record.start, record.end] {
        body.extend_from_slice(&milliseconds(time).to_be_bytes());
    }
    write_volume(body, record.forward);
    if let Some(back) = record.reverse {
        write_volume(body, back);
    }
}

fn milliseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_micros() / 1_000).unwrap_or(0)
}

fn write_volume(body: &mut Vec<u8>, volume: Volume) {
    for number in [volume.packets, volume.bytes] {
        body.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }
    body.push(volume.tcp_flags);
}
