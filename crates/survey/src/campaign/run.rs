//! Running a campaign from its first target, or from where it was left, to its last.

use std::sync::Arc;

use hinomi_model::scope::{Probe, Rule};
use hinomi_model::{CampaignId, Clock, Marking, SensorId, ServiceKey, Sighting, Sink, Timestamp, Transport};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;

use super::account::Teller;
use super::checkpoint::{Progress, Resumed};
use super::commit::{CameTo, Committer, Finished};
use super::pseudo::Judge;
use crate::config::Config;
use crate::engine::{Discovery, Engine, Found, Job, Opened};
use crate::error::SurveyError;
use crate::grab::Grabber;
use crate::metrics::Counts;
use crate::pace::Pace;
use crate::scope::Door;
use crate::sweep::{Steps, SweepError, Targets, Walk};

/// How many targets wait between two stages.
const QUEUE: usize = 1_024;

/// What is to be done: the targets that the scope leaves of what was asked.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub id: CampaignId,
    /// Identifies the job: another scope, other ports or another seed is another job.
    pub job: String,
    targets: Targets,
    walk: Walk,
}

impl Campaign {
    /// Every address of the scope that may be probed at all, with these ports or all that the scope permits.
    ///
    /// # Errors
    /// When nothing is left or it is too much.
    pub fn new(
        id: CampaignId,
        door: &Door,
        ports: Option<&[(Transport, u16)]>,
        seed: u64,
    ) -> Result<Self, SurveyError> {
        let scope = door.scope();
        let permitted = || {
            let tcp = scope.tcp.iter().map(|port| (Transport::Tcp, port));
            tcp.chain(scope.udp.iter().map(|port| (Transport::Udp, port))).collect()
        };
        let ports: Vec<_> = ports.map_or_else(permitted, <[_]>::to_vec);
        let targets = Targets::new(&scope.ranges, ports.clone())?;
        refuse_if_nothing_is_permitted(door, &targets)?;
        let job = format!("{}:{seed:x}:{ports:?}", door.authorised().digest());
        let job = hinomi_model::ContentHash::of(job.as_bytes()).to_string();
        let walk = Walk::new(targets.len(), seed);
        Ok(Self { id, job, targets, walk })
    }

    /// How many targets.
    pub fn targets(&self) -> u64 {
        self.targets.len()
    }

    /// How many addresses.
    pub fn addresses(&self) -> u64 {
        self.targets.addresses()
    }
}

/// A job of which the very first target is refused for a reason that concerns them all should say so at once.
fn refuse_if_nothing_is_permitted(door: &Door, targets: &Targets) -> Result<(), SurveyError> {
    let Some(first) = targets.get(0) else { return Err(SweepError::Empty.into()) };
    match door.ask(first, Probe::Connect) {
        Err(refused) if matches!(refused.rule, Rule::NotYetValid | Rule::Expired | Rule::Hours) => {
            Err(SurveyError::NothingPermitted(refused))
        }
        _ => Ok(()),
    }
}

/// A campaign with everything it needs to run.
pub struct Survey {
    /// The door its packets leave through.
    pub door: Arc<Door>,
    /// What finds out who answers.
    pub engine: Arc<dyn Engine>,
    /// How fast; the same that the engine keeps.
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
}

impl Survey {
    /// Runs the campaign until it is finished or `stop` says so; resumes one that was left.
    ///
    /// # Errors
    /// When results cannot be stored or the campaign's stored state is not usable.
    pub async fn run(self, campaign: Campaign, stop: watch::Receiver<bool>) -> Result<Report, SurveyError> {
        let started = self.clock.now();
        let Resumed { progress, suspects, account } = self.resume(&campaign)?;
        self.door.metrics().resumed(self.targets_of(&campaign, &progress));
        let teller = Teller::new(self.door.authorised(), campaign.targets(), account, started);
        let survey = Arc::new(self);
        let (job_sender, jobs) = mpsc::channel(QUEUE);
        let (found_sender, found) = mpsc::channel(QUEUE);
        let (finished_sender, finished) = mpsc::channel(QUEUE);
        let judge = Arc::new(Judge::new(survey.config.pseudo_ports));
        judge.remember(suspects, |key| Sighting { campaign: Some(campaign.id.clone()), ..survey.seen_at(key) });
        let committer = survey.committer(&campaign, progress.clone(), Arc::clone(&judge), teller);
        let committer = tokio::spawn(committer.run(finished));
        let discovery = tokio::spawn(Arc::clone(&survey.engine).discover(jobs, found_sender));
        let grabs = Grabs { survey: Arc::clone(&survey), campaign: campaign.id.clone(), judge };
        let receive = tokio::spawn(grabs.receive(found, finished_sender.clone()));
        survey.feed(&campaign, &progress, job_sender, finished_sender, stop).await;
        joined(discovery, "discovery").await??;
        joined(receive, "grab").await?;
        let done = joined(committer, "store").await??;
        survey.report(&campaign, started, done.watermark() >= campaign.walk.steps())
    }

