//! Accounts elsewhere (OpenID Connect) of people with an account here, and when a session's owner was last shown to be it.
//!
//! Invariants: an account elsewhere is its issuer and its name there, never an e-mail address; it is one person's at most;
//! the last way in which somebody can sign in is not taken away.

use hinomi_model::Timestamp;

use crate::accounts::{Accounts, optional_time, time};
use crate::database::Transaction;
use crate::deeds::{note, note_of};
use crate::error::StateError;
use crate::passkeys::{INVITATION, look};
use crate::people::{Fit, NewPerson, Person, find};
use crate::secret;
use crate::value::Row;

/// The most accounts elsewhere of one person.
const MAX_IDENTITIES: i64 = 20;
/// The longest name elsewhere, in bytes (OpenID Connect Core 1.0, section 2: 255 ASCII characters).
pub const MAX_SUBJECT_BYTES: usize = 255;

/// An account elsewhere as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Who keeps it.
    pub issuer: String,
    /// What it is called there; never given to anybody else there.
    pub subject: String,
    /// Since when it is linked.
    pub created: Timestamp,
    /// When somebody signed in with it last.
    pub used: Option<Timestamp>,
}

impl Accounts {
    /// Every account elsewhere of a person, the first linked first.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn linked(&self, person: &str) -> Result<Vec<Linked>, StateError> {
        let sql =
            "SELECT issuer, subject, created, used FROM identities WHERE person = $1 ORDER BY created, issuer, subject";
        let rows = self.transact(|transaction| transaction.query(sql, &[person.into()]))?;
        let one = |row: &Row| {
            let (created, used) = (time(row, 2)?, optional_time(row, 3)?);
            Ok(Linked { issuer: row.text(0)?.to_owned(), subject: row.text(1)?.to_owned(), created, used })
        };
        rows.iter().map(one).collect()
    }

    /// Whether an account elsewhere is somebody's, whose account here may be closed.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn is_linked(&self, issuer: &str, subject: &str) -> Result<bool, StateError> {
        self.transact(|transaction| taken(transaction, issuer, subject))
    }

    /// Makes an account for who signs in first with an account elsewhere, and links that, in one step; none when it is
    /// somebody's, whose account here may be closed.
    ///
    /// # Errors
    /// When the name is taken or none, or the state cannot be written. Then there is no account.
    pub fn add_linked(
        &self,
        new: &NewPerson,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<Person>, StateError> {
        let fit = Fit::of(new, now, false)?;
        self.transact(|transaction| {
            if taken(transaction, issuer, subject)? {
                return Ok(None);
            }
            let person = fit.add(transaction, self.actor())?;
            link(transaction, &person.id, issuer, subject, now)?;
            let detail = format!("{subject} of {issuer}");
            note(transaction, self.actor(), &person.name, ("identity-linked", &detail))?;
            used(transaction, issuer, subject, now)?;
            Ok(Some(person))
        })
    }

    /// That somebody signed in with an account elsewhere.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn used_identity(&self, issuer: &str, subject: &str, now: Timestamp) -> Result<(), StateError> {
        self.transact(|transaction| used(transaction, issuer, subject, now))
    }

    /// Links an account elsewhere by an invitation, which is used up by it; none when the invitation opens nothing any more.
    ///
    /// # Errors
    /// When the account elsewhere is somebody's already, or the state cannot be written. The invitation stays then.
    pub fn link_invited(
        &self,
        invitation: &str,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<Person>, StateError> {
        let id = secret::hash(invitation);
        self.transact(|transaction| {
            let found = look(transaction, INVITATION, &id, now)?.and_then(|found| found.person);
            let person = found.map_or(Ok(None), |person| find(transaction, "id", &person))?;
            let Some(person) = person.filter(|person| person.disabled.is_none()) else { return Ok(None) };
            transaction.execute("DELETE FROM ceremonies WHERE id = $1", &[(&id).into()])?;
            link(transaction, &person.id, issuer, subject, now)?;
            note(transaction, &person.name, &person.name, ("identity-linked", &format!("{subject} of {issuer}")))?;
            Ok(Some(person))
        })
    }

    /// Forgets an account elsewhere of a person; tells whether there was one.
    ///
    /// # Errors
    /// When it is the last way in which they can sign in, or the state cannot be written.
    pub fn unlink_identity(&self, person: &str, issuer: &str, subject: &str) -> Result<bool, StateError> {
        let values = [person.into(), issuer.into(), subject.into()];
        let sql = "DELETE FROM identities WHERE person = $1 AND issuer = $2 AND subject = $3";
        self.transact(|transaction| {
            let gone = transaction.execute(sql, &values)? > 0;
            if gone {
                keep_a_way(transaction, person)?;
                let detail = format!("{subject} of {issuer}");
                note_of(transaction, self.actor(), person, ("identity-unlinked", &detail))?;
            }
            Ok(gone)
        })
    }

    /// When the owner of a session showed last that it is them; none when there is no such session.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn confirmed(&self, person: &str, session: &str) -> Result<Option<Timestamp>, StateError> {
        let sql = "SELECT COALESCE(confirmed, created) FROM sessions WHERE person = $1 AND id = $2";
        let rows = self.transact(|transaction| transaction.query(sql, &[person.into(), session.into()]))?;
        rows.first().map(|row| time(row, 0)).transpose()
    }

    /// That the owner of a session showed that it is them.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn confirm_session(&self, person: &str, session: &str, now: Timestamp) -> Result<(), StateError> {
        let values = [now.as_micros().into(), person.into(), session.into()];
        let sql = "UPDATE sessions SET confirmed = $1 WHERE person = $2 AND id = $3";
        self.transact(|transaction| transaction.execute(sql, &values)).map(drop)
    }
}

