//! Saved queries that are told of every change they fit.
//!
//! ```text
//!   Index::apply -> Changed* -> Watching::heed -> Filed: queries by what they need -> Matcher -> Journal (on disk)
//!                                                   ^ queries.json, looked at for each step           -> events
//! ```
//!
//! - A change is a service whose state is another now: it opened, says something else, closed, or answers again. Seeing
//!   the same again is none; neither is an index built anew, or rules that were improved.
//! - A saved query fires once for each change whose new state it shows. A service that closed is asked about as it stood
//!   last; `has:closed` holds of it, whether the query says so or not. Ages count from the moment of the asking.
//! - The process that writes to the lake evaluates; every process may read events and change the queries, which the
//!   writer follows from its next step on.
//! - A file of saved queries that cannot be read stops no sightings: the queries that were read last are asked on, and
//!   it is told ([`WatchStatus::unread`]). Events that cannot be written down do stop them.
//! - Events are on disk before the index counts the sightings as applied. What is applied again after a kill fires
//!   nothing twice ([`journal`]).
//!
//! At a hundred times the data: a change costs what it says, not how many queries there are; queries without anything
//! to be filed under (`-product:nginx` alone) are asked for each change, and their number is told
//! ([`WatchStatus::always`]).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::{Clock, ContentHash, Timestamp};
use serde::Serialize;

mod filed;
mod journal;
mod need;
mod observed;
mod saved;
#[cfg(test)]
mod tests;

pub use journal::{Event, Events};
pub use saved::{MAX_NAME_CHARS, MAX_QUERIES, MAX_WITHIN, NewWatch, Saved};

use crate::error::LakeError;
use crate::index::changed::{Changed, Heed, What};
use crate::index::run::{processors, side_by_side};
use crate::query::eval::{Matcher, Subject};
use filed::{Contents, Filed};
use journal::Journal;
use observed::Observed;
use saved::Stamp;

/// Folder in the state folder.
pub const FOLDER: &str = "watch";

/// The most events of one answer.
pub const MAX_EVENTS: usize = 10_000;

/// So many changes are looked at by one thread at a time, ...
const TOGETHER: usize = 64;

/// ... and so many before it is asked whether queries stand where they should.
const BETWEEN: usize = 2_048;

/// How much is watched, and what it took since this process opened the lake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WatchStatus {
    /// Saved queries in use.
    pub queries: u64,
    /// Of these, asked for every change.
    pub always: u64,
    /// Changes looked at.
    pub changes: u64,
    /// Queries asked.
    pub asked: u64,
    /// Queries that fired.
    pub fired: u64,
    /// The file of saved queries cannot be read: those that were read last are in use, or none.
    pub unread: bool,
}

/// The saved queries and events of a state folder, for everybody who may read it.
#[derive(Clone, Debug)]
pub struct WatchBook {
    folder: PathBuf,
}

impl WatchBook {
    /// Of this state folder; nothing need be there.
    pub fn of_state(state: &Path) -> Self {
        Self { folder: state.join(FOLDER) }
    }

    /// Every saved query, by number.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn queries(&self) -> Result<Vec<Saved>, LakeError> {
        saved::read(&self.folder)
    }

    /// Saves a query; it fires from the writer's next step on.
    ///
    /// # Errors
    /// When the query cannot be understood, the name is taken, a bound is reached, or the file cannot be written.
    pub fn add(&self, new: &NewWatch, now: Timestamp) -> Result<Saved, LakeError> {
        saved::add(&self.folder, new, now)
    }

    /// Removes a saved query by its name; tells whether there was one. Its events stay.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<bool, LakeError> {
        saved::remove(&self.folder, name)
    }

    /// The first events after a number, of one saved query if it is named.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn events(&self, after: u64, limit: usize, of: Option<u64>) -> Result<Events, LakeError> {
        journal::read(&self.folder, after, limit.clamp(1, MAX_EVENTS), of)
    }

    /// The number of the newest event; 0 when there is none.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn newest(&self) -> Result<u64, LakeError> {
        journal::newest(&self.folder)
    }
}

