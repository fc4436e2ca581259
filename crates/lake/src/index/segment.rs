//! Rows of one segment read back: identity, times, and the service they stand for.

use std::cell::RefCell;
use std::sync::Arc;

use hinomi_model::address::from_u128;
use hinomi_model::{Marking, Service, ServiceKey, Terms, Timestamp, Transport};
use tantivy::columnar::Column;
use tantivy::{DocId, SegmentReader};

use super::address::Addresses;
use super::block::{BLOCK, Block};
use super::document::split_column_text;
use super::eyes::{Eyes, Narrow};
use super::mix::ByNumber;
use super::opened::{Opened, Segments, TEXTS};
use super::plain::Numbers;
use super::records::Records;
use super::schema::{Shown, State, column};
use super::times::{Seen, View};
use crate::error::LakeError;

/// Address, port and transport of a row, in the order of answers.
pub(super) type Spot = (u128, u64);

/// When rows were seen and what they are: what every search looks at.
pub(super) struct Life {
    opened: Arc<Opened>,
    /// Where the times of rows are.
    rows: Numbers,
    times: Arc<View>,
    /// Whose eyes see it; none sees all.
    eyes: Option<Eyes>,
}

impl Life {
    /// About so many rows will be looked at, as this asker may see them.
    pub(super) fn open(
        reader: &SegmentReader,
        opened: Arc<Opened>,
        times: Arc<View>,
        within: Option<&Arc<Narrow>>,
        rows: u64,
    ) -> tantivy::Result<Self> {
        let eyes = within.map(|may| Eyes::open(reader, may, &times, rows)).transpose()?;
        let rows = opened.numbers(column::ROW, &opened.row, rows);
        Ok(Self { opened, rows, times, eyes })
    }

    /// Leaves what the asker may see.
    pub(super) fn leave_visible(&self, block: &mut Block) {
        if let Some(eyes) = &self.eyes {
            eyes.hold(block);
        }
    }

    pub(super) fn all_open(&self) -> bool {
        self.opened.all_open
    }

    /// Leaves what was not found closed after it last answered.
    pub(super) fn leave_open(&self, block: &mut Block) {
        let mut rows = [u64::MAX; BLOCK];
        self.rows.each(block, |at, row| {
            if let Some(slot) = rows.get_mut(at) {
                *slot = row;
            }
        });
        block.retain(|at, doc| {
            let row = rows.get(at).copied().unwrap_or(u64::MAX);
            // Of a service with lanes others than this one may have found it closed.
            (!self.is_lane(doc) && !self.times.is_closed(row)) || !self.told(doc, self.times.get(row)).is_closed()
        });
    }

    /// When a row last answered.
    pub(super) fn last(&self, doc: DocId) -> Option<i64> {
        self.times.last(self.row(doc))
    }

    /// When each row of a block last answered.
    pub(super) fn lasts(&self, block: &Block, lasts: &mut [Option<i64>; BLOCK]) {
        let mut rows = [u64::MAX; BLOCK];
        self.rows.each(block, |at, row| rows.get_mut(at).into_iter().for_each(|slot| *slot = row));
        for (row, last) in rows.iter().zip(lasts).take(block.len()) {
            *last = self.times.last(*row);
        }
    }

    pub(super) fn state(&self, doc: DocId) -> State {
        self.opened.state.first(doc).map_or(State::Nothing, |number| State::seen_by(number, self.eyes.is_some()))
    }

    fn is_lane(&self, doc: DocId) -> bool {
        !self.all_open() && self.opened.state.first(doc).is_some_and(|number| State::read(number).1 == Shown::Narrow)
    }

    pub(super) fn row(&self, doc: DocId) -> u64 {
        self.opened.row(doc)
    }

    /// When it was last seen, as far as the asker may know.
    pub(super) fn last_seen(&self, doc: DocId) -> Option<i64> {
        let row = self.row(doc);
        self.eyes.as_ref().map_or_else(|| self.times.last(row), |eyes| eyes.cut_last(doc, row))
    }

    /// When it was seen, as far as the asker may know.
    pub(super) fn seen(&self, doc: DocId) -> Seen {
        self.told(doc, self.times.get(self.row(doc)))
    }

    fn told(&self, doc: DocId, seen: Seen) -> Seen {
        self.eyes.as_ref().map_or(seen, |eyes| eyes.cut(doc, seen))
    }
}

/// Where the services of rows are.
pub(super) struct Spots {
    pub(super) addresses: Addresses,
    place: Column<u64>,
}

