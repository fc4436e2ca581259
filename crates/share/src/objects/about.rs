//! What others say about an address, a name or a hash; and lists for the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hinomi_model::address::to_u128;
use hinomi_model::{Marking, Timestamp};
use hinomi_state::objects::{ObjectQuery, ObjectRow, Saying, Which};
use serde::Serialize;

use super::collection::EXERCISE;
use super::page::version;
use super::{ObjectsError, Shelf, Sight};
use crate::policy::Reader;

/// The most objects of one answer.
pub const MAX_SAID: usize = 100;
/// Objects that are looked at for them.
const LOOKED_AT: u32 = 1_000;

/// Something that somebody says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The id of the object.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// `stix` or `misp`.
    pub form: String,
    /// A line of it.
    pub title: String,
    /// The label that it bears.
    pub label: String,
    /// Which version.
    pub version: String,
    /// When it was added here; the key of this version.
    pub added: Timestamp,
    /// The organisation that gave it; none where its members do not know of each other, or it is of this installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the reader's own organisation gave it.
    pub own: bool,
    /// From where this installation fetched it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// From when on it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Whether it was taken back.
    pub revoked: bool,
    /// Whether what was asked about is only proposed by others to whoever gave it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub proposed: bool,
    /// Whether it holds now: it was not taken back, and its time has come and not passed.
    pub holds: bool,
}

impl Shelf {
    /// What is said about an address, or a prefix around it, the newest first; at most [`MAX_SAID`].
    ///
    /// # Errors
    /// When the look cannot be written down, or the state cannot be asked.
    pub fn about(&self, reader: &Reader, address: IpAddr, now: Timestamp) -> Result<Vec<Said>, ObjectsError> {
        reader.look("objects", &address.to_string())?;
        self.said(&Sight::of(reader), Which::Address(to_u128(address)), now)
    }

    /// What is said about a name, a page or a hash.
    ///
    /// # Errors
    /// As [`Self::about`].
    pub fn about_value(&self, reader: &Reader, value: &str, now: Timestamp) -> Result<Vec<Said>, ObjectsError> {
        reader.look("objects", value)?;
        self.said(&Sight::of(reader), Which::Value(value.to_lowercase()), now)
    }

    /// The newest objects.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn newest(&self, sight: &Sight, which: Which, now: Timestamp) -> Result<Vec<Said>, ObjectsError> {
        self.said(sight, which, now)
    }

    fn said(&self, sight: &Sight, which: Which, now: Timestamp) -> Result<Vec<Said>, ObjectsError> {
        let address = match which {
            Which::Address(address) => Some(address),
            _ => None,
        };
        let asked = ObjectQuery { which, newest: true, after: i64::MIN, limit: LOOKED_AT, ..ObjectQuery::default() };
        let filter = sight.filter(self.database.object_markings()?);
        let mut rows = self.database.object_rows(&asked, &filter)?;
        rows.retain(|row| sight.admits(row) && (row.facts.collection != EXERCISE || !sight.is_all()));
        let rows = newest_versions(rows);
        let hidden = self.hidden(&rows)?;
        let told = |row: ObjectRow| {
            let proposed = address.is_some_and(|address| is_proposed(&row, address));
            Said { proposed, ..one(sight, row, &hidden, now) }
        };
        Ok(rows.into_iter().take(MAX_SAID).map(told).collect())
    }

    /// Audiences that these name whose members do not know of each other.
    fn hidden(&self, rows: &[ObjectRow]) -> Result<BTreeSet<String>, ObjectsError> {
        if rows.iter().all(|row| audiences(row).is_empty()) {
            return Ok(BTreeSet::new());
        }
        Ok(self.database.audiences()?.into_iter().filter(|one| one.hidden).map(|one| one.id).collect())
    }

    /// Deletes an object, every version or one, whoever gave it: the operator's. Tells how many there were.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn forget(&self, id: &str, only: Option<&str>) -> Result<u64, ObjectsError> {
        let which = Which::Ids(vec![id.to_owned()]);
        let asked = ObjectQuery { which, after: i64::MIN, limit: u32::MAX, ..ObjectQuery::default() };
        let rows = self.database.object_rows(&asked, &Sight::operator().filter(Vec::new()))?;
        let meant = rows.iter().filter(|row| only.is_none_or(|only| version(row) == only));
        Ok(self.database.remove_objects(&meant.map(|row| row.added).collect::<Vec<_>>())?)
    }

    /// The bytes of every version of an object that is seen, the newest first.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn bytes_of(&self, sight: &Sight, id: &str) -> Result<Vec<(Said, String)>, ObjectsError> {
        let which = Which::Ids(vec![id.to_owned()]);
        let asked = ObjectQuery { which, newest: true, after: i64::MIN, limit: LOOKED_AT, ..ObjectQuery::default() };
        let mut rows = self.database.object_rows(&asked, &sight.filter(self.database.object_markings()?))?;
        rows.retain(|row| sight.admits(row));
        let mut bodies = self.database.object_bodies(&rows.iter().map(|row| row.added).collect::<Vec<_>>())?;
        let hidden = self.hidden(&rows)?;
        let told = |row: ObjectRow| {
            let body = String::from_utf8(bodies.remove(&row.added).unwrap_or_default()).unwrap_or_default();
            (one(sight, row, &hidden, Timestamp::default()), body)
        };
        Ok(rows.into_iter().map(told).collect())
    }
}

/// Of each chain its newest version; in the order that they had.
fn newest_versions(rows: Vec<ObjectRow>) -> Vec<ObjectRow> {
    let mut newest: BTreeMap<(String, String, String), i64> = BTreeMap::new();
    let chain = |row: &ObjectRow| (row.facts.collection.clone(), row.facts.id.clone(), row.facts.source.clone());
    for row in &rows {
        let known = newest.entry(chain(row)).or_insert(row.facts.version);
        *known = row.facts.version.max(*known);
    }
    rows.into_iter().filter(|row| newest.get(&chain(row)) == Some(&row.facts.version)).collect()
}

/// Whether all that it says of an address is what others propose.
fn is_proposed(row: &ObjectRow, address: u128) -> bool {
    let about = row.places.iter().filter(|place| (place.low..=place.high).contains(&address));
    about.map(|place| place.saying).max() == Some(Saying::Proposes)
}

fn audiences(row: &ObjectRow) -> Vec<String> {
    serde_json::from_str::<Marking>(&row.facts.marking).map(|marking| marking.audience).unwrap_or_default()
}

fn one(sight: &Sight, row: ObjectRow, hidden: &BTreeSet<String>, now: Timestamp) -> Said {
    let own = sight.is_own(&row.facts.giver);
    let is_hidden = !sight.is_all() && !own && audiences(&row).iter().any(|name| hidden.contains(name));
    let (version, facts) = (version(&row), row.facts);
    let begun = facts.valid_from.is_none_or(|from| from <= now);
    let holds = !facts.revoked && begun && facts.valid_until.is_none_or(|until| now < until);
    Said {
        version,
        added: row.added,
        own,
        source: Some(facts.giver).filter(|giver| !giver.is_empty() && !is_hidden),
        // Whom this installation asks is its own affair.
        origin: if sight.is_all() { facts.origin } else { String::new() },
        id: facts.id,
        kind: facts.kind,
        form: facts.form,
        title: facts.title,
        label: facts.label,
        valid_from: facts.valid_from,
        valid_until: facts.valid_until,
        revoked: facts.revoked,
        proposed: false,
        holds,
    }
}
