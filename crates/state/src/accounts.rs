//! Who may sign in, and what stands for them: sessions, keys, passkeys.
//!
//! [`Accounts`] opens the database at the first need: a state folder in which nobody has an account need not have one, and
//! who may only read the folder can still ask. Times are the caller's. At a hundred times the data: some ten thousand
//! people, and sessions and keys in proportion, each found by its key.

use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::Timestamp;

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::settings::Target;
use crate::value::Row;

/// Accounts of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts {
    target: Target,
    opened: Arc<Mutex<Option<Database>>>,
    /// Once there is an account there always is one.
    exist: Arc<std::sync::atomic::AtomicBool>,
    /// Who changes them.
    actor: Option<Arc<str>>,
}

impl Accounts {
    /// Those of this state; nothing is opened yet.
    pub fn of(target: Target) -> Self {
        Self { target, opened: Arc::default(), exist: Arc::default(), actor: None }
    }

    /// The same accounts, changed by this account, key or user of the machine from here on.
    #[must_use]
    pub fn by(&self, name: &str) -> Self {
        Self { actor: Some(name.into()), ..self.clone() }
    }

    /// Who changes them, where somebody was named.
    pub(crate) fn actor(&self) -> &str {
        self.actor.as_deref().unwrap_or("unnamed")
    }

    /// Whether anybody has an account. Makes no file.
    ///
    /// # Errors
    /// When the state cannot be asked: then nobody is let in.
    pub fn exist(&self) -> Result<bool, StateError> {
        use std::sync::atomic::Ordering::Relaxed;

        if self.exist.load(Relaxed) {
            return Ok(true);
        }
        if let Target::Sqlite(path) = &self.target {
            let there = path
                .try_exists()
                .map_err(|error| StateError::Unreachable { place: self.target.place(), why: error.to_string() })?;
            if !there {
                return Ok(false);
            }
        }
        let rows = self.transact(|transaction| transaction.query("SELECT id FROM people LIMIT 1", &[]))?;
        if !rows.is_empty() {
            self.exist.store(true, Relaxed);
        }
        Ok(!rows.is_empty())
    }

    /// The state itself, opened at the first need.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn database(&self) -> Result<Database, StateError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = opened.as_ref() {
            return Ok(database.clone());
        }
        let database = Database::open(&self.target)?;
        *opened = Some(database.clone());
        Ok(database)
    }

    pub(crate) fn transact<T: Send>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, StateError> + Sync,
    ) -> Result<T, StateError> {
        self.database()?.transact(work)
    }
}

/// A moment of a row.
pub(crate) fn time(row: &Row, at: usize) -> Result<Timestamp, StateError> {
    row.integer(at).map(Timestamp::from_micros)
}

/// A moment of a row, or none.
pub(crate) fn optional_time(row: &Row, at: usize) -> Result<Option<Timestamp>, StateError> {
    Ok(row.optional_integer(at)?.map(Timestamp::from_micros))
}

/// A text for people on one line, of at most so many characters.
pub(crate) fn line(what: &str, text: &str, most: usize) -> Result<String, StateError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(StateError::refused(format!("{what} is 1 to {most} characters on one line")));
    }
    Ok(text.to_owned())
}
