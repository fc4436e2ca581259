//! When each row was seen: in memory by chunks, on disk as a file and a log of touches.
//!
//! Seeing an unchanged service again costs 14 bytes at the end of a log, and nothing else. Every number is written so
//! that greater is newer knowledge and 0 is none: merging is taking the greater, in any order, any number of times.
//! That is why touches may be applied twice, and why other processes may read while one writes. Rows have no times of
//! their own: all that is known of them is here.
//!
//! - [`log`] is appended to with every applied version, before the commit of its rows.
//! - [`base`] is everything up to some version; when the log is long, or nobody writes any more, memory is written as a new base,
//!   with a new log.
//! - Chunks are read from the base when they are first asked for: 24 bytes a service at most.
//!
//! At a hundred times the data: 2.4 GB of memory at a hundred million services; folding writes what a base holds, some
//! five bytes a service, once for each [`MAX_LOG_BYTES`] of touches.

mod base;
mod log;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use base::Base;
use log::{Head, Log};

use crate::error::LakeError;

const ROW_NUMBERS: usize = 3;
const CHUNK_ROWS: usize = 4_096;
/// A log is folded into the base when it has so many bytes and half of what the rows take in memory.
const MIN_LOG_BYTES: u64 = 16 << 20;
/// A log is folded when it has so many bytes, however many rows there are.
const MAX_LOG_BYTES: u64 = 512 << 20;
/// A log that is left behind by who ends may have so many bytes.
pub(super) const LAST_LOG_BYTES: u64 = 4 << 20;
/// How often a reader looks again when the writer folds at that moment.
const MAX_LOOKS: u32 = 8;

/// Times of one service, microseconds; what is absent was never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) last: Option<i64>,
    pub(super) first: Option<i64>,
    pub(super) closed: Option<i64>,
}

impl Seen {
    /// Everything that either knows.
    pub(super) fn merge(self, other: Self) -> Self {
        Self::of(std::array::from_fn(|at| {
            let pick = |numbers: [u64; ROW_NUMBERS]| numbers.get(at).copied().unwrap_or(0);
            pick(self.numbers()).max(pick(other.numbers()))
        }))
    }

    /// Whether it was found closed after it last answered.
    pub(super) fn is_closed(self) -> bool {
        self.closed.is_some() && self.closed > self.last
    }

    fn numbers(self) -> [u64; ROW_NUMBERS] {
        let rising = |time: Option<i64>| time.map_or(0, |time| tantivy::i64_to_u64(time).max(1));
        let falling = self.first.map_or(0, |time| (!tantivy::i64_to_u64(time)).max(1));
        [rising(self.last), falling, rising(self.closed)]
    }

    fn of([last, first, closed]: [u64; ROW_NUMBERS]) -> Self {
        Self { last: rising(last), first: (first > 0).then(|| tantivy::u64_to_i64(!first)), closed: rising(closed) }
    }
}

/// The moment of a number that grows with it.
fn rising(number: u64) -> Option<i64> {
    (number > 0).then(|| tantivy::u64_to_i64(number))
}

type Chunk = OnceLock<Rows>;

/// The numbers of some rows, and which of them are closed: most questions ask nothing else, or when they were last seen.
struct Rows {
    /// When each of them was last seen, then since when, then when closed.
    numbers: Box<[AtomicU64]>,
    /// One bit a row.
    closed: [AtomicU64; CHUNK_ROWS / 64],
}

impl Rows {
    fn new(numbers: Box<[AtomicU64]>) -> Self {
        let rows = Self { numbers, closed: std::array::from_fn(|_| AtomicU64::new(0)) };
        (0..CHUNK_ROWS).for_each(|row| rows.note(row));
        rows
    }

    fn number(&self, which: usize, row: usize) -> u64 {
        self.numbers.get(which * CHUNK_ROWS + row).map_or(0, |one| one.load(Ordering::Relaxed))
    }

    fn seen(&self, row: usize) -> Seen {
        Seen::of(std::array::from_fn(|which| self.number(which, row)))
    }

