//! Observations of many files as one stream, by (address, port) and in time within each.
//!
//! Every file of sightings is sorted by (address, port, time), so a merge of the files is too; runs are taken apart
//! on the way. This
//! is what compaction, questions about the past and comparisons are made of.
//!
//! Memory: a few rows of each file whose addresses overlap the present one, and the runs of the present (address,
//! port). Files
//! are opened when the stream comes to their first address, so files that compaction cut by address are open one
//! after the other.
//! At a hundred times the data only the number of files open at once matters: compaction keeps it to some tens.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::Array;
use hinomi_model::{CampaignId, Marking, Sighting, Timestamp};

use crate::error::LakeError;
use crate::query::AddressRanges;
use crate::sightings::{self, Run};
use crate::table::{DataFile, Located, Rows, Table, read};

type Batches = Box<dyn Iterator<Item = Result<arrow_array::RecordBatch, LakeError>>>;
type Halves = (i64, i64);

/// One observation: a run and which of it.
#[derive(Clone, Debug)]
pub(crate) struct OneLook {
    /// What was seen, with everything but the time and the campaign.
    pub(crate) run: Arc<Run>,
    /// When.
    pub(crate) time: Timestamp,
    at: usize,
    place: (Halves, u16),
}

impl OneLook {
    /// In which campaign.
    pub(crate) fn campaign(&self) -> Option<&CampaignId> {
        self.run.look(self.at).and_then(|(_, campaign)| campaign)
    }

    /// The same without the others of its run, for who keeps it.
    pub(crate) fn alone(self) -> Self {
        if self.run.count() == 1 {
            return self;
        }
        let campaign = self.campaign().cloned();
        let first = Sighting { time: self.time, campaign, ..self.run.first.clone() };
        Self { run: Arc::new(self.run.one(first)), at: 0, ..self }
    }

    fn first(run: Run) -> Self {
        let subject = &run.first.subject;
        Self {
            time: run.first.time,
            place: (sightings::halves(subject.address), subject.port),
            run: Arc::new(run),
            at: 0,
        }
    }

    fn next(&self) -> Option<Self> {
        let (time, _) = self.run.look(self.at + 1)?;
        Some(Self { run: Arc::clone(&self.run), time, at: self.at + 1, place: self.place })
    }

    /// Address and port.
    pub(crate) const fn place(&self) -> (Halves, u16) {
        self.place
    }

    /// Equal observations stand side by side, whichever files they come from.
    fn order(&self, other: &Self) -> Ordering {
        let (mine, others) = (&self.run.first, &other.run.first);
        let time = self.place.cmp(&other.place).then_with(|| self.time.cmp(&other.time));
        let subject = || mine.subject.transport.cmp(&others.subject.transport);
        let seen =
            || (&mine.sensor, mine.outcome, self.run.content).cmp(&(&others.sensor, others.outcome, other.run.content));
        time.then_with(subject).then_with(seen).then_with(|| self.campaign().cmp(&other.campaign()))
    }

    /// The same with another marking.
    fn marked(self, marking: &Marking) -> Self {
        if self.run.first.marking == *marking {
            return self;
        }
        let alone = self.alone();
        let first = Sighting { marking: marking.clone(), ..alone.run.first.clone() };
        Self { run: Arc::new(alone.run.one(first)), ..alone }
    }

    /// Whether this is the same observation told twice.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

/// The smallest comes out of a heap first.
struct Next {
    look: OneLook,
    /// The file that the run comes from, when this is its first look: then the file has more.
    source: Option<usize>,
    told: bool,
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        other.look.order(&self.look).then_with(|| other.source.cmp(&self.source))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next {}

/// What a file tells again, with a stricter marking. One that has nothing of it costs the reading of its footer, or of one column.
pub(crate) fn told_again(table: &Table, file: &DataFile, each: &mut dyn FnMut(Run)) -> Result<(), LakeError> {
    let path = table.path(file);
    let mut any = false;
    read::read(&path, &["again"], Rows::All, &mut |batch| {
        any |= batch.column_by_name("again").is_some_and(|again| again.null_count() < again.len());
        Ok(())
    })?;
    if !any {
        return Ok(());
    }
    read::read(&path, sightings::STORED, Rows::All, &mut |batch| {
        for run in sightings::decode_runs(batch)?.into_iter().filter(|run| run.again) {
            each(run);
        }
        Ok(())
    })
}

/// The stream.
pub(crate) struct Looks {
    heap: BinaryHeap<Next>,
    sources: Vec<Option<Source>>,
    waiting: VecDeque<(Halves, Located, bool)>,
    /// Tellings of one observation, each with what all of them say together.
    ready: VecDeque<OneLook>,
    within: Option<Arc<AddressRanges>>,
}

struct Source {
    /// Whether what it holds is told, or only closes what others tell.
    told: bool,
    batches: Batches,
    runs: std::vec::IntoIter<Run>,
}

impl Looks {
    /// The observations in these files, of these addresses.
    pub(crate) fn new(table: &Table, files: &[Arc<DataFile>], within: Option<Arc<AddressRanges>>) -> Self {
        Self::marked_by(table, files, &[], within)
    }

