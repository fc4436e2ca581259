//! Answering: pages, facets, everything, one host.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{Service, Timestamp};
use tantivy::collector::Count;
use tantivy::query::{Query as Search, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Term};

use super::collect::{Find, Found, Gate};
use super::compile::{Compiler, Trouble};
use super::cursor::{self, BY_ADDRESS, Rank};
use super::folder::index_error;
use super::schema::State;
use super::segment::Rows;
use super::{Index, Moment};
use crate::error::LakeError;
use crate::query::{AddressRanges, Clause, Field, Node, Query, QueryError, Sort, Test, Trait, parse};
use crate::search::{FacetCount, FacetRequest, MAX_FACET_VALUES, MAX_LIMIT, SearchPage, SearchRequest};

/// How many matches one pass of [`Index::scan`] holds: about 16 MB.
pub(super) const SCAN_ROWS: usize = 131_072;

/// The most facets of one search.
const MAX_FACETS: usize = 48;

impl Index {
    /// Answers a search.
    pub(crate) fn search(&self, request: &SearchRequest) -> Result<SearchPage, LakeError> {
        let query = parse(&request.query)?;
        let facets = facet_fields(&request.facets)?;
        let sort = query.sort.unwrap_or(BY_ADDRESS);
        let after = request.cursor.as_deref().map(|text| cursor::read(text, sort)).transpose()?;
        let Some(moment) = self.moment()? else { return Ok(empty_page(&facets)) };
        let limit = request.limit.min(MAX_LIMIT);
        // One more than asked for tells whether there is another page.
        let keep = if limit == 0 { 0 } else { limit + 1 };
        let asked = Asked { query: &query, sort, now: request.now, within: request.within.clone() };
        let fields = facets.iter().map(|(field, _)| *field).collect();
        let mut found = moment.find(&asked, after, keep, fields)?;
        let more = found.rows.len() > limit;
        found.rows.truncate(limit);
        let last = found.rows.last().filter(|_| more);
        let next = last.map(|(rank, _)| cursor::write(rank, sort));
        let counts = facets.iter().zip(found.facets);
        let named = counts.map(|((field, size), counts)| (field.name().to_owned(), counts.most(*size))).collect();
        let matches = moment.services(&found.rows)?;
        Ok(SearchPage { total: found.total, matches, facets: named, next })
    }

    /// Hands over every match in the order of (address, port), and gives how many there were. Holds at most
    /// [`SCAN_ROWS`] matches at a time; all of them are of one moment.
    pub(crate) fn scan(
        &self,
        query: &str,
        now: Timestamp,
        each: &mut dyn FnMut(Service) -> Result<(), LakeError>,
    ) -> Result<u64, LakeError> {
        let query = parse(query)?;
        let Some(moment) = self.moment()? else { return Ok(0) };
        let asked = Asked { query: &query, sort: BY_ADDRESS, now, within: None };
        let mut after = None;
        let mut handed = 0;
        loop {
            let found = moment.find(&asked, after.take(), SCAN_ROWS, Vec::new())?;
            for part in found.rows.chunks(MAX_LIMIT) {
                for service in moment.services(part)? {
                    each(service)?;
                    handed += 1;
                }
            }
            match found.rows.into_iter().last() {
                Some((rank, _)) => after = Some(rank),
                None => return Ok(handed),
            }
        }
    }

    /// The services of one address as last seen, by port; without those that are closed or pretend.
    pub(crate) fn services_of(&self, address: IpAddr) -> Result<Vec<Service>, LakeError> {
        let Some(moment) = self.moment()? else { return Ok(Vec::new()) };
        let clause = Clause { field: Field::Ip, tests: vec![Test::Address(address.to_canonical())] };
        let query = Query { filter: Some(Node::Clause(clause)), sort: None };
        let asked = Asked { query: &query, sort: BY_ADDRESS, now: Timestamp::default(), within: None };
        // At most two transports times every port.
        let found = moment.find(&asked, None, 1 << 17, Vec::new())?;
        moment.services(&found.rows)
    }
}

