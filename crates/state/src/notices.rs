//! Notices: one message to one responsible party about findings, from draft to outcome.
//!
//! ```text
//!   draft --1 or 2 persons--> released --one server takes it--> sending --> sent --> replies
//!     |                          ^                                 |--> unsure (nobody knows whether it arrived)
//!     +--> cancelled             +--- refused for now -------------+--> given-up | void
//! ```
//!
//! - A finding is taken ([`Database::told`]) in the step that drafts it, and given back when the notice is cancelled,
//!   void or given up: of two drafts one tells it.
//! - A notice leaves at most once by itself: it is `sending` before the first byte leaves, and whoever ends meanwhile
//!   leaves it `unsure` for a person to decide ([`Database::resolve_notice`]).
//! - Every step is an entry of the history ([`Database::notice_events`]).
//!
//! At a hundred times the data: rows by notice and finding; lists have pages.

mod answer;
mod list;
mod parts;
mod release;
mod send;

use std::collections::BTreeSet;
use std::net::IpAddr;

use hinomi_model::Timestamp;
use hinomi_model::address::to_u128;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

pub use answer::{NewReply, NoticeOutcome, OptOut, Reply};
pub use list::{Elsewhere, NoticesOf, ToldSoFar};
pub use parts::{NewNotice, NoticeFile, NoticeState, Party, Said};
pub use release::Released;
pub use send::{Resolved, Taken, Went};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{insert, moment, optional_moment};
use crate::organisations::{Deed, open};
use crate::value::{Row, Value};

/// The most findings of one notice.
pub const MAX_FINDINGS: usize = 20_000;
/// Longest text and file of a notice, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
/// Longest detail that is kept, in characters.
const MAX_DETAIL_CHARS: usize = 500;

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its number.
    pub number: i64,
    /// Those drafted together have one.
    pub run: i64,
    /// By which answers find it.
    pub token: String,
    /// Whom it goes to.
    pub party: Party,
    /// The strictest label of what it tells.
    pub label: String,
    /// For what its findings may be read.
    pub purposes: BTreeSet<String>,
    /// One line.
    pub subject: String,
    /// Plain text.
    #[serde(skip)]
    pub body: String,
    /// How many findings.
    pub findings: i64,
    /// How many persons must release it.
    pub needs: i64,
    /// When it was drafted.
    pub drafted: Timestamp,
    /// By whom.
    pub drafted_by: String,
    /// How far it is.
    pub state: NoticeState,
    /// When it was released.
    pub released: Option<Timestamp>,
    /// By whom.
    pub released_by: Vec<String>,
    /// Not before this moment, or in hand until then.
    pub due: Timestamp,
    /// How often it was tried.
    pub tries: i64,
    /// Why it did not arrive, or may not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// When the relay took it.
    pub sent: Option<Timestamp>,
    /// SHA-256 of the message as it left, in hex.
    pub sha256: Option<String>,
}

/// One entry of the history of notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeEvent {
    /// Counts up.
    pub number: i64,
    /// Of which notice, if of one.
    pub notice: Option<i64>,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub by: String,
    /// What was done, in a word.
    pub action: String,
    /// What else there is to know.
    pub detail: String,
}

const COLUMNS: &str = "n.number, n.run, n.token, n.party, n.label, n.purposes, n.subject, n.body, n.findings, n.needs, \
     n.drafted, n.drafted_by, n.state, n.released, n.due, n.tries, n.error, n.sent, n.sha256";

fn read(row: &Row) -> Result<Notice, StateError> {
    let party = serde_json::from_str(row.text(3)?);
    Ok(Notice {
        number: row.integer(0)?,
        run: row.integer(1)?,
        token: row.text(2)?.to_owned(),
        party: party.map_err(|error| StateError::damaged(format!("the party of a notice: {error}")))?,
        label: row.text(4)?.to_owned(),
        purposes: row.text(5)?.split(' ').filter(|one| !one.is_empty()).map(ToOwned::to_owned).collect(),
        subject: row.text(6)?.to_owned(),
        body: row.text(7)?.to_owned(),
        findings: row.integer(8)?,
        needs: row.integer(9)?,
        drafted: moment(row, 10)?,
        drafted_by: row.text(11)?.to_owned(),
        state: row.text(12)?.parse().map_err(|_| StateError::damaged("a notice is in no known state"))?,
        released: optional_moment(row, 13)?,
        released_by: Vec::new(),
        due: moment(row, 14)?,
        tries: row.integer(15)?,
        error: row.text(16)?.to_owned(),
        sent: optional_moment(row, 17)?,
        sha256: row.optional_text(18)?.map(ToOwned::to_owned),
    })
}

