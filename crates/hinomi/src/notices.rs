//! Notices at work: while the program serves, what is released is looked at once more and handed to the relay of
//! `alerts.toml`. Who we are and how much one person may let leave stands in `notices.toml`.

mod post;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::Door;
use hinomi_share::ledger::Log;
use hinomi_share::notice::deliver::{Delivered, deliver};
use hinomi_share::notice::{Desk, Settings};
use hinomi_state::Database;

use crate::alerts;
use crate::rounds::Rounds;
pub(crate) use post::Courier;

/// The file, in the state folder.
pub(crate) const FILE: &str = "notices.toml";
/// Longest file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// Notices sent in one go.
const MOST_AT_ONCE: u64 = 50;
/// Who sends, in the history of notices.
const BY: &str = "sender";

/// The settings of a state folder; an absent file is the default, with which nothing is drafted.
///
/// # Errors
/// When the file cannot be read or understood.
pub(crate) fn settings(folder: &Path) -> Result<Settings> {
    let path = folder.join(FILE);
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(about) if about.len() > MAX_FILE_BYTES => bail!("{} is too long", path.display()),
        Ok(_) => {}
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let settings: Settings = toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
    settings.check().with_context(|| format!("cannot use {}", path.display()))?;
    Ok(settings)
}

/// What sending takes.
pub(crate) struct Sender {
    door: Door,
    database: Database,
    log: Log,
    settings: Settings,
    courier: Option<Courier>,
}

impl Sender {
    /// Of a state folder.
    ///
    /// # Errors
    /// When the settings do not do, or state and ledger cannot be opened.
    pub(crate) fn new(folder: &Path, door: Door, database: Database) -> Result<Self> {
        let settings = settings(folder)?;
        let courier = match alerts::Settings::read(folder)?.mail {
            Some(mail) if settings.check().is_ok() => Some(Courier::new(&mail, &settings)?),
            _ => None,
        };
        let log = Log::open(&database, folder, Arc::new(SystemClock))?;
        Ok(Self { door, database, log, settings, courier })
    }

    /// Whether anything can be sent from here.
    pub(crate) const fn can(&self) -> bool {
        self.courier.is_some()
    }

    /// Sends what is due. Where there is no relay nothing is taken: another server may have one.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub(crate) fn send(&self, going: &dyn Fn(u64) -> bool) -> Result<Delivered> {
        let Some(courier) = &self.courier else { return Ok(Delivered::default()) };
        let desk = Desk { door: &self.door, database: &self.database, settings: &self.settings, by: BY };
        Ok(deliver(&desk, &self.log, courier, (&|| SystemClock.now(), going))?)
    }
}

/// Starts to send.
///
/// # Errors
/// When no thread can be made.
pub(crate) fn start(sender: Sender) -> Result<Rounds> {
    Rounds::start("notices", move |ended| {
        let going = |tried| tried < MOST_AT_ONCE && !ended.load(Ordering::Relaxed);
        if let Err(error) = sender.send(&going) {
            tracing::warn!(error = %format!("{error:#}"), "notices cannot be sent");
        }
    })
}
