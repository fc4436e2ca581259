//! What a collector writes down: findings in the journal, what was done in the ledger, sums in `status.json`.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hinomi_flow::epoch::{KeyEvent, LegalBasis};
use hinomi_flow::finding::Held;
use hinomi_flow::ledger::{self, Event, Ledger, Words};
use hinomi_flow::live::{Recorder, Refuted, Scored};
use hinomi_flow::own;
use hinomi_lake::cnc::Journal;
use hinomi_model::Timestamp;
use hinomi_model::cnc::status::CollectorStatus;

use super::lists::{Infected, Lists, OwnView};
use super::rules::{self, Rule};
use super::{now, told};
use crate::cli::Common;
use crate::{output, witness};

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
    own: Option<OwnView>,
    json: bool,
    told: told::Progress,
}

impl Books {
    /// Opens what is there, and records what this run is allowed to do.
    pub(crate) fn open(common: &Common, options: &Lists, rules: Vec<Rule>) -> Result<Self> {
        let state = common.state()?;
        let folder = state.make()?.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let (infected, own, by) = (options.infected()?, options.own_view()?, options.by()?);
        let mut books = Self {
            ledger: Ledger::open(&folder.join(ledger::FILE_NAME), now())?,
            journal: Journal::of_state(state.dir()),
            folder,
            infected,
            own,
            json: common.json,
            told: told::Progress::default(),
        };
        books.rules(rules, by)?;
        books.switched(true)?;
        Ok(books)
    }

    /// Records which rules are others than at the last run.
    fn rules(&mut self, rules: Vec<Rule>, by: Option<Words>) -> Result<()> {
        let words = |text: &str| Words::new(text).with_context(|| format!("words of the ledger: {text:?}"));
        let by = by.map_or_else(|| words(&witness::user()), Ok)?;
        let told = ledger::rules(&self.folder.join(ledger::FILE_NAME))?;
        for Rule { name, value } in rules::changed(rules, &told) {
            let (rule, value) = (words(name)?, Some(words(&value)?));
            let reason = words("so at the start of the collector")?;
            self.ledger.append(now(), Event::RuleChanged { rule, value, by: by.clone(), reason })?;
        }
        Ok(())
    }

    /// The legal basis on which own lines may be asked for; none while that switch is off.
    pub(crate) fn own_basis(&self) -> Option<&LegalBasis> {
        self.own.as_ref().map(|own| &own.basis)
    }

    /// The folder of the flow module.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What an earlier run held.
    pub(crate) fn held(&self) -> Result<Held> {
        if !self.journal.exists() {
            return Ok(Held::default());
        }
        Ok(Held::resume(self.journal.read()?.resume(now())))
    }

    /// Records that the run has ended.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.switched(false)
    }

    fn switched(&mut self, on: bool) -> Result<()> {
        let infected = self.infected.as_ref().map(|each| (SWITCH, each.by.clone(), each.words.clone()));
        let own = self.own.as_ref().map(|each| (own::SWITCH, each.by.clone(), each.words.clone()));
        for (switch, by, basis) in infected.into_iter().chain(own) {
            let switch = Words::new(switch).context("words of the ledger")?;
            self.ledger.append(now(), Event::Switched { switch, on, by, basis })?;
        }
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

    fn asked(&mut self, event: Event) -> io::Result<()> {
        self.ledger.append(now(), event).map(drop).map_err(io::Error::other)
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
