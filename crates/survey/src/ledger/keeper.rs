//! Keeps the ledger while a run goes on: a thread of its own, so that a busy runtime does not make it late.
//!
//! Every [`LOOK`] it looks whether somebody asks the run to pause. Every [`BEAT`] it reads the opt-out list anew and
//! writes how much was sent; every [`TALLY`], when the list changed, and at the end, where to. An entry that is on disk
//! extends the lease of the door by [`LEASE`]. If it cannot be written for [`GIVE_UP`], the run is told to stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hinomi_model::{CampaignId, Clock, ContentHash, Timestamp};
use ipnet::IpNet;

use super::Ledger;
use super::event::{Event, How, MAX_NAMED, Start};
use crate::error::SurveyError;
use crate::scope::tally::Sum;
use crate::scope::{Door, OptOut, Tally};

/// How often it looks whether the run should pause.
pub const LOOK: Duration = Duration::from_secs(1);

/// How often it writes how much was sent, and how soon a new entry of the opt-out list takes effect.
pub const BEAT: Duration = Duration::from_secs(5);

/// How often it writes where to.
pub const TALLY: Duration = Duration::from_secs(600);

/// How long the door may send after an entry.
pub const LEASE: Duration = Duration::from_secs(20);

/// How long it tries to write before it stops the run.
pub const GIVE_UP: Duration = Duration::from_secs(10);

/// What a keeper watches.
pub struct Watched {
    /// Which campaign.
    pub campaign: CampaignId,
    /// The door of the run; it must have a tally.
    pub door: Arc<Door>,
    /// The opt-out list that the door goes by.
    pub opt_out: Arc<OptOut>,
    /// Where that list is read from.
    pub opt_out_path: PathBuf,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Whether somebody asks the run to pause.
    pub asked_to_pause: Box<dyn Fn() -> bool + Send>,
    /// Tells the run to stop.
    pub stop: Box<dyn Fn() + Send>,
}

/// Keeps the ledger of one run.
pub struct Keeper {
    end: Sender<How>,
    thread: JoinHandle<Result<(), SurveyError>>,
}

impl Keeper {
    /// Writes that a run begins, lets its door send, and goes on keeping. `start` is completed with what the ledger and
    /// the door know: the opt-out list, the lease, and what an earlier run left in doubt.
    ///
    /// # Errors
    /// When it cannot be written: nothing may be sent then.
    pub fn start(ledger: Ledger, watched: Watched, start: Start) -> Result<Self, SurveyError> {
        let Some(tally) = watched.door.tally().cloned() else {
            return Err(SurveyError::Engine { engine: "ledger", reason: "the door counts nothing".to_owned() });
        };
        let mut books = Books::new(ledger, watched, tally);
        books.begin(start)?;
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || books.keep(&ended));
        Ok(Self { end, thread: thread.map_err(|error| engine(&error))? })
    }

    /// Writes what is left to be written, and how the run ended. Blocks until it is on disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self, how: How) -> Result<(), SurveyError> {
        // Nobody receives only when the thread has ended, and its result says why.
        let _ = self.end.send(how);
        self.thread.join().map_err(|_| engine(&"it ended at a fault of its own"))?
    }
}

fn engine(reason: &dyn std::fmt::Display) -> SurveyError {
    SurveyError::Engine { engine: "ledger", reason: reason.to_string() }
}

struct Books {
    ledger: Ledger,
    watched: Watched,
    tally: Arc<Tally>,
    run: u64,
    /// Packets that the last beat told of.
    beaten: u64,
    /// What the tallies so far told of, and up to when.
    tallied: (Sum, Timestamp),
    refused: BTreeMap<String, u64>,
    list: Vec<IpNet>,
    /// What a list that is in force already has anew, to be written with the next entries: a packet that was let through
    /// a moment before is counted by then.
    fresh: Option<Vec<IpNet>>,
    paused: bool,
}

impl Books {
    fn new(ledger: Ledger, watched: Watched, tally: Arc<Tally>) -> Self {
        let run = ledger.book().runs(&watched.campaign).len() as u64 + 1;
        let list = watched.opt_out.with(<[_]>::to_vec);
        let tallied = (Sum::default(), watched.clock.now());
        Self {
            ledger,
            watched,
            tally,
            run,
            beaten: 0,
            tallied,
            refused: BTreeMap::new(),
            list,
            fresh: None,
            paused: false,
        }
    }

    fn begin(&mut self, start: Start) -> Result<(), SurveyError> {
        let doubt = self.ledger.book().runs(&self.watched.campaign).last().and_then(super::Run::doubt);
        let start = Start {
            opted_out: self.list.len() as u64,
            opt_out_digest: digest(&self.list),
            lease_s: LEASE.as_secs(),
            doubt,
            ..start
        };
        let (campaign, run) = (self.watched.campaign.clone(), self.run);
        let now = Instant::now();
        self.append(Event::Started { campaign, run, start: Box::new(start) })?;
        self.tally.extend(now, LEASE);
        Ok(())
    }

