//! The index follows the tables.
//!
//! The index knows which version of the sightings table it has seen ([`Index::applied`]). What was committed later is
//! read back and applied; an index that was deleted has seen nothing and is rebuilt by the same steps. The outcome does
//! not depend on the order or the grouping of what is applied.
//! At a hundred times the data: catching up follows what is new; a rebuild reads all sightings, a group of files at a
//! time, so that memory stays at one group.
//!
//! [`Index::applied`]: crate::index::Index::applied

use std::sync::Arc;

use hinomi_model::EvidenceRef;

use crate::error::LakeError;
use crate::identify::{AtHand, Contents, Known};
use crate::index::Update;
use crate::lake::Lake;
use crate::sightings::{self, Row};
use crate::table::{DataFile, Rows, read};

/// Sightings applied in one step of a rebuild: enough to make the index's own commits rare.
const GROUP_ROWS: u64 = 50_000;

impl Lake {
    /// At start: an index that speaks of other tables than these is void, and so is one whose facts are gone. One that
    /// was begun before all facts were derived again is true of old facts, and is searched until its successor is built.
    pub(crate) fn mend(&self) -> Result<(), LakeError> {
        let newest = self.sightings.version();
        let ahead = self.index.applied() > newest;
        let evidence = !self.pieces.keyed.table.files(|_| true).is_empty();
        let factless = evidence && self.knowledge.keyed.table.version() == Some(0);
        if ahead || (factless && self.index.applied().is_some()) {
            tracing::warn!("the index does not belong to these tables and is rebuilt");
            self.index.clear()?;
        }
        let anew = self.index.applied().is_none() || self.index.identified() != self.knowledge.identified();
        let sightings = !self.sightings.files(|_| true).is_empty();
        if anew && sightings { self.build_index() } else { self.catch_up() }
    }

    /// A new index from the tables, shown when it is complete.
    pub(crate) fn build_index(&self) -> Result<(), LakeError> {
        self.index.rebuild(self.knowledge.identified(), || self.catch_up())
    }

    /// Applies what was committed and not applied yet.
    pub(crate) fn catch_up(&self) -> Result<(), LakeError> {
        let applied = self.index.applied();
        let files = self.sightings.files(|file| applied.is_none_or(|applied| file.version > applied));
        let mut group: Vec<Arc<DataFile>> = Vec::new();
        for file in files {
            let full = group.iter().map(|file| file.rows).sum::<u64>() >= GROUP_ROWS;
            // All files of one version go into one step: the index remembers versions, not files.
            if full && group.last().is_some_and(|last| last.version != file.version) {
                self.apply_files(&std::mem::take(&mut group))?;
            }
            group.push(file);
        }
        self.apply_files(&group)
    }

    fn apply_files(&self, files: &[Arc<DataFile>]) -> Result<(), LakeError> {
        let Some(last) = files.last() else { return Ok(()) };
        let mut rows = Vec::new();
        for file in files {
            read::read(&self.sightings.path(file), sightings::STORED, Rows::All, &mut |batch| {
                rows.extend(sightings::decode(batch)?);
                Ok(())
            })?;
        }
        tracing::debug!(version = last.version, sightings = rows.len(), "index catches up");
        self.apply(last.version, rows)
    }

    /// Applies the sightings of one version, or of several up to it, read back from the tables.
    fn apply(&self, version: u64, rows: Vec<Row>) -> Result<(), LakeError> {
        let known = self.know(&rows, &AtHand::new())?;
        self.apply_known(version, rows, known)
    }

    /// What the contents of these sightings say.
    pub(crate) fn know(&self, rows: &[Row], at_hand: &AtHand) -> Result<Known, LakeError> {
        let contents: Contents<'_> = rows.iter().map(|row| (row.content, row.sighting.evidence.as_slice())).collect();
        self.knowledge.of(&contents, &self.pieces, at_hand)
    }

    /// Keeps what was worked out and applies the sightings of one version, or of several up to it.
    pub(crate) fn apply_known(&self, version: u64, rows: Vec<Row>, known: Known) -> Result<(), LakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        let Known { derived, new } = known;
        self.knowledge.keep(new, self.clock.now())?;
        let update = |row: Row| {
            let derived = derived.get(&row.content)?.clone();
            Some(self.update(row, derived))
        };
        let updates = rows.into_iter().filter_map(update).collect();
        self.index.apply(version, updates)
    }

    fn update(&self, row: Row, derived: crate::facts::Derived) -> Update {
        let Row { content, sighting, .. } = row;
        let place = self.places.find(sighting.subject.address);
        let evidence: Vec<EvidenceRef> = sighting.evidence;
        Update {
            key: sighting.subject,
            time: sighting.time,
            outcome: sighting.outcome,
            sensor: sighting.sensor,
            content,
            evidence,
            facts: derived.facts,
            text: derived.text,
            asn: place.and_then(|place| place.asn),
            country: place.and_then(|place| place.country.clone()),
            marking: sighting.marking,
        }
    }

    /// Builds the index again from the tables; the old one is searched until the new one is complete.
    ///
    /// # Errors
    /// When this lake is for reading only, or tables or index cannot be read or written.
    pub fn rebuild_index(&self) -> Result<(), LakeError> {
        let _writer = self.writer()?;
        self.refresh()?;
        self.build_index()
    }
}
