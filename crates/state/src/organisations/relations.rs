//! What an organisation is related to, from when until when.
//!
//! Nothing is deleted: a relation that ends keeps its row. One that begins while it stands changes nothing.

use std::fmt;

use hinomi_model::{Purpose, Timestamp};
use serde::Serialize;

use super::book::{Deed, Entry, moment, note, room};
use super::open;
use crate::audiences;
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::value::{Row, Value};

/// The end of what has no end.
pub(crate) const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX);
/// The most relations, in all and of one organisation, ended ones too.
const MAX_RELATIONS: i64 = 500_000;
const MAX_OF_ONE: i64 = 20_000;

/// How an organisation is related to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// It acts for another organisation.
    ActsFor,
    /// It belongs to an audience.
    Audience,
    /// It may read for a purpose.
    Purpose,
}

impl Relation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ActsFor => "acts-for",
            Self::Audience => "audience",
            Self::Purpose => "purpose",
        }
    }

    fn read(text: &str) -> Result<Self, StateError> {
        let all = [Self::ActsFor, Self::Audience, Self::Purpose];
        let found = all.into_iter().find(|relation| relation.name() == text);
        found.ok_or_else(|| StateError::damaged(format!("{text:?} is no relation")))
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A relation and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Id of the organisation.
    pub organisation: String,
    /// How.
    pub relation: Relation,
    /// Id of an organisation or an audience, or name of a purpose.
    pub target: String,
    /// From this moment on.
    pub begins: Timestamp,
    /// Before this moment; none: until somebody ends it.
    pub ends: Option<Timestamp>,
}

impl Related {
    /// Whether it stands at a moment.
    pub fn stands_at(&self, time: Timestamp) -> bool {
        self.begins <= time && self.ends.is_none_or(|ends| time < ends)
    }
}

pub(crate) const COLUMNS: &str = "organisation, relation, target, begins, ends";

pub(crate) fn read(row: &Row) -> Result<Related, StateError> {
    let ends = moment(row, 4)?;
    Ok(Related {
        organisation: row.text(0)?.to_owned(),
        relation: Relation::read(row.text(1)?)?,
        target: row.text(2)?.to_owned(),
        begins: moment(row, 3)?,
        ends: (ends != FOREVER).then_some(ends),
    })
}

/// Refuses what does not exist.
fn check(
    transaction: &mut Transaction<'_>,
    organisation: &str,
    relation: Relation,
    target: &str,
) -> Result<(), StateError> {
    match relation {
        Relation::ActsFor if organisation == target => {
            Err(StateError::refused(format!("{organisation} acts for itself anyway")))
        }
        Relation::ActsFor => open(transaction, target).map(drop),
        Relation::Audience => audiences::open(transaction, target).map(drop),
        Relation::Purpose => {
            target.parse::<Purpose>().map(drop).map_err(|error| StateError::refused(error.to_string()))
        }
    }
}

impl Database {
    /// Relates an organisation to something, from now until a moment; tells whether that is new.
    ///
    /// # Errors
    /// When one of them is not there, the end is past, or the database cannot be asked.
    pub fn relate(
        &self,
        deed: Deed<'_>,
        organisation: &str,
        (relation, target): (Relation, &str),
        ends: Option<Timestamp>,
    ) -> Result<bool, StateError> {
        if ends.is_some_and(|ends| ends <= deed.now) {
            return Err(StateError::refused("the end must lie ahead"));
        }
        self.transact(|transaction| {
            open(transaction, organisation)?;
            check(transaction, organisation, relation, target)?;
            let (now, end) = (deed.now.as_micros(), ends.unwrap_or(FOREVER).as_micros());
            let key: [Value; 4] = [organisation.into(), relation.name().into(), target.into(), now.into()];
            let standing = "SELECT ends FROM relations \
                 WHERE organisation = $1 AND relation = $2 AND target = $3 AND ends > $4 AND begins <= $4";
            if let Some(row) = transaction.query(standing, &key)?.first() {
                if row.integer(0)? == end {
                    return Ok(false);
                }
                let sql = "UPDATE relations SET ends = $5 \
                     WHERE organisation = $1 AND relation = $2 AND target = $3 AND ends > $4";
                transaction.execute(sql, &[&key[..], &[end.into()]].concat())?;
            } else {
                let own = "SELECT COUNT(*) FROM relations WHERE organisation = $1";
                room(transaction, (own, &[organisation.into()]), MAX_OF_ONE, "relations of one organisation")?;
                room(transaction, ("SELECT COUNT(*) FROM relations", &[]), MAX_RELATIONS, "relations")?;
                // Ended and begun again at one moment is one row.
                let sql = format!(
                    "INSERT INTO relations ({COLUMNS}) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (organisation, relation, target, begins) DO UPDATE SET ends = excluded.ends"
                );
                transaction.execute(&sql, &[&key[..], &[end.into()]].concat())?;
            }
            let until = ends.map_or_else(String::new, |ends| format!(" until {ends}"));
            note(transaction, deed, &Entry::of(organisation, "relation begun", format!("{relation} {target}{until}")))?;
            Ok(true)
        })
    }

    /// Ends a relation at this moment; tells whether it stood.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn unrelate(
        &self,
        deed: Deed<'_>,
        organisation: &str,
        (relation, target): (Relation, &str),
    ) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let sql = "UPDATE relations SET ends = $1 \
                 WHERE organisation = $2 AND relation = $3 AND target = $4 AND ends > $1";
            let values = [deed.now.as_micros().into(), organisation.into(), relation.name().into(), target.into()];
            if transaction.execute(sql, &values)? == 0 {
                return Ok(false);
            }
            note(transaction, deed, &Entry::of(organisation, "relation ended", format!("{relation} {target}")))?;
            Ok(true)
        })
    }

    /// Every relation of an organisation, also those that ended.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn relations_of(&self, organisation: &str) -> Result<Vec<Related>, StateError> {
        let sql = format!("SELECT {COLUMNS} FROM relations WHERE organisation = $1 ORDER BY relation, target, begins");
        let rows = self.transact(|transaction| transaction.query(&sql, &[organisation.into()]))?;
        rows.iter().map(read).collect()
    }

    /// Who is related so to this, also those that ended.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn related_to(&self, relation: Relation, target: &str) -> Result<Vec<Related>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM relations WHERE relation = $1 AND target = $2 ORDER BY organisation, begins"
        );
        let rows = self.transact(|transaction| transaction.query(&sql, &[relation.name().into(), target.into()]))?;
        rows.iter().map(read).collect()
    }
}

/// Every relation.
pub(crate) fn all(transaction: &mut Transaction<'_>) -> Result<Vec<Related>, StateError> {
    let rows = transaction
        .query(&format!("SELECT {COLUMNS} FROM relations ORDER BY organisation, relation, target, begins"), &[])?;
    rows.iter().map(read).collect()
}
