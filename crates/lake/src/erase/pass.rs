//! Files written again without some of their rows.
//!
//! A file is read and written side by side, a few batches ahead, so that memory does not follow its size.
//! At a hundred times the data: see [`super`].

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use hinomi_model::{ContentHash, Marking, Sighting, SightingId, Timestamp};

use super::list::List;
use super::reach::Moments;
use super::{Choice, Deleted};
use crate::error::LakeError;
use crate::evidence::EVIDENCE;
use crate::facts::FACTS;
use crate::lake::Lake;
use crate::looks;
use crate::retain::Holds;
use crate::sightings::{self, Row, Run, SIGHTINGS};
use crate::table::columns::Columns;
use crate::table::definition::Definition;
use crate::table::{Change, DataFile, Rows, Staged, Table, read};

/// Batches that may wait to be written.
const AHEAD: usize = 2;

/// Rows of sightings that are put in order at once, about.
const ORDERED_ROWS: usize = 65_536;

type Prefix = [u8; 16];

fn prefix(hash: &ContentHash) -> Prefix {
    hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default()
}

/// Files to add and to remove.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) add: Vec<Staged>,
    pub(super) remove: Vec<String>,
    pub(super) deleted: Deleted,
}

/// The sightings without those chosen and not held. `list` gets the names of what goes, `moments` what it was seen of.
pub(super) fn sightings(
    lake: &Lake,
    choice: &Choice<'_>,
    holds: &Holds,
    (list, moments): (&mut List, &mut Moments),
    dry_run: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Work, LakeError> {
    let table = &lake.sightings;
    let files = table.files(|file| choice.extents.iter().any(|extent| file.extent.overlaps(extent)));
    let retold = Retold::read(table, &files)?;
    let mut work = Work::default();
    let total = files.len() as u64;
    for (done, file) in (1..).zip(&files) {
        let (mut gone, mut rest) = (0_u64, 0_u64);
        read::read(&table.path(file), sightings::STORED, Rows::All, &mut |batch| {
            let mut rows = Vec::new();
            for run in sightings::decode_runs(batch)? {
                run.into_rows(&mut rows);
                for row in rows.drain(..) {
                    let seen = retold.seen(&row);
                    let wanted = (choice.wants)(&seen);
                    let held = wanted && holds.cover(&seen);
                    work.deleted.held += u64::from(held);
                    if wanted && !held {
                        list.add(&row.id);
                        moments.add(&row.sighting);
                        gone += 1;
                    } else {
                        rest += 1;
                    }
                }
            }
            Ok(())
        })?;
        work.deleted.sightings += gone;
        if gone > 0 && !dry_run {
            work.remove.push(file.path.clone());
            if rest > 0 {
                work.add.push(rest_of(lake, (choice, holds, &retold), file, work.add.len())?);
            }
        }
        progress(done, total);
    }
    Ok(work)
}

/// How observations are marked that were told again: what is chosen by it goes with every telling, for the earlier ones alone
/// would be open again.
struct Retold(HashMap<SightingId, Marking>);

impl Retold {
    fn read(table: &Table, files: &[Arc<DataFile>]) -> Result<Self, LakeError> {
        let mut retold: HashMap<SightingId, Marking> = HashMap::new();
        for file in files {
            let mut rows = Vec::new();
            looks::told_again(table, file, &mut |run| {
                run.into_rows(&mut rows);
                for row in rows.drain(..) {
                    let told = row.sighting.marking;
                    retold.entry(row.id).and_modify(|known| *known = known.together(&told)).or_insert(told);
                }
            })?;
        }
        Ok(Self(retold))
    }

    /// An observation as it is marked by all tellings of it.
    fn seen<'a>(&self, row: &'a Row) -> Cow<'a, Sighting> {
        match self.0.get(&row.id) {
            Some(marking) => Cow::Owned(Sighting { marking: marking.clone(), ..row.sighting.clone() }),
            None => Cow::Borrowed(&row.sighting),
        }
    }
}

