//! Sessions: who signed in, until when.
//!
//! Invariants: of a token only the hash is kept; a session ends after [`IDLE`] without a request and after [`LONGEST`] in
//! any case; a sign-in makes a new one and takes none over; one account has at most [`MAX_SESSIONS`], of more the one
//! unused for longest ends.

use std::time::Duration;

use hinomi_model::{Purpose, Timestamp};

use crate::accounts::{Accounts, time};
use crate::database::Transaction;
use crate::deeds::note;
use crate::error::StateError;
use crate::people::{Person, find};
use crate::secret;
use crate::value::Row;

/// A session that nobody uses ends.
pub const IDLE: Duration = Duration::from_secs(60 * 60);
/// Every session ends.
pub const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// The most sessions of one account.
pub const MAX_SESSIONS: usize = 50;
/// How often at most a use is written down.
const USED_EVERY: Duration = Duration::from_secs(60);
const MAX_AGENT_CHARS: usize = 200;

/// One session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// By which its owner ends it; opens nothing.
    pub id: String,
    /// How it began: `password`, `passkey`.
    pub way: String,
    /// What is read for.
    pub purpose: Purpose,
    /// From which address it began.
    pub source: String,
    /// What the browser called itself.
    pub agent: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was used last, to the minute.
    pub used: Timestamp,
    /// When it ends in any case.
    pub ends: Timestamp,
}

/// How a session began.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// `password`, `passkey`.
    pub way: &'static str,
    /// From which address.
    pub source: &'a str,
    /// What the browser calls itself.
    pub agent: &'a str,
}

const COLUMNS: &str = "id, way, purpose, source, agent, created, used, ends";

impl Accounts {
    /// Begins a session whose owner showed now that it is them; the token goes to the browser and is kept nowhere.
    ///
    /// # Errors
    /// When the account may not sign in, or the state cannot be written.
    pub fn begin_session(&self, person: &str, entry: &Entry<'_>, now: Timestamp) -> Result<String, StateError> {
        self.begin_session_shown(person, entry, now, now)
    }

    /// The same for an owner who showed at another time that it is them.
    ///
    /// # Errors
    /// As for [`Self::begin_session`].
    pub fn begin_session_shown(
        &self,
        person: &str,
        entry: &Entry<'_>,
        shown: Timestamp,
        now: Timestamp,
    ) -> Result<String, StateError> {
        let (token, id) = (secret::secret()?, secret::id()?);
        let clean: String = entry.agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT_CHARS).collect();
        self.transact(|transaction| {
            let open = find(transaction, "id", person)?.is_some_and(|person| person.disabled.is_none());
            if !open {
                return Err(StateError::refused("this account is closed"));
            }
            let idle = now.minus(IDLE).as_micros();
            transaction.execute(
                "DELETE FROM sessions WHERE ends <= $1 OR used <= $2",
                &[now.as_micros().into(), idle.into()],
            )?;
            make_room(transaction, person)?;
            let sql = "INSERT INTO sessions \
                 (hash, id, person, way, purpose, source, agent, created, used, ends, confirmed) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)";
            let values = [
                secret::hash(&token).as_str().into(),
                (&id).into(),
                person.into(),
                entry.way.into(),
                Purpose::ExposureReduction.name().into(),
                entry.source.into(),
                (&clean).into(),
                now.as_micros().into(),
                now.plus(LONGEST).as_micros().into(),
                shown.min(now).as_micros().into(),
            ];
            transaction.execute(sql, &values).map(|_| ())
        })?;
        Ok(token)
    }

    /// The session of a token and whose it is; none when it has ended or its account is closed.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn session(&self, token: &str, now: Timestamp) -> Result<Option<(Session, Person)>, StateError> {
        let hash = secret::hash(token);
        self.transact(|transaction| {
            let sql = format!("SELECT {COLUMNS}, person FROM sessions WHERE hash = $1");
            let rows = transaction.query(&sql, &[(&hash).into()])?;
            let Some(row) = rows.first() else { return Ok(None) };
            let session = session(row)?;
            let person = find(transaction, "id", row.text(8)?)?.filter(|person| person.disabled.is_none());
            if now >= session.ends || now >= session.used.plus(IDLE) {
                transaction.execute("DELETE FROM sessions WHERE hash = $1", &[(&hash).into()])?;
                return Ok(None);
            }
            if now.since(session.used) >= USED_EVERY {
                let values = [now.as_micros().into(), (&hash).into()];
                transaction.execute("UPDATE sessions SET used = $1 WHERE hash = $2", &values)?;
            }
            Ok(person.map(|person| (session, person)))
        })
    }

    /// Every session of an account, the one used last first.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn sessions(&self, person: &str, now: Timestamp) -> Result<Vec<Session>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sessions WHERE person = $1 AND ends > $2 AND used > $3 ORDER BY used DESC, created DESC"
        );
        let values = [person.into(), now.as_micros().into(), now.minus(IDLE).as_micros().into()];
        let rows = self.transact(|transaction| transaction.query(&sql, &values))?;
        rows.iter().map(session).collect()
    }

    /// Ends a session of an account by its id; tells whether there was one. It is told where somebody else ends it.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn end_session(&self, person: &str, id: &str) -> Result<bool, StateError> {
        let values = [person.into(), id.into()];
        let sql = "DELETE FROM sessions WHERE person = $1 AND id = $2";
        self.transact(|transaction| {
            let ended = transaction.execute(sql, &values)? > 0;
            let owner = find(transaction, "id", person)?.map(|owner| owner.name).unwrap_or_default();
            if ended && owner != self.actor() {
                note(transaction, self.actor(), &owner, ("session-ended", id))?;
            }
            Ok(ended)
        })
    }

    /// What a session reads for from now on.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn set_purpose(&self, person: &str, id: &str, purpose: Purpose) -> Result<(), StateError> {
        let values = [purpose.name().into(), person.into(), id.into()];
        let sql = "UPDATE sessions SET purpose = $1 WHERE person = $2 AND id = $3";
        self.transact(|transaction| transaction.execute(sql, &values)).map(drop)
    }
}

/// Ends the sessions beyond the most that an account may have, with one more to come.
fn make_room(transaction: &mut Transaction<'_>, person: &str) -> Result<(), StateError> {
    let sql = "SELECT hash FROM sessions WHERE person = $1 ORDER BY used DESC";
    let rows = transaction.query(sql, &[person.into()])?;
    for row in rows.iter().skip(MAX_SESSIONS - 1) {
        transaction.execute("DELETE FROM sessions WHERE hash = $1", &[row.text(0)?.into()])?;
    }
    Ok(())
}

fn session(row: &Row) -> Result<Session, StateError> {
    Ok(Session {
        id: row.text(0)?.to_owned(),
        way: row.text(1)?.to_owned(),
        purpose: purpose(row.text(2)?)?,
        source: row.text(3)?.to_owned(),
        agent: row.text(4)?.to_owned(),
        created: time(row, 5)?,
        used: time(row, 6)?,
        ends: time(row, 7)?,
    })
}

pub(crate) fn purpose(name: &str) -> Result<Purpose, StateError> {
    name.parse().map_err(|error: hinomi_model::marking::UnknownPurpose| StateError::damaged(error.to_string()))
}
