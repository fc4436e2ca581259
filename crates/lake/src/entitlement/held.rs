//! Where and when: addresses and AS numbers, each with the stretches of time for which it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::query::AddressRanges;

/// A stretch of time in microseconds; its end does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Its first moment.
    pub from: i64,
    /// The first moment after it.
    pub until: i64,
}

impl Stretch {
    /// All time.
    pub const ALWAYS: Self = Self { from: i64::MIN, until: i64::MAX };

    /// Whether a moment belongs to it.
    pub const fn holds(self, time: i64) -> bool {
        self.from <= time && (time < self.until || self.until == i64::MAX)
    }

    /// From the later beginning to the earlier end, of two around one moment.
    pub(crate) fn narrowest(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }

    /// From the earlier beginning to the later end, of two around one moment.
    pub(crate) fn widest(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }
}

/// First and last address, as numbers.
type Span = (u128, u128);
/// A list of stretches that ascend and do not touch.
type Stretches = Vec<Stretch>;

/// Addresses and AS numbers with their stretches of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Disjoint, ascending.
    ranges: Vec<(Span, Stretches)>,
    asns: BTreeMap<u32, Stretches>,
    /// What is in a range at a moment of this stretch counts, whichever range it is.
    sure: Option<Stretch>,
}

impl Held {
    /// Of ranges and AS numbers that may overlap: what is in any of them at its time.
    pub fn new(
        ranges: impl IntoIterator<Item = (Span, Stretch)>,
        asns: impl IntoIterator<Item = (u32, Stretch)>,
    ) -> Self {
        let mut by_asn: BTreeMap<u32, Stretches> = BTreeMap::new();
        asns.into_iter().for_each(|(asn, stretch)| by_asn.entry(asn).or_default().push(stretch));
        by_asn.values_mut().for_each(|stretches| *stretches = joined(std::mem::take(stretches)));
        by_asn.retain(|_, stretches| !stretches.is_empty());
        let parts: Vec<_> = ranges.into_iter().filter(|((low, high), _)| low <= high).collect();
        let ranges = disjoint(&parts);
        let lasts = || ranges.iter().filter_map(|(_, stretches)| stretches.last());
        let sure = match (lasts().map(|last| last.from).max(), lasts().map(|last| last.until).min()) {
            (Some(from), Some(until)) if from < until => Some(Stretch { from, until }),
            _ => None,
        };
        Self { ranges, asns: by_asn, sure }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.asns.is_empty()
    }

    /// Whether addresses alone decide.
    pub(crate) fn is_by_address(&self) -> bool {
        self.asns.is_empty()
    }

    /// The AS numbers.
    pub fn asns(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.asns.keys().copied()
    }

    /// The addresses, at whatever time.
    pub(crate) fn addresses(&self) -> AddressRanges {
        AddressRanges::of_ranges(self.ranges.iter().map(|(span, _)| *span).collect())
    }

    /// First and last address of each range.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = Span> + '_ {
        self.ranges.iter().map(|(span, _)| *span)
    }

    /// What is in a range at a moment of this stretch counts, whichever range it is.
    pub(crate) const fn sure(&self) -> Option<Stretch> {
        self.sure
    }

    /// From when until when this counts, around a moment; none when it does not.
    pub(crate) fn stretch(&self, address: u128, asn: Option<u32>, time: i64) -> Option<Stretch> {
        self.stretch_of(self.of_address(address), asn, time)
    }

    /// The same, for who asks about neighbours: `near` is the number of the range that was found last.
    pub(crate) fn stretch_near(
        &self,
        address: u128,
        asn: Option<u32>,
        time: i64,
        near: &AtomicUsize,
    ) -> Option<Stretch> {
        let last = self.ranges.get(near.load(Ordering::Relaxed));
        let own = match last.filter(|((low, high), _)| (*low..=*high).contains(&address)) {
            Some((_, own)) => own.as_slice(),
            None => {
                let after = self.after(address);
                near.store(after.wrapping_sub(1), Ordering::Relaxed);
                self.before(after, address)
            }
        };
        self.stretch_of(own, asn, time)
    }

    fn stretch_of(&self, by_address: &[Stretch], asn: Option<u32>, time: i64) -> Option<Stretch> {
        let by_address = around(by_address, time);
        let by_asn = asn.and_then(|asn| self.asns.get(&asn)).and_then(|own| around(own, time));
        match (by_address, by_asn) {
            (Some(one), Some(other)) => Some(one.widest(other)),
            (one, other) => one.or(other),
        }
    }

    /// From when until when this does not count, around a moment; none when it does.
    pub(crate) fn gap(&self, address: u128, asn: Option<u32>, time: i64) -> Option<Stretch> {
        let by_address = between(self.of_address(address), time)?;
        let by_asn = between(asn.and_then(|asn| self.asns.get(&asn)).map_or(&[][..], Vec::as_slice), time)?;
        Some(by_address.narrowest(by_asn))
    }

    /// The stretches of the range that an address is in.
    fn of_address(&self, address: u128) -> &[Stretch] {
        self.before(self.after(address), address)
    }

    /// The number of the first range behind an address.
    fn after(&self, address: u128) -> usize {
        self.ranges.partition_point(|((low, _), _)| *low <= address)
    }

    /// The stretches of the range before that number, where the address is in it.
    fn before(&self, after: usize, address: u128) -> &[Stretch] {
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.filter(|((_, high), _)| address <= *high).map_or(&[], |(_, own)| own)
    }
}

