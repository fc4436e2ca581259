//! Running a campaign from its first target, or from where it was left, to its last.

use std::sync::Arc;

use hinomi_model::scope::{Probe, Rule, Scope};
use hinomi_model::{CampaignId, Clock, Marking, SensorId, ServiceKey, Sighting, Sink, Timestamp, Transport};
use ipnet::{IpNet, Ipv6Net};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::account::Teller;
use super::checkpoint::{Learnt, Progress, Resumed};
use super::commit::Committer;
use super::coverage::Coverage;
use super::grabs::Grabs;
use super::leg::{Leg, Share};
use super::pseudo::Judge;
use crate::config::Config;
use crate::engine::{Engine, Tidings, Work};
use crate::error::SurveyError;
use crate::metrics::Counts;
use crate::pace::Pace;
use crate::scope::Door;
use crate::six::alias::Prelude;
use crate::sweep::{List, SweepError, Targets};

/// How many targets wait between two stages.
const QUEUE: usize = 1_024;

/// What is to be done: the targets that the scope leaves of what was asked.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub id: CampaignId,
    /// Identifies the job: another scope, other ports or another seed is another job.
    pub job: String,
    /// Targets of its list that the scope does not permit: they are no part of it.
    outside: u64,
    /// Comes before the legs of a list in which prefixes of IPv6 are crowded.
    prelude: Option<Arc<Prelude>>,
    /// One for each engine that has something to do, with the engine's number.
    legs: Vec<(usize, Arc<Leg>)>,
}

/// What is asked of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Ports, or all that the scope permits. A list has its own.
    pub ports: Option<&'a [(Transport, u16)]>,
    /// Targets one by one, in the place of all addresses of the scope.
    pub list: Option<&'a List>,
    /// Gives the order of targets.
    pub seed: u64,
    /// Which part of the job.
    pub share: Share,
}

impl Campaign {
    /// Every address of the scope that may be probed at all, with the ports asked for; or what of a list lies in the
    /// scope. Each is visited by the first of the engines that takes its port.
    ///
    /// # Errors
    /// When nothing is left or it is too much.
    pub fn new(
        id: CampaignId,
        door: &Door,
        order: &Order<'_>,
        engines: &[Arc<dyn Engine>],
    ) -> Result<Self, SurveyError> {
        let Order { seed, share, .. } = *order;
        let (wanted, outside) = Wanted::of(door.scope(), order)?;
        let mut job = format!("{}:{seed:x}:{}", door.authorised().digest(), wanted.name());
        let prelude = wanted.prelude(door.scope(), seed).map(Arc::new);
        let (mut legs, mut first) = (Vec::new(), prelude.as_ref().map_or(0, |prelude| prelude.len()));
        if first > 0 {
            job += &format!(":after {first}");
        }
        for (number, engine) in engines.iter().enumerate() {
            let is_first = |(transport, port): (Transport, u16)| {
                engines.iter().position(|engine| engine.takes(transport, port)) == Some(number)
            };
            let Some(targets) = wanted.targets(&door.scope().ranges, is_first)? else { continue };
            let leg = match Leg::new(first, targets, seed, share, engine.passes()) {
                // Of few targets a share may have none.
                Err(SweepError::Empty) if share != Share::WHOLE => continue,
                leg => leg?.without(prelude.as_deref()),
            };
            // Where a leg begins differs with the engines: then it is another job.
            if (engine.passes(), share, first) != (1, Share::WHOLE, 0) {
                job += &format!(":{}x{}:{share}", engine.passes(), leg.targets());
            }
            first = leg.positions().end;
            legs.push((number, Arc::new(leg)));
        }
        let start = legs.first().and_then(|(_, leg)| leg.target(0));
        refuse_if_nothing_is_permitted(door, start.ok_or(SweepError::Empty)?)?;
        let job = hinomi_model::ContentHash::of(job.as_bytes()).to_string();
        Ok(Self { id, job, outside, prelude, legs })
    }

    /// The same job under another name.
    #[must_use]
    pub fn named(&self, id: CampaignId) -> Self {
        Self { id, ..self.clone() }
    }

