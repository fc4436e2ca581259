//! The sightings table: what its rows are, and rows to and from [`Sighting`].
//!
//! A row is a run ([`Run`]): one observation as it was appended, or several equal ones that compaction put together.
//! Sorted by (address, port, time) within a file. Addresses stand as text, for people, and as the two halves of their
//! number, for ranges: signed 64-bit with the top bit flipped so that they sort like the address in every engine; IPv4
//! as IPv4-mapped IPv6. At a hundred times the data rows stay about 60 bytes each, most of it the name.

use std::net::IpAddr;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use hinomi_model::address::{from_u128, to_u128};
use hinomi_model::{
    CampaignId, ContentHash, Marking, Outcome, ServiceKey, Sighting, SightingId, Terms, Timestamp, Tlp,
};

use crate::error::LakeError;
use crate::table::columns::{self, Columns, TimesAndTexts};
use crate::table::definition::{Column, Definition, Habit, Kind};
use crate::table::{Extent, number_of};

/// The table.
pub(crate) static SIGHTINGS: Definition = Definition {
    name: "sightings",
    description: "Observations: a row is one, or a run of equal ones of one sensor, with all their times. Immutable.",
    columns: &[&[
        Column::new("id", Kind::Text).optional().habit(Habit::Names),
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
        Column::new("until", Kind::Time).optional(),
        Column::new("count", Kind::Int).optional(),
        Column::new("times", Kind::Times).optional(),
        Column::new("campaigns", Kind::Texts).optional(),
        Column::new("embargo", Kind::Time).optional(),
        Column::new("licence", Kind::Text).optional(),
        Column::new("handling", Kind::Texts).optional(),
        Column::new("again", Kind::Bool).optional(),
    ]],
    sorted_by: &["address_high", "address_low", "port", "time"],
    format: 3,
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
    "times",
    "campaigns",
    "embargo",
    "licence",
    "handling",
    "again",
];

/// The same without what follows from the evidence, for who reads few rows: a page of such names is long.
pub(crate) fn without_content() -> Vec<&'static str> {
    STORED.iter().copied().filter(|column| *column != "content").collect()
}

mod run;

use run::Look;
pub(crate) use run::{MAX_LOOKS, Run};

/// Version of the form of a row. 1: one observation. 2: a run of them, or one without its name. 3: with terms, which who
/// does not know them must not pass over.
const FORMAT: i32 = 3;

/// The form of a row that is marked like this.
fn format_of(marking: &Marking) -> i32 {
    if marking.is_plain() { FORMAT - 1 } else { FORMAT }
}

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
    /// Whether it was stored before, and is told again with a stricter marking.
    pub(crate) again: bool,
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

/// The address with these halves.
pub(crate) fn address(halves: (i64, i64)) -> IpAddr {
    from_u128(number_of(halves))
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
pub(crate) fn sort(rows: &mut Vec<Row>) {
    // A row is large: numbers are sorted, and each row is moved once.
    let mut order: Vec<_> = rows.iter().map(Row::order).zip(0_usize..).collect();
    if order.is_sorted() {
        return;
    }
    order.sort_unstable();
    let mut unsorted: Vec<_> = std::mem::take(rows).into_iter().map(Some).collect();
    rows.extend(order.into_iter().filter_map(|(_, at)| unsorted.get_mut(at)?.take()));
}

/// Rows as Arrow batches.
pub(crate) fn encode<'a>(
    schema: &'a SchemaRef,
    rows: &'a [Row],
) -> impl Iterator<Item = Result<RecordBatch, LakeError>> + 'a {
    rows.chunks(ENCODED_ROWS).map(|chunk| encode_chunk(schema, &Parts::of_rows(chunk)))
}

/// Runs as an Arrow batch: names are left out, they follow from the rest.
pub(crate) fn encode_runs(schema: &SchemaRef, runs: &[Run]) -> Result<RecordBatch, LakeError> {
    encode_chunk(schema, &Parts::of_runs(runs))
}

/// What an Arrow batch is made of, one for each row.
struct Parts<'a> {
    ids: Vec<Option<SightingId>>,
    contents: Vec<ContentHash>,
    seen: Vec<&'a Sighting>,
    times: Vec<Option<Vec<Timestamp>>>,
    campaigns: Vec<Option<Vec<&'a str>>>,
    handling: Vec<Option<Vec<&'a str>>>,
    again: Vec<bool>,
}

/// The words of a marking; none where there are none.
fn handling_of(seen: &Sighting) -> Option<Vec<&str>> {
    let words: Vec<&str> = seen.marking.handling.iter().map(String::as_str).collect();
    (!words.is_empty()).then_some(words)
}

