//! What a scope permits, as stretches of addresses: asked millions of times when candidates are gathered.
//!
//! It decides what goes into a list and never what is sent: the door asks the scope itself, again, for every packet.

use std::net::IpAddr;

use hinomi_model::address::to_u128;
use hinomi_model::scope::Scope;
use ipnet::IpNet;

use crate::scope::Permitted;

/// Permitted stretches of addresses: first and last number, sorted and disjoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside(Vec<(u128, u128)>);

impl Inside {
    /// What this scope permits whatever port, probe and time, without those who opted out.
    pub fn of(scope: &Scope, opt_out: &[IpNet]) -> Self {
        Self(Permitted::of(scope).without(opt_out))
    }

    /// Whether it permits this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = to_u128(address);
        self.touches(number, number)
    }

    /// Whether it permits any of the addresses from one number to another.
    pub(crate) fn touches(&self, first: u128, last: u128) -> bool {
        let begun = self.0.partition_point(|(start, _)| *start <= last);
        begun.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, end)| *end >= first)
    }

    /// Whether any address of IPv4 is among them.
    pub fn has_four(&self) -> bool {
        self.touches(0xffff_0000_0000, 0xffff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::six::tests::scope_of;
    use proptest::prelude::*;

    fn inside(opt_out: &[&str]) -> (Scope, Vec<IpNet>, Inside) {
        let scope = scope_of(&["fd00:a::/48", "fd00:b::/64", "10.1.0.0/16"], &["fd00:a:0:7::/64"]);
        let opt_out: Vec<IpNet> = opt_out.iter().map(|text| text.parse().expect("a prefix")).collect();
        let inside = Inside::of(&scope, &opt_out);
        (scope, opt_out, inside)
    }

    #[test]
    fn stretches_are_touched() {
        let (_, _, inside) = inside(&["fd00:b::9/128"]);
        let touches = |text: &str| {
            let (first, last) = hinomi_model::address::bounds(text.parse().expect("a prefix"));
            inside.touches(first, last)
        };
        assert!(touches("fd00:a::/32") && touches("fd00:a::/48") && touches("fd00:a:0:8::/64"));
        assert!(!touches("fd00:a:0:7::/64") && !touches("fd00:c::/64") && !touches("fd00:b::9/128"));
        assert!(inside.has_four());
    }

    proptest! {
        #[test]
        fn says_what_the_scope_says(net in 0u128..4, subnet in 0u128..16, low in 0u128..16, four: bool) {
            let (scope, opt_out, inside) = inside(&["fd00:b::8/125", "10.1.2.0/24"]);
            let six = IpAddr::V6((0xfd00_000a_u128 << 96 | net << 96 | subnet << 64 | low).into());
            let address = if four { IpAddr::from([10, 1, u8::try_from(subnet).expect("small"), 1]) } else { six };
            prop_assert_eq!(inside.contains(address), scope.permits_address(address, &opt_out).is_ok());
        }
    }
}
