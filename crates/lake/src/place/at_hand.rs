//! The table of places that counts now: read again while the program runs, when its file is another.
//!
//! A file that was changed a moment ago may not be whole yet: it counts [`SETTLED`] later. One that cannot be read changes
//! nothing, is told once, and is tried again. A table that was handed over, not read from a file, stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

use hinomi_model::Timestamp;

use super::{FILE, Places};
use crate::error::LakeError;
use crate::past::owners;

/// For so long a file must not have changed.
const SETTLED: Duration = Duration::from_secs(2);

/// A file as it was: length and time of change; none where there was none.
type Mark = Option<(u64, SystemTime)>;

/// A table, and from when on it counts; none where nothing is known of one before.
pub(crate) type Counted = (Arc<Places>, Option<Timestamp>);

/// The table, and out of what it was read.
#[derive(Debug)]
pub(crate) struct PlacesAtHand {
    /// The state folder, where the table is that of a folder.
    followed: Option<PathBuf>,
    held: Mutex<Held>,
    /// Held while one reads; the others go on with the table before.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct Held {
    counted: Counted,
    mark: Mark,
    /// When it was last looked whether it is another.
    looked: Timestamp,
    /// What could not be taken, and when that was last tried.
    failed: Option<(Mark, Timestamp)>,
}

impl PlacesAtHand {
    /// This table; or where it is empty, that of the state folder, which is followed.
    pub(crate) fn new(places: Places, dir: &Path, now: Timestamp) -> Result<Self, LakeError> {
        let (followed, mark, counted) = match places.is_empty() {
            false => (None, None, (Arc::new(places), None)),
            true => (Some(dir.to_owned()), mark(&dir.join(FILE)), owners::at_open(dir, now)?),
        };
        let held = Held { counted, mark, looked: now, failed: None };
        Ok(Self { followed, held: Mutex::new(held), reading: Mutex::default() })
    }

    /// As it was last read.
    pub(crate) fn current(&self) -> Arc<Places> {
        self.counted().0
    }

    /// The same, and from when on it counts.
    pub(crate) fn counted(&self) -> Counted {
        self.held().counted.clone()
    }

    /// Takes it again where its file is another; tells from when on the new one counts. `take` is told the moment of
    /// the change, and gives nothing where the new one must not count yet.
    pub(crate) fn follow(
        &self,
        now: Timestamp,
        take: impl FnOnce(Timestamp) -> Result<Option<Counted>, LakeError>,
    ) -> Option<Timestamp> {
        let path = self.followed.as_ref()?.join(FILE);
        let _one = match self.reading.try_lock() {
            Err(TryLockError::WouldBlock) => return None,
            Err(TryLockError::Poisoned(one)) => one.into_inner(),
            Ok(one) => one,
        };
        let found = mark(&path);
        let (before, failed) = {
            let mut held = self.held();
            if found == held.mark {
                (held.looked, held.failed) = (now.max(held.looked), None);
                return None;
            }
            (held.looked, held.failed.filter(|(mark, _)| *mark == found))
        };
        let changed = found.map_or(now, |(_, time)| moment(time));
        let just_now = |time: Timestamp| time > now.minus(SETTLED) && time < now.plus(SETTLED);
        // It is looked at again; from when on it counts is told by its own time then.
        if found.is_some() && (just_now(changed) || failed.is_some_and(|(_, tried)| just_now(tried))) {
            return None;
        }
        // Not before the one before was last found there, whatever the file's own time says.
        let taken = take(changed.clamp(before, now.max(before)));
        let mut held = self.held();
        match taken {
            Ok(Some(counted)) => {
                let from = counted.1;
                *held = Held { counted, mark: found, looked: now.max(before), failed: None };
                return from.or(Some(now));
            }
            Ok(None) => {}
            Err(error) if failed.is_none() => {
                tracing::warn!(%error, "the table of places cannot be read or kept; the one before goes on");
            }
            Err(_) => {}
        }
        held.failed = Some((found, now));
        None
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(path: &Path) -> Mark {
    fs::metadata(path).and_then(|is| Ok((is.len(), is.modified()?))).ok()
}

fn moment(time: SystemTime) -> Timestamp {
    let micros = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn put(dir: &Path, text: &str, second: u64) {
        fs::write(dir.join(FILE), text).unwrap();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        File::options().write(true).open(dir.join(FILE)).unwrap().set_modified(changed).unwrap();
    }

    fn asn(places: &PlacesAtHand) -> Option<u32> {
        places.current().find([192, 0, 2, 1].into()).and_then(|place| place.asn)
    }

    fn follow(places: &PlacesAtHand, now: Timestamp) -> Option<Timestamp> {
        let dir = places.followed.clone();
        places.follow(now, |since| Ok(Some((Arc::new(Places::of_state(&dir.unwrap())?), Some(since)))))
    }

    #[test]
    fn another_file_counts_once_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "192.0.2.0/24,64500\n", 100);
        let places = PlacesAtHand::new(Places::default(), dir.path(), at(1_000)).unwrap();
        assert_eq!((follow(&places, at(1_010)), asn(&places)), (None, Some(64_500)));
        put(dir.path(), "192.0.2.0/24,64501\n", 1_020);
        assert_eq!((follow(&places, at(1_021)), asn(&places)), (None, Some(64_500)), "somebody may be writing yet");
        assert_eq!((follow(&places, at(1_030)), asn(&places)), (Some(at(1_020)), Some(64_501)));
        assert_eq!(follow(&places, at(1_031)), None, "once");
        // A file that says it is older than what was there is of after the last look.
        put(dir.path(), "192.0.2.0/24,64502\n", 5);
        assert_eq!((follow(&places, at(1_040)), asn(&places)), (Some(at(1_031)), Some(64_502)));
        fs::remove_file(dir.path().join(FILE)).unwrap();
        assert_eq!((follow(&places, at(1_050)), asn(&places)), (Some(at(1_050)), None));
        fs::create_dir(dir.path().join(FILE)).unwrap();
        assert_eq!(follow(&places, at(i64::from(u32::MAX))), None, "what cannot be read changes nothing");
        let fixed = Places::read(b"192.0.2.0/24,64510\n".as_slice()).unwrap();
        let fixed = PlacesAtHand::new(fixed, dir.path(), at(1)).unwrap();
        assert_eq!((follow(&fixed, at(2)), asn(&fixed)), (None, Some(64_510)));
    }
}
