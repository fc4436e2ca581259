//! From what saved queries fired to messages that somebody gets.
//!
//! ```text
//!   events of saved queries -> due? not told lately? -> one message in the channel's language -> waits in the state
//!                                                                                                  |
//!                     Post::send (mail, signed webhook, Slack)  <- take, with growing pauses ------+
//! ```
//!
//! - A channel is told of every event once: how far it is moves in one step with the message. During quiet hours and until
//!   a digest is due events stay in their journal, and are told afterwards.
//! - A message arrives at least once; programs tell repetitions by its name. After [`MAX_TRIES`] it is given up, and shown.
//! - Webhooks carry `Hinomi-Signature: t=SECONDS,v1=HEX`: HMAC-SHA256 with the channel's secret over `SECONDS.BODY`, so
//!   that what is old or forged is told.
//!
//! At a hundred times the data: a look at the journal for each channel that is behind; messages hold at most
//! [`MAX_TOLD`] events and say how many more there were.

pub mod members;
pub mod monthly;
mod words;

use std::time::Duration;

use data_encoding::BASE64;
use hinomi_lake::watch::{Event, Saved};
use hinomi_model::Timestamp;
use hinomi_state::alerts::{Channel, Message, NewMessage, Tried, Way};
use hinomi_state::{Database, StateError};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::policy::ReadError;
use crate::watch::WatchDesk;
use words::Line;

/// Events of one message.
pub const MAX_TOLD: usize = 200;
/// Events that are looked at together.
const MAX_LOOKED_AT: usize = 2_000;
/// How often a message is tried.
pub const MAX_TRIES: u32 = 8;
/// The pause after the first try; each further one is four times as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(8 * 3_600);
/// For how long who took a message has it alone.
const HOLD: Duration = Duration::from_secs(300);

/// The header of a webhook's signature.
pub const SIGNATURE_HEADER: &str = "Hinomi-Signature";

/// Why alerts could not be worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlertError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The saved queries or their events.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A report that was to be sent.
    #[error("the report cannot be written: {0}")]
    Report(String),
}

/// Brings a message to where it belongs.
pub trait Post {
    /// Brings it there.
    ///
    /// # Errors
    /// Why it did not arrive.
    fn send(&self, letter: &Letter<'_>) -> Result<(), Refused>;
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It may arrive another time.
    ForNow(String),
    /// Nothing here can bring it: that is no try.
    NotHere(String),
    /// It never will.
    ForGood(String),
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter<'a> {
    /// To a mail address.
    Mail {
        /// Whose.
        to: &'a str,
        /// One line.
        subject: &'a str,
        /// Plain text.
        body: &'a str,
        /// A file that goes with it.
        attached: Option<Attached>,
    },
    /// To a web address.
    Web {
        /// Where.
        to: &'a str,
        /// JSON.
        body: String,
        /// What [`SIGNATURE_HEADER`] says, where it is signed.
        signature: Option<String>,
    },
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Its name: letters, digits, dots and strokes.
    pub name: String,
    /// A PDF, in base64.
    pub base64: String,
}

impl Attached {
    /// A file.
    pub fn new(name: String, bytes: &[u8]) -> Self {
        Self { name, base64: BASE64.encode(bytes) }
    }

    /// Its bytes; none when it is damaged.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.base64.as_bytes()).ok()
    }
}

/// What a program gets from a webhook.
#[derive(Serialize)]
struct Hook<'a> {
    /// The same for every try.
    message: serde_json::Value,
    channel: &'a str,
    subject: &'a str,
    made: Timestamp,
    events: serde_json::Value,
}

/// Makes messages of all channels of this server that are due; tells how many. Events and saved queries are those of its
/// state folder.
///
/// # Errors
/// When the state, the saved queries or their events cannot be read or written.
pub fn plan(desk: &WatchDesk, server: &str, database: &Database, now: Timestamp) -> Result<u64, AlertError> {
    let channels = database.channels(Some(server))?;
    let newest = if channels.is_empty() { 0 } else { desk.newest()? };
    for ahead in channels.iter().filter(|one| one.after > newest) {
        // The journal was put back or deleted: what comes now is told.
        database.plan_message(ahead, newest, None, now)?;
    }
    let behind: Vec<_> = channels.into_iter().filter(|one| one.after < newest && is_due(one, now)).collect();
    if behind.is_empty() {
        return Ok(0);
    }
    let saved = desk.queries()?;
    let mut made = 0;
    for channel in &behind {
        made += u64::from(plan_one(desk, database, (channel, &saved), now)?);
    }
    Ok(made)
}

fn is_due(channel: &Channel, now: Timestamp) -> bool {
    let every = Duration::from_secs(u64::from(channel.said.every_minutes) * 60);
    let is_quiet = channel.said.quiet.is_some_and(|quiet| quiet.is_at(now));
    !is_quiet && channel.made.plus(every) <= now
}

