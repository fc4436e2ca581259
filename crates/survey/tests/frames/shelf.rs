//! A store in memory: what was stored last counts, as in the lake.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hinomi_model::{Batch, CampaignId, Checkpoint, Receipt, ServiceKey, Sink, SinkError};

#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    subjects: Vec<ServiceKey>,
    checkpoint: Option<Checkpoint>,
}

impl Shelf {
    /// Everyone who was seen; each was stored once.
    pub(crate) fn subjects(&self) -> BTreeSet<ServiceKey> {
        let stored = self.0.lock().expect("free");
        let subjects: BTreeSet<_> = stored.subjects.iter().copied().collect();
        assert_eq!(subjects.len(), stored.subjects.len(), "nobody is stored twice");
        subjects
    }
}

impl Sink for Shelf {
    fn append(&self, batch: Batch) -> Result<Receipt, SinkError> {
        let mut stored = self.0.lock().expect("free");
        let sightings = batch.sightings.len();
        stored.subjects.extend(batch.sightings.iter().map(|sighting| sighting.subject));
        stored.checkpoint = batch.checkpoint.or(stored.checkpoint.take());
        Ok(Receipt { sightings, repeated: 0, evidence: batch.evidence.len() })
    }

    fn checkpoint(&self, _: &CampaignId) -> Result<Option<Checkpoint>, SinkError> {
        Ok(self.0.lock().expect("free").checkpoint.clone())
    }
}
