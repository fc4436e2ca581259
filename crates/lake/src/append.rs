//! A batch into the tables, as one step.
//!
//! Files are written side by side; what makes them count goes in order: evidence, then sightings with the campaign's
//! checkpoint (this commit makes the batch real), then facts and index. A failure before the commit leaves nothing
//! visible. A failure after it leaves derived things behind the tables; the batch is stored, so the receipt says so,
//! and the next append or start catches up first.
//! At a hundred times the data: the work follows the batch, see [`crate::recent`] for what is asked of older files.

use std::collections::{BTreeMap, HashMap, HashSet};

use hinomi_model::{
    Batch, CampaignId, Checkpoint, ContentHash, EvidenceRef, Receipt, Sighting, Sink, SinkError, Timestamp,
};

use crate::error::LakeError;
use crate::evidence::{self, NewPiece};
use crate::identify::{AtHand, Known};
use crate::lake::{Lake, application};
use crate::recent::Recent;
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
        self.refresh()?;
        self.catch_up()?;
        check(&batch)?;
        let told = batch.sightings.len();
        let rows = self.new_rows(&mut recent, batch.sightings)?;
        let at_hand: AtHand = batch.evidence.into_iter().map(|piece| (piece.hash(), piece)).collect();
        let missing = self.pieces.keyed.missing(at_hand.keys())?;
        self.check_references(&rows, &at_hand)?;
        let receipt = Receipt { sightings: rows.len(), repeated: told - rows.len(), evidence: missing.len() };
        let written = self.write(&rows, &at_hand, &missing)?;
        self.pieces.commit(written.evidence, self.clock.now())?;
        if rows.is_empty() && batch.checkpoint.is_none() {
            return Ok(receipt);
        }
        let version = self.commit_sightings(written.sightings, batch.checkpoint)?;
        if let Err(error) = written.known.and_then(|known| self.apply_known(version, rows, known)) {
            tracing::warn!(%error, version, "the batch is stored; the index is behind and will catch up");
        }
        Ok(receipt)
    }

    /// The sightings of the batch that are not stored yet, each once, sorted.
    fn new_rows(&self, recent: &mut Recent, told: Vec<Sighting>) -> Result<Vec<Row>, LakeError> {
        let mut contents: HashMap<Vec<EvidenceRef>, ContentHash> = HashMap::new();
        let mut seen = HashSet::with_capacity(told.len());
        let mut rows = Vec::with_capacity(told.len());
        for sighting in told {
            let id = sighting.id();
            if !seen.insert(id) {
                continue;
            }
            let content = match contents.get(&sighting.evidence) {
                Some(content) => *content,
                None => *contents.entry(sighting.evidence.clone()).or_insert_with(|| sighting.content()),
            };
            rows.push(Row { id, content, sighting });
        }
        let stored = recent.stored(&self.sightings, &rows)?;
        rows.retain(|row| !stored.contains(&row.id));
        sightings::sort(&mut rows);
        Ok(rows)
    }

    fn check_references(&self, rows: &[Row], at_hand: &AtHand) -> Result<(), LakeError> {
        let all = rows.iter().flat_map(|row| &row.sighting.evidence).map(|one| one.hash);
        let elsewhere: HashSet<_> = all.filter(|hash| !at_hand.contains_key(hash)).collect();
        let missing = self.pieces.keyed.missing(elsewhere.iter())?;
        let Some(hash) = missing.iter().next() else { return Ok(()) };
        let detail = format!("a sighting refers to evidence {hash}, which is neither in the batch nor stored");
        Err(LakeError::Refused { detail })
    }

    /// Writes both files, which do not count yet, and works out what the contents say, side by side: these are the
    /// three parts of the work that the processors feel.
    fn write(&self, rows: &[Row], at_hand: &AtHand, missing: &HashSet<ContentHash>) -> Result<Written, LakeError> {
        let pieces = new_pieces(rows, at_hand, missing, self.clock.now());
        std::thread::scope(|scope| {
            let evidence = scope.spawn(|| self.pieces.stage(&pieces));
            let sightings = self.stage_sightings(rows);
            let known = self.know(rows, at_hand);
            let evidence = evidence.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause));
            Ok(Written { evidence: evidence?, sightings: sightings?, known })
        })
    }

    fn stage_sightings(&self, rows: &[Row]) -> Result<Option<Staged>, LakeError> {
        let encode = || self.sightings.stage("0", sightings::encode(self.sightings.schema(), rows));
        (!rows.is_empty()).then(encode).transpose()
    }

    fn commit_sightings(&self, staged: Option<Staged>, checkpoint: Option<Checkpoint>) -> Result<u64, LakeError> {
        let note = |one: Checkpoint| Note { application: application(&one.campaign), text: one.state };
        let change = Change { add: staged.into_iter().collect(), note: checkpoint.map(note), ..Change::default() };
        self.sightings.commit(change, self.clock.now())
    }
}

/// A batch that is written and does not count yet.
struct Written {
    evidence: Option<Staged>,
    sightings: Option<Staged>,
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
    let mut first: HashMap<ContentHash, Timestamp> = HashMap::new();
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
    Ok(())
}
