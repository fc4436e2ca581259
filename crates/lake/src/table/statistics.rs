//! What the log says of a file's rows without opening it (Delta Lake protocol, "Per-file statistics").
//!
//! Written for every engine, used here to pass over files. Only whole values are stated: a column whose smallest or
//! largest text is long has no bounds, and of texts only those of [`STATED`] have. At a hundred times the data this is what keeps an address cheap: files are
//! passed
//! over by two comparisons each.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use hinomi_model::Timestamp;
use serde_json::{Map, Value, json};

use super::definition::{Definition, Habit, Kind};
use crate::query::AddressRanges;

/// Longer texts are not stated as bounds.
const MAX_TEXT_BYTES: usize = 64;

/// The columns of text whose bounds are stated. Commits outlive the rows that are erased: what was seen, its names and
/// hashes must not stand there.
const STATED: &[&str] =
    &["address", "transport", "sensor", "campaign", "outcome", "tlp", "purpose", "rules", "dimension"];

/// Other writers cut times to milliseconds; a bound is widened by so much when read.
const CUT_MICROS: i64 = 1_000;

/// What the rows of a file lie between, ends included; the widest where nothing is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Upper halves of addresses.
    pub(crate) high: (i64, i64),
    /// Lower halves of addresses.
    pub(crate) low: (i64, i64),
    /// Times in microseconds.
    pub(crate) time: (i64, i64),
}

impl Extent {
    /// Contains everything.
    pub(crate) const ALL: Self =
        Self { high: (i64::MIN, i64::MAX), low: (i64::MIN, i64::MAX), time: (i64::MIN, i64::MAX) };

    /// Whether a row with this address may be inside.
    pub(crate) const fn may_hold(&self, (high, low): (i64, i64)) -> bool {
        self.high.0 <= high && high <= self.high.1 && self.low.0 <= low && low <= self.low.1
    }

    /// Whether a row with this time may be inside.
    pub(crate) const fn may_hold_time(&self, micros: i64) -> bool {
        self.time.0 <= micros && micros <= self.time.1
    }

    /// Whether a row with one of these addresses may be inside.
    pub(crate) fn may_touch(&self, ranges: &AddressRanges) -> bool {
        let low = if self.high.0 == self.high.1 { (self.low.0, self.low.1) } else { (i64::MIN, i64::MAX) };
        ranges.touches(number_of((self.high.0, low.0)), number_of((self.high.1, low.1)))
    }

    /// The least address that a row inside may have.
    pub(crate) const fn least(&self) -> (i64, i64) {
        (self.high.0, if self.high.0 == self.high.1 { self.low.0 } else { i64::MIN })
    }

    /// Whether any row may be in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: (i64, i64), b: (i64, i64)| a.0 <= b.1 && b.0 <= a.1;
        meet(self.high, other.high) && meet(self.low, other.low) && meet(self.time, other.time)
    }
}

/// The address with these halves, as a number.
pub(crate) fn number_of((high, low): (i64, i64)) -> u128 {
    let plain = |half: i64| u128::from(half.cast_unsigned() ^ (1 << 63));
    (plain(high) << 64) | plain(low)
}

/// Gathers statistics while rows are written.
#[derive(Debug)]
pub(crate) struct Gatherer {
    definition: &'static Definition,
    rows: u64,
    bounds: Vec<Bounds>,
}

#[derive(Clone, Debug, Default)]
struct Bounds {
    nulls: u64,
    least: Option<Bound>,
    most: Option<Bound>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Number(i64),
    Text(String),
}

impl Gatherer {
    /// For rows of this table.
    pub(crate) fn new(definition: &'static Definition) -> Self {
        Self { definition, rows: 0, bounds: vec![Bounds::default(); definition.columns().count()] }
    }

    /// Takes these rows into account.
    pub(crate) fn take(&mut self, batch: &RecordBatch) {
        self.rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        for ((column, bounds), array) in self.definition.columns().zip(&mut self.bounds).zip(batch.columns()) {
            bounds.nulls += u64::try_from(array.null_count()).unwrap_or(u64::MAX);
            if column.habit != Habit::Bulk {
                let (least, most) = range_of(column.kind, array);
                bounds.widen(least, most);
            }
        }
    }

