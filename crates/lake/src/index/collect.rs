//! What is gathered of the matches: how many, how often which values, and the first of them after the cursor.
//!
//! Rows come by the block of 64. A block is first held against the [`Gate`], then counted, then offered to the page.
//! What a broad query costs a match: one read of the row number and of its times (whether it was found closed), a
//! table or dictionary number for each facet, and for the page one number to compare with the worst one kept; address
//! and port are read only of rows that get so far.

use std::sync::Arc;

use tantivy::{DocAddress, DocId, SegmentReader, TantivyError};

use super::block::{BLOCK, Block};
use super::cursor::Rank;
use super::distinct::Pairs;
use super::eyes::Narrow;
use super::facet::{Counter, Counts};
use super::histogram::{Columned, Histogram};
use super::mix::{ByNumber, mix_wide};
use super::opened::{Opened, Segments};
use super::order::{Lead, Local, Order};
use super::plain::Numbers;
use super::schema::{Columns, State};
use super::segment::Life;
use super::things::Things;
use super::times::View;
use crate::query::{Field, Sort};
use crate::search::Distinct;

/// Which rows may be shown at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    /// What the asker is entitled to; none is all.
    pub(super) within: Option<Arc<Narrow>>,
    /// Services last found closed, too.
    pub(super) closed: bool,
    /// What only pretends, too.
    pub(super) pseudo: bool,
    /// Only these of the services, chosen by lot; none is all.
    pub(super) lot: Option<Lot>,
}

/// Which services a sample takes: those whose hash is below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) seed: u64,
    pub(super) below: u64,
}

impl Lot {
    /// Whether the service at a spot is taken.
    pub(super) const fn takes(&self, (address, place): (u128, u64)) -> bool {
        mix_wide(address, self.seed ^ (place << 32)) < self.below
    }
}

impl Gate {
    /// Leaves of a block what passes.
    fn hold(&self, block: &mut Block, here: &Here) {
        let Here { life, opened, .. } = here;
        if !life.all_open() {
            block.retain(|_, doc| match life.state(doc) {
                State::Open => true,
                State::Pseudo => self.pseudo,
                State::Nothing => false,
            });
        }
        life.leave_visible(block);
        if let Some(lot) = self.lot {
            block.retain(|_, doc| lot.takes(opened.spots.get(doc)));
        }
        if !self.closed {
            life.leave_open(block);
        }
    }
}

/// What to find.
pub(super) struct Find {
    pub(super) columns: Arc<Columns>,
    pub(super) times: Arc<View>,
    pub(super) gate: Gate,
    pub(super) segments: Arc<Segments>,
    pub(super) sort: Sort,
    pub(super) after: Option<Rank>,
    /// How many rows to keep.
    pub(super) limit: usize,
    pub(super) facets: Vec<Field>,
    /// What different things are counted of: by facet value, or without facets over all.
    pub(super) distinct: Option<Field>,
    pub(super) histograms: Vec<Columned>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) total: u64,
    /// The first rows after the cursor, in order.
    pub(super) rows: Vec<(Rank, DocAddress)>,
    /// Counts of each facet asked for, in that order.
    pub(super) facets: Vec<Counts>,
    /// How many different things all matches together have.
    pub(super) distinct: Option<Distinct>,
    /// Counts of each histogram asked for, in that order.
    pub(super) histograms: Vec<ByNumber<u64>>,
}

/// What is read of a segment.
struct Here {
    opened: Arc<Opened>,
    life: Life,
    order: Order,
    after: Option<Local>,
    /// The small numbers of addresses.
    smalls: Numbers,
}

/// What was found in a part of a segment.
pub(super) struct Part {
    pub(super) segment: u32,
    gate: Gate,
    here: Here,
    things: Option<Things>,
    /// Different things over all.
    pairs: Option<Pairs>,
    counters: Vec<Counter>,
    histograms: Vec<Histogram>,
    best: Best,
    total: u64,
}

impl Find {
    /// Begins with a part of a segment; `parts` are there in all, with about so many rows to look at in the segment.
    pub(super) fn part(&self, segment: u32, reader: &SegmentReader, parts: usize, rows: u64) -> tantivy::Result<Part> {
        let opened = self.segments.of(reader)?;
        let spots = &opened.spots;
        let order = Order::open(reader, &self.columns, self.sort)?;
        let after = self.after.as_ref().map(|rank| order.localise(rank, spots)).transpose()?;
        let of = (&*self.columns, &*opened);
        let things = self.distinct.map(|field| Things::open(reader, of, field, rows)).transpose()?;
        let pairs = || self.distinct.map(|_| Pairs::of_parts(parts * self.facets.len().max(1)));
        let counters = self.facets.iter().map(|field| Counter::open(reader, of, *field, rows, pairs()));
        let histograms = self.histograms.iter().map(|asked| Histogram::open(reader, *asked));
        let (times, within) = (Arc::clone(&self.times), self.gate.within.as_ref());
        let life = Life::open(reader, Arc::clone(&opened), times, within, rows)?;
        Ok(Part {
            segment,
            gate: self.gate.clone(),
            things,
            pairs: if self.facets.is_empty() { pairs() } else { None },
            counters: counters.collect::<tantivy::Result<_>>()?,
            histograms: histograms.collect::<tantivy::Result<_>>()?,
            best: Best { kept: Vec::new(), limit: self.limit, worst: None },
            total: 0,
            here: Here { smalls: opened.smalls(if self.limit > 0 { rows } else { 0 }), opened, life, order, after },
        })
    }

