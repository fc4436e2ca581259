//! The sightings table: what its rows are, and rows to and from [`Sighting`].
//!
//! Sorted by (address, port, time) within a file. Addresses stand as text, for people, and as the two halves of their
//! number, for ranges: signed 64-bit with the top bit flipped so that they sort like the address in every engine; IPv4
//! as IPv4-mapped IPv6. At a hundred times the data rows stay about 60 bytes each, most of it the name.

use std::net::IpAddr;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use hinomi_model::address::{from_u128, to_u128};
use hinomi_model::{ContentHash, Marking, Outcome, ServiceKey, Sighting, SightingId, Timestamp, Tlp};

use crate::error::LakeError;
use crate::table::Extent;
use crate::table::columns::{self, Columns};
use crate::table::definition::{Column, Definition, Habit, Kind};

/// The table.
pub(crate) static SIGHTINGS: Definition = Definition {
    name: "sightings",
    description: "One row for each observation, by whichever sensor. Immutable; everything else is derived from it.",
    columns: &[&[
        Column::new("id", Kind::Text).habit(Habit::Names),
        Column::new("address", Kind::Text),
        Column::new("address_high", Kind::Long),
        Column::new("address_low", Kind::Long),
        Column::new("port", Kind::Int),
        Column::new("transport", Kind::Text),
        Column::new("time", Kind::Time),
        Column::new("sensor", Kind::Text),
        Column::new("campaign", Kind::Text).optional(),
        Column::new("outcome", Kind::Text),
        Column::new("remark", Kind::Text).optional(),
        Column::new("content", Kind::Text),
        Column::new("evidence", Kind::References),
        Column::new("tlp", Kind::Text),
        Column::new("audience", Kind::Texts),
        Column::new("purpose", Kind::Text),
        Column::new("format", Kind::Int),
    ]],
    sorted_by: &["address_high", "address_low", "port", "time"],
};

/// The columns that [`decode`] needs.
pub(crate) const STORED: &[&str] = &[
    "id",
    "address_high",
    "address_low",
    "port",
    "transport",
    "time",
    "sensor",
    "campaign",
    "outcome",
    "remark",
    "content",
    "evidence",
    "tlp",
    "audience",
    "purpose",
    "format",
];

/// Rows put into one Arrow batch while writing.
const ENCODED_ROWS: usize = 16_384;

/// A sighting with its two names worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The sighting's name.
    pub(crate) id: SightingId,
    /// The name of all its evidence.
    pub(crate) content: ContentHash,
    /// The sighting.
    pub(crate) sighting: Sighting,
}

impl Row {
    /// The address as two numbers that sort like it.
    pub(crate) fn halves(&self) -> (i64, i64) {
        halves(self.sighting.subject.address)
    }

    fn order(&self) -> ((i64, i64), u16, Timestamp, SightingId) {
        (self.halves(), self.sighting.subject.port, self.sighting.time, self.id)
    }
}

/// Upper and lower half of an address, as stored.
pub(crate) fn halves(address: IpAddr) -> (i64, i64) {
    let number = to_u128(address);
    let flipped = |half: u128| (u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0) ^ (1 << 63)).cast_signed();
    (flipped(number >> 64), flipped(number))
}

fn address((high, low): (i64, i64)) -> IpAddr {
    let plain = |half: i64| u128::from(half.cast_unsigned() ^ (1 << 63));
    from_u128((plain(high) << 64) | plain(low))
}

/// What these rows lie between; none when there are none.
pub(crate) fn extent(rows: &[Row]) -> Option<Extent> {
    let ends = |value: &dyn Fn(&Row) -> i64| Some((rows.iter().map(value).min()?, rows.iter().map(value).max()?));
    Some(Extent {
        high: ends(&|row| row.halves().0)?,
        low: ends(&|row| row.halves().1)?,
        time: ends(&|row| row.sighting.time.as_micros())?,
    })
}

/// Sorts rows as files want them.
pub(crate) fn sort(rows: &mut [Row]) {
    rows.sort_unstable_by_key(Row::order);
}

/// Rows as Arrow batches.
pub(crate) fn encode<'a>(
    schema: &'a SchemaRef,
    rows: &'a [Row],
) -> impl Iterator<Item = Result<RecordBatch, LakeError>> + 'a {
    rows.chunks(ENCODED_ROWS).map(|chunk| encode_chunk(schema, chunk))
}

