//! Addresses of a range, as a query: the one place that knows under which terms addresses are found.

use std::ops::Bound;
use std::sync::Arc;

use hinomi_model::address::from_u128;
use tantivy::query::{EnableScoring, Explanation, Query as Search, RangeQuery, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED, TantivyError, Term};

use super::address::Addresses as Column;
use super::document::address_v6;
use super::listed::Listed;
use super::opened::Segments;
use super::schema::Columns;
use super::standing::network_bytes;

/// Ranges of at most so many addresses are ranges of terms; longer ones a scan of the column. A /16 of IPv4.
const MAX_V4_ADDRESSES: u128 = 1 << 16;
/// The same for IPv6: a /32.
const MAX_V6_ADDRESSES: u128 = 1 << 96;
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
    pub(super) fn query(self, columns: &Columns, segments: &Arc<Segments>) -> Box<dyn Search> {
        if self.is_narrow() {
            return Box::new(Narrow { range: self, network: columns.network, segments: Arc::clone(segments) });
        }
        let end = |number| Bound::Included(Term::from_field_ip_addr(columns.address, address_v6(from_u128(number))));
        Box::new(RangeQuery::new(end(self.low), end(self.high)))
    }

    /// Adds the rows of a segment that have these addresses; the range is narrow.
    pub(super) fn rows(
        self,
        network: Field,
        reader: &SegmentReader,
        column: &Column,
        docs: &mut Vec<DocId>,
    ) -> tantivy::Result<()> {
        let (first, last) = (network_bytes(from_u128(self.low)), network_bytes(from_u128(self.high)));
        let from = column.find(self.low).0;
        let beyond = self.high.checked_add(1).map_or(u32::MAX, |next| column.find(next).0);
        let inverted = reader.inverted_index(network)?;
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

/// The rows of a narrow range: found by its terms, and listed.
#[derive(Clone, Debug)]
struct Narrow {
    range: Addresses,
    network: Field,
    segments: Arc<Segments>,
}

impl Search for Narrow {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Narrow {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let (opened, mut docs) = (self.segments.of(reader)?, Vec::new());
        self.range.rows(self.network, reader, &opened.spots.addresses, &mut docs)?;
        docs.sort_unstable();
        Ok(Box::new(Listed::new(docs.into())))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("a range of addresses has no explanation ({doc})")))
    }
}
