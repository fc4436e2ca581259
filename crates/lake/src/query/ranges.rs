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
