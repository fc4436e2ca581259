//! What stands in the index: one row looked up by its service, and rows to be deleted.
//!
//! Rows have no term of their own: a row is found among those of its network ([`network_bytes`]), some hundreds at most,
//! by its number. At a hundred times the data: a look-up is one term in every segment.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::address::to_u128;
use hinomi_model::{ContentHash, Marking, Outcome, ServiceKey, Timestamp};
use tantivy::columnar::{Column, StrColumn};
use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field as TermField, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED, TantivyError, Term};

use super::Update;
use super::document::{content_number, split_column_text, text_within};
use super::facts::{FactsFile, Told};
use super::listed::Listed;
use super::schema::{Columns, State, column};
use crate::error::LakeError;
use crate::query::Field;

/// Bytes that name the network of an address: the /24 of an IPv4 address, the /48 of an IPv6 address.
pub(super) fn network_bytes(address: IpAddr) -> [u8; 7] {
    let bytes = to_u128(address).to_be_bytes();
    let (kind, from) = if address.is_ipv4() { (4, 12) } else { (6, 0) };
    let length = if address.is_ipv4() { 3 } else { 6 };
    let mut network = [0; 7];
    let parts = std::iter::once(kind).chain(bytes.into_iter().skip(from).take(length));
    network.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    network
}

/// The index at one moment, to be looked into row by row.
pub(super) struct Stands<'a> {
    searcher: &'a Searcher,
    columns: &'a Columns,
    facts: &'a FactsFile,
    segments: Vec<Segment>,
}

struct Segment {
    row: Column<u64>,
    state: Column<u64>,
    facts: Column<u64>,
    sensor: Option<StrColumn>,
    marking: Option<StrColumn>,
}

/// One row.
pub(super) struct Standing<'a> {
    reader: &'a SegmentReader,
    segment: &'a Segment,
    facts: &'a FactsFile,
    doc: DocId,
}

impl<'a> Stands<'a> {
    pub(super) fn open(searcher: &'a Searcher, columns: &'a Columns, facts: &'a FactsFile) -> Result<Self, LakeError> {
        let open = |reader: &SegmentReader| {
            let fast = reader.fast_fields();
            let text = |field| columns.text_of(field).map(|text| fast.str(&text.shown_name)).transpose();
            Ok(Segment {
                row: fast.u64(column::ROW)?,
                state: fast.u64(column::STATE)?,
                facts: fast.u64(column::FACTS)?,
                sensor: text(Field::Sensor)?.flatten(),
                marking: fast.str(column::MARKING)?,
            })
        };
        let segments = searcher.segment_readers().iter().map(open).collect::<tantivy::Result<_>>();
        Ok(Self { searcher, columns, facts, segments: segments.map_err(index_error)? })
    }

    /// The row of a service.
    pub(super) fn find(&self, key: &ServiceKey, row: u64) -> Result<Option<Standing<'_>>, LakeError> {
        let term = Term::from_field_bytes(self.columns.network, &network_bytes(key.address));
        self.first(&term, |segment, doc| segment.row.first(doc) == Some(row))
    }

    /// A committed record of this content that some row still holds.
    pub(super) fn record_of(&self, content: &ContentHash) -> Result<Option<u64>, LakeError> {
        let term = Term::from_field_u64(self.columns.content, content_number(content));
        let Some(standing) = self.first(&term, |_, _| true)? else { return Ok(None) };
        let Some(offset) = standing.offset() else { return Ok(None) };
        Ok((self.facts.content(offset)? == *content).then_some(offset))
    }

    /// A query for these rows, told by address and number.
    pub(super) fn rows_of(&self, rows: Vec<(IpAddr, u64)>) -> Box<dyn Query> {
        let mut by_network: BTreeMap<[u8; 7], Vec<u64>> = BTreeMap::new();
        for (address, row) in rows {
            by_network.entry(network_bytes(address)).or_default().push(row);
        }
        by_network.values_mut().for_each(|rows| rows.sort_unstable());
        Box::new(RowsOf { field: self.columns.network, rows: Arc::new(by_network) })
    }

    fn first(&self, term: &Term, wanted: impl Fn(&Segment, DocId) -> bool) -> Result<Option<Standing<'_>>, LakeError> {
        for (reader, segment) in self.searcher.segment_readers().iter().zip(&self.segments) {
            let inverted = reader.inverted_index(term.field()).map_err(index_error)?;
            let postings = inverted.read_postings(term, IndexRecordOption::Basic);
            let Some(mut postings) = postings.map_err(super::files::io("read the index"))? else { continue };
            while postings.doc() != TERMINATED {
                let doc = postings.doc();
                if !reader.is_deleted(doc) && wanted(segment, doc) {
                    return Ok(Some(Standing { reader, segment, facts: self.facts, doc }));
                }
                postings.advance();
            }
        }
        Ok(None)
    }
}

