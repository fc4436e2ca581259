//! In which hours of the week something was seen: 168 bits.

use hinomi_model::Timestamp;

use super::Merge;
use crate::node::portable::portable;

/// Hours of a week.
pub const HOURS: u32 = 168;
const MICROS_AN_HOUR: i64 = 3_600_000_000;
/// 1970-01-01 was a Thursday: three days after a Monday.
const EPOCH_OFFSET_HOURS: i64 = 72;

/// A set of hours of the week, from Monday 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HourMap {
    bits: [u64; 3],
}

impl HourMap {
    /// Marks the hour of this moment.
    pub fn mark(&mut self, moment: Timestamp) {
        let hour = moment.as_micros().div_euclid(MICROS_AN_HOUR).saturating_add(EPOCH_OFFSET_HOURS);
        let place = u32::try_from(hour.rem_euclid(i64::from(HOURS))).unwrap_or(0);
        if let Some(word) = self.bits.get_mut((place / 64) as usize) {
            *word |= 1 << (place % 64);
        }
    }

    /// Whether this hour of the week (0 to 167) was marked.
    pub fn is_marked(&self, hour: u32) -> bool {
        self.bits.get((hour / 64) as usize).is_some_and(|word| word >> (hour % 64) & 1 == 1)
    }

    /// How many hours of the week were marked.
    pub fn count(&self) -> u32 {
        self.bits.iter().map(|word| word.count_ones()).sum()
    }

    /// How many hours of the day (0 to 23) were marked on any day: 24 is what knows no night.
    pub fn hours_of_day(&self) -> u32 {
        let on_any_day = |hour: &u32| (0..7).any(|day| self.is_marked(day * 24 + hour));
        u32::try_from((0..24).filter(on_any_day).count()).unwrap_or(24)
    }
}

portable!(HourMap { bits });

impl Merge for HourMap {
    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.bits.iter_mut().zip(other.bits) {
            *mine |= theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(moments: &[i64]) -> HourMap {
        let mut map = HourMap::default();
        for micros in moments {
            map.mark(Timestamp::from_micros(*micros));
        }
        map
    }

    #[test]
    fn hours_are_those_of_the_calendar() {
        let mut map = HourMap::default();
        map.mark("2026-11-23T00:30:00Z".parse().expect("a Monday"));
        map.mark("2026-11-29T23:59:59Z".parse().expect("a Sunday"));
        assert!(map.is_marked(0) && map.is_marked(167));
        assert_eq!((map.count(), map.hours_of_day()), (2, 2));
        assert!(!map.is_marked(9_999));
    }

    proptest! {
        #[test]
        fn merging_is_the_union(a in any::<[i64; 6]>(), b in any::<[i64; 6]>(), c in any::<[i64; 6]>()) {
            let whole = of(&[a, b, c].concat());
            let (mut left, mut right) = (of(&a), of(&c));
            left.merge(&of(&b));
            left.merge(&of(&c));
            right.merge(&of(&b));
            right.merge(&of(&a));
            right.merge(&of(&a));
            prop_assert_eq!(left, whole);
            prop_assert_eq!(right, whole);
        }
    }
}
