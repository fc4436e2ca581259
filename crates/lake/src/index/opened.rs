//! What every question reads of a segment, opened once for all: opening a column takes longer than looking up an address.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hinomi_model::Marking;
use tantivy::columnar::{Cardinality, Column, StrColumn};
use tantivy::index::SegmentId;
use tantivy::{DocId, Searcher, SegmentReader};

use super::letters::Vocabulary;
use super::plain::{Numbers, Plain, Room, Taken};
use super::schema::{Columns, Shown, State, column};
use super::segment::Spots;
use crate::query::Field;

/// How many columns hold texts that every service shows.
pub(super) const TEXTS: usize = 2;

/// The segments of a generation that were looked at, open. At a hundred times the data: some tens, as before; what they
/// hold is the disk's, but for a list of gaps between addresses, the markings, and the words of texts once letters were looked for.
pub(super) struct Segments {
    columns: Arc<Columns>,
    open: Mutex<Open>,
    /// For columns that are unpacked, and words.
    room: Arc<Room>,
}

#[derive(Default)]
struct Open {
    by_id: HashMap<SegmentId, Arc<Opened>>,
    /// Those that stand; others are opened for who asks and not kept. None before the first commit was looked at.
    standing: Option<HashSet<SegmentId>>,
}

impl Segments {
    pub(super) fn new(columns: Arc<Columns>) -> Self {
        Self { columns, open: Mutex::default(), room: Arc::default() }
    }

    /// The columns of a segment.
    pub(super) fn of(&self, reader: &SegmentReader) -> tantivy::Result<Arc<Opened>> {
        let segment = reader.segment_id();
        if let Some(opened) = self.open().by_id.get(&segment) {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(Opened::open(reader, &self.columns, &self.room)?);
        let mut open = self.open();
        if open.standing.as_ref().is_none_or(|standing| standing.contains(&segment)) {
            // Another may have been faster: what is unpacked is to be found by all.
            return Ok(Arc::clone(open.by_id.entry(segment).or_insert(opened)));
        }
        // For this part of one question: nothing is unpacked for it.
        opened.is_kept.store(false, Ordering::Relaxed);
        Ok(opened)
    }

    /// The words of a segment's texts; kept, where there is room.
    pub(super) fn vocabulary(&self, reader: &SegmentReader) -> tantivy::Result<Arc<Vocabulary>> {
        let opened = self.of(reader)?;
        if let Some((known, _)) = opened.vocabulary.get() {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Vocabulary::read(reader, self.columns.text)?);
        let Some(taken) = self.room.take(read.bytes()) else { return Ok(read) };
        Ok(Arc::clone(&opened.vocabulary.get_or_init(|| (read, taken)).0))
    }

    /// Lets go of those that stand no more: as long as they are open they take room on the disk.
    pub(super) fn tidy(&self, searcher: &Searcher) {
        let standing: HashSet<_> = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        let mut open = self.open();
        open.by_id.retain(|segment, _| standing.contains(segment));
        open.standing = Some(standing);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Segments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segments").field("open", &self.open().by_id.len()).finish_non_exhaustive()
    }
}

/// Columns of one segment.
pub(super) struct Opened {
    pub(super) spots: Spots,
    /// All markings, by the number that rows have; none where one cannot be read.
    pub(super) markings: Vec<Option<Marking>>,
    pub(super) marking: Option<StrColumn>,
    /// The AS number of now.
    pub(super) asn: Column<u64>,
    as_then: Column<u64>,
    pub(super) row: Column<u64>,
    pub(super) state: Column<u64>,
    /// Names of records in `facts.bin`.
    pub(super) facts: Column<u64>,
    /// Sensor and country as shown.
    pub(super) texts: [Option<StrColumn>; TEXTS],
    /// Whether every row answered and is what it seems.
    pub(super) all_open: bool,
    /// Whether any row is a lane, or of a service with lanes.
    laned: bool,
    vocabulary: OnceLock<(Arc<Vocabulary>, Taken)>,
    /// Columns that were unpacked, by name.
    plain: Mutex<HashMap<String, Arc<Plain>>>,
    room: Arc<Room>,
    /// Whether others find it.
    is_kept: AtomicBool,
}

impl Opened {
    pub(super) fn open(reader: &SegmentReader, columns: &Columns, room: &Arc<Room>) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let text = |field: Field| match columns.text_of(field) {
            Some(text) => fast.str(&text.shown_name),
            None => Ok(None),
        };
        let marking = fast.str(column::MARKING)?;
        let mut markings = Vec::new();
        if let Some(marking) = &marking {
            let mut terms = marking.dictionary().stream()?;
            while terms.advance() {
                markings.push(serde_json::from_slice(terms.key()).ok());
            }
        }
        let state = fast.u64(column::STATE)?;
        Ok(Self {
            spots: Spots::open(reader)?,
            markings,
            marking,
            asn: fast.u64(column::ASN)?,
            as_then: fast.u64(column::AS_THEN)?,
            row: fast.u64(column::ROW)?,
            facts: fast.u64(column::FACTS)?,
            texts: [text(Field::Sensor)?, text(Field::Country)?],
            all_open: state.get_cardinality() == Cardinality::Full && state.max_value() == State::Open as u64,
            laned: State::read(state.max_value()).1 != Shown::All,
            state,
            vocabulary: OnceLock::new(),
            plain: Mutex::default(),
            room: Arc::clone(room),
            is_kept: AtomicBool::new(true),
        })
    }

    /// A column of this segment for who looks at about so many rows: unpacked where that is worth it.
    pub(super) fn numbers(&self, name: &str, column: &Column<u64>, rows: u64) -> Numbers {
        let known = || self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plain) = known().get(name) {
            return Numbers::Plain(Arc::clone(plain));
        }
        // Nobody waits for who unpacks; who does it at the same time does it in vain.
        let is_worth = Plain::is_worth(column, rows) && self.is_kept.load(Ordering::Relaxed);
        match is_worth.then(|| Plain::of(column, &self.room)).flatten() {
            None => Numbers::Packed(column.clone()),
            Some(fresh) => Numbers::Plain(Arc::clone(known().entry(name.to_owned()).or_insert(Arc::new(fresh)))),
        }
    }

    /// The small numbers of addresses for who looks at about so many rows.
    pub(super) fn smalls(&self, rows: u64) -> Numbers {
        self.numbers(column::ADDRESS, self.spots.addresses.smalls(), rows)
    }

    /// The number of a row's marking.
    pub(super) fn marking(&self, doc: DocId) -> Option<usize> {
        usize::try_from(self.marking.as_ref()?.ords().first(doc)?).ok()
    }

    /// Who is shown a row.
    pub(super) fn shown(&self, doc: DocId) -> Shown {
        if self.laned { self.state.first(doc).map_or(Shown::Wide, |state| State::read(state).1) } else { Shown::All }
    }

    /// The AS number of when it was last seen.
    pub(super) fn asn_then(&self, doc: DocId) -> Option<u32> {
        let asn = self.as_then.first(doc).or_else(|| self.asn.first(doc)).filter(|asn| *asn > 0);
        asn.and_then(|asn| u32::try_from(asn).ok())
    }

    /// Its number among the times.
    pub(super) fn row(&self, doc: DocId) -> u64 {
        self.row.first(doc).unwrap_or(u64::MAX)
    }
}
