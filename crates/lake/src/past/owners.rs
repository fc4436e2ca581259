//! Whose an address was, by the tables of places that were in use: `<state>/places/`.
//!
//! ```text
//!   places/01790000000000000-3f1c....csv     places.csv as it was when a process that writes first found it so
//! ```
//!
//! A process that opens the state folder for writing keeps a copy of `places.csv` when it is another than the last one
//! kept, and again when it becomes another while it runs. Of a time before the first copy nothing is known, and no change is told. Who may see what was seen then is
//! decided by the AS of the time ([`Then`]): before the first copy by the first one, and by none once older ones went
//! (`places/earlier`). At a hundred times the data: the [`MAX_KEPT`] newest copies are kept, and held in memory once
//! changes were asked for, or what is older than the table in use.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hinomi_model::Timestamp;

use crate::durable;
use crate::error::LakeError;
use crate::index::directory::Around;
use crate::lake::Lake;
use crate::place::{Counted, FILE, Place, Places};

/// The folder in the state folder.
const FOLDER: &str = "places";

/// The most copies that are kept.
const MAX_KEPT: usize = 8;

/// Digits of the content's hash in a name.
const HASH_DIGITS: usize = 16;

/// Tables of places with the moments from which they were in use, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Owners(Vec<(Timestamp, Places)>);

/// A copy as it was when it was read: another one has another mark.
type Mark = (PathBuf, Option<(u64, SystemTime)>);

/// The owners that were read last, and out of what.
#[derive(Debug, Default)]
pub(crate) struct OwnersAtHand(Mutex<(Vec<Mark>, Arc<Owners>)>);

impl OwnersAtHand {
    /// Those of a state folder; none when there is nothing to compare. Copies are read again when there are others.
    pub(super) fn of_state(&self, state: &Path) -> Result<Arc<Owners>, LakeError> {
        let kept = kept(state)?;
        if kept.len() < 2 { Ok(Arc::default()) } else { Ok(self.of(&kept)) }
    }

    fn of(&self, kept: &[(Timestamp, PathBuf)]) -> Arc<Owners> {
        let marks: Vec<Mark> = kept.iter().map(|(_, path)| mark(path)).collect();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 != marks {
            *held = (marks, Arc::new(Owners::read(kept)));
        }
        Arc::clone(&held.1)
    }
}

fn mark(path: &Path) -> Mark {
    let now = fs::metadata(path).and_then(|is| Ok((is.len(), is.modified()?)));
    (path.to_owned(), now.ok())
}

/// The file that says that older copies went.
const EARLIER: &str = "earlier";

/// In which AS an address was when something was seen there.
#[derive(Debug)]
pub struct Then {
    now: Arc<Places>,
    state: PathBuf,
    at_hand: Arc<OwnersAtHand>,
    /// From when on the table of now counts; none where there was no other.
    since: Option<Timestamp>,
    owners: OnceCell<(Arc<Owners>, bool)>,
}

impl Lake {
    /// To be asked of many observations: the copies are looked at once.
    ///
    /// # Errors
    /// When the folder of copies cannot be read.
    pub fn then(&self) -> Result<Then, LakeError> {
        self.follow_places();
        Then::new(&self.dir, self.places.counted(), &self.owners)
    }

    /// Takes a table of places that is another than before. It counts once a copy stands with the moment from which it
    /// does: who writes, or has a folder of its own as a replica has, keeps it first; who only reads waits for that.
    pub(crate) fn follow_places(&self) {
        let keeps = !self.reads_only() || self.part.follows();
        let take = |since| take(&self.dir, since, (keeps, !self.places.current().is_empty()));
        if self.places.follow(self.clock.now(), take).is_some() {
            tracing::info!(prefixes = self.places.current().len(), "another table of places counts from now on");
        }
    }
}

