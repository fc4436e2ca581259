//! `hinomi alert`: who is told of what saved queries fired, and how.

mod members;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::{Viewer, WatchDesk};
use hinomi_state::alerts::{Channel, Message, NewChannel, Quiet, Way};
use hinomi_state::contacts::Language;
use hinomi_state::organisations::Deed;
use hinomi_state::{Database, Settings};
use serde_json::json;

use super::Common;
use crate::alerts::{FILE, Postman};
use crate::output::{self, clean_line};
use crate::servers;
use crate::witness;

/// Messages that are sent in one go.
const MOST: u32 = 10_000;
/// Messages that are listed.
const MESSAGES: u32 = 200;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Tell somebody from now on: by mail, a webhook, Slack, or a feed to fetch.
    ///
    /// hinomi alert add noc --mail noc@example.jp --watch telnet --every 60 --quiet 22:00-07:00
    /// hinomi alert add hook --webhook <https://example.jp/hook> --again 0
    /// hinomi alert add noc --organisation city-a --mail noc@city-a.example
    /// hinomi alert add report --organisation city-a --mail ciso@city-a.example --monthly
    #[command(verbatim_doc_comment)]
    Add(Add),
    /// The channels, and how far each is.
    List {
        /// Those of this organisation.
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
    },
    /// The last messages of a channel: sent, waiting, given up and why.
    Messages {
        /// Its name.
        name: String,
        /// Of this organisation.
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
    },
    /// Open a channel of an organisation with the code that was mailed to its address.
    Confirm {
        /// Its name.
        name: String,
        /// The code.
        code: String,
        /// Of this organisation.
        #[arg(long, value_name = "ID")]
        organisation: String,
    },
    /// Remove a channel with its messages.
    Remove {
        /// Its name.
        name: String,
        /// Of this organisation.
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
    },
    /// Make and send what is due now, once; `hinomi serve` does so all the time.
    Send,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What to call it: a-z, 0-9 and '-'.
    name: String,
    #[command(flatten)]
    to: To,
    /// Of this organisation: it is told of what it may see, by its own saved queries.
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
    /// The report of each month that has ended, by mail, and no changes.
    #[arg(long, requires = "organisation", requires = "mail", conflicts_with = "watch")]
    monthly: bool,
    /// Only what the saved query of this name fired; may be repeated [default: all].
    #[arg(long, value_name = "NAME")]
    watch: Vec<String>,
    /// A message at most every so many minutes; 0 at once.
    #[arg(long, default_value_t = 0, value_name = "MINUTES")]
    every: u32,
    /// The same change of the same service is not told again for so many hours.
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    again: u32,
    /// Nothing is sent then: `22:00-07:00`.
    #[arg(long, value_name = "HH:MM-HH:MM")]
    quiet: Option<String>,
    /// Local time less UTC, for quiet hours.
    #[arg(long, default_value = "+09:00", value_name = "+HH:MM", allow_hyphen_values = true)]
    offset: String,
    /// In which language.
    #[arg(long, value_enum, default_value_t = Spoken::Ja)]
    language: Spoken,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// To this mail address.
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<String>,
    /// A signed POST of JSON to this address.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// A POST as Slack and its like take it.
    #[arg(long, value_name = "URL")]
    slack: Option<String>,
    /// Kept here, to be read by `hinomi alert messages`.
    #[arg(long)]
    feed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spoken {
    Ja,
    En,
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let state = common.state()?;
    let folder = state.make()?;
    let database = Database::open(&Settings::of_state(folder)?.target)?;
    let (desk, server) = (WatchDesk::of_state(folder, Viewer::Operator), servers::instance(folder)?);
    if let Some(done) = members::run(common, (&state, &database), verb) {
        return done;
    }
    match verb {
        Verb::Add(add) => channel_made(common, (&desk, &server), &database, add),
        Verb::List { .. } => list(common, &database),
        Verb::Confirm { .. } => Ok(()),
        Verb::Messages { name, .. } => messages(common, &database, name),
        Verb::Remove { name, .. } => {
            if !database.remove_channel(name)? {
                bail!("there is no channel {name:?}; hinomi alert list tells the names");
            }
            told(common, &json!({ "name": name, "removed": true }), &format!("{name} is removed"))
        }
        Verb::Send => {
            let postman = Postman::new(&crate::alerts::Settings::read(folder)?)?;
            let mut made = hinomi_share::alert::plan(&desk, &server, &database, SystemClock.now())?;
            made += members::plan(&state, &database)?;
            let sent = hinomi_share::alert::deliver(
                &database,
                &server,
                &postman,
                (&|| SystemClock.now(), &|tried| tried < MOST),
            )?;
            told(common, &json!({ "made": made, "sent": sent }), &format!("{made} made, {sent} sent"))
        }
    }
}

