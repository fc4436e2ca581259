//! The register for readers that ask often: read again only when something changed.

use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::Timestamp;
use hinomi_state::{Database, StateError};

use super::read::next_turn;
use super::{Holders, Register};

/// A register with the index over its claims.
#[derive(Debug, Default)]
pub struct Current {
    /// Raised by every change; the same number and moment give the same register.
    pub number: i64,
    /// What is decided.
    pub register: Register,
    /// Who held what when.
    pub holders: Holders,
    /// From when until when the register stands, if nobody changes it.
    span: (Timestamp, Option<Timestamp>),
}

impl Current {
    fn read(database: &Database, now: Timestamp) -> Result<Self, StateError> {
        let everything = database.register()?;
        let register = Register::of(&everything, now);
        let holders = Holders::of(&register);
        Ok(Self { number: everything.number, register, holders, span: (now, next_turn(&everything, now)) })
    }

    fn stands(&self, number: i64, now: Timestamp) -> bool {
        let (from, until) = self.span;
        self.number == number && from <= now && until.is_none_or(|until| now < until)
    }
}

/// Keeps the register that was read last. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    database: Database,
    last: Arc<Mutex<Option<Arc<Current>>>>,
}

impl Desk {
    /// Over this state.
    pub fn new(database: Database) -> Self {
        Self { database, last: Arc::default() }
    }

    /// The register as it stands now. One short question where nothing changed.
    ///
    /// # Errors
    /// When the state cannot be asked: what was read before is not used then, as somebody may have lost a right.
    pub fn current(&self, now: Timestamp) -> Result<Arc<Current>, StateError> {
        let number = self.database.register_number()?;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(current) = last.filter(|current| current.stands(number, now)) {
            return Ok(current);
        }
        let current = Arc::new(Current::read(&self.database, now)?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&current));
        Ok(current)
    }
}
