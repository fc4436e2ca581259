//! In which order targets are visited: once each, spread over the whole range, from any point on.
//!
//! A job of `n` targets is walked as the powers `g, g^2, g^3, ...` modulo the first prime `p > n`, where `g` generates
//! the multiplicative group: every number from 1 to `p - 1` comes up exactly once, and those above `n` are passed over
//! (there are few: `p` is the very next prime). Position `k` is `g^k`, so to stop, resume or share a walk is to
//! remember or divide a range of exponents. The generator is drawn from the seed and is not small.

mod walk;

use std::net::IpAddr;

use hinomi_model::address::{bounds, from_u128, to_u128};
use hinomi_model::{ServiceKey, Transport};
use ipnet::IpNet;

pub use walk::{Ladder, Logarithm, Steps, Walk};

/// The most targets of one job.
pub const MAX_TARGETS: u64 = 1 << 44;

/// What to visit: every address of the ranges with every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Disjoint, sorted: first address as a number, how many, and how many come before.
    spans: Vec<(u128, u64, u64)>,
    ports: Vec<(Transport, u16)>,
    addresses: u64,
    /// 2^64 over the number of addresses, rounded down: makes a division a product.
    reciprocal: u64,
}

/// Why a job cannot be walked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// More than can be visited one by one.
    #[error("{range} with {ports} ports is too large to visit address by address; name smaller ranges")]
    TooLarge {
        /// The range at which it became too much.
        range: String,
        /// How many ports.
        ports: usize,
    },
    /// Nothing to do.
    #[error("there is nothing to visit: no address or no port is left")]
    Empty,
}

impl Targets {
    /// The addresses of these prefixes (overlaps count once), each with these ports.
    ///
    /// # Errors
    /// When there are none, or more than [`MAX_TARGETS`].
    pub fn new(ranges: &[IpNet], ports: Vec<(Transport, u16)>) -> Result<Self, SweepError> {
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

    /// How many targets.
    pub fn len(&self) -> u64 {
        self.addresses * u64::try_from(self.ports.len()).unwrap_or(0)
    }

    /// Whether there is none. Never: an empty job is not made.
    pub const fn is_empty(&self) -> bool {
        self.addresses == 0
    }

    /// How many addresses.
    pub const fn addresses(&self) -> u64 {
        self.addresses
    }

    /// The ports, each with its transport.
    pub fn ports(&self) -> &[(Transport, u16)] {
        &self.ports
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

    /// The target of this number, counted from 0: all addresses for the first port, then all for the second.
    #[inline]
    pub fn get(&self, index: u64) -> Option<ServiceKey> {
        let (port, place) = self.divided(index);
        let port = usize::try_from(port).ok()?;
        let (transport, port) = *self.ports.get(port)?;
        let after = self.spans.partition_point(|(_, _, before)| *before <= place);
        let (first, _, before) = self.spans.get(after.checked_sub(1)?)?;
        let address: IpAddr = from_u128(first + u128::from(place - before));
        Some(ServiceKey { address, port, transport })
    }

    /// The number of this target, if it is one.
    pub fn index_of(&self, key: ServiceKey) -> Option<u64> {
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

    #[test]
    fn overlapping_ranges_count_once() {
        let ranges: Vec<IpNet> = ["127.0.0.0/30", "127.0.0.0/29", "127.0.1.0/32"]
            .iter()
            .map(|text| text.parse().expect("a prefix"))
            .collect();
        let targets = Targets::new(&ranges, vec![(Transport::Tcp, 80), (Transport::Udp, 161)]).expect("targets");
        assert_eq!((targets.addresses(), targets.len()), (9, 18));
        let all: Vec<String> = (0..18).filter_map(|index| targets.get(index)).map(|key| key.to_string()).collect();
        assert_eq!(all.first().map(String::as_str), Some("127.0.0.0:80/tcp"));
        assert_eq!(all.get(8).map(String::as_str), Some("127.0.1.0:80/tcp"));
        assert_eq!(all.last().map(String::as_str), Some("127.0.1.0:161/udp"));
        assert_eq!(targets.get(18), None);
        assert!((0..18).all(|index| targets.get(index).and_then(|key| targets.index_of(key)) == Some(index)));
        let other = ServiceKey { address: [127, 0, 0, 8].into(), port: 80, transport: Transport::Tcp };
        assert_eq!(targets.index_of(other), None);
    }

    proptest! {
        #[test]
        fn a_product_divides(addresses in 1u64..=1 << 44, index: u64, near in 0u64..4) {
            let targets = Targets {
                spans: Vec::new(),
                ports: Vec::new(),
                addresses,
                reciprocal: reciprocal(addresses),
            };
            // Multiples and their neighbours are where a rounded reciprocal would be off.
            let multiple = (index % MAX_TARGETS / addresses).saturating_mul(addresses);
            for index in [index % MAX_TARGETS, multiple.saturating_sub(near), multiple + near] {
                prop_assert_eq!(targets.divided(index), (index / addresses, index % addresses));
            }
        }
    }

    #[test]
    fn a_range_beyond_counting_is_refused() {
        let ranges = ["2001:db8::/32".parse().expect("a prefix")];
        assert!(matches!(Targets::new(&ranges, vec![(Transport::Tcp, 80)]), Err(SweepError::TooLarge { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_number_comes_up_once_from_any_cut(n in 1u64..5_000, seed: u64, cut in 0.0f64..1.0) {
            let walk = Walk::new(n, seed);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "a random cut")]
            let cut = (walk.steps() as f64 * cut) as u64;
            let first = walk.from(0).take_while(|(step, _)| *step < cut);
            let mut seen: Vec<u64> = first.chain(walk.from(cut)).filter_map(|(_, index)| index).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n).collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_ladder_yields_what_the_walk_yields(n in 1u64..MAX_TARGETS, seed: u64, from: u64) {
            let walk = Walk::new(n, seed);
            let ladder = walk.ladder();
            for (step, index) in walk.from(from % walk.steps()).take(20) {
                prop_assert_eq!(ladder.at(step), index);
            }
            prop_assert_eq!(ladder.at(walk.steps()), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_step_of_a_number_is_found_again(
            n in 1u64..MAX_TARGETS, seed: u64, at: u64, before in 0u64..3_000_000, behind in 1u64..3_000_000,
        ) {
            let walk = Walk::new(n, seed);
            let at = at % walk.steps();
            let logarithm = Logarithm::new(walk);
            if let Some(index) = walk.ladder().at(at) {
                let among = at.saturating_sub(before)..at.saturating_add(behind);
                prop_assert_eq!(logarithm.step_of(index, among), Some(at));
                prop_assert_eq!(logarithm.step_of(index, at + 1..at + behind), None);
                prop_assert_eq!(logarithm.step_of(index, at.saturating_sub(before)..at), None);
            }
        }
    }

    #[test]
    fn large_walks_start_at_once() {
        let walk = Walk::new(MAX_TARGETS, 7);
        assert!(walk.steps() >= MAX_TARGETS);
        assert_eq!(walk.from(5).next(), walk.from(0).nth(5));
    }
}