fn taken(transaction: &mut Transaction<'_>, issuer: &str, subject: &str) -> Result<bool, StateError> {
    let sql = "SELECT person FROM identities WHERE issuer = $1 AND subject = $2";
    Ok(!transaction.query(sql, &[issuer.into(), subject.into()])?.is_empty())
}

fn used(transaction: &mut Transaction<'_>, issuer: &str, subject: &str, now: Timestamp) -> Result<(), StateError> {
    let sql = "UPDATE identities SET used = $1 WHERE issuer = $2 AND subject = $3";
    transaction.execute(sql, &[now.as_micros().into(), issuer.into(), subject.into()]).map(drop)
}

/// Links an account elsewhere.
pub(crate) fn link(
    transaction: &mut Transaction<'_>,
    person: &str,
    issuer: &str,
    subject: &str,
    now: Timestamp,
) -> Result<(), StateError> {
    let plain = !subject.is_empty() && subject.len() <= MAX_SUBJECT_BYTES && !subject.chars().any(char::is_control);
    if !plain {
        return Err(StateError::refused(format!("a name elsewhere is 1 to {MAX_SUBJECT_BYTES} bytes on one line")));
    }
    if taken(transaction, issuer, subject)? {
        return Err(StateError::refused("this account elsewhere is linked already"));
    }
    let count = "SELECT COUNT(*) FROM identities WHERE person = $1";
    if transaction.one(count, &[person.into()])?.integer(0)? >= MAX_IDENTITIES {
        return Err(StateError::refused(format!("one person has at most {MAX_IDENTITIES} accounts elsewhere")));
    }
    let sql = "INSERT INTO identities (issuer, subject, person, created) VALUES ($1, $2, $3, $4)";
    let values = [issuer.into(), subject.into(), person.into(), now.as_micros().into()];
    transaction.execute(sql, &values).map(drop)
}

/// Refuses when a person is left without any way to sign in.
pub(crate) fn keep_a_way(transaction: &mut Transaction<'_>, person: &str) -> Result<(), StateError> {
    let ways = [
        "SELECT COUNT(*) FROM people WHERE id = $1 AND password IS NOT NULL",
        "SELECT COUNT(*) FROM passkeys WHERE person = $1",
        "SELECT COUNT(*) FROM identities WHERE person = $1",
    ];
    for way in ways {
        if transaction.one(way, &[person.into()])?.integer(0)? > 0 {
            return Ok(());
        }
    }
    Err(StateError::refused("this is the last way to sign in; add another one first"))
}
