//! The folder of the index.
//!
//! ```text
//!   CURRENT        the number of the generation in use
//!   7/terms/       tantivy
//!   7/facts.bin    what distinct evidence says
//!   7/times.bin, 7/touches-3.log    when rows were seen
//! ```
//!
//! Building anew fills a new generation beside the one in use and then moves `CURRENT`, in one step: nobody searches
//! what is half built, readers of the old one are not disturbed, and a killed building leaves the old one. It takes the
//! disk of both for that time. What the index was applied to stands in tantivy's commit, so that terms, facts and the
//! applied version change in one step too.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::ServiceKey;
use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::LogMergePolicy;
use tantivy::{DocId, IndexReader, IndexWriter, ReloadPolicy, Searcher, SegmentReader};

use super::contents::Contents;
use super::directory::{Directory, Said, Sayer, Slot};
use super::facts::FactsFile;
use super::files::io;
use super::kept::Kept;
use super::lanes::Lanes;
use super::opened::Segments;
use super::records::Records;
use super::schema::{Columns, Shown, State, column, register};
use super::segment::{Spots, key_of};
use super::still::Still;
use super::times::Times;
use crate::error::LakeError;

/// Version of everything in the folder; another one is built again.
const FORMAT: u32 = 8;
/// Length of a `facts.bin` without records.
const FACTS_HEAD_BYTES: u64 = 8;
/// Memory for rows not yet written, in bytes.
const WRITER_BYTES: usize = 64 * 1024 * 1024;
/// Share of replaced rows from which a segment is written anew.
const REPLACED_BEFORE_MERGE: f32 = 0.3;

/// Rows that a thread puts into the directory at a time.
const DIRECTORY_ROWS: usize = 1 << 17;

/// What the commit says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    format: u32,
    /// Version of the sightings table applied last.
    pub(super) version: Option<u64>,
    /// Version of the facts table that last changed what was known, when this generation was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identified: Option<u64>,
    /// The next row number.
    pub(super) next_row: u64,
    /// Length of `facts.bin`.
    pub(super) facts_length: u64,
    /// Who worked out what the rows say.
    pub(super) sayer: Sayer,
}

impl Payload {
    /// Of a generation to which nothing was applied.
    fn fresh() -> Self {
        let (version, identified, next_row, facts_length) = (None, None, 0, FACTS_HEAD_BYTES);
        Self { format: FORMAT, version, identified, next_row, facts_length, sayer: Sayer::new() }
    }

    /// After one more version.
    pub(super) const fn applied(&self, version: Option<u64>, next_row: u64, facts_length: u64) -> Self {
        Self { version, next_row, facts_length, ..*self }
    }

    pub(super) fn text(&self) -> Result<String, LakeError> {
        serde_json::to_string(self).map_err(|error| damaged("the commit", error.to_string()))
    }
}

/// One generation, open.
pub(super) struct Generation {
    pub(super) number: u64,
    terms: PathBuf,
    pub(super) columns: Arc<Columns>,
    pub(super) index: tantivy::Index,
    reader: IndexReader,
    pub(super) facts: Arc<FactsFile>,
    pub(super) records: Records,
    pub(super) contents: Contents,
    pub(super) times: Times,
    /// The commit that the reader of another process's index knows: the whole of `meta.json`, some kilobytes.
    known: Mutex<Vec<u8>>,
    /// Lanes, and of which commit.
    lanes: Mutex<Option<(u64, Arc<Lanes>)>>,
    /// What is sure of rows for askers who may not see all.
    pub(super) kept: Arc<Kept>,
    /// Segments that were looked at.
    pub(super) segments: Arc<Segments>,
}

impl Generation {
    /// Opens a generation; one that writes makes what is absent.
    pub(super) fn open(dir: &Path, number: u64, writable: bool) -> Result<Self, LakeError> {
        let folder = dir.join(number.to_string());
        let terms = folder.join("terms");
        if writable {
            fs::create_dir_all(&terms).map_err(io(format!("make {}", terms.display())))?;
        }
        let columns = Arc::new(Columns::new());
        let index = open_terms(&terms, &columns, writable)?;
        let payload = payload_of(&index)?;
        let (length, committed) = (payload.map(|one| one.facts_length), payload.and_then(|one| one.version));
        let facts = Arc::new(FactsFile::open(&folder.join("facts.bin"), writable, length)?);
        let times = Times::open(&folder, writable, committed)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(1);
        let reader = reader.try_into().map_err(index_error("open the index"))?;
        let (records, contents) = (Records::new(Arc::clone(&facts)), Contents::new(Arc::clone(&facts)));
        let (known, lanes, kept) = (Mutex::default(), Mutex::default(), Arc::default());
        let segments = Arc::new(Segments::new(Arc::clone(&columns)));
        Ok(Self {
            number,
            terms,
            columns,
            index,
            reader,
            facts,
            records,
            contents,
            times,
            known,
            lanes,
            kept,
            segments,
        })
    }

