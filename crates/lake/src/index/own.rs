//! What an asker may see, as a way into the index: where that is little, it is looked up before anything else.
//!
//! Two ways in: addresses and AS numbers that he holds, and markings that he may know wherever they are. At a hundred
//! times the data nothing changes: what is looked up follows what the asker may see.

use std::sync::Arc;

use hinomi_model::Marking;
use tantivy::query::{Query as Search, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{SegmentReader, Term};

use super::plan::Planner;
use super::prefix::Addresses;
use super::schema::Columns;
use crate::entitlement::{Entitlement, Held};

/// The most ranges and AS numbers that are looked up before anything else.
const MAX_RANGES: usize = 64;
/// The most markings of a segment that are looked through for those that are known anywhere.
const MAX_MARKINGS: u64 = 1_024;

/// What the asker may see, and at most how many rows that is.
pub(super) struct Own {
    ranges: Vec<Addresses>,
    terms: Vec<Term>,
    pub(super) rows: u64,
}

impl Own {
    /// Queries of which at least one holds for each row that the asker may see.
    pub(super) fn queries(self, columns: &Columns) -> Vec<Box<dyn Search>> {
        let ranges = self.ranges.into_iter().map(|range| range.query(columns));
        let term = |term| Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn Search>;
        ranges.chain(self.terms.into_iter().map(term)).collect()
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
    pub(super) fn own(&self, may: &Entitlement) -> Option<Own> {
        let (mut ranges, mut terms) = (Vec::new(), Vec::new());
        for held in ways_in(may) {
            let spans = held.spans().map(|(low, high)| Addresses { low, high });
            ranges.extend(spans.take(MAX_RANGES + 1));
            let both =
                |asn| [self.columns.asn, self.columns.as_then].map(|is| Term::from_field_u64(is, u64::from(asn)));
            terms.extend(held.asns().flat_map(both).take(MAX_RANGES + 1));
            if ranges.len() + terms.len() > MAX_RANGES || !ranges.iter().all(|range| range.is_narrow()) {
                return None;
            }
        }
        terms.extend(self.known_anywhere(may)?);
        let by_range = ranges.iter().map(|range| range.bound(self.columns, self.searcher));
        let by_term = terms.iter().map(|term| self.searcher.doc_freq(term).unwrap_or(0));
        let rows = by_range.chain(by_term).fold(0, u64::saturating_add);
        let all: u64 = self.searcher.segment_readers().iter().map(|reader| u64::from(reader.max_doc())).sum();
        // A test of each row is quicker than a union of most of them.
        (rows <= all / 4 || ranges.len() + terms.len() == 0).then_some(Own { ranges, terms, rows })
    }

    /// The terms of markings that the asker may know wherever they are; none where there are too many.
    fn known_anywhere(&self, may: &Entitlement) -> Option<Vec<Term>> {
        let anywhere: Vec<_> = may.grants().iter().filter(|grant| grant.held.is_empty()).collect();
        let mut known = Vec::new();
        if anywhere.is_empty() {
            return Some(known);
        }
        for reader in self.searcher.segment_readers() {
            self.add_known(
                reader,
                &|marking| anywhere.iter().any(|grant| grant.marks.fit(marking, may.now())),
                &mut known,
            )?;
        }
        known.sort_unstable();
        known.dedup();
        Some(known)
    }

    fn add_known(&self, reader: &SegmentReader, fits: &dyn Fn(&Marking) -> bool, known: &mut Vec<Term>) -> Option<()> {
        let inverted = reader.inverted_index(self.columns.marking).ok()?;
        let mut terms = inverted.terms().stream().ok()?;
        let mut looked = 0;
        while terms.advance() {
            looked += 1;
            if looked > MAX_MARKINGS {
                return None;
            }
            let Ok(text) = std::str::from_utf8(terms.key()) else { continue };
            if serde_json::from_str(text).is_ok_and(|marking| fits(&marking)) {
                known.push(Term::from_field_text(self.columns.marking, text));
            }
        }
        Some(())
    }
}
