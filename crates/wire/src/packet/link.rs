//! What stands before the IP header.

use super::{MAX_TAGS, Unread};
use crate::malformed::Malformed;
use crate::read::Reader;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and what was used for stacked tags before it.
const VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
const MPLS: [u16; 2] = [0x8847, 0x8848];
const PPPOE_SESSION: u16 = 0x8864;

/// The kind of link that a frame was captured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// Ethernet II, with VLAN tags, MPLS labels and PPPoE.
    Ethernet,
    /// BSD's loopback: a protocol family of four bytes, in either byte order.
    Loopback,
    /// An IP packet and nothing before it.
    Ip,
    /// Linux's capture on `any` (SLL).
    Cooked,
    /// The same, version 2.
    Cooked2,
}

impl Link {
    /// From the number in a capture file (LINKTYPE or DLT); none when we do not read such frames.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 | 108 => Some(Self::Loopback),
            1 => Some(Self::Ethernet),
            // 12 and 14 are DLT_RAW of some systems, which older programs wrote as they were.
            12 | 14 | 101 | 228 | 229 => Some(Self::Ip),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            _ => None,
        }
    }

    /// Moves the reader to the IP header.
    pub(super) fn skip(self, reader: &mut Reader<'_>) -> Result<(), Unread> {
        match self {
            Self::Ip => Ok(()),
            Self::Ethernet => {
                reader.take(12, "Ethernet addresses").map_err(truncated)?;
                next(reader)
            }
            Self::Cooked => {
                reader.take(14, "cooked header").map_err(truncated)?;
                next(reader)
            }
            Self::Cooked2 => {
                let ether_type = reader.u16("cooked header").map_err(truncated)?;
                reader.take(18, "cooked header").map_err(truncated)?;
                after(ether_type, reader)
            }
            Self::Loopback => family(reader.array("family").map_err(truncated)?),
        }
    }
}

pub(super) fn truncated(_: Malformed) -> Unread {
    Unread::Truncated
}

fn next(reader: &mut Reader<'_>) -> Result<(), Unread> {
    let ether_type = reader.u16("EtherType").map_err(truncated)?;
    after(ether_type, reader)
}

/// Skips tags until an IP header follows.
fn after(mut ether_type: u16, reader: &mut Reader<'_>) -> Result<(), Unread> {
    for _ in 0..=MAX_TAGS {
        match ether_type {
            IPV4 | IPV6 => return Ok(()),
            PPPOE_SESSION => return pppoe(reader),
            tag if VLAN.contains(&tag) => {
                reader.take(2, "VLAN tag").map_err(truncated)?;
                ether_type = reader.u16("EtherType").map_err(truncated)?;
            }
            label if MPLS.contains(&label) => return mpls(reader),
            other => return Err(Unread::NotIp(other)),
        }
    }
    Err(Unread::TooManyTags)
}

/// A label stack does not say what follows it; [`super::ip`] looks at the version. A pseudowire's control word begins
/// with a nibble that is no version of IP.
fn mpls(reader: &mut Reader<'_>) -> Result<(), Unread> {
    for _ in 0..MAX_TAGS {
        let [_, _, bottom, _] = reader.array::<4>("MPLS label").map_err(truncated)?;
        if bottom & 1 == 1 {
            return match reader.rest().first().map(|byte| byte >> 4) {
                Some(4 | 6) => Ok(()),
                Some(_) => Err(Unread::NotIp(MPLS[0])),
                None => Err(Unread::Truncated),
            };
        }
    }
    Err(Unread::TooManyTags)
}

fn pppoe(reader: &mut Reader<'_>) -> Result<(), Unread> {
    reader.take(6, "PPPoE header").map_err(truncated)?;
    match reader.u16("PPP protocol").map_err(truncated)? {
        0x0021 | 0x0057 => Ok(()),
        _ => Err(Unread::NotIp(PPPOE_SESSION)),
    }
}

/// Families differ between systems: 2 is IPv4 everywhere, IPv6 is 10, 24, 28 or 30.
fn family(bytes: [u8; 4]) -> Result<(), Unread> {
    let number = u32::from_be_bytes(bytes).min(u32::from_le_bytes(bytes));
    match number {
        2 | 10 | 24 | 28 | 30 => Ok(()),
        other => Err(Unread::NotIp(u16::try_from(other).unwrap_or(u16::MAX))),
    }
}