impl Then {
    /// By the tables of a state folder, without its lake.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of_state(state: &Path) -> Result<Self, LakeError> {
        // A table that is not kept counts for nobody yet.
        let counted = match kept(state)?.last() {
            Some((from, path)) if state.join(FILE).exists() => (Arc::new(Places::of_file(path)?), Some(*from)),
            _ => (Arc::new(Places::of_state(state)?), None),
        };
        Self::new(state, counted, &Arc::default())
    }

    /// The table comes with the moment from which it counts: it says nothing of before, whatever copies stand.
    fn new(state: &Path, (now, from): Counted, at_hand: &Arc<OwnersAtHand>) -> Result<Self, LakeError> {
        let kept = kept(state)?;
        let newest = kept.last().map(|(time, _)| *time);
        let others = kept.len() > 1 || from > newest || state.join(FOLDER).join(EARLIER).exists();
        let since = newest.max(from).filter(|_| others);
        let (state, owners) = (state.to_owned(), OnceCell::new());
        Ok(Self { now, state, at_hand: Arc::clone(at_hand), since, owners })
    }

    /// The AS number of an address at a moment, where one is known.
    pub fn asn(&self, address: IpAddr, time: Timestamp) -> Option<u32> {
        let place = match self.since {
            Some(since) if time < since => self.before(address, time),
            _ => self.now.find(address),
        };
        place.and_then(|place| place.asn)
    }

    /// Where an address is now, and in which AS it was at a moment.
    pub(crate) fn around(&self, address: IpAddr, time: Timestamp) -> Around<'_> {
        let around = Around::of(self.now.find(address));
        let then = self.asn(address, time);
        Around { other_then: (then != around.asn).then_some(then), ..around }
    }

    fn before(&self, address: IpAddr, time: Timestamp) -> Option<&Place> {
        let (owners, cut) = self.owners.get_or_init(|| {
            // What cannot be read is not known: nobody sees anything by it.
            let owners = kept(&self.state).map(|kept| self.at_hand.of(&kept)).unwrap_or_else(|error| {
                tracing::warn!(%error, "kept tables of places cannot be read; nobody sees by an AS what was seen before");
                Arc::default()
            });
            (owners, self.state.join(FOLDER).join(EARLIER).exists())
        });
        let after = owners.0.partition_point(|(from, _)| *from <= time);
        let first = if *cut { None } else { owners.0.first() };
        let table = after.checked_sub(1).and_then(|at| owners.0.get(at)).or(first);
        table.and_then(|(_, places)| places.find(address))
    }
}

impl Owners {
    /// What these copies say. One that cannot be read is passed over: whoever asks what happened is told the rest.
    fn read(kept: &[(Timestamp, PathBuf)]) -> Self {
        let mut owners = Vec::new();
        for (time, path) in kept {
            match File::open(path).and_then(|file| Places::read(BufReader::new(file))) {
                Ok(places) => owners.push((*time, places)),
                // Removed since the folder was read.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let file = path.display();
                    tracing::warn!(%file, %error, "a kept table of places cannot be read; its owners are not told");
                }
            }
        }
        Self(owners)
    }

    /// When the owner of an address was another than before: the moment, and who before and after.
    pub(super) fn turns(&self, address: IpAddr) -> Vec<(Timestamp, String, String)> {
        let mut told = self.0.iter().map(|(time, places)| (*time, owner(places.find(address))));
        let mut before = told.next().map(|(_, owner)| owner).unwrap_or_default();
        let mut turns = Vec::new();
        for (time, after) in told {
            if before != after {
                turns.push((time, std::mem::replace(&mut before, after.clone()), after));
            }
        }
        turns
    }
}

