//! From where on versions can be read whole, and what the next checkpoint is to say.
//!
//! At a hundred times the data: one look at each file that stopped counting.

use hinomi_model::Timestamp;

use super::{Base, Snapshot};
use crate::table::{checkpoint, log};

impl Snapshot {
    /// The files that stopped counting before this time are deleted now; with none, all that stopped counting.
    pub(crate) fn deleted_before(&mut self, limit: Option<Timestamp>) {
        self.horizon = self.horizon_after(limit);
        let millis = limit.map_or(i64::MAX, |limit| limit.as_micros().div_euclid(1_000));
        self.deleted = self.deleted.max(millis);
    }

    fn horizon_after(&self, limit: Option<Timestamp>) -> u64 {
        let newest = match limit {
            Some(limit) => self.past(limit).map(|(_, version)| version).max(),
            None => self.gone.values().map(|gone| gone.version).max(),
        };
        self.horizon.max(newest.unwrap_or(0))
    }

    /// Whether another engine raised the table to a writer version whose actions our checkpoints would lose.
    pub(crate) const fn is_beyond_us(&self) -> bool {
        self.writer > log::WRITER_VERSION
    }

    /// The checkpoint from which the log may begin: versions before it cannot be read whole any more. None where the
    /// log begins there already, and where others know more of it than we do.
    pub(crate) fn may_begin(&self) -> Option<u64> {
        if self.is_beyond_us() {
            return None;
        }
        let standing = &self.base.as_ref()?.standing;
        let newest = standing.iter().copied().filter(|version| *version <= self.horizon).max()?;
        (newest > self.begins).then_some(newest)
    }

    /// The log begins here now.
    pub(crate) fn begins_at(&mut self, version: u64) {
        self.begins = self.begins.max(version);
    }

    /// The first version whose commit may still stand.
    pub(crate) const fn begins(&self) -> u64 {
        self.begins
    }

    /// The checkpoint that this began with, or that was written since.
    pub(crate) const fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// Commits since the last checkpoint, and its size.
    pub(crate) fn since_checkpoint(&self) -> (u64, u64) {
        let base = self.base.as_ref();
        let before = base.map_or(0, |base| base.version + 1);
        (self.next.saturating_sub(before), base.map_or(0, |base| base.bytes))
    }

    /// What the checkpoint of the newest version says beside the actions; `alone` when all files that stopped counting
    /// are deleted and older versions are to be forgotten. None where we must not write one.
    pub(crate) fn for_checkpoint(&self, alone: bool) -> Option<checkpoint::Known> {
        if self.is_beyond_us() {
            return None;
        }
        let (horizon, deleted_before) =
            if alone { (self.horizon_after(None), i64::MAX) } else { (self.horizon, self.deleted) };
        Some(checkpoint::Known {
            version: self.version()?,
            removals: self.removals,
            horizon,
            begins: self.begins,
            latest: self.latest,
            deleted_before,
            alone,
        })
    }
}
