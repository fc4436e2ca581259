//! What every change to the register has in common: who does it, its number, its entry in the history.
//!
//! Entries are added and never changed; each raises the register's number, which therefore tells whether anything is new.
//! At a hundred times the data nothing changes here: entries follow decisions of people.

use hinomi_model::Timestamp;
use serde::Serialize;

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::value::{Row, Value};

/// The most values of one statement (SQLite takes 32,766, PostgreSQL 65,535).
const MAX_VALUES: usize = 30_000;
/// Longest name of who does something, longest text of an entry, in characters.
const MAX_ACTOR_CHARS: usize = 200;
const MAX_DETAIL_CHARS: usize = 1_000;
/// The most entries of one answer.
pub const MAX_EVENTS: u32 = 10_000;

/// Who changes something, and when; both stand in the history.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// A name that people know: an account, a key, a user of the machine.
    pub by: &'a str,
    /// The moment.
    pub now: Timestamp,
}

impl Deed<'_> {
    /// Who, as it is stored.
    pub(crate) fn actor(&self) -> Value {
        Value::from(&cut(self.by, MAX_ACTOR_CHARS))
    }
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Counts up.
    pub number: i64,
    /// When.
    pub time: Timestamp,
    /// Who did it.
    pub by: String,
    /// Of which organisation, if of one.
    pub organisation: Option<String>,
    /// Of which claim, if of one.
    pub claim: Option<i64>,
    /// What was done, in a word or two: `claim proved`.
    pub action: String,
    /// What else there is to know.
    pub detail: String,
}

/// Of which entries one asks.
#[derive(Clone, Debug, Default)]
pub struct EventsOf<'a> {
    /// Of this organisation only.
    pub organisation: Option<&'a str>,
    /// Of this claim only.
    pub claim: Option<i64>,
    /// After this number.
    pub after: i64,
    /// So many, at most [`MAX_EVENTS`].
    pub limit: u32,
}

/// What an entry says.
pub(crate) struct Entry<'a> {
    pub(crate) organisation: Option<&'a str>,
    pub(crate) claim: Option<i64>,
    pub(crate) action: &'a str,
    pub(crate) detail: String,
}

impl<'a> Entry<'a> {
    pub(crate) fn of(organisation: &'a str, action: &'a str, detail: impl Into<String>) -> Self {
        Self { organisation: Some(organisation), claim: None, action, detail: detail.into() }
    }
}

/// Takes so many numbers; gives the first. Whoever takes them changes the register.
pub(crate) fn take_numbers(transaction: &mut Transaction<'_>, count: usize) -> Result<i64, StateError> {
    let count = i64::try_from(count).map_err(|_| StateError::refused("too much at once"))?;
    transaction.execute("UPDATE register SET last_number = last_number + $1", &[count.into()])?;
    let last = transaction.one("SELECT last_number FROM register", &[])?.integer(0)?;
    Ok(last - count + 1)
}

/// Adds one entry.
pub(crate) fn note(transaction: &mut Transaction<'_>, deed: Deed<'_>, entry: &Entry<'_>) -> Result<(), StateError> {
    note_all(transaction, deed, std::slice::from_ref(entry))
}

/// Adds entries.
pub(crate) fn note_all(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    entries: &[Entry<'_>],
) -> Result<(), StateError> {
    if entries.is_empty() {
        return Ok(());
    }
    let first = take_numbers(transaction, entries.len())?;
    let by = deed.actor();
    let rows = (first..).zip(entries).map(|(number, entry)| {
        vec![
            number.into(),
            deed.now.as_micros().into(),
            by.clone(),
            entry.organisation.into(),
            entry.claim.into(),
            entry.action.into(),
            Value::from(&cut(&entry.detail, MAX_DETAIL_CHARS)),
        ]
    });
    let columns = ["number", "happened", "actor", "organisation", "claim", "action", "detail"];
    insert(transaction, "register_events", &columns, &rows.collect::<Vec<_>>())
}

/// Adds rows, many with each statement.
pub(crate) fn insert(
    transaction: &mut Transaction<'_>,
    table: &str,
    columns: &[&str],
    rows: &[Vec<Value>],
) -> Result<(), StateError> {
    let width = columns.len().max(1);
    for part in rows.chunks((MAX_VALUES / width).max(1)) {
        let mut places = Vec::with_capacity(part.len());
        for row in 0..part.len() {
            let row: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
            places.push(format!("({})", row.join(", ")));
        }
        let sql = format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), places.join(", "));
        let values: Vec<Value> = part.iter().flatten().cloned().collect();
        transaction.execute(&sql, &values)?;
    }
    Ok(())
}

/// Text for a column: so many characters of it, and none that would break a line.
fn cut(text: &str, limit: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limit).collect()
}

/// A moment in a column.
pub(crate) fn moment(row: &Row, at: usize) -> Result<Timestamp, StateError> {
    row.integer(at).map(Timestamp::from_micros)
}

/// A moment in a column, or none.
pub(crate) fn optional_moment(row: &Row, at: usize) -> Result<Option<Timestamp>, StateError> {
    Ok(row.optional_integer(at)?.map(Timestamp::from_micros))
}

/// How many rows a question counts.
pub(crate) fn count(transaction: &mut Transaction<'_>, sql: &str, values: &[Value]) -> Result<i64, StateError> {
    transaction.one(sql, values)?.integer(0)
}

/// Refuses when there is no room for more.
pub(crate) fn room(
    transaction: &mut Transaction<'_>,
    (sql, values): (&str, &[Value]),
    limit: i64,
    what: &str,
) -> Result<(), StateError> {
    if count(transaction, sql, values)? < limit {
        return Ok(());
    }
    Err(StateError::refused(format!("there are {limit} {what} already, which is the most")))
}

impl Database {
    /// A number that is another after every change to organisations, claims, contacts and audiences.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn register_number(&self) -> Result<i64, StateError> {
        self.transact(|transaction| transaction.one("SELECT last_number FROM register", &[])?.integer(0))
    }

    /// What was done to the register, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn register_events(&self, of: &EventsOf<'_>) -> Result<Vec<Event>, StateError> {
        let mut wanted = vec!["number > $1".to_owned()];
        let mut values: Vec<Value> = vec![of.after.into(), i64::from(of.limit.min(MAX_EVENTS)).into()];
        if let Some(organisation) = of.organisation {
            values.push(organisation.into());
            wanted.push(format!("organisation = ${}", values.len()));
        }
        if let Some(claim) = of.claim {
            values.push(claim.into());
            wanted.push(format!("claim = ${}", values.len()));
        }
        let sql = format!(
            "SELECT number, happened, actor, organisation, claim, action, detail FROM register_events \
             WHERE {} ORDER BY number LIMIT $2",
            wanted.join(" AND ")
        );
        let rows = self.transact(|transaction| transaction.query(&sql, &values))?;
        rows.iter().map(event).collect()
    }
}

fn event(row: &Row) -> Result<Event, StateError> {
    Ok(Event {
        number: row.integer(0)?,
        time: moment(row, 1)?,
        by: row.text(2)?.to_owned(),
        organisation: row.optional_text(3)?.map(ToOwned::to_owned),
        claim: row.optional_integer(4)?,
        action: row.text(5)?.to_owned(),
        detail: row.text(6)?.to_owned(),
    })
}
