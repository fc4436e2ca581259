//! Rows of the ledger: entries and the hashes of their Merkle tree.
//!
//! An entry's row holds the roots of all complete subtrees that end with it, so that any root or proof reads one row for
//! each hash that it needs, whatever the length of the log. One transaction appends at a time, on both engines and from
//! all servers, because each takes the row of `ledger_head` first. What entries mean, and which hash it is, is decided
//! by `share::ledger`.
//!
//! At a hundred times the data: a row for each look, about 300 bytes; indexed by place alone.

mod groups;

use std::collections::{BTreeMap, HashMap};

use hinomi_model::Timestamp;
use hinomi_model::merkle::{Digest, Edge, TreeHash, leaf, wanted};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::insert as insert_rows;
use crate::value::{Row, Value};

pub use groups::{LedgerGroup, group_concern};

/// The most entries that one step appends.
pub const MAX_APPENDED: usize = 512;
/// The most entries that are read at once.
pub const MAX_READ: u64 = 4_096;
/// The most that one entry concerns. Who acts for many is filed under one group.
pub const MAX_CONCERNS: usize = 2_001;
/// Rows of one statement: both engines take so many parameters.
const ROWS_A_STATEMENT: usize = 64;
/// Bytes of a hash.
const DIGEST_BYTES: usize = 32;

/// An entry to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLedgerEntry {
    /// When.
    pub time: Timestamp,
    /// Of what kind: a short word, by which entries are chosen.
    pub kind: String,
    /// What it says; the leaf of the tree.
    pub data: Vec<u8>,
    /// Whom it concerns, as short words by which entries are found again; at most [`MAX_CONCERNS`].
    pub concerns: Vec<String>,
    /// The set of organisations that it names by a digest, if it does; then it concerns [`group_concern`] of it.
    pub group: Option<LedgerGroup>,
}

/// What the ledger takes in by number from histories that others fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Changes of the register.
    Register,
    /// Changes of accounts.
    Accounts,
}

impl Taken {
    /// The column that holds the last number that was taken in.
    const fn column(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Accounts => "accounts",
        }
    }
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// From 0.
    pub place: u64,
    /// When.
    pub time: Timestamp,
    /// Of what kind.
    pub kind: String,
    /// What it says; nothing once that was deleted.
    pub data: Option<Vec<u8>>,
    /// Roots of the complete subtrees that end with it, its own hash first.
    pub hashes: Vec<Digest>,
}

/// A checkpoint as it was given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCheckpoint {
    /// Of so many entries.
    pub size: u64,
    /// The name of the key.
    pub signer: String,
    /// When.
    pub time: Timestamp,
    /// The signed note.
    pub note: String,
}

impl Database {
    /// Appends entries as one step, after whatever others appended; tells the place of the first.
    ///
    /// # Errors
    /// When there are more than [`MAX_APPENDED`], or the database cannot be written.
    pub fn ledger_append<H: TreeHash>(&self, entries: &[NewLedgerEntry]) -> Result<u64, StateError> {
        bounded(entries)?;
        self.transact(|transaction| append::<H>(transaction, entries))
    }

    /// Appends entries that tell of the changes of a history after one number until another, if nobody did yet; tells
    /// whether it was done.
    ///
    /// # Errors
    /// As for [`Self::ledger_append`].
    pub fn ledger_append_taken<H: TreeHash>(
        &self,
        history: Taken,
        entries: &[NewLedgerEntry],
        (after, until): (i64, i64),
    ) -> Result<bool, StateError> {
        bounded(entries)?;
        let column = history.column();
        let sql = format!("UPDATE ledger_head SET {column} = $1 WHERE {column} = $2");
        self.transact(|transaction| {
            let first = transaction.execute(&sql, &[until.into(), after.into()])? > 0;
            if first {
                append::<H>(transaction, entries)?;
            }
            Ok(first)
        })
    }

