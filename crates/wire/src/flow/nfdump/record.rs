//! Records of layout 2: a few fixed fields, then elements with a type and a length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hinomi_model::Timestamp;

use super::little::Little;
use crate::flow::file::Reason;
use crate::flow::{FlowRecord, Volume};
use crate::packet::{ICMP, ICMP6, TCP};

/// Type of a flow's record.
pub(super) const V3: u16 = 11;

const GENERIC: u16 = 1;
const ADDRESSES_4: u16 = 2;
const ADDRESSES_6: u16 = 3;
const MISCELLANEOUS: u16 = 4;
const OUTBOUND: u16 = 5;

/// Type and length before an element.
const ELEMENT_HEAD_BYTES: usize = 4;

/// What a record turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Flow(FlowRecord),
    /// A description, or the tool's own books.
    Other,
}

/// What both layouts tell of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) ends: [IpAddr; 2],
    pub(super) ports: [u16; 2],
    pub(super) protocol: u8,
    pub(super) inbound: Volume,
    pub(super) outbound: Volume,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
}

impl Told {
    pub(super) fn flow(self) -> Result<FlowRecord, Reason> {
        let [source, destination] = self.ends;
        // Type and code of ICMP stand in the place of a port.
        let is_icmp = matches!(self.protocol, ICMP | ICMP6);
        let [source_port, destination_port] = if is_icmp { [0, 0] } else { self.ports };
        let is_used = |volume: Volume| volume.packets > 0 || volume.bytes > 0;
        if !is_used(self.inbound) && !is_used(self.outbound) {
            return Err(Reason::Event);
        }
        let volume = |volume: Volume| match self.protocol {
            TCP => volume,
            _ => Volume { tcp_flags: 0, ..volume },
        };
        let start = time(self.first_ms);
        Ok(FlowRecord {
            source,
            destination,
            source_port,
            destination_port,
            protocol: self.protocol,
            forward: volume(self.inbound),
            reverse: is_used(self.outbound).then(|| volume(self.outbound)),
            start,
            end: time(self.last_ms).max(start),
            sampling: 0,
        })
    }
}

fn time(milliseconds: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(milliseconds.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// What was seen in a record's elements so far.
#[derive(Default)]
struct Elements {
    generic: Option<Generic>,
    ends: Option<[IpAddr; 2]>,
    outbound: Volume,
}

struct Generic {
    ports: [u16; 2],
    protocol: u8,
    inbound: Volume,
    first_ms: u64,
    last_ms: u64,
}

/// Reads what follows a record's type and length.
pub(super) fn read(body: &[u8]) -> Result<Meaning, Reason> {
    let mut reader = Little::new(body);
    let count = reader.u16().ok_or(Reason::Truncated("a record"))?;
    // Engine, exporter, flags, version.
    reader.take(6).ok_or(Reason::Truncated("a record"))?;
    let mut elements = Elements::default();
    for _ in 0..count {
        let head = reader.u16().zip(reader.u16());
        let (kind, length) = head.ok_or(Reason::Truncated("a record's element"))?;
        let length = usize::from(length).checked_sub(ELEMENT_HEAD_BYTES);
        let length = length.ok_or(Reason::Invalid("the length of a record's element"))?;
        let element = reader.take(length).ok_or(Reason::Truncated("a record's element"))?;
        elements.take(kind, element).ok_or(Reason::Truncated("a record's element"))?;
    }
    // Events of address translation have no addresses of a flow, or no counters.
    let (generic, ends) = elements.generic.zip(elements.ends).ok_or(Reason::NotIp)?;
    let Generic { ports, protocol, inbound, first_ms, last_ms } = generic;
    let told = Told { ends, ports, protocol, inbound, outbound: elements.outbound, first_ms, last_ms };
    told.flow().map(Meaning::Flow)
}

impl Elements {
    fn take(&mut self, kind: u16, bytes: &[u8]) -> Option<()> {
        let mut reader = Little::new(bytes);
        match kind {
            GENERIC => self.generic = Some(generic(&mut reader)?),
            ADDRESSES_4 => self.ends = Some([version4(&mut reader)?, version4(&mut reader)?]),
            ADDRESSES_6 => self.ends = Some([version6(&mut reader)?, version6(&mut reader)?]),
            MISCELLANEOUS => {
                // Interfaces, masks, directions; the other direction's flags came with version 1.7.1.
                self.outbound.tcp_flags = reader.take(14).and_then(|_| reader.u8()).unwrap_or_default();
            }
            OUTBOUND => {
                reader.u64()?;
                (self.outbound.packets, self.outbound.bytes) = (reader.u64()?, reader.u64()?);
            }
            _ => {}
        }
        Some(())
    }
}

fn generic(reader: &mut Little<'_>) -> Option<Generic> {
    let [first, last, received] = [reader.u64()?, reader.u64()?, reader.u64()?];
    let (packets, bytes) = (reader.u64()?, reader.u64()?);
    let ports = [reader.u16()?, reader.u16()?];
    let (protocol, tcp_flags) = (reader.u8()?, reader.u8()?);
    let (first_ms, last_ms) = if first == 0 { (received, received) } else { (first, last) };
    Some(Generic { ports, protocol, inbound: Volume { packets, bytes, tcp_flags }, first_ms, last_ms })
}

/// An address as the number that it is.
pub(super) fn version4(reader: &mut Little<'_>) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::from_bits(reader.u32()?)))
}

/// Two numbers, the higher one first.
pub(super) fn version6(reader: &mut Little<'_>) -> Option<IpAddr> {
    let (high, low) = (reader.u64()?, reader.u64()?);
    Some(IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))))
}
