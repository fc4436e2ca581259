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
//!   places.csv   optional table of prefixes: AS number, operator, country, prefecture
//!   flow/        findings of C&C servers: journal, ledger, status of the collector (back this up)
//!   town.json    which simulated town is up
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hinomi_lake::{Lake, LakeOptions, Places};
use hinomi_model::{Identifier, SystemClock};
use hinomi_share::{Reader, Viewer};
use hinomi_survey::{OptOut, PrivateKey, PublicKey, Trust};

use crate::identifier;
use crate::output::talk;
use crate::witness::InLedger;

/// The folder, which may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct State {
    dir: PathBuf,
    /// Folders of rules besides its own.
    rules: Vec<PathBuf>,
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
    pub(crate) fn open_lake(&self) -> Result<Arc<Lake>> {
        let lake = self.open_to_identify()?;
        let old = lake.by_other_rules()?;
        if old > 0 {
            talk(&format!(
                "{old} contents were identified by other rules; hinomi identify --again brings them up to date"
            ));
        }
        Ok(lake)
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
        let lake = self.lake(true, Arc::new(identifier::to_read(&self.dir)?))?;
        Ok(Reader::new(lake, Viewer::Operator).before(self.witness(way)))
    }

    /// Who writes down that somebody looked at findings.
    pub(crate) fn witness(&self, way: &'static str) -> Arc<InLedger> {
        Arc::new(InLedger::of_state(&self.dir, way))
    }

    fn lake(&self, read_only: bool, identifier: Arc<dyn Identifier>) -> Result<Arc<Lake>> {
        let options = LakeOptions {
            dir: self.dir.clone(),
            read_only,
            identifier,
            places: Places::of_state(&self.dir)?,
            clock: Arc::new(SystemClock),
        };
        let lake = Lake::open(options).with_context(|| format!("state folder {}", self.dir.display()))?;
        Ok(Arc::new(lake))
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

    /// Whom scopes are believed from: the installation itself for loopback, and the keys of `trust.txt`.
    pub(crate) fn trust(&self) -> Result<Trust> {
        let mut trust = Trust::default();
        if self.dir.join("own.key").exists() {
            trust = trust.own(self.own_key()?.public());
        }
        for (key, name) in self.trusted()? {
            trust = trust.signer(key, name);
        }
        let revoked = self.lines(REVOKED)?;
        Ok(revoked.iter().fold(trust, |trust, (digest, reason)| trust.without(digest, reason)))
    }

    /// Takes a scope back: no run goes on under it, and none begins. Tells whether that is new.
    pub(crate) fn revoke(&self, digest: &str, reason: &str) -> Result<bool> {
        self.add_line(REVOKED, digest, reason)
    }

    /// Believes a key no more; tells whether it was believed.
    pub(crate) fn distrust(&self, key: PublicKey) -> Result<bool> {
        let path = self.dir.join(TRUST);
        let text = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
        let is_it = |line: &str| line.split_once(' ').map_or(line, |(first, _)| first) == key.to_string();
        let kept: String = text.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect();
        if kept.lines().count() == text.lines().count() {
            return Ok(false);
        }
        let temporary = path.with_extension("new");
        fs::write(&temporary, kept).with_context(|| format!("cannot write {}", temporary.display()))?;
        fs::rename(&temporary, &path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(true)
    }

    fn trusted(&self) -> Result<Vec<(PublicKey, String)>> {
        let read = |(key, name): (String, String)| {
            let key = PublicKey::from_text(&key).with_context(|| format!("{}", self.dir.join(TRUST).display()))?;
            Ok((key, name))
        };
        self.lines(TRUST)?.into_iter().map(read).collect()
    }

    /// Believes a key from now on; tells whether that is new. Believing the same key twice changes nothing.
    pub(crate) fn add_trust(&self, key: PublicKey, name: &str) -> Result<bool> {
        self.trusted()?;
        self.add_line(TRUST, &key.to_string(), name)
    }

    /// The lines of a list: first word and rest.
    fn lines(&self, file: &str) -> Result<Vec<(String, String)>> {
        let path = self.dir.join(file);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let parts = |line: &str| {
            let (first, rest) = line.split_once(' ').unwrap_or((line, "unnamed"));
            (first.to_owned(), rest.trim().to_owned())
        };
        Ok(lines.map(parts).collect())
    }

    /// Adds a line to a list unless its first word is there; tells whether it was not.
    fn add_line(&self, file: &str, first: &str, rest: &str) -> Result<bool> {
        if rest.trim().is_empty() || rest.contains(['\n', '\r']) {
            bail!("the name or reason must be one line");
        }
        self.make()?;
        if self.lines(file)?.iter().any(|(known, _)| known == first) {
            return Ok(false);
        }
        let path = self.dir.join(file);
        let mut lines = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(lines, "{first} {}", rest.trim()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(true)
    }
}

/// Keys that are believed.
const TRUST: &str = "trust.txt";
/// Scopes that were taken back.
const REVOKED: &str = "revoked.txt";

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