    /// The number of the last change of a history that an entry tells of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_taken(&self, history: Taken) -> Result<i64, StateError> {
        let sql = format!("SELECT {} FROM ledger_head", history.column());
        self.transact(|transaction| transaction.one(&sql, &[])?.integer(0))
    }

    /// Appends an entry that tells which rules count from now on, unless the one before named the same; tells whether it
    /// was done.
    ///
    /// # Errors
    /// As for [`Self::ledger_append`].
    pub fn ledger_append_policy<H: TreeHash>(&self, entry: &NewLedgerEntry, sum: &str) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let sql = "UPDATE ledger_head SET policy = $1 WHERE policy <> $1";
            let new = transaction.execute(sql, &[sum.into()])? > 0;
            if new {
                append::<H>(transaction, std::slice::from_ref(entry))?;
            }
            Ok(new)
        })
    }

    /// Entries that concern one of these, from before a place on, the newest first, at most so many and [`MAX_READ`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_about(
        &self,
        concerns: &[String],
        before: Option<u64>,
        most: u64,
    ) -> Result<Vec<LedgerEntry>, StateError> {
        let before = before.map_or(Ok(Value::from(i64::MAX)), number)?;
        let most = most.min(MAX_READ);
        self.transact(|transaction| {
            let mut places = std::collections::BTreeSet::new();
            for some in concerns.chunks(ROWS_A_STATEMENT) {
                let names: Vec<String> = (3..some.len() + 3).map(|place| format!("${place}")).collect();
                let sql = format!(
                    "SELECT DISTINCT place FROM ledger_concerns WHERE place < $1 AND concern IN ({}) \
                     ORDER BY place DESC LIMIT $2",
                    names.join(", ")
                );
                let mut values = vec![before.clone(), number(most)?];
                values.extend(some.iter().map(Value::from));
                for row in transaction.query(&sql, &values)? {
                    places.insert(unsigned(&row, 0)?);
                }
            }
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let newest: Vec<u64> = places.into_iter().rev().take(most).collect();
            let mut entries = Vec::with_capacity(newest.len());
            for some in newest.chunks(ROWS_A_STATEMENT) {
                let names: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
                let sql = format!(
                    "SELECT place, time, kind, data, hashes FROM ledger_entries WHERE place IN ({}) ORDER BY place DESC",
                    names.join(", ")
                );
                let values = some.iter().map(|place| number(*place)).collect::<Result<Vec<_>, _>>()?;
                for row in transaction.query(&sql, &values)? {
                    entries.push(entry(&row)?);
                }
            }
            Ok(entries)
        })
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_size(&self) -> Result<u64, StateError> {
        self.transact(size_of)
    }

    /// Entries from a place on, at most so many and [`MAX_READ`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_entries(&self, from: u64, most: u64) -> Result<Vec<LedgerEntry>, StateError> {
        let sql =
            "SELECT place, time, kind, data, hashes FROM ledger_entries WHERE place >= $1 ORDER BY place LIMIT $2";
        let values = [number(from)?, number(most.min(MAX_READ))?];
        let rows = self.transact(|transaction| transaction.query(sql, &values))?;
        rows.iter().map(entry).collect()
    }

    /// Roots of complete subtrees, as (level, index); those that are not there are missing.
    ///
    /// # Errors
    /// When the database cannot be read, or a row holds something else.
    pub fn ledger_subtrees(&self, subtrees: &[(u32, u64)]) -> Result<HashMap<(u32, u64), Digest>, StateError> {
        self.transact(|transaction| nodes(transaction, subtrees))
    }

    /// Deletes what entries of these kinds from before a moment say, of the [`MAX_READ`] entries from a place on; their
    /// hashes stay, and whom they concerned is forgotten, with sets of organisations that only they named. Tells how many.
    /// One step, short enough that whoever appends is not kept waiting: whoever wants all takes one after another.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn ledger_retain(&self, from: u64, before: Timestamp, kinds: &[&str]) -> Result<u64, StateError> {
        let names: Vec<String> = (4..kinds.len() + 4).map(|place| format!("${place}")).collect();
        let sql = format!(
            "UPDATE ledger_entries SET data = NULL \
             WHERE place >= $1 AND place < $2 AND time < $3 AND data IS NOT NULL AND kind IN ({})",
            if names.is_empty() { "''".to_owned() } else { names.join(", ") }
        );
        let mut values = vec![number(from)?, number(from.saturating_add(MAX_READ))?, before.as_micros().into()];
        values.extend(kinds.iter().map(|kind| Value::from(*kind)));
        let forget = "DELETE FROM ledger_concerns WHERE place >= $1 AND place < $2 AND place IN \
             (SELECT place FROM ledger_entries WHERE place >= $1 AND place < $2 AND data IS NULL)";
        self.transact(|transaction| {
            let deleted = transaction.execute(&sql, &values)?;
            transaction.execute(forget, values.get(..2).unwrap_or_default())?;
            if deleted > 0 {
                groups::forget(transaction)?;
            }
            Ok(deleted)
        })
    }

    /// Keeps a checkpoint; one of the same size and key that is there stays.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn ledger_keep_checkpoint(&self, checkpoint: &LedgerCheckpoint) -> Result<(), StateError> {
        let sql = "INSERT INTO ledger_checkpoints (size, signer, time, note) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (size, signer) DO NOTHING";
        let LedgerCheckpoint { size, signer, time, note } = checkpoint;
        let values = [number(*size)?, signer.into(), time.as_micros().into(), note.into()];
        self.transact(|transaction| transaction.execute(sql, &values)).map(drop)
    }

    /// Checkpoints of at least this size, the largest first, at most so many and [`MAX_READ`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn ledger_checkpoints(&self, from: u64, most: u64) -> Result<Vec<LedgerCheckpoint>, StateError> {
        let sql = "SELECT size, signer, time, note FROM ledger_checkpoints WHERE size >= $1 \
             ORDER BY size DESC, signer LIMIT $2";
        let values = [number(from)?, number(most.min(MAX_READ))?];
        let rows = self.transact(|transaction| transaction.query(sql, &values))?;
        let read = |row: &Row| {
            Ok(LedgerCheckpoint {
                size: unsigned(row, 0)?,
                signer: row.text(1)?.to_owned(),
                time: Timestamp::from_micros(row.integer(2)?),
                note: row.text(3)?.to_owned(),
            })
        };
        rows.iter().map(read).collect()
    }
}

