//! Running a campaign from its first target, or from where it was left, to its last.

use std::sync::Arc;

use hinomi_model::{CampaignId, Clock, Marking, SensorId, ServiceKey, Sighting, Sink, Timestamp};
use ipnet::Ipv6Net;

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;

use super::account::Teller;
use super::checkpoint::{Learnt, Progress, Resumed};
use super::commit::{Committer, Finished, Seen};
use super::coverage::Coverage;
use super::job::Campaign;
use super::pseudo::Judge;
use crate::config::Config;
use crate::engine::{Discovery, Engine, Found, Job, Opened, Tidings, Work};
use crate::error::SurveyError;
use crate::grab::Grabber;
use crate::metrics::Counts;
use crate::pace::Pace;
use crate::scope::{Door, Openness};

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
            prelude.remember(aliased);
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
        }
        if settled && !was_settled && aliased > 0 {
            let shunned = campaign.shunned();
            metrics.reasons("aliased prefix: every address answers", aliased);
            metrics.reasons("in an aliased prefix: not asked", shunned);
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
        Ok(Report {
            coverage,
            aliased: campaign.aliased(),
            campaign: campaign.id.clone(),
            targets: campaign.targets(),
            finished,
            started,
            ended: self.clock.now(),
            counts: self.door.metrics().counts(),
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

/// Grabs what discovery finds.
struct Grabs {
    survey: Arc<Survey>,
    campaign: CampaignId,
    judge: Arc<Judge>,
}

impl Grabs {
    /// Takes what was found, grabs what is open, and passes everything on to be stored.
    async fn receive(self, mut tidings: mpsc::Receiver<Tidings>, finished: mpsc::Sender<Finished>) {
        let mut grabs = JoinSet::new();
        while let Some(one) = tidings.recv().await {
            while grabs.try_join_next().is_some() {}
            let settled = match one {
                Tidings::Found(Found { job, discovery: Discovery::Open(opened), slot }) => {
                    self.survey.door.metrics().open();
                    match self.survey.config.grab {
                        true => {
                            grabs.spawn(self.grab(job, opened, slot, finished.clone()));
                            continue;
                        }
                        false => Finished::Target(job.position, Some(Box::new(self.only_open(job.key)))),
                    }
                }
                Tidings::Found(found) => {
                    self.count(&found.discovery);
                    Finished::Target(found.job.position, None)
                }
                Tidings::Passed(passed) => Finished::Passed(passed),
                Tidings::Coverage(coverage) => Finished::Coverage(coverage),
            };
            if finished.send(settled).await.is_err() {
                break;
            }
        }
        while grabs.join_next().await.is_some() {}
    }

    fn count(&self, discovery: &Discovery) {
        let metrics = self.survey.door.metrics();
        match discovery {
            Discovery::Closed => metrics.closed(1),
            Discovery::Silent => metrics.silent(1),
            Discovery::Failed(reason) => metrics.reason(reason),
            Discovery::Open(_) | Discovery::Refused(_) => {}
        }
    }

    /// A target that answers, and was not asked what it is.
    fn only_open(&self, key: ServiceKey) -> Seen {
        let sighting = Sighting { campaign: Some(self.campaign.clone()), ..self.survey.seen_at(key) };
        Seen { sighting, evidence: Vec::new(), senseless: false }
    }

    fn grab(
        &self,
        job: Job,
        opened: Opened,
        slot: Option<OwnedSemaphorePermit>,
        finished: mpsc::Sender<Finished>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let standing = self.judge.standing(job.key.address);
        let survey = Arc::clone(&self.survey);
        let grabber = Grabber::new(Arc::clone(&self.survey), self.campaign.clone(), job.key, standing);
        async move {
            // Outside the hours of the scope it is left to be done when the survey is resumed.
            if matches!(opened, Opened::Known | Opened::Spoke { .. } | Opened::Answered { .. })
                && survey.door.openness() != Openness::Open
            {
                return;
            }
            let seen = grabber.grab(opened).await;
            // Nobody takes it only when the store failed: the target is visited again on resuming.
            let _ = finished.send(Finished::Target(job.position, Some(Box::new(seen)))).await;
            drop(slot);
        }
    }
}
