//! Organisations: who is there, whom each acts for, what it may read for.
//!
//! ```text
//!   Organisation --relations, dated--> other organisations | audiences | purposes
//!        |--- contacts (crate::contacts)      |--- claims (crate::claims)
//!        every change: one transaction, one Event of the history
//! ```
//!
//! At a hundred times the data: hundreds of thousands of organisations; lists of all of them would want pages.

pub(crate) mod book;
mod bulk;
mod relations;
pub(crate) mod words;

use std::fmt;
use std::str::FromStr;

use hinomi_model::Timestamp;
use serde::{Deserialize, Serialize};

pub use book::{Deed, Event, EventsOf, MAX_EVENTS};
pub use bulk::{Bulk, BulkAudience, BulkClaim, BulkContact, BulkOrganisation, Imported, MAX_BULK_BYTES};
pub use relations::{Related, Relation};

use crate::claims::{self, Claim};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::value::{Row, Value};
use book::{Entry, moment, note, optional_moment, room};

/// The most organisations.
pub const MAX_ORGANISATIONS: i64 = 50_000;

/// What an organisation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A ministry, an agency.
    Authority,
    /// A town, a prefecture.
    Municipality,
    /// A firm.
    Company,
    /// A school, a university.
    School,
    /// A hospital, a clinic.
    Hospital,
    /// Runs networks for others: an internet service provider, a hosting firm.
    Operator,
    /// Makes or looks after devices for others.
    Vendor,
    /// A response team.
    Csirt,
    /// A community that shares, such as an ISAC.
    Community,
    /// Anything else.
    #[default]
    Other,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Authority,
        Self::Municipality,
        Self::Company,
        Self::School,
        Self::Hospital,
        Self::Operator,
        Self::Vendor,
        Self::Csirt,
        Self::Community,
        Self::Other,
    ];

    /// As stored and written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Municipality => "municipality",
            Self::Company => "company",
            Self::School => "school",
            Self::Hospital => "hospital",
            Self::Operator => "operator",
            Self::Vendor => "vendor",
            Self::Csirt => "csirt",
            Self::Community => "community",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            StateError::refused(format!("an organisation is one of {}", names.join(", ")))
        })
    }
}

/// What is said of an organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Its name in Japanese; may be empty when there is an English one.
    pub name_ja: String,
    /// Its name in English; may be empty when there is a Japanese one.
    pub name_en: String,
    /// Its sector, as an id: `medical`.
    pub sector: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether it is the one that runs this installation; one at most.
    pub own: bool,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organisation {
    /// Short and lasting: `city-a`.
    pub id: String,
    /// What is said of it.
    #[serde(flatten)]
    pub profile: Profile,
    /// Since when it is here.
    pub created: Timestamp,
    /// Since when it is no longer.
    pub closed: Option<Timestamp>,
}

impl Organisation {
    /// The name in this language, or else in the other.
    pub fn name(&self, japanese: bool) -> &str {
        let (first, second) = match japanese {
            true => (&self.profile.name_ja, &self.profile.name_en),
            false => (&self.profile.name_en, &self.profile.name_ja),
        };
        if first.is_empty() { second } else { first }
    }
}

impl Profile {
    pub(crate) fn check(&self) -> Result<(), StateError> {
        words::name("Japanese name", &self.name_ja)?;
        words::name("English name", &self.name_en)?;
        self.sector.as_deref().map_or(Ok(()), words::id)?;
        if self.name_ja.is_empty() && self.name_en.is_empty() {
            return Err(StateError::refused("an organisation needs a name in Japanese or in English"));
        }
        Ok(())
    }

    fn detail(&self) -> String {
        let Self { name_ja, name_en, kind, .. } = self;
        let sector = self.sector.as_deref().unwrap_or("none");
        format!(
            "{name_ja} / {name_en}, {kind}, sector {sector}{}",
            if self.own { ", runs this installation" } else { "" }
        )
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        vec![
            (&self.name_ja).into(),
            (&self.name_en).into(),
            self.sector.as_ref().into(),
            self.kind.name().into(),
            i64::from(self.own).into(),
        ]
    }
}

const COLUMNS: &str = "id, name_ja, name_en, sector, kind, own, created, closed";

pub(crate) fn read(row: &Row) -> Result<Organisation, StateError> {
    let profile = Profile {
        name_ja: row.text(1)?.to_owned(),
        name_en: row.text(2)?.to_owned(),
        sector: row.optional_text(3)?.map(ToOwned::to_owned),
        kind: row.text(4)?.parse()?,
        own: row.integer(5)? == 1,
    };
    Ok(Organisation {
        id: row.text(0)?.to_owned(),
        profile,
        created: moment(row, 6)?,
        closed: optional_moment(row, 7)?,
    })
}

