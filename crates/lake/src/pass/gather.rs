//! Merged rows in the order of their keys, from rows that come in any order and may be more than memory holds.
//!
//! Sorted runs of rows lie in files of a folder of our own, readable by its owner alone; [`FAN_IN`] of them are merged
//! into one whenever there are so many, and all of them at the end. The folder goes with the [`Gather`].
//! At a hundred times the data: disk for the partial rows twice, memory for [`FAN_IN`] frames, each row written once for
//! each factor of [`FAN_IN`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Pass;
use super::fold::{Fold, Sorted};
use super::frames::{self, Frames};
use super::row::Row;
use crate::durable;
use crate::error::LakeError;

/// So many runs are merged at once.
const FAN_IN: usize = 32;

/// Where the partial rows of one pass come together.
pub struct Gather<'p> {
    pass: &'p dyn Pass,
    folder: PathBuf,
    /// Says for as long as it is open that somebody's rows lie here.
    _running: File,
    runs: Mutex<Vec<PathBuf>>,
    next: AtomicU64,
    came: AtomicU64,
}

/// What came together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gathered {
    /// Rows that came.
    pub(crate) came: u64,
    /// Rows after merging.
    pub(crate) rows: u64,
}

impl<'p> Gather<'p> {
    /// In a folder that is made for it, in this one.
    pub(crate) fn new(pass: &'p dyn Pass, state: &Path) -> Result<Self, LakeError> {
        // The keys of this hasher are the system's own randomness: no two have one folder.
        let opening = RandomState::new().build_hasher().finish();
        sweep(state)?;
        let passes = state.join(FOLDER);
        let folder = passes.join(format!("{:x}-{opening:016x}", std::process::id()));
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&passes).map_err(LakeError::io("creating", &passes))?;
        let running = lock_of(&passes)?;
        running.lock_shared().map_err(LakeError::io("locking", &passes))?;
        builder.create(&folder).map_err(LakeError::io("creating", &folder))?;
        Ok(Self {
            pass,
            folder,
            _running: running,
            runs: Mutex::default(),
            next: AtomicU64::new(0),
            came: AtomicU64::new(0),
        })
    }

    /// Takes rows that are sorted, each key once.
    pub(crate) fn add(&self, rows: Vec<Row>) -> Result<(), LakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.came.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let path = self.write(|frames| rows.into_iter().try_for_each(|row| frames.take(row)))?;
        let due = self.push(path);
        if due.is_empty() { Ok(()) } else { self.join(due) }
    }

    /// Takes frames of rows in any order until their end, as a cluster's driver hands them over.
    ///
    /// # Errors
    /// When they are cut off, are not rows of this pass, or cannot be written.
    pub fn take_frames(&self, mut source: impl Read) -> Result<(), LakeError> {
        let mut fold = Fold::new(self.pass);
        while let Some(rows) = frames::read(&mut source, self.pass.partial())? {
            for row in rows {
                if let Some(full) = fold.take(row)? {
                    self.add(full)?;
                }
            }
        }
        self.add(fold.rest())
    }

    fn push(&self, path: PathBuf) -> Vec<PathBuf> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.push(path);
        if runs.len() >= FAN_IN { std::mem::take(&mut *runs) } else { Vec::new() }
    }

    /// Several runs into one.
    fn join(&self, paths: Vec<PathBuf>) -> Result<(), LakeError> {
        let mut merge = Merge::open(self.pass, &paths)?;
        let path = self.write(|frames| merge.each(&mut |row| frames.take(row)).map(drop))?;
        for old in paths {
            fs::remove_file(&old).map_err(LakeError::io("removing", &old))?;
        }
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        Ok(())
    }

    fn write(
        &self,
        rows: impl FnOnce(&mut Frames<BufWriter<File>>) -> Result<(), LakeError>,
    ) -> Result<PathBuf, LakeError> {
        let path = self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let file = File::create_new(&path).map_err(LakeError::io("creating", &path))?;
        let mut frames = Frames::new(BufWriter::with_capacity(1 << 18, file), self.pass.partial());
        rows(&mut frames)?;
        frames.finish()?;
        Ok(path)
    }

    /// Every merged row, by key.
    pub(crate) fn finish(self, each: &mut dyn FnMut(Row) -> Result<(), LakeError>) -> Result<Gathered, LakeError> {
        let came = self.came.load(Ordering::Relaxed);
        let paths = std::mem::take(&mut *self.runs.lock().unwrap_or_else(PoisonError::into_inner));
        let rows = Merge::open(self.pass, &paths)?.each(each)?;
        Ok(Gathered { came, rows })
    }
}

