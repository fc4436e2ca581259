//! Messages: what is on its way, and what became of it.

use std::time::Duration;

use hinomi_model::Timestamp;
use serde::Serialize;

use super::{Channel, KEPT_MESSAGES, Way, members, next_number};
use crate::database::Transaction;
use crate::error::StateError;
use crate::secret;
use crate::value::{Row, Value};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its number, which counts those of everybody.
    pub number: i64,
    /// By which members and their programs know it; empty of the operator's, which are known by their number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Of which channel.
    pub channel: i64,
    /// One line.
    pub subject: String,
    /// Text for people.
    pub body: String,
    /// The events as JSON, for programs.
    pub events: String,
    /// When it was made.
    pub made: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// `waiting`, `sent`, `given-up`.
    pub state: String,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// One line.
    pub subject: String,
    /// Text for people.
    pub body: String,
    /// The events as JSON.
    pub events: String,
    /// Names of what it tells, not to be told again for a while.
    pub told: Vec<String>,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It arrived.
    Sent,
    /// It is tried again after this time, and what else waits for this channel not before.
    Again(Duration, String),
    /// It could not be tried here; this try does not count.
    Waits(Duration, String),
    /// It is not tried any more.
    GivenUp(String),
}

pub(super) const MESSAGE: &str =
    "SELECT number, channel, subject, body, events, made, tries, state, error, id FROM alert_messages";

pub(super) fn message(row: &Row) -> Result<Message, StateError> {
    Ok(Message {
        number: row.integer(0)?,
        channel: row.integer(1)?,
        subject: row.text(2)?.to_owned(),
        body: row.text(3)?.to_owned(),
        events: row.text(4)?.to_owned(),
        made: Timestamp::from_micros(row.integer(5)?),
        tries: u32::try_from(row.integer(6)?).unwrap_or(u32::MAX),
        state: row.text(7)?.to_owned(),
        error: row.text(8)?.to_owned(),
        id: row.text(9)?.to_owned(),
    })
}

/// A message about a channel's events waits from now on, or stands in its feed.
pub(crate) fn add_message(
    transaction: &mut Transaction<'_>,
    of: &Channel,
    new: &NewMessage,
    now: Timestamp,
) -> Result<(), StateError> {
    let time = now.as_micros();
    let sql = "UPDATE alert_channels SET made = $1 WHERE number = $2";
    transaction.execute(sql, &[time.into(), of.number.into()])?;
    let forget = now.minus(Duration::from_secs(u64::from(of.said.again_hours) * 3_600)).as_micros();
    let old = "DELETE FROM alert_told WHERE channel = $1 AND told <= $2";
    transaction.execute(old, &[of.number.into(), forget.into()])?;
    for what in new.told.iter().filter(|_| of.said.again_hours > 0) {
        let sql = "INSERT INTO alert_told (channel, what, told) VALUES ($1, $2, $3) \
                   ON CONFLICT (channel, what) DO UPDATE SET told = $3";
        transaction.execute(sql, &[of.number.into(), what.into(), time.into()])?;
    }
    let number = next_number(transaction)?;
    let server = transaction.one("SELECT server FROM alert_channels WHERE number = $1", &[of.number.into()])?;
    // Numbers count what everybody is told: members know theirs by something that says nothing.
    let id = if server.text(0)? == members::NO_SERVER { secret::random::<16>()? } else { String::new() };
    let state = if of.said.to == Way::Feed { "sent" } else { "waiting" };
    let sql = "INSERT INTO alert_messages (number, channel, subject, body, events, made, due, tries, state, error, id) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, '', $9)";
    let mut values: Vec<Value> = vec![number.into(), of.number.into(), (&new.subject).into(), (&new.body).into()];
    values.extend([(&new.events).into(), time.into(), time.into(), state.into(), (&id).into()]);
    transaction.execute(sql, &values)?;
    let tidy = "DELETE FROM alert_messages WHERE channel = $1 AND state <> 'waiting' AND number < \
                (SELECT MIN(number) FROM (SELECT number FROM alert_messages WHERE channel = $1 \
                ORDER BY number DESC LIMIT $2) AS kept)";
    transaction.execute(tidy, &[of.number.into(), KEPT_MESSAGES.into()]).map(drop)
}