impl Standing<'_> {
    pub(super) fn is_open(&self) -> bool {
        self.state() == State::Open
    }

    pub(super) fn state(&self) -> State {
        State::read(self.segment.state.first(self.doc).unwrap_or(State::Nothing as u64)).0
    }

    /// The sighting that it stands for, as far as it says it, and where its facts are.
    pub(super) fn again(&self, key: &ServiceKey, columns: &Columns) -> Result<(Update, Option<u64>), LakeError> {
        let fast = self.reader.fast_fields();
        let number = |name| Ok(fast.u64(name)?.first(self.doc));
        let (asn, then) = (number(column::ASN).map_err(index_error)?, number(column::AS_THEN).map_err(index_error)?);
        let number = |number: u64| u32::try_from(number).ok();
        let shown = |field| {
            let column =
                columns.text_of(field).map(|text| fast.str(&text.shown_name)).transpose().map_err(index_error)?;
            self.text(column.flatten().as_ref())
        };
        let told = self.told()?;
        let (facts, evidence, text) = told.map_or_else(Default::default, |(told, searched)| {
            let text = text_within(&searched, &told.facts).into();
            (told.facts, told.evidence, text)
        });
        let damaged = |what: &str| LakeError::damaged("the index", &format!("a row without {what}"));
        let sensor = self.sensor()?.map(|name| name.parse()).transpose().map_err(|_| damaged("a sensor"))?;
        let state = self.state();
        let sensor = match sensor {
            Some(sensor) => sensor,
            // Who found it closed is not said by its row.
            None if state == State::Nothing => "none".parse().map_err(|_| damaged("a sensor"))?,
            None => return Err(damaged("a sensor")),
        };
        let update = Update {
            key: *key,
            time: Timestamp::default(),
            outcome: match state {
                State::Open => Outcome::Open,
                State::Pseudo => Outcome::Pseudo,
                State::Nothing => Outcome::Closed,
            },
            sensor,
            content: self.content()?.unwrap_or_else(|| ContentHash::of(&[])),
            evidence,
            facts,
            text,
            asn: asn.and_then(number),
            other_then: then.map(|then| number(then).filter(|then| *then > 0)),
            operator: shown(Field::Operator)?,
            country: shown(Field::Country)?,
            prefecture: shown(Field::Prefecture)?,
            marking: self.marking()?.ok_or_else(|| damaged("a marking"))?,
            fresh: false,
        };
        Ok((update, self.offset()))
    }

    pub(super) fn content(&self) -> Result<Option<ContentHash>, LakeError> {
        self.offset().map(|offset| self.facts.content(offset)).transpose()
    }

    pub(super) fn sensor(&self) -> Result<Option<String>, LakeError> {
        self.text(self.segment.sensor.as_ref())
    }

    /// How it is marked; none where that cannot be read.
    pub(super) fn marking(&self) -> Result<Option<Marking>, LakeError> {
        let text = self.text(self.segment.marking.as_ref())?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn text(&self, column: Option<&StrColumn>) -> Result<Option<String>, LakeError> {
        let Some(column) = column else { return Ok(None) };
        let Some(ordinal) = column.ords().first(self.doc) else { return Ok(None) };
        let mut text = String::new();
        column.ord_to_str(ordinal, &mut text).map_err(super::files::io("read a column of the index"))?;
        Ok(Some(split_column_text(&text).1.to_owned()))
    }

    /// What it says, and the text that is searched.
    pub(super) fn told(&self) -> Result<Option<(Told, String)>, LakeError> {
        let read = |offset| Ok((self.facts.read(offset)?, self.facts.text(offset)?));
        self.offset().map(read).transpose()
    }

    fn offset(&self) -> Option<u64> {
        self.segment.facts.first(self.doc)
    }
}

/// Rows by network and number.
#[derive(Clone, Debug)]
struct RowsOf {
    field: TermField,
    rows: Arc<BTreeMap<[u8; 7], Vec<u64>>>,
}

impl Query for RowsOf {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for RowsOf {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let row = reader.fast_fields().u64(column::ROW)?;
        let inverted = reader.inverted_index(self.field)?;
        let mut docs = Vec::new();
        for (network, rows) in self.rows.iter() {
            let term = Term::from_field_bytes(self.field, network);
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while postings.doc() != TERMINATED {
                let number = row.first(postings.doc());
                if number.is_some_and(|number| rows.binary_search(&number).is_ok()) {
                    docs.push(postings.doc());
                }
                postings.advance();
            }
        }
        docs.sort_unstable();
        Ok(Box::new(Listed::new(docs.into())))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("rows to be deleted have no explanation ({doc})")))
    }
}

fn index_error(source: TantivyError) -> LakeError {
    LakeError::Index { what: "read the index".into(), source }
}
