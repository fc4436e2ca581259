//! The evidence table: bytes that were seen, each once, under their hash.
//!
//! Sorted by hash within a file, with a Bloom filter for engines that ask by hash. What grows with the data is told in
//! [`crate::keyed`]; at a hundred times the data a look-up still reads one page of one file.

use std::collections::{BTreeMap, HashMap};

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use hinomi_model::evidence::MAX_BYTES;
use hinomi_model::{ContentHash, Evidence, Timestamp};

use crate::error::LakeError;
use crate::keyed::Keyed;
use crate::search::StoredEvidence;
use crate::shared::Mark;
use crate::table::columns::{self, Columns};
use crate::table::definition::{Column, Definition, Habit, Kind};
use crate::table::{Change, Staged, Table};

/// The table.
pub(crate) static EVIDENCE: Definition = Definition {
    name: "evidence",
    description: "Bytes that were seen, stored once by their BLAKE3 hash. Sightings refer to them.",
    columns: &[&[
        Column::new("hash", Kind::Text).habit(Habit::Names),
        Column::new("kind", Kind::Text),
        Column::new("bytes", Kind::Bytes).habit(Habit::Bulk),
        Column::new("size", Kind::Int),
        Column::new("truncated", Kind::Bool),
        Column::new("first_seen", Kind::Time),
    ]],
    sorted_by: &["hash"],
    format: 1,
};

/// The columns that [`decode`] needs.
pub(crate) const STORED: &[&str] = &["hash", "kind", "bytes", "truncated", "first_seen"];

/// Pieces put into one Arrow batch while writing: 64 MiB at the very most.
const ENCODED_PIECES: usize = 256;

/// A piece that is about to be stored.
#[derive(Debug)]
pub(crate) struct NewPiece<'a> {
    /// The piece.
    pub(crate) evidence: &'a Evidence,
    /// When it was first seen.
    pub(crate) first_seen: Timestamp,
}

/// All evidence.
#[derive(Debug)]
pub(crate) struct Pieces {
    /// The table by hash.
    pub(crate) keyed: Keyed,
}

impl Pieces {
    /// Evidence in this table.
    pub(crate) fn new(table: Table) -> Self {
        Self { keyed: Keyed::new(table, EVIDENCE.name, "hash") }
    }

    /// Writes pieces that are not stored yet; they are stored by [`Pieces::commit`].
    pub(crate) fn stage(&self, pieces: &BTreeMap<ContentHash, NewPiece<'_>>) -> Result<Option<Staged>, LakeError> {
        if pieces.is_empty() {
            return Ok(None);
        }
        let table = &self.keyed.table;
        let ordered: Vec<_> = pieces.iter().collect();
        let batches = ordered.chunks(ENCODED_PIECES).map(|chunk| encode(table.schema(), chunk));
        table.stage_quickly("0", batches).map(Some)
    }

    /// Makes written pieces count, in one step.
    pub(crate) fn commit(&self, staged: Option<Staged>, marks: Vec<Mark>, now: Timestamp) -> Result<(), LakeError> {
        if let Some(staged) = staged {
            self.keyed.table.commit(Change { add: vec![staged], marks, ..Change::default() }, now)?;
        }
        Ok(())
    }

    /// One piece.
    pub(crate) fn get(&self, hash: &ContentHash) -> Result<Option<StoredEvidence>, LakeError> {
        let mut found = None;
        self.read([hash].into_iter(), &mut |_, stored| found = Some(stored))?;
        Ok(found)
    }

    /// The pieces with these hashes. What is not stored is absent.
    pub(crate) fn all<'a>(
        &self,
        hashes: impl Iterator<Item = &'a ContentHash>,
    ) -> Result<HashMap<ContentHash, Evidence>, LakeError> {
        let mut pieces = HashMap::new();
        self.read(hashes, &mut |hash, stored| {
            let evidence = Evidence { kind: stored.kind, bytes: stored.bytes, truncated: stored.truncated };
            pieces.insert(hash, evidence);
        })?;
        Ok(pieces)
    }

    fn read<'a>(
        &self,
        hashes: impl Iterator<Item = &'a ContentHash>,
        each: &mut dyn FnMut(ContentHash, StoredEvidence),
    ) -> Result<(), LakeError> {
        self.keyed.fetch(hashes, STORED, &mut |columns| decode(&columns, each))
    }
}

fn encode(schema: &SchemaRef, pieces: &[(&ContentHash, &NewPiece<'_>)]) -> Result<RecordBatch, LakeError> {
    let all = || pieces.iter().map(|(_, piece)| piece.evidence);
    columns::batch(
        schema,
        vec![
            columns::hexes(pieces.iter().map(|(hash, _)| hash.as_bytes().as_slice())),
            columns::texts(all().map(|one| one.kind.name())),
            columns::bytes(all().map(|one| one.bytes.as_slice())),
            columns::ints(all().map(|one| i32::try_from(one.bytes.len()).unwrap_or(i32::MAX))),
            columns::bools(all().map(|one| Some(one.truncated))),
            columns::times(pieces.iter().map(|(_, piece)| Some(piece.first_seen))),
        ],
    )
}

/// Pieces out of Arrow columns; fails where bytes no longer have their hash.
pub(crate) fn decode(
    columns: &Columns<'_>,
    each: &mut dyn FnMut(ContentHash, StoredEvidence),
) -> Result<(), LakeError> {
    let (hashes, kinds, bytes) = (columns.texts("hash")?, columns.texts("kind")?, columns.bytes("bytes")?);
    let (truncated, times) = (columns.bools("truncated")?, columns.times("first_seen")?);
    for at in 0..hashes.len() {
        let hash: ContentHash = hashes.value(at).parse().map_err(|error| LakeError::damaged(EVIDENCE.name, &error))?;
        let kind = kinds.value(at).parse().map_err(|error| LakeError::damaged(EVIDENCE.name, &error))?;
        let stored = StoredEvidence {
            kind,
            bytes: bytes.value(at).to_vec(),
            truncated: truncated.value(at),
            first_seen: Timestamp::from_micros(times.value(at)),
        };
        if ContentHash::of(&stored.bytes) != hash {
            return Err(LakeError::damaged(format!("evidence {hash}"), "its bytes no longer have this hash"));
        }
        each(hash, stored);
    }
    Ok(())
}

/// Whether a piece may be stored: sensors cut at the bound, so more is a mistake.
pub(crate) fn check(evidence: &Evidence) -> Result<(), LakeError> {
    if evidence.bytes.len() > MAX_BYTES {
        let detail = format!("a piece of evidence has {} bytes, at most {MAX_BYTES} are taken", evidence.bytes.len());
        return Err(LakeError::Refused { detail });
    }
    Ok(())
}
