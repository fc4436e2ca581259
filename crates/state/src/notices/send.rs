//! A released notice on its way: taken by one server, and settled by it.

use std::time::Duration;

use hinomi_model::Timestamp;

use super::{Notice, NoticeState, cut, find, give_back, note};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::Deed;

/// A notice in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As it was.
    pub notice: Notice,
    /// When it was released, which is the date of the message at every try.
    pub released: Timestamp,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Went {
    /// The relay took it.
    Sent,
    /// It surely did not leave, and is tried again after this time.
    Again(Duration, String),
    /// Nobody knows whether it arrived.
    Unsure(String),
    /// The relay will not take it.
    GivenUp(String),
    /// The party may not know any more what it tells.
    Void(String),
}

/// What a person found out about an unsure one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It arrived.
    Arrived,
    /// It did not: it is sent again.
    Again,
    /// It did not, and is not sent again.
    Dropped,
}

impl Database {
    /// The released notice that has waited longest, to be sent by the caller and by nobody else. Whoever does not settle
    /// it within `hold` leaves it unsure.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn take_notice(&self, deed: Deed<'_>, hold: Duration) -> Result<Option<Taken>, StateError> {
        let (now, until) = (deed.now.as_micros(), deed.now.plus(hold).as_micros());
        self.transact(|transaction| {
            let sql = "SELECT number FROM notices WHERE state = 'released' AND due <= $1 ORDER BY due, number LIMIT 1";
            let rows = transaction.query(sql, &[now.into()])?;
            let Some(row) = rows.first() else { return Ok(None) };
            let number = row.integer(0)?;
            let sql = "UPDATE notices SET state = 'sending', due = $1, tries = tries + 1 \
                       WHERE number = $2 AND state = 'released'";
            if transaction.execute(sql, &[until.into(), number.into()])? == 0 {
                return Ok(None);
            }
            let notice = find(transaction, number)?;
            let released = notice.released.unwrap_or(notice.drafted);
            Ok(Some(Taken { notice, released }))
        })
    }

    /// Writes down what became of a try; with the sum of the message, where it left or may have. False when the notice
    /// is no longer in this hand.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn settle_notice(
        &self,
        deed: Deed<'_>,
        number: i64,
        went: &Went,
        sha256: Option<&str>,
    ) -> Result<bool, StateError> {
        let (state, why) = match went {
            Went::Sent => (NoticeState::Sent, ""),
            Went::Again(_, why) => (NoticeState::Released, why.as_str()),
            Went::Unsure(why) => (NoticeState::Unsure, why.as_str()),
            Went::GivenUp(why) => (NoticeState::GivenUp, why.as_str()),
            Went::Void(why) => (NoticeState::Void, why.as_str()),
        };
        let due = match went {
            Went::Again(after, _) => deed.now.plus(*after),
            _ => deed.now,
        };
        self.transact(|transaction| {
            let sql = "UPDATE notices SET state = $1, due = $2, error = $3, sha256 = COALESCE($4, sha256) \
                       WHERE number = $5 AND state = 'sending'";
            let values =
                [state.name().into(), due.as_micros().into(), (&cut(why)).into(), sha256.into(), number.into()];
            if transaction.execute(sql, &values)? == 0 {
                return Ok(false);
            }
            settle(transaction, deed, number, (state, why))?;
            Ok(true)
        })
    }

    /// Calls unsure what somebody took and did not settle in time; tells how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn unsure_notices(&self, deed: Deed<'_>) -> Result<u64, StateError> {
        let why = "who had it in hand ended before it was known whether it left";
        self.transact(|transaction| {
            let sql = "SELECT number FROM notices WHERE state = 'sending' AND due <= $1 ORDER BY number";
            let rows = transaction.query(sql, &[deed.now.as_micros().into()])?;
            for row in &rows {
                let number = row.integer(0)?;
                let sql = "UPDATE notices SET state = 'unsure', error = $1 WHERE number = $2 AND state = 'sending'";
                transaction.execute(sql, &[why.into(), number.into()])?;
                settle(transaction, deed, number, (NoticeState::Unsure, why))?;
            }
            Ok(rows.len() as u64)
        })
    }

    /// A person found out what became of an unsure notice.
    ///
    /// # Errors
    /// When it is not unsure, or the database cannot be written.
    pub fn resolve_notice(&self, deed: Deed<'_>, number: i64, found: Resolved) -> Result<Notice, StateError> {
        self.transact(|transaction| {
            let (state, action) = match found {
                Resolved::Arrived => (NoticeState::Sent, "found to have arrived"),
                Resolved::Again => (NoticeState::Released, "found lost, sent again"),
                Resolved::Dropped => (NoticeState::GivenUp, "found lost, dropped"),
            };
            let sql = "UPDATE notices SET state = $1, due = $2, error = '' WHERE number = $3 AND state = 'unsure'";
            let now = deed.now.as_micros();
            if transaction.execute(sql, &[state.name().into(), now.into(), number.into()])? == 0 {
                let found = find(transaction, number)?;
                return Err(StateError::refused(format!("notice {number} is {}, not unsure", found.state)));
            }
            settle(transaction, deed, number, (state, action))?;
            find(transaction, number)
        })
    }
}

/// What follows from a new state, and its entry.
fn settle(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    number: i64,
    (state, why): (NoticeState, &str),
) -> Result<(), StateError> {
    match state {
        NoticeState::Sent => {
            let now = deed.now.as_micros();
            let sql = "UPDATE notices SET sent = $1 WHERE number = $2";
            transaction.execute(sql, &[now.into(), number.into()])?;
            let sql = "UPDATE notice_told SET told = $1 WHERE notice = $2";
            transaction.execute(sql, &[now.into(), number.into()])?;
        }
        NoticeState::GivenUp | NoticeState::Void => give_back(transaction, number)?,
        _ => {}
    }
    note(transaction, deed, Some(number), (state.name(), why))
}
