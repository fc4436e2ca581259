//! The table of places that counts now: read again while the program runs, when its file is another.
//!
//! A file that was changed a moment ago may not be whole yet: it counts [`SETTLED`] later. One that cannot be read changes
//! nothing, and is told once. A table that was handed over, not read from a file, stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hinomi_model::Timestamp;

use super::{FILE, Places};
use crate::error::LakeError;

/// For so long a file must not have changed.
const SETTLED: Duration = Duration::from_secs(2);

/// A file as it was: length and time of change; none where there was none.
type Mark = Option<(u64, SystemTime)>;

/// The table, and out of what it was read.
#[derive(Debug)]
pub(crate) struct PlacesAtHand {
    /// The state folder, where the table is that of a folder.
    followed: Option<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    places: Arc<Places>,
    mark: Mark,
    /// When it was last looked whether it is another.
    looked: Timestamp,
}

impl PlacesAtHand {
    /// This table; or where it is empty, that of the state folder, which is followed.
    pub(crate) fn new(places: Places, dir: &Path, now: Timestamp) -> Result<Self, LakeError> {
        let (followed, mark, places) = match places.is_empty() {
            false => (None, None, places),
            true => (Some(dir.to_owned()), mark(&dir.join(FILE)), Places::of_state(dir)?),
        };
        let held = Held { places: Arc::new(places), mark, looked: now };
        Ok(Self { followed, held: Mutex::new(held) })
    }

    /// As it was last read.
    pub(crate) fn current(&self) -> Arc<Places> {
        Arc::clone(&self.held().places)
    }

    /// Reads it again where its file is another; tells from when on the new one counts.
    pub(crate) fn follow(&self, now: Timestamp) -> Option<Timestamp> {
        let dir = self.followed.as_ref()?;
        let mut held = self.held();
        let (path, before) = (dir.join(FILE), held.looked);
        let found = mark(&path);
        held.looked = now.max(before);
        if found == held.mark {
            return None;
        }
        let changed = found.map_or(now, |(_, time)| moment(time));
        let just_now = changed > now.minus(SETTLED) && changed < now.plus(SETTLED);
        if found.is_some() && just_now {
            // It is looked at again; from when on it counts is told by its own time then.
            held.looked = before;
            return None;
        }
        held.mark = found;
        match Places::of_state(dir) {
            Ok(places) => held.places = Arc::new(places),
            Err(error) => {
                tracing::warn!(%error, "the table of places cannot be read; the one before goes on");
                return None;
            }
        }
        // Not before the one before was last found there, whatever the file's own time says.
        Some(changed.clamp(before, now.max(before)))
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

    #[test]
    fn another_file_counts_once_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "192.0.2.0/24,64500\n", 100);
        let places = PlacesAtHand::new(Places::default(), dir.path(), at(1_000)).unwrap();
        assert_eq!((places.follow(at(1_010)), asn(&places)), (None, Some(64_500)));
        put(dir.path(), "192.0.2.0/24,64501\n", 1_020);
        assert_eq!((places.follow(at(1_021)), asn(&places)), (None, Some(64_500)), "somebody may be writing yet");
        assert_eq!((places.follow(at(1_030)), asn(&places)), (Some(at(1_020)), Some(64_501)));
        assert_eq!(places.follow(at(1_031)), None, "once");
        // A file that says it is older than what was there is of after the last look.
        put(dir.path(), "192.0.2.0/24,64502\n", 5);
        assert_eq!((places.follow(at(1_040)), asn(&places)), (Some(at(1_031)), Some(64_502)));
        fs::remove_file(dir.path().join(FILE)).unwrap();
        assert_eq!((places.follow(at(1_050)), asn(&places)), (Some(at(1_050)), None));
        fs::create_dir(dir.path().join(FILE)).unwrap();
        assert_eq!(places.follow(at(i64::from(u32::MAX))), None, "what cannot be read changes nothing");
        let fixed = Places::read(b"192.0.2.0/24,64510\n".as_slice()).unwrap();
        let fixed = PlacesAtHand::new(fixed, dir.path(), at(1)).unwrap();
        assert_eq!((fixed.follow(at(2)), asn(&fixed)), (None, Some(64_510)));
    }
}