/// Where partial rows lie in the state folder.
const FOLDER: &str = "passes";

/// In it: held in common by all that run, and alone by who sweeps.
const LOCK: &str = "lock";

/// Removes what passes left that were killed, unless one is running: it does so when the next one begins.
pub(crate) fn sweep(state: &Path) -> Result<(), LakeError> {
    let passes = state.join(FOLDER);
    if !passes.exists() {
        return Ok(());
    }
    let alone = lock_of(&passes)?;
    if alone.try_lock().is_err() {
        return Ok(());
    }
    for left in durable::entries(&passes)?.into_iter().filter(|path| path.is_dir()) {
        fs::remove_dir_all(&left).map_err(LakeError::io("removing", &left))?;
    }
    Ok(())
}

fn lock_of(passes: &Path) -> Result<File, LakeError> {
    let path = passes.join(LOCK);
    let opened = File::options().create(true).append(true).open(&path);
    opened.map_err(LakeError::io("opening", &path))
}

impl Drop for Gather<'_> {
    fn drop(&mut self) {
        // Should this fail, the next pass sweeps it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Sorted runs side by side.
struct Merge<'p> {
    pass: &'p dyn Pass,
    runs: Vec<Run>,
    heap: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
}

struct Run {
    source: BufReader<File>,
    rows: VecDeque<Row>,
}

impl<'p> Merge<'p> {
    fn open(pass: &'p dyn Pass, paths: &[PathBuf]) -> Result<Self, LakeError> {
        let open = |path: &PathBuf| {
            let file = File::open(path).map_err(LakeError::io("opening", path))?;
            Ok(Run { source: BufReader::with_capacity(1 << 16, file), rows: VecDeque::new() })
        };
        let runs: Vec<Run> = paths.iter().map(open).collect::<Result<_, LakeError>>()?;
        let mut merge = Self { pass, runs, heap: BinaryHeap::new() };
        (0..merge.runs.len()).try_for_each(|at| merge.advance(at))?;
        Ok(merge)
    }

    fn advance(&mut self, at: usize) -> Result<(), LakeError> {
        let Some(run) = self.runs.get_mut(at) else { return Ok(()) };
        while run.rows.is_empty() {
            let Some(rows) = frames::read(&mut run.source, self.pass.partial())? else { return Ok(()) };
            run.rows = rows.into();
        }
        if let Some(row) = run.rows.front() {
            self.heap.push(Reverse((row.key.clone(), at)));
        }
        Ok(())
    }

    fn each(&mut self, each: &mut dyn FnMut(Row) -> Result<(), LakeError>) -> Result<u64, LakeError> {
        let (mut sorted, mut count) = (Sorted::new(self.pass), 0);
        while let Some(Reverse((_, at))) = self.heap.pop() {
            let Some(row) = self.runs.get_mut(at).and_then(|run| run.rows.pop_front()) else { continue };
            self.advance(at)?;
            if let Some(done) = sorted.take(row)? {
                count += 1;
                each(done)?;
            }
        }
        if let (Some(last), _) = sorted.finish() {
            count += 1;
            each(last)?;
        }
        Ok(count)
    }
}