    /// The same, marked as others of these files say, too, which tell nothing themselves.
    pub(crate) fn marked_by(
        table: &Table,
        files: &[Arc<DataFile>],
        others: &[Arc<DataFile>],
        within: Option<Arc<AddressRanges>>,
    ) -> Self {
        let wanted = |file: &Arc<DataFile>| within.as_ref().is_none_or(|ranges| file.extent.may_touch(ranges));
        let told = files.iter().map(|file| (file, true)).chain(others.iter().map(|file| (file, false)));
        let open = |(file, told): (&Arc<DataFile>, bool)| (file.extent.least(), table.path(file), told);
        let mut waiting: Vec<_> = told.filter(|(file, _)| wanted(file)).map(open).collect();
        waiting.sort_by_key(|(least, ..)| *least);
        let (heap, sources, ready) = (BinaryHeap::new(), Vec::new(), VecDeque::new());
        Self { heap, sources, waiting: waiting.into(), ready, within }
    }

    /// Opens the files that may hold something before what stands first.
    fn open_due(&mut self) -> Result<(), LakeError> {
        loop {
            let first = self.heap.peek().map(|next| next.look.place().0);
            let due = |(least, ..): &mut (Halves, Located, bool)| first.is_none_or(|first| *least <= first);
            let Some((_, file, told)) = self.waiting.pop_front_if(due) else {
                return Ok(());
            };
            let rows = self.within.as_ref().map_or(Rows::All, Rows::Within);
            let batches = Box::new(read::stream(&file, sightings::STORED, rows)?);
            self.sources.push(Some(Source { told, batches, runs: Vec::new().into_iter() }));
            self.advance(self.sources.len() - 1)?;
        }
    }

    /// Takes the next run of a file, if there is one.
    fn advance(&mut self, at: usize) -> Result<(), LakeError> {
        let Some(slot) = self.sources.get_mut(at) else { return Ok(()) };
        while let Some(source) = slot {
            if let Some(run) = source.runs.next() {
                let told = source.told;
                self.heap.push(Next { look: OneLook::first(run), source: Some(at), told });
                return Ok(());
            }
            match source.batches.next() {
                Some(batch) => source.runs = sightings::decode_runs(&batch?)?.into_iter(),
                None => *slot = None,
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<(OneLook, bool)>, LakeError> {
        self.open_due()?;
        let Some(Next { look, source, told }) = self.heap.pop() else { return Ok(None) };
        if let Some(later) = look.next() {
            self.heap.push(Next { look: later, source: None, told });
        }
        if let Some(at) = source {
            self.advance(at)?;
        }
        Ok(Some((look, told)))
    }

    /// The next observation that is told, as it is marked by all tellings of it together.
    fn one(&mut self) -> Result<Option<OneLook>, LakeError> {
        while self.ready.is_empty() {
            let Some((look, told)) = self.take()? else { return Ok(None) };
            if !self.heap.peek().is_some_and(|next| next.look.repeats(&look)) {
                self.ready.extend(told.then_some(look));
                continue;
            }
            let mut marking = look.run.first.marking.clone();
            let mut all = vec![(look, told)];
            while let Some((again, told)) = self.take_if_repeats(&all)? {
                marking = marking.together(&again.run.first.marking);
                all.push((again, told));
            }
            // Of those that are merged the first stays: it says that there were others.
            all.sort_by_key(|(look, _)| !look.run.again);
            let all = all.into_iter().filter(|(_, told)| *told);
            self.ready.extend(all.map(|(look, _)| look.marked(&marking)));
        }
        Ok(self.ready.pop_front())
    }

    fn take_if_repeats(&mut self, all: &[(OneLook, bool)]) -> Result<Option<(OneLook, bool)>, LakeError> {
        let first = all.first().map(|(look, _)| look);
        let repeats = self.heap.peek().zip(first).is_some_and(|(next, first)| next.look.repeats(first));
        if repeats { self.take() } else { Ok(None) }
    }
}

impl Iterator for Looks {
    type Item = Result<OneLook, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.one().transpose()
    }
}
