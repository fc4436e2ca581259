//! Times of day at which nobody wants to be told.

use hinomi_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// How far local time can be from UTC, in minutes.
const MAX_OFFSET_MINUTES: i16 = 14 * 60;

/// A time of day at which nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// From this minute of the local day on.
    pub from: u16,
    /// Before this one; an earlier one is of the next day.
    pub until: u16,
    /// Local time less UTC, in minutes: 540 in Japan.
    pub offset_minutes: i16,
}

impl Quiet {
    /// Whether it is one.
    pub(super) fn is_fit(self) -> bool {
        let inside = self.from < DAY_MINUTES && self.until < DAY_MINUTES && self.from != self.until;
        inside && self.offset_minutes.abs() <= MAX_OFFSET_MINUTES
    }

    /// Whether it is quiet now.
    pub fn is_at(&self, now: Timestamp) -> bool {
        let minutes = now.as_micros().div_euclid(60_000_000) + i64::from(self.offset_minutes);
        let minute = u16::try_from(minutes.rem_euclid(i64::from(DAY_MINUTES))).unwrap_or(0);
        match self.from <= self.until {
            true => (self.from..self.until).contains(&minute),
            false => minute >= self.from || minute < self.until,
        }
    }
}
