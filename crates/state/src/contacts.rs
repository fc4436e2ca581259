//! Contacts: whom to reach at an organisation, and when that was last true.

use std::time::Duration;

use hinomi_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{Entry, moment, note, room, take_numbers};
use crate::organisations::{Deed, open, words};
use crate::value::{Row, Value};

/// The most contacts of one organisation, and in all.
const MAX_OF_ONE: i64 = 50;
const MAX_CONTACTS: i64 = 500_000;
/// How long a contact is taken to be right when nothing else is said.
pub const FRESH_DAYS: u32 = 180;

/// Which language somebody reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Japanese.
    #[default]
    Ja,
    /// English.
    En,
}

impl Language {
    /// `ja` or `en`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }
}

/// What is said of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NewContact {
    /// What for, as an id: `security`, `abuse`, `technical`, `administrative`, `executive`.
    pub role: String,
    /// A person or a team.
    pub name: String,
    /// Where mail goes.
    pub mail: String,
    /// May be empty.
    pub phone: String,
    /// What they read.
    pub language: Language,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Its number.
    pub number: i64,
    /// Id of the organisation.
    pub organisation: String,
    /// What is said of it.
    #[serde(flatten)]
    pub said: NewContact,
    /// When somebody last made sure of it.
    pub confirmed: Timestamp,
}

impl Contact {
    /// Whether nobody made sure of it for so many days.
    pub fn is_stale(&self, now: Timestamp, days: u32) -> bool {
        now.since(self.confirmed) > Duration::from_secs(u64::from(days) * 86_400)
    }
}

impl NewContact {
    pub(crate) fn check(&self) -> Result<(), StateError> {
        words::id(&self.role)?;
        words::name("name", &self.name)?;
        words::mail(&self.mail)?;
        words::phone(&self.phone)
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        let texts = [&self.role, &self.name, &self.mail, &self.phone].map(Value::from);
        texts.into_iter().chain([self.language.name().into()]).collect()
    }
}

pub(crate) const COLUMNS: [&str; 8] =
    ["number", "organisation", "role", "name", "mail", "phone", "language", "confirmed"];

fn read(row: &Row) -> Result<Contact, StateError> {
    let language = match row.text(6)? {
        "en" => Language::En,
        _ => Language::Ja,
    };
    let said = NewContact {
        role: row.text(2)?.to_owned(),
        name: row.text(3)?.to_owned(),
        mail: row.text(4)?.to_owned(),
        phone: row.text(5)?.to_owned(),
        language,
    };
    Ok(Contact { number: row.integer(0)?, organisation: row.text(1)?.to_owned(), said, confirmed: moment(row, 7)? })
}

pub(crate) fn all(transaction: &mut Transaction<'_>) -> Result<Vec<Contact>, StateError> {
    let sql = format!("SELECT {} FROM contacts ORDER BY organisation, number", COLUMNS.join(", "));
    transaction.query(&sql, &[])?.iter().map(read).collect()
}

fn find(transaction: &mut Transaction<'_>, number: i64) -> Result<Contact, StateError> {
    let sql = format!("SELECT {} FROM contacts WHERE number = $1", COLUMNS.join(", "));
    let rows = transaction.query(&sql, &[number.into()])?;
    rows.first().map_or_else(|| Err(StateError::refused(format!("there is no contact {number}"))), read)
}

impl Database {
    /// Enters a contact; it counts as confirmed now.
    ///
    /// # Errors
    /// When the organisation is not there, the words do not do, or the database cannot be asked.
    pub fn add_contact(&self, deed: Deed<'_>, organisation: &str, new: &NewContact) -> Result<Contact, StateError> {
        new.check()?;
        self.transact(|transaction| {
            open(transaction, organisation)?;
            let own = "SELECT COUNT(*) FROM contacts WHERE organisation = $1";
            room(transaction, (own, &[organisation.into()]), MAX_OF_ONE, "contacts of one organisation")?;
            room(transaction, ("SELECT COUNT(*) FROM contacts", &[]), MAX_CONTACTS, "contacts")?;
            let number = take_numbers(transaction, 1)?;
            let sql = format!("INSERT INTO contacts ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", COLUMNS.join(", "));
            let mut values = vec![number.into(), organisation.into()];
            values.extend(new.values());
            values.push(deed.now.as_micros().into());
            transaction.execute(&sql, &values)?;
            let detail = format!("contact {number}: {}", new.role);
            note(transaction, deed, &Entry::of(organisation, "contact added", detail))?;
            find(transaction, number)
        })
    }

    /// Says that a contact is still right.
    ///
    /// # Errors
    /// When it is not there, or the database cannot be asked.
    pub fn confirm_contact(&self, deed: Deed<'_>, number: i64) -> Result<Contact, StateError> {
        self.transact(|transaction| {
            let contact = find(transaction, number)?;
            let sql = "UPDATE contacts SET confirmed = $1 WHERE number = $2 AND confirmed < $1";
            transaction.execute(sql, &[deed.now.as_micros().into(), number.into()])?;
            let detail = format!("contact {number}");
            note(transaction, deed, &Entry::of(&contact.organisation, "contact confirmed", detail))?;
            find(transaction, number)
        })
    }

    /// Takes a contact away: who it was is not kept, that there was one is.
    ///
    /// # Errors
    /// When it is not there, or the database cannot be asked.
    pub fn remove_contact(&self, deed: Deed<'_>, number: i64) -> Result<Contact, StateError> {
        self.transact(|transaction| {
            let contact = find(transaction, number)?;
            transaction.execute("DELETE FROM contacts WHERE number = $1", &[number.into()])?;
            let detail = format!("contact {number}: {}", contact.said.role);
            note(transaction, deed, &Entry::of(&contact.organisation, "contact removed", detail))?;
            Ok(contact)
        })
    }

    /// Every contact, by organisation.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn contacts(&self) -> Result<Vec<Contact>, StateError> {
        self.transact(all)
    }

    /// The contacts of one organisation.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn contacts_of(&self, organisation: &str) -> Result<Vec<Contact>, StateError> {
        let sql = format!("SELECT {} FROM contacts WHERE organisation = $1 ORDER BY number", COLUMNS.join(", "));
        let rows = self.transact(|transaction| transaction.query(&sql, &[organisation.into()]))?;
        rows.iter().map(read).collect()
    }
}
