//! What enters, leaves and is dropped, counted where it happens.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hinomi_model::scope::Rule;
use serde::{Deserialize, Serialize};

/// Counters of one survey. Cheap to update from everywhere.
#[derive(Debug, Default)]
pub struct Metrics {
    targets_done: AtomicU64,
    targets_resumed: AtomicU64,
    packets_sent: AtomicU64,
    open: AtomicU64,
    closed: AtomicU64,
    silent: AtomicU64,
    pseudo: AtomicU64,
    bytes_received: AtomicU64,
    sightings_stored: AtomicU64,
    by_reason: Mutex<BTreeMap<String, u64>>,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Targets (address and port) that are finished, whatever came of them.
    pub targets_done: u64,
    /// How many of them were finished before this run began.
    #[serde(default)]
    pub targets_resumed: u64,
    /// Connection attempts and datagrams sent.
    pub packets_sent: u64,
    /// Services that answered.
    pub open: u64,
    /// Targets whose host said that nothing is there.
    pub closed: u64,
    /// Targets that did not answer.
    pub silent: u64,
    /// Targets that answered like no service does: tarpits, endless streams, every port alike.
    pub pseudo: u64,
    /// Bytes received from targets.
    pub bytes_received: u64,
    /// Sightings that are on disk.
    pub sightings_stored: u64,
    /// Refusals by rule, errors and malformed replies by reason.
    pub by_reason: BTreeMap<String, u64>,
}

/// The most distinct reasons that are counted apart; the rest is counted as `other`.
const MAX_REASONS: usize = 256;

impl Metrics {
    /// A refusal by this rule.
    pub fn refused(&self, rule: &Rule) {
        let text = rule.to_string();
        self.reason(&format!("refused: {}", text.split(':').next().unwrap_or("other")));
    }

    /// Frames that a door did not let out.
    pub(crate) fn refused_frames(&self, frames: u64) {
        self.reasons("refused: frame", frames);
    }

    /// Something went wrong for this reason. Reasons are fixed texts, never what a host said.
    pub fn reason(&self, reason: &str) {
        self.reasons(reason, 1);
    }

    pub(crate) fn reasons(&self, reason: &str, times: u64) {
        if times == 0 {
            return;
        }
        let mut reasons = match self.by_reason.lock() {
            Ok(reasons) => reasons,
            Err(poisoned) => poisoned.into_inner(),
        };
        let known = reasons.len() < MAX_REASONS || reasons.contains_key(reason);
        *reasons.entry(if known { reason.to_owned() } else { "other".to_owned() }).or_default() += times;
    }

    pub(crate) fn sent(&self, packets: u64) {
        self.packets_sent.fetch_add(packets, Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_received.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn targets_done(&self, targets: u64) {
        self.targets_done.fetch_add(targets, Relaxed);
    }

    pub(crate) fn resumed(&self, targets: u64) {
        self.targets_done.fetch_add(targets, Relaxed);
        self.targets_resumed.fetch_add(targets, Relaxed);
    }

    pub(crate) fn open(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self, targets: u64) {
        self.closed.fetch_add(targets, Relaxed);
    }

    pub(crate) fn silent(&self, targets: u64) {
        self.silent.fetch_add(targets, Relaxed);
    }

    /// One that was counted as silent answered after all.
    pub(crate) fn not_silent(&self) {
        // Never below zero: it may have been counted by an earlier run.
        let _ = self.silent.fetch_update(Relaxed, Relaxed, |silent| silent.checked_sub(1));
    }

    pub(crate) fn pseudo(&self) {
        self.pseudo.fetch_add(1, Relaxed);
    }

    pub(crate) fn stored(&self, sightings: usize) {
        self.sightings_stored.fetch_add(u64::try_from(sightings).unwrap_or(u64::MAX), Relaxed);
    }

    /// The counters now.
    pub fn counts(&self) -> Counts {
        let by_reason = match self.by_reason.lock() {
            Ok(reasons) => reasons.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        };
        Counts {
            targets_done: self.targets_done.load(Relaxed),
            targets_resumed: self.targets_resumed.load(Relaxed),
            packets_sent: self.packets_sent.load(Relaxed),
            open: self.open.load(Relaxed),
            closed: self.closed.load(Relaxed),
            silent: self.silent.load(Relaxed),
            pseudo: self.pseudo.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            sightings_stored: self.sightings_stored.load(Relaxed),
            by_reason,
        }
    }
}
