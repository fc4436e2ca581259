//! Alerts of members: what arrives is told to an organisation as its own reader sees it.
//!
//! ```text
//!   place of a channel with a saved query -> Door::reader(organisation, purpose) -> arrived -> one message, new places
//! ```
//!
//! - Nothing is decided here: the events are those that the stream of arrivals gives a reader of the organisation at this
//!   moment. So what is not seen is not told, not counted, and leaves no gap; what changed is said as this reader saw it.
//! - A page of arrivals that has something in it is a look, and in the ledger under the channel's name.
//! - Channels that are as far as the table itself cost nothing; the others a pass over what was committed since, within the
//!   addresses of the organisation.
//!
//! At a hundred times the data: what a round costs follows the channels that are behind, times their saved queries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hinomi_lake::past::arrivals::ArrivedRequest;
use hinomi_lake::past::changes::ChangeEvent;
use hinomi_lake::search::MAX_LIMIT;
use hinomi_model::{Purpose, ServiceKey, Timestamp};
use hinomi_state::Database;
use hinomi_state::alerts::NewMessage;
use hinomi_state::alerts::members::{MemberChannel, MemberWatch, NewMemberWatch, Place};
use hinomi_state::contacts::Language;
use serde::Serialize;

use super::words::{self, Line};
use super::{AlertError, MAX_LOOKED_AT, MAX_TOLD, is_due};
use crate::door::Door;
use crate::policy::{Member, ReadError, Viewer};

/// A change as programs are told of it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    event: &'a ChangeEvent,
    /// Names of the saved queries.
    queries: &'a [String],
}

