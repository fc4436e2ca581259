//! The register for readers that ask often: read again only when something changed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::{Clock, Timestamp};
use hinomi_state::{Database, StateError};

use super::read::next_turn;
use super::{Holders, Register};
use crate::door::Registers;

/// A register with the index over its claims.
#[derive(Debug, Default)]
pub struct Current {
    /// Raised by every change; the same number and moment give the same register.
    pub number: i64,
    /// Counts what this desk read: another register has another one.
    pub edition: u64,
    /// What is decided.
    pub register: Arc<Register>,
    /// Who held what when.
    pub holders: Holders,
    /// From when until when the register stands, if nobody changes it.
    span: (Timestamp, Option<Timestamp>),
}

impl Current {
    fn read(database: &Database, now: Timestamp, edition: u64) -> Result<Self, StateError> {
        let everything = database.register()?;
        let register = Arc::new(Register::of(&everything, now));
        let holders = Holders::new(&register);
        let span = (now, next_turn(&everything, now));
        Ok(Self { number: everything.number, edition, register, holders, span })
    }

    fn stands(&self, number: i64, now: Timestamp) -> bool {
        let (from, until) = self.span;
        self.number == number && from <= now && until.is_none_or(|until| now < until)
    }
}

/// Keeps the register that was read last. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    database: Database,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Arc<Current>>>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({:?})", self.database)
    }
}

impl Desk {
    /// Over this state.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, last: Arc::default() }
    }

    /// The register as it stands now. One short question where nothing changed.
    ///
    /// # Errors
    /// When the state cannot be asked: what was read before is not used then, as somebody may have lost a right.
    pub fn now(&self) -> Result<Arc<Current>, StateError> {
        let (number, now) = (self.database.register_number()?, self.clock.now());
        // Held while it is read: who comes meanwhile would only read the same.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.edition == 0 || !last.stands(number, now) {
            *last = Arc::new(Current::read(&self.database, now, last.edition + 1)?);
        }
        Ok(Arc::clone(&last))
    }
}

impl Registers for Desk {
    fn current(&self) -> Result<(u64, Arc<Register>), String> {
        let current = self.now().map_err(|error| error.to_string())?;
        Ok((current.edition, Arc::clone(&current.register)))
    }
}