    /// Puts the parts together; those of one segment stand side by side.
    pub(super) fn merge(&self, parts: Vec<Part>) -> Result<Found, TantivyError> {
        let mut segments: Vec<Part> = Vec::new();
        for part in parts {
            match segments.last_mut() {
                Some(last) if last.segment == part.segment => last.join(part),
                _ => segments.push(part),
            }
        }
        let mut whole = Found {
            facets: self.facets.iter().map(|_| Counts::default()).collect(),
            histograms: self.histograms.iter().map(|_| ByNumber::default()).collect(),
            ..Found::default()
        };
        let mut pairs = Pairs::of_parts(1);
        for part in segments {
            part.finish(&mut whole, &mut pairs)?;
        }
        whole.distinct = self.distinct.filter(|_| self.facets.is_empty()).map(|_| pairs.count().of(0));
        // No two rows stand at one place.
        let order = |(a, _): &(Rank, _), (b, _): &(Rank, _)| match self.sort.field {
            Field::Address => a.spot.cmp(&b.spot),
            _ => a.compare(b, self.sort.descending),
        };
        if whole.rows.len() > self.limit {
            whole.rows.select_nth_unstable_by(self.limit, order);
            whole.rows.truncate(self.limit);
        }
        whole.rows.sort_unstable_by(order);
        Ok(whole)
    }
}

impl Part {
    /// Takes a block of matches.
    pub(super) fn take(&mut self, block: &mut Block) {
        self.gate.hold(block, &self.here);
        if block.is_empty() {
            return;
        }
        self.total += block.len() as u64;
        if let Some(things) = &mut self.things {
            things.look(block);
            if let Some(pairs) = &mut self.pairs {
                (0..block.len()).for_each(|at| things.of(at).iter().for_each(|thing| pairs.put(0, *thing)));
            }
        }
        let things = self.things.as_ref();
        self.counters.iter_mut().for_each(|counter| counter.count(block, things));
        self.histograms.iter_mut().for_each(|histogram| histogram.count(block, &self.here.life));
        if self.best.limit > 0 {
            self.best.offer(block, &self.here);
        }
    }

    /// Adds another part of the same segment.
    pub(super) fn join(&mut self, other: Self) {
        self.total += other.total;
        self.counters.iter_mut().zip(other.counters).for_each(|(mine, theirs)| mine.join(theirs));
        if let (Some(mine), Some(theirs)) = (&mut self.pairs, other.pairs) {
            mine.add(theirs, |value| value);
        }
        self.histograms.iter_mut().zip(other.histograms).for_each(|(mine, theirs)| mine.join(theirs));
        self.best.kept.extend(other.best.kept);
        self.best.shrink();
    }

    fn finish(self, whole: &mut Found, pairs: &mut Pairs) -> Result<(), TantivyError> {
        let Self { segment, here, counters, histograms, best, total, .. } = self;
        whole.total += total;
        for (local, doc) in best.finish() {
            let rank = here.order.globalise(&local, &here.opened.spots)?;
            whole.rows.push((rank, DocAddress::new(segment, doc)));
        }
        for (sum, counter) in whole.facets.iter_mut().zip(counters) {
            sum.add(counter)?;
        }
        for (sum, histogram) in whole.histograms.iter_mut().zip(histograms) {
            histogram.finish().into_iter().for_each(|(grain, count)| *sum.entry(grain).or_default() += count);
        }
        if let Some(mine) = self.pairs {
            pairs.add(mine, |value| value);
        }
        Ok(())
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
    fn offer(&mut self, block: &Block, here: &Here) {
        let (mut leads, mut smalls) = ([Lead::default(); BLOCK], [0; BLOCK]);
        here.order.leads(block, &here.life, &mut leads);
        // Most rows stand behind what is kept, and their addresses need not be read.
        let by_service = here.order.is_by_service();
        let is_behind = |worst: Local| leads.iter().take(block.len()).all(|lead| *lead > worst.lead());
        if !by_service && self.worst.is_some_and(is_behind) {
            return;
        }
        here.smalls.each(block, |at, small| smalls.get_mut(at).into_iter().for_each(|slot| *slot = small));
        // By address alone one comparison tells.
        let bound = self.worst.filter(|_| by_service).map_or(u64::MAX, |worst| worst.small());
        for ((doc, small), lead) in block.iter().zip(smalls).zip(leads).filter(|((_, small), _)| *small <= bound) {
            let first = Local::first(lead, small);
            if self.worst.is_some_and(|worst| first > worst) {
                continue;
            }
            let local = first.at(here.opened.spots.place(*doc));
            let passed = here.after.is_some_and(|after| local <= after);
            if passed || self.worst.is_some_and(|worst| local >= worst) {
                continue;
            }
            self.kept.push((local, *doc));
            if self.kept.len() >= self.limit.saturating_mul(2) {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        if self.kept.len() > self.limit {
            self.kept.select_nth_unstable(self.limit);
            self.worst = self.kept.get(self.limit).map(|(local, _)| *local);
            self.kept.truncate(self.limit);
        }
    }

    fn finish(mut self) -> Vec<(Local, DocId)> {
        self.shrink();
        self.kept
    }
}
