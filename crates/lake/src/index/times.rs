//! `times.bin`: when each row was seen, updated in place, so that seeing an unchanged service again touches a few
//! bytes.
//!
//! ```text
//!   "hinomiT1"  generation u64  reserved 16 bytes  row*          (little endian)
//!   row = last seen | first seen, turned round | last found closed        three u64
//! ```
//!
//! A row of the index holds the times it was written with; this file holds what came later. Every number is written so
//! that greater is newer knowledge and 0 is none: merging is taking the greater, in any order, any number of times.
//! That is why a killed writer leaves nothing wrong here, and why other processes may read while one writes. The
//! generation grows with each batch, so that they notice.
//!
//! Rows are held in memory by chunks, loaded when first asked for: 24 bytes a service at most.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::files::{self, open, read_at, write_at};
use crate::error::LakeError;

const MAGIC: &[u8; 8] = b"hinomiT1";
const HEAD_BYTES: u64 = 32;
const ROW_NUMBERS: usize = 3;
const ROW_BYTES: u64 = 24;
const CHUNK_ROWS: usize = 4_096;
const CHUNK_BYTES: usize = CHUNK_ROWS * 24;

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
        let rising = |number: u64| (number > 0).then(|| tantivy::u64_to_i64(number));
        Self { last: rising(last), first: (first > 0).then(|| tantivy::u64_to_i64(!first)), closed: rising(closed) }
    }
}

type Chunk = OnceLock<Box<[AtomicU64]>>;

/// The rows as they stand; a writer's touches show at once, another process's with the next [`Times::view`].
pub(super) struct View {
    file: Arc<File>,
    generation: u64,
    chunks: Vec<Arc<Chunk>>,
    trouble: Mutex<Option<io::Error>>,
}

impl View {
    /// What this file knows of a row. A read error gives nothing and is told by [`View::check`].
    pub(super) fn get(&self, row: u64) -> Seen {
        let Some((chunk, at)) = self.place(row) else { return Seen::default() };
        let number = |offset: usize| chunk.get(at + offset).map_or(0, |number| number.load(Ordering::Relaxed));
        Seen::of([number(0), number(1), number(2)])
    }

    /// Fails when any row could not be read.
    pub(super) fn check(&self) -> Result<(), LakeError> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        trouble.map_or(Ok(()), |error| Err(files::io("read times.bin")(error)))
    }

    fn place(&self, row: u64) -> Option<(&[AtomicU64], usize)> {
        let row = usize::try_from(row).ok()?;
        let chunk = self.chunks.get(row / CHUNK_ROWS)?;
        let loaded = chunk.get_or_init(|| self.load(row / CHUNK_ROWS));
        Some((loaded, row % CHUNK_ROWS * ROW_NUMBERS))
    }

    fn load(&self, number: usize) -> Box<[AtomicU64]> {
        let mut bytes = vec![0; CHUNK_BYTES];
        let offset = HEAD_BYTES + (number * CHUNK_BYTES) as u64;
        if let Err(error) = read_at(&self.file, &mut bytes, offset) {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        let number = |bytes: &[u8]| AtomicU64::new(u64::from_le_bytes(bytes.try_into().unwrap_or_default()));
        bytes.chunks_exact(8).map(number).collect()
    }
}

/// The file, open.
pub(super) struct Times {
    writable: bool,
    view: RwLock<Arc<View>>,
}

impl Times {
    /// Opens the file, making it when it may write.
    pub(super) fn open(path: &Path, writable: bool) -> Result<Self, LakeError> {
        let file = open(path, writable)?;
        let fail = || files::io(format!("read {}", path.display()));
        let mut head = [0; HEAD_BYTES as usize];
        if read_at(&file, &mut head, 0).map_err(fail())? == 0 && writable {
            head.iter_mut().zip(MAGIC).for_each(|(to, from)| *to = *from);
            write_at(&file, &head, 0).map_err(fail())?;
        }
        if !head.starts_with(MAGIC) {
            let detail = "it is not a file of times; delete the index folder, it is built again".to_owned();
            return Err(LakeError::Damaged { what: path.display().to_string(), detail });
        }
        let view = View::new(Arc::new(file)).map_err(fail())?;
        Ok(Self { writable, view: RwLock::new(Arc::new(view)) })
    }

