//! People and for whom they act.
//!
//! Invariants: names are in lower case and never used again; the first account is an administrator's and is made in one
//! step, so that of two who try one is told that he came late; one administrator who may sign in always stays.

mod members;

use std::fmt;
use std::str::FromStr;

use hinomi_model::Timestamp;

use crate::account_mail::forget_closed;
use crate::accounts::{Accounts, line, optional_time, time};
use crate::database::Transaction;
use crate::deeds::note;
use crate::error::StateError;
use crate::passkeys::forget_invitations;
use crate::password::PasswordHash;
use crate::secret;
use crate::value::{Row, Value};

const MAX_NAME_CHARS: usize = 64;
const MAX_FULL_NAME_CHARS: usize = 100;
/// The most accounts.
const MAX_PEOPLE: i64 = 100_000;

/// What a person may do for an organisation; each may what those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Reader,
    /// Save queries, send notices.
    Editor,
    /// Decide for the organisation.
    Manager,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Editor, Self::Manager];

    /// As it is stored and typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Manager => "manager",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| StateError::refused("a role is reader, editor or manager"))
    }
}

/// That a person acts for an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Id of the organisation.
    pub organisation: String,
    /// What may be done for it.
    pub role: Role,
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Never shown and never changed.
    pub id: String,
    /// What is typed to sign in.
    pub name: String,
    /// As people call them.
    pub full_name: String,
    /// Manages people, claims and policies, and sees no record by that right.
    pub administrator: bool,
    /// Sees what the operator sees.
    pub analyst: bool,
    /// Whether there is a password.
    pub has_password: bool,
    /// When the account was made.
    pub created: Timestamp,
    /// Since when nobody signs in with it.
    pub disabled: Option<Timestamp>,
    /// For whom they act, by organisation.
    pub memberships: Vec<Membership>,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// What is typed to sign in.
    pub name: String,
    /// As people call them; empty takes the name.
    pub full_name: String,
    /// Manages people, claims and policies.
    pub administrator: bool,
    /// Sees what the operator sees.
    pub analyst: bool,
    /// None: signs in by another way.
    pub password: Option<PasswordHash>,
}

/// The name as it is stored.
///
/// # Errors
/// When it is none.
pub fn account_name(text: &str) -> Result<String, StateError> {
    let name = text.trim().to_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._@".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > MAX_NAME_CHARS || !name.chars().all(plain) {
        return Err(StateError::refused(format!(
            "an account's name is 1 to {MAX_NAME_CHARS} letters, digits and - . _ @, and begins with a letter or digit"
        )));
    }
    Ok(name)
}

pub(crate) const COLUMNS: &str = "p.id, p.name, p.full_name, p.administrator, p.analyst, CASE WHEN p.password IS NULL THEN 0 ELSE 1 END, \
     p.created, p.disabled";

impl Accounts {
    /// Makes the first account, which is an administrator's.
    ///
    /// # Errors
    /// When somebody has an account already, the name is none, or the state cannot be written.
    pub fn add_first(&self, new: &NewPerson, now: Timestamp) -> Result<Person, StateError> {
        let first = NewPerson { administrator: true, ..new.clone() };
        self.add_when(&first, now, true)
    }

    /// Makes an account. The first one must be an administrator's.
    ///
    /// # Errors
    /// When the name is taken or none, or the state cannot be written.
    pub fn add(&self, new: &NewPerson, now: Timestamp) -> Result<Person, StateError> {
        self.add_when(new, now, false)
    }

    fn add_when(&self, new: &NewPerson, now: Timestamp, first: bool) -> Result<Person, StateError> {
        let fit = Fit::of(new, now, first)?;
        self.transact(|transaction| fit.add(transaction, self.actor()))
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn people(&self) -> Result<Vec<Person>, StateError> {
        self.transact(|transaction| {
            let rows = transaction.query(&format!("SELECT {COLUMNS} FROM people p ORDER BY p.name"), &[])?;
            let mut people = rows.iter().map(person).collect::<Result<Vec<_>, _>>()?;
            let all = "SELECT person, organisation, role FROM memberships ORDER BY person, organisation";
            let mut by_person = std::collections::BTreeMap::<String, Vec<Membership>>::new();
            for row in transaction.query(all, &[])? {
                by_person.entry(row.text(0)?.to_owned()).or_default().push(membership(&row, 1)?);
            }
            for one in &mut people {
                one.memberships = by_person.remove(&one.id).unwrap_or_default();
            }
            Ok(people)
        })
    }

    /// The account of this name.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn person(&self, name: &str) -> Result<Option<Person>, StateError> {
        let Ok(name) = account_name(name) else { return Ok(None) };
        self.transact(|transaction| find(transaction, "name", &name))
    }

