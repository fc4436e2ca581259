//! Which rows of a segment an asker may see, by their marking: all, none, or those of certain places and times.
//!
//! Places are ranges of addresses; for who looks at all rows of a segment they are one bit for each small number of an
//! address ([`super::address`]). At a hundred times the data: such a bitmap grows with the addresses, to [`MAX_BITS`].

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hinomi_model::Marking;
use tantivy::DocId;

use super::address::Addresses;
use super::eyes::Eyes;
use super::surely::{is_set, set};
use crate::entitlement::{Entitlement, Grant, Held, Stretch};

/// The most bits of a bitmap of addresses: 16 MB.
const MAX_BITS: usize = 1 << 27;

/// What rows of one marking need.
pub(super) enum Sight {
    /// Nobody of the askers may see them.
    Hidden,
    /// All of them, whenever they were seen.
    Shown,
    /// Those of certain places and times.
    Placed(Vec<Place>),
}

/// Where and when a grant is for.
pub(super) struct Place {
    /// All of these.
    held: Vec<Where>,
    /// None of these.
    not_held: Vec<Arc<Held>>,
}

/// Places and times in the numbers of a segment.
#[derive(Clone)]
pub(super) struct Where {
    held: Arc<Held>,
    /// One bit for each small number of an address; none where each row is looked up.
    bits: Option<Arc<[u64]>>,
}

/// What is known of a row whatever is seen of its service later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    Shown,
    Hidden,
    /// It must be looked at.
    Asked,
}

/// Which grants a marking fits. What cannot be read is for nobody.
pub(super) fn sight(may: &Entitlement, marking: Option<&Marking>, places: &mut Places<'_>) -> Sight {
    let Some(marking) = marking else { return Sight::Hidden };
    let fitting: Vec<&Grant> = may.grants().iter().filter(|grant| grant.marks.fit(marking, may.now())).collect();
    if fitting.iter().any(|grant| grant.held.is_empty() && grant.not_held.is_empty()) {
        return Sight::Shown;
    }
    // What is let through by a grant that asks for less need not be asked for more.
    let needless = |at: usize, grant: &Grant| {
        let less = |(other, one): (usize, &&Grant)| {
            one.asks_no_more_than(grant) && (other < at || !grant.asks_no_more_than(one))
        };
        fitting.iter().enumerate().filter(|(other, _)| *other != at).any(less)
    };
    let needed = fitting.iter().enumerate().filter(|(at, grant)| !needless(*at, grant));
    let placed: Vec<Place> = needed.map(|(_, grant)| places.of(grant)).collect();
    if placed.is_empty() { Sight::Hidden } else { Sight::Placed(placed) }
}

/// Makes places, each bitmap once.
pub(super) struct Places<'a> {
    pub(super) addresses: &'a Addresses,
    /// Whether bitmaps are worth their making.
    pub(super) wide: bool,
    pub(super) made: Vec<Where>,
}

impl Places<'_> {
    fn of(&mut self, grant: &Grant) -> Place {
        let held = grant.held.iter().map(|held| self.one(held)).collect();
        Place { held, not_held: grant.not_held.clone() }
    }

    fn one(&mut self, held: &Arc<Held>) -> Where {
        if let Some(known) = self.made.iter().find(|known| Arc::ptr_eq(&known.held, held)) {
            return known.clone();
        }
        let made = Where { held: Arc::clone(held), bits: self.bits(held).map(Into::into) };
        self.made.push(made.clone());
        made
    }

    fn bits(&self, held: &Held) -> Option<Vec<u64>> {
        let bits = usize::try_from(self.addresses.greatest()).unwrap_or(usize::MAX);
        if !self.wide || bits >= MAX_BITS {
            return None;
        }
        let mut words = vec![0_u64; bits / 64 + 1];
        for (low, high) in held.spans() {
            let from = self.addresses.find(low).0;
            let until = high.checked_add(1).map_or(u32::MAX, |next| self.addresses.find(next).0);
            set(&mut words, u64::from(from), u64::from(until).min(bits as u64 + 1));
        }
        Some(words)
    }
}

impl Place {
    /// Whether addresses and times alone decide.
    pub(super) fn is_by_address(&self) -> bool {
        let held = self.held.iter().map(|one| &one.held);
        held.chain(&self.not_held).all(|held| held.is_by_address())
    }

    /// What is sure of a row with this small number of an address.
    pub(super) fn sure(&self, small: u32, doc: DocId, eyes: &Eyes) -> Sure {
        if self.held.iter().any(|held| held.never(small)) {
            return Sure::Hidden;
        }
        let Some(last) = eyes.last(doc) else { return Sure::Asked };
        let simply = |held: &Where| held.lasts_from(small).is_some_and(|from| from <= last);
        if self.not_held.is_empty() && self.held.iter().all(simply) {
            return Sure::Shown;
        }
        let lasting = self.stretch(eyes.whole(small), eyes.asn(doc), last);
        // What is seen later is seen within a stretch without an end, too.
        if lasting.is_some_and(|stretch| stretch.until == i64::MAX) { Sure::Shown } else { Sure::Asked }
    }

    pub(super) fn holds(&self, small: u32, asn: Option<u32>, last: Option<i64>, addresses: &Addresses) -> bool {
        let Some(last) = last else { return false };
        self.held.iter().all(|held| held.holds(small, asn, last, addresses))
            && self.not_held.iter().all(|held| held.gap(addresses.whole(small), asn, last).is_some())
    }

    fn stretch(&self, address: u128, asn: Option<u32>, last: i64) -> Option<Stretch> {
        self.narrowed((address, asn, last), |held| held.stretch(address, asn, last))
    }

    /// The same for who asks about one row after the other: most lie near the last.
    pub(super) fn stretch_near(
        &self,
        (address, asn): (u128, Option<u32>),
        last: i64,
        near: &AtomicUsize,
    ) -> Option<Stretch> {
        self.narrowed((address, asn, last), |held| held.stretch_near(address, asn, last, near))
    }

    fn narrowed(
        &self,
        (address, asn, last): (u128, Option<u32>, i64),
        stretch: impl Fn(&Held) -> Option<Stretch>,
    ) -> Option<Stretch> {
        let within = self.held.iter().map(|one| stretch(&one.held));
        let without = self.not_held.iter().map(|held| held.gap(address, asn, last));
        within.chain(without).try_fold(Stretch::ALWAYS, |mine, other| Some(mine.narrowest(other?)))
    }
}

impl Where {
    /// Whether nothing at this address ever counts.
    fn never(&self, small: u32) -> bool {
        self.held.is_by_address() && self.bits.as_ref().is_some_and(|words| !is_set(words, small))
    }

    /// From when on everything at this address counts without an end, where that is known without a look.
    fn lasts_from(&self, small: u32) -> Option<i64> {
        let sure = self.held.sure().filter(|sure| sure.until == i64::MAX)?;
        self.bits.as_ref().is_some_and(|words| is_set(words, small)).then_some(sure.from)
    }

    fn holds(&self, small: u32, asn: Option<u32>, last: i64, addresses: &Addresses) -> bool {
        let inside = self.bits.as_ref().map(|words| is_set(words, small));
        match (inside, self.held.sure()) {
            (Some(true), Some(sure)) if sure.holds(last) => true,
            (Some(false), _) if self.held.is_by_address() => false,
            _ => self.held.stretch(addresses.whole(small), asn, last).is_some(),
        }
    }
}
