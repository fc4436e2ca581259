//! Roll-ups as a pass: what changed under each value on each day, of one share of the addresses, and sums of that.
//!
//! The key is the day, the dimension and the value; a row of [`DAY`] says that a day was looked at at all. An address
//! lies in one share, so that what is counted of addresses is added like the rest. At a hundred times the data: memory
//! holds the sightings of a share.

use hinomi_model::Timestamp;

use super::count::{Turn, Turns};
use super::make::{Values, count_share};
use super::{APPLICATION, MICROS_A_DAY, RolledUp, make, rows};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::pass::row::{self, Cell, KEY, Row, torn};
use crate::pass::shares::Share;
use crate::pass::{Emit, Engine, Job, Local, Order, Pass, Passed, Source, passed};
use crate::table::definition::{Column, Definition, Kind};
use crate::table::{Change, Note, Table};

static PARTIAL: Definition = Definition {
    name: "rollup",
    description: "Partial rows of the pass rollup.",
    columns: &[&[
        Column::new(KEY, Kind::Bytes),
        Column::new("opened", Kind::Long),
        Column::new("closed", Kind::Long),
        Column::new("addresses_opened", Kind::Long),
        Column::new("addresses_closed", Kind::Long),
        Column::new("seen", Kind::Long),
    ]],
    sorted_by: &[KEY],
    format: 1,
};

/// In place of a dimension: the day was looked at.
const DAY: u8 = u8::MAX;

/// The pass.
pub(crate) struct RollUp;

impl Pass for RollUp {
    fn version(&self) -> u32 {
        super::REVISION
    }

    fn partial(&self) -> &'static Definition {
        &PARTIAL
    }

    fn map(&self, share: &Share, source: &Source<'_>, emit: &mut Emit<'_>) -> Result<(), LakeError> {
        let (mut turns, mut values) = (Turns::default(), Values::default());
        count_share(share.range()?, source, &mut values, &mut turns)?;
        for day in turns.days {
            emit(row_of(key(day, DAY, ""), &Turn::default()))?;
        }
        for ((day, value), turn) in turns.by_day {
            let (dimension, value) = values.named(value).ok_or_else(torn)?;
            emit(row_of(key(day, u8::try_from(dimension).map_err(|_| torn())?, value), &turn))?;
        }
        Ok(())
    }

    fn merge(&self, into: &mut Row, other: Row) -> Result<(), LakeError> {
        row::add(into, &other, &[0, 1, 2, 3, 4])
    }
}

fn key(day: i64, dimension: u8, value: &str) -> Vec<u8> {
    // The top bit flipped: days before 1970 sort first.
    let day = (day.cast_unsigned() ^ (1 << 63)).to_be_bytes();
    [&day, [dimension].as_slice(), value.as_bytes()].concat()
}

fn row_of(key: Vec<u8>, turn: &Turn) -> Row {
    let counts = [turn.opened, turn.closed, turn.addresses_opened, turn.addresses_closed, turn.seen];
    let cell = |count: u64| Cell::Long(i64::try_from(count).unwrap_or(i64::MAX));
    Row { key, cells: counts.map(cell).to_vec() }
}

/// Takes a merged row into what changed in all.
fn take(row: &Row, values: &mut Values, turns: &mut Turns) -> Result<(), LakeError> {
    let (day, rest) = row.key.split_first_chunk::<8>().ok_or_else(torn)?;
    let day = (u64::from_be_bytes(*day) ^ (1 << 63)).cast_signed();
    let (dimension, value) = rest.split_first().ok_or_else(torn)?;
    if *dimension == DAY {
        turns.days.insert(day);
        return Ok(());
    }
    let value = std::str::from_utf8(value).map_err(|_| torn())?;
    let name = super::DIMENSIONS.get(usize::from(*dimension)).ok_or_else(torn)?;
    let number = values.number(name, value).ok_or_else(torn)?;
    let count = |at: usize| row.long(at).map(|count| u64::try_from(count).unwrap_or(0));
    let turn = Turn {
        opened: count(0)?,
        closed: count(1)?,
        addresses_opened: count(2)?,
        addresses_closed: count(3)?,
        seen: count(4)?,
    };
    turns.by_day.insert((day, number), turn);
    Ok(())
}

impl Lake {
    /// Makes the roll-ups anew, whether they are behind or not; `by` whom, where somebody asked for this pass.
    pub(crate) fn roll_up_by(&self, order: &Order, engine: &dyn Engine, by: Option<&str>) -> Result<Passed, LakeError> {
        let _writer = self.writer()?;
        self.refresh()?;
        let table = Table::open_or_create(&self.root, &rows::ROLLUPS, self.clock.now())?;
        let (passed, _) = self.roll_up_into(&table, order, engine, by)?;
        Ok(passed)
    }

    /// The same on the threads of this process, for who holds the right to write.
    pub(super) fn make_rollups(&self, table: &Table) -> Result<RolledUp, LakeError> {
        let engine = Local::new(None, &|_, _| {});
        self.roll_up_into(table, &Order::new(Job::Rollup), &engine, None).map(|(_, made)| made)
    }

    fn roll_up_into(
        &self,
        table: &Table,
        order: &Order,
        engine: &dyn Engine,
        by: Option<&str>,
    ) -> Result<(Passed, RolledUp), LakeError> {
        let marks = self.may_derive(table)?;
        let basis = self.basis();
        let task = self.task(order, &RollUp)?;
        if let Some(by) = by {
            self.write_down(&task, engine, by)?;
        }
        let (mut turns, mut values) = (Turns::default(), Values::default());
        let all = values.number("all", "").unwrap_or_default();
        let gathered = self.run_pass(&task, engine, &mut |row| take(&row, &mut values, &mut turns))?;
        let (kept, left_out) = make::in_days(&values, &turns, all);
        let made = RolledUp {
            made: true,
            days: u64::try_from(turns.days.len()).unwrap_or(u64::MAX),
            rows: u64::try_from(kept.len()).unwrap_or(u64::MAX),
            left_out,
        };
        let staged = (!kept.is_empty()).then(|| table.stage("0", rows::encode(table.schema(), &kept))).transpose()?;
        let note = Note { application: APPLICATION.to_owned(), text: basis };
        let change = Change {
            add: staged.into_iter().collect(),
            replace_all: true,
            note: Some(note),
            marks,
            ..Change::default()
        };
        self.heed_loss(table.commit(change, self.clock.now()))?;
        Ok((passed(&task, engine, gathered), made))
    }
}

/// The first moment of a day.
pub(super) const fn moment(day: i64) -> Timestamp {
    Timestamp::from_micros(day.saturating_mul(MICROS_A_DAY))
}
