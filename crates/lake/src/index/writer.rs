//! The writer of an index: plans, carries out, commits.

use std::path::Path;
use std::sync::Arc;

use hinomi_model::ServiceKey;

use super::Writer;
use super::changed::Heed;
use super::directory::{Directory, Slot};
use super::document::Templates;
use super::folder::{Generation, index_error};
use super::lanes::Lanes;
use super::standing::Stands;
use super::times::LAST_LOG_BYTES;
use super::write::{Doing, Glance, Plan, Planner, Remembered, Source};
use crate::error::LakeError;

/// Takes note of the markings of what is told; whether there are several.
fn heed(lanes: &mut Lanes, glances: &[Glance], source: &dyn Source) -> bool {
    let mut last = None;
    let mut several = lanes.is_several();
    for (_, _, marking) in glances.iter().filter_map(|glance| source.teller(glance.at)) {
        if last != Some(marking) {
            several = lanes.heed(marking);
            last = Some(marking);
        }
    }
    several
}

impl Writer {
    pub(super) fn open(dir: &Path, number: u64) -> Result<Self, LakeError> {
        let generation = Arc::new(Generation::open(dir, number, true)?);
        let (terms, payload) = (generation.writer()?, generation.payload()?);
        let applied = payload.version.max(generation.times.version());
        let next_row = payload.next_row.max(generation.times.next_row());
        let (remembered, templates) = (Remembered::default(), Templates::default());
        let (directory, lanes, seen) = (None, Lanes::default(), true);
        Ok(Self { generation, terms, payload, applied, next_row, directory, lanes, remembered, templates, seen })
    }

    pub(super) fn plan(&mut self, glances: Vec<Glance>, source: &dyn Source, anew: bool) -> Result<Plan, LakeError> {
        if !self.seen {
            self.generation.reload_now()?;
            self.seen = true;
        }
        if self.directory.is_none() {
            self.directory = Some(self.generation.directory()?);
            self.lanes = self.generation.lanes()?;
        }
        let several = heed(&mut self.lanes, &glances, source);
        let Self { generation, directory, lanes, .. } = self;
        let directory = directory.get_or_insert_with(Directory::new);
        let (searcher, times) = (generation.searcher(), generation.times.view()?);
        let stands = Stands::open(&searcher, &generation.columns, &generation.facts)?;
        let plan = Planner { directory, times: &times, stands, source, lanes, several, anew }.plan(glances)?;
        times.check()?;
        Ok(plan)
    }

    /// Writes records and touches, then commits the rows with the version: before the commit nothing has happened, and
    /// touches that went before it are true whether it comes or not. Without rows the touches are the commit.
    pub(super) fn carry_out(
        &mut self,
        version: Option<u64>,
        plan: Plan,
        source: &dyn Source,
        heed: Option<&dyn Heed>,
    ) -> Result<(), LakeError> {
        let generation = Arc::clone(&self.generation);
        let (searcher, rows) = (generation.searcher(), plan.has_rows());
        let doing = Doing {
            columns: &generation.columns,
            facts: &generation.facts,
            writer: &self.terms,
            stands: Stands::open(&searcher, &generation.columns, &generation.facts)?,
            source,
            remembered: &mut self.remembered,
            templates: &mut self.templates,
            next_row: self.next_row,
            heeded: heed.is_some(),
            version: version.or(self.applied).unwrap_or(0),
        };
        let done = doing.carry_out(plan)?;
        if let Some(heed) = heed.filter(|_| !done.changes.is_empty()) {
            heed.heed(&done.changes)?;
        }
        let facts_length = if rows { generation.facts.sync()? } else { self.payload.facts_length };
        let counts = (version.or(self.applied).unwrap_or(0), version.is_some() && !rows);
        generation.times.touch(counts, done.next_row, &done.touches)?;
        // Numbers of rows are never used twice, also when the commit fails.
        self.next_row = done.next_row;
        let applied = version.or(self.applied);
        if rows {
            self.commit(applied, facts_length)?;
        }
        self.applied = applied;
        done.forgotten.iter().for_each(|key| self.lanes.forget(key));
        done.gone.iter().for_each(|(key, row)| self.lanes.let_go(key, *row));
        done.laned.into_iter().for_each(|(key, lane)| self.lanes.put(&key, lane));
        self.place(done.placed);
        generation.times.fold_if_due(self.applied)
    }

    /// Ends: who opens next finds little to read. What fails here is done by him.
    pub(super) fn close(self) {
        if let Err(error) = self.generation.times.fold_at_end(self.applied, LAST_LOG_BYTES) {
            tracing::warn!(%error, "the index is left as it is; opening it again takes longer");
        }
    }

    fn commit(&mut self, version: Option<u64>, facts_length: u64) -> Result<(), LakeError> {
        let payload = self.payload.applied(version, self.next_row, facts_length);
        let mut prepared = self.terms.prepare_commit().map_err(index_error("write the index"))?;
        prepared.set_payload(&payload.text()?);
        prepared.commit().map_err(index_error("write the index"))?;
        (self.payload, self.seen) = (payload, false);
        self.generation.settle()?;
        self.generation.reload_now()?;
        self.seen = true;
        Ok(())
    }

    fn place(&mut self, placed: Vec<(ServiceKey, Slot)>) {
        if let Some(directory) = &mut self.directory {
            placed.into_iter().for_each(|(key, slot)| directory.put(&key, slot));
        }
    }
}
