//! Days on which somebody looked, and what stood open on each.

use hinomi_lake::past::days::{Days, OnDay};
use hinomi_model::{ServiceKey, Timestamp};
use serde::Serialize;

use crate::policy::{ReadError, Reader};

/// One day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DayCount {
    /// In days since 1970-01-01.
    pub day: i64,
    /// Services that were looked at that day. At zero nobody looked: what is open is what the last looks found.
    pub looked_at: u64,
    /// Services that count as open at its end: seen open that day, or at the last look before, not long ago.
    pub open: u64,
}

impl Reader {
    /// How each service that may be seen was on each day.
    ///
    /// # Errors
    /// When too many days are asked about, the look cannot be written down, or the lake cannot be read.
    pub fn service_days(
        &self,
        days: Days,
        until: Timestamp,
        each: &mut dyn FnMut(ServiceKey, &[OnDay]),
    ) -> Result<(), ReadError> {
        let may = self.look("days", &format!("{} {}", days.first, days.count))?;
        Ok(self.lake().service_days(days, until, may.as_deref(), each)?)
    }

    /// What stood open on each of these days, and whether anybody looked.
    ///
    /// # Errors
    /// As for [`Self::service_days`].
    pub fn day_counts(&self, days: Days, until: Timestamp) -> Result<Vec<DayCount>, ReadError> {
        let empty = |day: i64| DayCount { day, ..DayCount::default() };
        let mut counts: Vec<DayCount> = (days.first..days.first + i64::from(days.count)).map(empty).collect();
        self.service_days(days, until, &mut |_, told| {
            for (count, was) in counts.iter_mut().zip(told) {
                count.looked_at += u64::from(was.was_looked_at());
                count.open += u64::from(was.is_open());
            }
        })?;
        Ok(counts)
    }
}