impl Spots {
    pub(super) fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        Ok(Self { addresses: Addresses::open(reader)?, place: reader.fast_fields().u64(column::PLACE)? })
    }

    /// The small number of the address, and port and transport.
    pub(super) fn small(&self, doc: DocId) -> (u32, u64) {
        (self.addresses.small(doc), self.place.first(doc).unwrap_or(0))
    }

    /// Port and transport.
    pub(super) fn place(&self, doc: DocId) -> u64 {
        self.place.first(doc).unwrap_or(0)
    }

    pub(super) fn get(&self, doc: DocId) -> Spot {
        let (small, place) = self.small(doc);
        (self.addresses.whole(small), place)
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
    opened: Arc<Opened>,
    /// Terms of markings read already.
    terms: RefCell<ByNumber<Terms>>,
    /// Texts of each column read already: few, and the same again and again.
    read: [RefCell<ByNumber<String>>; TEXTS],
}

/// The most texts kept while one page is read.
const MAX_READ_TEXTS: usize = 4_096;

impl Rows {
    /// For a page of rows that the asker may see.
    pub(super) fn open(
        reader: &SegmentReader,
        segments: &Segments,
        times: Arc<View>,
        within: Option<&Arc<Narrow>>,
    ) -> tantivy::Result<Self> {
        let opened = segments.of(reader)?;
        let life = Life::open(reader, Arc::clone(&opened), times, within, 0)?;
        Ok(Self { life, opened, terms: RefCell::default(), read: Default::default() })
    }

    /// Offset of the facts record.
    pub(super) fn facts(&self, doc: DocId) -> Option<u64> {
        self.opened.facts.first(doc)
    }

    /// The service as search shows it.
    pub(super) fn service(&self, doc: DocId, records: &Records) -> Result<Service, LakeError> {
        let missing = || LakeError::Damaged {
            what: "the index".into(),
            detail: "a row without facts; delete the index folder, it is built again".into(),
        };
        let told = records.read(self.facts(doc).ok_or_else(missing)?)?;
        let (sensor, country) = (self.text(0, doc)?, self.text(1, doc)?);
        let asn = self.opened.asn.first(doc).and_then(|asn| u32::try_from(asn).ok());
        let seen = self.life.seen(doc);
        let time = |time: Option<i64>| Timestamp::from_micros(time.unwrap_or(0));
        Ok(Service {
            key: key_of(self.opened.spots.get(doc)),
            first_seen: time(seen.first),
            last_seen: time(seen.last),
            sensor: sensor.unwrap_or_default(),
            asn,
            country,
            facts: Arc::clone(&told.facts),
            evidence: told.evidence.clone(),
            terms: self.terms(doc)?,
        })
    }

    /// The terms of a row; none where its marking cannot be read: who may not see all is not shown it then.
    fn terms(&self, doc: DocId) -> Result<Terms, LakeError> {
        let Some(column) = &self.opened.marking else { return Ok(Terms::default()) };
        let Some(ordinal) = column.ords().first(doc) else { return Ok(Terms::default()) };
        let mut read = self.terms.borrow_mut();
        if let Some(terms) = read.get(&ordinal) {
            return Ok(terms.clone());
        }
        let mut text = String::new();
        column.ord_to_str(ordinal, &mut text).map_err(super::files::io("read a column of the index"))?;
        let terms = serde_json::from_str::<Marking>(&text).map_or_else(|_| Terms::default(), |one| one.terms());
        if read.len() < MAX_READ_TEXTS {
            read.insert(ordinal, terms.clone());
        }
        Ok(terms)
    }

    /// The shown value of a row.
    fn text(&self, which: usize, doc: DocId) -> Result<Option<String>, LakeError> {
        let Some(Some(column)) = self.opened.texts.get(which) else { return Ok(None) };
        let Some(ordinal) = column.ords().first(doc) else { return Ok(None) };
        let Some(read) = self.read.get(which) else { return Ok(None) };
        let mut read = read.borrow_mut();
        if let Some(text) = read.get(&ordinal) {
            return Ok(Some(text.clone()));
        }
        let mut text = String::new();
        column.ord_to_str(ordinal, &mut text).map_err(super::files::io("read a column of the index"))?;
        let shown = split_column_text(&text).1.to_owned();
        if read.len() < MAX_READ_TEXTS {
            read.insert(ordinal, shown.clone());
        }
        Ok(Some(shown))
    }
}
