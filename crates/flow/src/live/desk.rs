//! What each receiver and stream of a job has, and what becomes of the job when one of them breaks off.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};

use hinomi_model::{Clock, Timestamp};
use hinomi_wire::flow::Limits;

use super::keys::SharedKeys;
use super::pairs::SharedPairs;
use crate::error::FlowError;
use crate::inlet::Inlet;
use crate::purpose::{CncDetection, Flow};

/// Flows, or sessions, of one receiver's batch of datagrams.
pub(super) type Batch = Vec<Flow<CncDetection>>;

/// What ended the job before its time.
pub(super) type Failure = Mutex<Option<FlowError>>;

/// What every receiver and stream has; each has its own copy.
#[derive(Clone)]
pub(super) struct Desk<'a> {
    pub(super) keys: SharedKeys,
    pub(super) inlet: Inlet,
    pub(super) pairs: SharedPairs,
    pub(super) limits: Limits,
    pub(super) clock: &'a dyn Clock,
    pub(super) stop: &'a AtomicBool,
    pub(super) failure: &'a Failure,
    pub(super) queue: SyncSender<Batch>,
}

impl Desk<'_> {
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What a thread of this job does in it: whether it fails or breaks off, the job ends and says so. Without it the
    /// others would go on, and nobody would know that something is not taken in any more.
    pub(super) fn guarded(self, what: &'static str, work: impl FnOnce(Self) -> Result<(), FlowError>) {
        let (stop, failure) = (self.stop, self.failure);
        if let Err(error) = whole(what, || work(self)) {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Joins flows that came at that time, and hands sessions to the analysis. Tells whether it had to wait; none when the
    /// analysis has ended.
    pub(super) fn send(&self, flows: Batch, now: Timestamp) -> Option<bool> {
        let mut batch = Batch::with_capacity(flows.len());
        self.pairs.take(flows, now, &mut batch);
        if batch.is_empty() {
            return Some(false);
        }
        match self.queue.try_send(batch) {
            Ok(()) => Some(false),
            Err(TrySendError::Full(batch)) => self.queue.send(batch).ok().map(|()| true),
            Err(TrySendError::Disconnected(_)) => None,
        }
    }
}

/// Does it; breaking off is an error like another. What was being changed meanwhile is not used after that, but for sums
/// and the keys' end.
pub(super) fn whole<T>(what: &'static str, work: impl FnOnce() -> Result<T, FlowError>) -> Result<T, FlowError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(FlowError::BrokeOff { what }))
}
