//! Audiences: named circles that records are marked for. Who belongs to one is a relation of the organisation, dated.
//!
//! An audience may hide its members from one another: then each sees itself alone ([`Database::members_seen_by`]).

use hinomi_model::Timestamp;
use serde::Serialize;

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{Entry, moment, note, optional_moment, room};
use crate::organisations::{Deed, Related, Relation, words};
use crate::value::{Row, Value};

/// The most audiences.
const MAX_AUDIENCES: i64 = 2_000;

/// An audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audience {
    /// As markings name it: `medical-isac`.
    pub id: String,
    /// Its name in Japanese.
    pub name_ja: String,
    /// Its name in English.
    pub name_en: String,
    /// Whether its members do not know of each other.
    pub hidden: bool,
    /// Since when it is there.
    pub created: Timestamp,
    /// Since when it is no longer.
    pub closed: Option<Timestamp>,
}

/// A new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudience {
    /// As markings will name it.
    pub id: String,
    /// Its name in Japanese.
    pub name_ja: String,
    /// Its name in English.
    pub name_en: String,
    /// Whether its members shall not know of each other.
    pub hidden: bool,
}

impl NewAudience {
    pub(crate) fn check(&self) -> Result<(), StateError> {
        words::id(&self.id)?;
        words::name("Japanese name", &self.name_ja)?;
        words::name("English name", &self.name_en)
    }
}

const COLUMNS: &str = "id, name_ja, name_en, hidden, created, closed";

pub(crate) fn read(row: &Row) -> Result<Audience, StateError> {
    Ok(Audience {
        id: row.text(0)?.to_owned(),
        name_ja: row.text(1)?.to_owned(),
        name_en: row.text(2)?.to_owned(),
        hidden: row.integer(3)? == 1,
        created: moment(row, 4)?,
        closed: optional_moment(row, 5)?,
    })
}

fn find(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Audience>, StateError> {
    let rows = transaction.query(&format!("SELECT {COLUMNS} FROM audiences WHERE id = $1"), &[id.into()])?;
    rows.first().map(read).transpose()
}

/// The audience, which must be there and open.
pub(crate) fn open(transaction: &mut Transaction<'_>, id: &str) -> Result<Audience, StateError> {
    match find(transaction, id)? {
        Some(found) if found.closed.is_none() => Ok(found),
        Some(_) => Err(StateError::refused(format!("the audience {id} was closed"))),
        None => Err(StateError::refused(format!("there is no audience {id}"))),
    }
}

pub(crate) fn all(transaction: &mut Transaction<'_>) -> Result<Vec<Audience>, StateError> {
    let rows = transaction.query(&format!("SELECT {COLUMNS} FROM audiences ORDER BY id"), &[])?;
    rows.iter().map(read).collect()
}

pub(crate) fn add(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    new: &NewAudience,
) -> Result<Audience, StateError> {
    if find(transaction, &new.id)?.is_some() {
        return Err(StateError::refused(format!("there is an audience {} already", new.id)));
    }
    room(transaction, ("SELECT COUNT(*) FROM audiences", &[]), MAX_AUDIENCES, "audiences")?;
    let sql = "INSERT INTO audiences (id, name_ja, name_en, hidden, created) VALUES ($1, $2, $3, $4, $5)";
    let (hidden, now) = (i64::from(new.hidden), deed.now.as_micros());
    let values: [Value; 5] =
        [(&new.id).into(), (&new.name_ja).into(), (&new.name_en).into(), hidden.into(), now.into()];
    transaction.execute(sql, &values)?;
    let detail = format!("{}{}", new.id, if new.hidden { ", members hidden" } else { "" });
    let entry = Entry { organisation: None, claim: None, action: "audience added", detail };
    note(transaction, deed, &entry)?;
    open(transaction, &new.id)
}

impl Database {
    /// Enters an audience.
    ///
    /// # Errors
    /// When the id is taken, the words do not do, or the database cannot be asked.
    pub fn add_audience(&self, deed: Deed<'_>, new: &NewAudience) -> Result<Audience, StateError> {
        new.check()?;
        self.transact(|transaction| add(transaction, deed, new))
    }

    /// Ends an audience and every membership; records marked for it are then for nobody by that.
    ///
    /// # Errors
    /// When it is not there or closed, or the database cannot be asked.
    pub fn close_audience(&self, deed: Deed<'_>, id: &str) -> Result<Audience, StateError> {
        self.transact(|transaction| {
            open(transaction, id)?;
            let now = Value::from(deed.now.as_micros());
            let sql = "UPDATE relations SET ends = $1 WHERE relation = 'audience' AND target = $2 AND ends > $1";
            let ended = transaction.execute(sql, &[now.clone(), id.into()])?;
            transaction.execute("UPDATE audiences SET closed = $1 WHERE id = $2", &[now, id.into()])?;
            let detail = format!("{id}; {ended} memberships ended");
            note(transaction, deed, &Entry { organisation: None, claim: None, action: "audience closed", detail })?;
            find(transaction, id)?.ok_or_else(|| StateError::damaged("an audience went away"))
        })
    }

    /// One audience.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn audience(&self, id: &str) -> Result<Option<Audience>, StateError> {
        self.transact(|transaction| find(transaction, id))
    }

    /// Every audience, by id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn audiences(&self) -> Result<Vec<Audience>, StateError> {
        self.transact(all)
    }

    /// The members of an audience as one organisation may know them: of an audience that hides its members each sees
    /// itself alone, and who does not belong sees nothing.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn members_seen_by(&self, audience: &str, viewer: &str, now: Timestamp) -> Result<Vec<String>, StateError> {
        let Some(found) = self.audience(audience)? else { return Ok(Vec::new()) };
        let members: Vec<Related> = self.related_to(Relation::Audience, audience)?;
        let standing = members.into_iter().filter(|member| member.stands_at(now)).map(|member| member.organisation);
        let mut members: Vec<String> = standing.collect();
        members.dedup();
        if !members.iter().any(|member| member == viewer) {
            return Ok(Vec::new());
        }
        if found.hidden {
            members.retain(|member| member == viewer);
        }
        Ok(members)
    }
}
