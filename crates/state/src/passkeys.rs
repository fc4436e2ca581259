//! Passkeys, accounts elsewhere, and ceremonies that are under way.
//!
//! What a passkey is made of, and what a ceremony must remember, is opaque here.

use std::time::Duration;

use hinomi_model::Timestamp;

use crate::accounts::{Accounts, line, optional_time, time};
use crate::database::Transaction;
use crate::deeds::{note, note_of};
use crate::error::StateError;
use crate::people::{Person, find};
use crate::providers::{keep_a_way, link};
use crate::secret::{self, hex};

/// The most passkeys of one account.
pub(crate) const MAX_PASSKEYS: i64 = 20;
/// How long a ceremony may take that somebody waits for.
pub const CEREMONY_TIME: Duration = Duration::from_secs(5 * 60);
/// What invitations to choose a password are kept under.
pub const INVITATION: &str = "invitation";
/// How long an invitation holds.
pub const INVITATION_TIME: Duration = Duration::from_secs(7 * 86_400);
/// The most ceremonies under way; of more, the oldest go first.
pub(crate) const MAX_CEREMONIES: i64 = 10_000;
const MAX_LABEL_CHARS: usize = 100;

/// A passkey as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its name in hexadecimal digits.
    pub id: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was registered.
    pub created: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
}

/// What a passkey is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What never changes.
    pub fixed: Vec<u8>,
    /// What each use may change.
    pub moving: Vec<u8>,
}

/// What a ceremony remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceremony {
    /// Whose it is, where that is known.
    pub person: Option<String>,
    /// What it remembered.
    pub data: Vec<u8>,
}

impl Accounts {
    /// Keeps a passkey of an account.
    ///
    /// # Errors
    /// When it is known already, the account has too many, or the state cannot be written.
    pub fn add_passkey(
        &self,
        person: &str,
        id: &[u8],
        label: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let label = line("the name of a passkey", label, MAX_LABEL_CHARS)?;
        let id = hex(id);
        self.transact(|transaction| {
            let count = "SELECT COUNT(*) FROM passkeys WHERE person = $1";
            if transaction.one(count, &[person.into()])?.integer(0)? >= MAX_PASSKEYS {
                return Err(StateError::refused(format!("one account has at most {MAX_PASSKEYS} passkeys")));
            }
            if !transaction.query("SELECT id FROM passkeys WHERE id = $1", &[(&id).into()])?.is_empty() {
                return Err(StateError::refused("this passkey is registered already"));
            }
            let sql = "INSERT INTO passkeys (id, person, label, fixed, moving, created, used) \
                 VALUES ($1, $2, $3, $4, $5, $6, NULL)";
            let values = [
                (&id).into(),
                person.into(),
                (&label).into(),
                credential.fixed.as_slice().into(),
                credential.moving.as_slice().into(),
                now.as_micros().into(),
            ];
            transaction.execute(sql, &values)?;
            note_of(transaction, self.actor(), person, ("passkey-added", &format!("{id}: {label}")))
        })
    }

