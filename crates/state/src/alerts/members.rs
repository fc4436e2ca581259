//! Saved queries and channels of organisations, as their members make them.
//!
//! ```text
//!   saved query ---+                                    confirmed contact | code from the mailbox
//!                  +-- place: how far this one is told -+
//!   channel -------+                                    v
//!        plan_for_members: new places and one message, in one step (one server wins) -> messages as of the operator's
//! ```
//!
//! - They stand in the state, not in a server's folder: what arrives is told by whichever server looks first.
//! - Mail goes to a contact of the organisation that is fresh, or to an address whose owner gave away the code that was
//!   sent there. A code goes to an address once a day, whoever asks.
//! - Every change is an event of the register, and so an entry of the ledger.
//! - Numbers are random: counted up, they would tell members how much others do.
//!
//! At a hundred times the data: rows by organisation, each bounded; who plans reads the channels that are due.

mod channels;
mod queries;

use hinomi_model::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

use super::message::add_message;
use super::{Channel, NewMessage, Way, channel};
use crate::contacts::{FRESH_DAYS, Language};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::words;
use crate::value::Value;

pub use channels::Shown;
pub(crate) use channels::{CODE_CHARS, CODE_MESSAGE, may_send_code};
pub use queries::{MAX_QUERY_BYTES, MemberWatch, NewMemberWatch};

/// The most saved queries and channels of one organisation.
pub const MAX_WATCHES_OF_ONE: i64 = 50;
/// The most channels of one organisation.
pub const MAX_CHANNELS_OF_ONE: i64 = 20;
/// Codes that one organisation has mailed in a day.
const MAX_CODES_A_DAY: i64 = 5;
/// Of which server channels of members are: none.
pub(crate) const NO_SERVER: &str = "";

/// A channel of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberChannel {
    /// Id of the organisation.
    pub organisation: String,
    /// What is said of it; its name is the organisation's, `after` counts nothing.
    #[serde(flatten)]
    pub channel: Channel,
    /// By what it is known that mail is wanted there.
    pub shown: Shown,
    /// The last month of which a report was made for it, as `2026-10`; empty before the first.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reported: String,
    /// What was known when it was made.
    #[serde(skip)]
    pub begins: u64,
}

impl MemberChannel {
    /// Whether messages may be made for it: its address, if it has one, is of somebody who wants that.
    pub fn is_open(&self) -> bool {
        !matches!((&self.channel.said.to, self.shown), (Way::Mail(_), Shown::Nothing))
    }
}

/// How far a channel is with a saved query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the saved query.
    pub watch: i64,
    /// Where it was, if it was anywhere.
    pub before: Option<String>,
    /// Where it is now.
    pub now: String,
}

/// Where channels of members are read from.
const CHANNEL: &str = "SELECT c.number, m.name, c.said, c.secret, c.created, c.created_by, c.after, c.made, \
                       m.organisation, m.shown, m.reported, m.begins \
                       FROM alert_channels c JOIN member_channels m ON m.number = c.number";

fn member_channel(row: &crate::value::Row) -> Result<MemberChannel, StateError> {
    Ok(MemberChannel {
        channel: channel(row)?,
        organisation: row.text(8)?.to_owned(),
        shown: Shown::parse(row.text(9)?),
        reported: row.text(10)?.to_owned(),
        begins: u64::try_from(row.integer(11)?).unwrap_or(0),
    })
}

impl Database {
    /// Where a channel is with each of its saved queries.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn member_places(&self, channel: i64) -> Result<Vec<(i64, String)>, StateError> {
        let sql = "SELECT watch, place FROM member_places WHERE channel = $1";
        let rows = self.transact(|transaction| transaction.query(sql, &[channel.into()]))?;
        rows.iter().map(|row| Ok((row.integer(0)?, row.text(1)?.to_owned()))).collect()
    }

    /// Moves a channel on, with a message about what lies between or without; false when another server did so already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn plan_for_members(
        &self,
        of: &Channel,
        places: &[Place],
        new: Option<&NewMessage>,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.transact(|transaction| {
            // Takes the row: who else plans for this channel waits, and then sees that it was moved.
            let take = "UPDATE alert_channels SET made = made WHERE number = $1";
            if transaction.execute(take, &[of.number.into()])? == 0 {
                return Ok(false);
            }
            for place in places {
                if found_place(transaction, of.number, place.watch)? != place.before {
                    return Ok(false);
                }
            }
            for place in places {
                move_to(transaction, of.number, place)?;
            }
            if let Some(new) = new {
                add_message(transaction, of, new, now)?;
            }
            Ok(true)
        })
    }

    /// Notes that the report of a month is on its way; false when another server did so already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn plan_report(
        &self,
        of: &MemberChannel,
        month: &str,
        new: &NewMessage,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let sql = "UPDATE member_channels SET reported = $1 WHERE number = $2 AND reported = $3";
            let values = [month.into(), of.channel.number.into(), (&of.reported).into()];
            if transaction.execute(sql, &values)? == 0 {
                return Ok(false);
            }
            add_message(transaction, &of.channel, new, now)?;
            Ok(true)
        })
    }
}

fn found_place(transaction: &mut Transaction<'_>, channel: i64, watch: i64) -> Result<Option<String>, StateError> {
    let sql = "SELECT place FROM member_places WHERE channel = $1 AND watch = $2";
    let rows = transaction.query(sql, &[channel.into(), watch.into()])?;
    rows.first().map(|row| row.text(0).map(ToOwned::to_owned)).transpose()
}

fn move_to(transaction: &mut Transaction<'_>, channel: i64, place: &Place) -> Result<(), StateError> {
    // A query that was removed meanwhile has no place any more.
    let there = "SELECT number FROM member_watches WHERE number = $1";
    if transaction.query(there, &[place.watch.into()])?.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO member_places (channel, watch, place) VALUES ($1, $2, $3) \
               ON CONFLICT (channel, watch) DO UPDATE SET place = $3";
    let values: [Value; 3] = [channel.into(), place.watch.into(), (&place.now).into()];
    transaction.execute(sql, &values).map(drop)
}

/// A number of a saved query or channel: members see it, so it counts nothing. Programs of all kinds take it for a whole
/// number (2 to the power of 53, RFC 7493).
pub(crate) fn new_number() -> Result<i64, StateError> {
    let mut bytes = [0; 8];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| StateError::refused("the system has no randomness for a number; try again"))?;
    // Above what older versions counted up to.
    Ok((i64::from_be_bytes(bytes) & ((1 << 52) - 1)) | (1 << 52))
}

/// A language as it is stored.
pub(crate) fn language_of(text: &str) -> Result<Language, StateError> {
    let found = [Language::Ja, Language::En].into_iter().find(|language| language.name() == text);
    found.ok_or_else(|| StateError::damaged(format!("{text:?} is no language")))
}

/// A name within an organisation, as ids are written.
fn own_name(name: &str) -> Result<(), StateError> {
    words::id(name)
}

/// A number of the state as it is stored.
fn stored(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
