//! Services at the end of each day, as bars. A day that was not looked at has no bar but a mark: it is not zero.

use std::collections::BTreeMap;

/// Width of the drawing.
pub const WIDTH: u32 = 760;
/// Its height.
pub const HEIGHT: u32 = 150;
const LEFT: u32 = 6;
const LENGTH: u32 = 748;
const TOP: u32 = 22;
const BASE: u32 = 138;

/// The most days drawn: the newest.
pub const MAX_DAYS: i64 = 60;

/// A bar is never wider than if so many days were drawn: the first day is no block.
const MIN_DAYS: u32 = 14;

/// One day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Which, in days since 1970-01-01.
    pub day: i64,
    /// Left edge.
    pub x: u32,
    /// Width.
    pub width: u32,
    /// Upper edge; none of a day that was not looked at.
    pub top: Option<u32>,
    /// Height; at least 1 where there is a top.
    pub height: u32,
}

/// Every day from the first that is known, or the [`MAX_DAYS`] newest, to `last`.
pub fn draw(services: &BTreeMap<i64, u64>, last: i64) -> Vec<Day> {
    let Some(first) = services.keys().next().map(|first| (*first).max(last - MAX_DAYS + 1)) else { return Vec::new() };
    let most = services.range(first..=last).map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let days = u32::try_from((last - first + 1).clamp(0, MAX_DAYS)).unwrap_or(0);
    let edge = |number: u32| LEFT + LENGTH * number / days.max(MIN_DAYS);
    let one = |(number, day): (u32, i64)| {
        let tall = |count: &u64| u32::try_from(u64::from(BASE - TOP) * count / most).unwrap_or(0).max(1);
        let height = services.get(&day).map_or(0, tall);
        let top = services.get(&day).map(|_| BASE - height);
        Day { day, x: edge(number), width: (edge(number + 1) - edge(number)).saturating_sub(2).max(1), top, height }
    };
    (0..days).zip(first..=last).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_was_not_looked_at_is_no_zero() {
        let days = draw(&BTreeMap::from([(10, 4), (12, 0), (13, 2)]), 14);
        let tops: Vec<_> = days.iter().map(|day| (day.day, day.top.is_some())).collect();
        assert_eq!(tops, [(10, true), (11, false), (12, true), (13, true), (14, false)]);
        assert_eq!((days[0].top, days[0].height), (Some(TOP), BASE - TOP));
        assert_eq!((days[2].height, days[3].height), (1, (BASE - TOP) / 2));
        assert!(days.iter().all(|day| day.x >= LEFT && day.x + day.width <= LEFT + LENGTH));
        assert_eq!(draw(&BTreeMap::new(), 5), []);
        assert_eq!(draw(&BTreeMap::from([(7, 3)]), 7).iter().map(|day| day.width).collect::<Vec<_>>(), [51]);
    }

    #[test]
    fn only_the_newest_days_are_drawn() {
        let days = draw(&(0..1_000).map(|day| (day, u64::MAX / 1_000)).collect(), 999);
        assert_eq!((days.len(), days[0].day, days[59].day), (60, 940, 999));
    }
}