fn rest_of(
    lake: &Lake,
    (choice, holds, retold): (&Choice<'_>, &Holds, &Retold),
    file: &DataFile,
    number: usize,
) -> Result<Staged, LakeError> {
    let table = &lake.sightings;
    let stays = |row: &Row| {
        let seen = retold.seen(row);
        !(choice.wants)(&seen) || holds.cover(&seen)
    };
    let mut ordered = Ordered::new(ORDERED_ROWS);
    rewrite(table, file, sightings::STORED, Rows::All, &format!("rest-{number}"), &mut |batch| {
        let mut done = Vec::new();
        match batch {
            Some(batch) => {
                for run in sightings::decode_runs(batch)? {
                    ordered.take(run, stays, &mut done);
                }
            }
            None => ordered.finish(&mut done),
        }
        done.iter().flat_map(|rows| sightings::encode(table.schema(), rows)).collect()
    })
}

/// Rows of runs in the order of a file. Runs come by their beginning and overlap in time, so rows are held back until no
/// run can follow that has an earlier one.
struct Ordered {
    held: Vec<Row>,
    at_once: usize,
    full: usize,
}

impl Ordered {
    /// Hands over so many rows at once, about.
    const fn new(at_once: usize) -> Self {
        Self { held: Vec::new(), at_once, full: at_once }
    }

    fn take(&mut self, run: Run, stays: impl Fn(&Row) -> bool, done: &mut Vec<Vec<Row>>) {
        if self.held.len() >= self.full {
            let begins = place_and_time(&run.first);
            sightings::sort(&mut self.held);
            let safe = self.held.partition_point(|row| place_and_time(&row.sighting) < begins);
            let later = self.held.split_off(safe);
            done.push(std::mem::replace(&mut self.held, later));
            // What must wait is not sorted again for each run.
            self.full = self.at_once.max(self.held.len() * 2);
        }
        let from = self.held.len();
        run.into_rows(&mut self.held);
        let added = self.held.split_off(from);
        self.held.extend(added.into_iter().filter(stays));
    }

    fn finish(&mut self, done: &mut Vec<Vec<Row>>) {
        sightings::sort(&mut self.held);
        done.push(std::mem::take(&mut self.held));
    }
}

fn place_and_time(seen: &Sighting) -> ((i64, i64), u16, Timestamp) {
    (sightings::halves(seen.subject.address), seen.subject.port, seen.time)
}

/// Makes of a batch what is to be written.
type Rewriting<'a> = dyn FnMut(Option<&RecordBatch>) -> Result<Vec<RecordBatch>, LakeError> + Send + 'a;

/// A file written again, batch for batch; at its end `change` is given none.
fn rewrite(
    table: &Table,
    file: &DataFile,
    columns: &[&str],
    rows: Rows<'_>,
    label: &str,
    change: &mut Rewriting<'_>,
) -> Result<Staged, LakeError> {
    let from = table.path(file);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Result<RecordBatch, LakeError>>(AHEAD);
        scope.spawn(move || {
            let mut tell = |batch: Option<&RecordBatch>| {
                for changed in change(batch)? {
                    // Who writes has stopped and says why.
                    let _ = sender.send(Ok(changed));
                }
                Ok(())
            };
            let done = read::read(&from, columns, rows, &mut |batch| tell(Some(batch))).and_then(|()| tell(None));
            if let Err(error) = done {
                let _ = sender.send(Err(error));
            }
        });
        table.stage(label, receiver.into_iter())
    })
}

/// Evidence that no sighting refers to and facts of contents that no sighting has go; how many pieces.
pub(super) fn unreferenced(lake: &Lake) -> Result<u64, LakeError> {
    let (mut pieces, mut contents) = (HashSet::new(), HashSet::new());
    for file in lake.sightings.files(|_| true) {
        read::read(&lake.sightings.path(&file), &["content", "evidence"], Rows::All, &mut |batch| {
            let columns = Columns::new(SIGHTINGS.name, batch);
            for references in columns.reference_lists("evidence")? {
                pieces.extend(references.iter().map(|one| prefix(&one.hash)));
            }
            contents.extend(names(&columns, "content")?);
            Ok(())
        })?;
    }
    let gone = without(lake, &lake.pieces.keyed.table, &EVIDENCE, "hash", &pieces)?;
    without(lake, &lake.knowledge.keyed.table, &FACTS, "content", &contents)?;
    Ok(gone)
}

