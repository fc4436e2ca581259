//! A batch into the tables, as one step.
//!
//! Files are written side by side; what makes them count goes in order: evidence, then sightings with the campaign's
//! checkpoint (this commit makes the batch real), then facts and index. A failure before the commit leaves nothing
//! visible. A failure after it leaves derived things behind the tables; the batch is stored, so the receipt says so,
//! and the next append or start catches up first.
//! At a hundred times the data: the work follows the batch, see [`crate::recent`] for what is asked of older files.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread::ScopedJoinHandle;

use ahash::{HashMap, HashSet};
use hinomi_model::{
    Batch, CampaignId, Checkpoint, ContentHash, Evidence, Marking, Receipt, Sighting, Sink, SinkError, Timestamp,
};

use crate::error::LakeError;
use crate::evidence::{self, NewPiece};
use crate::identify::{AtHand, Known};
use crate::index::write::Plan;
use crate::lake::{Lake, application};
use crate::recent::{self, Recent};
use crate::sightings::{self, Row};
use crate::table::{Change, Note, Staged};

/// The most sightings of one batch.
const MAX_SIGHTINGS: usize = 1 << 20;

/// The most bytes of a campaign's account.
const MAX_STATE_BYTES: usize = 1 << 20;

/// The most bytes of a remark.
const MAX_REMARK_BYTES: usize = 4_096;

impl Sink for Lake {
    fn append(&self, batch: Batch) -> Result<Receipt, SinkError> {
        self.append_batch(batch).map_err(|error| self.with_its_reason(error))
    }

    fn checkpoint(&self, campaign: &CampaignId) -> Result<Option<Checkpoint>, SinkError> {
        Ok(Self::checkpoint(self, campaign)?)
    }
}

/// What must find room before a failure of the index is blamed on something else, in bytes.
const ROOM_TRIED: usize = 256 * 1024;

impl Lake {
    /// A thread of the index that fails for want of room says only that it was ended: so room is tried.
    fn with_its_reason(&self, error: LakeError) -> SinkError {
        let text = error.to_string();
        match SinkError::from(error) {
            SinkError::Failed(_) if self.has_no_room() => SinkError::NoRoom(text),
            other => other,
        }
    }

    fn has_no_room(&self) -> bool {
        let path = self.dir.join("room.tmp");
        let tried = std::fs::write(&path, vec![0; ROOM_TRIED]);
        let _best_effort = std::fs::remove_file(&path);
        tried.is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
    }

    fn append_batch(&self, batch: Batch) -> Result<Receipt, LakeError> {
        let mut recent = self.writer()?;
        check(&batch)?;
        if !batch.sightings.is_empty() || !batch.evidence.is_empty() || batch.checkpoint.is_some() {
            self.may_write(&mut batch.sightings.iter().map(|one| one.subject.address))?;
        }
        self.see_what_others_did()?;
        let told = batch.sightings.len();
        let rows = self.new_rows(&mut recent, batch.sightings)?;
        let (written, plan) = self.write(&rows, batch.evidence)?;
        let receipt = Receipt { sightings: rows.len(), repeated: told - rows.len(), evidence: written.pieces };
        self.heed_loss(self.pieces.commit(written.evidence, self.marks(), self.clock.now()))?;
        if rows.is_empty() && batch.checkpoint.is_none() {
            self.tell_progress();
            return Ok(receipt);
        }
        let version = self.commit_sightings(written.sightings, batch.checkpoint)?;
        self.bell.ring();
        let applied = if self.is_crossed(version) {
            // What others committed meanwhile comes first.
            self.catch_up()
        } else {
            written.known.and_then(|known| self.apply_known(Some(version), &rows, plan, known))
        };
        if let Err(error) = applied {
            tracing::warn!(%error, version, "the batch is stored; the index is behind and will catch up");
        }
        self.tell_progress();
        Ok(receipt)
    }

    /// The sightings of the batch that are not stored yet, each once, sorted.
    fn new_rows(&self, recent: &mut Recent, told: Vec<Sighting>) -> Result<Vec<Row>, LakeError> {
        let names = side_by_side(&told, |sighting| (sighting.id(), sighting.content()));
        let row = |(sighting, (id, content))| Row { id, content, sighting, again: false };
        let mut rows: Vec<Row> = told.into_iter().zip(names).map(row).collect();
        sightings::sort(&mut rows);
        // The same observation told twice sorts side by side.
        rows.dedup_by(|next, kept| {
            let same = next.id == kept.id;
            if same && next.sighting.marking != kept.sighting.marking {
                kept.sighting.marking = kept.sighting.marking.together(&next.sighting.marking);
            }
            same
        });
        let stored = recent.stored(&self.sightings, &rows)?;
        if !stored.is_empty() {
            let markings = recent::markings(&self.sightings, rows.iter().filter(|row| stored.contains(&row.id)))?;
            rows.retain_mut(|row| !stored.contains(&row.id) || tightens(row, markings.get(&row.id)));
        }
        Ok(rows)
    }

