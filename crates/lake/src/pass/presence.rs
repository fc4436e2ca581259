//! The pass `presence`: of each service, when it was there.
//!
//! A service is an address, a port and a transport. It is there on days on which it answered; presence ends where it was
//! found closed on a day between, or where nobody saw it for more than [`super::GAP_DAYS`] days. A look that found
//! something that only pretends is counted and is no presence. Not to have looked is never told as gone: the longest
//! time without a look is told beside.
//!
//! At a hundred times the data: memory of a service is its ranges of days; rows follow services.

use hinomi_model::Outcome;
use hinomi_model::address::{from_u128, to_u128};

use super::days::Days;
use super::output::Shown;
use super::row::{self, Cell, KEY, Row, torn};
use super::{Emit, Pass, Share, Source};
use crate::error::LakeError;
use crate::looks::{Looks, OneLook};
use crate::query::AddressRanges;
use crate::sightings::halves;
use crate::table::definition::{Column, Definition, Habit, Kind};

static PARTIAL: Definition = Definition {
    name: "presence",
    description: "Partial rows of the pass presence.",
    columns: &[&[
        Column::new(KEY, Kind::Bytes),
        Column::new("first", Kind::Long),
        Column::new("last", Kind::Long),
        Column::new("last_closed", Kind::Long),
        Column::new("answered", Kind::Long),
        Column::new("closed", Kind::Long),
        Column::new("pretended", Kind::Long),
        Column::new("there", Kind::Bytes),
        Column::new("gone", Kind::Bytes),
    ]],
    sorted_by: &[KEY],
    format: 1,
};

static RESULT: Definition = Definition {
    name: "presence",
    description: "Of each service when it was there: days, intervals, gaps. The result of the pass presence.",
    columns: &[&[
        Column::new("address", Kind::Text).habit(Habit::Repeats),
        Column::new("address_high", Kind::Long),
        Column::new("address_low", Kind::Long),
        Column::new("port", Kind::Int),
        Column::new("transport", Kind::Text),
        Column::new("first_seen", Kind::Time).optional(),
        Column::new("last_seen", Kind::Time).optional(),
        Column::new("last_closed", Kind::Time).optional(),
        Column::new("answered", Kind::Long),
        Column::new("closed", Kind::Long),
        Column::new("pretended", Kind::Long),
        Column::new("days", Kind::Long),
        Column::new("intervals", Kind::Long),
        Column::new("longest_gap_days", Kind::Long),
    ]],
    sorted_by: &["address_high", "address_low", "port", "transport"],
    format: 1,
};

const FIRST: usize = 0;
const LAST: usize = 1;
const LAST_CLOSED: usize = 2;
const COUNTS: [usize; 3] = [3, 4, 5];
const THERE: usize = 6;
const GONE: usize = 7;

/// The pass.
pub(super) struct Presence {
    /// Days without a look after which presence begins anew.
    pub(super) gap_days: u32,
}

impl Pass for Presence {
    fn version(&self) -> u32 {
        1
    }

    fn partial(&self) -> &'static Definition {
        &PARTIAL
    }

    fn map(&self, share: &Share, source: &Source<'_>, emit: &mut Emit<'_>) -> Result<(), LakeError> {
        let mut open: Vec<(Vec<u8>, Seen)> = Vec::new();
        each_look(share, source, &mut |look, new_place| {
            if new_place {
                open.drain(..).try_for_each(|(key, seen)| emit(seen.row(key)))?;
            }
            let key = key_of(look);
            match open.iter_mut().find(|(known, _)| *known == key) {
                Some((_, seen)) => seen.take(look),
                None => {
                    let mut seen = Seen::default();
                    seen.take(look);
                    open.push((key, seen));
                }
            }
            Ok(())
        })?;
        open.into_iter().try_for_each(|(key, seen)| emit(seen.row(key)))
    }

    fn merge(&self, into: &mut Row, other: Row) -> Result<(), LakeError> {
        row::combine(into, &other, &[FIRST], i64::min)?;
        row::combine(into, &other, &[LAST, LAST_CLOSED], i64::max)?;
        row::add(into, &other, &COUNTS)?;
        for at in [THERE, GONE] {
            let both = Days::read(into.bytes(at)?)?.union(Days::read(other.bytes(at)?)?);
            *into.cells.get_mut(at).ok_or_else(torn)? = Cell::Bytes(both.to_bytes());
        }
        Ok(())
    }
}