/// Whether a query has something to be filed under; without, it is asked for every change.
///
/// # Errors
/// When it cannot be understood.
pub fn is_filed(query: &str) -> Result<bool, LakeError> {
    let matcher = Matcher::new(&crate::query::parse(query)?);
    Ok(filed::needed(&matcher, None, &|need| need.usual).is_some())
}

/// How many lines of each segment of the journal are damaged.
pub(crate) fn damaged_lines(state: &Path) -> Result<Vec<(String, u64)>, LakeError> {
    journal::damaged(&state.join(FOLDER))
}

impl crate::lake::Lake {
    /// Saved queries and their events. Needs no right to write: queries have their own lock.
    pub fn watch_book(&self) -> WatchBook {
        WatchBook::of_state(&self.dir)
    }

    /// How much is watched, and what it took since this lake was opened for writing.
    pub fn watch_status(&self) -> WatchStatus {
        self.watching.status()
    }
}

/// The writer's side.
pub(crate) struct Watching {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    quiet: AtomicBool,
    changes: AtomicU64,
    asked: AtomicU64,
    fired: AtomicU64,
}

#[derive(Default)]
struct State {
    stamp: Stamp,
    filed: Filed,
    observed: Observed,
    /// The file as it stands could not be read.
    unread: bool,
    /// Opened with the first query.
    journal: Option<Journal>,
}

impl Watching {
    /// Of this state folder.
    pub(crate) fn of_state(state: &Path, clock: Arc<dyn Clock>) -> Self {
        let (quiet, changes, asked, fired) = Default::default();
        Self { folder: state.join(FOLDER), clock, state: Mutex::default(), quiet, changes, asked, fired }
    }

    /// How much is watched.
    pub(crate) fn status(&self) -> WatchStatus {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        WatchStatus {
            queries: number(state.filed.len()),
            always: number(state.filed.always()),
            changes: self.changes.load(Ordering::Relaxed),
            asked: self.asked.load(Ordering::Relaxed),
            fired: self.fired.load(Ordering::Relaxed),
            unread: state.unread,
        }
    }
}

impl Watching {
    /// Who is to be told of changes; nobody when no query is saved, or when an index is built that knows nothing yet:
    /// what it tells first is no news.
    pub(crate) fn who_heeds(&self) -> Option<&dyn Heed> {
        let wanted = !self.quiet.load(Ordering::Relaxed) && saved::stamp(&self.folder).is_some();
        wanted.then_some(self)
    }

    /// Does something of which nobody is told.
    pub(crate) fn quietly<T>(&self, work: impl FnOnce() -> T) -> T {
        self.quiet.store(true, Ordering::Relaxed);
        let done = work();
        self.quiet.store(false, Ordering::Relaxed);
        done
    }
}

impl Watching {
    /// Takes out the events of sightings that are deleted; how many.
    pub(crate) fn take_out(&self, gone: &dyn Fn(&Event) -> bool) -> Result<u64, LakeError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Opened anew with the next change: its segments are others now.
        state.journal = None;
        journal::take_out(&self.folder, gone)
    }
}

impl Heed for Watching {
    fn heed(&self, changes: &[Changed]) -> Result<(), LakeError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.follow(&self.folder);
        if changes.is_empty() || state.filed.len() == 0 {
            return Ok(());
        }
        if state.journal.is_none() {
            state.journal = Some(Journal::open(&self.folder)?);
        }
        let now = self.clock.now();
        let (events, asked) = state.events(changes, now);
        let fired = events.iter().map(|event| event.watches.len() as u64).sum();
        self.changes.fetch_add(changes.len() as u64, Ordering::Relaxed);
        self.asked.fetch_add(asked, Ordering::Relaxed);
        self.fired.fetch_add(fired, Ordering::Relaxed);
        match state.journal.as_mut() {
            Some(journal) => journal.append(events),
            None => Ok(()),
        }
    }
}

impl State {
    /// Takes up queries that were saved or removed since. A file that cannot be read holds nothing up: the queries
    /// read last go on, and the next step looks again.
    fn follow(&mut self, folder: &Path) {
        let stamp = saved::stamp(folder);
        if stamp == self.stamp && !self.unread {
            return;
        }
        match saved::read(folder) {
            Ok(saved) => {
                self.unread = false;
                self.filed.follow(saved, &self.observed);
                for name in &self.filed.broken {
                    tracing::warn!(name, "this saved query cannot be understood by this version and fires nothing");
                }
            }
            Err(error) => {
                if !self.unread || stamp != self.stamp {
                    let queries = self.filed.len();
                    tracing::warn!(%error, queries, "saved queries cannot be read; those read last are asked on");
                }
                self.unread = true;
            }
        }
        self.stamp = stamp;
    }

