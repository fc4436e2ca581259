//! What a party said of a notice, and who wants none.

use std::fmt;
use std::str::FromStr;

use hinomi_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{NoticeState, cut, find, note, take_numbers};
use crate::database::Database;
use crate::error::StateError;
use crate::organisations::book::moment;
use crate::organisations::{Deed, open};

/// The most replies of one notice.
const MAX_REPLIES: i64 = 50_000;

/// What somebody said of a finding. That it is mended is said, not seen: what is seen is asked of the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeOutcome {
    /// They say that it is mended.
    Fixed,
    /// They will.
    WillFix,
    /// It is somebody else's.
    NotOurs,
    /// It is not as we say.
    FalsePositive,
    /// It is, and stays so.
    AcceptedRisk,
    /// They did not answer.
    NoAnswer,
}

impl NoticeOutcome {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Fixed, Self::WillFix, Self::NotOurs, Self::FalsePositive, Self::AcceptedRisk, Self::NoAnswer];

    /// As stored and written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::WillFix => "will-fix",
            Self::NotOurs => "not-ours",
            Self::FalsePositive => "false-positive",
            Self::AcceptedRisk => "accepted-risk",
            Self::NoAnswer => "no-answer",
        }
    }
}

impl fmt::Display for NoticeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NoticeOutcome {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
            StateError::refused(format!("an outcome is one of {}", names.join(", ")))
        })
    }
}

/// What somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReply {
    /// Of these findings; none is all of them.
    pub places: Vec<i64>,
    /// What.
    pub outcome: NoticeOutcome,
    /// In their words, on one line.
    pub note: String,
}

/// What somebody said of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// Counts up.
    pub number: i64,
    /// Of which notice.
    pub notice: i64,
    /// Of which finding; 0 is all.
    pub place: i64,
    /// What.
    pub outcome: NoticeOutcome,
    /// In their words.
    pub note: String,
    /// When it was written down.
    pub time: Timestamp,
    /// By whom.
    pub by: String,
}

/// An organisation that wants no notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OptOut {
    /// Which.
    pub organisation: String,
    /// Since when.
    pub since: Timestamp,
    /// Who wrote it down.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Database {
    /// Writes down what a party said of a notice that left or may have.
    ///
    /// # Errors
    /// When there is no such notice or finding, or the database cannot be written.
    pub fn reply_to_notice(&self, deed: Deed<'_>, number: i64, new: &NewReply) -> Result<Vec<Reply>, StateError> {
        let (outcome, said) = (new.outcome.name(), cut(&new.note));
        self.transact(|transaction| {
            let notice = find(transaction, number)?;
            if !matches!(notice.state, NoticeState::Sent | NoticeState::Unsure) {
                return Err(StateError::refused(format!(
                    "notice {number} is {}: nobody was told to answer it",
                    notice.state
                )));
            }
            let counted = transaction.one("SELECT COUNT(*) FROM notice_replies WHERE notice = $1", &[number.into()])?;
            if counted.integer(0)? >= MAX_REPLIES {
                return Err(StateError::refused(format!("{MAX_REPLIES} answers are the most of one notice")));
            }
            let places = if new.places.is_empty() { &[0][..] } else { &new.places };
            for place in places {
                if !(0..=notice.findings).contains(place) {
                    return Err(StateError::refused(format!("notice {number} has no finding {place}")));
                }
                let own = take_numbers(transaction, 1)?;
                let sql = "INSERT INTO notice_replies (number, notice, place, outcome, note, happened, actor) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7)";
                let now = deed.now.as_micros();
                let (outcome, said) = (outcome.into(), (&said).into());
                let values = [own.into(), number.into(), (*place).into(), outcome, said, now.into(), deed.actor()];
                transaction.execute(sql, &values)?;
            }
            let detail = format!(
                "{outcome} of {} findings",
                if new.places.is_empty() { notice.findings } else { new.places.len() as i64 }
            );
            note(transaction, deed, Some(number), ("replied", &detail))?;
            replies(transaction, number)
        })
    }

    /// Everything that was said of a notice, the oldest first: of one finding the last counts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_replies(&self, number: i64) -> Result<Vec<Reply>, StateError> {
        self.transact(|transaction| replies(transaction, number))
    }

    /// Writes down that an organisation wants no notices, or wants them again.
    ///
    /// # Errors
    /// When it is not there, or the database cannot be written.
    pub fn opt_out_of_notices(
        &self,
        deed: Deed<'_>,
        organisation: &str,
        reason: Option<&str>,
    ) -> Result<(), StateError> {
        self.transact(|transaction| {
            open(transaction, organisation)?;
            transaction.execute("DELETE FROM notice_optouts WHERE organisation = $1", &[organisation.into()])?;
            if let Some(reason) = reason {
                let sql = "INSERT INTO notice_optouts (organisation, since, actor, reason) VALUES ($1, $2, $3, $4)";
                let now = deed.now.as_micros();
                transaction.execute(sql, &[organisation.into(), now.into(), deed.actor(), (&cut(reason)).into()])?;
            }
            let action = if reason.is_some() { "opted out" } else { "opted in" };
            note(transaction, deed, None, (action, organisation))
        })
    }

    /// Who wants no notices.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_opt_outs(&self) -> Result<Vec<OptOut>, StateError> {
        let sql = "SELECT organisation, since, actor, reason FROM notice_optouts ORDER BY organisation";
        let rows = self.transact(|transaction| transaction.query(sql, &[]))?;
        let read = |row: &crate::value::Row| {
            let (organisation, by, reason) =
                (row.text(0)?.to_owned(), row.text(2)?.to_owned(), row.text(3)?.to_owned());
            Ok(OptOut { organisation, since: moment(row, 1)?, by, reason })
        };
        rows.iter().map(read).collect()
    }
}

fn replies(transaction: &mut crate::database::Transaction<'_>, number: i64) -> Result<Vec<Reply>, StateError> {
    let sql = "SELECT number, notice, place, outcome, note, happened, actor FROM notice_replies WHERE notice = $1 \
               ORDER BY number";
    let rows = transaction.query(sql, &[number.into()])?;
    let read = |row: &crate::value::Row| {
        Ok(Reply {
            number: row.integer(0)?,
            notice: row.integer(1)?,
            place: row.integer(2)?,
            outcome: row.text(3)?.parse().map_err(|_| StateError::damaged("an answer says nothing known"))?,
            note: row.text(4)?.to_owned(),
            time: moment(row, 5)?,
            by: row.text(6)?.to_owned(),
        })
    };
    rows.iter().map(read).collect()
}