    /// The account of this id.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn person_by_id(&self, id: &str) -> Result<Option<Person>, StateError> {
        self.transact(|transaction| find(transaction, "id", id))
    }

    /// The account of this name with what is kept of its password.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn password_of(&self, name: &str) -> Result<Option<(Person, PasswordHash)>, StateError> {
        let Ok(name) = account_name(name) else { return Ok(None) };
        self.transact(|transaction| {
            let Some(person) = find(transaction, "name", &name)? else { return Ok(None) };
            let kept = transaction.one("SELECT password FROM people WHERE name = $1", &[(&name).into()])?;
            let kept = kept.optional_text(0)?.map(|kept| PasswordHash(kept.to_owned()));
            Ok(kept.map(|kept| (person, kept)))
        })
    }

    /// Sets a password and ends every session of the account but the one to be kept, by its id, and every invitation.
    ///
    /// # Errors
    /// When there is no such account, or the state cannot be written.
    pub fn set_password(&self, name: &str, kept: &PasswordHash, keep: Option<&str>) -> Result<(), StateError> {
        let name = account_name(name)?;
        self.transact(|transaction| {
            let person = existing(transaction, &name)?;
            let values = [kept.0.as_str().into(), (&person.id).into()];
            transaction.execute("UPDATE people SET password = $1 WHERE id = $2", &values)?;
            forget_invitations(transaction, &person.id)?;
            let values = [(&person.id).into(), keep.unwrap_or_default().into()];
            let ended = transaction.execute("DELETE FROM sessions WHERE person = $1 AND id <> $2", &values)?;
            note(transaction, self.actor(), &name, ("password-set", &format!("{ended} sessions ended")))
        })
    }

    /// Closes an account: its sessions and invitations end, its keys open nothing, its owner is told and the address for
    /// that is forgotten. Or opens it again.
    ///
    /// # Errors
    /// When there is no such account, it is the last administrator's, or the state cannot be written.
    pub fn disable(&self, name: &str, disabled: Option<Timestamp>) -> Result<(), StateError> {
        let name = account_name(name)?;
        self.transact(|transaction| {
            let person = existing(transaction, &name)?;
            if disabled.is_some() {
                keep_an_administrator(transaction, &person)?;
                forget_invitations(transaction, &person.id)?;
                transaction.execute("DELETE FROM sessions WHERE person = $1", &[(&person.id).into()])?;
            }
            let values = [disabled.map(Timestamp::as_micros).into(), (&person.id).into()];
            transaction.execute("UPDATE people SET disabled = $1 WHERE id = $2", &values)?;
            let done = if disabled.is_some() { "closed" } else { "opened" };
            note(transaction, self.actor(), &name, (done, ""))?;
            match disabled {
                Some(now) => forget_closed(transaction, &person.id, now),
                None => Ok(()),
            }
        })
    }

    /// Sets the rights of the installation; sessions end, so that new rights are those of a new sign-in.
    ///
    /// # Errors
    /// When there is no such account, it is the last administrator's, or the state cannot be written.
    pub fn set_rights(&self, name: &str, administrator: bool, analyst: bool) -> Result<(), StateError> {
        let name = account_name(name)?;
        self.transact(|transaction| {
            let person = existing(transaction, &name)?;
            if !administrator {
                keep_an_administrator(transaction, &person)?;
            }
            let values = [i64::from(administrator).into(), i64::from(analyst).into(), (&person.id).into()];
            transaction.execute("UPDATE people SET administrator = $1, analyst = $2 WHERE id = $3", &values)?;
            transaction.execute("DELETE FROM sessions WHERE person = $1", &[(&person.id).into()])?;
            note(transaction, self.actor(), &name, ("rights-set", &rights(administrator, analyst)))
        })
    }
}

/// An account to be made, as it is stored.
pub(crate) struct Fit<'a> {
    id: String,
    name: String,
    full_name: String,
    new: &'a NewPerson,
    now: Timestamp,
    first: bool,
}

