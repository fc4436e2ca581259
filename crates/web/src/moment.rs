//! Times, spans, numbers and sizes as people read them.

use hinomi_model::Timestamp;

use crate::words::Words;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
const YEAR_S: u64 = 365 * DAY_S;
const TWO_YEARS_S: u64 = 2 * YEAR_S;

/// A time to the minute, as `2026-11-22 09:30 UTC`.
pub fn minute(time: Timestamp) -> String {
    let text: String = time.to_string().replacen('T', " ", 1).chars().take(16).collect();
    format!("{text} UTC")
}

/// A date, as `2026-11-22`.
pub fn date(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// How far a time is from now, in one unit: "3 days ago", "in 2 hours".
pub fn relative(words: &Words, now: Timestamp, time: Timestamp) -> String {
    let (ahead, distance_s) = if time > now { (true, time.since(now)) } else { (false, now.since(time)) };
    let (unit, number) = unit(distance_s.as_secs());
    words.count(&format!("{}-{unit}", if ahead { "ahead" } else { "ago" }), number)
}

/// A length of time in its greatest unit: "2 hours".
pub fn span(words: &Words, seconds: u64) -> String {
    let (unit, number) = unit(seconds);
    words.count(&format!("span-{unit}"), number)
}

const fn unit(seconds: u64) -> (&'static str, u64) {
    match seconds {
        0..MINUTE_S => ("second", seconds),
        MINUTE_S..HOUR_S => ("minute", seconds / MINUTE_S),
        HOUR_S..DAY_S => ("hour", seconds / HOUR_S),
        // One year in days says more than "1 year".
        DAY_S..TWO_YEARS_S => ("day", seconds / DAY_S),
        _ => ("year", seconds / YEAR_S),
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in bytes, as `12.3 MB` (powers of ten).
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (name, unit) in UNITS {
        if bytes >= unit {
            return format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10));
        }
    }
    format!("{bytes} B")
}

/// What part of a whole something is, in percent, rounded down so that 100 means all.
pub const fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let hundredfold = (part as u128) * 100 / (whole as u128);
    if hundredfold > 100 { 100 } else { hundredfold as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::words::Catalogues;

    #[test]
    fn times_read_as_people_write_them() {
        let words = Catalogues::load().expect("catalogues").words(Language::English);
        let now: Timestamp = "2026-11-22T09:30:12.5Z".parse().expect("a time");
        assert_eq!(minute(now), "2026-11-22 09:30 UTC");
        assert_eq!(date(now), "2026-11-22");
        let earlier = |text: &str| relative(&words, now, text.parse().expect("a time"));
        assert_eq!(earlier("2026-11-22T09:30:11Z"), "1 second ago");
        assert_eq!(earlier("2026-11-20T09:30:12Z"), "2 days ago");
        assert_eq!(earlier("2026-11-22T12:31:00Z"), "in 3 hours");
    }

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(
            (grouped(7), grouped(1_234), grouped(12_345_678)),
            ("7".into(), "1,234".into(), "12,345,678".into())
        );
        assert_eq!((size(999), size(1_500), size(12_345_678)), ("999 B".into(), "1.5 kB".into(), "12.3 MB".into()));
        assert_eq!((percent(999, 1_000), percent(1, 0), percent(5, 4)), (99, 0, 100));
    }
}