impl<'a> Parts<'a> {
    fn of_rows(rows: &'a [Row]) -> Self {
        Self {
            ids: rows.iter().map(|row| Some(row.id)).collect(),
            contents: rows.iter().map(|row| row.content).collect(),
            seen: rows.iter().map(|row| &row.sighting).collect(),
            times: vec![None; rows.len()],
            campaigns: vec![None; rows.len()],
            handling: rows.iter().map(|row| handling_of(&row.sighting)).collect(),
            again: rows.iter().map(|row| row.again).collect(),
        }
    }

    fn of_runs(runs: &'a [Run]) -> Self {
        let several = |run: &&Run| !run.later.is_empty();
        let times = |run: &'a Run| Some(run).filter(several).map(|run| run.looks().map(|(time, _)| time).collect());
        let name = |campaign: Option<&'a CampaignId>| campaign.map_or("", CampaignId::as_str);
        let names = |run: &'a Run| Some(run).filter(several).map(|run| run.looks().map(|(_, one)| name(one)).collect());
        Self {
            ids: vec![None; runs.len()],
            contents: runs.iter().map(|run| run.content).collect(),
            seen: runs.iter().map(|run| &run.first).collect(),
            times: runs.iter().map(times).collect(),
            campaigns: runs.iter().map(names).collect(),
            handling: runs.iter().map(|run| handling_of(&run.first)).collect(),
            again: runs.iter().map(|run| run.again).collect(),
        }
    }
}

fn encode_chunk(schema: &SchemaRef, parts: &Parts<'_>) -> Result<RecordBatch, LakeError> {
    let seen = || parts.seen.iter().copied();
    let several = || parts.times.iter().map(Option::as_deref);
    let halves = || seen().map(|one| halves(one.subject.address));
    let list_error = |error| LakeError::damaged("rows to be written", &error);
    columns::batch(
        schema,
        vec![
            columns::maybe_hexes(parts.ids.iter().map(|id| id.as_ref().map(|id| id.as_bytes().as_slice()))),
            columns::texts(seen().map(|one| one.subject.address.to_string())),
            columns::longs(halves().map(|(high, _)| high)),
            columns::longs(halves().map(|(_, low)| low)),
            columns::ints(seen().map(|one| i32::from(one.subject.port))),
            columns::texts(seen().map(|one| one.subject.transport.name())),
            columns::times(seen().map(|one| Some(one.time))),
            columns::texts(seen().map(|one| one.sensor.as_str())),
            columns::maybe_texts(seen().map(|one| one.campaign.as_ref().map(|name| name.as_str()))),
            columns::texts(seen().map(|one| one.outcome.name())),
            columns::maybe_texts(seen().map(|one| one.remark.as_deref())),
            columns::hexes(parts.contents.iter().map(|content| content.as_bytes().as_slice())),
            columns::reference_lists(seen().map(|one| one.evidence.as_slice())).map_err(list_error)?,
            columns::texts(seen().map(|one| one.marking.tlp.label())),
            columns::text_lists(seen().map(|one| one.marking.audience.as_slice())).map_err(list_error)?,
            columns::texts(seen().map(|one| one.marking.purpose.name())),
            columns::ints(seen().map(|one| format_of(&one.marking))),
            columns::times(several().map(|times| times?.last().copied())),
            columns::maybe_ints(several().map(|times| i32::try_from(times?.len()).ok())),
            columns::maybe_time_lists(several()).map_err(list_error)?,
            columns::maybe_text_lists(parts.campaigns.iter().map(Option::as_deref)).map_err(list_error)?,
            columns::times(seen().map(|one| one.marking.embargo)),
            columns::maybe_texts(seen().map(|one| one.marking.licence.as_deref())),
            columns::maybe_text_lists(parts.handling.iter().map(Option::as_deref)).map_err(list_error)?,
            columns::bools(parts.again.iter().map(|again| again.then_some(true))),
        ],
    )
}

/// Every observation out of an Arrow batch.
pub(crate) fn decode(batch: &RecordBatch) -> Result<Vec<Row>, LakeError> {
    let runs = decode_runs(batch)?;
    let mut rows = Vec::with_capacity(runs.len());
    runs.into_iter().for_each(|run| run.into_rows(&mut rows));
    Ok(rows)
}

/// The first and the last observation of each run out of an Arrow batch: all that the current state depends on.
pub(crate) fn decode_ends(batch: &RecordBatch) -> Result<Vec<Row>, LakeError> {
    let mut rows = Vec::with_capacity(batch.num_rows());
    for mut run in decode_runs(batch)? {
        run.later.drain(..run.later.len().saturating_sub(1));
        run.into_rows(&mut rows);
    }
    Ok(rows)
}

