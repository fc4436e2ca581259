//! Who may write which addresses, until when, as the database sees it.
//!
//! A lease has an epoch that no lease had before, in whichever range. It ends by the database's clock when it is not
//! renewed; its own server takes it again at once, whatever its end, under a new epoch. That two believe to hold one range
//! is possible for a while and harmless: the lake lets only the newest epoch commit. At a hundred times the data nothing
//! changes here.

use std::time::Duration;

use crate::database::Transaction;
use crate::error::StateError;
use crate::ranges::{self, Range};
use crate::value::Value;

/// How the work on the whole is called among the ranges.
pub const KEEPER: &str = "keeper";

/// The right to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which addresses; none: the work on the whole.
    pub range: Option<Range>,
    /// Greater than that of every lease before.
    pub epoch: u64,
    /// Under which cut of the address space.
    pub cut: u64,
}

/// How a range is called in the database.
pub(crate) fn key(range: Option<Range>) -> String {
    range.map_or_else(|| KEEPER.to_owned(), |range| ranges::text(range.first))
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// What came of asking for leases.
pub(crate) enum Taken {
    /// All of them.
    All(Vec<Lease>),
    /// None: the address space was cut anew.
    CutAnew,
}

/// Takes the lease of each of these ranges, or of none.
pub(crate) fn take(
    transaction: &mut Transaction<'_>,
    holder: &str,
    wanted: &[Option<Range>],
    cut: u64,
    lease: Duration,
) -> Result<Taken, StateError> {
    let count = Value::from(i64::try_from(wanted.len()).unwrap_or(i64::MAX));
    // Never below the clock: a database that was lost or put back from a copy goes on above what it gave before.
    let next = "UPDATE installation SET epoch = CASE WHEN epoch + $1 > {now} THEN epoch + $1 ELSE {now} END";
    transaction.execute(next, &[count])?;
    let row = transaction.one("SELECT cut, epoch FROM installation", &[])?;
    let (stands, last) = (unsigned(row.integer(0)?)?, unsigned(row.integer(1)?)?);
    if stands != cut {
        return Ok(Taken::CutAnew);
    }
    let mut leases = Vec::with_capacity(wanted.len());
    for (before, range) in wanted.iter().enumerate() {
        let epoch = last.saturating_sub(u64::try_from(before).unwrap_or(0));
        let take = "UPDATE ranges SET holder = $1, epoch = $2, expires = {now} + $3 \
             WHERE first = $4 AND (holder IS NULL OR holder = $1 OR expires < {now})";
        let number = i64::try_from(epoch).unwrap_or(i64::MAX);
        let values = [holder.into(), number.into(), micros(lease).into(), (&key(*range)).into()];
        if transaction.execute(take, &values)? == 0 {
            return Err(held(transaction, *range)?);
        }
        leases.push(Lease { range: *range, epoch, cut });
    }
    Ok(Taken::All(leases))
}

fn unsigned(number: i64) -> Result<u64, StateError> {
    u64::try_from(number).map_err(|_| StateError::damaged(format!("{number} is below zero")))
}

/// Who has it.
fn held(transaction: &mut Transaction<'_>, range: Option<Range>) -> Result<StateError, StateError> {
    let who = "SELECT holder, (expires - {now}) / 1000000, \
             (SELECT MAX(address) FROM servers WHERE name = holder AND address <> '') FROM ranges WHERE first = $1";
    let rows = transaction.query(who, &[(&key(range)).into()])?;
    let Some(row) = rows.first() else {
        return Err(StateError::damaged("a range is gone; cut the address space again"));
    };
    let named = range.map_or_else(|| "the whole (keeping, compaction)".to_owned(), |range| range.to_string());
    Ok(StateError::Held {
        range: named,
        holder: row.optional_text(0)?.unwrap_or("unknown").to_owned(),
        address: row.optional_text(2)?.map(|address| format!(" at {address}")).unwrap_or_default(),
        seconds: row.optional_integer(1)?.and_then(|left| u64::try_from(left).ok()).unwrap_or(0),
    })
}

/// Makes leases last from now on; tells of each whether it still stood.
pub(crate) fn renew(
    transaction: &mut Transaction<'_>,
    holder: &str,
    leases: &[Lease],
    lease: Duration,
) -> Result<Vec<bool>, StateError> {
    let sql = "UPDATE ranges SET expires = {now} + $1 WHERE first = $2 AND holder = $3 AND epoch = $4";
    let renewed = |one: &Lease| {
        let epoch = i64::try_from(one.epoch).unwrap_or(i64::MAX);
        let values = [micros(lease).into(), (&key(one.range)).into(), holder.into(), epoch.into()];
        Ok(transaction.execute(sql, &values)? == 1)
    };
    leases.iter().map(renewed).collect()
}

/// Gives leases back.
pub(crate) fn release(transaction: &mut Transaction<'_>, holder: &str, leases: &[Lease]) -> Result<(), StateError> {
    let sql = "UPDATE ranges SET holder = NULL, expires = 0 WHERE first = $1 AND holder = $2 AND epoch = $3";
    leases.iter().try_for_each(|one| {
        let epoch = i64::try_from(one.epoch).unwrap_or(i64::MAX);
        transaction.execute(sql, &[(&key(one.range)).into(), holder.into(), epoch.into()]).map(drop)
    })
}
