//! The rollups table: what its rows are.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hinomi_model::Timestamp;

use super::DayCount;
use crate::error::LakeError;
use crate::table::columns::{self, Columns};
use crate::table::definition::{Column, Definition, Kind};
use crate::table::{Rows, Table, read as read_file};

/// The table.
pub(super) static ROLLUPS: Definition = Definition {
    name: "rollups",
    format: 1,
    description: "Services at the end of each day (UTC) that was looked at, by one dimension at a time. Derived.",
    columns: &[&[
        Column::new("day", Kind::Time),
        Column::new("dimension", Kind::Text),
        Column::new("value", Kind::Text),
        Column::new("services", Kind::Long),
        Column::new("addresses", Kind::Long),
        Column::new("opened", Kind::Long),
        Column::new("closed", Kind::Long),
        Column::new("seen", Kind::Long),
    ]],
    sorted_by: &["day", "dimension", "value"],
};

const COLUMNS: &[&str] = &["day", "dimension", "value", "services", "addresses", "opened", "closed", "seen"];

/// Rows put into one Arrow batch while writing.
const ENCODED_ROWS: usize = 16_384;

/// Rows as Arrow batches.
pub(super) fn encode<'a>(
    schema: &'a SchemaRef,
    rows: &'a [DayCount],
) -> impl Iterator<Item = Result<RecordBatch, LakeError>> + 'a {
    rows.chunks(ENCODED_ROWS).map(|rows| {
        let number = |get: fn(&DayCount) -> u64| {
            columns::longs(rows.iter().map(move |row| i64::try_from(get(row)).unwrap_or(i64::MAX)))
        };
        columns::batch(
            schema,
            vec![
                columns::times(rows.iter().map(|row| Some(row.day))),
                columns::texts(rows.iter().map(|row| row.dimension.as_str())),
                columns::texts(rows.iter().map(|row| row.value.as_str())),
                number(|row| row.services),
                number(|row| row.addresses),
                number(|row| row.opened),
                number(|row| row.closed),
                number(|row| row.seen),
            ],
        )
    })
}

/// Reads every row.
pub(super) fn read(table: &Table, each: &mut dyn FnMut(DayCount)) -> Result<(), LakeError> {
    for file in table.files(|_| true) {
        read_file::read(&table.path(&file), COLUMNS, Rows::All, &mut |batch| {
            let columns = Columns::new(ROLLUPS.name, batch);
            let (days, dimensions, values) =
                (columns.times("day")?, columns.texts("dimension")?, columns.texts("value")?);
            let (services, addresses) = (columns.longs("services")?, columns.longs("addresses")?);
            let (opened, closed, seen) = (columns.longs("opened")?, columns.longs("closed")?, columns.longs("seen")?);
            let number = |value: i64| u64::try_from(value).unwrap_or(0);
            for at in 0..batch.num_rows() {
                each(DayCount {
                    day: Timestamp::from_micros(days.value(at)),
                    dimension: dimensions.value(at).to_owned(),
                    value: values.value(at).to_owned(),
                    services: number(services.value(at)),
                    addresses: number(addresses.value(at)),
                    opened: number(opened.value(at)),
                    closed: number(closed.value(at)),
                    seen: number(seen.value(at)),
                });
            }
            Ok(())
        })?;
    }
    Ok(())
}
