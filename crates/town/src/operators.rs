//! Who is said to run which part of the town's range: simulated operators with documentation AS numbers (RFC 5398).

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Subnets};

/// AS number, name, prefecture, eighths of the range.
const OPERATORS: &[(u32, &str, &str, u32)] = &[
    (64_496, "Hinomi Hikari Net", "Tokyo", 3),
    (64_497, "Naniwa Cable", "Osaka", 2),
    (64_498, "Kitaguni Telecom", "Hokkaido", 1),
    (64_499, "Setouchi Mobile", "Hiroshima", 1),
    (64_500, "Machikado Hosting", "Chiba", 1),
];
const EIGHTHS: u64 = 8;

/// The prefixes that cover `size` addresses from `base`.
pub(crate) fn prefixes(base: Ipv4Addr, size: u32) -> Vec<IpNet> {
    span(base, 0, u64::from(size)).map(IpNet::V4).collect()
}

/// The range, carved up. Each operator may have several prefixes.
pub(crate) fn operators(base: Ipv4Addr, size: u32) -> Vec<(IpNet, u32, String, &'static str, String)> {
    let mut found = Vec::new();
    let mut before = 0;
    for (asn, name, prefecture, eighths) in OPERATORS {
        let from = u64::from(size) * before / EIGHTHS;
        before += u64::from(*eighths);
        let to = u64::from(size) * before / EIGHTHS;
        found.extend(
            span(base, from, to).map(|net| (IpNet::V4(net), *asn, (*name).to_owned(), "JP", (*prefecture).to_owned())),
        );
    }
    found
}

/// The prefixes from one offset up to, not including, another.
fn span(base: Ipv4Addr, from: u64, to: u64) -> impl Iterator<Item = ipnet::Ipv4Net> {
    let at = |offset: u64| Ipv4Addr::from(u32::try_from(u64::from(u32::from(base)) + offset).unwrap_or(u32::MAX));
    let subnets = (from < to).then(|| Ipv4Subnets::new(at(from), at(to - 1), 0));
    subnets.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_exactly_one_operator() {
        let base = Ipv4Addr::new(127, 77, 0, 3);
        for size in [1, 5, 100, 4_096] {
            let carved = operators(base, size);
            for offset in 0..size {
                let address = Ipv4Addr::from(u32::from(base) + offset);
                let holders = carved.iter().filter(|(net, ..)| net.contains(&std::net::IpAddr::V4(address)));
                assert_eq!(holders.count(), 1, "{address} of {size}");
            }
            let held: u64 = carved.iter().map(|(net, ..)| 1u64 << (32 - net.prefix_len())).sum();
            assert_eq!(held, u64::from(size));
        }
        assert_eq!(prefixes(Ipv4Addr::new(127, 77, 0, 0), 65_536).len(), 1);
    }
}
