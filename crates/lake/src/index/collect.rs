//! One pass over the matches: how many, how often which values, and the first of them after the cursor.

use std::cmp::Ordering;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocAddress, DocId, Score, SegmentReader, TantivyError};

use super::cursor::Rank;
use super::facet::{Counter, Counts};
use super::order::{Local, Order};
use super::schema::{Columns, State};
use super::segment::{Life, Spots};
use super::times::View;
use crate::query::{AddressRanges, Field, Sort};

/// Which rows may be shown at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    /// Addresses that the asker is entitled to; none is all.
    pub(super) within: Option<Arc<AddressRanges>>,
    /// Services last found closed, too.
    pub(super) closed: bool,
    /// What only pretends, too.
    pub(super) pseudo: bool,
}

impl Gate {
    fn passes(&self, life: &Life, spots: &Spots, doc: DocId) -> bool {
        let shown = match life.state(doc) {
            State::Open => true,
            State::Pseudo => self.pseudo,
            State::Nothing => false,
        };
        shown
            && self.within.as_ref().is_none_or(|within| within.contains_number(spots.address(doc)))
            && (self.closed || !life.seen(doc).is_closed())
    }
}

/// What to find.
pub(super) struct Find {
    pub(super) columns: Arc<Columns>,
    pub(super) times: Arc<View>,
    pub(super) gate: Gate,
    pub(super) sort: Sort,
    pub(super) after: Option<Rank>,
    /// How many rows to keep.
    pub(super) limit: usize,
    pub(super) facets: Vec<Field>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) total: u64,
    /// The first rows after the cursor, in order.
    pub(super) rows: Vec<(Rank, DocAddress)>,
    /// Counts of each facet asked for, in that order.
    pub(super) facets: Vec<Counts>,
}

impl Collector for Find {
    type Fruit = Found;
    type Child = FindHere;

    fn for_segment(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<FindHere> {
        let order = Order::open(reader, &self.columns, self.sort)?;
        let after = self.after.as_ref().map(|rank| order.localise(rank)).transpose()?;
        let counters = self.facets.iter().map(|field| Counter::open(reader, &self.columns, *field));
        Ok(FindHere {
            segment,
            gate: self.gate.clone(),
            life: Life::open(reader, Arc::clone(&self.times))?,
            spots: Spots::open(reader)?,
            counters: counters.collect::<tantivy::Result<_>>()?,
            best: Best { kept: Vec::new(), limit: self.limit, worst: None },
            order,
            after,
            total: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, parts: Vec<Result<Found, TantivyError>>) -> tantivy::Result<Found> {
        let mut whole = Found { facets: self.facets.iter().map(|_| Counts::default()).collect(), ..Found::default() };
        for part in parts {
            let part = part?;
            whole.total += part.total;
            whole.rows.extend(part.rows);
            whole.facets.iter_mut().zip(part.facets).for_each(|(sum, counts)| sum.add(counts));
        }
        whole.rows.sort_by(|(a, _), (b, _)| a.compare(b, self.sort.descending));
        whole.rows.truncate(self.limit);
        Ok(whole)
    }
}

/// The same within one segment.
pub(super) struct FindHere {
    segment: u32,
    gate: Gate,
    life: Life,
    spots: Spots,
    order: Order,
    after: Option<Local>,
    counters: Vec<Counter>,
    best: Best,
    total: u64,
}

impl SegmentCollector for FindHere {
    type Fruit = Result<Found, TantivyError>;

    fn collect(&mut self, doc: DocId, _: Score) {
        if !self.gate.passes(&self.life, &self.spots, doc) {
            return;
        }
        self.total += 1;
        self.counters.iter_mut().for_each(|counter| counter.count(doc));
        if self.best.limit == 0 {
            return;
        }
        let local = self.order.local(doc, &self.life, &self.spots);
        if self.after.as_ref().is_none_or(|after| local > *after) {
            self.best.offer(local, doc);
        }
    }

    fn harvest(self) -> Self::Fruit {
        let Self { segment, order, counters, best, total, .. } = self;
        let ranked = |(local, doc): (Local, DocId)| Ok((order.globalise(&local)?, DocAddress::new(segment, doc)));
        let rows = best.finish().into_iter().map(ranked).collect::<Result<_, TantivyError>>()?;
        let facets = counters.into_iter().map(Counter::finish).collect::<Result<_, TantivyError>>()?;
        Ok(Found { total, rows, facets })
    }
}

/// The first rows in order, kept in room for twice as many.
struct Best {
    kept: Vec<(Local, DocId)>,
    limit: usize,
    /// Nothing from here on can be among them.
    worst: Option<Local>,
}

impl Best {
    fn offer(&mut self, local: Local, doc: DocId) {
        if self.worst.as_ref().is_some_and(|worst| local.cmp(worst) != Ordering::Less) {
            return;
        }
        self.kept.push((local, doc));
        if self.kept.len() >= self.limit.saturating_mul(2) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.kept.len() > self.limit {
            self.kept.select_nth_unstable(self.limit);
            self.worst = self.kept.get(self.limit).map(|(local, _)| local.clone());
            self.kept.truncate(self.limit);
        }
    }

    fn finish(mut self) -> Vec<(Local, DocId)> {
        self.shrink();
        self.kept
    }
}
