//! Whose addresses are subscribers': a set of prefixes, asked twice for every record.
//!
//! Read from text, one prefix a line, `#` begins a comment. Overlapping and adjacent prefixes become one range: the
//! question is whether an address is inside, so the longest match is any match. IPv4 ranges are found through a table
//! of the upper 16 bits that points to the few ranges below them; IPv6 ranges by binary search.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::error::FlowError;

/// Most prefixes of a list.
pub const MAX_PREFIXES: usize = 1_000_000;
/// Upper bits of an IPv4 address, as a number of entries.
const SLOTS: usize = 1 << 16;

/// The address space of the subscribers.
#[derive(Clone, Debug)]
pub struct Subscribers {
    /// Disjoint, ascending, inclusive.
    v4: Vec<(u32, u32)>,
    /// For each value of the upper 16 bits the first range that does not end before it; one more entry at the end.
    slots: Vec<u32>,
    /// Disjoint, ascending, inclusive.
    v6: Vec<(u128, u128)>,
}

impl Subscribers {
    /// Reads a list.
    ///
    /// # Errors
    /// When a line is no prefix (named by its number), has loose bits, or there is none or too many.
    pub fn read(text: &str) -> Result<Self, FlowError> {
        let mut prefixes = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let bare = line.split('#').next().unwrap_or_default().trim();
            if bare.is_empty() {
                continue;
            }
            prefixes.push(prefix(bare, number + 1)?);
            if prefixes.len() > MAX_PREFIXES {
                return Err(FlowError::TooManyPrefixes { most: MAX_PREFIXES });
            }
        }
        Self::of(&prefixes)
    }

    /// The set of these prefixes.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(prefixes: &[IpNet]) -> Result<Self, FlowError> {
        if prefixes.is_empty() {
            return Err(FlowError::NoSubscribers);
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix {
                IpNet::V4(net) => v4.push((u32::from(net.network()), u32::from(net.broadcast()))),
                IpNet::V6(net) => v6.push((u128::from(net.network()), u128::from(net.broadcast()))),
            }
        }
        let v4 = join(v4, |end, start| start <= end.saturating_add(1));
        let v6 = join(v6, |end, start| start <= end.saturating_add(1));
        Ok(Self { slots: slots(&v4), v4, v6 })
    }

    /// Whether this is a subscriber's address. An IPv4 address written as IPv6 (`::ffff:0:0/96`) is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.contains_v4(v4),
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| self.contains_v6(v6), |v4| self.contains_v4(v4)),
        }
    }

    /// How many separate ranges there are, IPv4 and IPv6.
    pub const fn ranges(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }

    fn contains_v4(&self, address: Ipv4Addr) -> bool {
        let value = u32::from(address);
        let slot = (value >> 16) as usize;
        let from = self.slots.get(slot).copied().unwrap_or(0) as usize;
        let upto = self.slots.get(slot + 1).map_or(0, |next| *next as usize + 1).min(self.v4.len());
        let near = self.v4.get(from..upto).unwrap_or_default();
        let place = near.partition_point(|(_, end)| *end < value);
        near.get(place).is_some_and(|(start, _)| *start <= value)
    }

    fn contains_v6(&self, address: Ipv6Addr) -> bool {
        let value = u128::from(address);
        let place = self.v6.partition_point(|(_, end)| *end < value);
        self.v6.get(place).is_some_and(|(start, _)| *start <= value)
    }
}

fn prefix(text: &str, line: usize) -> Result<IpNet, FlowError> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let Some(net) = text.parse::<IpNet>().ok().or_else(alone) else {
        return Err(FlowError::NotAPrefix { line });
    };
    if net.trunc() != net {
        return Err(FlowError::LooseBits { line, length: net.prefix_len() });
    }
    Ok(net)
}

fn join<T: Ord + Copy>(mut ranges: Vec<(T, T)>, touches: impl Fn(T, T) -> bool) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut joined: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match joined.last_mut() {
            Some((_, last)) if touches(*last, start) => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

fn slots(ranges: &[(u32, u32)]) -> Vec<u32> {
    let mut place = 0;
    let mut slots = Vec::with_capacity(SLOTS + 1);
    for slot in 0..=SLOTS {
        let begin = (slot as u64) << 16;
        while ranges.get(place).is_some_and(|(_, end)| u64::from(*end) < begin) {
            place += 1;
        }
        slots.push(u32::try_from(place).unwrap_or(u32::MAX));
    }
    slots
}

#[cfg(test)]
mod tests {
    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_read_with_comments_and_both_families() {
        let text = "# our lines\n192.0.2.0/25\n192.0.2.128/25 # adjacent\n\n2001:db8::/32\n198.51.100.7\n";
        let set = Subscribers::read(text).expect("a list");
        assert_eq!(set.ranges(), (2, 1));
        for inside in ["192.0.2.200", "198.51.100.7", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(set.contains(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["192.0.3.0", "198.51.100.8", "2001:db9::", "::", "255.255.255.255"] {
            assert!(!set.contains(outside.parse().expect("an address")), "{outside}");
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let told = |text: &str| Subscribers::read(text).expect_err("wrong").to_string();
        assert!(told("192.0.2.0/24\n192.0.2.0/33").contains("line 2"));
        assert!(told("192.0.2.1/24").contains("line 1") && told("192.0.2.1/24").contains("beyond its length of 24"));
        assert!(!told("192.0.2.1/24").contains("192.0.2.1"), "it may be a subscriber's address");
        assert!(told("# nobody").contains("names no prefix"));
    }

    #[test]
    fn the_whole_space_fits() {
        let set = Subscribers::read("0.0.0.0/0\n::/0\n10.0.0.0/8").expect("a list");
        assert_eq!(set.ranges(), (1, 1));
        assert!(set.contains(Ipv4Addr::BROADCAST.into()) && set.contains(Ipv4Addr::UNSPECIFIED.into()));
    }

    fn net_v4() -> impl Strategy<Value = IpNet> {
        // Few upper bits, so that ranges meet, nest and share slots.
        (0_u32..0x0004_0000, 8_u8..=32).prop_filter_map("a prefix", |(low, length)| {
            Ipv4Net::new((0x0a00_0000 + low).into(), length).ok().map(|net| IpNet::V4(net.trunc()))
        })
    }

    fn net_v6() -> impl Strategy<Value = IpNet> {
        (any::<u32>(), 16_u8..=128).prop_filter_map("a prefix", |(low, length)| {
            Ipv6Net::new((u128::from(low) << 80).into(), length).ok().map(|net| IpNet::V6(net.trunc()))
        })
    }

    proptest! {
        #[test]
        fn it_says_what_a_loop_over_the_prefixes_says(
            v4 in proptest::collection::vec(net_v4(), 1..40),
            v6 in proptest::collection::vec(net_v6(), 0..10),
            asked in proptest::collection::vec(0_u32..0x0005_0000, 50),
            asked_v6 in proptest::collection::vec(any::<u32>(), 20),
        ) {
            let all = [v4, v6].concat();
            let set = Subscribers::of(&all).expect("not empty");
            let edges = all.iter().flat_map(|net| [net.network(), net.broadcast()]);
            let asked = asked.into_iter().map(|low| IpAddr::V4((0x0a00_0000 + low).into()));
            let asked_v6 = asked_v6.into_iter().map(|low| IpAddr::V6((u128::from(low) << 80).into()));
            for address in edges.chain(asked).chain(asked_v6) {
                prop_assert_eq!(set.contains(address), all.iter().any(|net| net.contains(&address)), "{}", address);
            }
        }
    }
}
