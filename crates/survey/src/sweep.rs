//! In which order targets are visited: once each, spread over the whole range, from any point on.
//!
//! A job of `n` targets is walked as the powers `g, g^2, g^3, ...` modulo the first prime `p > n`, where `g` generates
//! the multiplicative group: every number from 1 to `p - 1` comes up exactly once, and those above `n` are passed over
//! (there are few: `p` is the very next prime). Position `k` is `g^k`, so to stop, resume or share a walk is to
//! remember or divide a range of exponents. The generator is drawn from the seed and is not small.

mod grid;
mod list;
mod walk;

use hinomi_model::{ServiceKey, Transport};
use ipnet::IpNet;

use grid::Grid;
pub use list::{List, ListError, MAX_LISTED, Outside};
pub use walk::{Ladder, Logarithm, Steps, Walk};

/// The most targets of one job.
pub const MAX_TARGETS: u64 = 1 << 44;

/// What to visit: every address of some ranges with every port, or a list of targets one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Grid(Grid),
    List(List),
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
    /// A list that names nothing of the scope.
    #[error("there is nothing to visit: none of the {outside} targets of the list lies in the scope")]
    AllOutside {
        /// How many targets the list names.
        outside: u64,
    },
}

impl Targets {
    /// The addresses of these prefixes (overlaps count once), each with these ports.
    ///
    /// # Errors
    /// When there are none, or more than [`MAX_TARGETS`].
    pub fn new(ranges: &[IpNet], ports: Vec<(Transport, u16)>) -> Result<Self, SweepError> {
        Grid::new(ranges, ports).map(|grid| Self(Shape::Grid(grid)))
    }

    /// The targets of this list.
    ///
    /// # Errors
    /// When there are none.
    pub fn listed(list: List) -> Result<Self, SweepError> {
        if list.is_empty() { Err(SweepError::Empty) } else { Ok(Self(Shape::List(list))) }
    }

    /// How many targets.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Shape::Grid(grid) => grid.len(),
            Shape::List(list) => list.len(),
        }
    }

    /// Whether there is none. Never: an empty job is not made.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// How many addresses.
    pub const fn addresses(&self) -> u64 {
        match &self.0 {
            Shape::Grid(grid) => grid.addresses(),
            Shape::List(list) => list.addresses(),
        }
    }

    /// Whether any of them is of this transport.
    pub fn has(&self, transport: Transport) -> bool {
        match &self.0 {
            Shape::Grid(grid) => grid.has(transport),
            Shape::List(list) => list.has(transport),
        }
    }

    /// The target of this number, counted from 0. Of ranges all addresses for the first port, then all for the second;
    /// of a list by address, transport and port.
    #[inline]
    pub fn get(&self, index: u64) -> Option<ServiceKey> {
        match &self.0 {
            Shape::Grid(grid) => grid.get(index),
            Shape::List(list) => list.get(index),
        }
    }

    /// The number of this target, if it is one.
    pub fn index_of(&self, key: ServiceKey) -> Option<u64> {
        match &self.0 {
            Shape::Grid(grid) => grid.index_of(key),
            Shape::List(list) => list.index_of(key),
        }
    }
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
