//! The state folder: everything the program keeps, in one place.
//!
//! ```text
//!   tables/      the lake: sightings and evidence (back this up)
//!   index/       derived, may be deleted
//!   rules/       identification rules of the user's own, TOML and Recog's XML
//!   own.key      the installation's own signing key: authorises loopback only
//!   trust.txt    keys whose scopes are believed, one `key name` a line
//!   revoked.txt  scopes that were taken back, one `digest reason` a line
//!   opt-out.txt  those who asked not to be probed, one prefix a line
//!   campaigns/   plans, the scopes they name, the ledger of what was sent (back this up)
//!   places.csv   optional table of prefixes: AS number, operator, country, prefecture; places/ as it was before
//!   compaction.json  what was merged last
//!   flow/        findings of C&C servers: journal, ledger, status of the collector (back this up)
//!   town.json    which simulated town is up
//!   state.toml   optional: where the state database is, and which server of several this is
//!   state.sqlite the state, where no other database is named
//!   server.id    what tells this state folder from those of other servers
//! ```

mod belief;

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hinomi_lake::{Compactor, Lake, LakeError, LakeOptions, Places};
use hinomi_model::{Identifier, SystemClock};
use hinomi_share::{Door, Reader, Viewer};
use hinomi_state::{Database, Settings, Work};
use hinomi_survey::{OptOut, PrivateKey};

use crate::alerts;
use crate::identifier;
use crate::output::talk;
use crate::rounds::Rounds;
use crate::servers::{self, Follower, FromState};
use crate::witness::InLedger;

/// The folder, which may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct State {
    dir: PathBuf,
    /// Folders of rules besides its own.
    rules: Vec<PathBuf>,
}

/// The lake, open for writing; beside who writes, small files are merged.
pub(crate) struct OpenLake {
    _compactor: Compactor,
    lake: Arc<Lake>,
}

impl Deref for OpenLake {
    type Target = Arc<Lake>;

    fn deref(&self) -> &Arc<Lake> {
        &self.lake
    }
}

impl State {
    /// The folder asked for, or the platform's data folder.
    pub(crate) fn locate(asked: Option<PathBuf>) -> Result<Self> {
        let dir = match asked {
            Some(dir) => dir,
            None => default_dir().context("no home folder is known; name a folder with --state DIR")?,
        };
        Ok(Self { dir, rules: Vec::new() })
    }