    /// Targets of its list that the scope does not permit. Nothing is sent there.
    pub const fn outside(&self) -> u64 {
        self.outside
    }

    /// Prefixes in which every address was found to answer until now; of each one address stands for all.
    pub fn aliased(&self) -> Vec<Ipv6Net> {
        self.prelude.as_ref().map_or_else(Vec::new, |prelude| prelude.aliased())
    }

    /// How many prefixes are tested for that before anything is visited.
    pub fn prefixes_tested(&self) -> u64 {
        self.prelude.as_ref().map_or(0, |prelude| prelude.len())
    }

    /// Targets of its share that are left out because their prefix is aliased.
    fn shunned(&self) -> u64 {
        self.legs.iter().map(|(_, leg)| leg.shunned()).sum()
    }

    /// How many targets.
    pub fn targets(&self) -> u64 {
        self.legs.iter().map(|(_, leg)| leg.targets()).sum()
    }

    /// How many addresses.
    pub fn addresses(&self) -> u64 {
        self.legs.iter().map(|(_, leg)| leg.addresses()).max().unwrap_or(0)
    }

    /// How many positions.
    pub(crate) fn positions(&self) -> u64 {
        self.legs.last().map_or(0, |(_, leg)| leg.positions().end)
    }

    /// How often the targets of a position are visited.
    pub(crate) fn passes_at(&self, position: u64) -> u64 {
        let leg = self.legs.iter().find(|(_, leg)| leg.positions().contains(&position));
        leg.map_or(1, |(_, leg)| u64::from(leg.passes()))
    }

    /// How many targets are done when so many positions are: about, for a few positions have no target.
    pub(crate) fn targets_done(&self, positions: u64) -> u64 {
        let done = self.legs.iter().map(|(_, leg)| {
            let all = leg.positions();
            let here = positions.clamp(all.start, all.end) - all.start;
            let share = u128::from(leg.targets()) * u128::from(here) / u128::from((all.end - all.start).max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        });
        done.sum()
    }
}

/// What an order comes to under a scope.
enum Wanted {
    Ports(Vec<(Transport, u16)>),
    List(List),
}

impl Wanted {
    /// And how many targets of its list are left out.
    fn of(scope: &Scope, order: &Order<'_>) -> Result<(Self, u64), SweepError> {
        if let Some(list) = order.list {
            let (list, outside) = list.within_or_refused(scope)?;
            return Ok((Self::List(list), outside));
        }
        let permitted = || {
            let tcp = scope.tcp.iter().map(|port| (Transport::Tcp, port));
            tcp.chain(scope.udp.iter().map(|port| (Transport::Udp, port))).collect()
        };
        Ok((Self::Ports(order.ports.map_or_else(permitted, <[_]>::to_vec)), 0))
    }

    /// The tests that a list calls for.
    fn prelude(&self, scope: &Scope, seed: u64) -> Option<Prelude> {
        match self {
            Self::Ports(_) => None,
            Self::List(list) => Prelude::of(list.iter(), scope, seed),
        }
    }

    /// Its part of the name of a job.
    fn name(&self) -> String {
        match self {
            Self::Ports(ports) => format!("{ports:?}"),
            Self::List(list) => format!("list {}", list.digest()),
        }
    }

    /// What of it an engine visits that takes these ports.
    fn targets(
        &self,
        ranges: &[IpNet],
        takes: impl Fn((Transport, u16)) -> bool,
    ) -> Result<Option<Targets>, SweepError> {
        match self {
            Self::Ports(ports) => {
                let ports: Vec<_> = ports.iter().copied().filter(|port| takes(*port)).collect();
                (!ports.is_empty()).then(|| Targets::new(ranges, ports)).transpose()
            }
            Self::List(list) => {
                let list = list.only(takes);
                (!list.is_empty()).then(|| Targets::listed(list)).transpose()
            }
        }
    }
}

/// A job of which the very first target is refused for a reason that concerns them all should say so at once.
fn refuse_if_nothing_is_permitted(door: &Door, first: ServiceKey) -> Result<(), SurveyError> {
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