/// Where a change stands among those of one message.
type Order = (Timestamp, ServiceKey, &'static str);

/// What one channel is to be told.
#[derive(Default)]
struct News {
    events: BTreeMap<Order, (ChangeEvent, Vec<String>)>,
    places: Vec<Place>,
    /// Commits that nobody can tell of any more lie between.
    gap: bool,
}

/// A query of a member, in its canonical form and ready to be kept.
///
/// # Errors
/// When the query is not understood.
pub fn new_watch(name: &str, query: &str, purpose: Purpose, begins: u64) -> Result<NewMemberWatch, ReadError> {
    let parsed = hinomi_lake::query::parse(query).map_err(ReadError::Query)?;
    Ok(NewMemberWatch { name: name.trim().to_owned(), query: parsed.to_string(), purpose, begins })
}

/// The message that asks whether mail is wanted.
pub fn code_message(language: Language, organisation: &str, code: &str) -> NewMessage {
    let (subject, body) = words::code(language, organisation, code);
    NewMessage { subject, body, events: String::new(), told: Vec::new() }
}

/// As whom the lake is read for a channel.
pub fn viewer_of(channel: &MemberChannel, purpose: Purpose) -> Viewer {
    let organisation = &channel.organisation;
    let name = format!("alerts {organisation}/{}", channel.channel.name);
    Viewer::Member(Member { name, organisations: BTreeSet::from([organisation.clone()]), purpose })
}

/// Makes messages of all channels of members that are due; tells how many. What cannot be read for one holds up no other.
///
/// # Errors
/// When the state cannot be read or written, or the lake could not be read for one of them.
pub fn plan(door: &Door, database: &Database, now: Timestamp) -> Result<u64, AlertError> {
    let channels = database.member_channels(None)?;
    let due = |one: &MemberChannel| !one.channel.said.monthly && one.is_open() && is_due(&one.channel, now);
    let due: Vec<MemberChannel> = channels.into_iter().filter(due).collect();
    if due.is_empty() {
        return Ok(0);
    }
    let (newest, _) = door.reader(&Viewer::Operator)?.arrivals_begin()?;
    let watches = database.member_watches(None)?;
    let (mut made, mut failed) = (0, None);
    for channel in &due {
        let own = watches.iter().filter(|one| one.organisation == channel.organisation);
        let own: Vec<&MemberWatch> = own.filter(|one| is_named(channel, one)).collect();
        match plan_one(door, database, (channel, &own), (newest, now)) {
            Ok(is_made) => made += u64::from(is_made),
            Err(AlertError::Read(error)) => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    failed.map_or(Ok(made), |error| Err(error.into()))
}

fn is_named(channel: &MemberChannel, watch: &MemberWatch) -> bool {
    let named = &channel.channel.said.watches;
    named.is_empty() || u64::try_from(watch.number).is_ok_and(|number| named.contains(&number))
}

fn plan_one(
    door: &Door,
    database: &Database,
    (channel, watches): (&MemberChannel, &[&MemberWatch]),
    (newest, now): (u64, Timestamp),
) -> Result<bool, AlertError> {
    let places: BTreeMap<i64, String> = database.member_places(channel.channel.number)?.into_iter().collect();
    let mut news = News::default();
    for watch in watches {
        let before = places.get(&watch.number).cloned();
        let begin = || watch.begins.max(channel.begins).min(newest).to_string();
        let from = before.clone().unwrap_or_else(begin);
        if from == newest.to_string() {
            continue;
        }
        let to = follow(door, (channel, watch), from, newest, &mut news)?;
        news.places.push(Place { watch: watch.number, before, now: to });
    }
    if news.places.is_empty() {
        return Ok(false);
    }
    // Asked last: a contact that is none any more is told nothing, and what was to be told is passed over.
    let new = match database.is_still_shown(channel, now)? {
        true => compose(database, channel, &news, now)?,
        false => None,
    };
    let planned = database.plan_for_members(&channel.channel, &news.places, new.as_ref(), now)?;
    Ok(planned && new.is_some())
}

/// Takes what arrived for one saved query; where it ends.
fn follow(
    door: &Door,
    (channel, watch): (&MemberChannel, &MemberWatch),
    from: String,
    newest: u64,
    news: &mut News,
) -> Result<String, AlertError> {
    let reader = door.reader(&viewer_of(channel, watch.purpose))?;
    let mut after = from;
    while news.events.len() < MAX_LOOKED_AT {
        let (query, limit) = (watch.query.clone(), MAX_LIMIT);
        let page = match reader.arrived(&ArrivedRequest { query, after: after.clone(), limit, within: None }) {
            Ok(page) => page,
            // Merged away, or the table is another one, or the query is of a version that knew more: from now on again.
            Err(ReadError::Forgotten(_) | ReadError::Cursor | ReadError::Query(_)) => {
                news.gap = true;
                return Ok(newest.to_string());
            }
            Err(error) => return Err(error.into()),
        };
        for one in page.events {
            let order = (one.event.time, one.event.service, one.event.what.name());
            news.events.entry(order).or_insert_with(|| (one.event, Vec::new())).1.push(watch.name.clone());
        }
        after = page.next;
        if !page.more {
            break;
        }
    }
    Ok(after)
}

fn compose(
    database: &Database,
    channel: &MemberChannel,
    news: &News,
    now: Timestamp,
) -> Result<Option<NewMessage>, AlertError> {
    let said = &channel.channel.said;
    let again = now.minus(Duration::from_secs(u64::from(said.again_hours) * 3_600));
    let mut seen = match said.again_hours {
        0 => BTreeSet::new(),
        _ => database.told_since(channel.channel.number, again)?,
    };
    let events = news.events.values();
    let fresh = events.filter(|(event, _)| said.again_hours == 0 || seen.insert(name_of(event)));
    let fresh: Vec<&(ChangeEvent, Vec<String>)> = fresh.collect();
    if fresh.is_empty() {
        return Ok(None);
    }
    let told = fresh.get(..MAX_TOLD).unwrap_or(&fresh);
    let lines: Vec<Line<'_>> = told
        .iter()
        .map(|(event, queries)| Line {
            seen: event.time,
            what: event.what.name(),
            service: event.service,
            facts: &event.changes,
            now: event.after.as_deref(),
            queries: queries.iter().take(words::MAX_NAMES).cloned().collect(),
        })
        .collect();
    let gap = news.gap.then(|| words::gap(said.language));
    let stop = words::stop_member(said.language, (&channel.organisation, &channel.channel.name));
    let json: Vec<Told<'_>> = told.iter().map(|(event, queries)| Told { event, queries }).collect();
    Ok(Some(NewMessage {
        subject: words::subject(said.language, fresh.len(), lines.first()),
        body: words::body(said.language, (&lines, fresh.len() - told.len()), [gap, Some(stop)]),
        events: serde_json::to_string(&json).unwrap_or_else(|_| "[]".to_owned()),
        told: fresh.iter().map(|(event, _)| name_of(event)).collect(),
    }))
}

/// What may not be told again for a while.
fn name_of(event: &ChangeEvent) -> String {
    format!("{} {}", event.what.name(), event.service)
}

/// A saved query for each prefix and AS number that is held now and that none is about yet: `watch this range`.
///
/// # Errors
/// When a subject makes no query, which none does.
pub fn watches_of_claims(
    claims: &[hinomi_state::claims::Claim],
    there: &[MemberWatch],
    begins: u64,
    now: Timestamp,
) -> Result<Vec<NewMemberWatch>, ReadError> {
    let mut new: Vec<NewMemberWatch> = Vec::new();
    for claim in claims.iter().filter(|claim| claim.holds_at(now)) {
        let Some((name, query)) = range_query(&claim.subject) else { continue };
        let made = new_watch(&name, &query, Purpose::ExposureReduction, begins)?;
        let known = there.iter().any(|one| one.query == made.query) || new.iter().any(|one| one.query == made.query);
        if !known {
            new.push(made);
        }
    }
    Ok(new)
}

/// Name and query of the saved query that watches what is claimed; none for a domain, which no service has.
pub fn range_query(subject: &hinomi_state::claims::Subject) -> Option<(String, String)> {
    use hinomi_state::claims::Subject;

    match subject {
        Subject::Prefix(prefix) => Some((prefix.to_string(), format!("net:{prefix}"))),
        Subject::As(number) => Some((format!("AS{number}"), format!("as:{number}"))),
        Subject::Domain(_) => None,
    }
}
