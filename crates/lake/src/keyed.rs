//! A table whose rows have names: evidence by its hash, facts by the content they are of.
//!
//! The names are kept in memory, the first 16 bytes of each with file and row: in order 24 bytes a piece, those of late
//! in a map. Sixteen bytes, because the bytes come from strangers and eight could be made to collide. They are read from
//! the tables when somebody asks for many; who asks for few before that finds them by what pages lie between.
//! At a hundred times the data (some hundred million pieces) the memory is too much: then the Bloom filters that the
//! files carry, and files merged by hash, take its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::HashSet;
use hinomi_model::ContentHash;

use crate::error::LakeError;
use crate::table::columns::Columns;
use crate::table::{DataFile, Rows, Table, read};

mod places;

use places::{New, Place, Places};

/// Who claims more rows gets the room as they come.
const MOST_EXPECTED: usize = 1 << 24;

/// So many rows are looked for page by page; for more all names are read first.
const MAX_SOUGHT: usize = 64;
/// So many files are looked into that way before all names are read.
const MAX_SOUGHT_FILES: usize = 2_048;

/// A table and the places of its rows by name.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// The table.
    pub(crate) table: Table,
    name: &'static str,
    column: &'static str,
    known: Mutex<Known>,
    is_learnt: AtomicBool,
    /// Files that were looked into for a few names.
    sought: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    places: Places,
    files: Vec<Arc<DataFile>>,
    next_version: u64,
    removals: u64,
}

impl Keyed {
    /// The rows of this table, named by this column; `name` is for messages.
    pub(crate) fn new(table: Table, name: &'static str, column: &'static str) -> Self {
        Self {
            table,
            name,
            column,
            known: Mutex::default(),
            is_learnt: AtomicBool::new(false),
            sought: AtomicUsize::new(0),
        }
    }