    fn resume(&self, campaign: &Campaign) -> Result<Resumed, SurveyError> {
        match self.sink.checkpoint(&campaign.id)? {
            Some(stored) => Ok(Progress::from_text(&stored.state, &campaign.job)?),
            None => Ok(Resumed::default()),
        }
    }

    /// Steps that yield no target are few; the number is for progress bars.
    fn targets_of(&self, campaign: &Campaign, progress: &Progress) -> u64 {
        progress.done().min(campaign.targets())
    }

    fn committer(&self, campaign: &Campaign, progress: Progress, judge: Arc<Judge>, teller: Teller) -> Committer {
        Committer {
            sink: Arc::clone(&self.sink),
            metrics: Arc::clone(self.door.metrics()),
            config: self.config.clone(),
            campaign: campaign.id.clone(),
            job: campaign.job.clone(),
            steps: campaign.walk.steps(),
            progress,
            judge,
            teller,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Hands out every target that is not done. Ends early when told to stop or when nobody takes jobs any more.
    async fn feed(
        &self,
        campaign: &Campaign,
        progress: &Progress,
        jobs: mpsc::Sender<Job>,
        finished: mpsc::Sender<Finished>,
        mut stop: watch::Receiver<bool>,
    ) {
        let steps: Steps = campaign.walk.from(progress.watermark());
        for (position, (step, index)) in steps.filter(|(step, _)| !progress.contains(*step)).enumerate() {
            if *stop.borrow_and_update() {
                return;
            }
            if position % QUEUE == 0 {
                self.pace.sweep();
            }
            let handed = match index.and_then(|index| campaign.targets.get(index)) {
                Some(key) => jobs.send(Job { step, key }).await.is_ok(),
                None => finished.send(Finished { step, came_to: CameTo::NoTarget }).await.is_ok(),
            };
            if !handed {
                return;
            }
        }
    }

    fn report(&self, campaign: &Campaign, started: Timestamp, finished: bool) -> Result<Report, SurveyError> {
        Ok(Report {
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
    async fn receive(self, mut found: mpsc::Receiver<Found>, finished: mpsc::Sender<Finished>) {
        let mut grabs = JoinSet::new();
        while let Some(one) = found.recv().await {
            while grabs.try_join_next().is_some() {}
            let metrics = self.survey.door.metrics();
            match one.discovery {
                Discovery::Open(opened) => {
                    metrics.open();
                    grabs.spawn(self.grab(one.job, opened, one.slot, finished.clone()));
                    continue;
                }
                Discovery::Closed => metrics.closed(),
                Discovery::Silent => metrics.silent(),
                Discovery::Refused(_) => {}
                Discovery::Failed(reason) => metrics.reason(&reason),
            }
            let done = Finished { step: one.job.step, came_to: CameTo::NoSighting };
            if finished.send(done).await.is_err() {
                break;
            }
        }
        while grabs.join_next().await.is_some() {}
    }

    fn grab(
        &self,
        job: Job,
        opened: Opened,
        slot: Option<OwnedSemaphorePermit>,
        finished: mpsc::Sender<Finished>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let standing = self.judge.standing(job.key.address);
        let grabber = Grabber::new(Arc::clone(&self.survey), self.campaign.clone(), job.key, standing);
        async move {
            let seen = grabber.grab(opened).await;
            // Nobody takes it only when the store failed: the target is visited again on resuming.
            let _ = finished.send(Finished { step: job.step, came_to: CameTo::Sighting(seen) }).await;
            drop(slot);
        }
    }
}
