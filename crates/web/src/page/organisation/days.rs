//! What stood open on each of the last days, as a picture: a day on which nobody looked is marked, not drawn.

use std::collections::BTreeMap;

use hinomi_model::Timestamp;
use hinomi_share::Days;
use hinomi_share::report::DayCount;

use crate::chart::days::{Day, draw};
use crate::moment;

/// Days that are drawn.
const COUNT: u32 = 30;
const DAY: i64 = 86_400_000_000;

pub(super) struct DayView {
    pub(super) bar: Day,
    pub(super) date: String,
    pub(super) services: String,
}

/// The days to be asked about.
pub(super) fn asked(now: Timestamp) -> Days {
    let last = now.as_micros().div_euclid(DAY);
    Days { first: last - i64::from(COUNT) + 1, count: COUNT }
}

/// The picture; none when nobody ever looked on these days.
pub(super) fn views(counts: &[DayCount]) -> Vec<DayView> {
    let looked = counts.iter().filter(|one| one.looked_at > 0).map(|one| (one.day, one.open));
    let looked: BTreeMap<i64, u64> = looked.collect();
    let last = counts.last().map_or(0, |one| one.day);
    let view = |bar: Day| DayView {
        date: moment::date(Timestamp::from_micros(bar.day * DAY)),
        services: moment::grouped(looked.get(&bar.day).copied().unwrap_or(0)),
        bar,
    };
    draw(&looked, last).into_iter().map(view).collect()
}

/// The most of a day that is drawn.
pub(super) fn most(counts: &[DayCount]) -> String {
    let looked = counts.iter().filter(|one| one.looked_at > 0);
    moment::grouped(looked.map(|one| one.open).max().unwrap_or(0))
}