    /// The pieces of evidence that have to be stored: what known sightings refer to is stored already.
    fn missing_pieces(
        &self,
        rows: &[Row],
        unknown: &[&Row],
        at_hand: &AtHand,
    ) -> Result<HashSet<ContentHash>, LakeError> {
        if unknown.len() == rows.len() {
            return self.pieces.keyed.missing(at_hand.keys());
        }
        let needed: HashSet<_> = references(unknown.iter().copied()).collect();
        let told: HashSet<_> = references(rows.iter()).collect();
        let asked = at_hand.keys().filter(|hash| needed.contains(hash) || !told.contains(hash));
        self.pieces.keyed.missing(asked)
    }

    fn check_references(&self, unknown: &[&Row], at_hand: &AtHand) -> Result<(), LakeError> {
        let all = references(unknown.iter().copied());
        let elsewhere: HashSet<_> = all.filter(|hash| !at_hand.contains_key(hash)).collect();
        let missing = self.pieces.keyed.missing(elsewhere.iter())?;
        let Some(hash) = missing.iter().next() else { return Ok(()) };
        let detail = format!("a sighting refers to evidence {hash}, which is neither in the batch nor stored");
        Err(LakeError::Refused { detail })
    }

    /// Writes both files, which do not count yet, and works out what the contents say, side by side: these are the
    /// three parts of the work that the processors feel.
    fn write(&self, rows: &[Row], evidence: Vec<Evidence>) -> Result<(Written, Plan), LakeError> {
        std::thread::scope(|scope| {
            let sightings = scope.spawn(|| self.stage_sightings(rows));
            let (plan, known, evidence, pieces) = self.write_contents(rows, evidence)?;
            Ok((Written { evidence, sightings: joined(sightings)?, known, pieces }, plan))
        })
    }

    fn write_contents(&self, rows: &[Row], evidence: Vec<Evidence>) -> Result<Contents, LakeError> {
        let plan = self.plan(rows)?;
        let at_hand = at_hand(evidence);
        let unknown = unknown(rows, &plan);
        // After a start both tables are read for their names: side by side.
        let contents: HashSet<_> =
            unknown.iter().filter(|row| !row.sighting.evidence.is_empty()).map(|row| row.content).collect();
        std::thread::scope(|scope| {
            let facts = scope.spawn(|| self.knowledge.keyed.prepare(contents.len()));
            self.pieces.keyed.prepare(contents.len()).and(joined(facts))
        })?;
        let missing = self.missing_pieces(rows, &unknown, &at_hand)?;
        self.check_references(&unknown, &at_hand)?;
        let pieces = new_pieces(rows, &at_hand, &missing, self.clock.now());
        std::thread::scope(|scope| {
            let evidence = scope.spawn(|| self.pieces.stage(&pieces));
            let known = self.know(rows, &plan, &at_hand);
            Ok((plan, known, joined(evidence)?, missing.len()))
        })
    }

    fn stage_sightings(&self, rows: &[Row]) -> Result<Option<Staged>, LakeError> {
        let encode = || self.sightings.stage_quickly("0", sightings::encode(self.sightings.schema(), rows));
        (!rows.is_empty()).then(encode).transpose()
    }

    fn commit_sightings(&self, staged: Option<Staged>, checkpoint: Option<Checkpoint>) -> Result<u64, LakeError> {
        let note = |one: Checkpoint| Note { application: application(&one.campaign), text: one.state };
        let (add, marks) = (staged.into_iter().collect(), self.marks());
        let change = Change { add, note: checkpoint.map(note), marks, ..Change::default() };
        self.heed_loss(self.sightings.commit(change, self.clock.now()))
    }
}

/// Whether a sighting that is stored closes more than it did; then it is stored once more, with what both say together.
fn tightens(row: &mut Row, stored: Option<&Marking>) -> bool {
    let Some(stored) = stored else { return false };
    let together = stored.together(&row.sighting.marking);
    row.again = together != *stored;
    row.sighting.marking = together;
    row.again
}

/// Evidence by its hash, worked out on all processors.
fn at_hand(evidence: Vec<Evidence>) -> AtHand {
    let hashes = side_by_side(&evidence, Evidence::hash);
    hashes.into_iter().zip(evidence).collect()
}

