//! From finished targets to stored batches.
//!
//! One task collects what targets yield and stores it in batches, each with the checkpoint that says which targets it
//! covers. A target counts as done when its batch is on disk. The channel in front is bounded: a slow disk slows the
//! survey down and loses nothing.

use std::sync::Arc;

use hinomi_model::{Batch, CampaignId, Checkpoint, Clock, Evidence, Outcome, Sighting, Sink, SinkError};
use tokio::sync::mpsc;

use super::account::Teller;
use super::checkpoint::Progress;
use super::pseudo::Judge;
use crate::config::Config;
use crate::metrics::Metrics;

/// What one target yielded.
pub(crate) struct Finished {
    pub(crate) step: u64,
    pub(crate) came_to: CameTo,
}

/// What a step came to.
pub(crate) enum CameTo {
    /// It is one of the few steps that no target belongs to.
    NoTarget,
    /// Nothing answered that would be a sighting.
    NoSighting,
    /// Something answered.
    Sighting(Seen),
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
    pub(crate) campaign: CampaignId,
    pub(crate) job: String,
    pub(crate) steps: u64,
    pub(crate) progress: Progress,
    pub(crate) judge: Arc<Judge>,
    pub(crate) teller: Teller,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Committer {
    /// Stores until the channel ends; gives the final progress.
    pub(crate) async fn run(mut self, mut finished: mpsc::Receiver<Finished>) -> Result<Progress, SinkError> {
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
        Ok(self.progress)
    }

    fn take(&mut self, target: Finished, batch: &mut Batch) {
        self.progress.finish(target.step);
        let seen = match target.came_to {
            CameTo::NoTarget => return,
            CameTo::NoSighting => return self.metrics.target_done(),
            CameTo::Sighting(seen) => seen,
        };
        self.metrics.target_done();
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
        let account = self.teller.tell(self.metrics.counts(), self.progress.done(), ended, self.clock.now());
        let state = self.progress.to_text(&self.job, self.steps, self.judge.suspects(), Some(account));
        batch.checkpoint = Some(Checkpoint { campaign: self.campaign.clone(), state });
        let sink = Arc::clone(&self.sink);
        let stored = tokio::task::spawn_blocking(move || sink.append(batch)).await;
        let receipt = stored.map_err(|error| SinkError::Failed(error.to_string()))??;
        self.metrics.stored(receipt.sightings);
        Ok(())
    }
}
