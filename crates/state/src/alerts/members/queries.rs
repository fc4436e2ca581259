//! Saved queries of organisations.

use hinomi_model::{Purpose, Timestamp};
use serde::Serialize;

use super::{MAX_WATCHES_OF_ONE, new_number, stored};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{Entry, note, room};
use crate::organisations::{Deed, open};
use crate::value::{Row, Value};

/// The longest query, in bytes.
pub const MAX_QUERY_BYTES: usize = 4_096;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// What is said of a saved query of an organisation. Whether its query is one is seen before it comes here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMemberWatch {
    /// What people call it; no two of an organisation have the same.
    pub name: String,
    /// The query, in its canonical form.
    pub query: String,
    /// For what it reads.
    pub purpose: Purpose,
    /// What was known when it was saved: it tells of what arrives later.
    pub begins: u64,
}

/// A saved query of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberWatch {
    /// Its number.
    pub number: i64,
    /// Id of the organisation.
    pub organisation: String,
    /// What people call it.
    pub name: String,
    /// The query.
    pub query: String,
    /// For what it reads.
    pub purpose: Purpose,
    /// When it was saved.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// What was known when it was saved or changed.
    #[serde(skip)]
    pub begins: u64,
}

const WATCH: &str =
    "SELECT number, organisation, name, query, purpose, created, created_by, begins FROM member_watches";

fn read(row: &Row) -> Result<MemberWatch, StateError> {
    let purpose = row.text(4)?.parse();
    Ok(MemberWatch {
        number: row.integer(0)?,
        organisation: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        query: row.text(3)?.to_owned(),
        purpose: purpose.map_err(|error| StateError::damaged(format!("a saved query: {error}")))?,
        created: Timestamp::from_micros(row.integer(5)?),
        created_by: row.text(6)?.to_owned(),
        begins: u64::try_from(row.integer(7)?).unwrap_or(0),
    })
}

fn check(new: &NewMemberWatch) -> Result<(), StateError> {
    crate::accounts::line("a name", &new.name, MAX_NAME_CHARS)?;
    crate::organisations::words::name("name", &new.name)?;
    if new.query.len() > MAX_QUERY_BYTES || new.query.chars().any(char::is_control) {
        return Err(StateError::refused(format!("a query is one line of at most {MAX_QUERY_BYTES} bytes")));
    }
    Ok(())
}

fn find(transaction: &mut Transaction<'_>, organisation: &str, name: &str) -> Result<Option<MemberWatch>, StateError> {
    let sql = format!("{WATCH} WHERE organisation = $1 AND name = $2");
    transaction.query(&sql, &[organisation.into(), name.into()])?.first().map(read).transpose()
}

impl Database {
    /// Saves a query of an organisation.
    ///
    /// # Errors
    /// When the organisation is not there, the name is taken or does not do, there are too many, or the database cannot
    /// be written.
    pub fn add_member_watch(
        &self,
        deed: Deed<'_>,
        organisation: &str,
        new: &NewMemberWatch,
    ) -> Result<MemberWatch, StateError> {
        check(new)?;
        self.transact(|transaction| {
            open(transaction, organisation)?;
            if find(transaction, organisation, &new.name)?.is_some() {
                return Err(StateError::refused(format!("a saved query is called {:?} already", new.name)));
            }
            let own = "SELECT COUNT(*) FROM member_watches WHERE organisation = $1";
            room(transaction, (own, &[organisation.into()]), MAX_WATCHES_OF_ONE, "saved queries of one organisation")?;
            let number = new_number()?;
            let sql = "INSERT INTO member_watches \
                       (number, organisation, name, query, purpose, created, created_by, begins) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let mut values: Vec<Value> = vec![number.into(), organisation.into(), (&new.name).into()];
            values.extend([(&new.query).into(), new.purpose.name().into(), deed.now.as_micros().into()]);
            values.extend([deed.by.into(), stored(new.begins)]);
            transaction.execute(sql, &values)?;
            note(transaction, deed, &Entry::of(organisation, "query saved", &new.name))?;
            let made = find(transaction, organisation, &new.name)?;
            made.ok_or_else(|| StateError::damaged("a saved query that was just written is not there".to_owned()))
        })
    }

    /// Gives a saved query another name, query and purpose. Where the query is another, what arrived before is not told.
    ///
    /// # Errors
    /// When it is not there, the new name is taken or does not do, or the database cannot be written.
    pub fn change_member_watch(
        &self,
        deed: Deed<'_>,
        (organisation, name): (&str, &str),
        new: &NewMemberWatch,
    ) -> Result<MemberWatch, StateError> {
        check(new)?;
        self.transact(|transaction| {
            let Some(old) = find(transaction, organisation, name)? else {
                return Err(StateError::refused(format!("there is no saved query {name:?}")));
            };
            if new.name != name && find(transaction, organisation, &new.name)?.is_some() {
                return Err(StateError::refused(format!("a saved query is called {:?} already", new.name)));
            }
            let is_same = (&old.query, old.purpose) == (&new.query, new.purpose);
            let begins = if is_same { old.begins } else { new.begins };
            let sql = "UPDATE member_watches SET name = $1, query = $2, purpose = $3, begins = $4 WHERE number = $5";
            let mut values: Vec<Value> = vec![(&new.name).into(), (&new.query).into(), new.purpose.name().into()];
            values.extend([stored(begins), old.number.into()]);
            transaction.execute(sql, &values)?;
            if !is_same {
                transaction.execute("DELETE FROM member_places WHERE watch = $1", &[old.number.into()])?;
            }
            note(transaction, deed, &Entry::of(organisation, "query changed", &new.name))?;
            let changed = find(transaction, organisation, &new.name)?;
            changed.ok_or_else(|| StateError::damaged("a saved query that was just written is not there".to_owned()))
        })
    }

    /// Removes a saved query; tells whether there was one. Channels that named no other tell nothing any more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remove_member_watch(&self, deed: Deed<'_>, organisation: &str, name: &str) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let Some(old) = find(transaction, organisation, name)? else { return Ok(false) };
            transaction.execute("DELETE FROM member_places WHERE watch = $1", &[old.number.into()])?;
            transaction.execute("DELETE FROM member_watches WHERE number = $1", &[old.number.into()])?;
            note(transaction, deed, &Entry::of(organisation, "query removed", name))?;
            Ok(true)
        })
    }

    /// The saved queries of an organisation, or of all, by organisation, the first made first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn member_watches(&self, organisation: Option<&str>) -> Result<Vec<MemberWatch>, StateError> {
        let sql = format!("{WATCH} WHERE organisation = $1 OR $1 = '' ORDER BY organisation, created, name");
        let values = [organisation.unwrap_or_default().into()];
        self.transact(|transaction| transaction.query(&sql, &values)?.iter().map(read).collect())
    }
}
