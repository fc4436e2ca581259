//! What a collector writes down: findings in the journal, what was done in the ledger, sums in `status.json`.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use hinomi_flow::epoch::{KeyEvent, LegalBasis};
use hinomi_flow::finding::Held;
use hinomi_flow::ledger::{self, Event, Ledger, Words};
use hinomi_flow::live::{Recorder, Refuted, Scored};
use hinomi_lake::cnc::Journal;
use hinomi_model::Timestamp;
use hinomi_model::cnc::status::CollectorStatus;

use super::lists::{Infected, Lists};
use super::{now, told};
use crate::cli::Common;
use crate::output;

/// The infected lines' switch in the ledger.
const SWITCH: &str = "infected-set";
/// Folder of the flow module in the state folder.
const FOLDER: &str = "flow";

/// Journal, ledger, status, and what is told on stdout.
pub(crate) struct Books {
    folder: PathBuf,
    journal: Journal,
    ledger: Ledger,
    infected: Option<Infected>,
    json: bool,
    told: told::Progress,
}

impl Books {
    /// Opens what is there, and records what this run is allowed to do.
    pub(crate) fn open(common: &Common, options: &Lists) -> Result<Self> {
        let state = common.state()?;
        let folder = state.make()?.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let infected = options.infected()?;
        let mut books = Self {
            ledger: Ledger::open(&folder.join(ledger::FILE_NAME), now())?,
            journal: Journal::of_state(state.dir()),
            folder,
            infected,
            json: common.json,
            told: told::Progress::default(),
        };
        books.switched(true)?;
        if options.seed_lists() > 0 {
            let words = |text: &str| Words::new(text).context("words of the ledger");
            books.ledger.append(
                now(),
                Event::RuleChanged {
                    rule: words(&format!("{} lists of known endpoints", options.seed_lists()))?,
                    by: words("operator")?,
                    reason: words("named when the collector was started")?,
                },
            )?;
        }
        Ok(books)
    }

    /// What an earlier run held.
    pub(crate) fn held(&self) -> Result<Held> {
        if !self.journal.exists() {
            return Ok(Held::default());
        }
        Ok(Held::resume(self.journal.read()?.resume(now())))
    }

    /// Records that others may read this process's memory.
    pub(crate) fn searchable(&mut self) -> Result<()> {
        let words = |text: &str| Words::new(text).context("words of the ledger");
        let rule = words("other processes of this user may read the collector's memory")?;
        let (by, reason) = (words("operator")?, words("named when the collector was started")?);
        self.ledger.append(now(), Event::RuleChanged { rule, by, reason })?;
        Ok(())
    }

    /// Records that the run has ended.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.switched(false)
    }

    fn switched(&mut self, on: bool) -> Result<()> {
        let Some(infected) = &self.infected else { return Ok(()) };
        let switch = Words::new(SWITCH).context("words of the ledger")?;
        let (by, basis) = (infected.by.clone(), infected.words.clone());
        self.ledger.append(now(), Event::Switched { switch, on, by, basis })?;
        Ok(())
    }
}

impl Recorder for Books {
    fn keys(&mut self, _now: Timestamp, events: &[KeyEvent]) -> io::Result<()> {
        for event in events {
            self.ledger.append(now(), Event::from(*event)).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn deleted(&mut self, _now: Timestamp, what: &str, count: u64) -> io::Result<()> {
        let what = Words::new(what).map_err(io::Error::other)?;
        self.ledger.append(now(), Event::Deleted { what, count }).map_err(io::Error::other)?;
        Ok(())
    }

    fn scored(&mut self, scored: &Scored) -> io::Result<()> {
        if !scored.messages.is_empty() {
            self.journal.append(&scored.messages, now()).map_err(io::Error::other)?;
        }
        let told = scored.messages.iter().try_for_each(|message| told::message(self.json, message));
        // Nobody reads any more: the journal has it.
        if told.is_err() {
            output::talk("hinomi: nobody reads the findings on stdout any more; they go into the journal");
        }
        if let Some(reason) = &scored.no_model {
            output::talk(&format!("no model: {reason}"));
        }
        Ok(())
    }

    fn infected(&mut self) -> io::Result<Option<(Vec<IpAddr>, LegalBasis)>> {
        let Some(infected) = &self.infected else { return Ok(None) };
        let lines = infected.lines().map_err(|error| io::Error::other(format!("{error:#}")))?;
        Ok(Some((lines, infected.basis.clone())))
    }

    fn refuted(&mut self, _now: Timestamp) -> io::Result<Refuted> {
        if !self.journal.exists() {
            return Ok(Box::new(|_| false));
        }
        let (book, at) = (self.journal.read().map_err(io::Error::other)?, now());
        Ok(Box::new(move |endpoint| book.is_refuted(endpoint, at)))
    }

    /// Whole and at once: who reads meanwhile reads the old one.
    fn status(&mut self, status: &CollectorStatus) -> io::Result<()> {
        let text = serde_json::to_vec(status).map_err(io::Error::other)?;
        // Two processes may write to one folder: each needs a file of its own until it is whole.
        let new = self.folder.join(format!("status.json.{}.new", std::process::id()));
        fs::write(&new, text)?;
        fs::rename(&new, self.folder.join("status.json"))?;
        self.told.tell(status);
        Ok(())
    }
}
