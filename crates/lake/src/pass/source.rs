//! What the map of a pass may read, and how a pass over an open lake begins and ends.

use std::io::Write;
use std::sync::Arc;

use super::header::Pinned;
use super::{Engine, Gather, Gathered, Header, Job, Order, Pass, Passed, Row, Task, output, shares};
use crate::error::LakeError;
use crate::evidence::Pieces;
use crate::export::Format;
use crate::identify::Knowledge;
use crate::lake::Lake;
use crate::ledger::{self, Event};
use crate::place::Places;
use crate::table::store::Place;
use crate::table::{DataFile, Table};

/// The most bytes of a table of places that executors are told.
const MAX_PLACES_BYTES: usize = 512 << 20;

/// Tables, rules and places.
pub(crate) struct Source<'a> {
    /// The table of sightings.
    pub(crate) sightings: &'a Table,
    /// Its files at the pinned version.
    pub(crate) files: Vec<Arc<DataFile>>,
    /// Evidence.
    pub(crate) pieces: &'a Pieces,
    /// Facts and the rules.
    pub(crate) knowledge: &'a Knowledge,
    /// Where addresses are.
    pub(crate) places: Arc<Places>,
}

impl Lake {
    /// Runs a pass whose result is a file, and writes it, by key.
    ///
    /// # Errors
    /// When the job is of the other kind, the tables cannot be read, or `out` takes no more.
    pub fn pass_into(
        &self,
        order: &Order,
        engine: &dyn Engine,
        by: &str,
        (format, out): (Format, &mut (dyn Write + Send)),
    ) -> Result<Passed, LakeError> {
        let shown = output::of(order)?;
        self.see_others()?;
        let pass = super::of(order);
        let task = self.task(order, pass.as_ref())?;
        self.write_down(&task, engine, by)?;
        let mut writer = output::Writer::new(shown.result(), format, out)?;
        let gathered = self.run_pass(&task, engine, &mut |row| writer.take(shown.shown(&row)?))?;
        writer.finish()?;
        Ok(passed(&task, engine, gathered))
    }

    /// Runs a pass whose result is a table of the lake, which it replaces in one step.
    ///
    /// # Errors
    /// When the job is of the other kind, this lake is for reading only, or a table cannot be read or written.
    pub fn pass_within(&self, order: &Order, engine: &dyn Engine, by: &str) -> Result<Passed, LakeError> {
        match order.job {
            Job::Rollup => self.roll_up_by(order, engine, Some(by)),
            Job::Reidentify => self.reidentify_by(order, engine, by),
            Job::Presence | Job::Churn => {
                let detail = format!("the result of {} is a file, not a table of the lake", order.job.name());
                Err(LakeError::Unfit { detail })
            }
        }
    }

    /// Everything that an engine needs, with the tables as they are known now.
    pub(crate) fn task<'a>(&'a self, order: &Order, pass: &'a dyn Pass) -> Result<Task<'a>, LakeError> {
        let (facts, evidence) = (&self.knowledge.keyed.table, &self.pieces.keyed.table);
        let files = self.sightings.files(|_| true);
        let (tables, shares): (&[&Table], _) = match order.job {
            Job::Presence | Job::Churn => {
                (&[&self.sightings], shares::by_address(&self.sightings, &files, order.shares)?)
            }
            Job::Rollup => {
                (&[&self.sightings, facts, evidence], shares::by_address(&self.sightings, &files, order.shares)?)
            }
            Job::Reidentify => (&[facts, evidence], shares::by_rows(&facts.files(|_| true), order.shares)),
        };
        let pinned = tables.iter().map(|table| Pinned::of(table)).collect();
        let mut header = Header::new(order.clone(), pass.version(), Place::of_state(&self.dir)?, pinned);
        if order.job.is_kept() {
            header.rules = Some(self.knowledge.revision().to_owned());
        }
        // Executors are told the table that this process uses itself.
        let places = self.places.current();
        if order.job == Job::Rollup {
            header.places = places_told(&places)?;
        }
        let (pieces, knowledge) = (&self.pieces, &self.knowledge);
        let source = Source { sightings: &self.sightings, files, pieces, knowledge, places };
        Ok(Task { pass, header, shares, source })
    }

    /// Runs a task and hands on the merged rows, by key.
    pub(crate) fn run_pass(
        &self,
        task: &Task<'_>,
        engine: &dyn Engine,
        each: &mut dyn FnMut(Row) -> Result<(), LakeError>,
    ) -> Result<Gathered, LakeError> {
        let gather = Gather::new(task.pass, &self.dir)?;
        // A cluster asked for nothing refuses.
        if !task.shares.is_empty() {
            engine.run(task, &gather)?;
        }
        gather.finish(each)
    }

    /// Writes down that a pass begins, before anything of it is seen.
    pub(crate) fn write_down(&self, task: &Task<'_>, engine: &dyn Engine, by: &str) -> Result<(), LakeError> {
        let (job, engine) = (task.job().name().to_owned(), engine.name().to_owned());
        let event = Event::Passed { job, engine, sightings: self.sightings.version(), by: by.to_owned() };
        ledger::append(&self.dir, self.clock.now(), event)
    }
}

fn places_told(places: &Places) -> Result<Option<String>, LakeError> {
    if places.is_empty() {
        return Ok(None);
    }
    let text = places.text();
    if text.len() > MAX_PLACES_BYTES {
        let detail = format!("the table of places has more than {MAX_PLACES_BYTES} bytes");
        return Err(LakeError::Unfit { detail });
    }
    Ok(Some(text))
}

/// What a task came to.
pub(crate) fn passed(task: &Task<'_>, engine: &dyn Engine, gathered: Gathered) -> Passed {
    Passed {
        job: task.job(),
        engine: engine.name(),
        sightings: task.source.sightings.version(),
        shares: task.shares.len() as u64,
        partial_rows: gathered.came,
        rows: gathered.rows,
        changed: None,
    }
}
