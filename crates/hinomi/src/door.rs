//! The door of an installation: the register and the ledger of its state, the rules of its folder.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use hinomi_model::SystemClock;
use hinomi_share::door::Witnesses;
use hinomi_share::ledger::{Actor, Log, LookLog};
use hinomi_share::register::Desk;
use hinomi_share::rulebook::{LOOK_EVERY, RuleBook, Told};
use hinomi_share::{Door, Member, Reader, Witness};
use hinomi_state::{Database, Settings};

use crate::witness;

/// Folder in the state folder with rules of the installation's own.
pub(crate) const RULES: &str = "policies";
/// Who looked, where it was a visitor: with a space, so that no account is called so and finds these looks among its own.
pub(crate) const VISITOR: &str = "a visitor";

/// The door over this reader, for members and visitors too.
///
/// # Errors
/// When the state, its ledger or the rules cannot be read.
pub(crate) fn open(folder: &Path, operator: Reader) -> Result<Door> {
    let database = Database::open(&Settings::of_state(folder)?.target)?;
    let log = Arc::new(Log::open(&database, folder, Arc::new(SystemClock))?);
    let rules = rules(folder, Arc::clone(&log))?;
    Ok(Door::new(operator).for_members(Desk::new(database, Arc::new(SystemClock)), rules, InLog(log)))
}

/// The rules of this folder; each set is in the ledger before it counts.
fn rules(folder: &Path, log: Arc<Log>) -> Result<RuleBook> {
    let by = Actor { name: format!("operator {}", witness::user()), ..Actor::default() };
    let tell = move |told: Told<'_>| match told {
        Told::Count(rules) => {
            let (sha256, count) = (rules.sha256(), rules.list().len());
            let new = log.rules_count(by.clone(), sha256, &format!("{count} rules, from {RULES}/ and built in"));
            if new.map_err(|error| error.to_string())? {
                tracing::info!(sha256, rules = count, "these rules count from now on");
            }
            Ok(())
        }
        Told::Refused(why) => {
            tracing::error!(%why, "what {RULES}/ says now does not count; the rules before it go on");
            Ok(())
        }
    };
    Ok(RuleBook::of(&folder.join(RULES), LOOK_EVERY, Box::new(tell))?)
}

/// Writes looks into the ledger of the state.
struct InLog(Arc<Log>);

impl Witnesses for InLog {
    fn of(&self, member: &Member) -> Arc<dyn Witness> {
        let (name, organisations, purpose) = (member.name.clone(), member.organisations.clone(), Some(member.purpose));
        Arc::new(LookLog::new(Arc::clone(&self.0), Actor { name, organisations, purpose, ..Actor::default() }))
    }

    fn ledger(&self) -> Option<Arc<Log>> {
        Some(Arc::clone(&self.0))
    }

    fn of_visitors(&self) -> Arc<dyn Witness> {
        Arc::new(LookLog::new(Arc::clone(&self.0), Actor { name: VISITOR.to_owned(), ..Actor::default() }))
    }
}