/// The notice, with who released it.
fn find(transaction: &mut Transaction<'_>, number: i64) -> Result<Notice, StateError> {
    let rows = transaction.query(&format!("SELECT {COLUMNS} FROM notices n WHERE n.number = $1"), &[number.into()])?;
    let missing = || StateError::refused(format!("there is no notice {number}"));
    let mut found = read(rows.first().ok_or_else(missing)?)?;
    let sql = "SELECT person FROM notice_releases WHERE notice = $1 ORDER BY released, person";
    for row in transaction.query(sql, &[number.into()])? {
        found.released_by.push(row.text(0)?.to_owned());
    }
    Ok(found)
}

fn take_numbers(transaction: &mut Transaction<'_>, count: i64) -> Result<i64, StateError> {
    transaction.execute("UPDATE notice_numbers SET last_number = last_number + $1", &[count.into()])?;
    Ok(transaction.one("SELECT last_number FROM notice_numbers", &[])?.integer(0)? - count + 1)
}

/// Adds an entry to the history.
fn note(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    notice: Option<i64>,
    (action, detail): (&str, &str),
) -> Result<(), StateError> {
    let number = take_numbers(transaction, 1)?;
    let sql = "INSERT INTO notice_events (number, notice, happened, actor, action, detail) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values =
        [number.into(), notice.into(), deed.now.as_micros().into(), deed.actor(), action.into(), (&cut(detail)).into()];
    transaction.execute(sql, &values).map(drop)
}

/// Text for a column, on one line.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL_CHARS).collect()
}

/// Gives back what a notice would have told, so that another may tell it.
fn give_back(transaction: &mut Transaction<'_>, notice: i64) -> Result<(), StateError> {
    transaction.execute("DELETE FROM notice_told WHERE notice = $1", &[notice.into()]).map(drop)
}

/// The bytes of an address, in the order of addresses.
fn bytes(address: IpAddr) -> [u8; 16] {
    to_u128(address).to_be_bytes()
}