    /// What was committed last.
    pub(super) fn payload(&self) -> Result<Payload, LakeError> {
        Ok(payload_of(&self.index)?.unwrap_or_else(Payload::fresh))
    }

    /// Where every service is.
    pub(super) fn directory(&self) -> Result<Directory, LakeError> {
        let searcher = self.searcher();
        let services = usize::try_from(searcher.num_docs()).unwrap_or(0);
        let parts = parts_of(&searcher);
        let read = |at: usize, put: &mut dyn FnMut(&ServiceKey, Slot)| match parts.get(at) {
            Some((reader, docs)) => read_slots(reader, docs.clone(), put),
            None => Ok(()),
        };
        Directory::fill(services, parts.len(), read).map_err(index_error("read the index"))
    }

    /// The lanes of services of several markings, and every marking.
    pub(super) fn lanes(&self) -> Result<Lanes, LakeError> {
        Lanes::read(&self.searcher(), &self.columns).map_err(index_error("read the index"))
    }

    /// The same of these rows, for who may not see all; read once after a commit.
    pub(super) fn lanes_of(&self, searcher: &Searcher) -> Result<Arc<Lanes>, LakeError> {
        let number = searcher.generation().generation_id();
        let mut read = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match &*read {
            Some((known, lanes)) if *known == number => Ok(Arc::clone(lanes)),
            _ => {
                let lanes = Lanes::read(searcher, &self.columns).map_err(index_error("read the index"))?;
                let lanes = Arc::new(lanes);
                *read = Some((number, Arc::clone(&lanes)));
                self.kept.tidy(&searcher.segment_readers().iter().map(SegmentReader::segment_id).collect());
                Ok(lanes)
            }
        }
    }

    /// The one that writes.
    pub(super) fn writer(&self) -> Result<IndexWriter, LakeError> {
        let open = self.index.writer_with_num_threads(1, WRITER_BYTES);
        let writer: IndexWriter = open.map_err(index_error("open the index for writing"))?;
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(REPLACED_BEFORE_MERGE);
        writer.set_merge_policy(Box::new(policy));
        // What a killed commit left has names that the next commit will want: it goes first.
        writer.garbage_collect_files().wait().map_err(index_error("tidy the index"))?;
        Ok(writer)
    }

    /// The rows of the last commit.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Looks at the last commit.
    pub(super) fn reload_now(&self) -> Result<(), LakeError> {
        self.reader.reload().map_err(index_error("read the index"))?;
        self.segments.tidy(&self.searcher());
        Ok(())
    }

    /// Brings the last commit's name to the disk, before touches that stand on it.
    pub(super) fn settle(&self) -> Result<(), LakeError> {
        let folder = fs::File::open(&self.terms).and_then(|folder| folder.sync_all());
        folder.map_err(io(format!("write {}", self.terms.display())))
    }

    /// Looks at the last commit, when it is another than the one known.
    pub(super) fn reload(&self) -> Result<(), LakeError> {
        let path = self.terms.join("meta.json");
        let found = fs::read(&path).map_err(io(format!("read {}", path.display())))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != found {
            self.reload_now()?;
            *known = found;
        }
        Ok(())
    }
}

/// The number of the generation in use.
pub(super) fn current(dir: &Path) -> Result<Option<u64>, LakeError> {
    let path = dir.join("CURRENT");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(format!("read {}", path.display()))(error)),
    }
}

/// Makes a generation the one in use.
pub(super) fn make_current(dir: &Path, number: u64) -> Result<(), LakeError> {
    let (path, fresh) = (dir.join("CURRENT"), dir.join("CURRENT.new"));
    let what = || format!("write {}", path.display());
    fs::write(&fresh, format!("{number}\n")).map_err(io(what()))?;
    fs::File::open(&fresh).and_then(|file| file.sync_all()).map_err(io(what()))?;
    fs::rename(&fresh, &path).map_err(io(what()))
}