fn bounded(entries: &[NewLedgerEntry]) -> Result<(), StateError> {
    if entries.len() > MAX_APPENDED {
        return Err(StateError::refused(format!("{} entries at once; {MAX_APPENDED} are the most", entries.len())));
    }
    Ok(())
}

fn append<H: TreeHash>(transaction: &mut Transaction<'_>, entries: &[NewLedgerEntry]) -> Result<u64, StateError> {
    // A write first: whoever else appends waits here, or is done again with what this one appended.
    transaction.execute("UPDATE ledger_head SET size = size + $1", &[number(entries.len() as u64)?])?;
    let size = size_of(transaction)?.saturating_sub(entries.len() as u64);
    let subtrees = nodes(transaction, &wanted(|subtrees| Edge::<H>::of(size, subtrees)))?;
    let mut edge = Edge::<H>::of(size, &subtrees)
        .ok_or_else(|| StateError::damaged(format!("the ledger of {size} entries misses a hash")))?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let place = edge.size();
        rows.push((place, entry, edge.push(leaf::<H>(&entry.data)).concat()));
    }
    rows.chunks(ROWS_A_STATEMENT).try_for_each(|some| insert(transaction, some))?;
    let concerns: Vec<Vec<Value>> = rows.iter().map(concerns_of).collect::<Result<Vec<_>, _>>()?.concat();
    insert_rows(transaction, "ledger_concerns", &["concern", "place"], &concerns)?;
    groups::keep(transaction, entries)?;
    Ok(size)
}