    /// How many rows were taken.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// The text for the log.
    pub(crate) fn finish(self) -> String {
        let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
        for (column, bounds) in self.definition.columns().zip(self.bounds) {
            if matches!(column.kind, Kind::Texts | Kind::Times | Kind::References) {
                continue;
            }
            nulls.insert(column.name.to_owned(), json!(bounds.nulls));
            if column.kind == Kind::Text && !STATED.contains(&column.name) {
                continue;
            }
            let ends = bounds
                .least
                .and_then(|low| state(column.kind, &low))
                .zip(bounds.most.and_then(|high| state(column.kind, &high)));
            if let Some((low, high)) = ends {
                least.insert(column.name.to_owned(), low);
                most.insert(column.name.to_owned(), high);
            }
        }
        json!({ "numRecords": self.rows, "minValues": least, "maxValues": most, "nullCount": nulls }).to_string()
    }
}

impl Bounds {
    fn widen(&mut self, least: Option<Bound>, most: Option<Bound>) {
        if let Some(new) = least {
            self.least = Some(self.least.take().map_or_else(|| new.clone(), |old| old.min(new.clone())));
        }
        if let Some(new) = most {
            self.most = Some(self.most.take().map_or_else(|| new.clone(), |old| old.max(new.clone())));
        }
    }
}

fn range_of(kind: Kind, array: &dyn Array) -> (Option<Bound>, Option<Bound>) {
    match kind {
        Kind::Text => texts(array),
        Kind::Int => numbers(array.as_primitive_opt::<Int32Type>().into_iter().flatten().flatten().map(i64::from)),
        Kind::Long => numbers(array.as_primitive_opt::<Int64Type>().into_iter().flatten().flatten()),
        Kind::Time => numbers(array.as_primitive_opt::<TimestampMicrosecondType>().into_iter().flatten().flatten()),
        Kind::Bool | Kind::Bytes | Kind::Texts | Kind::Times | Kind::References => (None, None),
    }
}

fn numbers(values: impl Iterator<Item = i64>) -> (Option<Bound>, Option<Bound>) {
    let ends = values.fold(None, |ends: Option<(i64, i64)>, value| {
        ends.map_or(Some((value, value)), |(least, most)| Some((least.min(value), most.max(value))))
    });
    (ends.map(|(least, _)| Bound::Number(least)), ends.map(|(_, most)| Bound::Number(most)))
}

fn texts(array: &dyn Array) -> (Option<Bound>, Option<Bound>) {
    let values = || array.as_string_opt::<i32>().into_iter().flatten().flatten();
    let own = |text: &str| Bound::Text(text.to_owned());
    (values().min().map(own), values().max().map(own))
}

/// A bound as the log writes it; none for what is too long to state whole.
fn state(kind: Kind, bound: &Bound) -> Option<Value> {
    match bound {
        Bound::Number(micros) if kind == Kind::Time => {
            let text = hinomi_model::Timestamp::from_micros(*micros).to_utc();
            // Years outside 0 to 9999 cannot be written; appends refuse them, but a bound is no place to fail.
            (0..=9999).contains(&text.year()).then(|| json!(Timestamp::from_micros(*micros).to_string()))
        }
        Bound::Number(number) => Some(json!(number)),
        Bound::Text(text) => (text.len() <= MAX_TEXT_BYTES).then(|| json!(text)),
    }
}

/// Reads rows and extent out of a file's statistics. What is absent or strange bounds nothing.
pub(crate) fn parse(text: Option<&str>) -> (u64, Extent) {
    let Some(stats) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return (0, Extent::ALL) };
    let rows = stats.get("numRecords").and_then(Value::as_u64).unwrap_or(0);
    let end = |side: &str, column: &str| stats.get(side).and_then(|values| values.get(column)).cloned();
    let number = |side: &str, column: &str| end(side, column).as_ref().and_then(Value::as_i64);
    let moment = |side: &str, column: &str| {
        let text = end(side, column)?;
        text.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_micros)
    };
    let half = |column: &str| {
        let (least, most) = (number("minValues", column), number("maxValues", column));
        least.zip(most).unwrap_or((i64::MIN, i64::MAX))
    };
    // A run of observations begins at `time` and lasts to `until`, where it has more than one.
    let latest =
        moment("maxValues", "time").map(|begun| moment("maxValues", "until").map_or(begun, |until| until.max(begun)));
    let times = moment("minValues", "time").zip(latest);
    let times = times.map_or((i64::MIN, i64::MAX), |(least, most)| {
        (least.saturating_sub(CUT_MICROS), most.saturating_add(CUT_MICROS))
    });
    (rows, Extent { high: half("address_high"), low: half("address_low"), time: times })
}