    fn merge(&self, row: usize, seen: Seen) {
        for (which, number) in seen.numbers().into_iter().enumerate() {
            if let Some(slot) = self.numbers.get(which * CHUNK_ROWS + row) {
                slot.fetch_max(number, Ordering::Relaxed);
            }
        }
        self.note(row);
    }

    fn note(&self, row: usize) {
        let Some(word) = self.closed.get(row / 64) else { return };
        let (bit, is_noted) = (1 << (row % 64), self.is_closed(row));
        match self.seen(row).is_closed() {
            true if !is_noted => drop(word.fetch_or(bit, Ordering::Relaxed)),
            false if is_noted => drop(word.fetch_and(!bit, Ordering::Relaxed)),
            _ => {}
        }
    }

    fn is_closed(&self, row: usize) -> bool {
        self.closed.get(row / 64).is_some_and(|word| word.load(Ordering::Relaxed) >> (row % 64) & 1 == 1)
    }
}

/// The rows as they stand; a writer's touches show at once, another process's with the next [`Times::view`].
pub(super) struct View {
    base: Option<Arc<Base>>,
    chunks: Vec<Arc<Chunk>>,
    /// The first chunk that could not be read; told to everybody from then on.
    trouble: Arc<OnceLock<String>>,
}

impl View {
    fn of(base: Option<Base>) -> Self {
        let count = base.as_ref().map_or(0, |base| chunk_of(base.rows.saturating_sub(1)) + 1);
        Self { base: base.map(Arc::new), chunks: Vec::new(), trouble: Arc::default() }.grown(count)
    }

    fn grown(&self, count: usize) -> Self {
        let mut chunks = self.chunks.clone();
        chunks.resize_with(count.max(chunks.len()), Arc::default);
        Self { base: self.base.clone(), chunks, trouble: Arc::clone(&self.trouble) }
    }

    /// What is known of a row. A read error gives nothing and is told by [`View::check`].
    pub(super) fn get(&self, row: u64) -> Seen {
        self.place(row).map_or_else(Seen::default, |(chunk, row)| chunk.seen(row))
    }

    /// When a row was last seen; as [`Self::get`] for one that cannot be read.
    pub(super) fn last(&self, row: u64) -> Option<i64> {
        self.place(row).and_then(|(chunk, row)| rising(chunk.number(0, row)))
    }

    /// Whether a row was found closed after it last answered; as [`Self::get`] for one that cannot be read.
    pub(super) fn is_closed(&self, row: u64) -> bool {
        self.place(row).is_some_and(|(chunk, row)| chunk.is_closed(row))
    }

    /// Fails when any row could not be read, now or before: what is not known must not pass for never seen.
    pub(super) fn check(&self) -> Result<(), LakeError> {
        let Some(detail) = self.trouble.get() else { return Ok(()) };
        let detail = format!("{detail}; start again, or delete the index folder, it is built again");
        Err(LakeError::Damaged { what: "the times of the index".to_owned(), detail })
    }

    fn place(&self, row: u64) -> Option<(&Rows, usize)> {
        Some((self.chunk(chunk_of(row))?, usize::try_from(row).ok()? % CHUNK_ROWS))
    }

    fn chunk(&self, number: usize) -> Option<&Rows> {
        let chunk = self.chunks.get(number)?;
        if chunk.get().is_none() {
            let loaded = self.load(number).inspect_err(|error| drop(self.trouble.set(error.to_string()))).ok()?;
            // Another may have been faster with the same.
            let _ = chunk.set(Rows::new(loaded));
        }
        chunk.get()
    }

    fn load(&self, number: usize) -> io::Result<Box<[AtomicU64]>> {
        let nothing = || std::iter::repeat_with(AtomicU64::default).take(CHUNK_ROWS * ROW_NUMBERS).collect();
        self.base.as_ref().map_or_else(|| Ok(nothing()), |base| base.chunk(number))
    }

    fn merge(&self, row: u64, seen: Seen) {
        if let Some((chunk, row)) = self.place(row) {
            chunk.merge(row, seen);
        }
    }
}

fn chunk_of(row: u64) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX) / CHUNK_ROWS
}

