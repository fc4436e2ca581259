//! Who held what when: one index for every question about it.
//!
//! A record belongs to who held its longest claimed prefix when it was seen; several may. Who holds a wider prefix or the
//! AS, or acts for a holder, runs its network. [`Holders::of`] answers for one record, [`Holders::holding`] and
//! [`Holders::running`] (`sweep.rs`) for all addresses at once: the same, which a property holds.
//!
//! At a hundred times the data: a look-up asks a map once for each prefix length in use; a sweep sorts all claims, and what
//! comes of it is kept while the register stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::Timestamp;
use hinomi_model::address::to_u128;
use ipnet::{IpNet, Ipv4Net};

use super::{Claim, Held, Register};

/// The bits before an IPv4 address in IPv6 (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// The claims of a register, ready to be asked. Addresses are asked for in any spelling; IPv4-mapped IPv6 is IPv4.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    pub(super) register: Arc<Register>,
    four: Family,
    six: Family,
    pub(super) systems: BTreeMap<u32, Vec<Claim>>,
    domains: HashMap<String, Vec<Claim>>,
}

/// Claims to prefixes of one family.
#[derive(Clone, Debug, Default)]
struct Family {
    /// Lengths of which there is a claim.
    lengths: BTreeSet<u8>,
    /// By length and first address.
    networks: HashMap<(u8, u128), Vec<Claim>>,
}

impl Family {
    fn insert(&mut self, prefix: IpNet, claim: &Claim) {
        let length = prefix.prefix_len();
        self.lengths.insert(length);
        self.networks.entry((length, to_u128(prefix.network()))).or_default().push(claim.clone());
    }

    /// Claims around an address at a moment with the length of their prefix, the longest first.
    fn around(&self, address: IpAddr, time: Timestamp) -> impl Iterator<Item = (u8, &Claim)> {
        self.lengths.iter().rev().flat_map(move |length| {
            let network = IpNet::new(address, *length).map(|prefix| to_u128(prefix.network()));
            let found = network.ok().and_then(|network| self.networks.get(&(*length, network)));
            let held = found.into_iter().flatten().filter(move |claim| claim.holds_at(time));
            held.map(|claim| (*length, claim))
        })
    }
}

impl Claim {
    /// Whether it holds at a moment.
    pub fn holds_at(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

/// A prefix in the family of its addresses: one within the IPv6 spelling of IPv4 is of IPv4. One around that spelling is of
/// IPv6, and holds no IPv4 address.
pub(super) fn plain(prefix: IpNet) -> IpNet {
    let prefix = prefix.trunc();
    let four = match (prefix, prefix.network().to_canonical()) {
        (IpNet::V6(six), IpAddr::V4(four)) if six.prefix_len() >= MAPPED_BITS => {
            Ipv4Net::new(four, six.prefix_len() - MAPPED_BITS).ok()
        }
        _ => None,
    };
    four.map_or(prefix, IpNet::V4)
}

impl Holders {
    /// Makes the claims of a register ready.
    pub fn new(register: &Arc<Register>) -> Self {
        let mut holders = Self { register: Arc::clone(register), ..Self::default() };
        for claim in &register.claims {
            match &claim.subject {
                Held::Prefix(prefix) => match plain(*prefix) {
                    four @ IpNet::V4(_) => holders.four.insert(four, claim),
                    six @ IpNet::V6(_) => holders.six.insert(six, claim),
                },
                Held::As(number) => holders.systems.entry(*number).or_default().push(claim.clone()),
                Held::Domain(name) => holders.domains.entry(name.clone()).or_default().push(claim.clone()),
            }
        }
        holders
    }

    /// Who held an address, and who ran its network, at a moment.
    pub fn of(&self, address: IpAddr, asn: Option<u32>, time: Timestamp) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut holders, mut operators, mut longest) = (BTreeSet::new(), BTreeSet::new(), None);
        // Who left the register held it all the same: nobody else comes to what was seen then.
        for (length, claim) in self.with_lengths(address, time) {
            let held = *longest.get_or_insert(length) == length;
            if held { &mut holders } else { &mut operators }.insert(claim.organisation.clone());
        }
        let by_asn = asn.and_then(|asn| self.systems.get(&asn)).into_iter().flatten();
        operators.extend(by_asn.filter(|claim| claim.holds_at(time)).map(|claim| claim.organisation.clone()));
        let agents = self.register.organisations.values();
        operators.extend(agents.filter(|one| !one.acts_for.is_disjoint(&holders)).map(|one| one.id.clone()));
        (holders, operators)
    }

    /// Every claim around an address at a moment, the longest first: the first is the holder's, the others are of who
    /// runs the network around it.
    pub fn around(&self, address: IpAddr, time: Timestamp) -> impl Iterator<Item = &Claim> {
        self.with_lengths(address, time).map(|(_, claim)| claim)
    }

    fn with_lengths(&self, address: IpAddr, time: Timestamp) -> impl Iterator<Item = (u8, &Claim)> {
        let address = address.to_canonical();
        let family = if address.is_ipv4() { &self.four } else { &self.six };
        family.around(address, time)
    }

