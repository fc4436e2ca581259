//! What all exporters share: the limits, how much is kept in total, the counts, and the data that wait.

use hinomi_model::Timestamp;
use zeroize::Zeroizing;

use super::counts::{Counts, Reason, wide};
use super::exporter::{DomainKey, Exporter};
use super::field::FieldSpec;
use super::limits::{Kept, Limits};
use super::times::Clock;

/// What keeping a held set takes besides its bytes.
const HELD_OVERHEAD: usize = 192;

/// What the exporters share: the limits, how much is kept in total, and the counts.
#[derive(Debug)]
pub(super) struct Books {
    /// Bounds.
    pub limits: Limits,
    /// In use by all exporters.
    pub kept: Kept,
    /// What became of every byte.
    pub counts: Counts,
    /// Room to read a template in.
    pub specs: Vec<FieldSpec>,
}

/// Who speaks, and when.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    /// The exporter.
    pub exporter: &'a mut Exporter,
    /// What it shares.
    pub books: &'a mut Books,
    /// When the datagram came.
    pub received: Timestamp,
}

/// A message whose header was read.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// Within which its template ids mean something.
    pub key: DomainKey,
    /// Its times.
    pub clock: Clock,
    /// What follows the header.
    pub body: &'a [u8],
}

/// A data set that came before its template.
#[derive(Debug)]
pub(super) struct Held {
    /// Times of the message it came in.
    pub clock: Clock,
    /// When it came.
    pub at: Timestamp,
    /// The set without its header; wiped when it goes, for addresses stand in it.
    pub body: Zeroizing<Box<[u8]>>,
}

impl Held {
    /// What it costs to keep.
    pub(super) const fn cost(body: usize) -> usize {
        body.saturating_add(HELD_OVERHEAD)
    }
}

impl Books {
    /// Whether an exporter that keeps so much may keep more of one thing.
    pub(super) fn has_room(&self, kept: &Kept, of: impl Fn(&Kept) -> usize, more: usize) -> bool {
        of(kept).saturating_add(more) <= of(&self.limits.per_exporter)
            && of(&self.kept).saturating_add(more) <= of(&self.limits.total)
    }

    /// Counts a set that is kept until its template comes.
    pub(super) fn hold(&mut self, kept: &mut Kept, body: usize) {
        kept.held_bytes = kept.held_bytes.saturating_add(Held::cost(body));
        self.kept.held_bytes = self.kept.held_bytes.saturating_add(Held::cost(body));
        self.counts.held_bytes = self.counts.held_bytes.saturating_add(wide(body));
    }

    /// Counts a set that is kept no longer.
    pub(super) fn release(&mut self, kept: &mut Kept, held: &Held) {
        let cost = Held::cost(held.body.len());
        kept.held_bytes = kept.held_bytes.saturating_sub(cost);
        self.kept.held_bytes = self.kept.held_bytes.saturating_sub(cost);
        self.counts.held_bytes = self.counts.held_bytes.saturating_sub(wide(held.body.len()));
    }

    /// Counts a set whose template will not come.
    pub(super) fn give_up(&mut self, kept: &mut Kept, held: &Held) {
        self.release(kept, held);
        self.counts.refuse(Reason::MissingTemplate, held.body.len());
    }
}
