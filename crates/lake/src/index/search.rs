//! Answering: pages, facets, everything, one host.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{Service, Timestamp};
use tantivy::collector::Count;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Term};

use super::collect::{Find, Found, Gate, Lot};
use super::compile::{Compiler, Trouble, is_narrow};
use super::cursor::{self, BY_ADDRESS, Rank};
use super::folder::index_error;
use super::plan::{Planner, afford};
use super::run::run;
use super::schema::State;
use super::segment::Rows;
use super::wish::{Wish, cost};
use super::{Index, Moment};
use crate::error::LakeError;
use crate::query::{AddressRanges, Clause, Field, Node, Query, Sort, Test, Trait, parse};
use crate::search::{MAX_LIMIT, Plan, SearchPage, SearchRequest};

/// How many matches one pass of [`Index::scan`] holds: about 16 MB.
pub(super) const SCAN_ROWS: usize = 131_072;

/// The least budget of a search that is kept to many addresses.
const LEAST_BUDGET_WITHIN: u64 = 200_000_000;

impl Index {
    /// Answers a search.
    pub(crate) fn search(&self, request: &SearchRequest) -> Result<SearchPage, LakeError> {
        let query = parse(&request.query)?;
        let wish = Wish::read(request)?;
        let sort = query.sort.unwrap_or(BY_ADDRESS);
        let after = request.cursor.as_deref().map(|text| cursor::read(text, sort)).transpose()?;
        let Some(moment) = self.moment()? else { return Ok(wish.empty_page()) };
        let (course, matches) = moment.planner().course(&query);
        let lot = request.sample.map(|sample| Lot::of(sample, matches));
        match &request.within {
            None => afford(cost(course.rows, lot), request.budget)?,
            Some(within) => moment.afford_within(course.rows, within, request.budget)?,
        }
        let limit = request.limit.min(MAX_LIMIT);
        // One more than asked for tells whether there is another page.
        let keep = if limit == 0 { 0 } else { limit + 1 };
        let asked = Asked { query: &query, sort, now: request.now, within: request.within.clone(), lot };
        let mut found = moment.find(&asked, after, keep, &wish)?;
        let more = found.rows.len() > limit;
        found.rows.truncate(limit);
        let last = found.rows.last().filter(|_| more);
        let next = last.map(|(rank, _)| cursor::write(rank, sort));
        let matches = moment.services(&found.rows)?;
        wish.page(found, matches, next, lot)
    }

    /// What a search would cost, and why.
    pub(crate) fn explain(&self, query: &str) -> Result<Plan, LakeError> {
        let query = parse(query)?;
        let Some(moment) = self.moment()? else {
            return Ok(Plan { matches: 0, rows: 0, threads: 1, steps: Vec::new() });
        };
        Ok(moment.planner().plan(&query))
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
        let asked = Asked { query: &query, sort: BY_ADDRESS, now, within: None, lot: None };
        let mut after = None;
        let mut handed = 0;
        loop {
            let found = moment.find(&asked, after.take(), SCAN_ROWS, &Wish::default())?;
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
        let asked = Asked { query: &query, sort: BY_ADDRESS, now: Timestamp::default(), within: None, lot: None };
        // At most two transports times every port.
        let found = moment.find(&asked, None, 1 << 17, &Wish::default())?;
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
    lot: Option<Lot>,
}

impl Moment {
    fn planner(&self) -> Planner<'_> {
        Planner { columns: &self.generation.columns, searcher: &self.searcher }
    }

    /// The same for who may see these addresses alone: neither the refusal nor what it says may tell how many rows
    /// others have. Of few addresses their own rows count; otherwise no small budget can be probed with.
    fn afford_within(&self, rows: u64, within: &AddressRanges, budget: Option<u64>) -> Result<(), LakeError> {
        let Some(budget) = budget else { return Ok(()) };
        let least = if is_narrow(within) { 0 } else { LEAST_BUDGET_WITHIN };
        let rows = match is_narrow(within) {
            true => self.planner().rows_within(within),
            false => rows,
        };
        let budget = budget.max(least);
        afford(rows, Some(budget)).map_err(|_| LakeError::TooCostly { rows: budget.saturating_add(1), budget })
    }

    fn find(&self, asked: &Asked<'_>, after: Option<Rank>, limit: usize, wish: &Wish) -> Result<Found, LakeError> {
        let trouble = Trouble::default();
        let columns = &self.generation.columns;
        let (facts, times) = (&self.generation.facts, &self.times);
        let facts_length = self.generation.payload()?.facts_length;
        let (planner, grams, now) = (self.planner(), &self.generation.grams, asked.now);
        let compiler = Compiler { columns, facts, times, now, planner, grams, facts_length, trouble: &trouble };
        let within = asked.within.as_deref();
        let search =
            compiler.compile(asked.query.filter.as_ref(), within).map_err(index_error("understand the query"))?;
        trouble.check()?;
        let (mut course, _) = self.planner().course(asked.query);
        course.cut &= !within.is_some_and(is_narrow);
        let gate = Gate {
            within: asked.within.clone(),
            closed: asked.query.mentions(Trait::Closed),
            pseudo: asked.query.mentions(Trait::Pseudo),
            lot: asked.lot,
        };
        let find = Find {
            columns: Arc::clone(columns),
            times: Arc::clone(times),
            gate,
            sort: asked.sort,
            after,
            limit,
            facets: wish.facets.iter().map(|(field, _)| *field).collect(),
            distinct: wish.distinct,
            histograms: wish.histograms.clone(),
        };
        let found = run(&self.searcher, &*search, &find, course).map_err(index_error("search the index"))?;
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
                services.push(rows.service(*doc_id, &self.generation.records)?);
            }
        }
        self.times.check()?;
        Ok(services)
    }
}