impl<'a> Fit<'a> {
    pub(crate) fn of(new: &'a NewPerson, now: Timestamp, first: bool) -> Result<Self, StateError> {
        let name = account_name(&new.name)?;
        let full_name = if new.full_name.trim().is_empty() { &name } else { &new.full_name };
        let full_name = line("a full name", full_name, MAX_FULL_NAME_CHARS)?;
        Ok(Self { id: format!("{}{}", secret::id()?, secret::id()?), name, full_name, new, now, first })
    }

    pub(crate) fn add(&self, transaction: &mut Transaction<'_>, by: &str) -> Result<Person, StateError> {
        let Self { id, name, full_name, new, now, first } = self;
        let count = transaction.one("SELECT COUNT(*) FROM people", &[])?.integer(0)?;
        match count {
            0 if !new.administrator => {
                let why = "the first account must be an administrator's: hinomi account add NAME --administrator";
                return Err(StateError::refused(why));
            }
            1.. if *first => return Err(StateError::refused("somebody has an account already; sign in instead")),
            MAX_PEOPLE.. => return Err(StateError::refused(format!("there are {MAX_PEOPLE} accounts"))),
            _ => {}
        }
        if find(transaction, "name", name)?.is_some() {
            return Err(StateError::refused(format!("there is an account {name} already")));
        }
        let sql = "INSERT INTO people (id, name, full_name, administrator, analyst, password, created, disabled) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)";
        let password = new.password.as_ref().map(|kept| kept.0.as_str());
        let values = [
            id.into(),
            name.into(),
            full_name.into(),
            i64::from(new.administrator).into(),
            i64::from(new.analyst).into(),
            password.into(),
            now.as_micros().into(),
        ];
        transaction.execute(sql, &values)?;
        note(transaction, by, name, ("added", &rights(new.administrator, new.analyst)))?;
        existing(transaction, name)
    }
}

/// Rights of the installation, in words.
fn rights(administrator: bool, analyst: bool) -> String {
    let named = [(administrator, "administrator"), (analyst, "analyst")];
    let words: Vec<&str> = named.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect();
    if words.is_empty() { "no rights".to_owned() } else { words.join(", ") }
}

/// Refuses when without this person no administrator could sign in.
fn keep_an_administrator(transaction: &mut Transaction<'_>, person: &Person) -> Result<(), StateError> {
    let others = "SELECT COUNT(*) FROM people WHERE administrator = 1 AND disabled IS NULL AND id <> $1";
    if person.administrator && transaction.one(others, &[(&person.id).into()])?.integer(0)? == 0 {
        return Err(StateError::refused(format!("{} is the last administrator; make another one first", person.name)));
    }
    Ok(())
}

fn existing(transaction: &mut Transaction<'_>, name: &str) -> Result<Person, StateError> {
    find(transaction, "name", name)?.ok_or_else(|| StateError::refused(format!("there is no account {name}")))
}

/// The person whose column, `id` or `name`, holds this.
pub(crate) fn find(
    transaction: &mut Transaction<'_>,
    column: &'static str,
    value: &str,
) -> Result<Option<Person>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM people p WHERE p.{column} = $1");
    let rows = transaction.query(&sql, &[value.into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut person = person(row)?;
    let sql = "SELECT organisation, role FROM memberships WHERE person = $1 ORDER BY organisation";
    let rows = transaction.query(sql, &[Value::from(&person.id)])?;
    person.memberships = rows.iter().map(|row| membership(row, 0)).collect::<Result<_, _>>()?;
    Ok(Some(person))
}

fn membership(row: &Row, at: usize) -> Result<Membership, StateError> {
    Ok(Membership { organisation: row.text(at)?.to_owned(), role: row.text(at + 1)?.parse()? })
}

fn person(row: &Row) -> Result<Person, StateError> {
    Ok(Person {
        id: row.text(0)?.to_owned(),
        name: row.text(1)?.to_owned(),
        full_name: row.text(2)?.to_owned(),
        administrator: row.integer(3)? != 0,
        analyst: row.integer(4)? != 0,
        has_password: row.integer(5)? != 0,
        created: time(row, 6)?,
        disabled: optional_time(row, 7)?,
        memberships: Vec::new(),
    })
}
