//! The index follows the tables.
//!
//! The index knows which version of the sightings table it has seen ([`Index::applied`]). What was committed later is
//! read back and applied; an index that was deleted has seen nothing and is rebuilt by the same steps. The outcome does
//! not depend on the order or the grouping of what is applied.
//! At a hundred times the data: catching up follows what is new; a rebuild reads first and last of each run,
//! [`GROUP_ROWS`] at a time, so that memory stays at one group however large files are.
//!
//! [`Index::applied`]: crate::index::Index::applied

use std::sync::Arc;

use ahash::{HashMap, HashSet};
use hinomi_model::{ContentHash, Marking, Outcome, SensorId, ServiceKey, Sighting};

use crate::error::LakeError;
use crate::identify::{AtHand, Contents, Known};
use crate::index::Update;
use crate::index::write::{Glance, Plan, Source};
use crate::lake::Lake;
use crate::looks::{self, Looks, OneLook};
use crate::past::owners::Then;
use crate::query::AddressRanges;
use crate::sightings::{self, Row};
use crate::table::{DataFile, Rows, read};

#[cfg(test)]
mod tests;

/// Sightings applied in one step of a rebuild: enough to make the index's own commits rare.
const GROUP_ROWS: usize = 50_000;

impl Lake {
    /// At start: an index that speaks of other tables than these is void, and so is one whose facts are gone. One that
    /// was begun before all facts were derived again is true of old facts, and is searched until its successor is
    /// built.
    pub(crate) fn mend(&self) -> Result<(), LakeError> {
        let newest = self.sightings.version();
        let ahead = self.index.applied() > newest;
        let evidence = !self.pieces.keyed.table.files(|_| true).is_empty();
        // Where several servers write, facts come after what they are of.
        let factless = self.is_alone() && evidence && self.knowledge.keyed.table.version() == Some(0);
        if ahead || (factless && self.index.applied().is_some()) {
            tracing::warn!("the index does not belong to these tables and is rebuilt");
            self.index.clear()?;
        }
        let anew = self.index.applied().is_none() || self.index.identified() != self.knowledge.identified();
        let sightings = !self.sightings.files(|_| true).is_empty();
        if !anew || !sightings {
            return self.catch_up();
        }
        self.tell_what_is_pending()?;
        self.build_index()
    }

    /// An index that is built anew tells nobody of changes: the old one is brought up to date first, as far as it can
    /// be read, so that saved queries hear of what was stored and not applied.
    fn tell_what_is_pending(&self) -> Result<(), LakeError> {
        if self.index.applied().is_none() {
            return Ok(());
        }
        match self.catch_up() {
            Err(error @ (LakeError::Index { .. } | LakeError::Damaged { .. } | LakeError::OtherIndex)) => {
                tracing::warn!(%error, "the old index cannot follow; saved queries are not told of what was pending");
                Ok(())
            }
            done => done,
        }
    }

    /// A new index from the tables, shown when it is complete.
    pub(crate) fn build_index(&self) -> Result<(), LakeError> {
        self.watching.quietly(|| self.index.rebuild(self.knowledge.identified(), || self.catch_up()))
    }

    /// Applies what was committed and not applied yet.
    pub(crate) fn catch_up(&self) -> Result<(), LakeError> {
        let applied = self.index.applied();
        let mut files = self.sightings.files(|file| applied.is_none_or(|applied| file.newest() > applied));
        if !files.is_empty() {
            self.see_evidence_of_others()?;
        }
        // What compaction wrote lately holds old rows.
        files.sort_by_key(|file| (file.newest(), file.version));
        let (mut rows, mut retold) = (Vec::new(), self.told_again_before(applied, &files)?);
        for (at, file) in files.iter().enumerate() {
            self.take_file(file, &mut rows, &mut retold)?;
            retold.extend(told_again(&rows));
            let next = files.get(at + 1).map(|next| next.newest());
            // The index remembers versions, not files: all files of a version must be told before it counts.
            if next.is_none() || rows.len() >= GROUP_ROWS && next != Some(file.newest()) {
                tracing::debug!(version = file.newest(), sightings = rows.len(), "index catches up");
                // Nothing counts before what was told again is settled: who is killed in between begins again.
                let version = Some(file.newest()).filter(|_| retold.is_empty());
                self.apply(version, &std::mem::take(&mut rows))?;
            }
        }
        let Some(last) = files.last().filter(|_| !retold.is_empty()) else { return Ok(()) };
        // What was told first may lie in a file that came after.
        let then = self.then()?;
        self.settle(&retold, &then)?;
        let none = Told { rows: &[], known: &Known::default(), fresh: &HashSet::default(), then: &then };
        self.index.carry_out(Some(last.newest()), Plan::default(), &none, None)
    }

