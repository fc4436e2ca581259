//! Who wants to be told of what saved queries fired, and what is on its way to them.
//!
//! ```text
//!   channel: where, in which language, which queries, how often, when not
//!   plan_message: events up to a number are dealt with, and a message about them waits    (one step; one server wins)
//!   take_message -> send -> settle_message: sent | again later | given up                (at least once)
//! ```
//!
//! Events themselves are in the journal of saved queries: a channel only remembers how far it is, so that nothing is
//! missed while the program is down. At a hundred times the data: rows by channel and by message; old messages are
//! removed ([`KEPT_MESSAGES`]).

pub mod members;
pub(crate) mod message;
mod quiet;

use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_model::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

pub use message::{Message, NewMessage, Tried};
pub use quiet::Quiet;

use crate::contacts::Language;
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::{Deed, words};
use crate::value::{Row, Value};
use message::{MESSAGE, add_message, message};

/// The most channels.
const MAX_CHANNELS: i64 = 10_000;
/// The most saved queries that one channel names.
const MAX_WATCHES: usize = 1_000;
/// Longest target, in bytes.
const MAX_TARGET_BYTES: usize = 2_048;
/// Longest digest: a week.
const MAX_EVERY_MINUTES: u32 = 7 * 24 * 60;
/// Longest silence about the same: 90 days.
const MAX_AGAIN_HOURS: u32 = 90 * 24;
/// Messages of one channel that are kept.
pub const KEPT_MESSAGES: i64 = 200;
/// Longest reason that is kept, in characters.
const MAX_ERROR_CHARS: usize = 500;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", content = "target", rename_all = "lowercase")]
pub enum Way {
    /// By mail.
    Mail(String),
    /// A signed `POST` of JSON.
    Webhook(String),
    /// A `POST` that Slack and those who do as it does understand.
    Slack(String),
    /// Kept here, to be fetched as a feed.
    Feed,
}

/// What is said of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// Where to.
    pub to: Way,
    /// In which language.
    pub language: Language,
    /// Numbers of saved queries; none is all.
    pub watches: BTreeSet<u64>,
    /// A message at most this often; 0 at once.
    pub every_minutes: u32,
    /// The same change of the same service is not told again for so long.
    pub again_hours: u32,
    /// When nothing is sent.
    pub quiet: Option<Quiet>,
    /// The report of each month that has ended, and no changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub monthly: bool,
}

impl NewChannel {
    fn check(&self) -> Result<(), StateError> {
        match &self.to {
            Way::Mail(address) => words::mail(address)?,
            Way::Webhook(target) | Way::Slack(target) => {
                let plain = target.bytes().all(|byte| byte.is_ascii_graphic());
                let web = target.starts_with("https://") || target.starts_with("http://");
                if !plain || !web || target.len() > MAX_TARGET_BYTES {
                    return Err(StateError::refused("a webhook is an http or https address without blanks"));
                }
            }
            Way::Feed => {}
        }
        if !self.quiet.is_none_or(Quiet::is_fit) {
            return Err(StateError::refused("quiet hours are two different times of a day, and an offset from UTC"));
        }
        if self.every_minutes > MAX_EVERY_MINUTES || self.again_hours > MAX_AGAIN_HOURS {
            return Err(StateError::refused("a digest is at most of a week, a silence at most of 90 days"));
        }
        if self.watches.len() > MAX_WATCHES {
            return Err(StateError::refused(format!("{MAX_WATCHES} saved queries are the most of one channel")));
        }
        Ok(())
    }
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Its number.
    pub number: i64,
    /// What people call it.
    pub name: String,
    /// What is said of it.
    #[serde(flatten)]
    pub said: NewChannel,
    /// With which webhooks are signed, and feeds are asked for. For who made the channel alone.
    #[serde(skip)]
    pub secret: String,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// The last event that was looked at for it.
    pub after: u64,
    /// When a message was last made.
    pub made: Timestamp,
}

