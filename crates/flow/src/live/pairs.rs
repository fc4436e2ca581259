//! The halves that wait for each other, shared by all receivers.
//!
//! The two directions of a session may be told by two exporters to two receivers: so there is one table. It is locked for
//! a batch of datagrams, not for a record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hinomi_model::Timestamp;

use crate::pair::{PairConfig, Pairs};
use crate::purpose::{CncDetection, Flow};

/// [`Pairs`] that several threads use.
#[derive(Clone)]
pub struct SharedPairs(Arc<Mutex<Pairs>>);

impl SharedPairs {
    /// An empty table.
    pub fn new(config: PairConfig) -> Self {
        Self(Arc::new(Mutex::new(Pairs::new(config))))
    }

    /// Takes in flows that came at that time; what is ready goes to `ready`.
    pub fn take(
        &self,
        flows: impl IntoIterator<Item = Flow<CncDetection>>,
        now: Timestamp,
        ready: &mut Vec<Flow<CncDetection>>,
    ) {
        let mut pairs = self.lock();
        for flow in flows {
            pairs.take(flow, now, ready);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Pairs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