    /// A passkey and whose it is; none when it is not registered, or the account is closed.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn passkey(&self, id: &[u8]) -> Result<Option<(Credential, Person)>, StateError> {
        let id = hex(id);
        self.transact(|transaction| {
            let sql = "SELECT fixed, moving, person FROM passkeys WHERE id = $1";
            let rows = transaction.query(sql, &[(&id).into()])?;
            let Some(row) = rows.first() else { return Ok(None) };
            let credential = Credential { fixed: row.bytes(0)?.to_vec(), moving: row.bytes(1)?.to_vec() };
            let person = find(transaction, "id", row.text(2)?)?.filter(|person| person.disabled.is_none());
            Ok(person.map(|person| (credential, person)))
        })
    }

    /// That a passkey was used, and what that changed of it.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn used_passkey(&self, id: &[u8], moving: &[u8], now: Timestamp) -> Result<(), StateError> {
        let values = [moving.into(), now.as_micros().into(), hex(id).as_str().into()];
        let sql = "UPDATE passkeys SET moving = $1, used = $2 WHERE id = $3";
        self.transact(|transaction| transaction.execute(sql, &values)).map(drop)
    }

    /// Every passkey of an account, the oldest first.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn passkeys(&self, person: &str) -> Result<Vec<Passkey>, StateError> {
        let sql = "SELECT id, label, created, used FROM passkeys WHERE person = $1 ORDER BY created, id";
        let rows = self.transact(|transaction| transaction.query(sql, &[person.into()]))?;
        let passkey = |row: &crate::value::Row| {
            let (created, used) = (time(row, 2)?, optional_time(row, 3)?);
            Ok(Passkey { id: row.text(0)?.to_owned(), label: row.text(1)?.to_owned(), created, used })
        };
        rows.iter().map(passkey).collect()
    }

    /// Forgets a passkey of an account; tells whether there was one.
    ///
    /// # Errors
    /// When it is the last way in which they can sign in, or the state cannot be written.
    pub fn remove_passkey(&self, person: &str, id: &str) -> Result<bool, StateError> {
        let values = [person.into(), id.into()];
        let sql = "DELETE FROM passkeys WHERE person = $1 AND id = $2";
        self.transact(|transaction| {
            let gone = transaction.execute(sql, &values)? > 0;
            if gone {
                keep_a_way(transaction, person)?;
                note_of(transaction, self.actor(), person, ("passkey-removed", id))?;
            }
            Ok(gone)
        })
    }

    /// Remembers a ceremony under a secret that its owner brings back.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin_ceremony(
        &self,
        kind: &str,
        secret: &str,
        ceremony: &Ceremony,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.transact(|transaction| begin(transaction, (kind, secret), ceremony, until, now))
    }

    /// Invites: whoever brings this secret chooses a password for the account, once. Invitations before open nothing any
    /// more, also those that are made at the same moment.
    ///
    /// # Errors
    /// When there is no such account, or the state cannot be written.
    pub fn invite(&self, person: &str, secret: &str, now: Timestamp) -> Result<(), StateError> {
        let ceremony = Ceremony { person: Some(person.to_owned()), data: Vec::new() };
        let until = now.plus(INVITATION_TIME);
        self.transact(|transaction| {
            let Some(invited) = find(transaction, "id", person)? else {
                return Err(StateError::refused("there is no such account"));
            };
            forget_invitations(transaction, person)?;
            begin(transaction, (INVITATION, secret), &ceremony, until, now)?;
            note(transaction, self.actor(), &invited.name, ("invited", &format!("until {until}")))
        })
    }

    /// A ceremony that still goes on; it stays.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn ceremony(&self, kind: &str, secret: &str, now: Timestamp) -> Result<Option<Ceremony>, StateError> {
        let id = secret::hash(secret);
        self.transact(|transaction| look(transaction, kind, &id, now))
    }

    /// Takes a ceremony out, so that it ends once; none when there is none of this kind that still goes on.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn end_ceremony(&self, kind: &str, secret: &str, now: Timestamp) -> Result<Option<Ceremony>, StateError> {
        let id = secret::hash(secret);
        self.transact(|transaction| {
            let found = look(transaction, kind, &id, now)?;
            if found.is_some() {
                transaction.execute("DELETE FROM ceremonies WHERE id = $1", &[(&id).into()])?;
            }
            Ok(found)
        })
    }

    /// Whose an account elsewhere is; none when it is nobody's, or the account is closed.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn by_identity(&self, issuer: &str, subject: &str) -> Result<Option<Person>, StateError> {
        self.transact(|transaction| {
            let sql = "SELECT person FROM identities WHERE issuer = $1 AND subject = $2";
            let rows = transaction.query(sql, &[issuer.into(), subject.into()])?;
            let Some(row) = rows.first() else { return Ok(None) };
            Ok(find(transaction, "id", row.text(0)?)?.filter(|person| person.disabled.is_none()))
        })
    }

    /// That an account elsewhere is this person's from now on.
    ///
    /// # Errors
    /// When it is somebody's already, or the state cannot be written.
    pub fn link_identity(&self, person: &str, issuer: &str, subject: &str, now: Timestamp) -> Result<(), StateError> {
        self.transact(|transaction| {
            link(transaction, person, issuer, subject, now)?;
            note_of(transaction, self.actor(), person, ("identity-linked", &format!("{subject} of {issuer}")))
        })
    }
}

fn begin(
    transaction: &mut Transaction<'_>,
    (kind, secret): (&str, &str),
    ceremony: &Ceremony,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), StateError> {
    transaction.execute("DELETE FROM ceremonies WHERE ends <= $1", &[now.as_micros().into()])?;
    let count = transaction.one("SELECT COUNT(*) FROM ceremonies", &[])?.integer(0)?;
    if count >= MAX_CEREMONIES {
        let oldest = "DELETE FROM ceremonies WHERE id IN (SELECT id FROM ceremonies ORDER BY ends LIMIT 100)";
        transaction.execute(oldest, &[])?;
    }
    let sql = "INSERT INTO ceremonies (id, kind, person, data, ends) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        secret::hash(secret).as_str().into(),
        kind.into(),
        ceremony.person.as_deref().into(),
        ceremony.data.as_slice().into(),
        until.as_micros().into(),
    ];
    transaction.execute(sql, &values).map(drop)
}

pub(crate) fn forget_invitations(transaction: &mut Transaction<'_>, person: &str) -> Result<(), StateError> {
    let sql = "DELETE FROM ceremonies WHERE kind = $1 AND person = $2";
    transaction.execute(sql, &[INVITATION.into(), person.into()]).map(drop)
}

pub(crate) fn look(
    transaction: &mut Transaction<'_>,
    kind: &str,
    id: &str,
    now: Timestamp,
) -> Result<Option<Ceremony>, StateError> {
    let sql = "SELECT person, data FROM ceremonies WHERE id = $1 AND kind = $2 AND ends > $3";
    let rows = transaction.query(sql, &[id.into(), kind.into(), now.as_micros().into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let person = row.optional_text(0)?.map(str::to_owned);
    Ok(Some(Ceremony { person, data: row.bytes(1)?.to_vec() }))
}