pub(crate) const CHANNEL: &str =
    "SELECT number, name, said, secret, created, created_by, after, made FROM alert_channels";

pub(crate) fn channel(row: &Row) -> Result<Channel, StateError> {
    let said = serde_json::from_str(row.text(2)?);
    Ok(Channel {
        number: row.integer(0)?,
        name: row.text(1)?.to_owned(),
        said: said.map_err(|error| StateError::damaged(format!("a channel of alerts: {error}")))?,
        secret: row.text(3)?.to_owned(),
        created: Timestamp::from_micros(row.integer(4)?),
        created_by: row.text(5)?.to_owned(),
        after: u64::try_from(row.integer(6)?).unwrap_or(0),
        made: Timestamp::from_micros(row.integer(7)?),
    })
}

fn next_number(transaction: &mut Transaction<'_>) -> Result<i64, StateError> {
    transaction.execute("UPDATE alert_numbers SET last_number = last_number + 1", &[])?;
    transaction.one("SELECT last_number FROM alert_numbers", &[])?.integer(0)
}

fn new_secret() -> Result<String, StateError> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| StateError::refused("the system has no randomness for a secret; try again"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn count(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

impl Database {
    /// Makes a channel, for events of this server's saved queries. Only what happens after event `after` is told to it.
    ///
    /// # Errors
    /// When the name is taken, what is said does not do, there are too many, or the database cannot be written.
    pub fn add_channel(
        &self,
        deed: Deed<'_>,
        (name, server): (&str, &str),
        new: &NewChannel,
        after: u64,
    ) -> Result<Channel, StateError> {
        words::id(name)?;
        new.check()?;
        let (secret, now) = (new_secret()?, deed.now.as_micros());
        let said = serde_json::to_string(new).map_err(|error| StateError::refused(error.to_string()))?;
        self.transact(|transaction| {
            let one = format!("{CHANNEL} WHERE name = $1");
            if !transaction.query(&one, &[name.into()])?.is_empty() {
                return Err(StateError::refused(format!("a channel is called {name} already")));
            }
            if transaction.one("SELECT COUNT(*) FROM alert_channels WHERE server <> ''", &[])?.integer(0)? >= MAX_CHANNELS {
                return Err(StateError::refused(format!("{MAX_CHANNELS} channels are the most")));
            }
            let number = next_number(transaction)?;
            let sql = "INSERT INTO alert_channels (number, name, said, secret, created, created_by, after, made, server) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            let mut values: Vec<Value> = vec![number.into(), name.into(), (&said).into(), (&secret).into()];
            values.extend([now.into(), deed.by.into(), count(after), now.into(), server.into()]);
            transaction.execute(sql, &values)?;
            channel(&transaction.one(&one, &[name.into()])?)
        })
    }

    /// Every channel of the operator's, of a server or of all, by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn channels(&self, server: Option<&str>) -> Result<Vec<Channel>, StateError> {
        let sql = format!("{CHANNEL} WHERE (server = $1 OR $1 = '') AND server <> '' ORDER BY number");
        let values = [server.unwrap_or_default().into()];
        self.transact(|transaction| transaction.query(&sql, &values)?.iter().map(channel).collect())
    }

    /// Removes a channel with its messages; tells whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remove_channel(&self, name: &str) -> Result<bool, StateError> {
        self.transact(|transaction| {
            for table in ["alert_messages", "alert_told"] {
                let sql =
                    format!("DELETE FROM {table} WHERE channel IN (SELECT number FROM alert_channels WHERE name = $1)");
                transaction.execute(&sql, &[name.into()])?;
            }
            Ok(transaction.execute("DELETE FROM alert_channels WHERE name = $1", &[name.into()])? > 0)
        })
    }

    /// A channel by its number, the operator's or an organisation's; its name is then that and its own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn channel(&self, number: i64) -> Result<Option<Channel>, StateError> {
        let sql = format!("{CHANNEL} WHERE number = $1");
        self.transact(|transaction| transaction.query(&sql, &[number.into()])?.first().map(channel).transpose())
    }

    /// Which of these were told to a channel since a moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn told_since(&self, channel: i64, since: Timestamp) -> Result<BTreeSet<String>, StateError> {
        let sql = "SELECT what FROM alert_told WHERE channel = $1 AND told > $2";
        let rows = self.transact(|all| all.query(sql, &[channel.into(), since.as_micros().into()]))?;
        rows.iter().map(|row| row.text(0).map(ToOwned::to_owned)).collect()
    }

    /// Deals with a channel's events up to `until`, with a message about them or without; false when another server did.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn plan_message(
        &self,
        of: &Channel,
        until: u64,
        new: Option<&NewMessage>,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let sql = "UPDATE alert_channels SET after = $1 WHERE number = $2 AND after = $3";
            if transaction.execute(sql, &[count(until), of.number.into(), count(of.after)])? == 0 {
                return Ok(false);
            }
            if let Some(new) = new {
                add_message(transaction, of, new, now)?;
            }
            Ok(true)
        })
    }

    /// The message of this server, or of a member, that has waited longest, to be sent by the caller: for `hold` nobody else gets it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn take_message(&self, server: &str, now: Timestamp, hold: Duration) -> Result<Option<Message>, StateError> {
        let (time, back) = (now.as_micros(), now.plus(hold).as_micros());
        self.transact(|transaction| {
            let sql = format!(
                "{MESSAGE} WHERE state = 'waiting' AND due <= $1 AND channel IN \
                 (SELECT number FROM alert_channels WHERE server = $2 OR server = '') ORDER BY due, number LIMIT 1"
            );
            let Some(found) =
                transaction.query(&sql, &[time.into(), server.into()])?.first().map(message).transpose()?
            else {
                return Ok(None);
            };
            let sql = "UPDATE alert_messages SET due = $1, tries = tries + 1 WHERE number = $2";
            transaction.execute(sql, &[back.into(), found.number.into()])?;
            Ok(Some(Message { tries: found.tries.saturating_add(1), ..found }))
        })
    }

    /// Writes down what became of a try.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn settle_message(&self, number: i64, tried: &Tried, now: Timestamp) -> Result<(), StateError> {
        let (state, due, error) = match tried {
            Tried::Sent => ("sent", now, ""),
            Tried::Again(after, why) | Tried::Waits(after, why) => ("waiting", now.plus(*after), why.as_str()),
            Tried::GivenUp(why) => ("given-up", now, why.as_str()),
        };
        let error: String = error.chars().take(MAX_ERROR_CHARS).collect();
        let uncounted = i64::from(matches!(tried, Tried::Waits(..)));
        let sql = "UPDATE alert_messages SET state = $1, due = $2, error = $3, tries = tries - $5 WHERE number = $4";
        let due = Value::from(due.as_micros());
        let values = [state.into(), due.clone(), (&error).into(), number.into(), uncounted.into()];
        self.transact(|transaction| {
            transaction.execute(sql, &values)?;
            if state == "waiting" {
                // Who does not answer one message would not answer the next: others come first.
                let back = "UPDATE alert_messages SET due = $1 WHERE state = 'waiting' AND due < $1 AND channel = \
                            (SELECT channel FROM alert_messages WHERE number = $2)";
                transaction.execute(back, &[due.clone(), number.into()])?;
            }
            Ok(())
        })
    }

    /// The newest messages of a channel, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn messages(&self, channel: i64, limit: u32) -> Result<Vec<Message>, StateError> {
        let sql = format!("{MESSAGE} WHERE channel = $1 ORDER BY number DESC LIMIT $2");
        let values = [channel.into(), i64::from(limit).into()];
        self.transact(|transaction| transaction.query(&sql, &values)?.iter().map(message).collect())
    }
}