fn plan_one(
    desk: &WatchDesk,
    database: &Database,
    of: (&Channel, &[Saved]),
    now: Timestamp,
) -> Result<bool, AlertError> {
    let (channel, saved) = of;
    let looked = desk.events(channel.after, MAX_LOOKED_AT, None)?;
    let wanted = |event: &&Event| {
        let named = &channel.said.watches;
        named.is_empty() || event.watches.iter().any(|watch| named.contains(watch))
    };
    let again = now.minus(Duration::from_secs(u64::from(channel.said.again_hours) * 3_600));
    let lately =
        if channel.said.again_hours > 0 { database.told_since(channel.number, again)? } else { Default::default() };
    let mut seen = lately;
    // Of one change of one service the last is told: the first names it, what follows within the silence does not.
    let events: Vec<&Event> = looked
        .events
        .iter()
        .filter(wanted)
        .filter(|event| channel.said.again_hours == 0 || seen.insert(name_of(event)))
        .collect();
    let new = (!events.is_empty()).then(|| compose(channel, saved, &events, looked.missed));
    let is_planned = database.plan_message(channel, looked.next, new.as_ref(), now)?;
    Ok(is_planned && new.is_some())
}

/// What may not be told again for a while.
fn name_of(event: &Event) -> String {
    format!("{} {}", event.what, event.service)
}

fn compose(channel: &Channel, saved: &[Saved], events: &[&Event], missed: u64) -> NewMessage {
    let told = events.get(..MAX_TOLD).unwrap_or(events);
    let more = events.len() - told.len();
    let name =
        |id: &u64| saved.iter().find(|one| one.id == *id).map_or_else(|| format!("#{id}"), |one| one.name.clone());
    let lines: Vec<Line> = told
        .iter()
        .map(|event| Line {
            seen: event.seen,
            what: &event.what,
            service: event.service,
            facts: &event.facts,
            now: None,
            queries: event.watches.iter().take(words::MAX_NAMES).map(name).collect(),
        })
        .collect();
    let language = channel.said.language;
    let ends = [words::missed(language, missed), Some(words::stop(language, &channel.name))];
    NewMessage {
        subject: words::subject(language, events.len(), lines.first()),
        body: words::body(language, (&lines, more), ends),
        events: serde_json::to_string(&told).unwrap_or_else(|_| "[]".to_owned()),
        told: events.iter().map(|event| name_of(event)).collect(),
    }
}

/// Sends what waits for this server's channels, as long as `going` says so; tells how many arrived.
///
/// # Errors
/// When the state cannot be read or written. That a message did not arrive is no error: it is tried again.
pub fn deliver(
    database: &Database,
    server: &str,
    post: &dyn Post,
    (now, going): (&dyn Fn() -> Timestamp, &dyn Fn(u32) -> bool),
) -> Result<u64, AlertError> {
    let (mut arrived, mut tried) = (0, 0);
    while going(tried) {
        let Some(message) = database.take_message(server, now(), HOLD)? else { break };
        // Asked anew: a channel may have been made or removed since the last one.
        let Some(channel) = database.channel(message.channel)? else { continue };
        let outcome = match post.send(&letter(&channel, &message, now())) {
            Ok(()) => Tried::Sent,
            Err(Refused::NotHere(why)) => Tried::Waits(FIRST_PAUSE, why),
            Err(Refused::ForNow(why)) if message.tries < MAX_TRIES => Tried::Again(pause(message.tries), why),
            Err(Refused::ForNow(why) | Refused::ForGood(why)) => Tried::GivenUp(why),
        };
        arrived += u64::from(outcome == Tried::Sent);
        database.settle_message(message.number, &outcome, now())?;
        tried += 1;
    }
    Ok(arrived)
}

/// The pause after so many tries.
fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST_PAUSE)
}

/// A message as it leaves.
fn letter<'a>(channel: &'a Channel, message: &'a Message, now: Timestamp) -> Letter<'a> {
    match &channel.said.to {
        Way::Mail(to) => {
            // Events are a list; what is none is a file, or nothing.
            let attached = serde_json::from_str(&message.events).ok();
            Letter::Mail { to, subject: &message.subject, body: &message.body, attached }
        }
        Way::Slack(to) => {
            let body = serde_json::json!({ "text": words::slack(&message.body) }).to_string();
            Letter::Web { to, body, signature: None }
        }
        Way::Webhook(to) => {
            let events = serde_json::from_str(&message.events).unwrap_or_default();
            let (named, made) = (named(message), message.made);
            let hook = Hook { message: named, channel: &channel.name, subject: &message.subject, made, events };
            let body = serde_json::to_string(&hook).unwrap_or_default();
            let signature = Some(signature(&channel.secret, now, &body));
            Letter::Web { to, body, signature }
        }
        // Nobody sends a feed; a channel cannot become one.
        Way::Feed => Letter::Web { to: "", body: String::new(), signature: None },
    }
}

/// By what programs know a message: members' by a random id, the operator's by its number.
fn named(message: &Message) -> serde_json::Value {
    if message.id.is_empty() { message.number.into() } else { message.id.as_str().into() }
}

/// What [`SIGNATURE_HEADER`] says of a body that leaves now.
pub fn signature(secret: &str, now: Timestamp, body: &str) -> String {
    let seconds = now.as_micros().div_euclid(1_000_000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests;
