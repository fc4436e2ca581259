//! Rows that are taken out for good, from everything.
//!
//! ```text
//!   chosen - held -> 1 list of salted names   2 mark   3 sightings: one commit, remove + add
//!                    4 evidence and facts that nothing refers to   5 index built again
//!                    6 events, roll-ups, files set aside ([`reach`])
//!                    7 files that stopped counting, what the logs say of them, older versions in a bucket
//!                    8 proof entry   9 mark goes
//! ```
//!
//! The commit of step 3 carries the name of the deletion, so that a kill anywhere is told apart at the next start:
//! before it nothing has happened, after it the rest is done again from step 4 on. Time travel ends there: older
//! versions of the tables lose their files, and the logs begin anew with a checkpoint, since commits state bounds of rows
//! that are gone. The list travels with backups and is applied by every restore
//! ([`Lake::erase_again`]); what is retired for its age has no list, the policy retires it again. At a hundred times
//! the data: one pass over the sightings whose files the choice admits, one over the references of the rest, 16 bytes a
//! distinct piece of evidence and a deleted row in memory, and a new index.

mod known;
mod list;
mod pass;
mod reach;

use std::fs;
use std::path::{Path, PathBuf};

use hinomi_model::{ContentHash, Sighting, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub(crate) use known::{known as known_folders, known_backup};
pub(crate) use list::{List, Lists};
pub(crate) use reach::MOMENTS;

use crate::durable;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::ledger::{self, Event, Kind, Reached};
use crate::retain::{Hold, Holds, Policy};
use crate::table::{Change, Extent, Note, Table};
use reach::Moments;

/// Lists of what was erased, in the state folder.
pub(crate) const FOLDER: &str = "lake/erased";
/// What their names end with.
pub(crate) const LIST: &str = ".list";
/// There while a deletion is under way.
pub(crate) const MARK: &str = "lake/erasing.json";
/// How a deletion signs its commit.
pub(crate) const APPLICATION: &str = "hinomi.deletion";
/// The most bytes of a mark.
const MAX_MARK_BYTES: u64 = 1 << 20;

/// Who wants something deleted, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// By which way.
    pub kind: Kind,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// What a deletion came to, or would come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Sightings that were chosen and are not held.
    pub sightings: u64,
    /// Sightings that were chosen and stay, because they are held.
    pub held: u64,
    /// Pieces of evidence that nothing refers to any more.
    pub evidence: u64,
    /// What else went.
    pub reached: Reached,
}

/// Chosen sightings: those that `wants` says, in files that may hold them.
pub struct Choice<'a> {
    pub(crate) extents: Vec<Extent>,
    wants: &'a (dyn Fn(&Sighting) -> bool + Sync),
    within: Option<Vec<IpNet>>,
}

impl<'a> Choice<'a> {
    /// Whatever `wants` says, anywhere.
    pub fn anywhere(wants: &'a (dyn Fn(&Sighting) -> bool + Sync)) -> Self {
        Self { extents: vec![Extent::ALL], wants, within: None }
    }