/// AS number and name; empty when neither is known.
fn owner(place: Option<&Place>) -> String {
    let Some(place) = place else { return String::new() };
    let asn = place.asn.map(|asn| format!("AS{asn}"));
    [asn, place.name.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The table that counts when a state folder is opened, and from when on: one that is not kept from now, where others are.
pub(crate) fn at_open(state: &Path, now: Timestamp) -> Result<Counted, LakeError> {
    if !state.join(FILE).exists() {
        return Ok(Counted::default());
    }
    match kept(state) {
        Ok(kept) if kept.is_empty() => Ok((Arc::new(Places::of_state(state)?), None)),
        Ok(kept) if is_last(&kept, &hash(state)?) => of_last(&kept),
        _ => Ok((Arc::new(Places::of_state(state)?), Some(now))),
    }
}

/// Another table, once a copy of it stands: the copy is what counts.
fn take(state: &Path, since: Timestamp, (keeps, known): (bool, bool)) -> Result<Option<Counted>, LakeError> {
    if !state.join(FILE).exists() {
        return Ok(Some((Arc::default(), Some(since))));
    }
    if keeps {
        if known && kept(state)?.is_empty() {
            // The table before was never kept: what was seen by it is not told by this one.
            let folder = state.join(FOLDER);
            fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
            let earlier = folder.join(EARLIER);
            File::create(&earlier).map_err(LakeError::io("creating", &earlier))?;
        }
        try_to_keep(state, since)?;
        return of_last(&kept(state)?).map(Some);
    }
    let kept = kept(state)?;
    let length = |path: &Path| fs::metadata(path).map(|is| is.len()).ok();
    let may_be = kept.last().is_some_and(|(_, path)| length(path) == length(&state.join(FILE)));
    if may_be && is_last(&kept, &hash(state)?) { of_last(&kept).map(Some) } else { Ok(None) }
}

fn of_last(kept: &[(Timestamp, PathBuf)]) -> Result<Counted, LakeError> {
    let Some((from, path)) = kept.last() else { return Ok(Counted::default()) };
    Ok((Arc::new(Places::of_file(path)?), Some(*from)))
}

/// Whether the newest copy is of this content.
fn is_last(kept: &[(Timestamp, PathBuf)], hash: &str) -> bool {
    kept.last().and_then(|(_, path)| path.file_stem()?.to_str()).is_some_and(|last| last.ends_with(hash))
}

/// The hash of the table of now, as names have it.
fn hash(state: &Path) -> Result<String, LakeError> {
    let (hash, _) = durable::hash(&state.join(FILE))?;
    Ok(hash.to_string().chars().take(HASH_DIGITS).collect())
}

/// Keeps a copy of the table of places, if it is another than the last one kept. Failing here keeps nobody from writing.
pub(crate) fn keep(state: &Path, now: Timestamp) {
    if let Err(error) = try_to_keep(state, now) {
        tracing::warn!(%error, "the table of places was not kept; changes of owners until the next start are not told");
    }
}

fn try_to_keep(state: &Path, now: Timestamp) -> Result<(), LakeError> {
    let places = state.join(FILE);
    if !places.exists() {
        return Ok(());
    }
    let hash = hash(state)?;
    let mut kept = kept(state)?;
    if is_last(&kept, &hash) {
        return Ok(());
    }
    // The newest copy is the last by its name, whatever the clock says.
    let now = kept.last().map_or(now, |(last, _)| now.max(last.plus(Duration::from_micros(1))));
    let folder = state.join(FOLDER);
    fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
    let path = folder.join(format!("{:020}-{hash}.csv", now.as_micros().max(0)));
    durable::replace(&places, &path)?;
    durable::sync_folder(&folder)?;
    kept.push((now, path));
    if kept.len() > MAX_KEPT {
        let earlier = folder.join(EARLIER);
        File::create(&earlier).map_err(LakeError::io("creating", &earlier))?;
    }
    for (_, path) in kept.iter().take(kept.len().saturating_sub(MAX_KEPT)) {
        fs::remove_file(path).map_err(LakeError::io("removing", path))?;
    }
    Ok(())
}

/// The copies with the moments from which they count, the oldest first.
fn kept(state: &Path) -> Result<Vec<(Timestamp, PathBuf)>, LakeError> {
    let moment = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".csv")?;
        Some(Timestamp::from_micros(name.split_once('-')?.0.parse().ok()?))
    };
    let entries = durable::entries(&state.join(FOLDER))?;
    let mut kept: Vec<_> = entries.into_iter().filter_map(|path| Some((moment(&path)?, path))).collect();
    kept.sort();
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_another_is_kept_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let put = |second: i64, text: &str| {
            fs::write(dir.path().join("places.csv"), text).unwrap();
            keep(dir.path(), at(second));
        };
        put(1, "192.0.2.0/24,64500,One\n");
        put(2, "192.0.2.0/24,64500,One\n");
        assert_eq!(kept(dir.path()).unwrap().len(), 1);
        let held = OwnersAtHand::default();
        let owners = || held.of_state(dir.path()).unwrap();
        assert!(owners().turns([192, 0, 2, 1].into()).is_empty(), "nothing to compare");
        put(3, "192.0.2.0/24,64501,Two,JP\n");
        put(4, "192.0.2.0/24,64501,Two,US\n");
        let turns = |last: u8| owners().turns([192, 0, 2, last].into());
        assert_eq!(turns(1), [(at(3), "AS64500 One".to_owned(), "AS64501 Two".to_owned())], "a country is no owner");
        assert!(Arc::ptr_eq(&owners(), &owners()), "read once");
        (5..30).for_each(|second| put(second, &format!("192.0.2.0/25,64500,One {second}\n")));
        assert_eq!(kept(dir.path()).unwrap().len(), MAX_KEPT);
        assert_eq!((turns(1).len(), turns(200).len()), (MAX_KEPT - 1, 0));
        let one = kept(dir.path()).unwrap()[3].1.clone();
        fs::remove_file(&one).unwrap();
        fs::create_dir(&one).unwrap();
        assert_eq!(turns(1).len(), MAX_KEPT - 2, "what cannot be read is passed over");
    }
}
