//! From finished targets to stored batches.
//!
//! One task collects what targets yield and stores it in batches, each with the checkpoint that says which targets it
//! covers. A target counts as done when its batch is on disk. The channel in front is bounded: a slow disk slows the
//! survey down and loses nothing.

use std::sync::Arc;

use hinomi_model::{Batch, Checkpoint, Clock, Evidence, Outcome, Sighting, Sink, SinkError};
use tokio::sync::mpsc;

use super::account::{Account, Teller};
use super::checkpoint::{Learnt, Progress};
use super::coverage::Coverage;
use super::job::Campaign;
use super::pseudo::Judge;
use crate::config::Config;
use crate::engine::Passed;
use crate::metrics::Metrics;

/// What is settled.
pub(crate) enum Finished {
    /// A target, with the sighting if something answered that is one.
    Target(u64, Option<Box<Seen>>),
    /// Positions at which nothing answered.
    Passed(Passed),
    /// What is known of those who were missed.
    Coverage(Coverage),
}

/// A sighting with its evidence, and whether the service made any sense.
pub(crate) struct Seen {
    pub(crate) sighting: Sighting,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) senseless: bool,
}

pub(crate) struct Committer {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) campaign: Campaign,
    pub(crate) progress: Progress,
    pub(crate) judge: Arc<Judge>,
    pub(crate) teller: Teller,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) coverage: Option<Coverage>,
    /// Visits that do not yet make a whole target.
    pub(crate) visits: u64,
}

impl Committer {
    /// Stores until the channel ends; gives the final progress and what is
    /// known of those who were missed.
    pub(crate) async fn run(
        mut self,
        mut finished: mpsc::Receiver<Finished>,
    ) -> Result<(Progress, Option<Coverage>), SinkError> {
        let mut batch = Batch::default();
        let mut tick = tokio::time::interval(self.config.batch_time);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut unsaved = false;
        loop {
            let due = tokio::select! {
                next = finished.recv() => match next {
                    Some(target) => {
                        unsaved = true;
                        self.take(target, &mut batch);
                        batch.sightings.len() >= self.config.batch_sightings
                    }
                    None => break,
                },
                _ = tick.tick() => unsaved,
            };
            if due {
                self.store(std::mem::take(&mut batch), false).await?;
                unsaved = false;
            }
        }
        self.store(batch, true).await?;
        Ok((self.progress, self.coverage))
    }

    fn take(&mut self, finished: Finished, batch: &mut Batch) {
        match finished {
            Finished::Target(position, seen) => {
                self.progress.finish(position);
                self.visited(position, 1);
                if let Some(seen) = seen {
                    self.take_sighting(*seen, batch);
                }
            }
            Finished::Passed(passed) => self.pass(&passed),
            Finished::Coverage(coverage) => self.coverage = Some(coverage),
        }
    }

    fn pass(&mut self, passed: &Passed) {
        self.progress.pass(passed.positions.clone(), &passed.except);
        self.visited(passed.positions.start, passed.visits);
    }

    /// A target is done when it was visited as often as its leg says; until then its visits count in parts.
    fn visited(&mut self, position: u64, visits: u64) {
        let passes = self.campaign.passes_at(position);
        self.visits += visits;
        self.metrics.targets_done(self.visits / passes);
        self.visits %= passes;
    }

    fn take_sighting(&mut self, seen: Seen, batch: &mut Batch) {
        batch.evidence.extend(seen.evidence);
        // What behaves like no service (a reset without a word, a tarpit) speaks against its host as silence does.
        let alone = seen.sighting.outcome == Outcome::Pseudo;
        if !seen.senseless && !alone {
            self.judge.makes_sense(seen.sighting.subject.address);
            batch.sightings.push(seen.sighting);
            return;
        }
        let told = self.judge.judge(seen.sighting);
        let pseudo = told.iter().filter(|sighting| sighting.outcome == Outcome::Pseudo).count();
        (0..pseudo.saturating_sub(usize::from(alone))).for_each(|_| self.metrics.pseudo());
        batch.sightings.extend(told);
    }

    /// Stores a batch with the checkpoint; `ended` with the last of this run.
    async fn store(&self, mut batch: Batch, ended: bool) -> Result<(), SinkError> {
        let done = self.campaign.targets_done(self.progress.done());
        let account = self.teller.tell(self.metrics.counts(), done, ended, self.clock.now());
        let account = Account { coverage: self.coverage.clone().or(account.coverage), ..account };
        let learnt = Learnt { suspects: self.judge.suspects(), aliased: self.campaign.aliased() };
        let state = self.progress.to_text(&self.campaign.job, self.campaign.positions(), learnt, Some(account));
        batch.checkpoint = Some(Checkpoint { campaign: self.campaign.id.clone(), state });
        let sink = Arc::clone(&self.sink);
        let stored = tokio::task::spawn_blocking(move || sink.append(batch)).await;
        let receipt = stored.map_err(|error| SinkError::Failed(error.to_string()))??;
        self.metrics.stored(receipt.sightings);
        Ok(())
    }
}
