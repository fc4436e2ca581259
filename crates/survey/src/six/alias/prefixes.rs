//! Prefixes in which every address answers, each with the one address that stands for it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hinomi_model::address::{bounds, to_u128};
use ipnet::{IpNet, Ipv6Net};

/// A set of aliased prefixes, the widest only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AliasedPrefixes {
    /// By first address.
    prefixes: BTreeMap<u128, Aliased>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Aliased {
    last: u128,
    prefix: Ipv6Net,
    representative: Option<u128>,
}

impl AliasedPrefixes {
    /// These, without those that lie in another. None of their addresses stands for them yet.
    pub fn new(prefixes: impl IntoIterator<Item = Ipv6Net>) -> Self {
        let mut of = Self::default();
        prefixes.into_iter().for_each(|prefix| of.add(prefix, None));
        of
    }

    /// Adds one, with the address that stands for it.
    pub(super) fn add(&mut self, prefix: Ipv6Net, representative: Option<u128>) {
        let (first, last) = bounds(IpNet::V6(prefix.trunc()));
        if self.around(first).is_some_and(|known| known.last >= last) {
            return;
        }
        let inner: Vec<u128> = self.prefixes.range(first..=last).map(|(start, _)| *start).collect();
        for start in inner {
            self.prefixes.remove(&start);
        }
        self.prefixes.insert(first, Aliased { last, prefix: prefix.trunc(), representative });
    }

    /// Whether a prefix lies in one of them.
    pub(super) fn cover(&self, prefix: Ipv6Net) -> bool {
        let (first, last) = bounds(IpNet::V6(prefix));
        self.around(first).is_some_and(|known| known.last >= last)
    }

    /// Whether the address lies in one of them and does not stand for it.
    pub fn shun(&self, address: IpAddr) -> bool {
        if self.prefixes.is_empty() {
            return false;
        }
        let number = to_u128(address);
        self.around(number).is_some_and(|known| known.representative != Some(number))
    }

    /// Whether the address lies in none of them, or stands for one: the first that is asked about does.
    pub fn admits(&mut self, address: IpAddr) -> bool {
        let number = to_u128(address);
        let found = self.prefixes.range_mut(..=number).next_back().filter(|(_, known)| known.last >= number);
        found.is_none_or(|(_, known)| *known.representative.get_or_insert(number) == number)
    }

    fn around(&self, number: u128) -> Option<&Aliased> {
        self.prefixes.range(..=number).next_back().map(|(_, known)| known).filter(|known| known.last >= number)
    }

    /// The prefixes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = Ipv6Net> {
        self.prefixes.values().map(|known| known.prefix)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> Ipv6Net {
        text.parse().expect("a prefix")
    }

    #[test]
    fn the_widest_stands_for_all_within() {
        let mut prefixes = AliasedPrefixes::new([net("fd00:a:0:1::/64"), net("fd00:a:0:3::/64"), net("fd00:a::/112")]);
        prefixes.add(net("fd00:a:0:1:5::/80"), None);
        assert_eq!(prefixes.len(), 3, "known as a part");
        prefixes.add(net("fd00:a::/62"), Some(7));
        let names: Vec<String> = prefixes.iter().map(|prefix| prefix.to_string()).collect();
        assert_eq!(names, ["fd00:a::/62"]);
        assert!(prefixes.cover(net("fd00:a:0:2::/64")) && !prefixes.cover(net("fd00:a::/48")));
    }

    proptest! {
        #[test]
        fn an_address_is_shunned_when_a_prefix_holds_it(
            prefixes in proptest::collection::vec((any::<u8>(), 116u8..=128), 0..12), asked in 0u128..4_096,
        ) {
            let base = 0xfd00_u128 << 112;
            let prefixes: Vec<Ipv6Net> = prefixes.iter().map(|(at, length)| {
                Ipv6Net::new((base | u128::from(*at) << 4).into(), *length).expect("a prefix").trunc()
            }).collect();
            let mut of = AliasedPrefixes::new(prefixes.iter().copied());
            let address = IpAddr::V6((base | asked).into());
            let held = prefixes.iter().any(|prefix| IpNet::V6(*prefix).contains(&address));
            prop_assert_eq!(of.shun(address), held);
            prop_assert!(of.admits(address), "the first of its prefix");
            prop_assert!(!of.shun(address), "it stands for it now");
            let beside = IpAddr::V6((base | asked ^ 1).into());
            prop_assert_eq!(of.admits(beside), !of.shun(beside));
        }
    }
}