    /// The services of which files that were applied before tell again what merged files among these may hold: such a
    /// file was made of old ones too, and what those told first must not stand again.
    fn told_again_before(
        &self,
        applied: Option<u64>,
        files: &[Arc<DataFile>],
    ) -> Result<HashSet<ServiceKey>, LakeError> {
        let mut retold = HashSet::default();
        let merged: Vec<_> = files.iter().filter(|file| file.origin.is_some()).map(|file| file.extent).collect();
        let Some(applied) = applied.filter(|_| !merged.is_empty()) else { return Ok(retold) };
        let beside =
            |file: &DataFile| file.newest() <= applied && merged.iter().any(|merged| merged.overlaps(&file.extent));
        for file in self.sightings.files(beside) {
            looks::told_again(&self.sightings, &file, &mut |run| {
                let key = run.first.subject;
                let place = sightings::halves(key.address);
                retold.extend(Some(key).filter(|_| merged.iter().any(|merged| merged.may_hold(place))));
            })?;
        }
        Ok(retold)
    }

    /// Reads a file, and applies what is too much to hold before it goes on. `retold` gets what that tells again.
    fn take_file(
        &self,
        file: &DataFile,
        rows: &mut Vec<Row>,
        retold: &mut HashSet<ServiceKey>,
    ) -> Result<(), LakeError> {
        read::read(&self.sightings.path(file), sightings::STORED, Rows::All, &mut |batch| {
            if rows.len() >= GROUP_ROWS {
                retold.extend(told_again(rows));
                self.apply(None, &std::mem::take(rows))?;
            }
            rows.extend(sightings::decode_ends(batch)?);
            Ok(())
        })
    }

    /// Applies sightings that were read back from the tables: up to this version, or a part of it that is not its last.
    fn apply(&self, version: Option<u64>, rows: &[Row]) -> Result<(), LakeError> {
        if rows.is_empty() {
            return Ok(());
        }
        // Planned and applied by the same table of places.
        let then = self.then()?;
        let plan = self.plan_by(rows, &then)?;
        let known = self.know(rows, &plan, &AtHand::default())?;
        self.apply_by(version, rows, (plan, known), &then)
    }

    /// What applying these sightings will do.
    pub(crate) fn plan(&self, rows: &[Row]) -> Result<Plan, LakeError> {
        self.plan_by(rows, &self.then()?)
    }

    fn plan_by(&self, rows: &[Row], then: &Then) -> Result<Plan, LakeError> {
        let glances = self.glances(rows, then)?;
        self.index.plan(glances, &Told { rows, known: &Known::default(), fresh: &HashSet::default(), then })
    }

    /// What the contents of these sightings say, as far as the index does not know it.
    pub(crate) fn know(&self, rows: &[Row], plan: &Plan, at_hand: &AtHand) -> Result<Known, LakeError> {
        let mut asked = vec![true; rows.len()];
        plan.known().iter().filter_map(|at| asked.get_mut(*at).map(|asked| *asked = false)).for_each(drop);
        let rows = rows.iter().zip(asked).filter(|(_, asked)| *asked).map(|(row, _)| row);
        let contents: Contents<'_> = rows.map(|row| (row.content, row.sighting.evidence.as_slice())).collect();
        self.knowledge.of(&contents, &self.pieces, at_hand)
    }

    /// Keeps what was worked out and applies the sightings of one version, or of several up to it.
    pub(crate) fn apply_known(
        &self,
        version: Option<u64>,
        rows: &[Row],
        plan: Plan,
        known: Known,
    ) -> Result<(), LakeError> {
        self.apply_by(version, rows, (plan, known), &self.then()?)
    }

    fn apply_by(
        &self,
        version: Option<u64>,
        rows: &[Row],
        (plan, known): (Plan, Known),
        then: &Then,
    ) -> Result<(), LakeError> {
        let Known { derived, new } = known;
        let fresh: HashSet<_> = new.iter().map(|row| row.content).collect();
        match self.may_keep_facts() {
            true => self.heed_loss(self.knowledge.keep(new, self.marks(), self.clock.now()))?,
            false => self.knowledge.remember(new),
        }
        let known = Known { derived, new: Vec::new() };
        let told = Told { rows, known: &known, fresh: &fresh, then };
        let retold = told_again(rows);
        if retold.is_empty() {
            return self.index.carry_out(version, plan, &told, self.watching.who_heeds());
        }
        self.index.carry_out(None, plan, &told, self.watching.who_heeds())?;
        self.settle(&retold, then)?;
        self.index.carry_out(version, Plan::default(), &told, None)
    }