/// What lies between stretches around a moment; none when it lies in one.
fn between(stretches: &[Stretch], time: i64) -> Option<Stretch> {
    if around(stretches, time).is_some() {
        return None;
    }
    let from = stretches.iter().map(|stretch| stretch.until).filter(|until| *until <= time).max();
    let until = stretches.iter().map(|stretch| stretch.from).filter(|from| *from > time).min();
    Some(Stretch { from: from.unwrap_or(i64::MIN), until: until.unwrap_or(i64::MAX) })
}

fn around(stretches: &[Stretch], time: i64) -> Option<Stretch> {
    stretches.iter().find(|stretch| stretch.holds(time)).copied()
}

/// Ascending, those that touch as one.
fn joined(mut stretches: Stretches) -> Stretches {
    stretches.retain(|stretch| stretch.from < stretch.until);
    stretches.sort_unstable();
    let mut all: Stretches = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match all.last_mut() {
            Some(last) if stretch.from <= last.until => last.until = last.until.max(stretch.until),
            _ => all.push(stretch),
        }
    }
    all
}

/// Cuts ranges that overlap where one begins or ends.
fn disjoint(parts: &[(Span, Stretch)]) -> Vec<(Span, Stretches)> {
    let mut starts: BTreeMap<u128, Vec<usize>> = BTreeMap::new();
    let mut cuts = BTreeSet::new();
    for (at, ((low, high), _)) in parts.iter().enumerate() {
        starts.entry(*low).or_default().push(at);
        cuts.insert(*low);
        cuts.extend(high.checked_add(1));
    }
    let mut active: Vec<usize> = Vec::new();
    let mut ranges: Vec<(Span, Stretches)> = Vec::new();
    let mut cuts = cuts.into_iter().peekable();
    while let Some(low) = cuts.next() {
        let high = cuts.peek().map_or(u128::MAX, |next| next - 1);
        let of = |at: usize| parts.get(at);
        active.retain(|at| of(*at).is_some_and(|((_, end), _)| *end >= low));
        active.extend(starts.get(&low).into_iter().flatten());
        let stretches = joined(active.iter().filter_map(|at| of(*at)).map(|(_, stretch)| *stretch).collect());
        if stretches.is_empty() {
            continue;
        }
        match ranges.last_mut() {
            Some(((_, end), known)) if end.checked_add(1) == Some(low) && *known == stretches => *end = high,
            _ => ranges.push(((low, high), stretches)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_what_its_parts_hold(
            parts in prop::collection::vec((0u128..40, 0u128..12, 0i64..30, 0i64..12), 0..8),
            asns in prop::collection::vec((0u32..3, 0i64..30, 0i64..12), 0..4),
            probes in prop::collection::vec((0u128..60, prop::option::of(0u32..4), 0i64..45), 1..60),
        ) {
            let stretch = |from: &i64, length: &i64| Stretch { from: *from, until: from + length };
            let parts: Vec<(Span, Stretch)> = parts.iter()
                .map(|(low, length, from, lasting)| ((*low, low + length), stretch(from, lasting))).collect();
            let asns: Vec<(u32, Stretch)> =
                asns.iter().map(|(asn, from, lasting)| (*asn, stretch(from, lasting))).collect();
            let held = Held::new(parts.clone(), asns.clone());
            let near = AtomicUsize::new(7);
            for (address, asn, time) in probes {
                let by_address = parts.iter()
                    .any(|((low, high), own)| (*low..=*high).contains(&address) && own.holds(time));
                let by_asn = asns.iter().any(|(one, own)| Some(*one) == asn && own.holds(time));
                let found = held.stretch(address, asn, time);
                prop_assert_eq!(found.is_some(), by_address || by_asn);
                prop_assert_eq!(held.stretch_near(address, asn, time, &near), found);
                prop_assert!(found.is_none_or(|found| found.holds(time)));
                let inside = held.addresses().contains_number(address);
                if let Some(sure) = held.sure().filter(|sure| inside && sure.holds(time)) {
                    prop_assert!(by_address, "{sure:?}");
                }
            }
            prop_assert!(held.ranges.windows(2).all(|pair| pair[0].0.1 < pair[1].0.0));
        }
    }

    #[test]
    fn the_last_address_and_the_last_moment_belong_to_what_has_no_end() {
        let held = Held::new([((5, u128::MAX), Stretch::ALWAYS), ((7, 7), Stretch { from: 1, until: 1 })], []);
        assert_eq!(held.stretch(u128::MAX, None, i64::MAX), Some(Stretch::ALWAYS));
        assert_eq!((held.ranges.len(), held.stretch(4, None, 0)), (1, None));
    }
}
