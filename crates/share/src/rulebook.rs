//! The rules as their folder says them now: read again when a file changed, whole or not at all.
//!
//! A set that cannot be read, or that nobody could write down, changes nothing: the one before goes on counting, and
//! [`RuleBook::standing`] says why. Files are looked at every few seconds at most, by name, size and time of change; one that
//! was changed a moment ago is read again, since its time may not tell the next change from that one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use hinomi_model::{Clock, SystemClock};

use crate::rules::{Rules, RulesError};

/// How often the folder is looked at, at most.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a time of change does not tell two changes apart.
const BLURRED: Duration = Duration::from_secs(2);

/// What is told of rules.
pub enum Told<'a> {
    /// They count from now on, if this can be written down.
    Count(&'a Rules),
    /// What the folder says now does not; why.
    Refused(&'a str),
}

/// Whoever is told writes it down, or says why not.
pub type Tell = Box<dyn Fn(Told<'_>) -> Result<(), String> + Send + Sync>;

/// How the rules stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// SHA-256 of the rules that count, in hex.
    pub sha256: String,
    /// How many they are.
    pub rules: usize,
    /// Why what the folder says now does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The files of a folder, as far as tells whether they changed.
type Look = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Rules that follow their folder.
pub struct RuleBook {
    folder: Option<PathBuf>,
    every: Duration,
    counts: RwLock<Arc<Rules>>,
    looked: Mutex<Looked>,
    tell: Tell,
}

struct Looked {
    at: Instant,
    files: Look,
    /// Whether a file is so young that its time tells nothing yet.
    blurred: bool,
    refused: Option<String>,
}

impl From<Arc<Rules>> for RuleBook {
    fn from(rules: Arc<Rules>) -> Self {
        Self::fixed(rules)
    }
}

impl RuleBook {
    /// Rules that never change.
    pub fn fixed(rules: Arc<Rules>) -> Self {
        let looked = Looked { at: Instant::now(), files: Vec::new(), blurred: false, refused: None };
        let tell: Tell = Box::new(|_| Ok(()));
        Self { folder: None, every: Duration::MAX, counts: RwLock::new(rules), looked: Mutex::new(looked), tell }
    }

    /// The rules of this folder, which need not be there, looked at again no more often than this.
    ///
    /// # Errors
    /// When they cannot be read, or cannot be written down.
    pub fn of(folder: &Path, every: Duration, tell: Tell) -> Result<Self, RulesError> {
        let files = look(folder);
        let rules = Rules::with_folder(folder)?;
        let refuse = |detail| RulesError::Text { file: folder.display().to_string(), detail };
        tell(Told::Count(&rules)).map_err(refuse)?;
        let looked = Looked { at: Instant::now(), blurred: is_blurred(&files), files, refused: None };
        let (counts, looked) = (RwLock::new(Arc::new(rules)), Mutex::new(looked));
        Ok(Self { folder: Some(folder.to_owned()), every, counts, looked, tell })
    }

    /// The rules that count now.
    pub fn current(&self) -> Arc<Rules> {
        // Who comes while another looks is answered by what counts until then.
        if let (Some(folder), Ok(mut looked)) = (&self.folder, self.looked.try_lock())
            && looked.at.elapsed() >= self.every
        {
            self.follow(folder, &mut looked);
        }
        Arc::clone(&self.counts.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How they stand.
    pub fn standing(&self) -> Standing {
        let rules = self.current();
        let refused = self.looked.lock().unwrap_or_else(PoisonError::into_inner).refused.clone();
        Standing { sha256: rules.sha256().to_owned(), rules: rules.list().len(), refused }
    }

    fn follow(&self, folder: &Path, looked: &mut Looked) {
        let files = look(folder);
        if files != looked.files || looked.blurred {
            let refused = self.take(folder).err();
            if let Some(why) = refused.as_ref().filter(|why| looked.refused.as_ref() != Some(why)) {
                // It is told besides, by its standing.
                drop((self.tell)(Told::Refused(why)));
            }
            // What could not be written down is tried again.
            looked.blurred = is_blurred(&files) || refused.is_some();
            (looked.files, looked.refused) = (files, refused);
        }
        looked.at = Instant::now();
    }

    /// Takes what the folder says.
    fn take(&self, folder: &Path) -> Result<(), String> {
        let rules = Rules::with_folder(folder).map_err(|error| error.to_string())?;
        if rules.sha256() == self.counts.read().unwrap_or_else(PoisonError::into_inner).sha256() {
            return Ok(());
        }
        (self.tell)(Told::Count(&rules))?;
        *self.counts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }
}

fn look(folder: &Path) -> Look {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "cedar"));
    let mut files: Look = named
        .map(|path| {
            let told = fs::metadata(&path).ok();
            let (length, time) = told.map_or((0, None), |told| (told.len(), told.modified().ok()));
            (path, length, time)
        })
        .collect();
    files.sort();
    files
}

fn is_blurred(files: &Look) -> bool {
    // Times of files are the machine's own, whatever clock a test has.
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(SystemClock.now().as_micros().unsigned_abs());
    let young =
        |time: &Option<SystemTime>| time.is_none_or(|time| now.duration_since(time).map_or(true, |age| age < BLURRED));
    files.iter().any(|(_, _, time)| young(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "@id(\"own\") @says(\"Nobody reads RED here\")
        forbid (principal is Member, action == Action::\"read\", resource is Record) when { resource.tlp == 4 };";

    #[test]
    fn rules_follow_their_folder_and_what_does_not_do_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.cedar");
        let told = Arc::new(Mutex::new(Vec::new()));
        let paper = Arc::clone(&told);
        let tell: Tell = Box::new(move |what| {
            let mut told = paper.lock().unwrap();
            if told.len() > 3 {
                return Err("no paper".to_owned());
            }
            told.push(match what {
                Told::Count(rules) => rules.sha256().to_owned(),
                Told::Refused(why) => format!("refused: {why}"),
            });
            Ok(())
        });
        let book = RuleBook::of(folder.path(), Duration::ZERO, tell).unwrap();
        let built_in = book.standing();
        assert_eq!(told.lock().unwrap().as_slice(), std::slice::from_ref(&built_in.sha256));
        fs::write(&file, OWN).unwrap();
        let own = book.standing();
        assert_eq!((own.rules, own.refused), (built_in.rules + 1, None));
        // As long, at nearly the same time, and another rule.
        fs::write(&file, OWN.replace("== 4", "== 3")).unwrap();
        let other = book.standing();
        assert!(other.sha256 != own.sha256 && other.rules == own.rules);
        assert_eq!(told.lock().unwrap().as_slice(), [built_in.sha256.clone(), own.sha256, other.sha256.clone()]);
        for _ in 0..3 {
            fs::write(&file, "permit (principal, action, resource);").unwrap();
            let bad = book.standing();
            assert!(bad.sha256 == other.sha256 && bad.refused.is_some_and(|why| why.contains("@id")));
        }
        assert_eq!(told.lock().unwrap().len(), 4, "told once");
        // What cannot be written down does not count.
        fs::remove_file(&file).unwrap();
        let unwritten = book.standing();
        assert_eq!(
            (unwritten.sha256.as_str(), unwritten.refused.as_deref()),
            (other.sha256.as_str(), Some("no paper"))
        );
        told.lock().unwrap().clear();
        assert_eq!(book.standing(), Standing { sha256: built_in.sha256, rules: built_in.rules, refused: None });
        fs::write(&file, "rubbish").unwrap();
        assert!(
            RuleBook::of(folder.path(), Duration::ZERO, Box::new(|_| Ok(()))).is_err(),
            "at the start it is refused"
        );
    }
}
