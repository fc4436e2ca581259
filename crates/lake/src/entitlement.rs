//! What an asker may see: and-ed into every question before anything is counted.
//!
//! ```text
//!   Entitlement = Grant or Grant or ...      none at all is nothing; a question without an entitlement asks for all
//!   Grant       = marking fits  and  seen where and when [`Held`] says, or anywhere
//! ```
//!
//! - An entitlement is asked of single observations ([`Entitlement::admits`]), and of rows of the index by columns: the
//!   marking of a row is one of few, so its grants are found once for each marking and not for each row.
//! - [`Entitlement::stretch`] says from when until when the asker's right lasts around an observation, so that times
//!   from before and after are not told.
//! - Where rules could not be made into grants, a [`Judge`] is asked besides, of each observation that grants let through.
//!
//! At a hundred times the data: grants follow the rules, ranges the claims of the asker; rows are looked up by binary
//! search.

mod held;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use hinomi_model::address::to_u128;
use hinomi_model::{Marking, Purpose, Timestamp, Tlp};
use std::net::IpAddr;

pub use held::{Held, Stretch};

use crate::query::AddressRanges;

/// An observation, as far as entitlements look at it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where.
    pub address: IpAddr,
    /// AS number of the address, where one is known.
    pub asn: Option<u32>,
    /// When.
    pub time: Timestamp,
    /// Who may know.
    pub marking: &'a Marking,
}

/// Decides about single observations; asked where rules are not made into grants.
pub trait Judge: Send + Sync {
    /// Whether the asker may see it.
    fn may(&self, seen: &Seen<'_>) -> bool;
}

/// A condition on markings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Marks {
    /// Any, or none.
    Always(bool),
    /// One of these labels.
    Tlp(BTreeSet<Tlp>),
    /// One of these purposes.
    Purpose(BTreeSet<Purpose>),
    /// For at least one of these audiences.
    Audience(BTreeSet<String>),
    /// For no named audience.
    Unnamed,
    /// Not this.
    Not(Box<Marks>),
    /// All of these.
    All(Vec<Marks>),
    /// At least one of these.
    Any(Vec<Marks>),
}

impl Marks {
    /// Whether a marking is like this.
    pub fn fit(&self, marking: &Marking) -> bool {
        match self {
            Self::Always(fits) => *fits,
            Self::Tlp(labels) => labels.contains(&marking.tlp),
            Self::Purpose(purposes) => purposes.contains(&marking.purpose),
            Self::Audience(names) => marking.audience.iter().any(|name| names.contains(name)),
            Self::Unnamed => marking.audience.is_empty(),
            Self::Not(inner) => !inner.fit(marking),
            Self::All(parts) => parts.iter().all(|part| part.fit(marking)),
            Self::Any(parts) => parts.iter().any(|part| part.fit(marking)),
        }
    }
}

/// One way to be entitled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How it must be marked.
    pub marks: Marks,
    /// Where and when it must have been seen; none is anywhere, at any time.
    pub held: Option<Arc<Held>>,
}

/// What an asker may see. Without grants: nothing.
#[derive(Clone, Default)]
pub struct Entitlement {
    grants: Vec<Grant>,
    judge: Option<Arc<dyn Judge>>,
}

impl PartialEq for Entitlement {
    fn eq(&self, other: &Self) -> bool {
        let judges = match (&self.judge, &other.judge) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        judges && self.grants == other.grants
    }
}

impl Eq for Entitlement {}

impl fmt::Debug for Entitlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entitlement").field("grants", &self.grants).field("judged", &self.judge.is_some()).finish()
    }
}

