//! Passing over the matches, segments and parts of large segments side by side.
//!
//! A broad query is cut into parts of at most [`PART_ROWS`] rows, which threads take one after the other. A narrow one
//! is answered where it is asked: starting threads would take longer than looking. A query that looks into a whole
//! segment before the first match (a wildcard, a range of terms) is not cut within segments.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tantivy::query::{EnableScoring, Query as Search, Weight};
use tantivy::{DocId, Searcher};

use super::block::Block;
use super::collect::{Find, Found, Part};

/// The most rows of a segment that one thread takes at a time.
const PART_ROWS: DocId = 1 << 19;
/// From so many rows to look at on several threads look.
const THREADS_FROM_ROWS: u64 = 50_000;
/// The most threads of one search: others search too.
const MAX_THREADS: usize = 8;

/// How a query wants to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// About how many rows are looked at, of all segments.
    pub(super) rows: u64,
    /// Whether a segment may be cut.
    pub(super) cut: bool,
}

/// A part of a segment.
#[derive(Clone, Copy)]
struct Cut {
    segment: u32,
    from: DocId,
    until: DocId,
}

/// Everything that matches.
pub(super) fn run(searcher: &Searcher, query: &dyn Search, find: &Find, course: Course) -> tantivy::Result<Found> {
    let weight = query.weight(EnableScoring::disabled_from_searcher(searcher))?;
    let threads = threads(course.rows);
    let cuts = cuts(searcher, if course.cut && threads > 1 { PART_ROWS } else { DocId::MAX });
    let one = |cut: Cut| part(searcher, &*weight, find, cut, (cuts.len(), course.rows));
    if threads == 1 || cuts.len() < 2 {
        let parts = cuts.iter().filter_map(|cut| one(*cut).transpose()).collect::<tantivy::Result<_>>()?;
        return find.merge(parts);
    }
    // Put together as they come: what is held follows threads and segments, not parts.
    let sums = Mutex::new(BTreeMap::<u32, Part>::new());
    let each = |cut: Cut| {
        let Some(part) = one(cut)? else { return Ok(()) };
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        match sums.get_mut(&part.segment) {
            Some(sum) => sum.join(part),
            None => drop(sums.insert(part.segment, part)),
        }
        Ok(())
    };
    side_by_side(cuts.len(), threads, |at| cuts.get(at).copied().map_or(Ok(()), each))
        .into_iter()
        .collect::<tantivy::Result<()>>()?;
    let parts = sums.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect();
    find.merge(parts)
}

/// How many threads to use for so many rows.
pub(super) fn threads(rows: u64) -> usize {
    if rows < THREADS_FROM_ROWS {
        return 1;
    }
    processors()
}

/// The most threads that one piece of work is given.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS)
}

/// Does so many pieces of work on several threads; what comes of them stands in their order.
pub(crate) fn side_by_side<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let help = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let outcome = work(at);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, outcome));
        }
    };
    thread::scope(|scope| {
        (1..threads.min(count)).for_each(|_| {
            scope.spawn(help);
        });
        help();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn cuts(searcher: &Searcher, rows: DocId) -> Vec<Cut> {
    let mut all = Vec::new();
    for (segment, reader) in (0_u32..).zip(searcher.segment_readers()) {
        let mut from = 0;
        while from < reader.max_doc() {
            let until = from.saturating_add(rows).min(reader.max_doc());
            all.push(Cut { segment, from, until });
            from = until;
        }
    }
    all
}

/// None where nothing is in it.
fn part(
    searcher: &Searcher,
    weight: &dyn Weight,
    find: &Find,
    Cut { segment, from, until }: Cut,
    (parts, rows): (usize, u64),
) -> tantivy::Result<Option<Part>> {
    let reader = searcher.segment_reader(segment);
    let alive = reader.alive_bitset();
    let mut scorer = weight.scorer(reader, 1.0)?;
    if scorer.doc() < from {
        scorer.seek(from);
    }
    if scorer.doc() >= until {
        return Ok(None);
    }
    let share = rows.min(u64::from(reader.max_doc()));
    let mut part = find.part(segment, reader, parts, share)?;
    let mut block = Block::new();
    loop {
        let count = scorer.fill_buffer(block.room());
        block.set_length(count);
        let last = block.last().copied();
        if last.is_some_and(|last| last >= until) {
            block.retain(|_, doc| doc < until);
        }
        if let Some(alive) = alive {
            block.retain(|_, doc| alive.is_alive(doc));
        }
        part.take(&mut block);
        if last.is_none_or(|last| last >= until) {
            return Ok(Some(part));
        }
    }
}
