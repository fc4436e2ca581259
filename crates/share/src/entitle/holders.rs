//! Who held what when.
//!
//! A record belongs to who held its longest claimed prefix when it was seen; several may. Who holds a wider prefix or the
//! AS, or acts for a holder, runs its network. [`Holders::of`] answers for one record, [`Holders::holding`] and
//! [`Holders::running`] for all addresses at once: the same, which a property holds.
//!
//! At a hundred times the data: a look-up asks a map once for each prefix length in use; a sweep sorts all claims, and
//! what comes of it is kept while the register stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hinomi_lake::entitlement::{Held as Places, Stretch};
use hinomi_model::Timestamp;
use hinomi_model::address::{bounds, to_u128};
use ipnet::IpNet;

use crate::register::{Held, Register};

/// The first of the numbers that IPv4 addresses have (RFC 4291, 2.5.5.2).
const MAPPED: u128 = 0xffff_0000_0000;

/// A claimed prefix as numbers, with who claims it.
#[derive(Clone, Debug)]
struct Claimed {
    low: u128,
    high: u128,
    organisation: Arc<str>,
    stretch: Stretch,
}

impl Claimed {
    /// How many addresses; the fewer, the longer the prefix.
    const fn width(&self) -> u128 {
        self.high - self.low
    }
}

/// The claims of a register, ready to be asked.
pub struct Holders {
    register: Arc<Register>,
    prefixes: Vec<Claimed>,
    /// By width and first address: the claims of that very prefix.
    by_prefix: BTreeMap<u128, HashMap<u128, Vec<usize>>>,
    by_asn: HashMap<u32, Vec<(Arc<str>, Stretch)>>,
}

impl Holders {
    /// Makes claims ready.
    pub fn new(register: &Arc<Register>) -> Self {
        let (mut prefixes, mut by_asn) = (Vec::new(), HashMap::<u32, Vec<(Arc<str>, Stretch)>>::new());
        for claim in &register.claims {
            let stretch = Stretch { from: claim.from.as_micros(), until: claim.until.as_micros() };
            // Who left the register held it all the same: nobody else comes to what was seen then.
            if stretch.from >= stretch.until {
                continue;
            }
            let organisation: Arc<str> = claim.organisation.as_str().into();
            match &claim.subject {
                // Numbers of IPv4 addresses lie within those of IPv6: a prefix around them holds none of them.
                Held::Prefix(IpNet::V6(six)) if six.contains(&Ipv6Addr::from(MAPPED)) => {}
                Held::Prefix(net) => {
                    let (low, high) = bounds(net.trunc());
                    prefixes.push(Claimed { low, high, organisation, stretch });
                }
                Held::As(asn) => by_asn.entry(*asn).or_default().push((organisation, stretch)),
                Held::Domain(_) => {}
            }
        }
        let mut by_prefix: BTreeMap<u128, HashMap<u128, Vec<usize>>> = BTreeMap::new();
        for (at, claim) in prefixes.iter().enumerate() {
            by_prefix.entry(claim.width()).or_default().entry(claim.low).or_default().push(at);
        }
        Self { register: Arc::clone(register), prefixes, by_prefix, by_asn }
    }

    /// Who held an address, and who ran its network, at a moment.
    pub fn of(&self, address: IpAddr, asn: Option<u32>, time: Timestamp) -> (BTreeSet<String>, BTreeSet<String>) {
        let (number, time) = (to_u128(address), time.as_micros());
        let (mut holders, mut operators) = (BTreeSet::new(), BTreeSet::new());
        for (width, claims) in &self.by_prefix {
            let at = claims.get(&(number & !width)).into_iter().flatten();
            let active = at.filter_map(|at| self.prefixes.get(*at)).filter(|claim| claim.stretch.holds(time));
            let names: BTreeSet<String> = active.map(|claim| claim.organisation.to_string()).collect();
            if holders.is_empty() { holders = names } else { operators.extend(names) }
        }
        let by_asn = asn.and_then(|asn| self.by_asn.get(&asn)).into_iter().flatten();
        operators.extend(by_asn.filter(|(_, own)| own.holds(time)).map(|(name, _)| name.to_string()));
        let agents = self.register.organisations.values();
        operators.extend(agents.filter(|one| !one.acts_for.is_disjoint(&holders)).map(|one| one.id.clone()));
        (holders, operators)
    }

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
        let by_asn = self.by_asn.iter().flat_map(|(asn, own)| own.iter().map(move |claim| (*asn, claim)));
        let mine = by_asn.filter(|(_, (name, _))| organisations.contains(&**name)).map(|(asn, (_, own))| (asn, *own));
        Places::new(ranges, mine)
    }

    /// The ranges and stretches in which one of these is a holder, or holds a wider prefix than the holders.
    fn sweep(&self, organisations: &BTreeSet<String>, longest: bool) -> Vec<((u128, u128), Stretch)> {
        let mut found = Vec::new();
        if !self.prefixes.iter().any(|claim| organisations.contains(&*claim.organisation)) {
            return found;
        }
        let mut order: Vec<&Claimed> = self.prefixes.iter().collect();
        order.sort_unstable_by_key(|claim| (claim.low, std::cmp::Reverse(claim.high)));
        let mut cuts: BTreeSet<u128> = order.iter().map(|claim| claim.low).collect();
        cuts.extend(order.iter().filter_map(|claim| claim.high.checked_add(1)));
        let (mut coming, mut open) = (order.into_iter().peekable(), Vec::<&Claimed>::new());
        let mut cuts = cuts.into_iter().peekable();
        while let Some(low) = cuts.next() {
            let high = cuts.peek().map_or(u128::MAX, |next| next - 1);
            open.retain(|claim| claim.high >= low);
            while let Some(claim) = coming.next_if(|claim| claim.low <= low) {
                open.push(claim);
            }
            if open.iter().any(|claim| organisations.contains(&*claim.organisation)) {
                found.extend(turns(&open, organisations, longest).map(|stretch| ((low, high), stretch)));
            }
        }
        found
    }
}

/// The stretches of time in which one of these is among the narrowest claims, or among the others.
fn turns(open: &[&Claimed], organisations: &BTreeSet<String>, longest: bool) -> impl Iterator<Item = Stretch> {
    let mut moments: Vec<i64> = open.iter().flat_map(|claim| [claim.stretch.from, claim.stretch.until]).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut stretches = Vec::new();
    for (from, until) in moments.iter().zip(moments.iter().skip(1)) {
        let active = || open.iter().filter(|claim| claim.stretch.from <= *from && *until <= claim.stretch.until);
        let Some(narrowest) = active().map(|claim| claim.width()).min() else { continue };
        let own = |claim: &&&Claimed| organisations.contains(&*claim.organisation);
        if active().filter(own).any(|claim| (claim.width() == narrowest) == longest) {
            stretches.push(Stretch { from: *from, until: *until });
        }
    }
    stretches.into_iter()
}
