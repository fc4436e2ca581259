//! Addresses worth asking, each once, each with where it is from.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use serde::{Serialize, Serializer};

use super::alias::AliasedPrefixes;
use super::inside::Inside;

/// The most candidates that are gathered.
pub const MAX_CANDIDATES: usize = 4_000_000;

/// Where a candidate is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A file of addresses.
    Hitlist,
    /// Seen by an earlier survey or import.
    Lake,
    /// A name leads to it.
    Name,
    /// It has a name.
    Reverse,
    /// Guessed: an ending that people like, in a network that is in use (RFC 7707).
    Usual,
    /// Guessed: made like the known ones are.
    Pattern,
}

impl Source {
    /// As users see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hitlist => "hitlist",
            Self::Lake => "lake",
            Self::Name => "name",
            Self::Reverse => "reverse",
            Self::Usual => "usual",
            Self::Pattern => "pattern",
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One address worth asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The address.
    pub address: IpAddr,
    /// Where it was found first.
    pub source: Source,
}

/// What became of an address that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It is a candidate now.
    Taken,
    /// It was one already.
    Repeated,
    /// The scope does not permit it.
    Outside,
    /// It lies in a prefix in which every address answers.
    Aliased,
    /// There is no room.
    Full,
}

/// How many addresses of a source were given, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Candidates.
    pub taken: u64,
    /// Given before.
    pub repeated: u64,
    /// Not permitted by the scope.
    pub outside: u64,
    /// In prefixes in which every address answers.
    pub aliased: u64,
    /// Beyond [`MAX_CANDIDATES`].
    pub left_out: u64,
}

/// Gathers candidates inside a scope.
pub struct Candidates {
    inside: Inside,
    aliased: AliasedPrefixes,
    known: HashSet<IpAddr>,
    list: Vec<Candidate>,
    tallies: BTreeMap<Source, Tally>,
    limit: usize,
}

impl Candidates {
    /// None yet. Of prefixes that are known to be aliased the first address given stays, for the whole prefix.
    pub fn new(inside: Inside, aliased: AliasedPrefixes) -> Self {
        let (known, list, tallies) = (HashSet::new(), Vec::new(), BTreeMap::new());
        Self { inside, aliased, known, list, tallies, limit: MAX_CANDIDATES }
    }

    /// Gives an address.
    pub fn give(&mut self, address: IpAddr, source: Source) -> Given {
        let address = address.to_canonical();
        let given = self.take(address, source);
        let tally = self.tallies.entry(source).or_default();
        match given {
            Given::Taken => tally.taken += 1,
            Given::Repeated => tally.repeated += 1,
            Given::Outside => tally.outside += 1,
            Given::Aliased => tally.aliased += 1,
            Given::Full => tally.left_out += 1,
        }
        given
    }

    fn take(&mut self, address: IpAddr, source: Source) -> Given {
        if !self.inside.contains(address) {
            return Given::Outside;
        }
        if self.known.contains(&address) {
            return Given::Repeated;
        }
        if self.list.len() >= self.limit {
            return Given::Full;
        }
        if !self.aliased.admits(address) {
            return Given::Aliased;
        }
        self.known.insert(address);
        self.list.push(Candidate { address, source });
        Given::Taken
    }

    /// The candidates, in the order in which they were given.
    pub fn list(&self) -> &[Candidate] {
        &self.list
    }

    /// Those of IPv6, in the same order.
    pub fn six(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.list.iter().filter_map(|candidate| match candidate.address {
            IpAddr::V6(six) => Some(six),
            IpAddr::V4(_) => None,
        })
    }

    /// What the scope permits.
    pub const fn inside(&self) -> &Inside {
        &self.inside
    }

    /// Prefixes in which every address is known to answer.
    pub const fn aliased(&self) -> &AliasedPrefixes {
        &self.aliased
    }

    /// What became of what each source gave.
    pub const fn tallies(&self) -> &BTreeMap<Source, Tally> {
        &self.tallies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::six::tests::scope_of;

    fn candidates(aliased: &[&str]) -> Candidates {
        let scope = scope_of(&["fd00:a::/48", "10.1.0.0/16"], &["fd00:a:0:7::/64"]);
        let aliased = aliased.iter().map(|text| text.parse().expect("a prefix"));
        Candidates::new(Inside::of(&scope, &[]), AliasedPrefixes::new(aliased))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_is_taken_once_and_only_inside() {
        let mut candidates = candidates(&[]);
        let given = |candidates: &mut Candidates, text: &str, source| candidates.give(ip(text), source);
        assert_eq!(given(&mut candidates, "fd00:a::1", Source::Hitlist), Given::Taken);
        assert_eq!(given(&mut candidates, "fd00:a:0:0:0::1", Source::Name), Given::Repeated);
        assert_eq!(given(&mut candidates, "fd00:a:0:7::1", Source::Name), Given::Outside, "excluded");
        assert_eq!(given(&mut candidates, "2001:db8::1", Source::Name), Given::Outside);
        assert_eq!(given(&mut candidates, "::ffff:10.1.0.1", Source::Name), Given::Taken);
        assert_eq!(given(&mut candidates, "10.1.0.1", Source::Lake), Given::Repeated, "one host, one name");
        let list: Vec<String> = candidates.list().iter().map(|one| format!("{} {}", one.address, one.source)).collect();
        assert_eq!(list, ["fd00:a::1 hitlist", "10.1.0.1 name"]);
        assert_eq!(candidates.six().count(), 1);
        let names = candidates.tallies().get(&Source::Name).expect("counted");
        assert_eq!((names.taken, names.repeated, names.outside), (1, 1, 2));
    }

    #[test]
    fn an_aliased_prefix_has_one_candidate() {
        let mut candidates = candidates(&["fd00:a:0:1::/64"]);
        assert_eq!(candidates.give(ip("fd00:a:0:1::9"), Source::Hitlist), Given::Taken);
        assert_eq!(candidates.give(ip("fd00:a:0:1::1"), Source::Hitlist), Given::Aliased);
        assert_eq!(candidates.give(ip("fd00:a:0:2::1"), Source::Hitlist), Given::Taken);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut candidates = candidates(&[]);
        candidates.limit = 1;
        assert_eq!(candidates.give(ip("fd00:a::1"), Source::Hitlist), Given::Taken);
        assert_eq!(candidates.give(ip("fd00:a::2"), Source::Hitlist), Given::Full);
        assert_eq!(candidates.give(ip("fd00:a::1"), Source::Hitlist), Given::Repeated);
    }
}
