//! What times as people write them mean at a moment.

use hinomi_model::Timestamp;

use crate::query::{Moment, Range, Unit};

/// Microseconds from `low` to `high`, both included; nothing when `low` is above `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Span {
    pub(crate) fn contains(self, time: i64) -> bool {
        (self.low..=self.high).contains(&time)
    }

    pub(super) fn not_empty(self) -> Option<Self> {
        (self.low <= self.high).then_some(self)
    }
}

/// The times a range speaks of. With `ages`, a span of time counts back from now and less is later; without, it counts
/// forward. A day is the whole of it.
pub(crate) fn span(range: &Range<Moment>, ages: bool, now: Timestamp) -> Span {
    let ends = |moment: &Moment| ends(*moment, ages, now);
    // An age runs the other way: less than seven days old is later than seven days ago.
    let turned = |moment: &Moment| ages && matches!(moment, Moment::Away(..));
    let later = |moment| Span { low: ends(moment).1.saturating_add(1), high: i64::MAX };
    let earlier = |moment| Span { low: i64::MIN, high: ends(moment).0.saturating_sub(1) };
    let from = |moment| Span { low: ends(moment).0, high: i64::MAX };
    let until = |moment| Span { low: i64::MIN, high: ends(moment).1 };
    match range {
        Range::Less(moment) if turned(moment) => later(moment),
        Range::More(moment) if turned(moment) => earlier(moment),
        Range::AtMost(moment) if turned(moment) => from(moment),
        Range::AtLeast(moment) if turned(moment) => until(moment),
        Range::Less(moment) => earlier(moment),
        Range::More(moment) => later(moment),
        Range::AtMost(moment) => until(moment),
        Range::AtLeast(moment) => from(moment),
        Range::Between(low, high) if turned(low) && turned(high) => Span { low: ends(high).0, high: ends(low).1 },
        Range::Between(low, high) => Span { low: ends(low).0, high: ends(high).1 },
        Range::Is(moment) => Span { low: ends(moment).0, high: ends(moment).1 },
    }
}

/// First and last microsecond of a moment.
fn ends(moment: Moment, ages: bool, now: Timestamp) -> (i64, i64) {
    match moment {
        Moment::Date(day) => (day.as_micros(), day.as_micros().saturating_add(Unit::Day.as_micros() - 1)),
        Moment::Time(time) => (time.as_micros(), time.as_micros()),
        Moment::Away(amount, unit) => {
            let distance = i64::from(amount).saturating_mul(unit.as_micros());
            let at =
                if ages { now.as_micros().saturating_sub(distance) } else { now.as_micros().saturating_add(distance) };
            (at, at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Node, Test, parse};

    /// Whether a time fits a clause, now being noon of 2026-11-22.
    fn fits(clause: &str, time: &str) -> bool {
        let now = "2026-11-22T12:00:00Z".parse().expect("now");
        let filter = parse(clause).expect(clause).filter;
        let Some(Node::Clause(clause)) = filter else { panic!("one clause") };
        let ages = clause.field.info().class == crate::query::Class::Age;
        let time: Timestamp = time.parse().expect("a time");
        clause.tests.iter().any(|test| match test {
            Test::Time(range) => span(range, ages, now).contains(time.as_micros()),
            _ => false,
        })
    }

    #[test]
    fn ages_count_back_and_expiry_counts_forward() {
        for clause in ["seen:<1d", "seen:<=1d", "seen:1d", "seen:0d..2d", "seen:>=2026-11-21", "seen:2026-11-22"] {
            assert!(fits(clause, "2026-11-22T11:00:00Z"), "{clause}");
        }
        for clause in ["seen:>1d", "seen:<30min", "seen:>2026-11-22", "seen:<2026-11-22", "seen:2026-11-21"] {
            assert!(!fits(clause, "2026-11-22T11:00:00Z"), "{clause}");
        }
        assert!(fits("cert.expires:<30d", "2026-12-01") && fits("cert.expires:<30d", "2020-01-01"));
        assert!(
            !fits("cert.expires:0d..30d", "2026-11-22T11:59:59Z") && fits("cert.expires:<0d", "2026-11-22T11:59:59Z")
        );
        assert!(fits("cert.expires:-30d..0d", "2026-11-01") && !fits("cert.expires:>1y", "2027-11-22T12:00:00Z"));
        assert!(fits("seen:>2026-11-22T10:59:59Z", "2026-11-22T11:00:00Z"));
    }
}
