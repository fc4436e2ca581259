//! Keys for programs: `hinomi_<id>_<secret>`.
//!
//! Invariants: the secret is shown once and only its hash is kept; every key ends; a key may never do more than the person
//! whose it is, for as long as that person may.

use std::fmt;
use std::time::Duration;

use hinomi_model::{Purpose, Timestamp};

use crate::accounts::{Accounts, line, optional_time, time};
use crate::database::Transaction;
use crate::deeds::{note, note_of};
use crate::error::StateError;
use crate::people::{Person, find};
use crate::secret;
use crate::sessions::purpose;
use crate::value::Row;

/// What every key begins with, so that scanners of leaked text know it.
pub const PREFIX: &str = "hinomi_";
/// The longest that a key may hold.
pub const LONGEST_KEY: Duration = Duration::from_secs(2 * 366 * 86_400);
/// The most keys of one account.
pub const MAX_KEYS: i64 = 100;
/// The most keys of one account that are kept to be looked at and hold no more.
const MAX_PAST_KEYS: i64 = 100;
/// What a key can be narrowed to: the program's own API, TAXII, and what speaks as Shodan or MISP.
pub const KINDS: [&str; 4] = ["api", "taxii", "shodan", "misp"];
/// How often at most a use is written down.
const USED_EVERY: Duration = Duration::from_secs(60);
const MAX_LABEL_CHARS: usize = 100;
const ID_CHARS: usize = 16;
const SECRET_CHARS: usize = 64;

/// A key as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The part that is no secret.
    pub id: String,
    /// What it is for, in its owner's words.
    pub label: String,
    /// The one organisation that it acts for; none: as its owner.
    pub organisation: Option<String>,
    /// What is read for.
    pub purpose: Purpose,
    /// Whether it may change something.
    pub writes: bool,
    /// Of [`KINDS`]; empty: all.
    pub kinds: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub used: Option<Timestamp>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for.
    pub label: String,
    /// The one organisation that it acts for; none: as its owner.
    pub organisation: Option<String>,
    /// What is read for.
    pub purpose: Purpose,
    /// Whether it may change something.
    pub writes: bool,
    /// Of [`KINDS`]; empty: all.
    pub kinds: Vec<String>,
    /// When it ends.
    pub expires: Timestamp,
}

/// The text of a key. Shown once, on purpose; its `Debug` shows the part that is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText {
    id: String,
    secret: String,
}

impl KeyText {
    /// Reads a key; none when the text cannot be one.
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let hex = |text: &str, chars| text.len() == chars && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_key = hex(id, ID_CHARS) && hex(secret, SECRET_CHARS);
        is_key.then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The whole text, to be handed to its owner.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// The part that is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_...", self.id)
    }
}

const COLUMNS: &str = "id, label, organisation, purpose, writes, kinds, created, expires, revoked, used";

