//! Answering: pages, facets, everything, one host.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::{ContentHash, Service, Timestamp};
use tantivy::collector::Count;
use tantivy::query::{BooleanQuery, Query as Search, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Term};

use super::collect::{Find, Found, Gate, Lot};
use super::compile::{Compiler, Trouble};
use super::cursor::{self, BY_ADDRESS, Rank};
use super::document::{content_number, contents_of};
use super::eyes::Narrow;
use super::folder::index_error;
use super::plan::{Planner, afford};
use super::run::{Course, processors, run, side_by_side};
use super::schema::{Shown, State};
use super::segment::Rows;
use super::wish::{Wish, cost};
use super::{Index, Moment};
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::query::{Clause, Field, Node, Query, Sort, Test, Trait, parse};
use crate::search::{MAX_LIMIT, Plan, SearchPage, SearchRequest};

/// How many matches one pass of [`Index::scan`] holds: about 16 MB.
pub(super) const SCAN_ROWS: usize = 131_072;

/// So many services are read by one thread.
const SERVICES_TOGETHER: usize = 250;

/// The least budget of a search of who may not see all, where it is not looked up first what he may see.
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
            Some(may) => moment.afford_within(course.rows, &*moment.narrow(may)?, request.budget)?,
        }
        let limit = request.limit.min(MAX_LIMIT);
        // One more than asked for tells whether there is another page.
        let keep = if limit == 0 { 0 } else { limit + 1 };
        let asked = Asked { sort, lot, course: Some(course), ..Asked::of(&query, request.now, request.within.clone()) };
        let mut found = moment.find(&asked, after, keep, &wish)?;
        let more = found.rows.len() > limit;
        found.rows.truncate(limit);
        let last = found.rows.last().filter(|_| more);
        let next = last.map(|(rank, _)| cursor::write(rank, sort));
        let matches = moment.services(&found.rows, asked.within.as_ref())?;
        wish.page(found, matches, next, lot)
    }

    /// What a search would cost, and why.
    pub(crate) fn explain(&self, query: &str, within: Option<&Arc<Entitlement>>) -> Result<Plan, LakeError> {
        let query = parse(query)?;
        let Some(moment) = self.moment()? else {
            return Ok(Plan { matches: 0, rows: 0, threads: 1, steps: Vec::new() });
        };
        match within {
            None => Ok(moment.planner().plan(&query)),
            Some(may) => moment.plan_within(&query, may),
        }
    }

    /// Since when services that the asker may see, and that rest on this piece of evidence now, have answered; none where
    /// there are none.
    pub(crate) fn shows_evidence(
        &self,
        hash: &ContentHash,
        may: &Arc<Entitlement>,
    ) -> Result<Option<Timestamp>, LakeError> {
        let Some(moment) = self.moment()? else { return Ok(None) };
        let query = Query { filter: None, sort: None };
        let columns = &moment.generation.columns;
        let several = Term::from_field_u64(columns.evidence, content_number(hash));
        let alone = contents_of(hash).map(|number| Term::from_field_u64(columns.content, number));
        let by = alone.chain([several]).collect();
        let course = Some(Course { rows: 1, cut: false });
        let asked = Asked { by, course, ..Asked::of(&query, Timestamp::default(), Some(Arc::clone(may))) };
        let mut after = None;
        loop {
            let found = moment.find(&asked, after.take(), MAX_LIMIT, &Wish::default())?;
            let services = moment.services(&found.rows, Some(may))?;
            let show = services.iter().filter(|service| service.evidence.iter().any(|piece| piece.hash == *hash));
            if let Some(first) = show.map(|service| service.first_seen).min() {
                return Ok(Some(first));
            }
            match found.rows.into_iter().last() {
                // Another piece with the same first eight bytes: there are hardly two.
                Some((rank, _)) => after = Some(rank),
                None => return Ok(None),
            }
        }
    }

    /// Hands over every match in the order of (address, port), and gives how many there were. Holds at most
    /// [`SCAN_ROWS`] matches at a time; all of them are of one moment.
    pub(crate) fn scan(
        &self,
        query: &str,
        now: Timestamp,
        within: Option<&Arc<Entitlement>>,
        each: &mut dyn FnMut(Service) -> Result<(), LakeError>,
    ) -> Result<u64, LakeError> {
        let query = parse(query)?;
        let Some(moment) = self.moment()? else { return Ok(0) };
        let asked = Asked::of(&query, now, within.cloned());
        let mut after = None;
        let mut handed = 0;
        loop {
            let found = moment.find(&asked, after.take(), SCAN_ROWS, &Wish::default())?;
            for part in found.rows.chunks(MAX_LIMIT) {
                for service in moment.services(part, within)? {
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
    pub(crate) fn services_of(
        &self,
        address: IpAddr,
        within: Option<&Arc<Entitlement>>,
    ) -> Result<Vec<Service>, LakeError> {
        let Some(moment) = self.moment()? else { return Ok(Vec::new()) };
        let clause = Clause { field: Field::Ip, tests: vec![Test::Address(address.to_canonical())] };
        let query = Query { filter: Some(Node::Clause(clause)), sort: None };
        let asked = Asked::of(&query, Timestamp::default(), within.cloned());
        // At most two transports times every port.
        let found = moment.find(&asked, None, 1 << 17, &Wish::default())?;
        moment.services(&found.rows, within)
    }
}

/// Services in the index, closed and pretending ones too.
pub(super) fn count(moment: &Moment) -> u64 {
    let count = |(state, shown): (State, Shown)| {
        let term = Term::from_field_u64(moment.generation.columns.state, state.number(shown));
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        moment.searcher.search(&query, &Count).unwrap_or(0)
    };
    let never = [Shown::All, Shown::Wide].map(|shown| (State::Nothing, shown));
    let lanes = [State::Open, State::Pseudo, State::Nothing].map(|state| (state, Shown::Narrow));
    let hidden: usize = never.into_iter().chain(lanes).map(count).sum();
    moment.searcher.num_docs().saturating_sub(hidden as u64)
}

/// A question, read.
struct Asked<'a> {
    query: &'a Query,
    sort: Sort,
    now: Timestamp,
    within: Option<Arc<Entitlement>>,
    lot: Option<Lot>,
    /// Terms of which rows must have one besides; none is no matter.
    by: Vec<Term>,
    /// How it runs, where that was looked up.
    course: Option<Course>,
}

impl<'a> Asked<'a> {
    /// All of it, by address and port.
    const fn of(query: &'a Query, now: Timestamp, within: Option<Arc<Entitlement>>) -> Self {
        Self { query, sort: BY_ADDRESS, now, within, lot: None, by: Vec::new(), course: None }
    }
}

impl Moment {
    fn planner(&self) -> Planner<'_> {
        Planner { columns: &self.generation.columns, searcher: &self.searcher }
    }

    /// The same for who may not see all: neither the refusal nor what it says may tell how many rows others have, so no
    /// small budget can be probed with.
    fn afford_within(&self, rows: u64, may: &Narrow, budget: Option<u64>) -> Result<(), LakeError> {
        let Some(budget) = budget else { return Ok(()) };
        let budget = budget.max(LEAST_BUDGET_WITHIN);
        let own = may.own(&self.planner()).map_err(index_error("look up what may be seen"))?;
        let rows = own.map_or(rows, |own| own.rows);
        afford(rows, Some(budget)).map_err(|_| LakeError::TooCostly { rows: budget.saturating_add(1), budget })
    }

    /// A plan that knows of nothing but what the asker may see: it is counted, not estimated.
    fn plan_within(&self, query: &Query, may: &Arc<Entitlement>) -> Result<Plan, LakeError> {
        let count = |filter: Option<Node>| {
            let query = Query { filter, sort: None };
            let asked = Asked::of(&query, Timestamp::default(), Some(Arc::clone(may)));
            Ok::<u64, LakeError>(self.find(&asked, None, 0, &Wish::default())?.total)
        };
        let (matches, rows) = (count(query.filter.clone())?, count(None)?);
        let mut steps = query.filter.as_ref().map_or_else(Vec::new, Planner::parts);
        steps.iter_mut().for_each(|step| step.matches = rows);
        Ok(Plan { matches, rows, threads: 1, steps })
    }

    fn narrow(&self, may: &Arc<Entitlement>) -> Result<Arc<Narrow>, LakeError> {
        let lanes = self.generation.lanes_of(&self.searcher)?;
        let (kept, segments) = (Arc::clone(&self.generation.kept), Arc::clone(&self.generation.segments));
        Ok(Arc::new(Narrow::new(Arc::clone(may), lanes, kept, segments)))
    }

    fn find(&self, asked: &Asked<'_>, after: Option<Rank>, limit: usize, wish: &Wish) -> Result<Found, LakeError> {
        let trouble = Trouble::default();
        let columns = &self.generation.columns;
        let (facts, times, segments) = (&self.generation.facts, &self.times, &self.generation.segments);
        let facts_length = || Ok(self.generation.payload()?.facts_length);
        let (planner, contents, now) = (self.planner(), &self.generation.contents, asked.now);
        let narrow = asked.within.as_ref().map(|may| self.narrow(may)).transpose()?;
        let within = narrow.as_ref();
        let compiler = Compiler {
            columns,
            segments,
            facts,
            times,
            now,
            within,
            planner,
            contents,
            facts_length: &facts_length,
            trouble: &trouble,
            passes: Cell::new(0),
        };
        let mut search = compiler.compile(asked.query.filter.as_ref()).map_err(index_error("understand the query"))?;
        trouble.check()?;
        if !asked.by.is_empty() {
            let each =
                |term: &Term| Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic)) as Box<dyn Search>;
            let by = Box::new(BooleanQuery::union(asked.by.iter().map(each).collect()));
            search = Box::new(BooleanQuery::intersection(vec![search, by]));
        }
        let mut course = asked.course.unwrap_or_else(|| self.planner().course(asked.query).0);
        let own = within.map(|may| may.own(&self.planner())).transpose();
        if let Some(own) = own.map_err(index_error("look up what may be seen"))?.flatten() {
            (course.cut, course.rows) = (false, course.rows.min(own.rows));
        }
        let gate = Gate {
            within: narrow.clone(),
            closed: asked.query.mentions(Trait::Closed),
            pseudo: asked.query.mentions(Trait::Pseudo),
            lot: asked.lot,
        };
        let find = Find {
            columns: Arc::clone(columns),
            times: Arc::clone(times),
            segments: Arc::clone(segments),
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
    fn services(
        &self,
        rows: &[(Rank, DocAddress)],
        within: Option<&Arc<Entitlement>>,
    ) -> Result<Vec<Service>, LakeError> {
        let narrow = within.map(|may| self.narrow(may)).transpose()?;
        let parts =
            |at: usize| self.some_services(rows.chunks(SERVICES_TOGETHER).nth(at).unwrap_or_default(), narrow.as_ref());
        let threads = if rows.len() > SERVICES_TOGETHER { processors() } else { 1 };
        let mut services = Vec::with_capacity(rows.len());
        for part in side_by_side(rows.len().div_ceil(SERVICES_TOGETHER), threads, parts) {
            services.extend(part?);
        }
        self.times.check()?;
        Ok(services)
    }

    fn some_services(
        &self,
        rows: &[(Rank, DocAddress)],
        narrow: Option<&Arc<Narrow>>,
    ) -> Result<Vec<Service>, LakeError> {
        let mut open: BTreeMap<u32, Rows> = BTreeMap::new();
        let mut services = Vec::with_capacity(rows.len());
        for (_, DocAddress { segment_ord, doc_id }) in rows {
            if !open.contains_key(segment_ord) {
                let reader = self.searcher.segment_reader(*segment_ord);
                let rows = Rows::open(reader, &self.generation.segments, Arc::clone(&self.times), narrow);
                open.insert(*segment_ord, rows.map_err(index_error("read the index"))?);
            }
            if let Some(rows) = open.get(segment_ord) {
                services.push(rows.service(*doc_id, &self.generation.records)?);
            }
        }
        Ok(services)
    }
}
