//! What was done to accounts: rows that are only added, in the transaction of the change itself, so that no way of changing
//! an account forgets to tell.
//!
//! At a hundred times the data nothing changes here: they follow what people do, and are read by number.

use hinomi_model::Timestamp;
use serde::Serialize;

use crate::account_mail::tell;
use crate::accounts::time;
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::people::find;
use crate::value::Value;

/// Longest name of who does something, longest text beside it, in characters.
const MAX_CHARS: usize = 500;
/// The most of one answer.
pub const MAX_ACCOUNT_EVENTS: u32 = 10_000;

/// One change of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountEvent {
    /// Counts up.
    pub number: i64,
    /// When, by the database's clock.
    pub time: Timestamp,
    /// Who did it.
    pub by: String,
    /// The name of the account.
    pub account: String,
    /// What was done, in a word: `key-made`.
    pub action: String,
    /// What else there is to know: rights, a role, the part of a key that is no secret.
    pub detail: String,
}

impl Database {
    /// Changes of accounts after a number, in their order, at most so many and [`MAX_ACCOUNT_EVENTS`].
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn account_events(&self, after: i64, limit: u32) -> Result<Vec<AccountEvent>, StateError> {
        let sql = "SELECT number, happened, actor, account, action, detail FROM account_events \
             WHERE number > $1 ORDER BY number LIMIT $2";
        let values = [after.into(), i64::from(limit.min(MAX_ACCOUNT_EVENTS)).into()];
        let rows = self.transact(|transaction| transaction.query(sql, &values))?;
        let event = |row: &crate::value::Row| {
            Ok(AccountEvent {
                number: row.integer(0)?,
                time: time(row, 1)?,
                by: row.text(2)?.to_owned(),
                account: row.text(3)?.to_owned(),
                action: row.text(4)?.to_owned(),
                detail: row.text(5)?.to_owned(),
            })
        };
        rows.iter().map(event).collect()
    }
}

/// Tells of a change of the account of this name.
pub(crate) fn note(
    transaction: &mut Transaction<'_>,
    by: &str,
    account: &str,
    (action, detail): (&str, &str),
) -> Result<(), StateError> {
    note_unchanged(transaction, by, account, (action, detail))?;
    // Who else would tell them: whoever took the account over does not.
    tell(transaction, account, (&cut(by), action), ("", ""))
}

/// The same where all is as it was: written down, and no message to its owner.
pub(crate) fn note_unchanged(
    transaction: &mut Transaction<'_>,
    by: &str,
    account: &str,
    (action, detail): (&str, &str),
) -> Result<(), StateError> {
    transaction.execute("UPDATE account_head SET last_number = last_number + 1", &[])?;
    let number = transaction.one("SELECT last_number FROM account_head", &[])?.integer(0)?;
    let sql = "INSERT INTO account_events (number, happened, actor, account, action, detail) \
         VALUES ($1, {now}, $2, $3, $4, $5)";
    let values: [Value; 5] = [number.into(), (&cut(by)).into(), account.into(), action.into(), (&cut(detail)).into()];
    transaction.execute(sql, &values).map(drop)
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

/// The same for the account of this id; nothing where there is none.
pub(crate) fn note_of(
    transaction: &mut Transaction<'_>,
    by: &str,
    id: &str,
    deed: (&str, &str),
) -> Result<(), StateError> {
    match find(transaction, "id", id)? {
        Some(person) => note(transaction, by, &person.name, deed),
        None => Ok(()),
    }
}