/// Base and log, open.
pub(super) struct Times {
    folder: PathBuf,
    writable: bool,
    state: Mutex<State>,
    view: RwLock<Arc<View>>,
}

struct State {
    generation: u64,
    log: Log,
    /// Bytes of the log that are in memory.
    taken: u64,
    /// Bytes of the log that are good; who reads looks how many there are.
    length: u64,
    /// Version of the sightings table that is known to be in here.
    version: Option<u64>,
    /// The newest version of any frame.
    seen: Option<u64>,
    /// No row has this number or a greater one.
    next_row: u64,
}

impl Times {
    /// Opens base and log. Who writes says which version the rows were committed with.
    pub(super) fn open(folder: &Path, writable: bool, committed: Option<u64>) -> Result<Self, LakeError> {
        let (state, base) = State::open(folder, writable && committed.is_none(), writable)?;
        let view = RwLock::new(Arc::new(View::of(base)));
        let this = Self { folder: folder.to_owned(), writable, state: Mutex::new(state), view };
        if writable {
            this.state().mend(committed)?;
            this.remove_others(this.state().generation);
        }
        Ok(this)
    }

    /// The rows as they stand now.
    pub(super) fn view(&self) -> Result<Arc<View>, LakeError> {
        let mut state = self.state();
        if !self.writable {
            self.follow(&mut state)?;
        }
        if state.taken < state.length {
            self.take(&mut state)?;
        }
        Ok(self.current())
    }

    /// The newest version of the sightings table that is applied by what is here alone.
    pub(super) fn version(&self) -> Option<u64> {
        self.state().version
    }

    /// No row has this number or a greater one.
    pub(super) fn next_row(&self) -> u64 {
        self.state().next_row
    }

    /// Merges what is now known of some rows; on disk when it returns. `commits` says whether the version is applied
    /// with that, or only with the commit of rows.
    pub(super) fn touch(
        &self,
        (version, commits): (u64, bool),
        next_row: u64,
        touches: &[(u64, Seen)],
    ) -> Result<(), LakeError> {
        self.view()?;
        let mut state = self.state();
        let offset = state.length;
        let head = state.log.append(offset, (version, commits), next_row, touches)?;
        (state.length, state.taken) = (offset + head.length(), offset + head.length());
        state.heed(&head);
        drop(state);
        let greatest = touches.iter().map(|(row, _)| *row).max().unwrap_or(0);
        let view = self.grown_to(greatest);
        touches.iter().for_each(|(row, seen)| view.merge(*row, *seen));
        view.check()
    }

    /// Writes memory as a new base when the log has become long. `version` is what was applied.
    pub(super) fn fold_if_due(&self, version: Option<u64>) -> Result<(), LakeError> {
        let view = self.view()?;
        let mut state = self.state();
        let half = (view.chunks.len() * CHUNK_ROWS * ROW_NUMBERS * 4) as u64;
        if state.length < MIN_LOG_BYTES.max(half).min(MAX_LOG_BYTES) {
            return Ok(());
        }
        self.fold(&mut state, &view, version)
    }

    /// The same when nobody writes any more, of a log that who opens next would have to read whole: beside what the base has
    /// it is no small part.
    pub(super) fn fold_at_end(&self, version: Option<u64>, least: u64) -> Result<(), LakeError> {
        let view = self.view()?;
        let mut state = self.state();
        let base = fs::metadata(self.folder.join(FILE)).map_or(0, |found| found.len());
        if state.length < least.max(base / 8) {
            return Ok(());
        }
        self.fold(&mut state, &view, version)
    }

    fn fold(&self, state: &mut State, view: &View, version: Option<u64>) -> Result<(), LakeError> {
        let generation = state.generation + 1;
        let log = Log::create(&self.folder, generation)?;
        let path = self.folder.join(FILE);
        let load = |number: usize| {
            view.chunk(number);
            view.check()
        };
        let base = Base::write(&path, (generation, state.next_row, version), view, load)?;
        // Every chunk is in memory: the new base is for who opens later.
        let trouble = Arc::clone(&view.trouble);
        let fresh = View { base: base.map(Arc::new), chunks: view.chunks.clone(), trouble };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        *state = State { generation, log, taken: 0, length: 0, version, seen: version, next_row: state.next_row };
        self.remove_others(generation);
        Ok(())
    }