    /// Services of which something was told again with a stricter marking: what stands of them is made anew from all that
    /// was told, for times of what is closed now must go from where they were told.
    fn settle(&self, retold: &HashSet<ServiceKey>, then: &Then) -> Result<(), LakeError> {
        if retold.is_empty() {
            return Ok(());
        }
        let ranges = Arc::new(AddressRanges::new(retold.iter().map(|key| key.address.into())));
        let mut ends: HashMap<ServiceKey, Ends> = HashMap::default();
        for look in Looks::new(&self.sightings, &self.sightings.files(|_| true), Some(ranges)) {
            let look = look?;
            let key = look.run.first.subject;
            if retold.contains(&key) {
                ends.entry(key).or_default().take(look);
            }
        }
        let rows: Vec<Row> = ends.into_values().flat_map(Ends::rows).collect();
        let none = Told { rows: &rows, known: &Known::default(), fresh: &HashSet::default(), then };
        let plan = self.index.plan_anew(self.glances(&rows, then)?, &none)?;
        let known = self.know(&rows, &plan, &AtHand::default())?;
        let known = Known { derived: known.derived, new: Vec::new() };
        let told = Told { rows: &rows, known: &known, fresh: &HashSet::default(), then };
        self.index.carry_out(None, plan, &told, None)
    }

    fn glances(&self, rows: &[Row], then: &Then) -> Result<Vec<Glance>, LakeError> {
        let sayer = self.index.sayer()?;
        let glance = |(at, row): (usize, &Row)| {
            let Sighting { subject, time, outcome, sensor, marking, .. } = &row.sighting;
            let around = then.around(subject.address, *time);
            let said = sayer.said(&row.content, *outcome, sensor, &around, marking);
            Glance { key: *subject, time: *time, outcome: *outcome, said, at }
        };
        Ok(rows.iter().enumerate().map(glance).collect())
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

/// The services of which these tell again, with a stricter marking, what was told.
fn told_again(rows: &[Row]) -> HashSet<ServiceKey> {
    rows.iter().filter(|row| row.again).map(|row| row.sighting.subject).collect()
}

/// All that the present depends on of a service: of each marking the first and the newest that answered, and the newest that
/// found it closed.
#[derive(Default)]
struct Ends(Vec<(Marking, [Option<OneLook>; 3])>);

impl Ends {
    fn take(&mut self, look: OneLook) {
        let marking = &look.run.first.marking;
        let at = self.0.iter().position(|(known, _)| known == marking).unwrap_or_else(|| {
            self.0.push((marking.clone(), [None, None, None]));
            self.0.len() - 1
        });
        let Some((_, [first, newest, closed])) = self.0.get_mut(at) else { return };
        let rank = |one: &OneLook| {
            let seen = &one.run.first;
            (one.time, seen.outcome == Outcome::Open, one.run.content, seen.sensor.clone())
        };
        let newer = |known: &Option<OneLook>| known.as_ref().is_none_or(|known| rank(known) < rank(&look));
        if look.run.first.outcome == Outcome::Closed {
            if newer(closed) {
                *closed = Some(look.alone());
            }
            return;
        }
        if first.is_none() {
            *first = Some(look.clone().alone());
        }
        if newer(newest) {
            *newest = Some(look.alone());
        }
    }

    fn rows(self) -> impl Iterator<Item = Row> {
        let row = |look: OneLook| {
            let (content, sighting) = (look.run.content, look.run.first.clone());
            Row { id: sighting.id(), content, sighting, again: false }
        };
        self.0.into_iter().flat_map(|(_, looks)| looks).flatten().map(row)
    }
}

/// Sightings as the index asks for them.
struct Told<'a> {
    rows: &'a [Row],
    known: &'a Known,
    /// Contents that nobody knew before.
    fresh: &'a HashSet<ContentHash>,
    then: &'a Then,
}

impl Source for Told<'_> {
    fn teller(&self, at: usize) -> Option<(ContentHash, &SensorId, &Marking)> {
        self.rows.get(at).map(|row| (row.content, &row.sighting.sensor, &row.sighting.marking))
    }

    fn update(&self, at: usize) -> Option<Update> {
        let Row { content, sighting, .. } = self.rows.get(at)?;
        let derived = self.known.derived.get(content).cloned().unwrap_or_default();
        let around = self.then.around(sighting.subject.address, sighting.time);
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        Some(Update {
            key: sighting.subject,
            time: sighting.time,
            outcome: sighting.outcome,
            sensor: sighting.sensor.clone(),
            content: *content,
            evidence: sighting.evidence.clone(),
            facts: derived.facts,
            text: derived.text,
            asn: around.asn,
            other_then: around.other_then,
            operator: own(around.operator),
            country: own(around.country),
            prefecture: own(around.prefecture),
            marking: sighting.marking.clone(),
            fresh: self.fresh.contains(content),
        })
    }
}
