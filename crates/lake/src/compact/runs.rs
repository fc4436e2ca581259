//! Sightings of many files into runs, in files cut by address.
//!
//! At a hundred times the data: memory holds the runs of one (address, port), at most [`MAX_PLACE_LOOKS`] observations,
//! a batch of at most [`ENCODED_LOOKS`] and one place more, and one row group.

use std::iter::Peekable;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hinomi_model::{SensorId, Sighting, Transport};

use super::Progress;
use crate::error::LakeError;
use crate::looks::{Looks, OneLook};
use crate::sightings::{self, MAX_LOOKS, Run};
use crate::table::{DataFile, Staged, Table};

/// The most observations of one (address, port) that are held at once; then all runs end and others begin.
const MAX_PLACE_LOOKS: usize = 4 * MAX_LOOKS;

/// Runs put into one Arrow batch, about.
const ENCODED_RUNS: usize = 8_192;

/// Observations put into one Arrow batch, about: a run may stand for many.
const ENCODED_LOOKS: usize = 1_000_000;

/// Merges these files into new ones, which do not count yet.
pub(super) fn merge(
    table: &Table,
    files: &[Arc<DataFile>],
    file_rows: u64,
    told: &mut Progress<'_>,
) -> Result<Vec<Staged>, LakeError> {
    let newest = super::newest(files);
    let mut runs = Runs::new(Looks::new(table, files, None));
    let mut staged = Vec::new();
    let mut written = 0;
    while runs.more()? {
        let mut part = Part { runs: &mut runs, schema: table.schema(), left: file_rows.max(1), looks: 0, told };
        let label = format!("merged-{}", staged.len());
        let file = table.stage(&label, part.by_ref())?;
        let looks = part.looks;
        written += looks;
        staged.push(super::with_origin(file, newest, looks));
    }
    check_whole(files, written + runs.repeats)?;
    Ok(staged)
}

/// No observation may be lost, whatever went wrong: then nothing is committed.
fn check_whole(files: &[Arc<DataFile>], found: u64) -> Result<(), LakeError> {
    // A file of another writer may not say how many rows it has.
    let told = files.iter().map(|file| Some(file.looks()).filter(|looks| *looks > 0)).sum::<Option<u64>>();
    match told.filter(|told| *told != found) {
        Some(told) => {
            let detail = format!("files to be merged have {told} observations by their commits, {found} were read");
            Err(LakeError::damaged("sightings", &detail))
        }
        None => Ok(()),
    }
}

/// Runs in the order of (address, port, time).
struct Runs {
    looks: Peekable<Looks>,
    last: Option<OneLook>,
    ready: Vec<Run>,
    /// Observations that were told more than once, and left out.
    repeats: u64,
}

impl Runs {
    fn new(looks: Looks) -> Self {
        Self { looks: looks.peekable(), last: None, ready: Vec::new(), repeats: 0 }
    }

    /// Whether there is anything left; then `ready` holds the runs of the next (address, port).
    fn more(&mut self) -> Result<bool, LakeError> {
        // Nothing but repeats is no end.
        while self.ready.is_empty() && self.looks.peek().is_some() {
            self.ready = self.place()?;
        }
        Ok(!self.ready.is_empty())
    }

    /// The runs of one (address, port), by their beginning.
    fn place(&mut self) -> Result<Vec<Run>, LakeError> {
        let mut runs: Vec<Run> = Vec::new();
        // Few sensors look at one service.
        let mut open: Vec<(Transport, SensorId, usize)> = Vec::new();
        let (mut here, mut taken) = (None, 0);
        let more = |next: &Result<OneLook, LakeError>, here: &Option<_>, taken: usize| {
            next.as_ref().map_or(true, |next| here.is_none_or(|here| here == next.place()) && taken < MAX_PLACE_LOOKS)
        };
        while let Some(look) = self.looks.next_if(|next| more(next, &here, taken)) {
            let look = look?;
            here = Some(look.place());
            taken += 1;
            if self.last.as_ref().is_some_and(|last| last.repeats(&look)) {
                self.repeats += 1;
                continue;
            }
            add(&mut runs, &mut open, &look);
            self.last = Some(look);
        }
        // A file that a deletion wrote may stand a little out of order.
        runs.sort_by_key(|run| run.first.time);
        Ok(runs)
    }
}

fn add(runs: &mut Vec<Run>, open: &mut Vec<(Transport, SensorId, usize)>, look: &OneLook) {
    let seen = &look.run.first;
    let known =
        open.iter_mut().find(|(transport, sensor, _)| (*transport, sensor) == (seen.subject.transport, &seen.sensor));
    let standing = known.as_ref().and_then(|(_, _, at)| runs.get_mut(*at));
    let extends = |run: &&mut Run| run.equals(&look.run) && run.count() < MAX_LOOKS && run.until() <= look.time;
    match standing.filter(extends) {
        Some(run) => run.push(look.time, look.campaign()),
        None => {
            match known {
                Some((_, _, at)) => *at = runs.len(),
                None => open.push((seen.subject.transport, seen.sensor.clone(), runs.len())),
            }
            let first = Sighting { time: look.time, campaign: look.campaign().cloned(), ..seen.clone() };
            runs.push(look.run.one(first));
        }
    }
}

/// The rows of one file, as Arrow batches.
struct Part<'r, 't, 'p> {
    runs: &'r mut Runs,
    schema: &'r SchemaRef,
    left: u64,
    looks: u64,
    told: &'t mut Progress<'p>,
}