fn channel_made(common: &Common, (desk, server): (&WatchDesk, &str), database: &Database, add: &Add) -> Result<()> {
    let saved = desk.queries()?;
    let number = |name: &String| {
        let found = saved.iter().find(|one| one.name == *name).map(|one| one.id);
        found.with_context(|| format!("there is no saved query named {name:?}; hinomi watch list tells the names"))
    };
    let new = add.said(add.watch.iter().map(number).collect::<Result<_>>()?)?;
    let by = witness::user();
    let deed = Deed { by: &by, now: SystemClock.now() };
    let made = database.add_channel(deed, (&add.name, server), &new, desk.newest()?)?;
    if matches!(made.said.to, Way::Webhook(_)) && !common.json {
        output::talk("the secret that signs its messages is shown this once:");
    }
    let secret = matches!(made.said.to, Way::Webhook(_)).then_some(&made.secret);
    let line = secret.map_or_else(|| one_line(&made), |secret| format!("{}\n{secret}", one_line(&made)));
    let hint = matches!(made.said.to, Way::Mail(_)).then_some(FILE);
    told(common, &json!({ "channel": made, "secret": secret, "relay": hint }), &line)
}

impl Add {
    /// What is said of the channel, with these saved queries.
    fn said(&self, watches: BTreeSet<u64>) -> Result<NewChannel> {
        let to = match &self.to {
            To { mail: Some(address), .. } => Way::Mail(address.clone()),
            To { webhook: Some(address), .. } => Way::Webhook(address.clone()),
            To { slack: Some(address), .. } => Way::Slack(address.clone()),
            _ => Way::Feed,
        };
        Ok(NewChannel {
            to,
            language: if self.language == Spoken::En { Language::En } else { Language::Ja },
            watches,
            every_minutes: self.every,
            again_hours: self.again,
            quiet: self.quiet.as_deref().map(|text| quiet(text, &self.offset)).transpose()?,
            monthly: self.monthly,
        })
    }
}

fn quiet(text: &str, offset: &str) -> Result<Quiet> {
    let wrong = || format!("{text:?} are no quiet hours; write them as 22:00-07:00");
    let (from, until) = text.split_once('-').with_context(wrong)?;
    let (from, until) = (minutes(from).with_context(wrong)?, minutes(until).with_context(wrong)?);
    let (ahead, clock) = match offset.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, offset.strip_prefix('+').unwrap_or(offset)),
    };
    let away = minutes(clock).with_context(|| format!("{offset:?} is no offset from UTC; write it as +09:00"))?;
    Ok(Quiet { from, until, offset_minutes: ahead * i16::try_from(away).unwrap_or(i16::MAX) })
}

/// Minutes of `HH:MM`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn list(common: &Common, database: &Database) -> Result<()> {
    let channels = database.channels(None)?;
    if common.json {
        return output::json(&channels);
    }
    channels.iter().try_for_each(|one| output::line(&one_line(one)))
}

fn one_line(channel: &Channel) -> String {
    clean_line(&format!("{:<20}  {}  events up to {}", channel.name, where_to(channel), channel.after), 400)
}

fn where_to(channel: &Channel) -> String {
    match &channel.said.to {
        Way::Mail(to) => format!("mail {to}"),
        Way::Webhook(to) => format!("webhook {to}"),
        Way::Slack(to) => format!("slack {to}"),
        Way::Feed => "feed".to_owned(),
    }
}

fn messages(common: &Common, database: &Database, name: &str) -> Result<()> {
    let channels = database.channels(None)?;
    let channel = channels.iter().find(|one| one.name == name);
    let channel =
        channel.with_context(|| format!("there is no channel {name:?}; hinomi alert list tells the names"))?;
    show_messages(common, &database.messages(channel.number, MESSAGES)?)
}

fn show_messages(common: &Common, messages: &[Message]) -> Result<()> {
    if common.json {
        return output::json(&messages);
    }
    let line = |one: &Message| {
        let why = if one.error.is_empty() { String::new() } else { format!("  {}", one.error) };
        clean_line(&format!("{}  {}  {}{why}", one.made, one.state, one.subject), 400)
    };
    messages.iter().try_for_each(|one| output::line(&line(one)))
}

fn told(common: &Common, json: &serde_json::Value, line: &str) -> Result<()> {
    match common.json {
        true => output::json(json),
        false => line.lines().try_for_each(output::line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_are_read() {
        let read = |text, offset| quiet(text, offset).ok().map(|one| (one.from, one.until, one.offset_minutes));
        assert_eq!(read("22:00-07:30", "+09:00"), Some((1_320, 450, 540)));
        assert_eq!(read("22:00-07:30", "-03:30"), Some((1_320, 450, -210)));
        for wrong in ["22-7", "24:00-07:00", "22:60-07:00", "", "22:00"] {
            assert_eq!(read(wrong, "+09:00"), None, "{wrong}");
        }
    }
}
