//! Running a campaign from its first target, or from where it was left, to its last.

use std::sync::Arc;

use hinomi_model::{CampaignId, Clock, Marking, SensorId, ServiceKey, Sighting, Sink, Timestamp};
use ipnet::Ipv6Net;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::account::Teller;
use super::checkpoint::{Learnt, Progress, Resumed};
use super::commit::Committer;
use super::coverage::Coverage;
use super::grabs::Grabs;
use super::job::Campaign;
use super::pseudo::Judge;
use crate::config::Config;
use crate::engine::{Engine, Tidings, Work};
use crate::error::SurveyError;
use crate::metrics::Counts;
use crate::pace::Pace;
use crate::scope::Door;

/// Why targets are left out: prefixes, and targets in them.
const ALIASED: &str = "aliased prefix: every address answers";
const SHUNNED: &str = "in an aliased prefix: not asked";

/// How many targets wait between two stages.
const QUEUE: usize = 1_024;

/// A campaign with everything it needs to run.
pub struct Survey {
    /// The door its packets leave through.
    pub door: Arc<Door>,
    /// What finds out who answers; those that the campaign was made for.
    pub engines: Vec<Arc<dyn Engine>>,
    /// How fast; the same that the engines keep.
    pub pace: Arc<Pace>,
    /// Where sightings go.
    pub sink: Arc<dyn Sink>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Who sees: the name on sightings.
    pub sensor: SensorId,
    /// The marking on sightings.
    pub marking: Marking,
    /// Bounds and patience.
    pub config: Config,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Which campaign.
    pub campaign: CampaignId,
    /// How many targets it has.
    pub targets: u64,
    /// Whether every target is done; otherwise it was stopped and can be resumed.
    pub finished: bool,
    /// When this run began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What was counted.
    pub counts: Counts,
    /// What is known of those who were missed, where targets were visited twice.
    pub coverage: Option<Coverage>,
    /// Prefixes of IPv6 in which every address answers: of each one address was visited, for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliased: Vec<Ipv6Net>,
}

impl Survey {
    /// Runs the campaign until it is finished or `stop` says so; resumes one that was left.
    ///
    /// # Errors
    /// When results cannot be stored or the campaign's stored state is not usable.
    pub async fn run(self, campaign: Campaign, stop: watch::Receiver<bool>) -> Result<Report, SurveyError> {
        let started = self.clock.now();
        let Resumed { progress, learnt: Learnt { suspects, aliased }, account } = self.resume(&campaign)?;
        if let Some(prelude) = &campaign.prelude {
            prelude.remember(aliased, &self.door);
        }
        self.door.metrics().resumed(campaign.targets_done(progress.done()));
        let teller =
            Teller::new(self.door.authorised(), self.engine_names(&campaign), campaign.targets(), account, started);
        let survey = Arc::new(self);
        let (tidings_sender, tidings) = mpsc::channel(QUEUE);
        let (finished_sender, finished) = mpsc::channel(QUEUE);
        let judge = Arc::new(Judge::new(survey.config.pseudo_ports));
        judge.remember(suspects, |key| Sighting { campaign: Some(campaign.id.clone()), ..survey.seen_at(key) });
        let committer = survey.committer(&campaign, progress.clone(), Arc::clone(&judge), teller);
        let committer = tokio::spawn(committer.run(finished));
        let grabs = Grabs { survey: Arc::clone(&survey), campaign: campaign.id.clone(), judge };
        let receive = tokio::spawn(grabs.receive(tidings, finished_sender));
        let discovered = survey.discover(&campaign, progress, tidings_sender, stop).await;
        joined(receive, "grab").await?;
        let (done, coverage) = joined(committer, "store").await??;
        // What was found before an engine failed is stored all the same.
        discovered?;
        survey.report(&campaign, started, done.watermark() >= campaign.positions(), coverage)
    }

