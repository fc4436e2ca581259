//! Where sensors put what they saw. The lake implements it; sensors know nothing else of the lake.

use crate::evidence::Evidence;
use crate::id::CampaignId;
use crate::sighting::Sighting;

/// How far a campaign has come, stored in the same step as the sightings it speaks of, so that a killed campaign
/// resumes without loss and without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which campaign.
    pub campaign: CampaignId,
    /// The sensor's own account; it alone reads it.
    pub state: String,
}

/// What a sensor hands over in one step.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Observations. Each reference in them is in `evidence` or was appended earlier.
    pub sightings: Vec<Sighting>,
    /// Bytes; what is stored already is not stored again.
    pub evidence: Vec<Evidence>,
    /// How far the campaign has come with this batch.
    pub checkpoint: Option<Checkpoint>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Sightings that were new.
    pub sightings: usize,
    /// Sightings that were there already.
    pub repeated: usize,
    /// Pieces of evidence that were new.
    pub evidence: usize,
}

/// Why a batch was not taken. Nothing of it is visible then, and it may be handed over again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// There is no room: the disk is full or a quota is reached.
    #[error("no room to store: {0}")]
    NoRoom(String),
    /// Anything else, with the store's own words.
    #[error("could not store: {0}")]
    Failed(String),
}

/// Takes batches. When [`Sink::append`] returns, the batch is on disk.
pub trait Sink: Send + Sync {
    /// Stores a batch as one step: all of it or nothing.
    ///
    /// # Errors
    /// When it could not be stored; see [`SinkError`].
    fn append(&self, batch: Batch) -> Result<Receipt, SinkError>;

    /// The newest checkpoint of a campaign.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn checkpoint(&self, campaign: &CampaignId) -> Result<Option<Checkpoint>, SinkError>;
}
