//! The door of an installation: the register and the ledger of its state, the rules of its folder.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use hinomi_model::SystemClock;
use hinomi_share::door::Witnesses;
use hinomi_share::ledger::{Actor, Log, LookLog};
use hinomi_share::register::Desk;
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
    Ok(Door::new(operator).for_members(Desk::new(database, Arc::new(SystemClock)), rules, InLog(log)))
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