/// A token that nobody can foresee: 64 bits in hex.
///
/// # Errors
/// When the system has no randomness.
pub fn new_token() -> Result<String, StateError> {
    let mut filled = [0; 8];
    let done = SystemRandom::new().fill(&mut filled);
    done.map_err(|_| StateError::refused("the system has no randomness for a token; try again"))?;
    Ok(filled.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl NewNotice {
    fn check(&self) -> Result<(), StateError> {
        crate::organisations::words::mail(&self.party.mail)?;
        crate::organisations::words::name("name of the contact", &self.party.name)?;
        let one_line = !self.subject.chars().any(char::is_control);
        let long =
            self.body.len() > MAX_BODY_BYTES || self.files.iter().any(|file| file.content.len() > MAX_FILE_BYTES);
        if !one_line || long || self.findings.is_empty() || self.findings.len() > MAX_FINDINGS {
            return Err(StateError::refused(format!(
                "a notice has a subject of one line and 1 to {MAX_FINDINGS} findings, and is not longer than mail may be"
            )));
        }
        Ok(())
    }
}

impl Database {
    /// A number for drafts that are made together.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn new_run(&self, deed: Deed<'_>, detail: &str) -> Result<i64, StateError> {
        self.transact(|transaction| {
            let run = take_numbers(transaction, 1)?;
            note(transaction, deed, None, ("run", &format!("{run}: {detail}")))?;
            Ok(run)
        })
    }

    /// Drafts a notice and takes its findings. What was told before `since` may be told again.
    ///
    /// # Errors
    /// When the organisation is not there, another notice took one of its findings, or the database cannot be written.
    pub fn draft_notice(
        &self,
        deed: Deed<'_>,
        run: i64,
        new: &NewNotice,
        again: &BTreeSet<(String, String)>,
        since: Timestamp,
    ) -> Result<Notice, StateError> {
        new.check()?;
        let json = |value: &Party| serde_json::to_string(value).map_err(|error| StateError::refused(error.to_string()));
        let party = json(&new.party)?;
        let purposes: BTreeSet<&str> = new.findings.iter().map(|one| one.purpose.as_str()).collect();
        let purposes = purposes.into_iter().collect::<Vec<_>>().join(" ");
        self.transact(|transaction| {
            open(transaction, &new.party.organisation)?;
            let number = take_numbers(transaction, 1)?;
            let now = deed.now.as_micros();
            let findings = i64::try_from(new.findings.len()).unwrap_or(i64::MAX);
            let sql = "INSERT INTO notices (number, run, token, organisation, party, label, purposes, subject, body, \
                       findings, needs, alone, drafted, drafted_by, state, due, tries, error) VALUES ($1, $2, $3, $4, \
                       $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'draft', $13, 0, '')";
            let mut values: Vec<Value> = vec![number.into(), run.into(), (&new.token).into()];
            values.extend(
                [&new.party.organisation, &party, &new.label, &purposes, &new.subject, &new.body].map(Value::from),
            );
            values.extend([findings.into(), i64::from(new.needs).into(), i64::from(new.alone).into()]);
            values.extend([now.into(), deed.actor()]);
            transaction.execute(sql, &values)?;
            keep_findings(transaction, number, new)?;
            take_findings(transaction, (number, now), new, again, since)?;
            let detail = format!("{findings} findings to {}", new.party.organisation);
            note(transaction, deed, Some(number), ("drafted", &detail))?;
            find(transaction, number)
        })
    }
}

fn keep_findings(transaction: &mut Transaction<'_>, number: i64, new: &NewNotice) -> Result<(), StateError> {
    let mut rows = Vec::with_capacity(new.findings.len());
    for (place, one) in (1_i64..).zip(&new.findings) {
        let said = serde_json::to_string(one).map_err(|error| StateError::refused(error.to_string()))?;
        let (service, concern) = one.key();
        let address = Value::Bytes(bytes(one.service.address).to_vec());
        rows.push(vec![number.into(), place.into(), address, (&service).into(), (&concern).into(), (&said).into()]);
    }
    insert(transaction, "notice_findings", &["notice", "place", "address", "service", "concern", "said"], &rows)?;
    let files: Vec<Vec<Value>> = new
        .files
        .iter()
        .map(|file| vec![number.into(), (&file.name).into(), (&file.media).into(), (&file.content).into()])
        .collect();
    insert(transaction, "notice_files", &["notice", "name", "media", "content"], &files)
}

/// One row for each finding: who comes second finds it taken.
fn take_findings(
    transaction: &mut Transaction<'_>,
    (number, now): (i64, i64),
    new: &NewNotice,
    again: &BTreeSet<(String, String)>,
    since: Timestamp,
) -> Result<(), StateError> {
    for one in &new.findings {
        let key = one.key();
        // What was closed and opened again is told again; what waits in another notice is not.
        let before = if again.contains(&key) { i64::MAX } else { since.as_micros() };
        let sql = "INSERT INTO notice_told (organisation, service, concern, notice, told) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (organisation, service, concern) DO UPDATE SET notice = $4, told = $5 \
                   WHERE notice_told.told < $6 AND notice_told.notice IN (SELECT number FROM notices WHERE state = 'sent')";
        let mut values: Vec<Value> = vec![(&new.party.organisation).into(), (&key.0).into(), (&key.1).into()];
        values.extend([number.into(), now.into(), before.into()]);
        if transaction.execute(sql, &values)? == 0 {
            let (service, concern) = key;
            return Err(StateError::refused(format!(
                "{service} ({concern}) was told to {} by another notice",
                new.party.organisation
            )));
        }
    }
    Ok(())
}
