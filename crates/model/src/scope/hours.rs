//! Permitted hours of the day, written `09:00-17:30 +09:00`; several are separated by commas, all share one offset.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

const DAY_MINUTES: i64 = 24 * 60;

/// Windows of the day in minutes after local midnight, and the local offset from UTC in minutes.
/// A window whose end is before its start spans midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    windows: Vec<(i64, i64)>,
    offset_minutes: i64,
}

/// A text that names no hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not hours of the day, as \"always\" or \"22:00-06:00 +09:00\"")]
pub struct HoursError {
    /// What was given.
    pub text: String,
}

impl Hours {
    /// Every hour of every day.
    pub fn always() -> Self {
        Self { windows: vec![(0, DAY_MINUTES)], offset_minutes: 0 }
    }

    /// Whether the time falls into a window. The start belongs to it, the end does not.
    pub fn contains(&self, time: Timestamp) -> bool {
        let minutes = time.as_micros().div_euclid(60_000_000) + self.offset_minutes;
        self.holds(minutes.rem_euclid(DAY_MINUTES))
    }

    /// How many minutes of a day they are.
    pub fn minutes_a_day(&self) -> u32 {
        u32::try_from((0..DAY_MINUTES).filter(|minute| self.holds(*minute)).count()).unwrap_or(0)
    }

    /// Whether this minute after local midnight falls into a window.
    fn holds(&self, minute: i64) -> bool {
        self.windows.iter().any(|(start, end)| match start <= end {
            true => (*start..*end).contains(&minute),
            false => minute >= *start || minute < *end,
        })
    }
}

fn read_clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    ((0..60).contains(&minutes) && (0..=DAY_MINUTES).contains(&total) && hours >= 0).then_some(total)
}

fn read_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    read_clock(rest).filter(|minutes| *minutes <= 14 * 60).map(|minutes| sign * minutes)
}

fn read(text: &str) -> Option<Hours> {
    let text = text.trim();
    if text == "always" {
        return Some(Hours::always());
    }
    let (windows, offset) = match text.rsplit_once(' ') {
        Some((windows, offset)) if offset.starts_with(['+', '-']) => (windows, read_offset(offset)?),
        _ => (text, 0),
    };
    let read_window = |part: &str| {
        let (start, end) = part.split_once('-')?;
        let window = (read_clock(start)?, read_clock(end)?);
        (window.0 != window.1 && window.0 < DAY_MINUTES).then_some(window)
    };
    let windows = windows.split(',').map(read_window).collect::<Option<Vec<_>>>()?;
    Some(Hours { windows, offset_minutes: offset })
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        read(text).ok_or_else(|| HoursError { text: text.chars().take(64).collect() })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::always() {
            return f.write_str("always");
        }
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let windows: Vec<_> = self.windows.iter().map(|(a, b)| format!("{}-{}", clock(*a), clock(*b))).collect();
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        write!(f, "{} {sign}{}", windows.join(","), clock(self.offset_minutes.abs()))
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
