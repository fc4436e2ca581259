//! Sets of organisations that entries name by a digest, because their names would not fit: each is kept once.
//!
//! Whoever acts for thousands looks thousands of times: an entry then has a count and a digest, and the set is here, for as
//! long as an entry names it. At a hundred times the data: a row for each set that anybody ever acted for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NewLedgerEntry;
use crate::database::{Database, Transaction};
use crate::error::StateError;

/// A set of organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerGroup {
    /// By which entries name it, in hex.
    pub sha256: String,
    /// What that is of: sorted ids, each with a newline after it.
    pub ids: Arc<str>,
}

/// A set, as a concern of the entries that name it.
pub fn group_concern(sha256: &str) -> String {
    format!("group/{sha256}")
}

impl Database {
    /// The ids of a set that entries name by this digest, as they were kept; none where no entry does.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_group(&self, sha256: &str) -> Result<Option<String>, StateError> {
        let sql = "SELECT ids FROM ledger_groups WHERE sha256 = $1";
        let rows = self.transact(|transaction| transaction.query(sql, &[sha256.into()]))?;
        rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
    }
}

/// Keeps the sets that these entries name.
pub(super) fn keep(transaction: &mut Transaction<'_>, entries: &[NewLedgerEntry]) -> Result<(), StateError> {
    let named = entries.iter().filter_map(|entry| entry.group.as_ref());
    let groups: BTreeMap<&String, &Arc<str>> = named.map(|group| (&group.sha256, &group.ids)).collect();
    for (sha256, ids) in groups {
        // Asked first: nearly always it is there, and long.
        let there = "SELECT sha256 FROM ledger_groups WHERE sha256 = $1";
        if transaction.query(there, &[sha256.into()])?.is_empty() {
            let sql = "INSERT INTO ledger_groups (sha256, ids) VALUES ($1, $2)";
            transaction.execute(sql, &[sha256.into(), ids.as_ref().into()])?;
        }
    }
    Ok(())
}

/// Forgets the sets that no entry names any more.
pub(super) fn forget(transaction: &mut Transaction<'_>) -> Result<(), StateError> {
    let sql = "DELETE FROM ledger_groups WHERE NOT EXISTS \
         (SELECT 1 FROM ledger_concerns WHERE concern = 'group/' || ledger_groups.sha256)";
    transaction.execute(sql, &[]).map(drop)
}