    /// Leg by leg, so that what is settled stays one number and a few ranges.
    async fn discover(
        &self,
        campaign: &Campaign,
        done: Progress,
        tidings: mpsc::Sender<Tidings>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), SurveyError> {
        if !self.test_prefixes(campaign, &done, &tidings, &stop).await {
            return Ok(());
        }
        for (number, leg) in &campaign.legs {
            let Some(engine) = self.engines.get(*number).cloned() else { continue };
            if done.watermark() >= leg.positions().end || *stop.borrow() {
                continue;
            }
            let work = Work {
                campaign: campaign.id.clone(),
                job: campaign.job.clone(),
                leg: Arc::clone(leg),
                done: done.clone(),
                stop: stop.clone(),
            };
            joined(tokio::spawn(engine.discover(work, tidings.clone())), "discovery").await??;
        }
        Ok(())
    }

    /// Finds out in which prefixes of a list every address answers; false when it was stopped before the end.
    async fn test_prefixes(
        &self,
        campaign: &Campaign,
        done: &Progress,
        tidings: &mpsc::Sender<Tidings>,
        stop: &watch::Receiver<bool>,
    ) -> bool {
        let Some(prelude) = &campaign.prelude else { return true };
        let was_settled = done.watermark() >= prelude.len();
        let settled = prelude.run(self, done, tidings, stop).await;
        let aliased = prelude.aliased().len() as u64;
        let metrics = self.door.metrics();
        if settled && !was_settled {
            metrics.reasons("crowded prefix of IPv6: one too many to be tested", prelude.left_out());
            metrics.reasons("aliased prefix: one too many to be remembered", prelude.forgotten());
            metrics.reasons("crowded prefix of IPv6: its test failed", prelude.untested());
        }
        if settled && !was_settled && aliased > 0 {
            let shunned = campaign.shunned();
            metrics.reasons(ALIASED, aliased);
            metrics.reasons(SHUNNED, shunned);
            metrics.targets_done(shunned);
        }
        settled
    }

    fn engine_names(&self, campaign: &Campaign) -> String {
        let names = campaign.legs.iter().filter_map(|(number, _)| self.engines.get(*number));
        names.map(|engine| engine.name()).collect::<Vec<_>>().join(" + ")
    }

    fn resume(&self, campaign: &Campaign) -> Result<Resumed, SurveyError> {
        match self.sink.checkpoint(&campaign.id)? {
            Some(stored) => Ok(Progress::from_text(&stored.state, &campaign.job)?),
            None => Ok(Resumed::default()),
        }
    }

    fn committer(&self, campaign: &Campaign, progress: Progress, judge: Arc<Judge>, teller: Teller) -> Committer {
        Committer {
            sink: Arc::clone(&self.sink),
            metrics: Arc::clone(self.door.metrics()),
            config: self.config.clone(),
            campaign: campaign.clone(),
            progress,
            judge,
            teller,
            clock: Arc::clone(&self.clock),
            coverage: None,
            visits: 0,
        }
    }

    fn report(
        &self,
        campaign: &Campaign,
        started: Timestamp,
        finished: bool,
        coverage: Option<Coverage>,
    ) -> Result<Report, SurveyError> {
        let (aliased, mut counts) = (campaign.aliased(), self.door.metrics().counts());
        let shunned = if aliased.is_empty() { 0 } else { campaign.shunned() };
        if shunned > 0 {
            // A run that was resumed after the tests says what they left out as well.
            counts.by_reason.insert(ALIASED.to_owned(), aliased.len() as u64);
            counts.by_reason.insert(SHUNNED.to_owned(), shunned);
            if finished {
                counts.targets_done = counts.targets_done.max(campaign.targets());
            }
        }
        Ok(Report {
            coverage,
            aliased,
            campaign: campaign.id.clone(),
            targets: campaign.targets(),
            finished,
            started,
            ended: self.clock.now(),
            counts,
        })
    }

    pub(crate) fn seen_at(&self, key: ServiceKey) -> hinomi_model::Sighting {
        hinomi_model::Sighting {
            sensor: self.sensor.clone(),
            campaign: None,
            time: self.clock.now(),
            subject: key,
            outcome: hinomi_model::Outcome::Open,
            remark: None,
            evidence: Vec::new(),
            marking: self.marking.clone(),
        }
    }
}

async fn joined<T>(task: tokio::task::JoinHandle<T>, engine: &'static str) -> Result<T, SurveyError> {
    task.await.map_err(|error| SurveyError::Engine { engine, reason: error.to_string() })
}