    /// The same folder, and these folders of rules besides its own.
    pub(crate) fn with_rules(self, rules: &[PathBuf]) -> Self {
        Self { rules: rules.to_vec(), ..self }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The lake, for writing. One process at a time.
    pub(crate) fn open_lake(&self) -> Result<OpenLake> {
        let lake = self.open_to_identify()?;
        let old = lake.by_other_rules()?;
        if old > 0 {
            talk(&format!(
                "{old} contents were identified by other rules; hinomi identify --again brings them up to date"
            ));
        }
        Ok(OpenLake { _compactor: Compactor::start(&lake)?, lake })
    }

    /// The lake, for writing, when facts of other rules are no news.
    pub(crate) fn open_to_identify(&self) -> Result<Arc<Lake>> {
        let rules = self.make()?.join(identifier::FOLDER);
        fs::create_dir_all(&rules).with_context(|| format!("cannot make the folder {}", rules.display()))?;
        self.lake(false, Arc::new(identifier::complete(&self.dir, &self.rules)?))
    }

    /// The lake, for reading on the command line, also while another process writes.
    pub(crate) fn reader(&self) -> Result<Reader> {
        self.reader_by("command line")
    }

    /// The same for the pages.
    pub(crate) fn reader_for_pages(&self) -> Result<Reader> {
        self.reader_by("pages")
    }

    fn reader_by(&self, way: &'static str) -> Result<Reader> {
        let open = || self.lake(true, Arc::new(identifier::to_read(&self.dir)?));
        let lake = match open() {
            Err(error) if matches!(error.downcast_ref(), Some(LakeError::OtherIndex)) && self.is_ours() => {
                talk("the index is built again from the tables");
                self.open_to_identify()
                    .map_err(|why| error.context(format!("it cannot be built again now: {why:#}")))?;
                open()?
            }
            opened => opened?,
        };
        Ok(Reader::new(lake, Viewer::Operator).before(self.witness(way)))
    }

    /// The lake for the pages, following what other servers write; the follower lives as long as it is kept.
    pub(crate) fn replica_for_pages(&self, every: Duration) -> Result<(Reader, Follower)> {
        let rules = self.make()?.join(identifier::FOLDER);
        fs::create_dir_all(&rules).with_context(|| format!("cannot make the folder {}", rules.display()))?;
        let member = servers::join(&self.dir, Work::Replica)?;
        let options = self.options(true, Arc::new(identifier::complete(&self.dir, &self.rules)?))?;
        let lake = Lake::open_replica(options).with_context(|| self.named())?;
        let lake = Arc::new(lake);
        let reader = Reader::new(Arc::clone(&lake), Viewer::Operator).before(self.witness("pages"));
        Ok((reader, Follower::start(lake, member, every)?))
    }

    /// Whether what is written there by this user can be written again by those whose folder it is.
    #[cfg(unix)]
    fn is_ours(&self) -> bool {
        use std::os::unix::fs::MetadataExt;

        let owner = fs::metadata(self.dir.join("tables")).map(|tables| tables.uid());
        owner.is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
    }

    #[cfg(not(unix))]
    fn is_ours(&self) -> bool {
        true
    }

    /// Which installation this is, for what leaves it; without a name where the state cannot be read.
    pub(crate) fn installation(&self) -> String {
        let asked = self.make().and_then(|folder| {
            let database = Database::open(&Settings::of_state(folder)?.target)?;
            Ok(database.installation()?)
        });
        asked.unwrap_or_else(|error| {
            talk(&format!("what leaves bears no name of this installation: {error:#}"));
            String::new()
        })
    }

    /// Makes and sends alerts of saved queries, for as long as it is kept.
    ///
    /// # Errors
    /// When the state cannot be opened, or the settings of alerts do not do.
    pub(crate) fn alerts(&self, door: Door) -> Result<Rounds> {
        let folder = self.make()?;
        alerts::start(folder, Database::open(&Settings::of_state(folder)?.target)?, door)
    }

    /// What sends released notices; none where there is no relay or nobody said who we are.
    ///
    /// # Errors
    /// When the state cannot be opened, or the settings of notices do not do.
    pub(crate) fn notices(&self, door: hinomi_share::Door) -> Result<Option<crate::notices::Sender>> {
        let folder = self.make()?;
        let sender = crate::notices::Sender::new(folder, door, Database::open(&Settings::of_state(folder)?.target)?)?;
        Ok(Some(sender).filter(crate::notices::Sender::can))
    }

    /// Who writes down that somebody looked at findings.
    pub(crate) fn witness(&self, way: &'static str) -> Arc<InLedger> {
        Arc::new(InLedger::of_state(&self.dir, way))
    }

    fn lake(&self, read_only: bool, identifier: Arc<dyn Identifier>) -> Result<Arc<Lake>> {
        let options = self.options(read_only, identifier)?;
        let member = if read_only { None } else { servers::join(&self.dir, Work::Writer)? };
        let lake = match member {
            Some(member) => Lake::open_shared(options, Arc::new(FromState::new(member))),
            None => Lake::open(options),
        };
        Ok(Arc::new(lake.with_context(|| self.named())?))
    }

    fn options(&self, read_only: bool, identifier: Arc<dyn Identifier>) -> Result<LakeOptions> {
        // Those of the folder, which the lake follows.
        let (dir, places) = (self.dir.clone(), Places::default());
        Ok(LakeOptions { dir, read_only, identifier, places, clock: Arc::new(SystemClock) })
    }

    fn named(&self) -> String {
        format!("state folder {}", self.dir.display())
    }

    /// The folder, made if it is not there.
    pub(crate) fn make(&self) -> Result<&Path> {
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot make the state folder {}", self.dir.display()))?;
        Ok(&self.dir)
    }

    /// The opt-out list, which is read again while the program runs.
    pub(crate) fn opt_out(&self) -> Result<Arc<OptOut>> {
        let path = self.opt_out_path();
        Ok(Arc::new(OptOut::load(&path)?))
    }

    pub(crate) fn opt_out_path(&self) -> PathBuf {
        self.dir.join("opt-out.txt")
    }

    /// The installation's own key; made at the first need.
    pub(crate) fn own_key(&self) -> Result<PrivateKey> {
        self.make()?;
        let path = self.dir.join("own.key");
        if !path.exists() {
            write_key(&path, &PrivateKey::generate()?)?;
        }
        read_key(&path)
    }
}

/// Writes a private key to a new file that only its owner can read.
pub(crate) fn write_key(path: &Path, key: &PrivateKey) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot make the key file {}", path.display()))?;
    writeln!(file, "{}", key.to_text()).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads a private key.
pub(crate) fn read_key(path: &Path) -> Result<PrivateKey> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the key file {}", path.display()))?;
    PrivateKey::from_text(&text).with_context(|| format!("{}", path.display()))
}

fn default_dir() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return folder("LOCALAPPDATA").map(|base| base.join("hinomi"));
    }
    let home = folder("HOME");
    if cfg!(target_os = "macos") {
        return home.map(|home| home.join("Library/Application Support/hinomi"));
    }
    folder("XDG_DATA_HOME").or_else(|| home.map(|home| home.join(".local/share"))).map(|base| base.join("hinomi"))
}
