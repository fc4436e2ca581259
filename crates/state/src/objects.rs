//! Objects that others share, with the bytes as they came.
//!
//! ```text
//!   keep_objects: judged one by one, added in one step; each gets a moment of its own, later than all before
//!   object_rows:  what may be told, by a filter that lets through no less than the rules; bodies apart
//! ```
//!
//! Invariants: bytes are never changed; another object of the same source, id and version is refused; moments of adding
//! rise strictly in the order in which steps end, so that who reads on after the last moment misses nothing.
//!
//! At a hundred times the data: objects are found by collection and moment, id, address or value, each by an index; how
//! many there may be is bounded ([`MAX_OBJECTS`], [`MAX_OF_GIVER`]), and what those of one giver name ([`MAX_NAMED_IN_ALL`]).

mod find;
mod notes;
mod room;

use hinomi_model::Timestamp;

pub use find::{ObjectQuery, ObjectSight, Places, Which};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::value::{Row, Value};
use room::Room;

/// The most objects in all.
pub const MAX_OBJECTS: i64 = 5_000_000;
/// The most objects of one giver.
pub const MAX_OF_GIVER: i64 = 1_000_000;
/// The most versions of one object.
pub const MAX_VERSIONS: i64 = 1_000;
/// The most addresses, and the most values, of one object.
pub const MAX_NAMED: usize = 10_000;

/// The most addresses and values that all objects of one giver name together.
pub const MAX_NAMED_IN_ALL: i64 = 4_000_000;

/// Addresses that an object names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectPlace {
    /// The first, as a number.
    pub low: u128,
    /// The last.
    pub high: u128,
    /// AS number of a single address, where one was known when it was added.
    pub asn: Option<u32>,
    /// What it says of them.
    pub saying: Saying,
}

/// What an object says of an address that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Saying {
    /// Nothing: it only names it.
    #[default]
    Names,
    /// What somebody else proposes that it should say.
    Proposes,
    /// Something.
    Says,
}

impl Saying {
    /// Each, as it is stored.
    const STORED: [(Self, i64); 3] = [(Self::Names, 0), (Self::Says, 1), (Self::Proposes, 2)];

    fn stored(self) -> i64 {
        Self::STORED.iter().find(|(each, _)| *each == self).map_or(0, |(_, stored)| *stored)
    }

    pub(crate) fn read(stored: i64) -> Self {
        Self::STORED.iter().find(|(_, each)| *each == stored).map(|(each, _)| *each).unwrap_or_default()
    }
}

impl From<bool> for Saying {
    fn from(says: bool) -> Self {
        if says { Self::Says } else { Self::Names }
    }
}

/// What is known of an object, besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFacts {
    /// In which collection.
    pub collection: String,
    /// Whose chain of versions.
    pub source: String,
    /// Its id.
    pub id: String,
    /// When it was modified, else created, in microseconds; 0 of what has neither.
    pub version: i64,
    /// The same as the object has it.
    pub version_text: String,
    /// Its type.
    pub kind: String,
    /// `stix` or `misp`.
    pub form: String,
    /// Who may know, as text: equal texts are decided alike.
    pub marking: String,
    /// The label that it bears.
    pub label: String,
    /// The organisation that gave it; empty: this installation.
    pub giver: String,
    /// The account, or the key and its account.
    pub given_by: String,
    /// From where it came, for people.
    pub origin: String,
    /// When what it tells was so.
    pub seen: Timestamp,
    /// Whether it was taken back.
    pub revoked: bool,
    /// From when on it holds.
    pub valid_from: Option<Timestamp>,
    /// Until when.
    pub valid_until: Option<Timestamp>,
    /// A line for people.
    pub title: String,
}

/// An object to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewObject {
    /// What is known of it.
    pub facts: ObjectFacts,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Their digest.
    pub digest: String,
    /// Addresses that it names; at most [`MAX_NAMED`].
    pub places: Vec<ObjectPlace>,
    /// Kinds and values that it says something about; at most [`MAX_NAMED`].
    pub values: Vec<(String, String)>,
}

/// An object that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// When it was added; its key.
    pub added: Timestamp,
    /// What is known of it.
    pub facts: ObjectFacts,
    /// Addresses that it names.
    pub places: Vec<ObjectPlace>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It was added.
    Added(Timestamp),
    /// The same bytes were there.
    Known(Timestamp),
    /// Other bytes were there under the same id and version.
    Clash,
    /// There are too many versions of it, or too many objects.
    Full,
    /// The objects of its giver name so many addresses and values already that it would be more than
    /// [`MAX_NAMED_IN_ALL`].
    Crowded {
        /// How many.
        named: i64,
    },
}

impl Database {
    /// Keeps objects, in one step.
    ///
    /// # Errors
    /// When one names too much, or the database cannot be written.
    pub fn keep_objects(&self, new: &[NewObject], now: Timestamp) -> Result<Vec<Keeping>, StateError> {
        if new.iter().any(|one| one.places.len() > MAX_NAMED || one.values.len() > MAX_NAMED) {
            return Err(StateError::refused(format!("an object names at most {MAX_NAMED} addresses or values")));
        }
        self.transact(|transaction| {
            // Taken first: who comes meanwhile waits, and is later.
            transaction.execute("UPDATE object_head SET last_added = last_added", &[])?;
            let mut last = transaction.one("SELECT last_added FROM object_head", &[])?.integer(0)?;
            let mut room = Room::default();
            let mut kept = Vec::with_capacity(new.len());
            for one in new {
                let next = now.as_micros().max(last.saturating_add(1));
                let done = keep(transaction, one, next, &mut room)?;
                if done == Keeping::Added(Timestamp::from_micros(next)) {
                    last = next;
                }
                kept.push(done);
            }
            transaction.execute("UPDATE object_head SET last_added = $1", &[last.into()])?;
            room.note(transaction)?;
            Ok(kept)
        })
    }

