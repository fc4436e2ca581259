//! What the machine allows.

use rustix::process::{Resource, getrlimit, setrlimit};

/// File descriptors that the program needs besides connections.
const OTHER_FILES: u64 = 256;

/// Raises the limit on open files as far as the machine allows, and says how many connections may stand at once.
pub(crate) fn connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            tracing::debug!("the limit on open files could not be raised");
        }
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    let connections = files.saturating_sub(OTHER_FILES) / 3;
    usize::try_from(connections.clamp(64, MOST)).unwrap_or(64)
}

/// More connections than this at once help nobody.
const MOST: u64 = 4_096;