/// Those sightings that say something else than the row of their service says already.
fn unknown<'a>(rows: &'a [Row], plan: &Plan) -> Vec<&'a Row> {
    let mut known = vec![false; rows.len()];
    plan.known().iter().for_each(|at| known.get_mut(*at).into_iter().for_each(|known| *known = true));
    rows.iter().zip(known).filter(|(_, known)| !known).map(|(row, _)| row).collect()
}

fn references<'a>(rows: impl Iterator<Item = &'a Row>) -> impl Iterator<Item = ContentHash> {
    rows.flat_map(|row| &row.sighting.evidence).map(|one| one.hash)
}

/// Less is done by one thread.
const WORTH_A_THREAD: usize = 2_048;

/// Works on each of these, on all processors, and keeps their order.
fn side_by_side<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = all.len().div_ceil(threads);
    if share < WORTH_A_THREAD || threads == 1 {
        return all.iter().map(work).collect();
    }
    let work = &work;
    let (first, rest) = all.split_at(share);
    std::thread::scope(|scope| {
        let spawn = |part| scope.spawn(move || <[T]>::iter(part).map(work).collect::<Vec<_>>());
        let spawned: Vec<_> = rest.chunks(share).map(spawn).collect();
        let mut done = Vec::with_capacity(all.len());
        done.extend(first.iter().map(work));
        for handle in spawned {
            done.extend(joined(handle));
        }
        done
    })
}

/// What applying will do, what the contents say, new evidence as a file, and how many pieces that is.
type Contents = (Plan, Result<Known, LakeError>, Option<Staged>, usize);

fn joined<T>(handle: ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
}

/// A batch that is written and does not count yet.
struct Written {
    evidence: Option<Staged>,
    sightings: Option<Staged>,
    /// Pieces of evidence that were not stored before.
    pieces: usize,
    /// What its contents say; derived, so that failing here loses nothing.
    known: Result<Known, LakeError>,
}

/// The evidence that is not stored yet, and when it was first seen.
fn new_pieces<'a>(
    rows: &[Row],
    at_hand: &'a AtHand,
    missing: &HashSet<ContentHash>,
    now: Timestamp,
) -> BTreeMap<ContentHash, NewPiece<'a>> {
    let mut first: HashMap<ContentHash, Timestamp> = HashMap::default();
    for row in rows {
        for reference in row.sighting.evidence.iter().filter(|one| missing.contains(&one.hash)) {
            let time = first.entry(reference.hash).or_insert(row.sighting.time);
            *time = (*time).min(row.sighting.time);
        }
    }
    let piece = |hash: &ContentHash| {
        let first_seen = first.get(hash).copied().unwrap_or(now);
        Some((*hash, NewPiece { evidence: at_hand.get(hash)?, first_seen }))
    };
    missing.iter().filter_map(piece).collect()
}

/// What a batch must keep to, whatever is stored.
fn check(batch: &Batch) -> Result<(), LakeError> {
    let refuse = |detail: String| Err(LakeError::Refused { detail });
    if batch.sightings.len() > MAX_SIGHTINGS {
        return refuse(format!("{} sightings, at most {MAX_SIGHTINGS} are taken at once", batch.sightings.len()));
    }
    if batch.checkpoint.as_ref().is_some_and(|one| one.state.len() > MAX_STATE_BYTES) {
        return refuse(format!("the checkpoint is longer than {MAX_STATE_BYTES} bytes"));
    }
    for sighting in &batch.sightings {
        check_sighting(sighting)?;
    }
    batch.evidence.iter().try_for_each(evidence::check)
}

fn check_sighting(sighting: &Sighting) -> Result<(), LakeError> {
    let subject = sighting.subject;
    let refuse = |detail: String| Err(LakeError::Refused { detail: format!("sighting of {subject}: {detail}") });
    let time = sighting.time.to_utc();
    if !(0..=9999).contains(&time.year()) || Timestamp::from(time) != sighting.time {
        return refuse("its time is outside the years 0 to 9999".to_owned());
    }
    if subject.address != subject.address.to_canonical() {
        return refuse("write an IPv4-mapped address as IPv4".to_owned());
    }
    if sighting.remark.as_ref().is_some_and(|remark| remark.len() > MAX_REMARK_BYTES) {
        return refuse(format!("its remark is longer than {MAX_REMARK_BYTES} bytes"));
    }
    if let Err(error) = sighting.marking.terms().check() {
        return refuse(error.to_string());
    }
    Ok(())
}
