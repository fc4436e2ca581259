//! Addresses that are no ordinary targets.
//!
//! Facts from the IANA special-purpose address registries (RFC 6890 and its updates), multicast from RFC 5771 and 4291.
//! Some blocks are never probed. Others (private, loopback, shared, benchmarking) are, if a range of the scope lies
//! wholly inside the block: whoever writes `0.0.0.0/0` has not thereby authorised a look at a private network.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

/// A special-purpose block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reserved {
    /// The block.
    pub prefix: IpNet,
    /// What it is for, and when it may be probed if ever.
    pub name: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Never,
    Named,
}

type V4 = ([u8; 4], u8, When, &'static str);
type V6 = ([u16; 8], u8, When, &'static str);

const BLOCKS_V4: &[V4] = &[
    ([0, 0, 0, 0], 8, When::Never, "\"this network\", never a target"),
    ([10, 0, 0, 0], 8, When::Named, "private; only a range inside 10.0.0.0/8 permits it"),
    ([100, 64, 0, 0], 10, When::Named, "shared address space; only a range inside it permits it"),
    ([127, 0, 0, 0], 8, When::Named, "loopback; only a range inside it permits it"),
    ([169, 254, 0, 0], 16, When::Never, "link-local, never a target"),
    ([172, 16, 0, 0], 12, When::Named, "private; only a range inside 172.16.0.0/12 permits it"),
    ([192, 0, 0, 0], 24, When::Never, "for protocol assignments, never a target"),
    ([192, 0, 2, 0], 24, When::Never, "for documentation, never a target"),
    ([192, 88, 99, 0], 24, When::Never, "the retired 6to4 relay anycast, never a target"),
    ([192, 168, 0, 0], 16, When::Named, "private; only a range inside 192.168.0.0/16 permits it"),
    ([198, 18, 0, 0], 15, When::Named, "for benchmarks; only a range inside it permits it"),
    ([198, 51, 100, 0], 24, When::Never, "for documentation, never a target"),
    ([203, 0, 113, 0], 24, When::Never, "for documentation, never a target"),
    ([224, 0, 0, 0], 4, When::Never, "multicast, never a target"),
    ([240, 0, 0, 0], 4, When::Never, "reserved or broadcast, never a target"),
];

const BLOCKS_V6: &[V6] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, When::Never, "the unspecified address, never a target"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, When::Named, "loopback; only a range inside it permits it"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, When::Never, "local translation, never a target"),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, When::Never, "translation to IPv4; name the IPv4 range instead"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, When::Never, "discard-only, never a target"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, When::Never, "Teredo, never a target"),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, When::Named, "for benchmarks; only a range inside it permits it"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, When::Never, "for documentation, never a target"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, When::Never, "6to4; name the IPv4 range instead"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, When::Never, "for documentation, never a target"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, When::Named, "unique local; only a range inside fc00::/7 permits it"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, When::Never, "link-local, never a target"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, When::Never, "multicast, never a target"),
];

fn v4_block(entry: &V4) -> Option<(IpNet, When, &'static str)> {
    let (octets, length, when, name) = entry;
    Ipv4Net::new((*octets).into(), *length).ok().map(|net| (IpNet::V4(net), *when, *name))
}

fn v6_block(entry: &V6) -> Option<(IpNet, When, &'static str)> {
    let (segments, length, when, name) = entry;
    Ipv6Net::new((*segments).into(), *length).ok().map(|net| (IpNet::V6(net), *when, *name))
}

/// Every reserved block.
pub fn reserved_blocks() -> impl Iterator<Item = IpNet> {
    let four = BLOCKS_V4.iter().filter_map(v4_block).map(|(net, ..)| net);
    four.chain(BLOCKS_V6.iter().filter_map(v6_block).map(|(net, ..)| net))
}

/// The reserved block that forbids this address, if one does. `range` is the range of the scope that holds it.
pub fn reserved(address: IpAddr, range: Option<IpNet>) -> Option<Reserved> {
    let found = match address {
        IpAddr::V4(_) => BLOCKS_V4.iter().filter_map(v4_block).find(|(net, _, _)| net.contains(&address)),
        IpAddr::V6(_) => BLOCKS_V6.iter().filter_map(v6_block).find(|(net, _, _)| net.contains(&address)),
    };
    let (prefix, when, name) = found?;
    let named = range.is_some_and(|range| prefix.contains(&range));
    (when == When::Never || !named).then_some(Reserved { prefix, name })
}
