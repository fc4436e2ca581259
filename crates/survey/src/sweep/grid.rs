//! Every address of some ranges with every port.

use std::net::IpAddr;

use hinomi_model::address::{bounds, from_u128, to_u128};
use hinomi_model::{ServiceKey, Transport};
use ipnet::IpNet;

use super::{MAX_TARGETS, SweepError};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Disjoint, sorted: first address as a number, how many, and how many come before.
    spans: Vec<(u128, u64, u64)>,
    ports: Vec<(Transport, u16)>,
    addresses: u64,
    /// 2^64 over the number of addresses, rounded down: makes a division a product.
    reciprocal: u64,
}

impl Grid {
    pub(super) fn new(ranges: &[IpNet], ports: Vec<(Transport, u16)>) -> Result<Self, SweepError> {
        let mut spans: Vec<(u128, u64, u64)> = Vec::new();
        let mut addresses = 0_u64;
        let limit = MAX_TARGETS / u64::try_from(ports.len().max(1)).unwrap_or(u64::MAX);
        let mut ranges = IpNet::aggregate(&ranges.to_vec());
        ranges.sort_unstable_by_key(|range| bounds(*range));
        for range in ranges {
            let (first, last) = bounds(range);
            let count = u64::try_from(last - first).ok().and_then(|span| span.checked_add(1));
            let too_large = || SweepError::TooLarge { range: range.to_string(), ports: ports.len() };
            let count = count.filter(|count| *count <= limit - addresses).ok_or_else(too_large)?;
            spans.push((first, count, addresses));
            addresses += count;
        }
        match addresses == 0 || ports.is_empty() {
            true => Err(SweepError::Empty),
            false => Ok(Self { spans, ports, addresses, reciprocal: reciprocal(addresses) }),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.addresses * u64::try_from(self.ports.len()).unwrap_or(0)
    }

    pub(super) const fn addresses(&self) -> u64 {
        self.addresses
    }

    pub(super) fn has(&self, transport: Transport) -> bool {
        self.ports.iter().any(|(of, _)| *of == transport)
    }

    /// The index over the number of addresses, and what is left.
    #[inline]
    fn divided(&self, index: u64) -> (u64, u64) {
        let mut quotient = ((u128::from(index) * u128::from(self.reciprocal)) >> 64) as u64;
        let mut rest = index - quotient * self.addresses;
        // The reciprocal was rounded down, so the quotient may be too small by one or two.
        while rest >= self.addresses {
            quotient += 1;
            rest -= self.addresses;
        }
        (quotient, rest)
    }

    /// All addresses for the first port, then all for the second.
    #[inline]
    pub(super) fn get(&self, index: u64) -> Option<ServiceKey> {
        let (port, place) = self.divided(index);
        let port = usize::try_from(port).ok()?;
        let (transport, port) = *self.ports.get(port)?;
        let after = self.spans.partition_point(|(_, _, before)| *before <= place);
        let (first, _, before) = self.spans.get(after.checked_sub(1)?)?;
        let address: IpAddr = from_u128(first + u128::from(place - before));
        Some(ServiceKey { address, port, transport })
    }

    /// The number of this target, if it is one.
    pub(super) fn index_of(&self, key: ServiceKey) -> Option<u64> {
        let port = self.ports.iter().position(|port| *port == (key.transport, key.port))?;
        let number = to_u128(key.address);
        let after = self.spans.partition_point(|(first, ..)| *first <= number);
        let (first, count, before) = self.spans.get(after.checked_sub(1)?)?;
        let place = u64::try_from(number - first).ok().filter(|place| place < count)?;
        Some(u64::try_from(port).ok()? * self.addresses + before + place)
    }
}

fn reciprocal(number: u64) -> u64 {
    u64::try_from((1_u128 << 64) / u128::from(number.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_product_divides(addresses in 1u64..=1 << 44, index: u64, near in 0u64..4) {
            let grid = Grid {
                spans: Vec::new(),
                ports: Vec::new(),
                addresses,
                reciprocal: reciprocal(addresses),
            };
            // Multiples and their neighbours are where a rounded reciprocal would be off.
            let multiple = (index % MAX_TARGETS / addresses).saturating_mul(addresses);
            for index in [index % MAX_TARGETS, multiple.saturating_sub(near), multiple + near] {
                prop_assert_eq!(grid.divided(index), (index / addresses, index % addresses));
            }
        }
    }
}