impl Part<'_, '_, '_> {
    fn batch(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        let mut rows: Vec<Run> = Vec::with_capacity(ENCODED_RUNS);
        let mut looks = 0;
        while rows.len() < ENCODED_RUNS && looks < ENCODED_LOOKS && self.runs.more()? {
            let next = self.runs.ready.first().map(|run| run.first.subject.address);
            let same = rows.last().is_some_and(|last| Some(last.first.subject.address) == next);
            // An address is not cut in two, unless it fills batches.
            if self.left == 0 && !same {
                break;
            }
            self.left = self.left.saturating_sub(count(self.runs.ready.len()));
            looks += self.runs.ready.iter().map(Run::count).sum::<usize>();
            rows.append(&mut self.runs.ready);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        self.looks += count(looks);
        self.told.add(count(looks))?;
        sightings::encode_runs(self.schema, &rows).map(Some)
    }
}

impl Iterator for Part<'_, '_, '_> {
    type Item = Result<RecordBatch, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::{Marking, Outcome, Purpose, ServiceKey, Timestamp, Tlp};

    use crate::sightings::SIGHTINGS;
    use crate::table::Change;

    fn seen(seconds: i64) -> Sighting {
        let address = [192, 0, 2, 1].into();
        Sighting {
            sensor: "survey".parse().unwrap(),
            campaign: None,
            time: Timestamp::from_micros(seconds * 1_000_000),
            subject: ServiceKey { address, port: 22, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: Vec::new(),
            marking: Marking::own(Purpose::Research),
        }
    }

    fn put(table: &Table, label: &str, seconds: impl IntoIterator<Item = i64>) {
        let run = |seconds| Run::new(seen(seconds).content(), seen(seconds));
        let runs: Vec<Run> = seconds.into_iter().map(run).collect();
        put_runs(table, label, &runs);
    }

    fn put_runs(table: &Table, label: &str, runs: &[Run]) {
        let staged = table.stage(label, std::iter::once(sightings::encode_runs(table.schema(), runs))).unwrap();
        table.commit(Change { add: vec![staged], ..Change::default() }, Timestamp::from_micros(0)).unwrap();
    }

    fn merged(table: &Table, file_rows: u64) -> Vec<i64> {
        let files = table.files(|_| true);
        let never = std::sync::atomic::AtomicBool::new(false);
        let mut told = Progress { done: 0, total: 0, tell: &mut |_, _| {}, stop: &never };
        let staged = merge(table, &files, file_rows, &mut told).unwrap();
        let remove = files.iter().map(|file| file.path.clone()).collect();
        let change = Change { add: staged, remove, same_rows: true, ..Change::default() };
        table.commit(change, Timestamp::from_micros(0)).unwrap();
        let looks = Looks::new(table, &table.files(|_| true), None);
        looks.map(|look| look.unwrap().time.as_micros() / 1_000_000).collect()
    }

    fn table(dir: &std::path::Path) -> Table {
        Table::open_or_create(dir, &SIGHTINGS, Timestamp::from_micros(0)).unwrap()
    }

    #[test]
    fn a_file_out_of_order_becomes_runs_that_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let table = table(dir.path());
        put(&table, "0", [1, 5, 3, 7]);
        put(&table, "0", [2, 6]);
        assert_eq!(merged(&table, 4), [1, 2, 3, 5, 6, 7]);
    }

    #[test]
    fn nothing_but_repeats_is_no_end_and_no_rows_a_file_are_one() {
        let dir = tempfile::tempdir().unwrap();
        let table = table(dir.path());
        let many = i64::try_from(MAX_PLACE_LOOKS).unwrap();
        // So many that one place is cut; what follows the cut is the last one again and again, and one more.
        put(&table, "0", 1..=many);
        put(&table, "0", std::iter::repeat_n(many, MAX_PLACE_LOOKS));
        put(&table, "0", [many + 1]);
        let looks = merged(&table, 0);
        assert_eq!((looks.len(), looks.last()), (MAX_PLACE_LOOKS + 1, Some(&(many + 1))));
    }

    /// Whether the first telling is merged with them or lies elsewhere.
    #[test]
    fn what_was_told_again_still_says_so_and_is_as_strict_as_all_say() {
        let told = |tlp, again| {
            let marking = Marking { tlp, ..Marking::own(Purpose::Research) };
            let mut run = Run::new(seen(1).content(), Sighting { marking, ..seen(1) });
            run.again = again;
            run
        };
        for tellings in [[(Tlp::Amber, true), (Tlp::Red, true)], [(Tlp::Clear, false), (Tlp::Red, true)]] {
            let dir = tempfile::tempdir().unwrap();
            let table = table(dir.path());
            tellings.into_iter().for_each(|(tlp, again)| put_runs(&table, "0", &[told(tlp, again)]));
            assert_eq!(merged(&table, 4), [1]);
            let mut again = Vec::new();
            for file in table.files(|_| true) {
                crate::looks::told_again(&table, &file, &mut |run| again.push(run.first.marking.tlp)).unwrap();
            }
            assert_eq!(again, [Tlp::Red]);
        }
    }

    #[test]
    fn who_gives_way_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let table = table(dir.path());
        put(&table, "0", [1, 3]);
        put(&table, "0", [2]);
        let names = || {
            let entries = std::fs::read_dir(dir.path().join(SIGHTINGS.name)).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
        };
        let (before, stop) = (names(), std::sync::atomic::AtomicBool::new(true));
        let mut told = Progress { done: 0, total: 0, tell: &mut |_, _| {}, stop: &stop };
        let given = merge(&table, &table.files(|_| true), 4, &mut told);
        assert!(matches!(given, Err(LakeError::GaveWay)), "{given:?}");
        assert_eq!(names(), before);
    }
}