/// Services in the index, closed and pretending ones too.
pub(super) fn count(moment: &Moment) -> u64 {
    let nothing = Term::from_field_u64(moment.generation.columns.state, State::Nothing as u64);
    let query = TermQuery::new(nothing, IndexRecordOption::Basic);
    let hidden = moment.searcher.search(&query, &Count).unwrap_or(0);
    moment.searcher.num_docs().saturating_sub(hidden as u64)
}

/// A question, read.
struct Asked<'a> {
    query: &'a Query,
    sort: Sort,
    now: Timestamp,
    within: Option<Arc<AddressRanges>>,
}

impl Moment {
    fn find(
        &self,
        asked: &Asked<'_>,
        after: Option<Rank>,
        limit: usize,
        facets: Vec<Field>,
    ) -> Result<Found, LakeError> {
        let trouble = Trouble::default();
        let columns = &self.generation.columns;
        let (facts, times) = (&self.generation.facts, &self.times);
        let compiler = Compiler { columns, facts, times, now: asked.now, trouble: &trouble };
        let search: Box<dyn Search> =
            compiler.compile(asked.query.filter.as_ref()).map_err(index_error("understand the query"))?;
        let gate = Gate {
            within: asked.within.clone(),
            closed: asked.query.mentions(Trait::Closed),
            pseudo: asked.query.mentions(Trait::Pseudo),
        };
        let (columns, times) = (Arc::clone(columns), Arc::clone(times));
        let find = Find { columns, times, gate, sort: asked.sort, after, limit, facets };
        let found = self.searcher.search(&*search, &find).map_err(index_error("search the index"))?;
        trouble.check()?;
        self.times.check()?;
        Ok(found)
    }

    /// The services of rows, in their order.
    fn services<'a>(&self, rows: impl IntoIterator<Item = &'a (Rank, DocAddress)>) -> Result<Vec<Service>, LakeError> {
        let mut open: BTreeMap<u32, Rows> = BTreeMap::new();
        let mut services = Vec::new();
        for (_, DocAddress { segment_ord, doc_id }) in rows {
            if !open.contains_key(segment_ord) {
                let reader = self.searcher.segment_reader(*segment_ord);
                let rows = Rows::open(reader, &self.generation.columns, Arc::clone(&self.times));
                open.insert(*segment_ord, rows.map_err(index_error("read the index"))?);
            }
            if let Some(rows) = open.get(segment_ord) {
                services.push(rows.service(*doc_id, &self.generation.facts)?);
            }
        }
        self.times.check()?;
        Ok(services)
    }
}

fn facet_fields(requests: &[FacetRequest]) -> Result<Vec<(Field, usize)>, QueryError> {
    if requests.len() > MAX_FACETS {
        let error = QueryError::new(0, 0, format!("a search may count {MAX_FACETS} fields"));
        return Err(error.ja(format!("一度に数えられる項目は {MAX_FACETS} 個までです")));
    }
    let field = |request: &FacetRequest| {
        let found = Field::named(&request.field).filter(|info| info.facet);
        let refuse = || {
            let all: Vec<&str> = Field::facet_names().collect();
            let name: String = request.field.chars().take(40).collect();
            let all = all.join(", ");
            let error = QueryError::new(0, 0, format!("cannot count by {name:?}; fields that can be counted: {all}"));
            error.ja(format!("{name:?} では数えられません。数えられる項目: {all}"))
        };
        found.map(|info| (info.field, request.size.min(MAX_FACET_VALUES))).ok_or_else(refuse)
    };
    requests.iter().map(field).collect()
}

fn empty_page(facets: &[(Field, usize)]) -> SearchPage {
    let none: BTreeMap<String, Vec<FacetCount>> =
        facets.iter().map(|(field, _)| (field.name().to_owned(), Vec::new())).collect();
    SearchPage { total: 0, matches: Vec::new(), facets: none, next: None }
}
