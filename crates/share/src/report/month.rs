//! A month of a report.

use std::fmt;
use std::str::FromStr;

use hinomi_model::Timestamp;
use hinomi_state::contacts::Language;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// English names.
const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    /// From 1.
    month: u8,
}

/// A text that names no month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no month; write it as 2026-10")]
pub struct NoMonth {
    text: String,
}

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let read = || {
            let (year, month) = text.split_once('-').filter(|(year, month)| (year.len(), month.len()) == (4, 2))?;
            let digits = year.bytes().chain(month.bytes()).all(|byte| byte.is_ascii_digit());
            let (year, month): (u16, u8) = (year.parse().ok()?, month.parse().ok()?);
            (digits && (1..=12).contains(&month) && year >= 1970).then_some(Self { year, month })
        };
        read().ok_or_else(|| NoMonth { text: text.chars().take(20).collect() })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl Month {
    /// The one in which a moment lies.
    pub fn of(time: Timestamp) -> Self {
        let text = time.to_string();
        text.get(..7).and_then(|month| month.parse().ok()).unwrap_or(Self { year: 1970, month: 1 })
    }

    /// The one before.
    #[must_use]
    pub const fn before(self) -> Self {
        match self.month {
            1 => Self { year: self.year.saturating_sub(1), month: 12 },
            _ => Self { month: self.month - 1, ..self },
        }
    }

    /// The one after.
    #[must_use]
    pub const fn after(self) -> Self {
        match self.month {
            12 => Self { year: self.year.saturating_add(1), month: 1 },
            _ => Self { month: self.month + 1, ..self },
        }
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        format!("{self}-01").parse().unwrap_or_default()
    }

    /// The first moment after it.
    pub fn end(self) -> Timestamp {
        self.after().start()
    }

    /// Its first day since 1970-01-01.
    pub fn first_day(self) -> i64 {
        self.start().as_micros().div_euclid(DAY)
    }

    /// How many days it has.
    pub fn days(self) -> u32 {
        u32::try_from(self.after().first_day() - self.first_day()).unwrap_or(0)
    }

    /// As people say it.
    pub fn name(self, language: Language) -> String {
        let name = NAMES.get(usize::from(self.month) - 1).copied().unwrap_or_default();
        match language {
            Language::Ja => format!("{}年{}月", self.year, self.month),
            Language::En => format!("{name} {}", self.year),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other() {
        let month: Month = "2027-12".parse().expect("a month");
        assert_eq!((month.after().to_string(), month.before().to_string()), ("2028-01".into(), "2027-11".into()));
        let days = |text: &str| text.parse::<Month>().map(Month::days);
        assert_eq!((days("2028-02"), days("2026-02"), days("2026-10")), (Ok(29), Ok(28), Ok(31)));
        assert_eq!(month.start().to_string().get(..10), Some("2027-12-01"));
        assert_eq!((month.name(Language::Ja), month.name(Language::En)), ("2027年12月".into(), "December 2027".into()));
        assert_eq!(Month::of("2026-10-31T23:59:59Z".parse().expect("a time")).to_string(), "2026-10");
        for wrong in
            ["", "2026", "2026-13", "2026-00", "26-10", "2026-1", "2026-10-01", "+026-10", "1969-12", "２０２６-10"]
        {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }
}
