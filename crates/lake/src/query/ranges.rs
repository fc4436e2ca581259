//! Sets of addresses, as entitlements are compiled to.

use std::net::IpAddr;

use hinomi_model::address::{bounds, to_u128};
use ipnet::IpNet;

/// A set of addresses as sorted ranges that do not touch: asking costs a binary search, however many prefixes went in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRanges(Vec<(u128, u128)>);

impl AddressRanges {
    /// The addresses of these prefixes.
    pub fn new(prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        let mut ranges: Vec<(u128, u128)> = prefixes.into_iter().map(bounds).collect();
        ranges.sort_unstable();
        Self::merged(ranges)
    }

    fn merged(ranges: Vec<(u128, u128)>) -> Self {
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.contains_number(to_u128(address))
    }

    /// Whether an address between these two numbers, ends included, is in it.
    pub(crate) fn touches(&self, low: u128, high: u128) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= high);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, end)| low <= *end)
    }

    /// The addresses that are in both.
    pub(crate) fn both(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let (mut mine, mut others) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((a, b)), Some((c, d))) = (mine.peek(), others.peek()) {
            let (low, high) = (*a.max(c), *b.min(d));
            if low <= high {
                ranges.push((low, high));
            }
            if b < d {
                mine.next()
            } else {
                others.next()
            };
        }
        Self(ranges)
    }

    /// The addresses that are in either.
    pub(crate) fn either(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.sort_unstable();
        Self::merged(self.0)
    }

    /// The addresses of these ranges, first and last.
    pub(crate) fn of_ranges(mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.sort_unstable();
        Self::merged(ranges)
    }

    /// The addresses from this number on.
    pub(crate) fn from_number(low: u128) -> Self {
        Self(vec![(low, u128::MAX)])
    }

    /// The addresses between these numbers, both included.
    pub(crate) fn between(low: u128, high: u128) -> Self {
        Self(vec![(low, high)])
    }

    /// First and last address of each range, ascending.
    pub(crate) fn ranges(&self) -> impl ExactSizeIterator<Item = (u128, u128)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn contains_number(&self, number: u128) -> bool {
        let after = self.0.partition_point(|(low, _)| *low <= number);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, high)| number <= *high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_contains_what_its_prefixes_contain(
            nets in prop::collection::vec((0u32..64, 26u8..=32), 0..8),
            probe in 0u32..80,
        ) {
            let base = u32::from(std::net::Ipv4Addr::new(198, 51, 100, 0));
            let prefix = |(at, length): &(u32, u8)| {
                IpNet::new(IpAddr::V4((base + at).into()), *length).expect("a prefix").trunc()
            };
            let prefixes: Vec<IpNet> = nets.iter().map(prefix).collect();
            let address = IpAddr::V4((base + probe).into());
            let expected = prefixes.iter().any(|net| net.contains(&address));
            prop_assert_eq!(AddressRanges::new(prefixes).contains(address), expected);
        }
    }
}
