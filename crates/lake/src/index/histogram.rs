//! Matches by time or by number: how many in each hour, day, week, month or span of numbers.
//!
//! Times are UTC; weeks begin on Monday. Between the first and the last column none is left out. More than
//! [`MAX_BUCKETS`] columns are refused with the step that would do.

use std::collections::BTreeMap;

use hinomi_model::Timestamp;
use tantivy::columnar::Column;
use tantivy::{SegmentReader, i64_to_u64, u64_to_i64};

use super::block::{Block, each_value};
use super::facet::Tally;
use super::mix::ByNumber;
use super::schema::column;
use super::segment::Life;
use crate::query::{Field, QueryError};
use crate::search::{Bucket, MAX_BUCKETS, Step};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// The first day of all was a Thursday.
const MONDAY: i64 = 3;

/// Counts of one field in a part of a segment.
pub(super) struct Histogram {
    source: Source,
    /// Width of what is counted: hours of hours, days of all longer steps, the width of numbers.
    grain: i64,
    tally: Tally,
}

enum Source {
    Seen,
    First,
    Signed(Column<u64>),
    Unsigned(Column<u64>),
}

/// What to count, and how wide the columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columned {
    pub(super) field: Field,
    pub(super) step: Step,
}

impl Histogram {
    pub(super) fn open(reader: &SegmentReader, asked: Columned) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let source = match asked.field {
            Field::Seen => Source::Seen,
            Field::First => Source::First,
            Field::CertExpires => Source::Signed(fast.i64(column::EXPIRES)?.to_u64_monotonic()),
            Field::Port => Source::Unsigned(fast.u64(column::PORT)?),
            Field::As => Source::Unsigned(fast.u64(column::ASN)?),
            _ => Source::Unsigned(fast.u64(column::CONFIDENCE)?),
        };
        let grain = match asked.step {
            Step::Hour => HOUR,
            Step::Width(width) => i64::from(width.max(1)),
            _ => DAY,
        };
        Ok(Self { source, grain, tally: Tally::default() })
    }

    pub(super) fn count(&mut self, docs: &Block, life: &Life) {
        let Self { source, grain, tally } = self;
        let mut put = |value: i64| tally.count(i64_to_u64(value.div_euclid(*grain)));
        match source {
            Source::Seen => docs.iter().filter_map(|doc| life.last_seen(*doc)).for_each(put),
            Source::First => docs.iter().filter_map(|doc| life.seen(*doc).first).for_each(put),
            Source::Signed(column) => each_value(column, docs, |_, value| put(u64_to_i64(value))),
            Source::Unsigned(column) => {
                each_value(column, docs, |_, value| put(i64::try_from(value).unwrap_or(i64::MAX)));
            }
        }
    }

    /// Adds another part of the same segment.
    pub(super) fn join(&mut self, other: Self) {
        self.tally.join(other.tally);
    }

    /// Counts by grain.
    pub(super) fn finish(self) -> ByNumber<u64> {
        self.tally.finish()
    }
}

impl Columned {
    /// The columns, from counts by grain.
    pub(super) fn buckets(self, counts: &ByNumber<u64>) -> Result<Vec<Bucket>, QueryError> {
        let mut columns: BTreeMap<i64, u64> = BTreeMap::new();
        for (grain, count) in counts {
            *columns.entry(self.start(u64_to_i64(*grain))).or_default() += count;
        }
        let (Some(first), Some(last)) = (columns.keys().next(), columns.keys().next_back()) else {
            return Ok(Vec::new());
        };
        let (first, last) = (*first, *last);
        let mut all = Vec::new();
        let mut at = first;
        while at <= last {
            if all.len() == MAX_BUCKETS {
                return Err(self.too_many());
            }
            all.push(Bucket { from: self.text(at), count: columns.get(&at).copied().unwrap_or(0) });
            at = self.next(at);
        }
        Ok(all)
    }