impl Shown for Presence {
    fn result(&self) -> &'static Definition {
        &RESULT
    }

    fn shown(&self, row: &Row) -> Result<Vec<Cell>, LakeError> {
        let (address, rest) = row.key.split_first_chunk::<16>().ok_or_else(torn)?;
        let [high, low, transport] = rest else { return Err(torn()) };
        let address = from_u128(u128::from_be_bytes(*address));
        let transport = if *transport == 0 { "tcp" } else { "udp" };
        let (there, gone) = (Days::read(row.bytes(THERE)?)?, Days::read(row.bytes(GONE)?)?);
        let (intervals, longest) = there.intervals(&gone, self.gap_days);
        let time = |at: usize| {
            let micros = row.long(at)?;
            Ok::<_, LakeError>(if matches!(micros, i64::MIN | i64::MAX) { Cell::Nothing } else { Cell::Long(micros) })
        };
        let [answered, closed, pretended] = COUNTS.map(|at| row.long(at).map(Cell::Long));
        Ok(vec![
            Cell::Text(address.to_string()),
            Cell::Long(halves(address).0),
            Cell::Long(halves(address).1),
            Cell::Long(i64::from(u16::from_be_bytes([*high, *low]))),
            Cell::Text(transport.to_owned()),
            time(FIRST)?,
            time(LAST)?,
            time(LAST_CLOSED)?,
            answered?,
            closed?,
            pretended?,
            Cell::Long(there.count()),
            Cell::Long(intervals),
            Cell::Long(longest),
        ])
    }
}

/// Hands on the looks of a share by address, port and time, each once; `true` with the first of an address and port.
pub(super) fn each_look(
    share: &Share,
    source: &Source<'_>,
    each: &mut dyn FnMut(&OneLook, bool) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let (first, last) = share.range()?;
    let ranges = AddressRanges::between(first, last);
    let mut before: Option<OneLook> = None;
    for look in Looks::new(source.sightings, &source.files, Some(ranges.into())) {
        let look = look?;
        if before.as_ref().is_some_and(|before| before.repeats(&look)) {
            continue;
        }
        each(&look, before.is_none_or(|before| before.place() != look.place()))?;
        before = Some(look);
    }
    Ok(())
}

fn key_of(look: &OneLook) -> Vec<u8> {
    let subject = look.run.first.subject;
    let mut key = to_u128(subject.address).to_be_bytes().to_vec();
    key.extend(subject.port.to_be_bytes());
    key.push(u8::from(subject.transport == hinomi_model::Transport::Udp));
    key
}

/// What the looks at one service come to.
struct Seen {
    first: i64,
    last: i64,
    last_closed: i64,
    counts: [i64; 3],
    there: Days,
    gone: Days,
}

impl Default for Seen {
    fn default() -> Self {
        let (there, gone) = (Days::default(), Days::default());
        Self { first: i64::MAX, last: i64::MIN, last_closed: i64::MIN, counts: [0; 3], there, gone }
    }
}

impl Seen {
    fn take(&mut self, look: &OneLook) {
        let (micros, [answered, closed, pretended]) = (look.time.as_micros(), &mut self.counts);
        match look.run.first.outcome {
            Outcome::Open => {
                *answered += 1;
                self.first = self.first.min(micros);
                self.last = self.last.max(micros);
                self.there.push(micros);
            }
            Outcome::Closed => {
                *closed += 1;
                self.last_closed = self.last_closed.max(micros);
                self.gone.push(micros);
            }
            _ => *pretended += 1,
        }
    }

    fn row(self, key: Vec<u8>) -> Row {
        let times = [self.first, self.last, self.last_closed];
        let mut cells: Vec<Cell> = times.into_iter().chain(self.counts).map(Cell::Long).collect();
        cells.extend([self.there, self.gone].map(|days| Cell::Bytes(days.to_bytes())));
        Row { key, cells }
    }
}
