//! What the machine allows.

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors that the program needs besides connections.
const OTHER_FILES: u64 = 256;

/// Source ports that a survey holds for its frames, at most: for two visits and canaries, eight over TCP and 256 over UDP
/// each, at an address of IPv4 and one of IPv6. Each is an open file.
const HELD_TCP: u64 = 3 * 8 * 2;
const HELD_UDP: u64 = 3 * 256 * 2;

/// Raises the limit on open files as far as the machine allows, and says how many connections may stand at once; of a
/// survey that asks over UDP or does not.
pub(crate) fn connections(asks_over_udp: bool) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            tracing::debug!("the limit on open files could not be raised");
        }
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    let held = if asks_over_udp { HELD_TCP + HELD_UDP } else { HELD_TCP };
    let connections = files.saturating_sub(OTHER_FILES + held) / 3;
    usize::try_from(connections.clamp(64, MOST)).unwrap_or(64)
}

/// More connections than this at once help nobody.
const MOST: u64 = 4_096;

/// Whether others may read the memory of a process in which subscribers' flows are.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Memory {
    /// Let other processes of this user read this one's memory. For `flow audit`, which passes synthetic flows only; the
    /// ledger has an entry of it. Core dumps stay off.
    #[arg(long)]
    pub(crate) searchable: bool,
}

impl Memory {
    /// Switches core dumps off for good, and makes the process one that neither debuggers nor other processes of the
    /// same user may look into.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn guard(self) -> Result<()> {
        no_core_dumps()?;
        #[cfg(target_os = "linux")]
        if !self.searchable {
            use rustix::process::{DumpableBehavior, set_dumpable_behavior};
            set_dumpable_behavior(DumpableBehavior::NotDumpable).context("the memory cannot be closed to others")?;
        }
        Ok(())
    }
}

/// No file of this process's memory, whatever happens to it.
///
/// # Errors
/// When the system refuses.
pub(crate) fn no_core_dumps() -> Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("core dumps cannot be switched off")
}
