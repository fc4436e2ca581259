//! Who lets a notice leave: one person, or two different ones for a large send.
//!
//! How many it takes was said with the draft; who released as many notices within a day as one may alone needs a second
//! person from then on, so that a large send is not many small ones.

use std::time::Duration;

use super::{Notice, NoticeState, find, give_back, note};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::Deed;
use crate::value::Value;

/// In which time notices that were released alone are counted.
const DAY: Duration = Duration::from_secs(86_400);
/// Longest name of who releases, in characters.
const MAX_PERSON_CHARS: usize = 100;

/// What a release did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The notice as it is now.
    pub notice: Notice,
    /// How many more persons must release it.
    pub missing: u32,
}

impl Database {
    /// Writes down that a person releases a draft; when enough did, it may leave. `person` is the account or user of the
    /// machine: the same person twice is one.
    ///
    /// # Errors
    /// When there is no such draft, this person released it already, or the database cannot be written.
    pub fn release_notice(&self, deed: Deed<'_>, person: &str, number: i64) -> Result<Released, StateError> {
        if person.is_empty() || person.chars().count() > MAX_PERSON_CHARS {
            return Err(StateError::refused("somebody with a name releases a notice"));
        }
        self.transact(|transaction| {
            let before = find(transaction, number)?;
            if before.state != NoticeState::Draft {
                return Err(StateError::refused(format!("notice {number} is {}; drafts are released", before.state)));
            }
            if before.released_by.iter().any(|one| one == person) {
                return Err(StateError::refused(format!(
                    "{person} released notice {number} already; it takes another person"
                )));
            }
            let needs = needs(transaction, &before, person, deed)?;
            let accounts = transaction.one("SELECT COUNT(*) FROM people", &[])?.integer(0)? > 0;
            if needs > 1 && person == OPERATOR {
                // A browser at the machine does not tell who sits there.
                return Err(StateError::refused(format!(
                    "notice {number} takes two persons: release it on the command line, or by accounts"
                )));
            }
            if needs > 1 && is_of_machine(person) && accounts {
                return Err(StateError::refused(format!(
                    "notice {number} takes two persons: release it by your account, with --account NAME"
                )));
            }
            let sql = "INSERT INTO notice_releases (notice, person, released) VALUES ($1, $2, $3)";
            let now = Value::from(deed.now.as_micros());
            transaction.execute(sql, &[number.into(), person.into(), now.clone()])?;
            // Who released at the machine before there were accounts may be one of those who have one now.
            let counts = |one: &&String| !(accounts && is_of_machine(one));
            let done = before.released_by.iter().filter(counts).count();
            let done = i64::try_from(done).unwrap_or(i64::MAX).saturating_add(1);
            let missing = u32::try_from((needs - done).max(0)).unwrap_or(u32::MAX);
            let sql = "UPDATE notices SET needs = $1 WHERE number = $2";
            transaction.execute(sql, &[needs.into(), number.into()])?;
            if missing == 0 {
                let sql = "UPDATE notices SET state = 'released', released = $1, due = $1 WHERE number = $2";
                transaction.execute(sql, &[now, number.into()])?;
            }
            let detail = format!("by {person}; {missing} more must");
            note(transaction, deed, Some(number), ("released", &detail))?;
            Ok(Released { notice: find(transaction, number)?, missing })
        })
    }

    /// Decides against a notice that has not left: its findings may be told by another.
    ///
    /// # Errors
    /// When there is none, it left or may have, or the database cannot be written.
    pub fn cancel_notice(&self, deed: Deed<'_>, number: i64, reason: &str) -> Result<Notice, StateError> {
        self.transact(|transaction| {
            let sql = "UPDATE notices SET state = 'cancelled' WHERE number = $1 AND state IN ('draft', 'released')";
            if transaction.execute(sql, &[number.into()])? == 0 {
                let found = find(transaction, number)?;
                return Err(StateError::refused(format!("notice {number} is {}: it is too late", found.state)));
            }
            give_back(transaction, number)?;
            note(transaction, deed, Some(number), ("cancelled", reason))?;
            find(transaction, number)
        })
    }
}

/// Whoever sits at the machine before a browser, while nobody has an account.
const OPERATOR: &str = "operator";

/// Whether a person is known by the machine alone, and may be one of those who have an account. No account has a blank
/// in its name.
fn is_of_machine(person: &str) -> bool {
    person == OPERATOR || person.starts_with("uid ")
}

/// How many persons it takes, counting what this one released lately.
fn needs(transaction: &mut Transaction<'_>, of: &Notice, person: &str, deed: Deed<'_>) -> Result<i64, StateError> {
    let sql = "SELECT alone FROM notices WHERE number = $1";
    let alone = transaction.one(sql, &[of.number.into()])?.integer(0)?;
    let lately = "SELECT COUNT(*) FROM notice_releases r JOIN notices n ON n.number = r.notice \
                  WHERE r.person IN ($1, $3) AND r.released > $2 AND n.needs < 2 AND n.state <> 'cancelled'";
    let since = deed.now.minus(DAY).as_micros();
    let also = if is_of_machine(person) { OPERATOR } else { person };
    let lately = transaction.one(lately, &[person.into(), since.into(), also.into()])?.integer(0)?;
    Ok(if lately >= alone { of.needs.max(2) } else { of.needs })
}