    /// The same, and nothing of other addresses: files that were set aside and cannot be read go only when they may hold
    /// one of these.
    pub fn within(self, nets: Vec<IpNet>) -> Self {
        Self { within: Some(nets), ..self }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    name: String,
    order: Order,
    sightings: u64,
    digest: ContentHash,
    /// Files that were set aside and go too, inside the state folder.
    #[serde(default)]
    set_aside: Vec<String>,
    /// What was reached before the commit.
    #[serde(default)]
    reached: Reached,
}

fn read_mark(state: &Path) -> Result<Option<Mark>, LakeError> {
    let path = state.join(MARK);
    let Some(bytes) = durable::read(&path, MAX_MARK_BYTES)? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map_err(|error| LakeError::damaged(path.display().to_string(), &error))
}

/// The name of the deletion that is under way, or was interrupted and is not finished yet.
pub(crate) fn marked(state: &Path) -> Result<Option<String>, LakeError> {
    Ok(read_mark(state)?.map(|mark| mark.name))
}

/// The last deletion that these sightings know.
pub(crate) fn last_of(sightings: &Table) -> Result<Option<String>, LakeError> {
    sightings.note(APPLICATION)
}

impl Lake {
    /// Deletes what is chosen and not held, from all shelves; with `dry_run` only counts.
    ///
    /// # Errors
    /// When this lake is for reading only, or something cannot be read or written. What was begun is finished at the
    /// next start.
    pub fn delete(
        &self,
        order: Order,
        choice: &Choice<'_>,
        dry_run: bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Deleted, LakeError> {
        let _writer = self.writer()?;
        if !dry_run {
            self.may_rewrite()?;
        }
        self.refresh()?;
        if !dry_run {
            // Its mark would be lost under ours, and what is left of it never be done.
            self.finish_marked()?;
        }
        // What a restore takes out was erased under the holds of that day; those that a backup brings are older.
        let holds = if order.kind == Kind::Restore { Holds::default() } else { Holds::of_state(&self.dir)? };
        let (mut list, mut moments) = (List::new(self.clock.now()), Moments::new(self.clock.now()));
        let work = pass::sightings(self, choice, &holds, (&mut list, &mut moments), dry_run, progress)?;
        let within = choice.within.as_deref();
        let (set_aside, quarantine_held) = reach::set_aside(&self.dir, &order, within, &holds, self.clock.now())?;
        let mut reached = Reached { quarantine_held, ..Reached::default() };
        if dry_run || (work.deleted.sightings == 0 && set_aside.is_empty()) {
            return Ok(Deleted { reached, ..work.deleted });
        }
        // Whether the bucket lets us, before anything has happened.
        self.table_names().iter().try_for_each(|folder| self.root.forget_versions(folder, true).map(drop))?;
        let (sightings, digest) = (work.deleted.sightings, list.digest());
        let mut mark = Mark { name: list.name(), sightings, digest, order, set_aside, reached };
        // The mark first: a list that no mark names is of a deletion that happened.
        self.write_mark(&mark)?;
        moments.write(&self.dir)?;
        reached.positions = reach::positions(self, &moments)?;
        mark.reached = reached;
        if mark.order.kind == Kind::Erase && !list.is_empty() {
            list.write(&self.dir)?;
        }
        let note = Note { application: APPLICATION.to_owned(), text: mark.name.clone() };
        let (add, remove, marks) = (work.add, work.remove, self.marks());
        let change = Change { add, remove, note: Some(note), marks, ..Change::default() };
        self.heed_loss(self.sightings.commit(change, self.clock.now()))?;
        let (evidence, reached) = self.finish(&mark)?;
        Ok(Deleted { evidence, reached, ..work.deleted })
    }

    /// Deletes what the policy says is over.
    ///
    /// # Errors
    /// As [`Lake::delete`]; also when the policy makes no sense.
    pub fn retire(&self, by: &str, dry_run: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<Deleted, LakeError> {
        let (policy, now) = (Policy::of_state(&self.dir)?, self.clock.now());
        let wants = |seen: &Sighting| policy.is_over(seen, now);
        let reason = "its time is over by the retention policy".to_owned();
        let order = Order { kind: Kind::Retain, reason, by: by.to_owned() };
        self.delete(order, &Choice::anywhere(&wants), dry_run, progress)
    }

    /// After a restore: takes out what was erased since the backup was taken.
    ///
    /// # Errors
    /// As [`Lake::delete`].
    pub fn erase_again(&self, by: &str) -> Result<Deleted, LakeError> {
        let lists = Lists::of_state(&self.dir)?;
        let wants = |seen: &Sighting| lists.hold(&seen.id());
        let reason = "it had been erased after the backup was taken".to_owned();
        let order = Order { kind: Kind::Restore, reason, by: by.to_owned() };
        self.delete(order, &Choice::anywhere(&wants), false, &mut |_, _| {})
    }

    /// Puts a hold on.
    ///
    /// # Errors
    /// When there is one of that name, or it cannot be written.
    pub fn hold(&self, hold: Hold) -> Result<(), LakeError> {
        let _writer = self.writer()?;
        let mut holds = Holds::of_state(&self.dir)?;
        let (name, reason, by) = (hold.name.clone(), hold.reason.clone(), hold.by.clone());
        holds.add(hold)?;
        holds.write(&self.dir)?;
        ledger::append(&self.dir, self.clock.now(), Event::Held { name, reason, by })
    }

    /// Takes a hold off.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be written.
    pub fn release(&self, name: &str, reason: &str, by: &str) -> Result<(), LakeError> {
        let _writer = self.writer()?;
        let mut holds = Holds::of_state(&self.dir)?;
        holds.release(name)?;
        // The entry first: a hold that is gone without a trace must not be.
        let event = Event::Released { name: name.to_owned(), reason: reason.to_owned(), by: by.to_owned() };
        ledger::append(&self.dir, self.clock.now(), event)?;
        holds.write(&self.dir)
    }

    /// At start: a deletion that was killed or failed is finished, or has not happened. While other servers write, its
    /// mark stays for the next start or deletion; until then no backup is taken.
    pub(crate) fn finish_deletion(&self) -> Result<(), LakeError> {
        match self.finish_marked() {
            Err(LakeError::NotOurs { why }) => {
                let told =
                    "a deletion that was interrupted is finished when this server is started while no other writes";
                tracing::warn!(why, "{told}");
                Ok(())
            }
            done => done,
        }
    }

    fn finish_marked(&self) -> Result<(), LakeError> {
        let Some(mark) = read_mark(&self.dir)? else { return Ok(()) };
        let committed = self.sightings.note(APPLICATION)?.as_deref() == Some(mark.name.as_str());
        if committed {
            tracing::warn!("a deletion that was interrupted is finished");
            self.may_rewrite()?;
            return self.finish(&mark).map(drop);
        }
        List::remove(&self.dir, &mark.name)?;
        reach::done(&self.dir)?;
        self.remove_mark()
    }

    /// Everything after the commit; may be done again.
    fn finish(&self, mark: &Mark) -> Result<(u64, Reached), LakeError> {
        self.refresh()?;
        let evidence = pass::unreferenced(self)?;
        self.knowledge.forget();
        self.build_index()?;
        self.note_deletion(self.sightings.noted(APPLICATION))?;
        let reached = reach::finish(self, &mark.set_aside)?;
        let Reached { positions, quarantine_held, .. } = mark.reached;
        let reached = Reached { positions, quarantine_held, ..reached };
        let Order { kind, reason, by } = mark.order.clone();
        let (sightings, digest) = (mark.sightings, mark.digest);
        let event = Event::Deleted { kind, reason, by, sightings, evidence, digest, reached };
        ledger::append(&self.dir, self.clock.now(), event)?;
        known::bring(&self.dir)?;
        reach::done(&self.dir)?;
        self.remove_mark()?;
        Ok((evidence, reached))
    }

    fn mark_path(&self) -> PathBuf {
        self.dir.join(MARK)
    }

    fn write_mark(&self, mark: &Mark) -> Result<(), LakeError> {
        let folder = self.dir.join("lake");
        fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
        let text = serde_json::to_vec(mark).map_err(|error| LakeError::damaged("a mark", &error))?;
        durable::write(&self.mark_path(), &text)
    }

    fn remove_mark(&self) -> Result<(), LakeError> {
        let path = self.mark_path();
        fs::remove_file(&path).map_err(LakeError::io("removing", &path))?;
        durable::sync_folder(&self.dir.join("lake"))
    }

    /// Chosen: addresses of these ranges, seen before a time.
    pub fn of_ranges(ranges: &[ipnet::IpNet], before: Option<Timestamp>) -> impl Fn(&Sighting) -> bool + Sync + '_ {
        move |seen| {
            let inside = ranges.iter().any(|range| range.contains(&seen.subject.address));
            inside && before.is_none_or(|before| seen.time < before)
        }
    }
}