    /// Removes objects by when they were added; tells how many there were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remove_objects(&self, added: &[Timestamp]) -> Result<u64, StateError> {
        self.transact(|transaction| {
            let mut removed = 0;
            for moment in added {
                let key = [Value::from(moment.as_micros())];
                room::give_back(transaction, &key)?;
                transaction.execute("DELETE FROM object_places WHERE object = $1", &key)?;
                transaction.execute("DELETE FROM object_values WHERE object = $1", &key)?;
                removed += transaction.execute("DELETE FROM objects WHERE added = $1", &key)?;
            }
            Ok(removed)
        })
    }
}

fn keep(
    transaction: &mut Transaction<'_>,
    new: &NewObject,
    added: i64,
    room: &mut Room,
) -> Result<Keeping, StateError> {
    let facts = &new.facts;
    let chain: [Value; 3] = [(&facts.collection).into(), (&facts.source).into(), (&facts.id).into()];
    let sql = "SELECT added, digest FROM objects WHERE collection = $1 AND source = $2 AND id = $3 AND version = $4";
    let mut one = chain.to_vec();
    one.push(facts.version.into());
    if let Some(row) = transaction.query(sql, &one)?.first() {
        let known = Keeping::Known(Timestamp::from_micros(row.integer(0)?));
        return Ok(if row.text(1)? == new.digest { known } else { Keeping::Clash });
    }
    let sql = "SELECT COUNT(*) FROM objects WHERE collection = $1 AND source = $2 AND id = $3";
    if transaction.one(sql, &chain)?.integer(0)? >= MAX_VERSIONS {
        return Ok(Keeping::Full);
    }
    if let Some(refused) = room.take(transaction, new)? {
        return Ok(refused);
    }
    insert(transaction, new, added)?;
    for place in &new.places {
        let sql = "INSERT INTO object_places (object, low, high, asn, searched) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (object, low, high) DO NOTHING";
        let asn = place.asn.map(i64::from);
        let (low, high) = (place.low.to_be_bytes(), place.high.to_be_bytes());
        let (low, high): (Value, Value) = (low.as_slice().into(), high.as_slice().into());
        transaction.execute(sql, &[added.into(), low, high, asn.into(), place.saying.stored().into()])?;
    }
    for (kind, value) in &new.values {
        let sql = "INSERT INTO object_values (object, kind, value) VALUES ($1, $2, $3) \
                   ON CONFLICT (object, kind, value) DO NOTHING";
        transaction.execute(sql, &[added.into(), kind.into(), value.into()])?;
    }
    Ok(Keeping::Added(Timestamp::from_micros(added)))
}

fn insert(transaction: &mut Transaction<'_>, new: &NewObject, added: i64) -> Result<(), StateError> {
    let facts = &new.facts;
    let sql = "INSERT INTO objects (added, collection, source, id, version, version_text, kind, form, digest, body, \
               marking, label, giver, given_by, origin, seen, revoked, valid_from, valid_until, title) VALUES \
               ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    let moment = |time: Option<Timestamp>| Value::from(time.map(Timestamp::as_micros));
    let mut values: Vec<Value> = vec![added.into(), (&facts.collection).into(), (&facts.source).into()];
    values.extend([(&facts.id).into(), facts.version.into(), (&facts.version_text).into(), (&facts.kind).into()]);
    values.extend([(&facts.form).into(), (&new.digest).into(), new.body.as_slice().into()]);
    values.extend([(&facts.marking).into(), (&facts.label).into(), (&facts.giver).into()]);
    values.extend([(&facts.given_by).into(), (&facts.origin).into()]);
    // What is told to be of later is of now at the latest.
    values.extend([facts.seen.as_micros().min(added).into(), i64::from(facts.revoked).into()]);
    values.extend([moment(facts.valid_from), moment(facts.valid_until), (&facts.title).into()]);
    transaction.execute(sql, &values).map(drop)
}

/// The columns of [`facts`], after the moment.
const COLUMNS: &str = "added, collection, source, id, version, version_text, kind, form, marking, label, giver, given_by, \
                       origin, seen, revoked, valid_from, valid_until, title";

fn facts(row: &Row) -> Result<(Timestamp, ObjectFacts), StateError> {
    let text = |at: usize| row.text(at).map(ToOwned::to_owned);
    let moment = |at: usize| Ok::<_, StateError>(row.optional_integer(at)?.map(Timestamp::from_micros));
    let facts = ObjectFacts {
        collection: text(1)?,
        source: text(2)?,
        id: text(3)?,
        version: row.integer(4)?,
        version_text: text(5)?,
        kind: text(6)?,
        form: text(7)?,
        marking: text(8)?,
        label: text(9)?,
        giver: text(10)?,
        given_by: text(11)?,
        origin: text(12)?,
        seen: Timestamp::from_micros(row.integer(13)?),
        revoked: row.integer(14)? == 1,
        valid_from: moment(15)?,
        valid_until: moment(16)?,
        title: text(17)?,
    };
    Ok((Timestamp::from_micros(row.integer(0)?), facts))
}