    /// The rows as they stand now.
    pub(super) fn view(&self) -> Result<Arc<View>, LakeError> {
        let view = self.current();
        if self.writable {
            return Ok(view);
        }
        let read = || files::io("read times.bin");
        if generation(&view.file).map_err(read())? == view.generation {
            return Ok(view);
        }
        let fresh = Arc::new(View::new(Arc::clone(&view.file)).map_err(read())?);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// Merges what is now known of some rows, on disk when it returns.
    pub(super) fn touch(&self, rows: &[(u64, Seen)]) -> Result<(), LakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        let write = || files::io("write times.bin");
        let greatest = rows.iter().map(|(row, _)| *row).max().unwrap_or(0);
        let view = self.grown_to(greatest)?;
        let mut touched = false;
        for (row, seen) in rows {
            touched |= view.merge(*row, *seen).map_err(write())?;
        }
        view.check()?;
        if touched {
            let next = generation(&view.file).map_err(write())? + 1;
            write_at(&view.file, &next.to_le_bytes(), 8).map_err(write())?;
            view.file.sync_data().map_err(write())?;
        }
        Ok(())
    }

    fn current(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn grown_to(&self, row: u64) -> Result<Arc<View>, LakeError> {
        let view = self.current();
        let needed = usize::try_from(row).unwrap_or(usize::MAX) / CHUNK_ROWS + 1;
        if view.chunks.len() >= needed {
            return Ok(view);
        }
        let mut chunks = view.chunks.clone();
        chunks.resize_with(needed, Arc::default);
        let grown =
            View { file: Arc::clone(&view.file), generation: view.generation, chunks, trouble: Mutex::default() };
        let grown = Arc::new(grown);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&grown);
        Ok(grown)
    }
}

impl View {
    fn new(file: Arc<File>) -> io::Result<Self> {
        let rows = file.metadata()?.len().saturating_sub(HEAD_BYTES).div_ceil(ROW_BYTES);
        let count = usize::try_from(rows).unwrap_or(usize::MAX).div_ceil(CHUNK_ROWS);
        let generation = generation(&file)?;
        let chunks = std::iter::repeat_with(Arc::default).take(count).collect();
        Ok(Self { file, generation, chunks, trouble: Mutex::default() })
    }

    /// Merges into memory and file; gives whether anything was new.
    fn merge(&self, row: u64, seen: Seen) -> io::Result<bool> {
        let Some((chunk, at)) = self.place(row) else { return Ok(false) };
        let mut touched = false;
        for (offset, number) in seen.numbers().into_iter().enumerate() {
            let Some(slot) = chunk.get(at + offset) else { continue };
            if slot.fetch_max(number, Ordering::Relaxed) < number {
                let place = HEAD_BYTES + row * ROW_BYTES + offset as u64 * 8;
                write_at(&self.file, &number.to_le_bytes(), place)?;
                touched = true;
            }
        }
        Ok(touched)
    }
}

fn generation(file: &File) -> io::Result<u64> {
    let mut bytes = [0; 8];
    read_at(file, &mut bytes, 8)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(last: i64, first: i64, closed: Option<i64>) -> Seen {
        Seen { last: Some(last), first: Some(first), closed }
    }

    #[test]
    fn touches_merge_survive_reopening_and_reach_other_readers() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("times.bin");
        let times = Times::open(&path, true).expect("new");
        let reader = Times::open(&path, false).expect("open");
        times.touch(&[(5, seen(10, 3, None)), (9_000, seen(-7, -9, Some(8)))]).expect("written");
        times.touch(&[(5, seen(7, 2, Some(4)))]).expect("written");
        let again = Times::open(&path, true).expect("open");
        for view in [times.view(), reader.view(), again.view()] {
            let view = view.expect("a view");
            assert_eq!(view.get(5), seen(10, 2, Some(4)));
            assert_eq!(view.get(9_000), seen(-7, -9, Some(8)));
            assert_eq!((view.get(6), view.get(1 << 40)), (Seen::default(), Seen::default()));
            view.check().expect("no trouble");
        }
    }

    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("times.bin");
        std::fs::write(&path, [7; 64]).expect("written");
        assert!(matches!(Times::open(&path, true), Err(LakeError::Damaged { .. })));
    }

    proptest! {
        #[test]
        fn merging_is_newest_oldest_newest_in_any_order(a: (i64, i64, Option<i64>), b: (i64, i64, Option<i64>)) {
            let bound = |t: i64| t.clamp(i64::MIN + 1, i64::MAX - 1);
            let make = |t: (i64, i64, Option<i64>)| seen(bound(t.0), bound(t.1), t.2.map(bound));
            let (a, b) = (make(a), make(b));
            prop_assert_eq!(a.merge(b), b.merge(a));
            let widest = Seen { last: a.last.max(b.last), first: a.first.min(b.first), closed: a.closed.max(b.closed) };
            prop_assert_eq!(a.merge(b), widest);
        }
    }
}
