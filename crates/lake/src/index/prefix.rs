//! Addresses of a range, as a query: the one place that knows under which terms addresses are found.

use std::ops::Bound;

use hinomi_model::address::from_u128;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{BooleanQuery, InvertedIndexRangeQuery, Query as Search, RangeQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, Term};

use super::address::Addresses as Column;
use super::document::address_v6;
use super::schema::Columns;
use super::standing::network_bytes;

/// Ranges of at most so many addresses are ranges of terms; longer ones a scan of the column. A /16 of IPv4.
const MAX_V4_ADDRESSES: u128 = 1 << 16;
/// The same for IPv6: a /32.
const MAX_V6_ADDRESSES: u128 = 1 << 96;
/// Addresses of one term: a /24 of IPv4.
const TERM_V4_ADDRESSES: u128 = 1 << 8;
/// The same for IPv6: a /48.
const TERM_V6_ADDRESSES: u128 = 1 << 80;
/// The most terms of a segment that are counted for an estimate.
const MAX_COUNTED_TERMS: u64 = 4_096;

/// A range of addresses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) low: u128,
    pub(super) high: u128,
}

impl Addresses {
    /// Whether the range is looked up by its terms.
    pub(super) fn is_narrow(self) -> bool {
        let is_v4 = from_u128(self.low).is_ipv4();
        let most = if is_v4 { MAX_V4_ADDRESSES } else { MAX_V6_ADDRESSES };
        // Terms of both kinds do not stand side by side.
        is_v4 == from_u128(self.high).is_ipv4() && self.high - self.low < most
    }

    /// The rows of these addresses.
    pub(super) fn query(self, columns: &Columns) -> Box<dyn Search> {
        if self.is_narrow() {
            let end = |number| Term::from_field_bytes(columns.network, &network_bytes(from_u128(number)));
            let (first, last) = (Bound::Included(end(self.low)), Bound::Included(end(self.high)));
            let networks: Box<dyn Search> = Box::new(InvertedIndexRangeQuery::new(first, last));
            if self.is_of_whole_terms() {
                return networks;
            }
            return Box::new(BooleanQuery::intersection(vec![networks, self.test()]));
        }
        let end = |number| Bound::Included(Term::from_field_ip_addr(columns.address, address_v6(from_u128(number))));
        Box::new(RangeQuery::new(end(self.low), end(self.high)))
    }

    /// A test on the address of each candidate: two small numbers to compare with.
    fn test(self) -> Box<dyn Search> {
        let make = move |reader: &SegmentReader| {
            let column = Column::open(reader)?;
            let first = column.find(self.low).0;
            let beyond = self.high.checked_add(1).map_or(u32::MAX, |next| column.find(next).0);
            Ok(move |doc: DocId| (first..beyond).contains(&column.small(doc)))
        };
        Box::new(DocPredicateQuery::from(FunctionPredicate::from(make)))
    }

    /// Adds the rows of a segment that have these addresses; the range is narrow.
    pub(super) fn rows(
        self,
        columns: &Columns,
        reader: &SegmentReader,
        column: &Column,
        docs: &mut Vec<DocId>,
    ) -> tantivy::Result<()> {
        let (first, last) = (network_bytes(from_u128(self.low)), network_bytes(from_u128(self.high)));
        let from = column.find(self.low).0;
        let beyond = self.high.checked_add(1).map_or(u32::MAX, |next| column.find(next).0);
        let inverted = reader.inverted_index(columns.network)?;
        let mut terms = inverted.terms().range().ge(first).le(last).into_stream()?;
        while terms.advance() {
            let mut postings = inverted.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while postings.doc() != TERMINATED {
                let doc = postings.doc();
                if (from..beyond).contains(&column.small(doc)) {
                    docs.push(doc);
                }
                postings.advance();
            }
        }
        Ok(())
    }

    fn is_of_whole_terms(self) -> bool {
        let each = if from_u128(self.low).is_ipv4() { TERM_V4_ADDRESSES } else { TERM_V6_ADDRESSES };
        self.low.is_multiple_of(each) && (self.high % each) == each - 1
    }

    /// At most so many rows, by the terms; all of a segment that has many.
    pub(super) fn bound(self, columns: &Columns, searcher: &Searcher) -> u64 {
        let each = searcher.segment_readers().iter().map(|reader| {
            let all = u64::from(reader.max_doc());
            if !self.is_narrow() {
                return all;
            }
            self.count(columns, reader).unwrap_or(all).min(all)
        });
        each.sum()
    }

    fn count(self, columns: &Columns, reader: &tantivy::SegmentReader) -> Option<u64> {
        let (first, last) = (network_bytes(from_u128(self.low)), network_bytes(from_u128(self.high)));
        let inverted = reader.inverted_index(columns.network).ok()?;
        let mut terms = inverted.terms().range().ge(first).le(last).into_stream().ok()?;
        let mut count = 0;
        while terms.advance() {
            count += u64::from(terms.value().doc_freq);
            if count > MAX_COUNTED_TERMS {
                return None;
            }
        }
        Some(count)
    }
}
