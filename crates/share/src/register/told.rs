//! Changes of the register become entries of the ledger.
//!
//! The register's own history is rows of the same database that whoever runs it could rewrite; the ledger cannot be
//! rewritten unseen. Few changes are an entry each; many at once, as a document of thousands brings them, are one entry
//! with the SHA-256 of what they say, so that the history can be held against it. Told at least once: a process that ends
//! between the two tells again.

use std::fmt::Write;

use hinomi_state::Database;
use hinomi_state::organisations::{Event, EventsOf, MAX_EVENTS};

use crate::ledger::{Actor, Event as Entry, LedgerError, Log, sha256_hex};

/// So many changes are an entry each; more than these are one.
const EACH: usize = 100;
/// The most that is told of one change, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// What was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Changes.
    pub events: usize,
    /// Entries that they became.
    pub entries: usize,
}

/// Tells the ledger of every change that it was not told of.
///
/// # Errors
/// When the state or the ledger cannot be read or written; what was told until then stays told.
pub fn tell_ledger(database: &Database, log: &Log) -> Result<Told, LedgerError> {
    let mut told = Told::default();
    loop {
        let after = database.register_told()?;
        let events = database.register_events(&EventsOf { after, limit: MAX_EVENTS, ..EventsOf::default() })?;
        let Some(last) = events.last() else { return Ok(told) };
        let entries = if events.len() > EACH { vec![together(&events)] } else { events.iter().map(alone).collect() };
        told.events += events.len();
        told.entries += entries.len();
        for entry in entries {
            log.append(entry)?;
        }
        database.set_register_told(last.number)?;
    }
}

fn by(event: &Event) -> Actor {
    Actor { name: event.by.clone(), ..Actor::default() }
}

fn alone(event: &Event) -> Entry {
    let subject = if event.claim.is_some() { subject_of(&event.detail) } else { "organisation".to_owned() };
    let reason: String = event.detail.chars().take(MAX_REASON_CHARS).collect();
    Entry::Ownership {
        by: by(event),
        organisation: event.organisation.clone().unwrap_or_default(),
        subject,
        change: event.action.clone(),
        reason: Some(format!("{}: {reason}", event.number)),
    }
}

/// What is claimed, which stands first in what is said of most steps of a claim.
fn subject_of(detail: &str) -> String {
    let first = detail.split(' ').next().unwrap_or_default().trim_end_matches([',', ':', ';']);
    match first.parse::<hinomi_state::claims::Subject>() {
        Ok(subject) => subject.to_string(),
        Err(_) => "claim".to_owned(),
    }
}

fn together(events: &[Event]) -> Entry {
    let mut text = String::new();
    for event in events {
        let Event { number, time, by, organisation, claim, action, detail } = event;
        let organisation = organisation.as_deref().unwrap_or_default();
        let claim = claim.map_or_else(String::new, |claim| claim.to_string());
        // Writing into a text does not fail.
        let _ = writeln!(text, "{number}\t{time}\t{by}\t{organisation}\t{claim}\t{action}\t{detail}");
    }
    let number = |event: Option<&Event>| event.map_or(0, |event| event.number);
    let reason = format!(
        "changes {} to {}; SHA-256 of their lines: {}",
        number(events.first()),
        number(events.last()),
        sha256_hex(text.as_bytes())
    );
    Entry::Ownership {
        by: events.last().map(by).unwrap_or_default(),
        organisation: String::new(),
        subject: "organisation".to_owned(),
        change: format!("{} changes", events.len()),
        reason: Some(reason),
    }
}