pub(crate) fn find(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Organisation>, StateError> {
    let rows = transaction.query(&format!("SELECT {COLUMNS} FROM organisations WHERE id = $1"), &[id.into()])?;
    rows.first().map(read).transpose()
}

/// The organisation, which must be there and open.
pub(crate) fn open(transaction: &mut Transaction<'_>, id: &str) -> Result<Organisation, StateError> {
    match find(transaction, id)? {
        Some(found) if found.closed.is_none() => Ok(found),
        Some(_) => Err(StateError::refused(format!("the organisation {id} was closed"))),
        None => Err(StateError::refused(format!("there is no organisation {id}"))),
    }
}

pub(crate) fn all(transaction: &mut Transaction<'_>) -> Result<Vec<Organisation>, StateError> {
    let rows = transaction.query(&format!("SELECT {COLUMNS} FROM organisations ORDER BY id"), &[])?;
    rows.iter().map(read).collect()
}

/// Refuses a second one that runs this installation.
fn only_one_is_own(transaction: &mut Transaction<'_>, id: &str, profile: &Profile) -> Result<(), StateError> {
    if !profile.own {
        return Ok(());
    }
    let sql = "SELECT id FROM organisations WHERE own = 1 AND closed IS NULL AND id <> $1";
    match transaction.query(sql, &[id.into()])?.first() {
        None => Ok(()),
        Some(row) => Err(StateError::refused(format!("{} runs this installation already", row.text(0)?))),
    }
}

impl Database {
    /// Enters an organisation.
    ///
    /// # Errors
    /// When the id is taken, the words do not do, or the database cannot be asked.
    pub fn add_organisation(&self, deed: Deed<'_>, id: &str, profile: &Profile) -> Result<Organisation, StateError> {
        words::id(id)?;
        profile.check()?;
        self.transact(|transaction| {
            if find(transaction, id)?.is_some() {
                return Err(StateError::refused(format!("there is an organisation {id} already")));
            }
            room(transaction, ("SELECT COUNT(*) FROM organisations", &[]), MAX_ORGANISATIONS, "organisations")?;
            only_one_is_own(transaction, id, profile)?;
            let sql = "INSERT INTO organisations (id, name_ja, name_en, sector, kind, own, created) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let mut values = vec![id.into()];
            values.extend(profile.values());
            values.push(deed.now.as_micros().into());
            transaction.execute(sql, &values)?;
            note(transaction, deed, &Entry::of(id, "organisation added", profile.detail()))?;
            open(transaction, id)
        })
    }

    /// Says something else of an organisation.
    ///
    /// # Errors
    /// When it is not there or closed, the words do not do, or the database cannot be asked.
    pub fn change_organisation(&self, deed: Deed<'_>, id: &str, profile: &Profile) -> Result<Organisation, StateError> {
        profile.check()?;
        self.transact(|transaction| {
            let before = open(transaction, id)?;
            if before.profile == *profile {
                return Ok(before);
            }
            only_one_is_own(transaction, id, profile)?;
            let sql =
                "UPDATE organisations SET name_ja = $1, name_en = $2, sector = $3, kind = $4, own = $5 WHERE id = $6";
            let mut values = profile.values();
            values.push(id.into());
            transaction.execute(sql, &values)?;
            let detail = format!("{}; before: {}", profile.detail(), before.profile.detail());
            note(transaction, deed, &Entry::of(id, "organisation changed", detail))?;
            open(transaction, id)
        })
    }

    /// Ends an organisation: everything that it holds, belongs to and may read for ends at this moment. What it held
    /// before stays its own in the history.
    ///
    /// # Errors
    /// When it is not there or closed, or the database cannot be asked.
    pub fn close_organisation(&self, deed: Deed<'_>, id: &str) -> Result<Organisation, StateError> {
        self.transact(|transaction| {
            open(transaction, id)?;
            let now = Value::from(deed.now.as_micros());
            let claims = claims::end_all(transaction, deed, id)?;
            let sql = "UPDATE relations SET ends = $1 WHERE (organisation = $2 OR (relation = 'acts-for' AND target = $2)) \
                 AND ends > $1";
            let relations = transaction.execute(sql, &[now.clone(), id.into()])?;
            transaction.execute("UPDATE organisations SET closed = $1, own = 0 WHERE id = $2", &[now, id.into()])?;
            let detail = format!("{claims} claims and {relations} relations ended");
            note(transaction, deed, &Entry::of(id, "organisation closed", detail))?;
            find(transaction, id)?.ok_or_else(|| StateError::damaged("an organisation went away"))
        })
    }

    /// One organisation.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn organisation(&self, id: &str) -> Result<Option<Organisation>, StateError> {
        self.transact(|transaction| find(transaction, id))
    }

    /// Every organisation, by id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn organisations(&self) -> Result<Vec<Organisation>, StateError> {
        self.transact(all)
    }
}

/// Everything that decides who may see what, as of one moment of the database.
#[derive(Clone, Debug, Default)]
pub struct Everything {
    /// The register's number at that moment.
    pub number: i64,
    /// Every organisation, closed ones too.
    pub organisations: Vec<Organisation>,
    /// Every relation, ended ones too.
    pub relations: Vec<Related>,
    /// Every claim, whatever became of it.
    pub claims: Vec<Claim>,
}

impl Database {
    /// Reads all of it in one step.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn register(&self) -> Result<Everything, StateError> {
        self.transact(|transaction| {
            Ok(Everything {
                number: transaction.one("SELECT last_number FROM register", &[])?.integer(0)?,
                organisations: all(transaction)?,
                relations: relations::all(transaction)?,
                claims: claims::all(transaction)?,
            })
        })
    }
}