impl Entitlement {
    /// What these grants give together. Grants for the same places are one.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        let mut merged: Vec<Grant> = Vec::new();
        for grant in grants.into_iter().filter(|grant| grant.marks != Marks::Always(false)) {
            match merged.iter_mut().find(|known| known.held == grant.held) {
                Some(known) if known.marks == grant.marks => {}
                Some(known) => {
                    let marks = std::mem::replace(&mut known.marks, Marks::Always(false));
                    known.marks = Marks::Any(vec![marks, grant.marks]);
                }
                None => merged.push(grant),
            }
        }
        merged.retain(|grant| grant.held.as_ref().is_none_or(|held| !held.is_empty()));
        Self { grants: merged, judge: None }
    }

    /// Nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Everything that was ever seen at these addresses, however it is marked.
    pub fn of_addresses(ranges: &AddressRanges) -> Self {
        let held = Held::new(ranges.ranges().map(|(low, high)| ((low, high), Stretch::ALWAYS)), []);
        Self::new([Grant { marks: Marks::Always(true), held: Some(Arc::new(held)) }])
    }

    /// The same, of which a judge must agree to each observation.
    #[must_use]
    pub fn judged(self, judge: Arc<dyn Judge>) -> Self {
        Self { judge: Some(judge), ..self }
    }

    /// What it consists of.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    pub(crate) fn judge(&self) -> Option<&dyn Judge> {
        self.judge.as_deref()
    }

    /// Whether nothing can be seen.
    pub const fn is_nothing(&self) -> bool {
        self.grants.is_empty()
    }

    /// Whether the asker may see this.
    pub fn admits(&self, seen: &Seen<'_>) -> bool {
        self.stretch(seen).is_some()
    }

    /// From when until when the asker may see what is marked and where like this, around its time; none when he may not
    /// see it.
    pub fn stretch(&self, seen: &Seen<'_>) -> Option<Stretch> {
        let (number, time) = (to_u128(seen.address), seen.time.as_micros());
        let of = |grant: &Grant| match &grant.held {
            _ if !grant.marks.fit(seen.marking) => None,
            None => Some(Stretch::ALWAYS),
            Some(held) => held.stretch(number, seen.asn, time),
        };
        let widest = self.grants.iter().filter_map(of).reduce(Stretch::widest)?;
        self.judge.as_ref().is_none_or(|judge| judge.may(seen)).then_some(widest)
    }

    /// The addresses that grants name; none when they name none.
    pub(crate) fn own_ranges(&self) -> Option<AddressRanges> {
        let helds = self.grants.iter().filter_map(|grant| grant.held.as_ref());
        let own = helds.map(|held| held.addresses()).fold(AddressRanges::default(), AddressRanges::either);
        if own.ranges().len() > 0 { Some(own) } else { None }
    }

    /// All addresses of which something may be seen; none when they cannot be told.
    pub(crate) fn ranges(&self) -> Option<AddressRanges> {
        let each = self.grants.iter().map(|grant| grant.held.as_ref().filter(|held| held.is_by_address()));
        let helds = each.collect::<Option<Vec<_>>>()?;
        Some(helds.into_iter().map(|held| held.addresses()).fold(AddressRanges::default(), AddressRanges::either))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marking(tlp: Tlp, audience: &[&str]) -> Marking {
        let audience = audience.iter().map(|name| (*name).to_owned()).collect();
        Marking { tlp, audience, ..Marking::own(Purpose::ExposureReduction) }
    }

    fn seen(address: [u8; 4], time: i64, marking: &Marking) -> Seen<'_> {
        Seen { address: address.into(), asn: Some(64_500), time: Timestamp::from_micros(time), marking }
    }

    #[test]
    fn no_grant_is_nothing_and_a_judge_only_takes_away() {
        struct Never;
        impl Judge for Never {
            fn may(&self, _: &Seen<'_>) -> bool {
                false
            }
        }
        let clear = marking(Tlp::Clear, &[]);
        assert!(!Entitlement::nothing().admits(&seen([192, 0, 2, 1], 0, &clear)));
        let all = Entitlement::new([Grant { marks: Marks::Always(true), held: None }]);
        assert!(all.admits(&seen([192, 0, 2, 1], 0, &clear)));
        assert!(!all.judged(Arc::new(Never)).admits(&seen([192, 0, 2, 1], 0, &clear)));
        assert!(!Entitlement::nothing().judged(Arc::new(Never)).admits(&seen([192, 0, 2, 1], 0, &clear)));
    }

    #[test]
    fn markings_and_places_of_one_grant_go_together() {
        let net: ipnet::IpNet = "192.0.2.0/24".parse().expect("a prefix");
        let stretch = Stretch { from: 10, until: 20 };
        let held = Arc::new(Held::new([(hinomi_model::address::bounds(net), stretch)], []));
        let may = Entitlement::new([
            Grant { marks: Marks::Tlp(BTreeSet::from([Tlp::Amber])), held: Some(held) },
            Grant {
                marks: Marks::All(vec![
                    Marks::Tlp(BTreeSet::from([Tlp::Red])),
                    Marks::Audience(BTreeSet::from(["isac".to_owned()])),
                ]),
                held: None,
            },
        ]);
        let (amber, red) = (marking(Tlp::Amber, &[]), marking(Tlp::Red, &[]));
        let named = marking(Tlp::Red, &["other", "isac"]);
        assert_eq!(may.stretch(&seen([192, 0, 2, 9], 10, &amber)), Some(stretch));
        assert!(!may.admits(&seen([192, 0, 2, 9], 20, &amber)), "the end does not belong to it");
        assert!(!may.admits(&seen([192, 0, 2, 9], 9, &amber)) && !may.admits(&seen([192, 0, 3, 9], 12, &amber)));
        assert!(!may.admits(&seen([192, 0, 2, 9], 12, &red)), "red without an audience is for nobody");
        assert_eq!(may.stretch(&seen([198, 51, 100, 1], 0, &named)), Some(Stretch::ALWAYS));
        assert_eq!(may.ranges(), None, "one grant is for anywhere");
    }

    #[test]
    fn grants_for_the_same_places_are_one() {
        let grant = |tlp| Grant { marks: Marks::Tlp(BTreeSet::from([tlp])), held: None };
        let may = Entitlement::new([grant(Tlp::Clear), grant(Tlp::Green), grant(Tlp::Clear)]);
        assert_eq!(may.grants().len(), 1);
        assert!(may.admits(&seen([192, 0, 2, 1], 0, &marking(Tlp::Green, &[]))));
        assert!(!may.admits(&seen([192, 0, 2, 1], 0, &marking(Tlp::Amber, &[]))));
    }
}
