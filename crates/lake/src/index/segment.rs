//! Rows of one segment read back: identity, times, and the service they stand for.

use std::net::Ipv6Addr;
use std::sync::Arc;

use hinomi_model::address::from_u128;
use hinomi_model::{Service, ServiceKey, Timestamp, Transport};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::document::split_column_text;
use super::facts::FactsFile;
use super::schema::{Columns, State, column};
use super::times::{Seen, View};
use crate::error::LakeError;
use crate::query::Field;

/// Address, port and transport of a row, in the order of answers.
pub(super) type Spot = (u128, u64);

/// When rows were seen and what they are: what every search looks at.
pub(super) struct Life {
    state: Column<u64>,
    row: Column<u64>,
    born: Column<i64>,
    seen: Column<i64>,
    closed: Column<i64>,
    times: Arc<View>,
}

impl Life {
    pub(super) fn open(reader: &SegmentReader, times: Arc<View>) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        Ok(Self {
            state: fast.u64(column::STATE)?,
            row: fast.u64(column::ROW)?,
            born: fast.i64(column::BORN)?,
            seen: fast.i64(column::SEEN)?,
            closed: fast.i64(column::CLOSED)?,
            times,
        })
    }

    pub(super) fn state(&self, doc: DocId) -> State {
        State::of(self.state.first(doc).unwrap_or(State::Nothing as u64))
    }

    pub(super) fn row(&self, doc: DocId) -> u64 {
        self.row.first(doc).unwrap_or(u64::MAX)
    }

    /// What the row was written with and what was touched since.
    pub(super) fn seen(&self, doc: DocId) -> Seen {
        let written = Seen { last: self.seen.first(doc), first: self.born.first(doc), closed: self.closed.first(doc) };
        written.merge(self.times.get(self.row(doc)))
    }
}

/// Where the services of rows are.
pub(super) struct Spots {
    address: Column<Ipv6Addr>,
    place: Column<u64>,
}

impl Spots {
    pub(super) fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        Ok(Self { address: fast.ip_addr(column::ADDRESS)?, place: fast.u64(column::PLACE)? })
    }

    pub(super) fn address(&self, doc: DocId) -> u128 {
        self.address.first(doc).map_or(0, u128::from)
    }

    pub(super) fn get(&self, doc: DocId) -> Spot {
        (self.address(doc), self.place.first(doc).unwrap_or(0))
    }
}

/// The service at a spot.
pub(super) fn key_of((address, place): Spot) -> ServiceKey {
    let transport = if place % 2 == 1 { Transport::Udp } else { Transport::Tcp };
    ServiceKey { address: from_u128(address), port: u16::try_from(place / 2).unwrap_or(u16::MAX), transport }
}

/// Everything of a row.
pub(super) struct Rows {
    pub(super) life: Life,
    pub(super) spots: Spots,
    facts: Column<u64>,
    asn: Column<u64>,
    texts: [Option<StrColumn>; 4],
}

/// What changes a row even where the evidence stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Around {
    pub(super) sensor: Option<String>,
    pub(super) country: Option<String>,
    pub(super) tlp: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) asn: Option<u64>,
}

impl Rows {
    pub(super) fn open(reader: &SegmentReader, columns: &Columns, times: Arc<View>) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let text = |field: Field| match columns.text_of(field) {
            Some(text) => fast.str(&text.shown_name),
            None => Ok(None),
        };
        Ok(Self {
            life: Life::open(reader, times)?,
            spots: Spots::open(reader)?,
            facts: fast.u64(column::FACTS)?,
            asn: fast.u64(column::ASN)?,
            texts: [text(Field::Sensor)?, text(Field::Country)?, text(Field::Tlp)?, text(Field::Purpose)?],
        })
    }

    /// Offset of the facts record.
    pub(super) fn facts(&self, doc: DocId) -> Option<u64> {
        self.facts.first(doc)
    }

    pub(super) fn around(&self, doc: DocId) -> Result<Around, LakeError> {
        let [sensor, country, tlp, purpose] = &self.texts;
        let text = |column: &Option<StrColumn>| text_at(column.as_ref(), doc);
        Ok(Around {
            sensor: text(sensor)?,
            country: text(country)?,
            tlp: text(tlp)?,
            purpose: text(purpose)?,
            asn: self.asn.first(doc),
        })
    }

    /// The service as search shows it.
    pub(super) fn service(&self, doc: DocId, file: &FactsFile) -> Result<Service, LakeError> {
        let missing = || LakeError::Damaged {
            what: "the index".into(),
            detail: "a row without facts; delete the index folder, it is built again".into(),
        };
        let told = file.read(self.facts(doc).ok_or_else(missing)?)?;
        let around = self.around(doc)?;
        let seen = self.life.seen(doc);
        let time = |time: Option<i64>| Timestamp::from_micros(time.unwrap_or(0));
        Ok(Service {
            key: key_of(self.spots.get(doc)),
            first_seen: time(seen.first),
            last_seen: time(seen.last),
            sensor: around.sensor.unwrap_or_default(),
            asn: around.asn.and_then(|asn| u32::try_from(asn).ok()),
            country: around.country,
            facts: told.facts,
            evidence: told.evidence,
        })
    }
}

/// The shown value of a row.
fn text_at(column: Option<&StrColumn>, doc: DocId) -> Result<Option<String>, LakeError> {
    let Some(column) = column else { return Ok(None) };
    let Some(ordinal) = column.ords().first(doc) else { return Ok(None) };
    let mut text = String::new();
    column.ord_to_str(ordinal, &mut text).map_err(super::files::io("read a column of the index"))?;
    Ok(Some(split_column_text(&text).1.to_owned()))
}