    /// Those of these names that have no row.
    pub(crate) fn missing<'a>(
        &self,
        names: impl Iterator<Item = &'a ContentHash>,
    ) -> Result<HashSet<ContentHash>, LakeError> {
        let names: Vec<&ContentHash> = names.collect();
        if names.is_empty() {
            return Ok(HashSet::default());
        }
        if let Some(files) = self.sought(names.len()) {
            let mut missing: HashSet<_> = names.iter().copied().copied().collect();
            self.seek(&files, &names, &[self.column], &mut |columns| {
                for name in columns.texts(self.column)?.iter().flatten() {
                    missing.remove(&name.parse().map_err(|error| LakeError::damaged(self.name, &error))?);
                }
                Ok(())
            })?;
            return Ok(missing);
        }
        let known = self.known()?;
        Ok(names.into_iter().filter(|name| known.places.get(name).is_none()).copied().collect())
    }

    /// Reads the names that are there, for who will ask for so many; nothing where he would do without.
    pub(crate) fn prepare(&self, names: usize) -> Result<(), LakeError> {
        if names > MAX_SOUGHT { self.known().map(drop) } else { Ok(()) }
    }

    /// The files to look into for so few names, while not all names are known.
    fn sought(&self, names: usize) -> Option<Vec<Arc<DataFile>>> {
        if names > MAX_SOUGHT || self.is_learnt.load(Ordering::Acquire) {
            return None;
        }
        let files = self.table.files(|_| true);
        // Who asks again and again is better off knowing.
        (self.sought.fetch_add(files.len(), Ordering::Relaxed) <= MAX_SOUGHT_FILES).then_some(files)
    }

    /// Reads some columns of the rows with these names. Rows come in no particular order; names without a row are
    /// passed over.
    pub(crate) fn fetch<'a>(
        &self,
        names: impl Iterator<Item = &'a ContentHash>,
        columns: &[&str],
        each: &mut dyn FnMut(Columns<'_>) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let names: Vec<&ContentHash> = names.collect();
        if names.is_empty() {
            return Ok(());
        }
        if let Some(files) = self.sought(names.len()) {
            return self.seek(&files, &names, columns, each);
        }
        for (file, mut rows) in self.locate(names.into_iter())? {
            rows.sort_unstable();
            rows.dedup();
            let mut hand_over = |batch: &_| each(Columns::new(self.name, batch));
            read::read(&self.table.path(&file.1), columns, Rows::Numbers(&rows), &mut hand_over)?;
        }
        Ok(())
    }

    /// The same of few names, without knowing where each row is: by what the pages of the files lie between.
    fn seek(
        &self,
        files: &[Arc<DataFile>],
        names: &[&ContentHash],
        columns: &[&str],
        each: &mut dyn FnMut(Columns<'_>) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        let names: Arc<[String]> = names.into_iter().collect();
        for file in files {
            let mut hand_over = |batch: &_| each(Columns::new(self.name, batch));
            read::read(&self.table.path(file), columns, Rows::Named(self.column, &names), &mut hand_over)?;
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "a private step: files in order, and the rows wanted of each")]
    fn locate<'a>(
        &self,
        names: impl Iterator<Item = &'a ContentHash>,
    ) -> Result<Vec<((u32, Arc<DataFile>), Vec<u32>)>, LakeError> {
        let known = self.known()?;
        let mut wanted: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for place in names.filter_map(|name| known.places.get(name)) {
            wanted.entry(place.file).or_default().push(place.row);
        }
        let file = |number: u32| known.files.get(usize::try_from(number).ok()?).cloned();
        Ok(wanted.into_iter().filter_map(|(number, rows)| Some(((number, file(number)?), rows))).collect())
    }

    /// The places, brought up to the table's newest version.
    fn known(&self) -> Result<MutexGuard<'_, Known>, LakeError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let removals = self.table.removals();
        if known.removals != removals {
            *known = Known { removals, ..Known::default() };
        }
        let (files, next_version) = self.table.files_since(known.next_version);
        let rows = files.iter().map(|file| usize::try_from(file.rows).map_or(0, |rows| rows.min(MOST_EXPECTED)));
        let mut new = New::with_room(rows.sum::<usize>().min(MOST_EXPECTED));
        for file in files {
            self.learn(&mut known.files, file, &mut |name, place| new.put(name, place))?;
        }
        known.places.take(new);
        known.next_version = next_version;
        self.is_learnt.store(true, Ordering::Release);
        Ok(known)
    }

    fn learn(
        &self,
        files: &mut Vec<Arc<DataFile>>,
        file: Arc<DataFile>,
        each: &mut dyn FnMut(&str, Place) -> Option<()>,
    ) -> Result<(), LakeError> {
        let too_many = |_| LakeError::damaged(self.name, "more files or rows than can be numbered");
        let number = u32::try_from(files.len()).map_err(too_many)?;
        let mut row = 0;
        read::read(&self.table.path(&file), &[self.column], Rows::All, &mut |batch| {
            let columns = Columns::new(self.name, batch);
            for name in columns.texts(self.column)?.iter().flatten() {
                let put = each(name, Place { file: number, row });
                put.ok_or_else(|| LakeError::damaged(self.name, "a name that is no hash"))?;
                row += 1;
            }
            Ok(())
        })?;
        files.push(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::{Evidence, EvidenceKind, Timestamp};

    use crate::evidence::{EVIDENCE, NewPiece, Pieces};
    use crate::table::Table;

    #[test]
    fn few_names_are_found_without_learning_all() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let pieces = Pieces::new(Table::open_or_create(dir.path(), &EVIDENCE, now).unwrap());
        let piece = |n: u32| Evidence::new(EvidenceKind::Banner, format!("piece {n}").as_bytes());
        // Several pages in one file, and two files.
        for part in [0..9_000, 9_000..9_500] {
            let all: Vec<Evidence> = part.map(piece).collect();
            let new: std::collections::BTreeMap<_, _> =
                all.iter().map(|evidence| (evidence.hash(), NewPiece { evidence, first_seen: now })).collect();
            pieces.commit(pieces.stage(&new).unwrap(), Vec::new(), now).unwrap();
        }
        let again = Pieces::new(Table::open_or_create(dir.path(), &EVIDENCE, now).unwrap());
        for n in [0, 1, 4_095, 4_096, 8_999, 9_000, 9_499] {
            assert_eq!(again.get(&piece(n).hash()).unwrap().map(|found| found.bytes), Some(piece(n).bytes), "{n}");
        }
        let wanted: Vec<_> = (8_980..9_030).chain(20_000..20_010).map(|n| piece(n).hash()).collect();
        assert_eq!(again.all(wanted.iter()).unwrap().len(), 50);
        assert!(again.get(&piece(9_500).hash()).unwrap().is_none());
        assert_eq!(again.keyed.missing(wanted.iter()).unwrap(), wanted[50..].iter().copied().collect());
        assert!(!again.keyed.is_learnt.load(super::Ordering::Relaxed));
        again.keyed.sought.store(super::MAX_SOUGHT_FILES + 1, super::Ordering::Relaxed);
        assert_eq!(again.all(wanted.iter()).unwrap().len(), 50);
        assert!(again.keyed.is_learnt.load(super::Ordering::Relaxed), "who asks on and on learns");
    }

    #[test]
    fn names_committed_while_others_are_learnt_are_learnt_too() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let pieces = Pieces::new(Table::open_or_create(dir.path(), &EVIDENCE, now).unwrap());
        let all: Vec<Evidence> =
            (0..100).map(|n| Evidence::new(EvidenceKind::Banner, format!("piece {n}").as_bytes())).collect();
        let hashes: Vec<_> = all.iter().map(|one| one.reference().hash).collect();
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                for (evidence, hash) in all.iter().zip(&hashes) {
                    let new = [(*hash, NewPiece { evidence, first_seen: now })].into();
                    pieces.commit(pieces.stage(&new).unwrap(), Vec::new(), now).unwrap();
                }
            });
            while !writing.is_finished() {
                pieces.keyed.missing(hashes.iter()).unwrap();
            }
        });
        assert!(pieces.keyed.missing(hashes.iter()).unwrap().is_empty());
    }
}
