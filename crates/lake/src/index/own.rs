//! What an asker may see, as a way into the index: where that is little, it is looked up before anything else.
//!
//! Two ways in: addresses and AS numbers that he holds, and markings that he may know wherever they are. The rows of each
//! segment that they lead to are kept from question to question ([`super::kept`]): segments do not change, and neither do
//! ways. At a hundred times the data nothing changes: what is looked up follows what the asker may see.

use std::sync::Arc;

use hinomi_model::{Marking, Timestamp};
use tantivy::query::{EnableScoring, Explanation, Query as Search, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError, Term};

use super::kept::Kept;
use super::listed::Listed;
use super::plan::Planner;
use super::prefix::Addresses;
use super::schema::Columns;
use crate::entitlement::{Entitlement, Held};

/// The most ranges and AS numbers that are looked up before anything else.
const MAX_RANGES: usize = 256;
/// The most markings of a segment that are looked through for those that are known anywhere.
const MAX_MARKINGS: u64 = 1_024;
/// A segment of at most so many rows may be all his.
const SMALL_SEGMENT: u32 = 1 << 16;

/// The rows of a segment in which all lies that the asker may see; none where they are too many to be a way in.
pub(super) type Way = Option<Arc<[DocId]>>;

/// What the asker may see, segment by segment.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// In the order of the segments.
    segments: Arc<[(tantivy::index::SegmentId, Arc<[DocId]>)]>,
    pub(super) rows: u64,
}

/// Addresses, AS numbers and markings that lead to all that a grant lets through.
struct Ways<'a> {
    ranges: Vec<Addresses>,
    asns: Vec<u32>,
    may: &'a Entitlement,
}

impl<'a> Ways<'a> {
    /// Those of an asker; none where he has too many.
    fn of(may: &'a Entitlement) -> Option<Self> {
        let mut ways = Self { ranges: Vec::new(), asns: Vec::new(), may };
        for held in ways_in(may) {
            ways.ranges.extend(held.spans().map(|(low, high)| Addresses { low, high }).take(MAX_RANGES + 1));
            ways.asns.extend(held.asns().take(MAX_RANGES + 1));
            if ways.ranges.len() + ways.asns.len() > MAX_RANGES || !ways.ranges.iter().all(|one| one.is_narrow()) {
                return None;
            }
        }
        Some(ways)
    }

    /// The rows of a segment to which they lead.
    fn rows(&self, reader: &SegmentReader, columns: &Columns) -> tantivy::Result<Way> {
        let most = if reader.max_doc() <= SMALL_SEGMENT { reader.max_doc() } else { reader.max_doc() / 4 };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut docs = Vec::new();
        for range in &self.ranges {
            range.rows(columns, reader, &mut docs)?;
            if docs.len() > most {
                return Ok(None);
            }
        }
        let Some(markings) = self.known_anywhere(reader, columns)? else { return Ok(None) };
        let of_asn =
            |asn: &u32| [columns.asn, columns.as_then].map(|column| Term::from_field_u64(column, u64::from(*asn)));
        for term in self.asns.iter().flat_map(of_asn).chain(markings) {
            let inverted = reader.inverted_index(term.field())?;
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while postings.doc() != TERMINATED {
                docs.push(postings.doc());
                postings.advance();
            }
            if docs.len() > most {
                return Ok(None);
            }
        }
        docs.sort_unstable();
        docs.dedup();
        Ok(Some(docs.into()))
    }

    /// The terms of markings that the asker may know wherever they are, before an embargo ends or after; none where there
    /// are too many.
    fn known_anywhere(&self, reader: &SegmentReader, columns: &Columns) -> tantivy::Result<Option<Vec<Term>>> {
        let anywhere: Vec<_> = self.may.grants().iter().filter(|grant| grant.held.is_empty()).collect();
        let mut known = Vec::new();
        if anywhere.is_empty() {
            return Ok(Some(known));
        }
        let fits = |marking: &Marking| {
            let ever = [i64::MIN, i64::MAX].map(Timestamp::from_micros);
            anywhere.iter().any(|grant| ever.iter().any(|now| grant.marks.fit(marking, *now)))
        };
        let inverted = reader.inverted_index(columns.marking)?;
        let mut terms = inverted.terms().stream()?;
        let mut looked = 0;
        while terms.advance() {
            looked += 1;
            if looked > MAX_MARKINGS {
                return Ok(None);
            }
            let Ok(text) = std::str::from_utf8(terms.key()) else { continue };
            if serde_json::from_str(text).is_ok_and(|marking| fits(&marking)) {
                known.push(Term::from_field_text(columns.marking, text));
            }
        }
        Ok(Some(known))
    }
}

/// Places in one of which each row lies that a grant with places lets through.
fn ways_in(may: &Entitlement) -> Vec<&Arc<Held>> {
    let mut ways: Vec<&Arc<Held>> = Vec::new();
    let mut placed: Vec<_> = may.grants().iter().filter(|grant| !grant.held.is_empty()).collect();
    placed.sort_by_key(|grant| grant.held.len());
    for grant in placed {
        let known = grant.held.iter().any(|held| ways.iter().any(|way| Arc::ptr_eq(way, held)));
        ways.extend(grant.held.first().filter(|_| !known));
    }
    ways
}

impl Planner<'_> {
    /// The asker's own way in; none where it would not be the quickest.
    pub(super) fn own(&self, may: &Entitlement, kept: &Kept) -> tantivy::Result<Option<Own>> {
        let Some(ways) = Ways::of(may) else { return Ok(None) };
        let mut segments = Vec::new();
        let (mut rows, mut all) = (0, 0);
        for reader in self.searcher.segment_readers() {
            let way = kept.way(reader.segment_id(), may, || ways.rows(reader, self.columns))?;
            let Some(way) = way else { return Ok(None) };
            rows += way.len() as u64;
            all += u64::from(reader.max_doc());
            segments.push((reader.segment_id(), way));
        }
        // A test of each row is quicker than going through most of them.
        let is_little = rows <= all / 4 || ways.ranges.len() + ways.asns.len() == 0;
        Ok(is_little.then(|| Own { segments: segments.into(), rows }))
    }
}

impl Search for Own {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Own {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let here = self.segments.iter().find(|(segment, _)| *segment == reader.segment_id());
        Ok(Box::new(Listed::new(here.map_or_else(Arc::default, |(_, rows)| Arc::clone(rows)))))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("a way in has no explanation ({doc})")))
    }
}
