//! What an asker may see, as a way into the index: where that is little, it is looked up before anything else.
//!
//! Two ways in: addresses and AS numbers that he holds, and markings that he may know wherever they are. The rows of each
//! segment that they lead to are kept from question to question ([`super::kept`]): segments do not change, and neither do
//! ways. At a hundred times the data nothing changes: what is looked up follows what the asker may see.

use std::sync::Arc;

use hinomi_model::{Marking, Timestamp};
use tantivy::index::SegmentId;
use tantivy::query::{AllQuery, EnableScoring, Explanation, Query as Search, Scorer, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError, Term};

use super::kept::Kept;
use super::listed::Listed;
use super::opened::Segments;
use super::plan::Planner;
use super::prefix::Addresses;
use super::schema::Columns;
use crate::entitlement::{Entitlement, Held};

/// The most ranges and AS numbers that are looked up before anything else.
const MAX_RANGES: usize = 256;
/// The most markings of a segment that are looked through for those that are known anywhere.
const MAX_MARKINGS: u64 = 1_024;
/// So many rows may be listed of any segment; of a larger one a quarter.
const LISTED_ROWS: u32 = 1 << 16;

/// The rows of a segment in which all lies that the asker may see; none is every row.
pub(super) type Way = Option<Arc<[DocId]>>;

/// What the asker may see, segment by segment.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// In the order of the segments.
    segments: Arc<[(SegmentId, Way)]>,
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
    fn rows(&self, reader: &SegmentReader, columns: &Columns, segments: &Segments) -> tantivy::Result<Way> {
        let most = usize::try_from(LISTED_ROWS.max(reader.max_doc() / 4)).unwrap_or(usize::MAX);
        let mut docs = Vec::new();
        let opened = segments.of(reader)?;
        for range in &self.ranges {
            range.rows(columns.network, reader, &opened.spots.addresses, &mut docs)?;
            if are_many(&mut docs, most) {
                return Ok(None);
            }
        }
        let Some(markings) = self.known_anywhere(reader, columns)? else { return Ok(None) };
        let of_asn =
            |asn: &u32| [columns.asn, columns.as_then].map(|column| Term::from_field_u64(column, u64::from(*asn)));
        for term in self.asns.iter().flat_map(of_asn).chain(markings) {
            let inverted = reader.inverted_index(term.field())?;
            if usize::try_from(inverted.doc_freq(&term)?).unwrap_or(usize::MAX) > most {
                return Ok(None);
            }
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while postings.doc() != TERMINATED {
                docs.push(postings.doc());
                postings.advance();
            }
            if are_many(&mut docs, most) {
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

/// Whether there are more than so many rows, each once.
fn are_many(docs: &mut Vec<DocId>, most: usize) -> bool {
    if docs.len() > most {
        docs.sort_unstable();
        docs.dedup();
    }
    docs.len() > most
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
    pub(super) fn own(&self, may: &Entitlement, kept: &Kept, segments: &Segments) -> tantivy::Result<Option<Own>> {
        let Some(ways) = Ways::of(may) else { return Ok(None) };
        let mut listed = Vec::new();
        let (mut rows, mut all) = (0, 0);
        for reader in self.searcher.segment_readers() {
            let way = kept.way(reader.segment_id(), may, || ways.rows(reader, self.columns, segments))?;
            let here = u64::from(reader.max_doc());
            rows += way.as_ref().map_or(here, |rows| rows.len() as u64);
            all += here;
            listed.push((reader.segment_id(), way));
        }
        // A test of each row is quicker than going through most of them.
        let is_little = rows <= all / 4 || ways.ranges.len() + ways.asns.len() == 0;
        Ok(is_little.then(|| Own { segments: listed.into(), rows }))
    }
}

impl Search for Own {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(OwnWeight { own: self.clone(), every: AllQuery.weight(scoring)? }))
    }
}

struct OwnWeight {
    own: Own,
    every: Box<dyn Weight>,
}

impl Weight for OwnWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let here = self.own.segments.iter().find(|(segment, _)| *segment == reader.segment_id());
        match here {
            Some((_, Some(rows))) => Ok(Box::new(Listed::new(Arc::clone(rows)))),
            Some((_, None)) => self.every.scorer(reader, boost),
            None => Ok(Box::new(Listed::new(Arc::default()))),
        }
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("a way in has no explanation ({doc})")))
    }
}
