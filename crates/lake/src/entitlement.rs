//! What an asker may see: and-ed into every question before anything is counted.
//!
//! ```text
//!   Entitlement = Grant or Grant or ...      none at all is nothing; a question without an entitlement asks for all
//!   Grant       = marking fits  and  seen where and when each [`Held`] says  and  not where and when others say
//! ```
//!
//! - An entitlement is asked of single observations ([`Entitlement::admits`]), and of rows of the index by columns: the
//!   marking of a row is one of few, so its grants are found once for each marking and not for each row.
//! - [`Entitlement::stretch`] says from when until when the asker's right lasts around an observation, so that times
//!   from before and after are not told.
//! - Where rules could not be made into grants, a [`Judge`] is asked besides, of each observation that grants let through.
//! - Whether an embargo has ended is known when a question is asked, not when an entitlement is made: the lake asks with
//!   its own clock ([`Entitlement::at`]). One that was not told the time takes no embargo for ended.
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
    /// Whether the asker may see it at this moment, whenever it was seen.
    fn may(&self, seen: &Seen<'_>, now: Timestamp) -> bool;
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
    /// Under an embargo that has not ended.
    Embargoed,
    /// Under one of these licences; the empty one is none.
    Licence(BTreeSet<String>),
    /// With at least one of these words of handling.
    Handling(BTreeSet<String>),
    /// Without a word of handling.
    Unhandled,
    /// Not this.
    Not(Box<Marks>),
    /// All of these.
    All(Vec<Marks>),
    /// At least one of these.
    Any(Vec<Marks>),
}

impl Marks {
    /// Whether a marking is like this, at a moment.
    pub fn fit(&self, marking: &Marking, now: Timestamp) -> bool {
        match self {
            Self::Always(fits) => *fits,
            Self::Tlp(labels) => labels.contains(&marking.tlp),
            Self::Purpose(purposes) => purposes.contains(&marking.purpose),
            Self::Audience(names) => marking.audience.iter().any(|name| names.contains(name)),
            Self::Unnamed => marking.audience.is_empty(),
            Self::Embargoed => marking.is_embargoed(now),
            Self::Licence(licences) => licences.contains(marking.licence.as_deref().unwrap_or_default()),
            Self::Handling(words) => !marking.handling.is_disjoint(words),
            Self::Unhandled => marking.handling.is_empty(),
            Self::Not(inner) => !inner.fit(marking, now),
            Self::All(parts) => parts.iter().all(|part| part.fit(marking, now)),
            Self::Any(parts) => parts.iter().any(|part| part.fit(marking, now)),
        }
    }
}

/// One way to be entitled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How it must be marked.
    pub marks: Marks,
    /// Where and when it must have been seen, all of them; none is anywhere, at any time.
    pub held: Vec<Arc<Held>>,
    /// Where and when it must not have been seen, any of them.
    pub not_held: Vec<Arc<Held>>,
}

impl Grant {
    /// For what is marked like this, wherever it was seen.
    pub const fn anywhere(marks: Marks) -> Self {
        Self { marks, held: Vec::new(), not_held: Vec::new() }
    }

    /// For what is marked like this and was seen there and then.
    pub fn of(marks: Marks, held: Arc<Held>) -> Self {
        Self { marks, held: vec![held], not_held: Vec::new() }
    }

    fn is_nothing(&self) -> bool {
        self.marks == Marks::Always(false) || self.held.iter().any(|held| held.is_empty())
    }

    /// From when until when it counts around a moment; none when it does not.
    pub(crate) fn stretch(&self, address: u128, asn: Option<u32>, time: i64) -> Option<Stretch> {
        let within = self.held.iter().map(|held| held.stretch(address, asn, time));
        let without = self.not_held.iter().map(|held| held.gap(address, asn, time));
        within.chain(without).try_fold(Stretch::ALWAYS, |mine, other| Some(mine.narrowest(other?)))
    }

    /// Whether what it asks of places is asked by another too.
    pub(crate) fn asks_no_more_than(&self, other: &Self) -> bool {
        let among = |all: &[Arc<Held>], one: &Arc<Held>| all.iter().any(|each| Arc::ptr_eq(each, one));
        self.held.iter().all(|one| among(&other.held, one))
            && self.not_held.iter().all(|one| among(&other.not_held, one))
    }
}

/// What an asker may see. Without grants: nothing.
#[derive(Clone, Default)]
pub struct Entitlement {
    grants: Arc<[Grant]>,
    judge: Option<Arc<dyn Judge>>,
    /// When it is asked; none takes no embargo for ended.
    now: Option<Timestamp>,
}

impl PartialEq for Entitlement {
    fn eq(&self, other: &Self) -> bool {
        let judges = match (&self.judge, &other.judge) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        judges && self.now == other.now && self.grants == other.grants
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
        for grant in grants.into_iter().filter(|grant| !grant.is_nothing()) {
            match merged.iter_mut().find(|known| (&known.held, &known.not_held) == (&grant.held, &grant.not_held)) {
                Some(known) if known.marks == grant.marks => {}
                Some(known) => {
                    let marks = std::mem::replace(&mut known.marks, Marks::Always(false));
                    known.marks = Marks::Any(vec![marks, grant.marks]);
                }
                None => merged.push(grant),
            }
        }
        Self { grants: merged.into(), judge: None, now: None }
    }