/// Rows as they are stored out of an Arrow batch.
pub(crate) fn decode_runs(batch: &RecordBatch) -> Result<Vec<Run>, LakeError> {
    let columns = Columns::new(SIGHTINGS.name, batch);
    check_format(&columns)?;
    let text = |name: &str| columns.texts(name);
    let (ids, transports) = (text("id")?, text("transport")?);
    let contents = columns.has("content").then(|| text("content")).transpose()?;
    let (sensors, campaigns, outcomes, remarks) =
        (text("sensor")?, text("campaign")?, text("outcome")?, text("remark")?);
    let (tlps, purposes) = (text("tlp")?, text("purpose")?);
    let (highs, lows) = (columns.longs("address_high")?, columns.longs("address_low")?);
    let (ports, times) = (columns.ints("port")?, columns.times("time")?);
    let evidence = columns.reference_lists("evidence")?;
    let audiences = columns.text_lists("audience")?;
    let mut looks = match columns.has("times") {
        true => columns.time_lists("times", "campaigns")?,
        false => vec![None; batch.num_rows()],
    };
    let again = columns.has("again").then(|| columns.bools("again")).transpose()?;
    let terms = terms(&columns, batch.num_rows())?;
    let each = evidence.into_iter().zip(audiences).zip(looks.drain(..)).zip(terms);
    let mut runs: Vec<Run> = Vec::with_capacity(batch.num_rows());
    for (at, (((evidence, audience), looks), terms)) in each.enumerate() {
        let subject = ServiceKey {
            address: address((highs.value(at), lows.value(at))),
            port: parse(&columns, u16::try_from(ports.value(at)))?,
            transport: parse(&columns, transports.value(at).parse())?,
        };
        let purpose = parse(&columns, purposes.value(at).parse())?;
        let present = |array: &arrow_array::StringArray| array.is_valid(at).then(|| array.value(at).to_owned());
        // Neighbours mostly come of one sensor and campaign.
        let before = runs.last().map(|run| &run.first);
        let sensor = before.map(|before| &before.sensor).filter(|known| known.as_str() == sensors.value(at));
        let name = campaigns.is_valid(at).then(|| campaigns.value(at));
        let campaign = before.map(|before| &before.campaign);
        let campaign = campaign.filter(|known| known.as_ref().map(CampaignId::as_str) == name);
        let first = Sighting {
            sensor: sensor.map_or_else(|| parse(&columns, sensors.value(at).parse()), |known| Ok(known.clone()))?,
            campaign: match campaign {
                Some(known) => known.clone(),
                None => parse(&columns, name.map(str::parse).transpose())?,
            },
            time: Timestamp::from_micros(times.value(at)),
            subject,
            outcome: outcome(&columns, outcomes.value(at))?,
            remark: present(remarks),
            evidence,
            marking: Marking { tlp: Tlp::read(tlps.value(at)), audience, ..Marking::own(purpose) }.under(terms),
        };
        let id = parse(&columns, present(ids).map(|id| id.parse()).transpose())?;
        let content = contents.map(|contents| parse(&columns, contents.value(at).parse())).transpose()?;
        let content = content.unwrap_or_else(|| first.content());
        let later = later_looks(&columns, looks, first.time)?;
        runs.push(Run {
            id,
            content,
            first,
            later,
            again: again.is_some_and(|again| again.is_valid(at) && again.value(at)),
        });
    }
    Ok(runs)
}

/// Embargo, licence and handling of each row: rows of older forms have none.
fn terms(columns: &Columns<'_>, rows: usize) -> Result<Vec<Terms>, LakeError> {
    if !columns.has("embargo") {
        return Ok(vec![Terms::default(); rows]);
    }
    let (embargoes, licences) = (columns.times("embargo")?, columns.texts("licence")?);
    let of = |(at, words): (usize, Vec<String>)| Terms {
        embargo: embargoes.is_valid(at).then(|| Timestamp::from_micros(embargoes.value(at))),
        licence: licences.is_valid(at).then(|| licences.value(at).to_owned()),
        handling: words.into_iter().collect(),
    };
    Ok(columns.text_lists("handling")?.into_iter().enumerate().map(of).collect())
}

/// The observations of a run after its first one.
fn later_looks(columns: &Columns<'_>, looks: Option<TimesAndTexts>, first: Timestamp) -> Result<Vec<Look>, LakeError> {
    let Some((times, campaigns)) = looks else { return Ok(Vec::new()) };
    if times.first() != Some(&first) || !times.is_sorted() {
        return Err(columns.damaged("the times of a run do not begin with its time, or do not ascend"));
    }
    let look = |(time, name): (Timestamp, String)| {
        let campaign = (!name.is_empty()).then(|| name.parse()).transpose();
        Ok(Look { time, campaign: parse(columns, campaign)? })
    };
    times.into_iter().zip(campaigns).skip(1).map(look).collect()
}

fn check_format(columns: &Columns<'_>) -> Result<(), LakeError> {
    let newest = columns.ints("format")?.iter().flatten().max().unwrap_or(0);
    let (found, known) = (u64::try_from(newest).unwrap_or(0), u64::from(FORMAT.unsigned_abs()));
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