impl Accounts {
    /// Makes a key for an account.
    ///
    /// # Errors
    /// When it would end too late or already has, names what there is not, the account has too many, or the state cannot
    /// be written.
    pub fn add_key(&self, person: &str, new: &NewKey, now: Timestamp) -> Result<(KeyText, ApiKey), StateError> {
        let label = line("what a key is for", &new.label, MAX_LABEL_CHARS)?;
        if new.expires <= now || new.expires > now.plus(LONGEST_KEY) {
            return Err(StateError::refused("a key ends at a time to come, within two years"));
        }
        if let Some(kind) = new.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(StateError::refused(format!("{kind:?} is not a kind: {}", KINDS.join(", "))));
        }
        let text = KeyText { id: secret::id()?, secret: secret::secret()? };
        let key = ApiKey {
            id: text.id.clone(),
            label,
            organisation: new.organisation.clone(),
            purpose: new.purpose,
            writes: new.writes,
            kinds: new.kinds.clone(),
            created: now,
            expires: new.expires,
            revoked: None,
            used: None,
        };
        self.transact(|transaction| {
            let Some(owner) = find(transaction, "id", person)? else {
                return Err(StateError::refused("there is no such account"));
            };
            let acts = |id: &String| owner.analyst || owner.memberships.iter().any(|one| one.organisation == *id);
            if let Some(id) = key.organisation.as_ref().filter(|id| !acts(id)) {
                return Err(StateError::refused(format!("{} does not act for {id:?}", owner.name)));
            }
            let of = "SELECT COUNT(*) FROM api_keys WHERE person = $1 AND revoked IS NULL AND expires > $2";
            let standing = transaction.one(of, &[person.into(), now.as_micros().into()])?.integer(0)?;
            if standing >= MAX_KEYS {
                return Err(StateError::refused(format!("one account has at most {MAX_KEYS} keys; revoke one first")));
            }
            forget_past(transaction, person, now)?;
            insert(transaction, person, &text, &key)?;
            note(transaction, self.actor(), &owner.name, ("key-made", &in_words(&key)))
        })?;
        Ok((text, key))
    }

    /// The key of a text and whose it is; none when it does not hold.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn key(&self, text: &KeyText, now: Timestamp) -> Result<Option<(ApiKey, Person)>, StateError> {
        let hash = secret::hash(&text.secret);
        self.transact(|transaction| {
            let sql = format!("SELECT {COLUMNS}, person, hash FROM api_keys WHERE id = $1");
            let rows = transaction.query(&sql, &[(&text.id).into()])?;
            let Some(row) = rows.first().filter(|row| row.text(11).is_ok_and(|kept| secret::same(kept, &hash))) else {
                return Ok(None);
            };
            let key = key(row)?;
            let holds = key.revoked.is_none() && now < key.expires;
            let person = find(transaction, "id", row.text(10)?)?.filter(|person| holds && person.disabled.is_none());
            let stale = key.used.is_none_or(|used| now.since(used) >= USED_EVERY);
            if person.is_some() && stale {
                let values = [now.as_micros().into(), (&key.id).into()];
                transaction.execute("UPDATE api_keys SET used = $1 WHERE id = $2", &values)?;
            }
            Ok(person.map(|person| (key, person)))
        })
    }

    /// The keys of an account: those that were not revoked, then the others, each the newest first.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn keys(&self, person: &str) -> Result<Vec<ApiKey>, StateError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM api_keys WHERE person = $1 \
             ORDER BY CASE WHEN revoked IS NULL THEN 0 ELSE 1 END, created DESC, id LIMIT 500"
        );
        let rows = self.transact(|transaction| transaction.query(&sql, &[person.into()]))?;
        rows.iter().map(key).collect()
    }

    /// Takes a key of an account back; tells whether there was one that held.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn revoke_key(&self, person: &str, id: &str, now: Timestamp) -> Result<bool, StateError> {
        let sql = "UPDATE api_keys SET revoked = $1 WHERE person = $2 AND id = $3 AND revoked IS NULL";
        let values = [now.as_micros().into(), person.into(), id.into()];
        self.transact(|transaction| {
            let revoked = transaction.execute(sql, &values)? > 0;
            if revoked {
                note_of(transaction, self.actor(), person, ("key-revoked", id))?;
            }
            Ok(revoked)
        })
    }
}

/// What a key may do, in words.
fn in_words(key: &ApiKey) -> String {
    let may = if key.writes { "writes" } else { "reads" };
    let kinds = if key.kinds.is_empty() { "everything".to_owned() } else { key.kinds.join(" ") };
    let whom = key.organisation.as_ref().map(|id| format!(" for {id}")).unwrap_or_default();
    format!("{}: {may} {kinds}{whom}, for {}, until {}", key.id, key.purpose, key.expires)
}

/// Forgets keys that hold no more, but the newest of them.
fn forget_past(transaction: &mut Transaction<'_>, person: &str, now: Timestamp) -> Result<(), StateError> {
    let past = "person = $1 AND (revoked IS NOT NULL OR expires <= $2)";
    let sql = format!(
        "DELETE FROM api_keys WHERE {past} AND id NOT IN \
         (SELECT id FROM api_keys WHERE {past} ORDER BY created DESC, id LIMIT {MAX_PAST_KEYS})"
    );
    transaction.execute(&sql, &[person.into(), now.as_micros().into()]).map(drop)
}

fn insert(transaction: &mut Transaction<'_>, person: &str, text: &KeyText, key: &ApiKey) -> Result<(), StateError> {
    let sql = "INSERT INTO api_keys (id, hash, person, label, organisation, purpose, writes, kinds, created, expires, \
         revoked, used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL)";
    let values = [
        (&key.id).into(),
        secret::hash(&text.secret).as_str().into(),
        person.into(),
        (&key.label).into(),
        key.organisation.as_deref().into(),
        key.purpose.name().into(),
        i64::from(key.writes).into(),
        key.kinds.join(",").as_str().into(),
        key.created.as_micros().into(),
        key.expires.as_micros().into(),
    ];
    transaction.execute(sql, &values).map(drop)
}

fn key(row: &Row) -> Result<ApiKey, StateError> {
    let kinds = row.text(5)?.split(',').filter(|kind| !kind.is_empty());
    Ok(ApiKey {
        id: row.text(0)?.to_owned(),
        label: row.text(1)?.to_owned(),
        organisation: row.optional_text(2)?.map(str::to_owned),
        purpose: purpose(row.text(3)?)?,
        writes: row.integer(4)? != 0,
        kinds: kinds.map(str::to_owned).collect(),
        created: time(row, 6)?,
        expires: time(row, 7)?,
        revoked: optional_time(row, 8)?,
        used: optional_time(row, 9)?,
    })
}
