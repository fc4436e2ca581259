//! What of each service was there on each day, and whether anybody looked.
//!
//! At a hundred times the data: one pass over the addresses that may be seen; memory is that of [`super`] with a byte for
//! each day and service.

use std::collections::BTreeMap;
use std::sync::Arc;

use hinomi_model::{Outcome, ServiceKey, Timestamp};

use super::{FRESH, Settle, each_service};
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::looks::{Looks, OneLook};

/// The most days of one question: a year and a month.
pub const MAX_DAYS: u32 = 400;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// How a service was on a day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDay {
    /// Nobody had seen it yet.
    NotYet,
    /// The last look of that day found it open.
    SeenOpen,
    /// The last look of that day found nothing, or something that only pretends.
    SeenClosed,
    /// Nobody looked that day; the last look before, not long ago, found it open.
    StandsOpen,
    /// Nobody looked that day; the last look before found nothing.
    StandsClosed,
    /// Nobody has looked for so long that nothing is known.
    Unknown,
}

impl OnDay {
    /// Whether somebody looked that day.
    pub const fn was_looked_at(self) -> bool {
        matches!(self, Self::SeenOpen | Self::SeenClosed)
    }

    /// Whether it counts as open.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::SeenOpen | Self::StandsOpen)
    }
}

/// Which days are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first, in days since 1970-01-01.
    pub first: i64,
    /// How many, at most [`MAX_DAYS`].
    pub count: u32,
}

/// The last look of each day at a service, by day since 1970-01-01: when, and whether it was open.
#[derive(Default)]
struct Seen(BTreeMap<i64, (Timestamp, bool)>);

impl Settle for Seen {
    fn settle(&mut self) {}
}

impl Seen {
    /// Takes looks in time. Of what was before the first day only the last is needed.
    fn take(&mut self, look: &OneLook, days: Days) {
        let day = look.time.as_micros().div_euclid(DAY);
        if day >= days.first + i64::from(days.count) {
            return;
        }
        if day < days.first {
            self.0.clear();
        }
        let is_open = !matches!(look.run.first.outcome, Outcome::Closed | Outcome::Pseudo);
        self.0.insert(day, (look.time, is_open));
    }

    fn told(&self, days: Days, until: Timestamp) -> Vec<OnDay> {
        let mut last = self.0.range(..days.first).next_back().map(|(_, look)| *look);
        let one = |day: i64| {
            if let Some(look) = self.0.get(&day) {
                last = Some(*look);
                return if look.1 { OnDay::SeenOpen } else { OnDay::SeenClosed };
            }
            let end = Timestamp::from_micros((day + 1).saturating_mul(DAY)).min(until);
            match last {
                None => OnDay::NotYet,
                Some((_, false)) => OnDay::StandsClosed,
                Some((time, true)) if end.since(time) <= FRESH => OnDay::StandsOpen,
                Some(_) => OnDay::Unknown,
            }
        };
        (days.first..days.first + i64::from(days.count)).map(one).collect()
    }
}

impl Lake {
    /// Hands out how each service that was ever seen was on each of these days, by address and port.
    ///
    /// # Errors
    /// When too many days are asked about, or tables cannot be read.
    pub fn service_days(
        &self,
        days: Days,
        until: Timestamp,
        may: Option<&Entitlement>,
        each: &mut dyn FnMut(ServiceKey, &[OnDay]),
    ) -> Result<(), LakeError> {
        if days.count > MAX_DAYS {
            return Err(LakeError::Unfit { detail: format!("{MAX_DAYS} days are the most of one question") });
        }
        self.see_others()?;
        let ranges = may.and_then(Entitlement::ranges).map(Arc::new);
        let looks = self.visible(Looks::new(&self.sightings, &self.sightings.files(|_| true), ranges), may)?;
        let take = |seen: &mut Seen, look: &OneLook| seen.take(look, days);
        each_service(looks, take, &mut |batch: &[(ServiceKey, Seen)]| {
            for (key, seen) in batch.iter().filter(|(_, seen)| seen.0.values().any(|(_, open)| *open)) {
                each(*key, &seen.told(days, until));
            }
            Ok(true)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_a_look_is_told_as_such() {
        let at = |day: i64| Timestamp::from_micros(day * DAY + 5);
        let seen = Seen(BTreeMap::from([(8, (at(8), true)), (11, (at(11), false)), (13, (at(13), true))]));
        let days = Days { first: 7, count: 40 };
        let told = seen.told(days, at(100));
        let expected = [
            OnDay::NotYet,
            OnDay::SeenOpen,
            OnDay::StandsOpen,
            OnDay::StandsOpen,
            OnDay::SeenClosed,
            OnDay::StandsClosed,
            OnDay::SeenOpen,
            OnDay::StandsOpen,
        ];
        assert_eq!(told[..8], expected);
        assert_eq!((told.len(), told[39]), (40, OnDay::Unknown), "33 days after the last look");
        assert_eq!(seen.told(Days { first: 9, count: 1 }, at(9)), [OnDay::StandsOpen], "looked at before");
    }
}
