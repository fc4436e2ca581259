//! The whole log, read again: every hash worked out anew, every checkpoint held against it.

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::merkle::{Digest, Edge, leaf};
use hinomi_state::ledger::{LedgerEntry, MAX_READ};

use super::hash::Sha256;
use super::note::{self, Checkpoint};
use super::{Entry, LedgerError, Log};

/// What a check of the whole log found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Entries.
    pub entries: u64,
    /// Those of them of which only the hash is left.
    pub deleted: u64,
    /// Checkpoints that it continues.
    pub checkpoints: u64,
    /// Root over all.
    pub root: Digest,
}

impl Log {
    /// Checks everything that is stored, and the checkpoints that somebody noted down elsewhere.
    ///
    /// # Errors
    /// At the first entry or checkpoint that does not hold.
    pub fn check(&self, noted: &[String]) -> Result<Checked, LedgerError> {
        let keys = self.own_keys()?;
        let mut expected: BTreeMap<u64, Vec<Checkpoint>> = BTreeMap::new();
        let stored = self.checkpoints(u64::MAX)?;
        for note in stored.iter().map(|one| &one.note).chain(noted) {
            let checkpoint = note::open(note, &keys)?;
            expected.entry(checkpoint.size).or_default().push(checkpoint);
        }
        let (mut edge, mut deleted, mut checkpoints) = (Edge::<Sha256>::default(), 0, 0);
        let mut groups = BTreeSet::new();
        loop {
            checkpoints += held_at(&edge, &expected.remove(&edge.size()).unwrap_or_default())?;
            let page = self.entries(edge.size(), MAX_READ)?;
            if page.is_empty() {
                break;
            }
            for entry in &page {
                // The first of a page was held against its checkpoints above.
                if let Some(due) = expected.remove(&edge.size()) {
                    checkpoints += held_at(&edge, &due)?;
                }
                deleted += u64::from(entry.data.is_none());
                let said = take(&mut edge, entry)?;
                let group = said.as_ref().and_then(|said| said.event.by()).and_then(|by| by.group.as_ref());
                if let Some(group) = group.filter(|group| !groups.contains(*group)) {
                    self.organisations_of(group)?;
                    groups.insert(group.clone());
                }
            }
        }
        if let Some((size, _)) = expected.first_key_value() {
            let ends = edge.size();
            return Err(LedgerError::Broken(format!("it ends after {ends} entries; a checkpoint tells of {size}")));
        }
        let (entries, root) = (edge.size(), edge.root());
        if self.size()? < entries {
            return Err(LedgerError::Broken("it has more entries than it counts".to_owned()));
        }
        self.check_kept(entries)?;
        Ok(Checked { entries, deleted, checkpoints, root })
    }
}

fn held_at(edge: &Edge<Sha256>, due: &[Checkpoint]) -> Result<u64, LedgerError> {
    match due.iter().find(|checkpoint| checkpoint.root != edge.root()) {
        Some(other) => {
            Err(LedgerError::Broken(format!("it does not continue the checkpoint of {} entries", other.size)))
        }
        None => Ok(due.len() as u64),
    }
}

/// Takes an entry, and reads it.
fn take(edge: &mut Edge<Sha256>, entry: &LedgerEntry) -> Result<Option<Entry>, LedgerError> {
    let broken = |why: &str| LedgerError::Broken(format!("entry {}: {why}", edge.size()));
    if entry.place != edge.size() {
        return Err(broken("it is missing"));
    }
    let own = entry.hashes.first().copied().ok_or_else(|| broken("it has no hash"))?;
    let read = |data: &Vec<u8>| {
        if leaf::<Sha256>(data) != own {
            return Err(broken("it does not say what was hashed"));
        }
        let said = Entry::read(data).ok_or_else(|| broken("it cannot be read"))?;
        if (said.event.kind(), said.time) != (entry.kind.as_str(), entry.time) {
            return Err(broken("its row is of another kind or time than it says"));
        }
        Ok(said)
    };
    let said = entry.data.as_ref().map(read).transpose()?;
    let place = edge.size();
    if edge.push(own) != entry.hashes {
        return Err(LedgerError::Broken(format!("entry {place}: its hashes do not continue those before it")));
    }
    Ok(said)
}