    /// A reader looks whether the writer folded, and how long the log is.
    fn follow(&self, state: &mut State) -> Result<(), LakeError> {
        let path = self.folder.join(FILE);
        for _ in 0..MAX_LOOKS {
            let standing = if path.exists() { Base::generation_at(&path)? } else { 0 };
            if standing == state.generation {
                state.length = state.log.length()?;
                return Ok(());
            }
            match State::open(&self.folder, false, false) {
                Ok((fresh, base)) => {
                    *state = fresh;
                    *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(View::of(base));
                }
                // Folded once more between one look and the next.
                Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(LakeError::OtherIndex)
    }

    /// Takes what the log holds beyond what is in memory.
    fn take(&self, state: &mut State) -> Result<(), LakeError> {
        while let Some(head) = state.log.head(state.taken, state.length)? {
            let mut touches = Vec::new();
            let good = state.log.touches(state.taken, &head, &mut |row, seen| touches.push((row, seen)))?;
            let next = state.taken + head.length();
            if !good && next < state.length {
                return Err(state.log.damaged(state.taken));
            }
            if !good {
                return Ok(());
            }
            let greatest = touches.iter().map(|(row, _)| *row).max().unwrap_or(0);
            let view = self.grown_to(greatest);
            touches.iter().for_each(|(row, seen)| view.merge(*row, *seen));
            view.check()?;
            state.taken = next;
            state.heed(&head);
        }
        Ok(())
    }

    fn current(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn grown_to(&self, row: u64) -> Arc<View> {
        let view = self.current();
        if view.chunks.len() > chunk_of(row) {
            return view;
        }
        let grown = Arc::new(view.grown(chunk_of(row) + 1));
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&grown);
        grown
    }

    /// Removes logs of other generations. What cannot be removed is in nobody's way.
    fn remove_others(&self, generation: u64) {
        let own = log::path(&self.folder, generation);
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let logs = entries.flatten().map(|entry| entry.path());
        let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
        logs.filter(|path| is_log(path) && *path != own).for_each(|path| drop(fs::remove_file(path)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of the base.
const FILE: &str = "times.bin";

impl State {
    fn open(folder: &Path, fresh: bool, writable: bool) -> Result<(Self, Option<Base>), LakeError> {
        let base = Base::open(&folder.join(FILE))?;
        let generation = base.as_ref().map_or(0, |base| base.generation);
        if writable && !fresh && !log::path(folder, generation).exists() {
            let detail = "the log of touches is gone; delete the index folder, it is built again".to_owned();
            return Err(LakeError::Damaged { what: folder.display().to_string(), detail });
        }
        let log = Log::open(folder, generation, writable)?;
        let (version, next_row) = base.as_ref().map_or((None, 0), |base| (base.version, base.rows));
        let length = log.length()?;
        Ok((Self { generation, log, taken: 0, length, version, seen: version, next_row }, base))
    }

    /// Cuts an incomplete frame off the end.
    fn mend(&mut self, committed: Option<u64>) -> Result<(), LakeError> {
        let mut offset = 0;
        while let Some(head) = self.log.head(offset, self.length)? {
            let next = offset + head.length();
            if !self.log.touches(offset, &head, &mut |_, _| ())? {
                if next < self.length {
                    return Err(self.log.damaged(offset));
                }
                break;
            }
            self.heed(&head);
            offset = next;
        }
        if offset < self.length {
            self.log.cut(offset)?;
            self.length = offset;
        }
        if self.seen < committed {
            return Err(self.log.damaged(offset));
        }
        Ok(())
    }

    fn heed(&mut self, head: &Head) {
        self.next_row = self.next_row.max(head.next_row);
        self.seen = self.seen.max(Some(head.version));
        if head.commits() {
            self.version = self.version.max(Some(head.version));
        }
    }
}