fn names(columns: &Columns<'_>, name: &str) -> Result<Vec<Prefix>, LakeError> {
    let parse = |text: &str| match text.parse::<ContentHash>() {
        Ok(hash) => Ok(prefix(&hash)),
        Err(error) => Err(columns.damaged(&error.to_string())),
    };
    columns.texts(name)?.iter().flatten().map(parse).collect()
}

/// Rows of a table whose name is in none of these go; how many.
fn without(
    lake: &Lake,
    table: &Table,
    definition: &'static Definition,
    key: &str,
    wanted: &HashSet<Prefix>,
) -> Result<u64, LakeError> {
    let (mut change, mut gone) = (Change::default(), 0);
    for file in table.files(|_| true) {
        let (mut lost, mut rest) = (0_u64, 0_u64);
        read::read(&table.path(&file), &[key], Rows::All, &mut |batch| {
            for name in names(&Columns::new(definition.name, batch), key)? {
                *(if wanted.contains(&name) { &mut rest } else { &mut lost }) += 1;
            }
            Ok(())
        })?;
        if lost == 0 {
            continue;
        }
        gone += lost;
        change.remove.push(file.path.clone());
        if rest > 0 {
            let columns: Vec<&str> = definition.columns().map(|column| column.name).collect();
            let label = format!("rest-{}", change.add.len());
            let staged = rewrite(table, &file, &columns, Rows::AllBulk, &label, &mut |batch| {
                let Some(batch) = batch else { return Ok(Vec::new()) };
                let keep = names(&Columns::new(definition.name, batch), key)?;
                let keep: BooleanArray = keep.iter().map(|name| Some(wanted.contains(name))).collect();
                let damaged = |error| LakeError::damaged(definition.name, &error);
                let kept = filter_record_batch(batch, &keep).map_err(damaged)?;
                // Under the table's own schema: what a file says of absent values may differ.
                let kept = RecordBatch::try_new(table.schema().clone(), kept.columns().to_vec()).map_err(damaged)?;
                Ok(vec![kept])
            })?;
            change.add.push(staged);
        }
    }
    if !change.remove.is_empty() {
        change.marks = lake.marks();
        lake.heed_loss(table.commit(change, lake.clock.now()))?;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::{Marking, Outcome, Purpose, ServiceKey, Transport};
    use proptest::prelude::*;

    fn run((host, sensor, begins, later): (u8, bool, i64, Vec<i64>)) -> Run {
        let subject = ServiceKey { address: [192, 0, 2, host].into(), port: 22, transport: Transport::Tcp };
        let first = Sighting {
            sensor: if sensor { "survey" } else { "import" }.parse().unwrap(),
            campaign: None,
            time: Timestamp::from_micros(begins),
            subject,
            outcome: Outcome::Open,
            remark: None,
            evidence: Vec::new(),
            marking: Marking::own(Purpose::Research),
        };
        let mut run = Run::new(first.content(), first);
        let mut time = begins;
        for more in later {
            time += more;
            run.push(Timestamp::from_micros(time), None);
        }
        run
    }

    proptest! {
        /// However few rows are handed over at once: runs that overlap leave in the order of a file, and all of them.
        #[test]
        fn rows_of_runs_leave_in_order(
            told in proptest::collection::vec(
                (0..3_u8, any::<bool>(), 0..50_i64, proptest::collection::vec(0..40_i64, 0..6)), 0..20),
            at_once in 1..8_usize,
        ) {
            let mut runs: Vec<Run> = told.into_iter().map(run).collect();
            runs.sort_by_key(|run| place_and_time(&run.first));
            let mut expected = Vec::new();
            runs.iter().cloned().for_each(|run| run.into_rows(&mut expected));
            let wanted = |row: &Row| row.sighting.time.as_micros() % 5 != 0;
            expected.retain(wanted);
            sightings::sort(&mut expected);
            let (mut ordered, mut done) = (Ordered::new(at_once), Vec::new());
            runs.into_iter().for_each(|run| ordered.take(run, wanted, &mut done));
            ordered.finish(&mut done);
            prop_assert_eq!(done.concat(), expected);
        }
    }
}
