//! Those who asked not to be probed. Always wins, over every scope.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use hinomi_model::address::{AddressError, parse_prefix};
use ipnet::IpNet;

/// The most entries that are read.
pub const MAX_ENTRIES: usize = 1_000_000;

/// The opt-out list; may change while surveys run.
#[derive(Debug, Default)]
pub struct OptOut {
    entries: RwLock<Vec<IpNet>>,
    version: AtomicU64,
}

/// Why an opt-out list cannot be used. Sending is refused then: a list that cannot be read might name anyone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptOutError {
    /// A line cannot be read.
    #[error("opt-out list, line {line}: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: AddressError,
    },
    /// Too long.
    #[error("the opt-out list has more than {MAX_ENTRIES} entries")]
    TooLong,
    /// Cannot be read.
    #[error("the opt-out list {path} cannot be read: {source}")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It named somebody and is not there any more.
    #[error(
        "the opt-out list {path} is gone, and those it named must not be probed: put it back (an empty file is a list)"
    )]
    Gone {
        /// Where it was.
        path: String,
    },
}

impl OptOut {
    /// Reads a file of one prefix or address a line; empty lines and lines that start with `#` are passed over. A file
    /// that does not exist is an empty list.
    ///
    /// # Errors
    /// When a line or the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, OptOutError> {
        let list = Self::default();
        list.replace(list.read_anew(path)?);
        Ok(list)
    }

    /// What the file says now; this list stays as it is until [`OptOut::replace`].
    ///
    /// # Errors
    /// When a line or the file cannot be read, or there is no file and this list names somebody.
    pub fn read_anew(&self, path: &Path) -> Result<Vec<IpNet>, OptOutError> {
        match std::fs::read_to_string(path) {
            Ok(text) => read(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match self.with(<[_]>::is_empty) {
                true => Ok(Vec::new()),
                false => Err(OptOutError::Gone { path: path.display().to_string() }),
            },
            Err(source) => Err(OptOutError::Io { path: path.display().to_string(), source }),
        }
    }

    /// Puts another list in its place, at once, also for running surveys.
    pub fn replace(&self, entries: Vec<IpNet>) {
        let mut current = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if *current == entries {
            return;
        }
        *current = entries;
        // Counted while nobody reads: a version always belongs to one list.
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever the list does.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Calls `ask` with the current list and its version.
    pub fn with_version<T>(&self, ask: impl FnOnce(u64, &[IpNet]) -> T) -> T {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        ask(self.version(), &entries)
    }

    /// Calls `ask` with the current list.
    pub fn with<T>(&self, ask: impl FnOnce(&[IpNet]) -> T) -> T {
        ask(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the text of a list.
///
/// # Errors
/// When a line cannot be read: it might name anyone.
pub fn read(text: &str) -> Result<Vec<IpNet>, OptOutError> {
    let mut entries = Vec::new();
    for (position, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if entries.len() >= MAX_ENTRIES {
            return Err(OptOutError::TooLong);
        }
        entries.push(parse_prefix(line).map_err(|source| OptOutError::Line { line: position + 1, source })?);
    }
    Ok(entries)
}
