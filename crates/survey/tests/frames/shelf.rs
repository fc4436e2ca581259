//! A store of one's own, in memory or in a folder that outlives a kill: what was stored last counts, as in the lake.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hinomi_model::{Batch, CampaignId, Checkpoint, Evidence, Receipt, ServiceKey, Sighting, Sink, SinkError};

#[derive(Clone, Default)]
pub(crate) struct Shelf(pub(crate) Arc<Mutex<Stored>>);

#[derive(Default)]
pub(crate) struct Stored {
    subjects: Vec<ServiceKey>,
    pub(crate) sightings: Vec<Sighting>,
    pub(crate) evidence: Vec<Evidence>,
    checkpoint: Option<Checkpoint>,
    folder: Option<PathBuf>,
}

impl Shelf {
    /// A shelf in a folder, with what is there.
    pub(crate) fn at(folder: &Path, campaign: &CampaignId) -> Self {
        let state = std::fs::read_to_string(folder.join("checkpoint")).ok();
        let checkpoint = state.map(|state| Checkpoint { campaign: campaign.clone(), state });
        Self(Arc::new(Mutex::new(Stored { checkpoint, folder: Some(folder.to_owned()), ..Stored::default() })))
    }

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
        stored.sightings.extend(batch.sightings.iter().cloned());
        stored.evidence.extend(batch.evidence.iter().cloned());
        stored.checkpoint = batch.checkpoint.or(stored.checkpoint.take());
        if let Some(folder) = &stored.folder {
            // Sightings first: what the checkpoint says is settled is there.
            let lines: String = batch.sightings.iter().map(|sighting| format!("{}\n", sighting.subject)).collect();
            let mut file =
                std::fs::OpenOptions::new().create(true).append(true).open(folder.join("subjects")).expect("a file");
            file.write_all(lines.as_bytes()).expect("written");
            if let Some(checkpoint) = &stored.checkpoint {
                std::fs::write(folder.join("next"), &checkpoint.state).expect("written");
                std::fs::rename(folder.join("next"), folder.join("checkpoint")).expect("renamed");
            }
        }
        Ok(Receipt { sightings, repeated: 0, evidence: batch.evidence.len() })
    }

    fn checkpoint(&self, _: &CampaignId) -> Result<Option<Checkpoint>, SinkError> {
        Ok(self.0.lock().expect("free").checkpoint.clone())
    }
}
