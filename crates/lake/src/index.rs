//! The derived index: the current state of every service. Bodies follow.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hinomi_model::{ContentHash, EvidenceRef, Facts, Marking, Outcome, SensorId, Service, ServiceKey, Timestamp};

use crate::error::LakeError;
use crate::search::{SearchPage, SearchRequest};

/// One sighting, ready to be applied.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// Which service.
    pub(crate) key: ServiceKey,
    /// When it was seen.
    pub(crate) time: Timestamp,
    /// What happened.
    pub(crate) outcome: Outcome,
    /// Who saw it.
    pub(crate) sensor: SensorId,
    /// One hash for all of its evidence.
    pub(crate) content: ContentHash,
    /// What was seen.
    pub(crate) evidence: Vec<EvidenceRef>,
    /// What that says.
    pub(crate) facts: Arc<Facts>,
    /// Readable text of the evidence, for full-text search.
    pub(crate) text: Arc<str>,
    /// AS number of the address.
    pub(crate) asn: Option<u32>,
    /// Country of the address.
    pub(crate) country: Option<String>,
    /// Who may know.
    pub(crate) marking: Marking,
}

/// The index in one folder.
pub(crate) struct Index {}

impl Index {
    pub(crate) fn open(_dir: &Path, _read_only: bool) -> Result<Self, LakeError> {
        Ok(Self {})
    }
    pub(crate) fn applied(&self) -> Option<u64> {
        None
    }
    pub(crate) fn apply(&self, _version: u64, _updates: Vec<Update>) -> Result<(), LakeError> {
        Err(LakeError::ReadOnly)
    }
    pub(crate) fn search(&self, _request: &SearchRequest) -> Result<SearchPage, LakeError> {
        Err(LakeError::ReadOnly)
    }
    pub(crate) fn scan(
        &self,
        _query: &str,
        _now: Timestamp,
        _each: &mut dyn FnMut(Service) -> Result<(), LakeError>,
    ) -> Result<u64, LakeError> {
        Err(LakeError::ReadOnly)
    }
    pub(crate) fn services_of(&self, _address: IpAddr) -> Result<Vec<Service>, LakeError> {
        Err(LakeError::ReadOnly)
    }
    pub(crate) fn clear(&self) -> Result<(), LakeError> {
        Err(LakeError::ReadOnly)
    }
    pub(crate) fn count(&self) -> u64 {
        0
    }
}