    /// Nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Everything that was ever seen at these addresses, however it is marked.
    pub fn of_addresses(ranges: &AddressRanges) -> Self {
        let held = Held::new(ranges.ranges().map(|(low, high)| ((low, high), Stretch::ALWAYS)), []);
        Self::new([Grant::of(Marks::Always(true), Arc::new(held))])
    }

    /// The same, of which a judge must agree to each observation.
    #[must_use]
    pub fn judged(self, judge: Arc<dyn Judge>) -> Self {
        Self { judge: Some(judge), ..self }
    }

    /// The same, asked at this moment.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self { now: Some(now), ..self.clone() }
    }

    /// When it is asked; before all time where nobody said.
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or(Timestamp::from_micros(i64::MIN))
    }

    /// Whether the judge agrees, where there is one.
    pub(crate) fn judges(&self, seen: &Seen<'_>) -> bool {
        self.judge.as_ref().is_none_or(|judge| judge.may(seen, self.now()))
    }

    /// What it consists of.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The same, to tell entitlements with the same grants by.
    pub(crate) const fn shared_grants(&self) -> &Arc<[Grant]> {
        &self.grants
    }

    pub(crate) fn is_judged(&self) -> bool {
        self.judge.is_some()
    }

    /// Whether nothing can be seen.
    pub fn is_nothing(&self) -> bool {
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
        let now = self.now();
        let fitting = self.grants.iter().filter(|grant| grant.marks.fit(seen.marking, now));
        let widest = fitting.filter_map(|grant| grant.stretch(number, seen.asn, time)).reduce(Stretch::widest)?;
        self.judges(seen).then_some(widest)
    }

    /// The addresses that grants name; none when they name none.
    pub(crate) fn own_ranges(&self) -> Option<AddressRanges> {
        let helds = self.grants.iter().filter_map(|grant| grant.held.first());
        let own = helds.map(|held| held.addresses()).fold(AddressRanges::default(), AddressRanges::either);
        if own.ranges().len() > 0 { Some(own) } else { None }
    }

    /// All addresses of which something may be seen; none when they cannot be told.
    pub(crate) fn ranges(&self) -> Option<AddressRanges> {
        let each = self.grants.iter().map(|grant| grant.held.iter().find(|held| held.is_by_address()));
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
            fn may(&self, _: &Seen<'_>, _: Timestamp) -> bool {
                false
            }
        }
        let clear = marking(Tlp::Clear, &[]);
        assert!(!Entitlement::nothing().admits(&seen([192, 0, 2, 1], 0, &clear)));
        let all = Entitlement::new([Grant::anywhere(Marks::Always(true))]);
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
            Grant::of(Marks::Tlp(BTreeSet::from([Tlp::Amber])), held),
            Grant::anywhere(Marks::All(vec![
                Marks::Tlp(BTreeSet::from([Tlp::Red])),
                Marks::Audience(BTreeSet::from(["isac".to_owned()])),
            ])),
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
    fn an_embargo_opens_by_itself_and_is_closed_where_nobody_told_the_time() {
        let until = Timestamp::from_micros(100);
        let under = Marking { embargo: Some(until), ..marking(Tlp::Clear, &[]) };
        let may = Entitlement::new([Grant::anywhere(Marks::Not(Box::new(Marks::Embargoed)))]);
        let seen = seen([192, 0, 2, 1], 0, &under);
        assert!(!may.admits(&seen), "no time");
        assert!(!may.at(Timestamp::from_micros(99)).admits(&seen) && may.at(until).admits(&seen));
    }

    #[test]
    fn places_may_all_be_asked_for_and_others_excepted() {
        let held = |net: &str, from, until| {
            let net: ipnet::IpNet = net.parse().expect("a prefix");
            Arc::new(Held::new([(hinomi_model::address::bounds(net), Stretch { from, until })], []))
        };
        let (wide, long) = (held("192.0.2.0/24", 0, 100), held("192.0.2.0/28", 10, 50));
        let both = Grant { held: vec![Arc::clone(&wide), Arc::clone(&long)], ..Grant::anywhere(Marks::Always(true)) };
        let but = Grant { not_held: vec![long], ..Grant::of(Marks::Always(true), wide) };
        let clear = marking(Tlp::Clear, &[]);
        let (both, but) = (Entitlement::new([both]), Entitlement::new([but]));
        let stretch = |may: &Entitlement, last, time| may.stretch(&seen([192, 0, 2, last], time, &clear));
        assert_eq!(stretch(&both, 1, 20), Some(Stretch { from: 10, until: 50 }));
        assert_eq!((stretch(&both, 1, 5), stretch(&both, 99, 20)), (None, None));
        assert_eq!(stretch(&but, 1, 5), Some(Stretch { from: 0, until: 10 }));
        assert_eq!(stretch(&but, 1, 60), Some(Stretch { from: 50, until: 100 }));
        assert_eq!((stretch(&but, 1, 20), stretch(&but, 99, 20)), (None, Some(Stretch { from: 0, until: 100 })));
    }

    #[test]
    fn grants_for_the_same_places_are_one() {
        let grant = |tlp| Grant::anywhere(Marks::Tlp(BTreeSet::from([tlp])));
        let may = Entitlement::new([grant(Tlp::Clear), grant(Tlp::Green), grant(Tlp::Clear)]);
        assert_eq!(may.grants().len(), 1);
        assert!(may.admits(&seen([192, 0, 2, 1], 0, &marking(Tlp::Green, &[]))));
        assert!(!may.admits(&seen([192, 0, 2, 1], 0, &marking(Tlp::Amber, &[]))));
    }
}
