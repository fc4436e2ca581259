//! What a look brings is told and let go: an engine that tells what each port did, and a sink that keeps nothing on disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_identify::Engine as Rules;
use hinomi_model::{
    Batch, CampaignId, Checkpoint, Evidence, EvidenceRef, Identifier, Outcome, Receipt, Service, Sighting, Sink,
    SinkError, Terms, Transport,
};
use hinomi_survey::engine::{Discovery, Found, Running, Tidings, Work};
use hinomi_survey::{ConnectEngine, Engine};
use hinomi_web::prober::{Met, Tell, Told};
use tokio::sync::mpsc;

/// Tidings that wait to be passed on.
const QUEUE: usize = 16;

/// The survey's connections; what each port did is told at once.
pub(super) struct Telling {
    pub(super) engine: Arc<ConnectEngine>,
    pub(super) tell: Tell,
}

impl Telling {
    fn hear(&self, tidings: &Tidings) {
        let Tidings::Found(Found { job, discovery, .. }) = tidings else { return };
        let met = match discovery {
            Discovery::Open(_) => Met::Open(None),
            Discovery::Closed => Met::Closed,
            Discovery::Silent => Met::Silent,
            Discovery::Refused(_) | Discovery::Failed(_) => Met::Not,
        };
        (self.tell)(Told { transport: job.key.transport, port: job.key.port, met });
    }
}

impl Engine for Telling {
    fn name(&self) -> String {
        "connect, a look that a visitor agreed to".to_owned()
    }

    fn takes(&self, transport: Transport, port: u16) -> bool {
        self.engine.takes(transport, port)
    }

    fn passes(&self) -> u32 {
        self.engine.passes()
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn discover(self: Arc<Self>, work: Work, tidings: mpsc::Sender<Tidings>) -> Running {
        Box::pin(async move {
            let (sender, mut heard) = mpsc::channel(QUEUE);
            let discovering = Arc::clone(&self.engine).discover(work, sender);
            let passing_on = async {
                while let Some(one) = heard.recv().await {
                    self.hear(&one);
                    if tidings.send(one).await.is_err() {
                        break;
                    }
                }
            };
            tokio::join!(discovering, passing_on).0
        })
    }
}

/// Works out what was seen, and tells it.
pub(super) struct Catch {
    pub(super) rules: Arc<Rules>,
    pub(super) tell: Tell,
    pub(super) evidence: Mutex<HashMap<EvidenceRef, Evidence>>,
}

impl Catch {
    fn told(&self, sighting: &Sighting, evidence: &HashMap<EvidenceRef, Evidence>) -> Told {
        let (transport, port) = (sighting.subject.transport, sighting.subject.port);
        let met = match sighting.outcome {
            Outcome::Open => {
                let pieces: Vec<Evidence> =
                    sighting.evidence.iter().filter_map(|reference| evidence.get(reference).cloned()).collect();
                Met::Open(Some(Box::new(self.service(sighting, &pieces))))
            }
            Outcome::Closed => Met::Closed,
            _ => Met::Odd,
        };
        Told { transport, port, met }
    }

    fn service(&self, sighting: &Sighting, pieces: &[Evidence]) -> Service {
        Service {
            key: sighting.subject,
            first_seen: sighting.time,
            last_seen: sighting.time,
            sensor: sighting.sensor.to_string(),
            asn: None,
            country: None,
            facts: self.rules.identify(pieces).into(),
            evidence: Vec::new(),
            terms: Terms::default(),
        }
    }
}

impl Sink for Catch {
    fn append(&self, batch: Batch) -> Result<Receipt, SinkError> {
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        let receipt = Receipt { sightings: batch.sightings.len(), repeated: 0, evidence: batch.evidence.len() };
        // An earlier service may be told again, with what was seen of it then.
        evidence.extend(batch.evidence.into_iter().map(|piece| (piece.reference(), piece)));
        for sighting in &batch.sightings {
            (self.tell)(self.told(sighting, &evidence));
        }
        Ok(receipt)
    }

    fn checkpoint(&self, _: &CampaignId) -> Result<Option<Checkpoint>, SinkError> {
        Ok(None)
    }
}
