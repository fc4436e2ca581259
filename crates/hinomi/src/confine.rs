//! What a survey may do on its own machine: little, since it reads what strangers say.
//!
//! Before the first thread starts, a program that surveys gives up what it does not need:
//!
//! 1. The rights to open packet sockets and to have neighbours asked for their address move to a helper process
//!    ([`hinomi_survey::opener`]), which ends as soon as the engine has what it needs.
//! 2. Root becomes the owner of the state folder, where that is somebody else, and all capabilities are dropped, for good
//!    (`no_new_privs`). Root that stays root keeps the one to read files.
//! 3. Landlock: files are written below the state folder only.
//! 4. seccomp: only the system calls of [`calls`] exist; no program is started, no other process is looked into, and no
//!    sockets but those of ordinary connections are opened.
//!
//! So a mistake in reading what a scanned host says ends in a process that opens no packet socket, changes no file outside
//! the state folder and talks to no other program of this machine. Kernels that lack one of these are told of, not refused.

mod calls;

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use caps::{CapSet, Capability};
use hinomi_survey::opener;
use landlock::{ABI, Access, AccessFs, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The first word of the helper's command line.
pub(crate) const OPENER: &str = "open-sockets";

/// Memory that may be locked, in bytes: what frames lie in is.
const LOCKED_BYTES: u64 = 64 << 20;

/// The newest set of file rights that is made use of; older kernels take what they know.
const RIGHTS: ABI = ABI::V5;

/// A process that has given up what it does not need.
pub(crate) struct Confined {
    helper: Option<Child>,
}

/// Confines this process, which must have but one thread, to writing below `state`.
pub(crate) fn enter(state: &Path) -> Result<Confined> {
    let confined = Confined { helper: helper() };
    raise_locked_memory();
    become_owner_of(state)?;
    confine(state)?.iter().for_each(|remark| crate::output::talk(remark));
    Ok(confined)
}

impl Drop for Confined {
    fn drop(&mut self) {
        opener::seal();
        if let Some(helper) = &mut self.helper {
            // It ends when its line does; whatever it says then is of no use to anybody.
            let _ = helper.wait();
        }
    }
}

/// The helper, where there is anything for it to do and it starts.
fn helper() -> Option<Child> {
    if !is_privileged() {
        opener::refuse("it needs CAP_NET_RAW and CAP_NET_ADMIN");
        return None;
    }
    start_opener()
        .inspect_err(|error| {
            crate::output::talk(&format!("no frames can be sent: {error:#}"));
            opener::refuse("the helper that opens packet sockets did not start");
        })
        .ok()
}

fn is_privileged() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).unwrap_or(false)
}

fn start_opener() -> Result<Child> {
    let (ours, theirs) = opener::line().context("no line to a helper")?;
    let child = Command::new("/proc/self/exe")
        .arg(OPENER)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .context("the helper that opens packet sockets does not start")?;
    opener::connect(ours);
    Ok(child)
}

/// The helper's whole life.
pub(crate) fn be_the_opener() -> ExitCode {
    // It reads nothing of strangers: where a step is not possible, it does its work all the same.
    let _ = keep_only(&[Capability::CAP_NET_RAW, Capability::CAP_NET_ADMIN]);
    let _ = write_below(None);
    let _ = calls::allow(calls::OPENING);
    match opener::serve(std::io::stdin().as_fd()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Gives up all capabilities but these, so far as they are there.
fn keep_only(kept: &[Capability]) -> Result<(), caps::errors::CapsError> {
    let mut held = caps::read(None, CapSet::Permitted)?;
    held.retain(|capability| kept.contains(capability));
    caps::clear(None, CapSet::Ambient)?;
    caps::set(None, CapSet::Effective, &held)?;
    caps::set(None, CapSet::Permitted, &held)?;
    caps::clear(None, CapSet::Inheritable)
}

/// What `sudo` writes belongs to whose folder it is; and root without its rights could not write there at all.
fn become_owner_of(state: &Path) -> Result<()> {
    let owner = std::fs::metadata(state).with_context(|| format!("cannot look at {}", state.display()))?;
    if !Uid::effective().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    let become_it = || -> nix::Result<()> {
        setgroups(&[])?;
        setgid(Gid::from_raw(owner.gid()))?;
        setuid(Uid::from_raw(owner.uid()))
    };
    become_it().with_context(|| format!("cannot go on as the owner of {} (user {})", state.display(), owner.uid()))
}

/// Takes from the calling thread, and all that it starts, what a survey does not need; says what could not be taken.
fn confine(state: &Path) -> Result<Vec<String>> {
    let mut remarks = Vec::new();
    // Reading is not restricted, and root's home may hold the scope: root without this could read less than a user.
    let kept: &[Capability] = if Uid::effective().is_root() { &[Capability::CAP_DAC_READ_SEARCH] } else { &[] };
    keep_only(kept).context("the rights of this process cannot be given up")?;
    match write_below(Some(state)) {
        Ok(LandlockStatus::Available { effective_abi, .. }) if effective_abi < ABI::V3 => remarks.push(
            "this kernel's Landlock is older than Linux 6.2: files outside the state folder cannot be written, but emptied"
                .to_owned(),
        ),
        Ok(LandlockStatus::Available { .. }) => {}
        Ok(_) => remarks
            .push("this kernel has no Landlock: files outside the state folder are not protected".to_owned()),
        Err(error) => remarks.push(format!("files outside the state folder are not protected: {error}")),
    }
    if let Err(error) = calls::allow(calls::SURVEYING) {
        remarks.push(format!("system calls are not restricted: {error}"));
    }
    Ok(remarks)
}

fn raise_locked_memory() {
    let now = getrlimit(Resource::Memlock);
    if now.current.is_some_and(|current| current < LOCKED_BYTES) {
        let most = now.maximum.map_or(LOCKED_BYTES, |most| most.max(LOCKED_BYTES));
        let raised = Rlimit { current: Some(LOCKED_BYTES), maximum: Some(most) };
        let within = Rlimit { current: now.maximum.map(|most| most.min(LOCKED_BYTES)), maximum: now.maximum };
        // Without the right to raise the limit itself, up to the limit; where that is too little, opening says so.
        let _ = setrlimit(Resource::Memlock, raised).or_else(|_| setrlimit(Resource::Memlock, within));
    }
}

/// From now on files are written below this folder only (or nowhere), and read anywhere (or nowhere).
fn write_below(state: Option<&Path>) -> Result<LandlockStatus> {
    let rules = Ruleset::default().handle_access(AccessFs::from_all(RIGHTS))?.create()?;
    let rules = match state {
        None => rules,
        Some(state) => rules
            .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rule(PathBeneath::new(PathFd::new(state)?, AccessFs::from_all(RIGHTS)))?,
    };
    Ok(rules.restrict_self()?.landlock)
}

#[cfg(test)]
mod tests;
