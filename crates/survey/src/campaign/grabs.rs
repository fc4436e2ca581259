//! Between discovery and storing: what answers is asked what it is.

use std::sync::Arc;

use hinomi_model::{CampaignId, ServiceKey, Sighting};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::commit::{Finished, Seen};
use super::pseudo::Judge;
use super::run::Survey;
use crate::engine::{Discovery, Found, Job, Opened, Tidings};
use crate::grab::Grabber;
use crate::scope::Openness;

/// Grabs what discovery finds.
pub(super) struct Grabs {
    pub(super) survey: Arc<Survey>,
    pub(super) campaign: CampaignId,
    pub(super) judge: Arc<Judge>,
}

impl Grabs {
    /// Takes what was found, grabs what is open, and passes everything on to be stored.
    pub(super) async fn receive(self, mut tidings: mpsc::Receiver<Tidings>, finished: mpsc::Sender<Finished>) {
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
            // What was cut off because nothing may be sent any more is no answer.
            if seen.evidence.is_empty() && survey.door.openness() != Openness::Open {
                return;
            }
            // Nobody takes it only when the store failed: the target is visited again on resuming.
            let _ = finished.send(Finished::Target(job.position, Some(Box::new(seen)))).await;
            drop(slot);
        }
    }
}
