//! What keeps log and folder small: checkpoints when they are due, and what nobody can read any more goes.
//!
//! A version can be read as long as its files stand. When one was deleted that a commit took away, no version before that
//! commit can be read whole; what the log says of them goes too, as soon as a checkpoint stands to begin with. So a table
//! that only grows keeps all its versions, and one whose files are merged those of the last
//! [`RETENTION`](super::RETENTION). At a hundred times the data: see [`super::checkpoint`].

use std::sync::PoisonError;

use hinomi_model::Timestamp;

use super::{Table, checkpoint, log, sweep};
use crate::error::LakeError;

/// The most objects of a log that are deleted when older versions go: whoever writes waits for it.
const EXPIRED_AT_ONCE: usize = 1_000;

/// What a log consists of.
#[derive(Debug, Default)]
pub(crate) struct LogObjects {
    /// Objects that stand.
    pub(crate) objects: Vec<String>,
    /// What names the newest checkpoint, as of the version that is known: name and bytes.
    pub(crate) pointer: Option<(String, Vec<u8>)>,
}

impl Table {
    /// Deletes files that stopped counting before this moment. Who looks at older versions finds them no more.
    pub(crate) fn vacuum(&self, limit: Timestamp) -> Result<(), LakeError> {
        sweep::delete_gone_before(&*self.root, self.definition.name, &self.read(), limit)?;
        self.expire(limit)
    }

    /// The files that stopped counting before this moment are deleted: what the log says of versions before goes too.
    pub(super) fn expire(&self, limit: Timestamp) -> Result<(), LakeError> {
        let (store, table) = (&*self.root, self.definition.name);
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        snapshot.deleted_before(Some(limit));
        let may_begin = snapshot.may_begin();
        drop(snapshot);
        let Some(first) = may_begin else { return Ok(()) };
        // A checkpoint that is damaged replaces nothing.
        if !checkpoint::read(store, table, first).is_ok_and(|read| read.is_some()) {
            return Ok(());
        }
        // What is left goes the next time.
        if checkpoint::expire(store, table, first, EXPIRED_AT_ONCE)? < EXPIRED_AT_ONCE as u64 {
            self.snapshot.write().unwrap_or_else(PoisonError::into_inner).begins_at(first);
        }
        Ok(())
    }

    /// Deletes every file that stopped counting, whenever that was by whichever clock, and everything that the log says
    /// of earlier versions: what is erased must be gone. How many objects of the log went.
    pub(crate) fn forget_past(&self) -> Result<u64, LakeError> {
        let (store, table) = (&*self.root, self.definition.name);
        self.root.footers.forget();
        sweep::delete_gone(store, table, &self.read())?;
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        if snapshot.is_beyond_us() {
            tracing::warn!(
                table,
                "another engine raised the table's writer version: what its log says of before stays"
            );
            return Ok(0);
        }
        let begins = snapshot.begins();
        let Some(known) = snapshot.for_checkpoint(true) else { return Ok(0) };
        let companion = checkpoint::write(store, table, &known)?;
        // The commits before it go: it must be whole.
        let missing = || LakeError::damaged(table, "the checkpoint that was just written is missing; try again");
        checkpoint::read(store, table, companion.version)?.ok_or_else(missing)?;
        snapshot.deleted_before(None);
        snapshot.stand_on(&companion);
        checkpoint::expire_all(store, table, begins, companion.version)
    }

    /// Writes a checkpoint when one is due. One that cannot be written is in nobody's way: the commits stand.
    pub(super) fn checkpoint_if_due(&self, at_start: bool) {
        let (commits, bytes) = self.read().since_checkpoint();
        let is_turn = at_start || commits.is_multiple_of(checkpoint::EVERY);
        if !is_turn || !checkpoint::is_due(commits, bytes) {
            return;
        }
        if let Err(error) = self.write_checkpoint() {
            tracing::warn!(table = self.definition.name, %error, "no checkpoint of the log could be written");
        }
    }

    /// Writes the checkpoint of the newest version.
    pub(crate) fn write_checkpoint(&self) -> Result<(), LakeError> {
        let Some(known) = self.read().for_checkpoint(false) else { return Ok(()) };
        let companion = checkpoint::write(&*self.root, self.definition.name, &known)?;
        self.snapshot.write().unwrap_or_else(PoisonError::into_inner).stand_on(&companion);
        Ok(())
    }

    /// The newest note of an application, where its commit was replaced by a checkpoint.
    pub(super) fn note_kept(&self, application: &str) -> Result<Option<String>, LakeError> {
        let newest = checkpoint::newest(&*self.root, self.definition.name)?;
        Ok(newest.checkpoint.and_then(|whole| whole.companion.note(application).map(str::to_owned)))
    }

    /// What the log consists of: all versions that can be read, up to the one that is known.
    pub(crate) fn log_objects(&self) -> Result<LogObjects, LakeError> {
        let (store, table) = (&*self.root, self.definition.name);
        let snapshot = self.read();
        let Some(version) = snapshot.version() else { return Ok(LogObjects::default()) };
        let base = snapshot.base().cloned();
        drop(snapshot);
        let standing = base.as_ref().map(|base| base.standing.clone()).unwrap_or_default();
        let mut begins = None;
        for first in [0].into_iter().chain(standing.iter().copied()) {
            // Commits go in order: where this one stands, all that follow do.
            if begins.is_none() && log::read(store, table, first)?.is_some() {
                begins = Some(first);
            }
        }
        let missing = || LakeError::damaged(table, "no commit stands with which its log could begin");
        let begins = begins.ok_or_else(missing)?;
        let mut objects = Vec::new();
        for checkpoint in standing.into_iter().filter(|version| *version >= begins) {
            // Others may have thinned it away, or a check discarded it.
            match checkpoint::read_companion(store, table, checkpoint) {
                Ok(None) => {}
                Ok(Some(_)) | Err(LakeError::Damaged { .. }) => objects.extend(checkpoint::names(table, checkpoint)),
                Err(error) => return Err(error),
            }
        }
        objects.extend((begins..=version).map(|version| log::commit_name(table, version)));
        let Some(base) = base else { return Ok(LogObjects { objects, pointer: None }) };
        let companion = checkpoint::read_companion(store, table, base.version)?.ok_or_else(missing)?;
        Ok(LogObjects { objects, pointer: Some(checkpoint::pointer(table, &companion)) })
    }

    /// What is wrong with the checkpoints that stand: where, and why.
    pub(crate) fn damaged_checkpoints(&self) -> Result<Vec<(String, LakeError)>, LakeError> {
        checkpoint::damages(&*self.root, self.definition.name)
    }

    /// Takes damaged checkpoints away and writes one anew; the commits stand.
    pub(crate) fn mend_checkpoints(&self) -> Result<u64, LakeError> {
        let damaged = self.damaged_checkpoints()?;
        for (name, _) in &damaged {
            checkpoint::discard(&*self.root, self.definition.name, name)?;
        }
        if !damaged.is_empty() {
            self.write_checkpoint()?;
        }
        Ok(damaged.len() as u64)
    }
}