    /// Who held an address at a moment: the longest claim around it.
    pub fn holder(&self, address: IpAddr, time: Timestamp) -> Option<&Claim> {
        self.around(address, time).next()
    }

    /// Who held an AS at a moment.
    pub fn of_as(&self, number: u32, time: Timestamp) -> Option<&Claim> {
        self.systems.get(&number)?.iter().find(|claim| claim.holds_at(time))
    }

    /// Who held a domain at a moment: the longest claim to it or to what it lies in. In lower case, without a dot at the
    /// end.
    pub fn of_domain(&self, name: &str, time: Timestamp) -> Option<&Claim> {
        let mut rest = Some(name);
        while let Some(domain) = rest {
            let found = self.domains.get(domain).and_then(|claims| claims.iter().find(|claim| claim.holds_at(time)));
            if found.is_some() {
                return found;
            }
            rest = domain.split_once('.').map(|(_, above)| above);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// Networks that overlap often: few bits vary.
    fn network() -> impl Strategy<Value = IpNet> {
        let four = (any::<u8>(), 0..=32_u8)
            .prop_map(|(bits, length)| (IpAddr::from(Ipv4Addr::from(u32::from(bits) * 0x0101_0101)), length));
        let six = (any::<u8>(), 0..=128_u8)
            .prop_map(|(bits, length)| (IpAddr::from(Ipv6Addr::from(u128::from(bits) * (u128::MAX / 255))), length));
        prop_oneof![four, six].prop_map(|(address, length)| IpNet::new(address, length).unwrap().trunc())
    }

    fn claim() -> impl Strategy<Value = Claim> {
        (network(), 0..4_u8, 0..20_i64, 1..10_i64).prop_map(|(prefix, organisation, from, length)| Claim {
            organisation: format!("o{organisation}"),
            subject: Held::Prefix(prefix),
            from: Timestamp::from_micros(from),
            until: Timestamp::from_micros(from + length),
        })
    }

    /// Plain search: all that hold, the longest first, in the order of claims.
    fn plainly(claims: &[Claim], address: IpAddr, time: Timestamp) -> Vec<&Claim> {
        let length = |claim: &Claim| match &claim.subject {
            Held::Prefix(prefix) if prefix.contains(&address) && claim.from <= time && time < claim.until => {
                Some(prefix.prefix_len())
            }
            _ => None,
        };
        let mut found: Vec<&Claim> = claims.iter().filter(|claim| length(claim).is_some()).collect();
        found.sort_by_key(|claim| std::cmp::Reverse(length(claim)));
        found
    }

    proptest! {
        #[test]
        fn the_index_finds_what_plain_search_finds(
            claims in proptest::collection::vec(claim(), 0..60),
            asked in proptest::collection::vec((network(), -1..32_i64), 1..20),
        ) {
            let register = Arc::new(Register { claims, ..Register::default() });
            let holders = Holders::new(&register);
            for (network, time) in asked {
                let (address, time) = (network.addr(), Timestamp::from_micros(time));
                let expected = plainly(&register.claims, address, time);
                prop_assert_eq!(holders.holder(address, time), expected.first().copied());
                prop_assert_eq!(holders.around(address, time).collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn mapped_addresses_systems_and_domains() {
        let claim = |organisation: &str, subject| Claim {
            organisation: organisation.to_owned(),
            subject,
            from: Timestamp::from_micros(10),
            until: Timestamp::from_micros(20),
        };
        let register = Register {
            claims: vec![
                claim("a", Held::Prefix("192.0.2.0/24".parse().unwrap())),
                claim("b", Held::As(64_500)),
                claim("c", Held::Domain("example.org".to_owned())),
                claim("d", Held::Domain("www.example.org".to_owned())),
            ],
            ..Register::default()
        };
        let holders = Holders::new(&Arc::new(register));
        let then = Timestamp::from_micros(10);
        let of = |found: Option<&Claim>| found.map(|claim| claim.organisation.clone());
        assert_eq!(of(holders.holder("::ffff:192.0.2.9".parse().unwrap(), then)).as_deref(), Some("a"));
        assert_eq!(of(holders.holder("192.0.2.9".parse().unwrap(), Timestamp::from_micros(20))), None);
        assert_eq!(of(holders.of_as(64_500, then)).as_deref(), Some("b"));
        assert_eq!(of(holders.of_as(64_501, then)), None);
        assert_eq!(of(holders.of_domain("mail.example.org", then)).as_deref(), Some("c"));
        assert_eq!(of(holders.of_domain("a.www.example.org", then)).as_deref(), Some("d"));
        assert_eq!(of(holders.of_domain("badexample.org", then)), None);
        assert_eq!(plain("::ffff:192.0.2.9/120".parse().unwrap()), "192.0.2.0/24".parse().unwrap());
        assert_eq!(plain("::/80".parse().unwrap()), "::/80".parse().unwrap());
    }
}
