//! Records of layout 1: fixed fields, counters of four or eight bytes, then what an extension map describes.

use std::collections::HashMap;

use super::little::Little;
use super::record::{Meaning, Told, version4, version6};
use crate::flow::Volume;
use crate::flow::file::Reason;

/// A flow, of collectors with few exporters.
pub(super) const COMMON_SHORT: u16 = 1;
/// An extension map.
pub(super) const MAP: u16 = 2;
/// A flow.
pub(super) const COMMON: u16 = 10;

const IS_IPV6: u16 = 1;
const WIDE_PACKETS: u16 = 2;
const WIDE_BYTES: u16 = 4;

const OUT_PACKETS: u16 = 14;
const OUT_PACKETS_WIDE: u16 = 15;
const OUT_BYTES: u16 = 16;
const OUT_BYTES_WIDE: u16 = 17;

/// Bytes of extensions 4 to 24. What comes after one of another number cannot be found, and is not needed.
const EXTENSION_BYTES: [usize; 21] = [4, 8, 4, 8, 4, 4, 16, 4, 16, 4, 4, 8, 4, 8, 4, 8, 16, 16, 40, 4, 16];

/// Where the outbound counters stand, by map. There are 65,536 numbers of maps at most.
#[derive(Debug, Default)]
pub(super) struct Maps(HashMap<u16, Outbound>);

/// Offsets after the required fields; whether eight bytes wide.
#[derive(Clone, Copy, Debug, Default)]
struct Outbound {
    packets: Option<(usize, bool)>,
    bytes: Option<(usize, bool)>,
}

impl Maps {
    /// Remembers a map. A later one of the same number replaces it, as exporters restart.
    pub(super) fn learn(&mut self, body: &[u8]) -> Result<Meaning, Reason> {
        let mut reader = Little::new(body);
        let (number, _) = reader.u16().zip(reader.u16()).ok_or(Reason::Truncated("an extension map"))?;
        let mut outbound = Outbound::default();
        let mut at = 0;
        while let Some(extension) = reader.u16() {
            let place = usize::from(extension).checked_sub(4);
            let Some(length) = place.and_then(|place| EXTENSION_BYTES.get(place)) else { break };
            match extension {
                OUT_PACKETS | OUT_PACKETS_WIDE => outbound.packets = Some((at, extension == OUT_PACKETS_WIDE)),
                OUT_BYTES | OUT_BYTES_WIDE => outbound.bytes = Some((at, extension == OUT_BYTES_WIDE)),
                _ => {}
            }
            at += length;
        }
        self.0.insert(number, outbound);
        Ok(Meaning::Other)
    }

    /// Reads what follows a flow's type and length. Without its map nothing but the outbound counters is missing.
    pub(super) fn record(&self, kind: u16, body: &[u8]) -> Result<Meaning, Reason> {
        let told = self.told(kind, body).ok_or(Reason::Truncated("a record"))?;
        told.flow().map(Meaning::Flow)
    }

    fn told(&self, kind: u16, body: &[u8]) -> Option<Told> {
        let mut reader = Little::new(body);
        let flags = reader.u16()?;
        let outbound = self.0.get(&reader.u16()?).copied().unwrap_or_default();
        let fractions = [reader.u16()?, reader.u16()?];
        let seconds = [reader.u32()?, reader.u32()?];
        let (_, tcp_flags, protocol, _) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
        let ports = [reader.u16()?, reader.u16()?];
        if kind == COMMON {
            reader.take(4)?;
        }
        let ends = match flags & IS_IPV6 {
            0 => [version4(&mut reader)?, version4(&mut reader)?],
            _ => [version6(&mut reader)?, version6(&mut reader)?],
        };
        let packets = reader.number(flags & WIDE_PACKETS != 0)?;
        let bytes = reader.number(flags & WIDE_BYTES != 0)?;
        let [first_ms, last_ms] = [0, 1].map(|place: usize| {
            let of = |seconds: Option<&u32>| u64::from(seconds.copied().unwrap_or_default());
            of(seconds.get(place)) * 1_000 + u64::from(fractions.get(place).copied().unwrap_or_default())
        });
        let at = |place: Option<(usize, bool)>| match place {
            None => Some(0),
            Some((at, wide)) => {
                let mut reader = reader;
                reader.take(at)?;
                reader.number(wide)
            }
        };
        let outbound = Volume { packets: at(outbound.packets)?, bytes: at(outbound.bytes)?, tcp_flags: 0 };
        let inbound = Volume { packets, bytes, tcp_flags };
        Some(Told { ends, ports, protocol, inbound, outbound, first_ms, last_ms })
    }
}
