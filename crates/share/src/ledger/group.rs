//! Many organisations as a count and a digest, so that who acts for thousands writes entries as short as anybody's.
//!
//! The digest is SHA-256 of the sorted ids, each with a newline after it: `sha256sum` of the list says the same. The list
//! itself is kept once in the state, for as long as an entry names it, and goes with a proof of the entry.

use std::collections::BTreeSet;

use hinomi_state::ledger::LedgerGroup;
use serde::{Deserialize, Serialize};

use super::hash::sha256_hex;
use super::{Entry, Event, LedgerError, Log};

/// The most organisations that an entry names one by one.
pub const MAX_NAMED: usize = 64;

/// Organisations that are acted for, where they are more than [`MAX_NAMED`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// How many.
    pub organisations: u64,
    /// SHA-256 of their sorted ids, each with a newline after it, in hex.
    pub sha256: String,
}

impl Group {
    /// Of these, with the list that the digest is of.
    pub fn of(organisations: &BTreeSet<String>) -> (Self, String) {
        let list: String = organisations.iter().flat_map(|id| [id, "\n"]).collect();
        (Self { organisations: organisations.len() as u64, sha256: sha256_hex(list.as_bytes()) }, list)
    }

    /// The organisations of a list; none where it is another's.
    pub fn read(&self, list: &str) -> Option<BTreeSet<String>> {
        let ids: BTreeSet<String> = list.lines().map(str::to_owned).collect();
        (Self::of(&ids) == (self.clone(), list.to_owned())).then_some(ids)
    }
}

impl Event {
    /// The same with many organisations as a group, and the list of that.
    pub(super) fn grouped(mut self) -> (Self, Option<LedgerGroup>) {
        let many = self.by_mut().filter(|by| by.organisations.len() > MAX_NAMED);
        let Some(by) = many else { return (self, None) };
        let (group, list) = Group::of(&by.organisations);
        let kept = LedgerGroup { sha256: group.sha256.clone(), ids: list.into() };
        by.organisations.clear();
        by.group = Some(group);
        (self, Some(kept))
    }
}

impl Log {
    /// The organisations of a group that an entry names.
    ///
    /// # Errors
    /// When the list is not there, is another than the digest says, or the database cannot be read.
    pub fn organisations_of(&self, group: &Group) -> Result<BTreeSet<String>, LedgerError> {
        let broken = |why: &str| LedgerError::Broken(format!("the organisations of group {} {why}", group.sha256));
        let list = self.database.ledger_group(&group.sha256)?.ok_or_else(|| broken("are missing"))?;
        group.read(&list).ok_or_else(|| broken("are not those that were named"))
    }

    /// The list that a digest of an entry is of.
    ///
    /// # Errors
    /// When no entry names it, it is not what the digest is of, or the database cannot be read.
    pub fn list_of(&self, sha256: &str) -> Result<String, LedgerError> {
        let missing = || LedgerError::Missing(format!("no entry names a group {sha256}"));
        let list = self.database.ledger_group(sha256)?.ok_or_else(missing)?;
        match sha256_hex(list.as_bytes()) == sha256 {
            true => Ok(list),
            false => Err(LedgerError::Broken(format!("the organisations of group {sha256} are not those"))),
        }
    }

    /// The list of the group that an entry names, if it does.
    pub(super) fn list_beside(&self, entry: &[u8]) -> Result<Option<String>, LedgerError> {
        let named = Entry::read(entry).and_then(|entry| entry.event.by().and_then(|by| by.group.clone()));
        named.map(|group| self.list_of(&group.sha256)).transpose()
    }
}
