//! Sets of addresses, and what is said of them.

use hinomi_model::address::bounds;
use ipnet::IpNet;

/// Sets of addresses: disjoint runs, rising, with the number after the last; IPv6 apart from IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(pub(super) Vec<(bool, u128, u128)>);

impl Spans {
    pub(super) fn of(prefixes: &[IpNet]) -> Self {
        let runs = IpNet::aggregate(&prefixes.to_vec()).into_iter().map(|prefix| {
            let (first, last) = bounds(prefix);
            (matches!(prefix, IpNet::V6(_)), first, last.saturating_add(1))
        });
        Self(runs.collect()).joined()
    }

    fn joined(mut self) -> Self {
        self.0.sort_unstable();
        let mut joined: Vec<(bool, u128, u128)> = Vec::with_capacity(self.0.len());
        for (is_v6, from, to) in self.0 {
            match joined.last_mut() {
                Some(last) if last.0 == is_v6 && from <= last.2 => last.2 = last.2.max(to),
                _ => joined.push((is_v6, from, to)),
            }
        }
        Self(joined)
    }

    pub(crate) fn with(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).copied().collect()).joined()
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut place = 0;
        for (is_v6, from, to) in &self.0 {
            let mut at = *from;
            let before = |run: &(bool, u128, u128)| (run.0, run.2) <= (*is_v6, *from);
            while other.0.get(place).is_some_and(before) {
                place += 1;
            }
            let over = other.0.iter().skip(place).take_while(|run| run.0 == *is_v6 && run.1 < *to);
            for (_, cut_from, cut_to) in over {
                if at < *cut_from {
                    left.push((*is_v6, at, *cut_from));
                }
                at = at.max(*cut_to);
            }
            if at < *to {
                left.push((*is_v6, at, *to));
            }
        }
        Self(left)
    }

    /// The runs.
    pub(crate) fn runs(&self) -> &[(bool, u128, u128)] {
        &self.0
    }

    /// How many of the addresses from this one to before that one are in them.
    pub(crate) fn count_in(&self, is_v6: bool, from: u128, to: u128) -> u64 {
        let first = self.0.partition_point(|(of_v6, _, end)| (*of_v6, *end) <= (is_v6, from));
        let runs = self.0.iter().skip(first).take_while(|(of_v6, start, _)| *of_v6 == is_v6 && *start < to);
        let sum = runs.fold(0_u128, |sum, (_, start, end)| sum.saturating_add(*end.min(&to) - *start.max(&from)));
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// Whether an address, as its number, is in them.
    pub(crate) fn hold(&self, is_v6: bool, number: u128) -> bool {
        let after = self.0.partition_point(|(of_v6, from, _)| (*of_v6, *from) <= (is_v6, number));
        let run = after.checked_sub(1).and_then(|at| self.0.get(at));
        run.is_some_and(|(of_v6, _, to)| *of_v6 == is_v6 && number < *to)
    }

    pub(crate) fn count(&self) -> u64 {
        let all = self.0.iter().fold(0_u128, |sum, (_, from, to)| sum.saturating_add(to - from));
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}