    fn keep(mut self, ended: &Receiver<How>) -> Result<(), SurveyError> {
        let (mut next_beat, mut next_tally) = (Instant::now() + BEAT, Instant::now() + TALLY);
        let mut failing_since = None;
        loop {
            match ended.recv_timeout(LOOK) {
                Ok(how) => return self.end(how),
                Err(RecvTimeoutError::Disconnected) => return self.end(How::Failed),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !self.paused && (self.watched.asked_to_pause)() {
                self.paused = true;
                (self.watched.stop)();
            }
            let now = Instant::now();
            if now < next_beat && failing_since.is_none() && self.fresh.is_none() {
                continue;
            }
            let whole = now >= next_tally;
            match self.write(now, whole) {
                Ok(()) => {
                    failing_since = None;
                    next_beat = now + BEAT;
                    next_tally = if whole { now + TALLY } else { next_tally };
                }
                Err(error) => {
                    tracing::error!(%error, "what is sent cannot be written down");
                    if now - *failing_since.get_or_insert(now) >= GIVE_UP {
                        (self.watched.stop)();
                    }
                }
            }
        }
    }

    /// A beat or a tally, after the opt-out list was read anew. Lets the door send on.
    fn write(&mut self, now: Instant, whole: bool) -> Result<(), SurveyError> {
        if whole || self.fresh.is_some() {
            self.write_tally()?;
        }
        if let Some(added) = self.fresh.take() {
            self.write_opt_out(added)?;
        }
        self.fresh = self.read_opt_out();
        let packets = self.tally.sum().packets();
        if packets != self.beaten {
            let (campaign, run) = (self.watched.campaign.clone(), self.run);
            self.append(Event::Beat { campaign, run, packets })?;
            self.beaten = packets;
        }
        self.tally.extend(now, LEASE);
        Ok(())
    }

    /// What is new on the list, if it changed. The door goes by it from here on.
    fn read_opt_out(&mut self) -> Option<Vec<IpNet>> {
        if let Err(error) = self.watched.opt_out.reload(&self.watched.opt_out_path) {
            tracing::error!(%error, "the list read before stays in force");
        }
        let list = self.watched.opt_out.with(|list| (list != self.list).then(|| list.to_vec()))?;
        let known: std::collections::BTreeSet<&IpNet> = self.list.iter().collect();
        let added = list.iter().filter(|entry| !known.contains(entry)).copied().collect();
        self.list = list;
        Some(added)
    }

    fn write_opt_out(&mut self, mut added: Vec<IpNet>) -> Result<(), SurveyError> {
        let more = added.len().saturating_sub(MAX_NAMED) as u64;
        added.truncate(MAX_NAMED);
        let (campaign, run) = (self.watched.campaign.clone(), self.run);
        let (entries, digest) = (self.list.len() as u64, digest(&self.list));
        self.append(Event::OptOut { campaign, run, entries, digest, added, more })
    }

    fn write_tally(&mut self) -> Result<(), SurveyError> {
        let (now, sum) = (self.watched.clock.now(), self.tally.sum());
        let fresh = sum.since(&self.tallied.0);
        let refused = refused(&self.watched.door);
        let (campaign, run) = (self.watched.campaign.clone(), self.run);
        self.append(Event::Tally {
            campaign,
            run,
            from: self.tallied.1,
            to: now,
            packets: fresh.packets(),
            outside: fresh.outside,
            not_taken: fresh.not_taken,
            prefixes: fresh.prefixes,
            probes: fresh.probes.into_iter().map(|(probe, count)| (probe.to_string(), count)).collect(),
            refused: refused
                .iter()
                .map(|(rule, count)| (rule.clone(), count - self.refused.get(rule).copied().unwrap_or(0)))
                .filter(|(_, count)| *count > 0)
                .collect(),
        })?;
        self.beaten = sum.packets();
        self.tallied = (sum, now);
        self.refused = refused;
        Ok(())
    }

    fn end(mut self, how: How) -> Result<(), SurveyError> {
        self.write_tally()?;
        if let Some(added) = self.fresh.take() {
            self.write_opt_out(added)?;
        }
        let how = if self.paused && how == How::Stopped { How::Paused } else { how };
        let (campaign, run, packets) = (self.watched.campaign.clone(), self.run, self.tallied.0.packets());
        self.append(Event::Ended { campaign, run, how, packets })
    }

    fn append(&mut self, event: Event) -> Result<(), SurveyError> {
        self.ledger.append(self.watched.clock.now(), event).map(drop)
    }
}

/// What the door refused, by rule.
fn refused(door: &Door) -> BTreeMap<String, u64> {
    let reasons = door.metrics().counts().by_reason;
    reasons
        .into_iter()
        .filter_map(|(reason, count)| Some((reason.strip_prefix("refused: ")?.to_owned(), count)))
        .collect()
}

/// Hash of a list, in the order it has.
fn digest(list: &[IpNet]) -> String {
    let mut hasher = blake3::Hasher::new();
    for entry in list {
        hasher.update(format!("{entry}\n").as_bytes());
    }
    ContentHash::from_bytes(*hasher.finalize().as_bytes()).to_string()
}
