//! The likeliest of many candidates: a quarter more than are wanted are held before the least likely are let go, so that
//! each costs one comparison and now and then a pass. At a hundred times the candidates nothing changes here.

use hinomi_model::ServiceKey;

use super::super::why::Why;

/// A candidate among the likeliest so far. Equals are put in an order that favours nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    /// Bits of a rate that is not negative: they sort like the rate.
    pub(super) rate: u64,
    pub(super) turn: u64,
    pub(super) key: ServiceKey,
    pub(super) why: Why,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rate, self.turn, self.key).cmp(&(other.rate, other.turn, other.key))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The likeliest candidates so far, and some more that are put in order with them now and then.
#[derive(Debug, Default)]
pub(super) struct Best {
    kept: Vec<Ranked>,
    /// So many are wanted.
    most: usize,
    /// The least rate of those that were kept when there were enough.
    least: Option<u64>,
}

impl Best {
    /// Keeps so many.
    pub(super) fn of(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Whether a candidate with such a rate would not be kept.
    pub(super) fn is_too_low(&self, rate: f64) -> bool {
        self.most == 0 || self.least.is_some_and(|least| rate.to_bits() <= least)
    }

    pub(super) fn push(&mut self, one: Ranked) {
        self.kept.push(one);
        if self.kept.len() > self.most + self.most / 4 {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        let Some(last) = self.most.checked_sub(1).filter(|_| self.kept.len() >= self.most) else { return };
        let (_, worst, _) = self.kept.select_nth_unstable_by(last, |one, other| other.cmp(one));
        self.least = Some(worst.rate);
        self.kept.truncate(self.most);
    }

    /// The likeliest first.
    pub(super) fn finish(mut self) -> Vec<Ranked> {
        self.shrink();
        self.kept.sort_unstable_by(|one, other| other.cmp(one));
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hinomi_model::Transport;
    use proptest::prelude::*;

    use super::*;

    fn ranked(rate: u64, turn: u64) -> Ranked {
        let address = Ipv4Addr::LOCALHOST.into();
        let key = ServiceKey { address, port: 80, transport: Transport::Tcp };
        Ranked { rate, turn, key, why: Why { because: None, address, port: 80, hits: 0, of: 0 } }
    }

    proptest! {
        #[test]
        fn the_likeliest_are_kept(rates in prop::collection::vec(0_u32..50, 0..200), most in 0_usize..40) {
            let mut best = Best::of(most);
            for (turn, rate) in (0..).zip(&rates) {
                let rate = f64::from(*rate);
                if !best.is_too_low(rate) {
                    best.push(ranked(rate.to_bits(), turn));
                }
                prop_assert!(best.kept.len() <= most + most / 4 + 1);
            }
            let kept: Vec<f64> = best.finish().iter().map(|one| f64::from_bits(one.rate)).collect();
            let mut expected: Vec<f64> = rates.into_iter().map(f64::from).collect();
            expected.sort_unstable_by(|one, other| other.total_cmp(one));
            expected.truncate(most);
            prop_assert_eq!(kept, expected);
        }
    }
}
