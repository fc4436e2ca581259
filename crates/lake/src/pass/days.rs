//! Sets of days, as the ranges they make up: what presence is told by, whatever the number of looks.
//!
//! At a hundred times the data a set grows with the gaps in it, not with the looks.

use crate::error::LakeError;

/// Microseconds of a day.
const MICROS: i64 = 86_400_000_000;

/// Bytes of a range as it is told.
const RANGE_BYTES: usize = 8;

/// Days since 1970-01-01 in UTC, as ranges that do not touch, ascending, ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days(Vec<(i32, i32)>);

impl Days {
    /// Takes the day of a time; times come in order.
    pub(crate) fn push(&mut self, micros: i64) {
        let day = i32::try_from(micros.div_euclid(MICROS)).unwrap_or(i32::MAX);
        match self.0.last_mut() {
            Some((_, last)) if day <= last.saturating_add(1) => *last = day.max(*last),
            _ => self.0.push((day, day)),
        }
    }

    /// The days that are in either.
    pub(crate) fn union(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.sort_unstable();
        let mut both: Vec<(i32, i32)> = Vec::with_capacity(self.0.len());
        for (first, last) in self.0 {
            match both.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => both.push((first, last)),
            }
        }
        Self(both)
    }

    /// How many days.
    pub(crate) fn count(&self) -> i64 {
        self.0.iter().map(|(first, last)| i64::from(*last) - i64::from(*first) + 1).sum()
    }

    /// How many times presence began, and the most days without a look between two of presence. It ends where more than
    /// `gap_days` lie between, or one of the days `gone`.
    pub(crate) fn intervals(&self, gone: &Self, gap_days: u32) -> (i64, i64) {
        let (mut count, mut longest, mut before) = (0, 0, None::<i32>);
        for (first, last) in &self.0 {
            let without = before.map(|before| i64::from(*first) - i64::from(before) - 1);
            longest = longest.max(without.unwrap_or(0));
            let ended = before.is_some_and(|before| gone.touches(before.saturating_add(1), first.saturating_sub(1)));
            if ended || without.is_none_or(|without| without > i64::from(gap_days)) {
                count += 1;
            }
            before = Some(*last);
        }
        (count, longest)
    }

    /// Whether one of these days is in it, ends included.
    fn touches(&self, first: i32, last: i32) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= last);
        first <= last && after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, end)| first <= *end)
    }

    /// As partial rows hold it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(first, last)| [first.to_be_bytes(), last.to_be_bytes()]).flatten().collect()
    }

    /// Reads what [`Days::to_bytes`] wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LakeError> {
        let (ranges, rest) = bytes.as_chunks::<RANGE_BYTES>();
        let read = |[a, b, c, d, e, f, g, h]: &[u8; RANGE_BYTES]| {
            (i32::from_be_bytes([*a, *b, *c, *d]), i32::from_be_bytes([*e, *f, *g, *h]))
        };
        let days: Vec<_> = ranges.iter().map(read).collect();
        let sound = rest.is_empty() && days.iter().all(|(first, last)| first <= last) && days.is_sorted();
        if sound { Ok(Self(days)) } else { Err(super::row::torn()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn of(days: &BTreeSet<i32>) -> Days {
        let mut all = Days::default();
        days.iter().for_each(|day| all.push(i64::from(*day) * MICROS + 5));
        all
    }

    proptest! {
        #[test]
        fn sets_of_days_are_sets(a: BTreeSet<i8>, b: BTreeSet<i8>) {
            let (a, b): (BTreeSet<i32>, BTreeSet<i32>) =
                (a.into_iter().map(i32::from).collect(), b.into_iter().map(i32::from).collect());
            let both = of(&a).union(of(&b));
            prop_assert_eq!(&both, &of(&a.union(&b).copied().collect()));
            prop_assert_eq!(both.count() as usize, a.union(&b).count());
            prop_assert_eq!(Days::read(&both.to_bytes()).unwrap(), both);
        }

        #[test]
        fn intervals_are_what_a_walk_over_the_days_finds(there: BTreeSet<i8>, gone: BTreeSet<i8>, gap in 0_u32..20) {
            let (there, gone): (BTreeSet<i32>, BTreeSet<i32>) =
                (there.into_iter().map(i32::from).collect(), gone.into_iter().map(i32::from).collect());
            let (mut count, mut last) = (0, None);
            for day in &there {
                let joined = last.is_some_and(|last: i32| {
                    i64::from(day - last - 1) <= i64::from(gap) && gone.range(last + 1..*day).next().is_none()
                });
                count += i64::from(!joined);
                last = Some(*day);
            }
            prop_assert_eq!(of(&there).intervals(&of(&gone), gap).0, count);
        }
    }
}