/// Removes what other generations left.
pub(super) fn remove_others(dir: &Path, number: u64) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    numbers.filter(|other| *other != number).for_each(|other| remove(dir, other));
}

/// Removes a generation. What cannot be removed is in nobody's way.
pub(super) fn remove(dir: &Path, number: u64) {
    let path = dir.join(number.to_string());
    if let Err(error) = fs::remove_dir_all(&path) {
        tracing::warn!(path = %path.display(), %error, "an index that is not used cannot be removed");
    }
}

/// A number that no generation in the folder has.
pub(super) fn unused(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max().map_or(1, |last| last + 1)
}

/// Rows of segments in parts of a size at which threads end together.
fn parts_of(searcher: &Searcher) -> Vec<(&SegmentReader, Range<DocId>)> {
    let parts = |reader: &'_ SegmentReader| {
        let end = reader.max_doc();
        (0..end).step_by(DIRECTORY_ROWS).map(move |from| from..end.min(from + DIRECTORY_ROWS as DocId))
    };
    searcher.segment_readers().iter().flat_map(|reader| parts(reader).map(move |rows| (reader, rows))).collect()
}

/// Where the services of some rows are, but for lanes.
fn read_slots(
    reader: &SegmentReader,
    rows: Range<DocId>,
    put: &mut dyn FnMut(&ServiceKey, Slot),
) -> tantivy::Result<()> {
    let fast = reader.fast_fields();
    let (spots, row, said) = (Spots::open(reader)?, fast.u64(column::ROW)?, fast.u64(column::SAID)?);
    let (state, alive) = (fast.u64(column::STATE)?, reader.alive_bitset());
    let is_lane = |doc| state.first(doc).is_some_and(|state| State::read(state).1 == Shown::Narrow);
    for doc in rows.filter(|doc| alive.is_none_or(|alive| alive.is_alive(*doc)) && !is_lane(*doc)) {
        if let (Some(row), Some(said)) = (row.first(doc), said.first(doc)) {
            put(&key_of(spots.get(doc)), Slot { row, said: Said::of(said) });
        }
    }
    Ok(())
}

fn open_terms(terms: &Path, columns: &Columns, writable: bool) -> Result<tantivy::Index, LakeError> {
    let open = index_error("open the index");
    let directory = MmapDirectory::open(terms).map_err(|error| open(error.into()))?;
    let index = if writable {
        tantivy::Index::open_or_create(directory, columns.schema.clone())
    } else {
        tantivy::Index::open(Still(directory))
    };
    let index = index.map_err(index_error("open the index"))?;
    if index.schema() != columns.schema {
        return Err(LakeError::OtherIndex);
    }
    register(index.tokenizers());
    Ok(index)
}

fn payload_of(index: &tantivy::Index) -> Result<Option<Payload>, LakeError> {
    let meta = index.load_metas().map_err(index_error("read the index"))?;
    let Some(text) = meta.payload else { return Ok(None) };
    let payload: Payload = serde_json::from_str(&text).map_err(|error| damaged("the index", error.to_string()))?;
    if payload.format != FORMAT {
        return Err(LakeError::OtherIndex);
    }
    Ok(Some(payload))
}

pub(super) fn index_error(what: &'static str) -> impl FnOnce(tantivy::TantivyError) -> LakeError {
    move |source| LakeError::Index { what: what.into(), source }
}

/// Whether building the index again would help.
pub(super) fn is_damage(error: &LakeError) -> bool {
    use tantivy::TantivyError::{ErrorInThread, IoError, LockFailure, OpenReadError, SystemError};
    use tantivy::directory::error::OpenReadError as Read;
    match error {
        LakeError::Damaged { .. } | LakeError::OtherIndex => true,
        LakeError::Index { source, .. } => !matches!(
            source,
            LockFailure(..) | IoError(_) | SystemError(_) | ErrorInThread(_) | OpenReadError(Read::IoError { .. })
        ),
        _ => false,
    }
}

fn damaged(what: &str, detail: String) -> LakeError {
    LakeError::Damaged { what: what.into(), detail }
}
