//! Looks at findings and what leaves are entries of ledgers, on the command line as on pages.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_flow::ledger::{self, Event, Ledger, Words};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::ledger::{Actor, Log, LookLog};
use hinomi_share::{Departure, Sight, Witness};
use hinomi_state::{Database, Settings};

/// Longest name of a user that is written down, in characters.
const MAX_NAME_CHARS: usize = 60;

/// The ledger of a state folder.
pub(crate) fn ledger_path(state: &Path) -> PathBuf {
    state.join("flow").join(ledger::FILE_NAME)
}

/// Who runs this process, by a name that may be anything.
pub(crate) fn name() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let plain = |c: &char| c.is_alphanumeric() || "-_.@ ".contains(*c);
    let name: String = named.unwrap_or_default().chars().filter(plain).take(MAX_NAME_CHARS).collect();
    if Words::new(&name).is_ok() { name } else { "somebody".to_owned() }
}

/// Who runs this process, as the system knows: the name may be anything, the number is the system's own.
pub(crate) fn user() -> String {
    let name = name();
    #[cfg(unix)]
    return format!("{name} (uid {})", rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    name
}

/// Writes looks into the ledger.
pub(crate) struct InLedger {
    path: PathBuf,
    state: PathBuf,
    /// By which way one looks: `command line` or `pages`.
    way: &'static str,
    ledger: Mutex<Option<Ledger>>,
}

impl InLedger {
    pub(crate) fn of_state(state: &Path, way: &'static str) -> Self {
        Self { path: ledger_path(state), state: state.to_owned(), way, ledger: Mutex::default() }
    }

    fn event(&self, sight: &Sight) -> Result<Event, String> {
        let words = |text: &str| Words::new(text).map_err(|error| error.to_string());
        Ok(Event::Looked { by: words(&user())?, what: words(sight.words())?, reason: words(self.way)? })
    }
}

impl Witness for InLedger {
    fn looked(&self, sight: Sight) -> Result<(), String> {
        let (event, now) = (self.event(&sight)?, SystemClock.now());
        let mut open = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some(Ledger::open(&self.path, now).map_err(|error| error.to_string())?);
        }
        let Some(ledger) = open.as_mut() else { return Ok(()) };
        ledger.append(now, event).map(drop).map_err(|error| error.to_string())
    }

    /// What leaves is told in the ledger of the state, where what members take is told too.
    fn left(&self, departure: Departure) -> Result<(), String> {
        let told = || -> anyhow::Result<()> {
            let database = Database::open(&Settings::of_state(&self.state)?.target)?;
            let log = Log::open(&database, &self.state, Arc::new(SystemClock))?;
            let by = Actor { name: format!("operator {} by {}", user(), self.way), ..Actor::default() };
            LookLog::new(Arc::new(log), by).left(departure).map_err(anyhow::Error::msg)
        };
        told().map_err(|error| format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_is_an_entry_without_an_address() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("flow")).unwrap();
        let witness = InLedger::of_state(state.path(), "pages");
        for sight in [Sight::Findings, Sight::Finding, Sight::List] {
            witness.looked(sight).unwrap();
        }
        let entries = ledger::entries(&ledger_path(state.path())).unwrap();
        let told: Vec<String> = entries
            .into_iter()
            .filter_map(|entry| match entry.event {
                Event::Looked { what, reason, .. } => Some(format!("{what} by {reason}")),
                _ => None,
            })
            .collect();
        assert_eq!(told, ["held findings by pages", "one finding by pages", "the list to be shared by pages"]);
    }

    #[test]
    fn what_cannot_be_written_down_is_refused() {
        let state = tempfile::tempdir().unwrap();
        assert!(InLedger::of_state(state.path(), "pages").looked(Sight::Findings).is_err());
    }
}