/// Whom an entry concerns, each once.
fn concerns_of((place, entry, _): &(u64, &NewLedgerEntry, Vec<u8>)) -> Result<Vec<Vec<Value>>, StateError> {
    let named: std::collections::BTreeSet<&String> = entry.concerns.iter().take(MAX_CONCERNS).collect();
    let place = number(*place)?;
    Ok(named.into_iter().map(|concern| vec![concern.into(), place.clone()]).collect())
}

fn size_of(transaction: &mut Transaction<'_>) -> Result<u64, StateError> {
    unsigned(&transaction.one("SELECT size FROM ledger_head", &[])?, 0)
}

fn insert(transaction: &mut Transaction<'_>, rows: &[(u64, &NewLedgerEntry, Vec<u8>)]) -> Result<(), StateError> {
    let (mut sql, mut values) = (String::new(), Vec::with_capacity(rows.len() * 5));
    for (place, entry, hashes) in rows {
        let at = values.len() + 1;
        let comma = if sql.is_empty() { "" } else { ", " };
        sql.push_str(&format!("{comma}(${}, ${}, ${}, ${}, ${})", at, at + 1, at + 2, at + 3, at + 4));
        values.extend([number(*place)?, entry.time.as_micros().into(), (&entry.kind).into()]);
        values.extend([Value::from(entry.data.as_slice()), hashes.as_slice().into()]);
    }
    let sql = format!("INSERT INTO ledger_entries (place, time, kind, data, hashes) VALUES {sql}");
    transaction.execute(&sql, &values).map(drop)
}

/// The row in which a complete subtree ends: that of its last leaf.
const fn row_of(level: u32, index: u64) -> u64 {
    ((index + 1) << level) - 1
}

fn nodes(
    transaction: &mut Transaction<'_>,
    subtrees: &[(u32, u64)],
) -> Result<HashMap<(u32, u64), Digest>, StateError> {
    let (mut rows, mut found) = (BTreeMap::new(), HashMap::new());
    for some in subtrees.chunks(ROWS_A_STATEMENT) {
        let values: Vec<Value> =
            some.iter().map(|(level, index)| number(row_of(*level, *index))).collect::<Result<_, _>>()?;
        let names: Vec<String> = (1..=values.len()).map(|place| format!("${place}")).collect();
        let sql = format!("SELECT place, hashes FROM ledger_entries WHERE place IN ({})", names.join(", "));
        for row in transaction.query(&sql, &values)? {
            rows.insert(unsigned(&row, 0)?, digests(&row, 1)?);
        }
    }
    for (level, index) in subtrees {
        let hash = rows.get(&row_of(*level, *index)).and_then(|hashes| hashes.get(*level as usize));
        found.extend(hash.map(|hash| ((*level, *index), *hash)));
    }
    Ok(found)
}

fn entry(row: &Row) -> Result<LedgerEntry, StateError> {
    let data = if row.is_null(3) { None } else { Some(row.bytes(3)?.to_vec()) };
    let (place, time) = (unsigned(row, 0)?, Timestamp::from_micros(row.integer(1)?));
    Ok(LedgerEntry { place, time, kind: row.text(2)?.to_owned(), data, hashes: digests(row, 4)? })
}

fn digests(row: &Row, at: usize) -> Result<Vec<Digest>, StateError> {
    let bytes = row.bytes(at)?;
    let (whole, rest) = bytes.as_chunks::<DIGEST_BYTES>();
    if !rest.is_empty() || whole.is_empty() {
        return Err(StateError::damaged("a row of the ledger has no whole hashes"));
    }
    Ok(whole.to_vec())
}

fn number(place: u64) -> Result<Value, StateError> {
    i64::try_from(place).map(Value::from).map_err(|_| StateError::refused(format!("{place} is no place of a ledger")))
}

fn unsigned(row: &Row, at: usize) -> Result<u64, StateError> {
    u64::try_from(row.integer(at)?).map_err(|_| StateError::damaged("the ledger counts below nothing"))
}
