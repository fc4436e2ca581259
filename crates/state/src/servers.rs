//! Who is there: one row for each server and kind of work, with the time of its last word.
//!
//! At a hundred times the data nothing changes here: rows follow servers.

use std::fmt;

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::leases::micros;
use crate::member::Identity;
use crate::value::{Row, Value};

/// What a process of a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Writes observations, or keeps the tables.
    Writer,
    /// Follows the tables and answers.
    Replica,
}

impl Work {
    const fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Replica => "replica",
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a server's index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The version of the sightings that its index shows.
    pub applied: Option<u64>,
    /// The newest version that it knows of.
    pub newest: Option<u64>,
}

/// A server as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerState {
    /// Its name.
    pub name: String,
    /// What it does.
    pub work: String,
    /// Where it is; may be empty.
    pub address: String,
    /// Its program and version.
    pub program: String,
    /// Seconds since it was heard last, by the database's clock.
    pub silent_seconds: i64,
    /// Whether it ended by itself.
    pub gone: bool,
    /// How far its index is.
    pub progress: Progress,
}

/// Says that a server is there; refuses when another state folder lately used its name.
pub(crate) fn register(transaction: &mut Transaction<'_>, who: &Identity) -> Result<(), StateError> {
    let other = "SELECT address FROM servers \
             WHERE name = $1 AND instance <> $2 AND gone = 0 AND heard + $3 >= {now} LIMIT 1";
    let values = [(&who.name).into(), (&who.instance).into(), micros(who.lease).into()];
    if let Some(row) = transaction.query(other, &values)?.first() {
        let (name, address) = (&who.name, row.text(0)?);
        return Err(StateError::refused(format!(
            "another state folder is server {name} ({address}); give this one its own name in state.toml, or wait {} \
             seconds if it was moved here",
            who.lease.as_secs()
        )));
    }
    let sql = "INSERT INTO servers (name, work, instance, address, program, started, heard, gone, applied, newest) \
             VALUES ($1, $2, $3, $4, $5, {now}, {now}, 0, NULL, NULL) ON CONFLICT (name, work) DO UPDATE SET \
             instance = excluded.instance, address = excluded.address, program = excluded.program, \
             started = excluded.started, heard = excluded.heard, gone = 0";
    let values = [
        (&who.name).into(),
        who.work.name().into(),
        (&who.instance).into(),
        (&who.address).into(),
        (&who.program).into(),
    ];
    transaction.execute(sql, &values).map(drop)
}

/// Says that a server is still there, or that it ends now.
pub(crate) fn hear(
    transaction: &mut Transaction<'_>,
    who: &Identity,
    progress: Progress,
    gone: bool,
) -> Result<(), StateError> {
    let number = |version: Option<u64>| Value::from(version.and_then(|version| i64::try_from(version).ok()));
    let sql = "UPDATE servers SET heard = {now}, gone = $1, applied = COALESCE($2, applied), \
             newest = COALESCE($3, newest) \
             WHERE name = $4 AND work = $5 AND instance = $6";
    let values = [
        i64::from(gone).into(),
        number(progress.applied),
        number(progress.newest),
        (&who.name).into(),
        who.work.name().into(),
        (&who.instance).into(),
    ];
    transaction.execute(sql, &values).map(drop)
}

impl Database {
    /// Which installation this is: the same for all servers of one database.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn installation(&self) -> Result<String, StateError> {
        self.transact(|transaction| Ok(transaction.one("SELECT id FROM installation", &[])?.text(0)?.to_owned()))
    }

    /// Every server that ever said a word, by name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn servers(&self) -> Result<Vec<ServerState>, StateError> {
        let sql = "SELECT name, work, address, program, ({now} - heard) / 1000000, gone, applied, newest \
             FROM servers ORDER BY name, work";
        let rows = self.transact(|transaction| transaction.query(sql, &[]))?;
        rows.iter().map(state).collect()
    }

    /// Forgets a server that is not there any more; tells whether there was one.
    ///
    /// # Errors
    /// When it was heard lately or still holds a range, or the database cannot be asked.
    pub fn forget(&self, name: &str) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let holds = "SELECT first FROM ranges WHERE holder = $1 AND expires >= {now} LIMIT 1";
            if !transaction.query(holds, &[name.into()])?.is_empty() {
                return Err(StateError::refused(format!("server {name} still holds a range; stop it first")));
            }
            Ok(transaction.execute("DELETE FROM servers WHERE name = $1", &[name.into()])? > 0)
        })
    }
}

fn state(row: &Row) -> Result<ServerState, StateError> {
    let version = |at: usize| Ok(row.optional_integer(at)?.and_then(|number| u64::try_from(number).ok()));
    Ok(ServerState {
        name: row.text(0)?.to_owned(),
        work: row.text(1)?.to_owned(),
        address: row.text(2)?.to_owned(),
        program: row.text(3)?.to_owned(),
        silent_seconds: row.integer(4)?.max(0),
        gone: row.integer(5)? != 0,
        progress: Progress { applied: version(6)?, newest: version(7)? },
    })
}
