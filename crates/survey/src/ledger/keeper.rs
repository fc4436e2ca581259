//! Keeps the ledger while a run goes on: a thread of its own, so that a busy runtime does not make it late.
//!
//! Every [`LOOK`] it looks whether somebody asks the run to pause. Every [`BEAT`] it reads the opt-out list anew and
//! writes how much was sent; every [`TALLY`], when the list changed, when the scope ends, and at the end, where to. An
//! entry that is on disk extends the lease of the door by [`LEASE`]. If it cannot be written for [`GIVE_UP`], or the list
//! cannot be read for so long, the run is told to stop.
//!
//! Who is new on the list is left alone at once. Who is missing from it is surveyed again only when two readings in a row
//! say so, for a file that is being written may lack anybody; and after an entry that says so.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Why the scope authorises nothing any more, if that is so; an error when it cannot be told.
    pub taken_back: Box<dyn Fn() -> Result<Option<String>, String> + Send>,
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
    /// When the scope ends, until a tally was written after that: what was sent until then stands in its own tallies.
    ends: Option<Timestamp>,
    list: Vec<IpNet>,
    /// What a list that is in force already has anew, to be written with the next entries: a packet that was let through
    /// a moment before is counted by then.
    fresh: Option<Vec<IpNet>>,
    /// The last reading of the list, if it lacks what the list in force has.
    lacking: Option<Vec<IpNet>>,
    paused: bool,
    /// How often in a row the scope was found to authorise nothing.
    doubts: u32,
    /// Since when it cannot be told whether it does.
    untold_since: Option<Instant>,
}

/// A scope counts as taken back when two looks in a row say so: a file may be half written at the first.
const DOUBTS: u32 = 2;

impl Books {
    fn new(ledger: Ledger, watched: Watched, tally: Arc<Tally>) -> Self {
        let run = ledger.book().runs(&watched.campaign).len() as u64 + 1;
        let list = watched.opt_out.with(<[_]>::to_vec);
        let tallied = (Sum::default(), watched.clock.now());
        let ends = Some(watched.door.scope().valid_until);
        Self {
            ledger,
            watched,
            tally,
            run,
            beaten: 0,
            tallied,
            refused: BTreeMap::new(),
            ends,
            list,
            fresh: None,
            lacking: None,
            doubts: 0,
            untold_since: None,
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
            self.look_at_scope(now);
            let over = self.ends.is_some_and(|ends| self.watched.clock.now() >= ends);
            if now < next_beat && failing_since.is_none() && self.fresh.is_none() && !over {
                continue;
            }
            let whole = now >= next_tally || over;
            match self.write(now, whole) {
                Ok(()) => {
                    failing_since = None;
                    next_beat = now + BEAT;
                    next_tally = if whole { now + TALLY } else { next_tally };
                }
                Err(error) => {
                    tracing::error!(%error, "nothing more is sent until this is put right");
                    if now - *failing_since.get_or_insert(now) >= GIVE_UP {
                        (self.watched.stop)();
                    }
                }
            }
        }
    }

    /// Shuts the door for good when the scope was taken back; stops when nobody can tell for too long.
    fn look_at_scope(&mut self, now: Instant) {
        let told = (self.watched.taken_back)();
        let Ok(told) = told.inspect_err(|error| tracing::error!(%error, "whether the scope stands cannot be told"))
        else {
            if now - *self.untold_since.get_or_insert(now) >= GIVE_UP {
                (self.watched.stop)();
            }
            return;
        };
        self.untold_since = None;
        let Some(reason) = told else { return self.doubts = 0 };
        self.doubts = self.doubts.saturating_add(1);
        if self.doubts == DOUBTS {
            tracing::warn!(%reason, "the scope authorises nothing any more: nothing more is begun");
            self.watched.door.shut();
            (self.watched.stop)();
        }
    }

    /// A beat or a tally, after the opt-out list was read anew. Lets the door send on.
    fn write(&mut self, now: Instant, whole: bool) -> Result<(), SurveyError> {
        if whole || self.fresh.is_some() {
            self.write_tally()?;
        }
        self.write_added()?;
        self.read_opt_out()?;
        let packets = self.tally.sum().packets();
        if packets != self.beaten {
            let (campaign, run) = (self.watched.campaign.clone(), self.run);
            self.append(Event::Beat { campaign, run, packets })?;
            self.beaten = packets;
        }
        self.tally.extend(now, LEASE);
        Ok(())
    }

    /// Reads the list anew. The door goes by what is new on it from here on.
    fn read_opt_out(&mut self) -> Result<(), SurveyError> {
        let read = self.watched.opt_out.read_anew(&self.watched.opt_out_path).map_err(|error| engine(&error))?;
        if read == self.list {
            self.lacking = None;
            return Ok(());
        }
        let known: BTreeSet<&IpNet> = self.list.iter().collect();
        let added: Vec<IpNet> = read.iter().filter(|entry| !known.contains(entry)).copied().collect();
        let named: BTreeSet<&IpNet> = read.iter().collect();
        let missing: Vec<IpNet> = self.list.iter().filter(|entry| !named.contains(entry)).copied().collect();
        if missing.is_empty() || self.lacking.as_ref() == Some(&read) {
            self.write_removed(&read, &missing)?;
            (self.list, self.lacking) = (read, None);
        } else {
            self.list.extend(&added);
            self.lacking = Some(read);
        }
        self.watched.opt_out.replace(self.list.clone());
        self.fresh = (!added.is_empty() || missing.is_empty()).then_some(added);
        Ok(())
    }

    fn write_added(&mut self) -> Result<(), SurveyError> {
        let Some(mut added) = self.fresh.clone() else { return Ok(()) };
        let more = added.len().saturating_sub(MAX_NAMED) as u64;
        added.truncate(MAX_NAMED);
        self.write_opt_out(&self.list.clone(), added, more, Vec::new())?;
        self.fresh = None;
        Ok(())
    }

    /// Written before the door lets the first packet through to them, so that no tally with it stands before.
    fn write_removed(&mut self, list: &[IpNet], missing: &[IpNet]) -> Result<(), SurveyError> {
        let runs = self.ledger.book().runs(&self.watched.campaign);
        let named: BTreeSet<&IpNet> = runs.last().map_or(&[][..], super::Run::opted_out).iter().collect();
        // What no entry of this run named need not be taken back; the hash of the list tells of it.
        let (mut removed, rest): (Vec<_>, Vec<_>) = missing.iter().copied().partition(|out| named.contains(out));
        if removed.is_empty() {
            removed.extend(rest.into_iter().take(MAX_NAMED));
        }
        removed.chunks(MAX_NAMED).try_for_each(|some| self.write_opt_out(list, Vec::new(), 0, some.to_vec()))
    }

    fn write_opt_out(
        &mut self,
        list: &[IpNet],
        added: Vec<IpNet>,
        more: u64,
        removed: Vec<IpNet>,
    ) -> Result<(), SurveyError> {
        let (campaign, run) = (self.watched.campaign.clone(), self.run);
        let (entries, digest) = (list.len() as u64, digest(list));
        self.append(Event::OptOut { campaign, run, entries, digest, added, more, removed })
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
        self.ends = self.ends.filter(|ends| now < *ends);
        self.refused = refused;
        Ok(())
    }

    fn end(mut self, how: How) -> Result<(), SurveyError> {
        self.write_tally()?;
        self.write_added()?;
        let how = match how {
            How::Stopped | How::Failed if self.watched.door.is_shut() => How::Revoked,
            How::Stopped if self.paused => How::Paused,
            other => other,
        };
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

#[cfg(test)]
mod tests;
