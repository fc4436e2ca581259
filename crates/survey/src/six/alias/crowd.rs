//! Which prefixes of a list are worth a test: those in which it names several addresses.
//!
//! A prefix in which the list names one or two addresses costs no more than it could save, and if it is aliased its one
//! address stands for it anyway. Where all addresses of a prefix lie in one narrower prefix, the narrower is tested: it
//! holds everything that could be left out.

use std::hash::Hasher;
use std::net::IpAddr;

use hinomi_model::address::to_u128;
use ipnet::Ipv6Net;
use siphasher::sip::SipHasher13;

/// Lengths that are looked at: a site, a network, and three within one.
pub(super) const LEVELS: [u8; 5] = [48, 64, 80, 96, 112];

/// So many addresses of a list make a crowd.
pub(super) const CROWD: u64 = 3;

/// The most prefixes that are tested; those with the most addresses first.
pub(super) const MAX_SUSPECTS: usize = 1 << 16;

/// A prefix that might be aliased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) prefix: Ipv6Net,
    listed: u64,
}

/// The prefixes to test, the wider first and otherwise in an order drawn from the seed, and how many were left out. The
/// addresses are sorted; some may come several times.
pub(super) fn suspects(addresses: impl Iterator<Item = IpAddr>, seed: u64) -> (Vec<Suspect>, usize) {
    let mut groups = LEVELS.map(|_| Group::default());
    let mut found = Vec::new();
    for number in addresses.filter(IpAddr::is_ipv6).map(to_u128) {
        for (group, level) in groups.iter_mut().zip(LEVELS) {
            if !group.holds(number, level) {
                found.extend(std::mem::replace(group, Group::of(number)).suspect(level));
            } else if group.last != number {
                (group.last, group.listed) = (number, group.listed + 1);
            }
        }
    }
    found.extend(groups.into_iter().zip(LEVELS).filter_map(|(group, level)| group.suspect(level)));
    found.sort_by_key(|suspect| (std::cmp::Reverse(suspect.listed), suspect.prefix));
    let left_out = found.len().saturating_sub(MAX_SUSPECTS);
    found.truncate(MAX_SUSPECTS);
    found.sort_by_cached_key(|suspect| (suspect.prefix.prefix_len(), lot(suspect.prefix, seed)));
    (found, left_out)
}

fn lot(prefix: Ipv6Net, seed: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, u64::from(prefix.prefix_len()));
    hasher.write_u128(u128::from(prefix.network()));
    hasher.finish()
}

/// Addresses of one prefix, as far as they came.
#[derive(Clone, Copy, Default)]
struct Group {
    first: u128,
    last: u128,
    listed: u64,
}

impl Group {
    const fn of(number: u128) -> Self {
        Self { first: number, last: number, listed: 1 }
    }

    const fn holds(&self, number: u128, level: u8) -> bool {
        self.listed > 0 && (self.first ^ number) >> (128 - level) == 0
    }

    fn suspect(self, level: u8) -> Option<Suspect> {
        let next = LEVELS.into_iter().find(|next| *next > level);
        if self.listed < CROWD || next.is_some_and(|next| self.holds(self.last, next)) {
            return None;
        }
        let prefix = Ipv6Net::new(self.first.into(), level).ok()?.trunc();
        Some(Suspect { prefix, listed: self.listed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::Ipv6Addr;

    fn named(addresses: &[&str]) -> BTreeSet<String> {
        let mut addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        addresses.sort_unstable();
        let (found, left_out) = suspects(addresses.into_iter(), 1);
        assert_eq!(left_out, 0);
        found.iter().map(|suspect| suspect.prefix.to_string()).collect()
    }

    #[test]
    fn the_narrowest_prefix_that_holds_a_crowd_is_tested() {
        assert!(named(&["fd00::1", "fd00::2", "fd00::2", "10.0.0.1", "10.0.0.2", "10.0.0.3"]).is_empty(), "no crowd");
        assert_eq!(named(&["fd00::1", "fd00::2", "fd00::3"]), ["fd00::/112".to_owned()].into());
        assert_eq!(named(&["fd00::1", "fd00::1:0:0:2", "fd00::2:0:0:3"]), ["fd00::/64".to_owned()].into());
        let both = ["fd00::1", "fd00::2", "fd00::3", "fd00:0:0:1::1", "fd00:0:0:2::1"];
        assert_eq!(named(&both), ["fd00::/112".to_owned(), "fd00::/48".to_owned()].into());
    }

    proptest! {
        #[test]
        fn every_crowd_is_covered(
            mut numbers in proptest::collection::vec((0u128..3, 0u128..3, 0u128..3, 0u128..6), 0..40),
        ) {
            numbers.sort_unstable();
            let numbers: Vec<u128> =
                numbers.into_iter().map(|(a, b, c, d)| 0xfd00 << 112 | a << 64 | b << 48 | c << 16 | d).collect();
            let (found, _) = suspects(numbers.iter().map(|number| IpAddr::V6((*number).into())), 7);
            let different: BTreeSet<u128> = numbers.into_iter().collect();
            for level in LEVELS {
                let mut crowds: BTreeMap<u128, BTreeSet<u128>> = BTreeMap::new();
                for number in &different {
                    crowds.entry(number >> (128 - level)).or_default().insert(*number);
                }
                for crowd in crowds.into_values().filter(|crowd| crowd.len() >= 3) {
                    let in_it = |suspect: &Suspect, number: u128| suspect.prefix.contains(&Ipv6Addr::from(number));
                    let holds = |suspect: &Suspect| crowd.iter().all(|number| in_it(suspect, *number));
                    let narrow = found.iter().any(|suspect| holds(suspect) && suspect.prefix.prefix_len() >= level);
                    prop_assert!(narrow, "{crowd:?} at {level}");
                }
            }
            prop_assert!(found.is_sorted_by_key(|suspect| suspect.prefix.prefix_len()), "the wider first");
        }
    }
}
