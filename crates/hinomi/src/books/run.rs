//! Who runs right now, and what a run keeps: the lock, the request to pause, the ledger, and the scope it stands on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hinomi_model::{CampaignId, Clock, SystemClock, Timestamp};
use hinomi_survey::ledger::{How, Keeper, Start, Watched};
use hinomi_survey::scope::{VerifyError, verify};
use hinomi_survey::{Campaign, OptOut, Survey, Told};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{PlanFile, Shelf, read_short};
use crate::state::State;
use crate::witness;

/// Who runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) process: u32,
    pub(crate) since: Timestamp,
    /// Digest of the scope it runs under.
    pub(crate) digest: String,
}

/// Held while a campaign runs.
struct Held {
    _file: File,
    pause: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A request that stays names a run that is over.
        let _ = fs::remove_file(&self.pause);
    }
}

fn hold(shelf: &Shelf, campaign: &CampaignId, digest: &str) -> Result<(Held, Running)> {
    let path = shelf.of_campaign(campaign, "run");
    let context = || format!("{}", path.display());
    let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = open.with_context(context)?;
    if !lock(&file).with_context(context)? {
        bail!("campaign {campaign} runs already; hinomi campaign pause {campaign} stops it");
    }
    let running = Running { process: std::process::id(), since: SystemClock.now(), digest: digest.to_owned() };
    file.set_len(0).with_context(context)?;
    file.write_all(serde_json::to_string(&running)?.as_bytes()).with_context(context)?;
    file.flush().with_context(context)?;
    Ok((Held { _file: file, pause: shelf.of_campaign(campaign, "pause") }, running))
}

/// How often a lock is tried while only those who look hold it, and the pause between: a second in all.
const LOCK_TRIES: usize = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Whether the lock is ours now. Whoever looks who runs holds it for a moment, which is no reason to refuse.
fn lock(file: &File) -> std::io::Result<bool> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        std::thread::park_timeout(LOCK_PAUSE);
    }
    Ok(false)
}

/// What a run needs to keep books.
pub(crate) struct Books {
    shelf: Shelf,
    opt_out: Arc<OptOut>,
    opt_out_path: PathBuf,
    warrant: Warrant,
    plan: Option<PlanFile>,
}

/// What a run stands on: the signed scope, and the folder that says whom to believe.
#[derive(Clone)]
pub(crate) struct Warrant {
    state: State,
    signed: Vec<u8>,
}

impl Warrant {
    /// Why it authorises nothing any more, if somebody took it back since.
    ///
    /// # Errors
    /// When the lists cannot be read.
    pub(crate) fn taken_back(&self) -> Result<Option<String>, String> {
        let trust = self.state.trust().map_err(|error| format!("{error:#}"))?;
        match verify(&self.signed, &trust, SystemClock.now()) {
            // The door itself knows when a scope ends.
            Ok(_) | Err(VerifyError::Expired { .. }) => Ok(None),
            Err(error) => Ok(Some(error.to_string())),
        }
    }
}

/// Books that are open.
pub(crate) struct Kept {
    keeper: Keeper,
    held: Held,
}

impl Kept {
    /// Writes how the run ended.
    pub(crate) fn end(self, how: How) -> Result<()> {
        let written = self.keeper.end(how);
        drop(self.held);
        Ok(written?)
    }
}

impl Books {
    /// `plan` is what the run settles of its plan, where there is one.
    pub(crate) fn new(state: &State, opt_out: Arc<OptOut>, signed: &[u8], plan: Option<PlanFile>) -> Self {
        Self {
            plan,
            shelf: Shelf::of(state),
            opt_out,
            opt_out_path: state.opt_out_path(),
            warrant: Warrant { state: state.clone(), signed: signed.to_vec() },
        }
    }

    /// What the run stands on.
    pub(crate) fn warrant(&self) -> Warrant {
        self.warrant.clone()
    }

    /// Writes that a run begins. Nothing is sent before this has returned.
    pub(crate) fn open(self, survey: &Survey, campaign: &Campaign, stopping: Arc<watch::Sender<bool>>) -> Result<Kept> {
        let digest = self.shelf.keep_scope(&self.warrant.signed)?;
        let (held, running) = hold(&self.shelf, &campaign.id, &digest)?;
        let told = told(survey, &campaign.id)?;
        // What another job left behind says how that one was begun.
        if let Some(plan) = self.plan.as_ref().filter(|_| told.as_ref().is_none_or(|told| told.job == campaign.job)) {
            self.shelf.settle(plan)?;
        }
        let pause = held.pause.clone();
        let asked_to_pause = move || asked(&pause, &running);
        let watched = Watched {
            campaign: campaign.id.clone(),
            door: Arc::clone(&survey.door),
            opt_out: self.opt_out,
            opt_out_path: self.opt_out_path,
            clock: Arc::clone(&survey.clock),
            taken_back: Box::new(move || self.warrant.taken_back()),
            asked_to_pause: Box::new(asked_to_pause),
            stop: Box::new(move || {
                stopping.send_replace(true);
            }),
        };
        let start = start(survey, campaign, told, digest);
        let keeper = Keeper::start(self.shelf.open_ledger()?, watched, start)?;
        Ok(Kept { keeper, held })
    }
}

/// What the campaign stored of itself before.
fn told(survey: &Survey, campaign: &CampaignId) -> Result<Option<Told>> {
    let stored = survey.sink.checkpoint(campaign)?;
    Ok(stored.map(|checkpoint| Told::read(&checkpoint.state)).transpose()?)
}

fn start(survey: &Survey, campaign: &Campaign, told: Option<Told>, digest: String) -> Start {
    let authorised = survey.door.authorised();
    let scope = authorised.scope();
    let account = told.and_then(|told| told.account);
    Start {
        scope: scope.name.clone(),
        digest,
        signer: authorised.signer().to_owned(),
        contact: scope.contact.clone(),
        rate: scope.rate,
        job: campaign.job.clone(),
        targets: campaign.targets(),
        engine: survey.engines.iter().map(|engine| engine.name()).collect::<Vec<_>>().join(" + "),
        by: witness::user(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        opted_out: 0,
        opt_out_digest: String::new(),
        lease_s: 0,
        stored_before: account.map_or(0, |account| account.counts.packets_sent),
        doubt: None,
    }
}

/// Whether somebody asks this very run to pause.
fn asked(path: &Path, running: &Running) -> bool {
    let Ok(told) = read_short(path) else { return false };
    serde_json::from_slice::<Running>(&told).is_ok_and(|named| named == *running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_keeps_others_out_and_a_look_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.run");
        let open =
            || OpenOptions::new().create(true).truncate(false).write(true).read(true).open(&path).expect("opens");
        let (look, run, other) = (open(), open(), open());
        look.lock_shared().expect("a look");
        let waiting = std::thread::spawn(move || (lock(&run).expect("tried"), run));
        look.unlock().expect("looked");
        let (locked, run) = waiting.join().expect("ends");
        assert!(locked && !lock(&other).expect("tried"));
        drop(run);
        assert!(lock(&other).expect("tried"));
    }
}
