//! Who writes looks down in tests, and whom the door asks about members.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hinomi_model::{Clock, SystemClock};
use hinomi_share::door::{Registers, Witnesses};
use hinomi_share::ledger::Log;
use hinomi_share::register::Register;
use hinomi_share::{Departure, Member, Sight, Witness};
use hinomi_state::Accounts;

use crate::world::Moved;

/// Counts looks at findings, and refuses to when its paper is gone.
#[derive(Default)]
pub(crate) struct Looks {
    pub(crate) sights: Mutex<Vec<Sight>>,
    /// Who looked, where the door named somebody.
    pub(crate) names: Mutex<Vec<String>>,
    /// What left.
    pub(crate) departures: Mutex<Vec<Departure>>,
    pub(crate) refuses: AtomicBool,
    /// Writes no departure down.
    pub(crate) mute: AtomicBool,
}

impl Witness for Looks {
    fn looked(&self, sight: Sight) -> Result<(), String> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err("no paper".to_owned());
        }
        self.sights.lock().expect("nobody failed").push(sight);
        Ok(())
    }

    fn left(&self, departure: Departure) -> Result<(), String> {
        if self.mute.load(Ordering::Relaxed) {
            return Err("no paper".to_owned());
        }
        self.departures.lock().expect("nobody failed").push(departure);
        Ok(())
    }
}

/// Everybody's looks go to one place.
pub(crate) struct Of(pub(crate) Arc<Looks>, pub(crate) Accounts, pub(crate) PathBuf);

/// Who notes the name beside.
struct Named(Arc<Looks>, String);

impl Witness for Named {
    fn looked(&self, sight: Sight) -> Result<(), String> {
        self.0.looked(sight)?;
        self.0.names.lock().expect("nobody failed").push(self.1.clone());
        Ok(())
    }

    fn left(&self, departure: Departure) -> Result<(), String> {
        self.0.left(departure)
    }
}

impl Witnesses for Of {
    fn of(&self, member: &Member) -> Arc<dyn Witness> {
        Arc::new(Named(Arc::clone(&self.0), format!("{} for {}", member.name, member.purpose)))
    }

    fn ledger(&self) -> Option<Arc<Log>> {
        let database = self.1.database().expect("a state");
        Some(Arc::new(Log::open(&database, &self.2, Arc::new(SystemClock)).expect("a ledger")))
    }

    fn of_visitors(&self) -> Arc<dyn Witness> {
        Arc::clone(&self.0) as Arc<_>
    }
}

/// A register of its own, or that of the state, which is opened when a member comes.
pub(crate) struct Books(pub(crate) Option<Register>, pub(crate) Accounts, pub(crate) Arc<Moved>);

impl Registers for Books {
    fn current(&self) -> Result<(u64, Arc<Register>), String> {
        if let Some(own) = &self.0 {
            return own.current();
        }
        let read = || {
            let database = self.1.database()?;
            Ok((database.register_number()?, Register::read(&database, self.2.now())?))
        };
        let (number, register) = read().map_err(|error: hinomi_state::StateError| error.to_string())?;
        Ok((u64::try_from(number).unwrap_or(0), Arc::new(register)))
    }
}