fn encode_chunk(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, LakeError> {
    let seen = || rows.iter().map(|row| &row.sighting);
    let list_error = |error| LakeError::damaged("rows to be written", &error);
    let format = i32::try_from(hinomi_model::sighting::FORMAT).unwrap_or(i32::MAX);
    columns::batch(
        schema,
        vec![
            columns::hexes(rows.iter().map(|row| row.id.as_bytes().as_slice())),
            columns::texts(seen().map(|one| one.subject.address.to_string())),
            columns::longs(rows.iter().map(|row| row.halves().0)),
            columns::longs(rows.iter().map(|row| row.halves().1)),
            columns::ints(seen().map(|one| i32::from(one.subject.port))),
            columns::texts(seen().map(|one| one.subject.transport.name())),
            columns::times(seen().map(|one| Some(one.time))),
            columns::texts(seen().map(|one| one.sensor.as_str())),
            columns::maybe_texts(seen().map(|one| one.campaign.as_ref().map(|name| name.as_str()))),
            columns::texts(seen().map(|one| one.outcome.name())),
            columns::maybe_texts(seen().map(|one| one.remark.as_deref())),
            columns::hexes(rows.iter().map(|row| row.content.as_bytes().as_slice())),
            columns::reference_lists(seen().map(|one| one.evidence.as_slice())).map_err(list_error)?,
            columns::texts(seen().map(|one| one.marking.tlp.label())),
            columns::text_lists(seen().map(|one| one.marking.audience.as_slice())).map_err(list_error)?,
            columns::texts(seen().map(|one| one.marking.purpose.name())),
            columns::ints(rows.iter().map(|_| format)),
        ],
    )
}

/// Rows out of an Arrow batch.
pub(crate) fn decode(batch: &RecordBatch) -> Result<Vec<Row>, LakeError> {
    let columns = Columns::new(SIGHTINGS.name, batch);
    check_format(&columns)?;
    let text = |name: &str| columns.texts(name);
    let (ids, contents, transports) = (text("id")?, text("content")?, text("transport")?);
    let (sensors, campaigns, outcomes, remarks) =
        (text("sensor")?, text("campaign")?, text("outcome")?, text("remark")?);
    let (tlps, purposes) = (text("tlp")?, text("purpose")?);
    let (highs, lows) = (columns.longs("address_high")?, columns.longs("address_low")?);
    let (ports, times) = (columns.ints("port")?, columns.times("time")?);
    let evidence = columns.reference_lists("evidence")?;
    let audiences = columns.text_lists("audience")?;
    let mut rows = Vec::with_capacity(batch.num_rows());
    for (at, (evidence, audience)) in evidence.into_iter().zip(audiences).enumerate() {
        let subject = ServiceKey {
            address: address((highs.value(at), lows.value(at))),
            port: parse(&columns, u16::try_from(ports.value(at)))?,
            transport: parse(&columns, transports.value(at).parse())?,
        };
        let purpose = parse(&columns, purposes.value(at).parse())?;
        let present = |array: &arrow_array::StringArray| array.is_valid(at).then(|| array.value(at).to_owned());
        let sighting = Sighting {
            sensor: parse(&columns, sensors.value(at).parse())?,
            campaign: parse(&columns, present(campaigns).map(|name| name.parse()).transpose())?,
            time: Timestamp::from_micros(times.value(at)),
            subject,
            outcome: outcome(&columns, outcomes.value(at))?,
            remark: present(remarks),
            evidence,
            marking: Marking { tlp: Tlp::read(tlps.value(at)), audience, purpose },
        };
        let (id, content) = (parse(&columns, ids.value(at).parse())?, parse(&columns, contents.value(at).parse())?);
        rows.push(Row { id, content, sighting });
    }
    Ok(rows)
}

fn check_format(columns: &Columns<'_>) -> Result<(), LakeError> {
    let newest = columns.ints("format")?.iter().flatten().max().unwrap_or(0);
    let (found, known) = (u64::try_from(newest).unwrap_or(0), u64::from(hinomi_model::sighting::FORMAT));
    if found > known {
        return Err(LakeError::TooNew { what: "a sighting".to_owned(), found, known });
    }
    Ok(())
}

fn parse<T, E: ToString>(columns: &Columns<'_>, parsed: Result<T, E>) -> Result<T, LakeError> {
    parsed.map_err(|error| columns.damaged(&error.to_string()))
}

fn outcome(columns: &Columns<'_>, name: &str) -> Result<Outcome, LakeError> {
    let all = [Outcome::Open, Outcome::Closed, Outcome::Pseudo];
    let found = all.into_iter().find(|outcome| outcome.name() == name);
    found.ok_or_else(|| columns.damaged(&format!("{name:?} is no outcome known to this version")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn halves_sort_like_addresses_and_come_back(a: [u8; 16], b: [u8; 16], c: [u8; 4]) {
            let (a, b) = (IpAddr::from(a).to_canonical(), IpAddr::from(b).to_canonical());
            prop_assert_eq!(halves(a).cmp(&halves(b)), to_u128(a).cmp(&to_u128(b)));
            prop_assert_eq!(address(halves(a)), a);
            prop_assert_eq!(address(halves(IpAddr::from(c))), IpAddr::from(c));
        }
    }
}
