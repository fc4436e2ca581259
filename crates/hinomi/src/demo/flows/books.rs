//! What the demonstration's telescope writes down.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use hinomi_flow::epoch::KeyEvent;
use hinomi_flow::finding::Held;
use hinomi_flow::ledger::{self, Event, Ledger, Words};
use hinomi_flow::live::{Recorder, Refuted, Scored};
use hinomi_lake::cnc::Journal;
use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::cnc::{Endpoint, ExportVerdict, Finding, Message};
use hinomi_model::{Clock, SystemClock, Timestamp};

use crate::state::State;

/// Where in the past or the present the job is.
enum Phase {
    /// First start, past: everything is news, at the time of the data.
    First,
    /// A later start, past: known already. The last word on each endpoint is kept until the present begins.
    Again(BTreeMap<Endpoint, Message>),
    /// The present.
    Now,
}

/// Journal, ledger and status of one state folder.
pub(super) struct Books {
    folder: PathBuf,
    journal: Journal,
    ledger: Ledger,
    phase: Phase,
}

impl Books {
    pub(super) fn open(state: &State) -> Result<Self> {
        let folder = state.make()?.join("flow");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let journal = Journal::of_state(state.dir());
        let phase = if journal.exists() { Phase::Again(BTreeMap::new()) } else { Phase::First };
        let ledger = Ledger::open(&folder.join(ledger::FILE_NAME), SystemClock.now())?;
        Ok(Self { folder, journal, ledger, phase })
    }

    /// Whether nothing was ever found here before.
    pub(super) const fn is_first(&self) -> bool {
        matches!(self.phase, Phase::First)
    }

    /// What an earlier start held.
    pub(super) fn held(&self) -> Result<Held> {
        Ok(Held::resume(self.told()?))
    }

    fn told(&self) -> Result<Vec<(Finding, ExportVerdict)>> {
        let exists = self.journal.exists();
        Ok(if exists { self.journal.read()?.resume(SystemClock.now()) } else { Vec::new() })
    }

    /// The past is over: of what it said once more, what differs from the journal is written.
    pub(super) fn arrive(&mut self, now: Timestamp) -> io::Result<()> {
        if let Phase::Again(last) = std::mem::replace(&mut self.phase, Phase::Now) {
            let told = self.told().map_err(io::Error::other)?;
            let passes = |endpoint: &Endpoint| {
                told.iter().find(|(finding, _)| finding.endpoint == *endpoint).map(|(_, verdict)| verdict.passes())
            };
            let is_news = |endpoint: &Endpoint, message: &Message| match message {
                Message::Found { export, .. } => passes(endpoint) != Some(export.passes()),
                _ => passes(endpoint).is_some(),
            };
            let news: Vec<Message> =
                last.into_iter().filter(|(at, message)| is_news(at, message)).map(|(_, message)| message).collect();
            self.write(&news, now)?;
        }
        Ok(())
    }

    fn write(&self, messages: &[Message], time: Timestamp) -> io::Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        self.journal.append(messages, time).map(drop).map_err(io::Error::other)
    }
}

/// Of which endpoint a message is.
fn endpoint(message: &Message) -> Option<Endpoint> {
    match message {
        Message::Found { finding, .. } => Some(finding.endpoint),
        Message::Retracted(retraction) => Some(retraction.endpoint),
        _ => None,
    }
}

impl Recorder for Books {
    fn keys(&mut self, _now: Timestamp, events: &[KeyEvent]) -> io::Result<()> {
        for event in events {
            self.ledger.append(SystemClock.now(), Event::from(*event)).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn deleted(&mut self, _now: Timestamp, what: &str, count: u64) -> io::Result<()> {
        let what = Words::new(what).map_err(io::Error::other)?;
        self.ledger.append(SystemClock.now(), Event::Deleted { what, count }).map(drop).map_err(io::Error::other)
    }

    fn scored(&mut self, scored: &Scored) -> io::Result<()> {
        match &mut self.phase {
            Phase::First => self.write(&scored.messages, scored.time),
            Phase::Now => self.write(&scored.messages, SystemClock.now()),
            Phase::Again(last) => {
                last.extend(scored.messages.iter().filter_map(|message| Some((endpoint(message)?, message.clone()))));
                Ok(())
            }
        }
    }

    fn refuted(&mut self, _now: Timestamp) -> io::Result<Refuted> {
        if !self.journal.exists() {
            return Ok(Box::new(|_| false));
        }
        let (book, at) = (self.journal.read().map_err(io::Error::other)?, SystemClock.now());
        Ok(Box::new(move |endpoint| book.is_refuted(endpoint, at)))
    }

    /// Whole and at once: who reads meanwhile reads the old one.
    fn status(&mut self, status: &CollectorStatus) -> io::Result<()> {
        let text = serde_json::to_vec(status).map_err(io::Error::other)?;
        // Two processes may write to one folder: each needs a file of its own until it is whole.
        let new = self.folder.join(format!("status.json.{}.new", std::process::id()));
        fs::write(&new, text)?;
        fs::rename(&new, self.folder.join("status.json"))
    }
}