    /// Where the column of a grain starts.
    fn start(self, grain: i64) -> i64 {
        match self.step {
            Step::Hour => grain.saturating_mul(HOUR),
            Step::Day => grain.saturating_mul(DAY),
            Step::Week => ((grain + MONDAY).div_euclid(7) * 7 - MONDAY).saturating_mul(DAY),
            Step::Month => month_of(grain.saturating_mul(DAY)),
            Step::Width(width) => grain.saturating_mul(i64::from(width)),
        }
    }

    fn next(self, start: i64) -> i64 {
        match self.step {
            Step::Hour => start.saturating_add(HOUR),
            Step::Day => start.saturating_add(DAY),
            Step::Week => start.saturating_add(7 * DAY),
            // Whatever the month, this is within the next one.
            Step::Month => month_of(start.saturating_add(32 * DAY)).max(start.saturating_add(1)),
            Step::Width(width) => start.saturating_add(i64::from(width.max(1))),
        }
    }

    fn text(self, start: i64) -> String {
        match self.step {
            Step::Width(_) => start.to_string(),
            _ => Timestamp::from_micros(start).to_string(),
        }
    }

    fn too_many(self) -> QueryError {
        let (name, step) = (self.field.name(), self.step);
        let message = format!(
            "{name} by {step} would have more than {MAX_BUCKETS} columns; take a longer step, or narrow the query"
        );
        let ja = format!(
            "{name} の {step} ごとの集計は {MAX_BUCKETS} 列を超えます。刻みを大きくするか、範囲を狭めてください"
        );
        QueryError::new(0, 0, message).ja(ja)
    }
}

/// The first moment of a time's month.
fn month_of(micros: i64) -> i64 {
    let text = Timestamp::from_micros(micros).to_string();
    let first = text.get(..7).map(|month| format!("{month}-01"));
    first.and_then(|day| day.parse::<Timestamp>().ok()).map_or(micros, Timestamp::as_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(step: Step, times: &[&str]) -> Vec<(String, u64)> {
        let mut tally = Tally::default();
        let grain = if step == Step::Hour { HOUR } else { DAY };
        for time in times {
            let time: Timestamp = time.parse().expect("a time");
            tally.count(i64_to_u64(time.as_micros().div_euclid(grain)));
        }
        let asked = Columned { field: Field::Seen, step };
        let short = |bucket: Bucket| (bucket.from[..13].to_owned(), bucket.count);
        asked.buckets(&tally.finish()).expect("columns").into_iter().map(short).collect()
    }

    #[test]
    fn columns_begin_where_calendars_do_and_none_is_left_out() {
        let times =
            ["2026-11-22T23:59:59Z", "2026-11-22T01:00:00Z", "2026-12-01", "2027-01-31", "1969-12-31T23:00:00Z"];
        let short = |step, times: &[&str]| {
            columns(step, times).into_iter().map(|(from, count)| format!("{from} {count}")).collect::<Vec<_>>()
        };
        let some = times.get(..2).expect("two");
        assert_eq!(short(Step::Day, some), ["2026-11-22T00 2"]);
        assert_eq!(short(Step::Week, some), ["2026-11-16T00 2"], "the Monday before that Sunday");
        let months = times.get(..4).expect("four");
        assert_eq!(short(Step::Month, months), ["2026-11-01T00 2", "2026-12-01T00 1", "2027-01-01T00 1"]);
        assert_eq!(columns(Step::Hour, some).len(), 23);
        assert_eq!(short(Step::Month, &times).len(), 686);
        let before = times.get(4..).expect("one");
        assert_eq!(short(Step::Week, before), ["1969-12-29T00 1"]);
    }

    #[test]
    fn too_many_columns_are_refused() {
        let mut counts = ByNumber::default();
        counts.insert(i64_to_u64(0), 1);
        counts.insert(i64_to_u64(MAX_BUCKETS as i64), 1);
        let asked = Columned { field: Field::Port, step: Step::Width(1) };
        assert!(asked.buckets(&counts).expect_err("too many").to_string().contains("port by 1"));
    }
}
