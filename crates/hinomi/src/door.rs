//! The door of an installation: the register and the ledger of its state, the rules of its folder.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use hinomi_model::{Clock, SystemClock};
use hinomi_share::door::{Registers, Witnesses};
use hinomi_share::ledger::{Actor, Log, LookLog};
use hinomi_share::register::{self, Current, Register};
use hinomi_share::rules::Rules;
use hinomi_share::{Door, Member, Reader, Witness};
use hinomi_state::{Database, Settings};

/// Folder in the state folder with rules of the installation's own.
const RULES: &str = "policies";

/// The door over this reader, for members and visitors too.
///
/// # Errors
/// When the state, its ledger or the rules cannot be read.
pub(crate) fn open(folder: &Path, operator: Reader) -> Result<Door> {
    let database = Database::open(&Settings::of_state(folder)?.target)?;
    let log = Arc::new(Log::open(&database, folder, Arc::new(SystemClock))?);
    let rules = Arc::new(Rules::with_folder(&folder.join(RULES))?);
    let registers = FromState { desk: register::Desk::new(database), last: Mutex::default() };
    Ok(Door::new(operator).for_members(registers, rules, InLog(log)))
}

/// The register of the state, with a number for each that was ever read.
struct FromState {
    desk: register::Desk,
    last: Mutex<Option<(u64, Arc<Current>, Arc<Register>)>>,
}

impl Registers for FromState {
    fn current(&self) -> Result<(u64, Arc<Register>), String> {
        let current = self.desk.current(SystemClock.now()).map_err(|error| error.to_string())?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((number, known, register)) if Arc::ptr_eq(known, &current) => Ok((*number, Arc::clone(register))),
            other => {
                let number = other.as_ref().map_or(0, |(number, ..)| number + 1);
                let register = Arc::new(current.register.clone());
                *last = Some((number, current, Arc::clone(&register)));
                Ok((number, register))
            }
        }
    }
}

/// Writes looks into the ledger of the state.
struct InLog(Arc<Log>);

impl Witnesses for InLog {
    fn of(&self, member: &Member) -> Arc<dyn Witness> {
        let (name, organisations) = (member.name.clone(), member.organisations.clone());
        Arc::new(LookLog::new(Arc::clone(&self.0), Actor { name, organisations, purpose: Some(member.purpose) }))
    }

    fn of_visitors(&self) -> Arc<dyn Witness> {
        Arc::new(LookLog::new(Arc::clone(&self.0), Actor { name: "visitor".to_owned(), ..Actor::default() }))
    }
}
