//! Who held what, for all addresses at once: the ranges and stretches of time that an entitlement is made of.

use std::collections::BTreeSet;

use hinomi_lake::entitlement::{Held as Places, Stretch};
use hinomi_model::address::bounds;
use ipnet::IpNet;

use super::holders::{Holders, plain};
use super::{Claim, Held};

/// The numbers of IPv4 addresses, which lie within those of IPv6 (RFC 4291, 2.5.5.2).
const FOUR: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// A part of a claimed prefix as numbers, with who claims it.
#[derive(Clone, Debug)]
struct Claimed<'a> {
    low: u128,
    high: u128,
    /// How many addresses the whole prefix has; the fewer, the longer it is.
    width: u128,
    organisation: &'a str,
    stretch: Stretch,
}

impl<'a> Claimed<'a> {
    /// The parts of a claim: an IPv6 prefix around all of IPv4 lies before and behind that, and not in it.
    fn of(claim: &'a Claim) -> impl Iterator<Item = Self> {
        let prefix = if let Held::Prefix(prefix) = &claim.subject { Some(plain(*prefix)) } else { None };
        let parts = prefix.zip(stretch_of(claim)).map(|(prefix, stretch)| {
            let (low, high) = bounds(prefix);
            let around = matches!(prefix, IpNet::V6(_)) && low <= FOUR.0 && FOUR.1 <= high;
            let parts = if around { vec![(low, FOUR.0 - 1), (FOUR.1 + 1, high)] } else { vec![(low, high)] };
            let width = high - low;
            parts.into_iter().filter(|(low, high)| low <= high).map(move |(low, high)| Self {
                low,
                high,
                width,
                organisation: &claim.organisation,
                stretch,
            })
        });
        parts.into_iter().flatten()
    }
}

fn stretch_of(claim: &Claim) -> Option<Stretch> {
    let stretch = Stretch { from: claim.from.as_micros(), until: claim.until.as_micros() };
    (stretch.from < stretch.until).then_some(stretch)
}

impl Holders {
    /// Where and when at least one of these organisations was a holder.
    pub fn holding(&self, organisations: &BTreeSet<String>) -> Places {
        Places::new(self.sweep(organisations, true), [])
    }

    /// Where and when at least one of these organisations ran the network.
    pub fn running(&self, organisations: &BTreeSet<String>) -> Places {
        let mut ranges = self.sweep(organisations, false);
        let agents = self.register.organisations.values().filter(|one| organisations.contains(&one.id));
        let principals: BTreeSet<String> = agents.flat_map(|one| one.acts_for.iter().cloned()).collect();
        ranges.extend(self.sweep(&principals, true));
        let by_asn = self.systems.iter().flat_map(|(asn, own)| own.iter().map(move |claim| (*asn, claim)));
        let mine = by_asn.filter(|(_, claim)| organisations.contains(&claim.organisation));
        Places::new(ranges, mine.filter_map(|(asn, claim)| Some((asn, stretch_of(claim)?))))
    }

    /// The ranges and stretches in which one of these is a holder, or holds a wider prefix than the holders.
    fn sweep(&self, organisations: &BTreeSet<String>, longest: bool) -> Vec<((u128, u128), Stretch)> {
        let mut found = Vec::new();
        if !self.register.claims.iter().any(|claim| organisations.contains(&claim.organisation)) {
            return found;
        }
        let mut order: Vec<Claimed<'_>> = self.register.claims.iter().flat_map(Claimed::of).collect();
        order.sort_unstable_by_key(|claim| (claim.low, std::cmp::Reverse(claim.high)));
        let mut cuts: BTreeSet<u128> = order.iter().map(|claim| claim.low).collect();
        cuts.extend(order.iter().filter_map(|claim| claim.high.checked_add(1)));
        let (mut coming, mut open) = (order.into_iter().peekable(), Vec::<Claimed<'_>>::new());
        let mut cuts = cuts.into_iter().peekable();
        while let Some(low) = cuts.next() {
            let high = cuts.peek().map_or(u128::MAX, |next| next - 1);
            open.retain(|claim| claim.high >= low);
            while let Some(claim) = coming.next_if(|claim| claim.low <= low) {
                open.push(claim);
            }
            if open.iter().any(|claim| organisations.contains(claim.organisation)) {
                found.extend(turns(&open, organisations, longest).into_iter().map(|stretch| ((low, high), stretch)));
            }
        }
        found
    }
}

/// The stretches of time in which one of these is among the narrowest claims, or among the others.
fn turns(open: &[Claimed<'_>], organisations: &BTreeSet<String>, longest: bool) -> Vec<Stretch> {
    let mut moments: Vec<i64> = open.iter().flat_map(|claim| [claim.stretch.from, claim.stretch.until]).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut stretches = Vec::new();
    for (from, until) in moments.iter().zip(moments.iter().skip(1)) {
        let active = || open.iter().filter(|claim| claim.stretch.from <= *from && *until <= claim.stretch.until);
        let Some(narrowest) = active().map(|claim| claim.width).min() else { continue };
        let own = |claim: &&Claimed<'_>| organisations.contains(claim.organisation);
        if active().filter(own).any(|claim| (claim.width == narrowest) == longest) {
            stretches.push(Stretch { from: *from, until: *until });
        }
    }
    stretches
}
