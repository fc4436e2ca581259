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

use hinomi_model::{CampaignId, Sighting, Timestamp};

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
        Self { time: self.time, run: Arc::new(Run::new(self.run.content, first)), at: 0 }
    }

    fn first(run: Run) -> Self {
        Self { time: run.first.time, run: Arc::new(run), at: 0 }
    }

    fn next(&self) -> Option<Self> {
        let (time, _) = self.run.look(self.at + 1)?;
        Some(Self { run: Arc::clone(&self.run), time, at: self.at + 1 })
    }

    /// Address and port.
    pub(crate) fn place(&self) -> (Halves, u16) {
        (sightings::halves(self.run.first.subject.address), self.run.first.subject.port)
    }

    /// Equal observations stand side by side, whichever files they come from.
    fn order(&self, other: &Self) -> Ordering {
        let (mine, others) = (&self.run.first, &other.run.first);
        let time = self.place().cmp(&other.place()).then_with(|| self.time.cmp(&other.time));
        let subject = || mine.subject.transport.cmp(&others.subject.transport);
        let seen =
            || (&mine.sensor, mine.outcome, self.run.content).cmp(&(&others.sensor, others.outcome, other.run.content));
        time.then_with(subject).then_with(seen).then_with(|| self.campaign().cmp(&other.campaign()))
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

/// The stream.
pub(crate) struct Looks {
    heap: BinaryHeap<Next>,
    sources: Vec<Option<Source>>,
    waiting: VecDeque<(Halves, Located)>,
    within: Option<Arc<AddressRanges>>,
}

struct Source {
    batches: Batches,
    runs: std::vec::IntoIter<Run>,
}

impl Looks {
    /// The observations in these files, of these addresses.
    pub(crate) fn new(table: &Table, files: &[Arc<DataFile>], within: Option<Arc<AddressRanges>>) -> Self {
        let wanted = |file: &&Arc<DataFile>| within.as_ref().is_none_or(|ranges| file.extent.may_touch(ranges));
        let mut waiting: Vec<_> =
            files.iter().filter(wanted).map(|file| (file.extent.least(), table.path(file))).collect();
        waiting.sort_by_key(|(least, _)| *least);
        Self { heap: BinaryHeap::new(), sources: Vec::new(), waiting: waiting.into(), within }
    }

    /// Opens the files that may hold something before what stands first.
    fn open_due(&mut self) -> Result<(), LakeError> {
        loop {
            let first = self.heap.peek().map(|next| next.look.place().0);
            let Some((_, file)) = self.waiting.pop_front_if(|(least, _)| first.is_none_or(|first| *least <= first))
            else {
                return Ok(());
            };
            let rows = self.within.as_ref().map_or(Rows::All, Rows::Within);
            let batches = Box::new(read::stream(&file, sightings::STORED, rows)?);
            self.sources.push(Some(Source { batches, runs: Vec::new().into_iter() }));
            self.advance(self.sources.len() - 1)?;
        }
    }

    /// Takes the next run of a file, if there is one.
    fn advance(&mut self, at: usize) -> Result<(), LakeError> {
        let Some(slot) = self.sources.get_mut(at) else { return Ok(()) };
        while let Some(source) = slot {
            if let Some(run) = source.runs.next() {
                self.heap.push(Next { look: OneLook::first(run), source: Some(at) });
                return Ok(());
            }
            match source.batches.next() {
                Some(batch) => source.runs = sightings::decode_runs(&batch?)?.into_iter(),
                None => *slot = None,
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<OneLook>, LakeError> {
        self.open_due()?;
        let Some(Next { look, source }) = self.heap.pop() else { return Ok(None) };
        if let Some(later) = look.next() {
            self.heap.push(Next { look: later, source: None });
        }
        if let Some(at) = source {
            self.advance(at)?;
        }
        Ok(Some(look))
    }
}

impl Iterator for Looks {
    type Item = Result<OneLook, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().transpose()
    }
}