    /// What these changes fire, and how many queries were asked.
    fn events(&mut self, changes: &[Changed], now: Timestamp) -> (Vec<Event>, u64) {
        let (mut events, mut asked) = (Vec::new(), 0);
        for changes in changes.chunks(BETWEEN) {
            let held = self.hold(changes, now);
            let looked = held.iter().map(|(_, looked)| looked).sum();
            asked += looked as u64;
            events.extend(changes.iter().zip(held).filter_map(|(change, (fired, _))| self.event(change, fired, now)));
            if self.observed.asked(looked, self.filed.len()) {
                self.filed.file(&self.observed);
            }
        }
        (events, asked)
    }

    /// Of each change the queries that hold, and how many were asked.
    fn hold(&mut self, changes: &[Changed], now: Timestamp) -> Vec<(Vec<u64>, usize)> {
        changes.iter().for_each(|change| self.observed.look(&subject_of(change)));
        let parts: Vec<&[Changed]> = changes.chunks(TOGETHER).collect();
        let part = |at: usize| parts.get(at).map(|changes| holding(&self.filed, changes, now)).unwrap_or_default();
        side_by_side(parts.len(), processors(), part).into_iter().flatten().collect()
    }

    /// The event of a change; none when nothing fires, or when the journal has it.
    fn event(&self, change: &Changed, watches: Vec<u64>, told: Timestamp) -> Option<Event> {
        if watches.is_empty() {
            return None;
        }
        let name = name_of(change);
        if self.journal.as_ref().is_some_and(|journal| journal.tells(&name)) {
            return None;
        }
        let (what, facts) = (what_name(change.what).to_owned(), facts_of(change));
        let (seen, service) = (change.update.time, change.update.key);
        Some(Event { number: 0, change: name, version: change.version, what, facts, seen, told, service, watches })
    }
}

/// Of each change the queries that hold, and how many were asked.
fn holding(filed: &Filed, changes: &[Changed], now: Timestamp) -> Vec<(Vec<u64>, usize)> {
    let mut contents = Contents::new();
    let one = |change: &Changed| {
        // Of what was found closed and of what answers as before, the facts are not those of the sighting.
        let own = matches!(change.what, What::Opened | What::Content);
        let content = own.then_some(&change.update.content);
        filed.holding(&subject_of(change), content, now, &mut contents)
    };
    changes.iter().map(one).collect()
}

/// The service as a change leaves it.
fn subject_of(change: &Changed) -> Subject<'_> {
    let update = &change.update;
    let closed = change.what == What::Closed;
    Subject {
        key: update.key,
        facts: &update.facts,
        text: &update.text,
        first_seen: update.time,
        last_seen: update.time,
        closed,
        pseudo: change.pseudo,
        around: update.around(),
        sensor: update.sensor.as_str(),
        marking: &update.marking,
        searched: std::cell::OnceCell::new(),
    }
}

/// Which facts are others now.
fn facts_of(change: &Changed) -> Vec<String> {
    let before = change.before.as_deref().filter(|_| matches!(change.what, What::Content | What::Reopened));
    let names = before.map(|before| crate::history::differences(before, &change.update.facts)).unwrap_or_default();
    names.into_iter().map(ToOwned::to_owned).collect()
}

/// Names a change by what decides it: who saw what, when, of which service.
fn name_of(change: &Changed) -> String {
    let Changed { update, what, .. } = change;
    let outcome = update.outcome.name();
    let said = format!(
        "{}\n{}\n{}\n{outcome}\n{}\n{}",
        update.key,
        what_name(*what),
        update.time.as_micros(),
        update.sensor,
        update.content
    );
    ContentHash::of(said.as_bytes()).to_string().chars().take(32).collect()
}

const fn what_name(what: What) -> &'static str {
    match what {
        What::Opened => "opened",
        What::Content => "changed",
        What::Closed => "closed",
        What::Reopened => "reopened",
    }
}
