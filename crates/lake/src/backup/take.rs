//! A backup, taken while a writer may go on.
//!
//! At a hundred times the data: see [`super`].

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinomi_model::{Clock, ContentHash, Timestamp};
use parquet::file::reader::Length;
use serde::Serialize;

use super::files::{alone, is_data, is_linked, is_private, of_link, refuse_deletion};
use super::manifest::{Kept, Manifest, manifests, path_of};
use super::{MANIFESTS, OBJECTS};
use crate::durable;
use crate::error::LakeError;
use crate::evidence::EVIDENCE;
use crate::facts::FACTS;
use crate::sightings::SIGHTINGS;
use crate::table::store::{Claim, Root, credentials_of};
use crate::table::{DataFile, Located, Table, read};

/// How often a backup begins again when files that it wanted were erased meanwhile.
const MAX_ATTEMPTS: u32 = 5;

/// How deep folders of the state shelf nest, at most.
const MAX_DEPTH: u32 = 16;

/// What of the state folder is no part of a backup: derived, a lock, or of this moment.
const LEFT_OUT: &[&str] = &[
    "tables",
    "index",
    "lock",
    "town.json",
    "room.tmp",
    "quarantine",
    crate::erase::MARK,
    crate::compact::account::FILE,
    "drafts",
    "lake.toml",
    "writer",
    "lake/ledger.root",
    crate::erase::MOMENTS,
    // Who this server is among several, and who holds what.
    "server.id",
    "state.sqlite",
    "state.sqlite-wal",
    "state.sqlite-shm",
];

/// How to take a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Copy also where a hard link would do, so that damage to the disk's blocks does not reach both.
    pub copy: bool,
    /// Read again what earlier backups brought here, and everything that it was taken from; replace what is damaged.
    pub verify: bool,
    /// Then remove the backups before this one, and what only they hold: what was erased since is nowhere any more.
    pub forget_older: bool,
}

/// What a backup came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its number.
    pub number: u64,
    /// Files in it.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that were not in the backups before it.
    pub new_files: u64,
    /// Bytes of those.
    pub new_bytes: u64,
    /// How many of those are hard links.
    pub linked: u64,
    /// Files of earlier backups that were removed.
    pub forgotten: u64,
}

/// Backs a state folder up, wherever its tables lie, into a folder that holds backups of it, or nothing. `progress` is told how many files are
/// done.
///
/// # Errors
/// When something cannot be read or written, or is damaged: then there is no new backup, and the ones before stand.
pub fn take(
    state: &Path,
    backup: &Path,
    options: Options,
    clock: &Arc<dyn Clock>,
    progress: &mut dyn FnMut(u64),
) -> Result<Taken, LakeError> {
    let root = Root::of_state(state, &Claim::Nothing, clock)?;
    for folder in [OBJECTS, MANIFESTS] {
        let folder = backup.join(folder);
        fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
    }
    let _alone = alone(backup)?;
    refuse_deletion(state)?;
    // Its name is known before anything is in it: what is erased from now on is brought there too.
    crate::erase::known_backup(state, backup)?;
    let mut attempt = 1;
    loop {
        let mut taking = Taking::begin(state, root.clone(), backup, options, clock.now())?;
        match taking.run(progress) {
            Ok(true) if options.forget_older => return taking.forget_older(),
            Ok(true) => return Ok(taking.taken),
            Ok(false) if attempt < MAX_ATTEMPTS => {}
            Ok(false) => return Err(LakeError::Crossed { table: SIGHTINGS.name }),
            // A bucket tells of what went meanwhile as of what is lost.
            Err(LakeError::Damaged { .. }) if attempt < MAX_ATTEMPTS && taking.is_overtaken() => {}
            Err(LakeError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && attempt < MAX_ATTEMPTS => {}
            Err(error) => return Err(error),
        }
        attempt += 1;
    }
}

struct Taking<'a> {
    state: &'a Path,
    root: Root,
    /// Whether the tables are files of the state folder.
    local: bool,
    /// The keys to the object store, which are no part of a backup.
    keys: Option<PathBuf>,
    backup: &'a Path,
    options: Options,
    /// Data files that an earlier backup has, by path and size.
    before: HashMap<(String, u64), ContentHash>,
    /// The same, with its size, by path.
    sizes: HashMap<String, u64>,
    manifest: Manifest,
    taken: Taken,
}

impl<'a> Taking<'a> {
    fn begin(
        state: &'a Path,
        root: Root,
        backup: &'a Path,
        options: Options,
        now: Timestamp,
    ) -> Result<Self, LakeError> {
        let last = manifests(backup)?.last().copied();
        let number = last.map_or(1, |last| last + 1);
        let (mut before, mut sizes) = (HashMap::new(), HashMap::new());
        if let Some(last) = last {
            let files = Manifest::read(&path_of(backup, last))?.files.into_iter();
            for kept in files.filter(|kept| is_data(&kept.path)) {
                sizes.insert(kept.path.clone(), kept.bytes);
                before.insert((kept.path, kept.bytes), kept.hash);
            }
        }
        let (manifest, taken) = (Manifest::new(number, now), Taken { number, ..Taken::default() });
        let (local, keys) = (state.join("tables").exists(), credentials_of(state)?);
        Ok(Self { state, root, local, keys, backup, options, before, sizes, manifest, taken })
    }

    /// Whether it is done; not when something was erased meanwhile.
    fn run(&mut self, progress: &mut dyn FnMut(u64)) -> Result<bool, LakeError> {
        let deletion = self.deletion()?;
        // Sightings first: evidence that comes later than they do is in nobody's way, evidence that is missing is.
        for definition in [&SIGHTINGS, &EVIDENCE, &FACTS] {
            let table = Table::open(&self.root, definition)?;
            let Some(version) = table.version() else { continue };
            self.manifest.versions.insert(definition.name.to_owned(), version);
            // The log at once: its older objects may go while data is copied, which takes long.
            let log = table.log_objects()?;
            for object in &log.objects {
                self.keep_object(object, None)?;
                progress(self.taken.files);
            }
            if let Some((name, bytes)) = log.pointer {
                self.keep_bytes(&format!("tables/{name}"), &bytes)?;
            }
            for file in table.files(|_| true) {
                self.keep_data(&format!("{}/{}", definition.name, file.path), &file, &table.path(&file))?;
                progress(self.taken.files);
            }
        }
        self.keep_folder("", 0)?;
        progress(self.taken.files);
        durable::sync_folder(&self.backup.join(OBJECTS))?;
        refuse_deletion(self.state)?;
        if self.deletion()? != deletion || !self.lists_stand() {
            return Ok(false);
        }
        self.manifest.write(self.backup)?;
        Ok(true)
    }

    /// Removes earlier backups, and every object that this one does not name.
    fn forget_older(mut self) -> Result<Taken, LakeError> {
        for number in manifests(self.backup)?.into_iter().filter(|number| *number < self.manifest.number) {
            let path = path_of(self.backup, number);
            fs::remove_file(&path).map_err(LakeError::io("removing", &path))?;
        }
        durable::sync_folder(&self.backup.join(MANIFESTS))?;
        let named: HashSet<String> = self.manifest.files.iter().map(|kept| kept.hash.to_string()).collect();
        for path in durable::entries(&self.backup.join(OBJECTS))? {
            if !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| named.contains(name)) {
                fs::remove_file(&path).map_err(LakeError::io("removing", &path))?;
                self.taken.forgotten += 1;
            }
        }
        Ok(self.taken)
    }

    /// Whether somebody changed a table since its version was noted.
    fn is_overtaken(&self) -> bool {
        [&SIGHTINGS, &EVIDENCE, &FACTS].into_iter().any(|definition| {
            let noted = self.manifest.versions.get(definition.name).copied();
            Table::open(&self.root, definition).is_ok_and(|table| noted.is_some() && table.version() != noted)
        })
    }

    /// The last deletion that happened.
    fn deletion(&self) -> Result<Option<String>, LakeError> {
        crate::erase::last_of(&Table::open(&self.root, &SIGHTINGS)?)
    }

    /// Whether every list that was taken still stands: one that does not is of a deletion that failed.
    fn lists_stand(&self) -> bool {
        let lists = self.manifest.files.iter().filter(|kept| kept.path.starts_with(crate::erase::FOLDER));
        lists.into_iter().all(|kept| self.state.join(&kept.path).exists())
    }

    /// Everything of a folder of the state shelf.
    fn keep_folder(&mut self, folder: &str, depth: u32) -> Result<(), LakeError> {
        let path = self.state.join(folder);
        for entry in fs::read_dir(&path).map_err(LakeError::io("listing", &path))? {
            let entry = entry.map_err(LakeError::io("listing", &path))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(LakeError::damaged(entry.path().display().to_string(), "its name is no text; rename it"));
            };
            let inside = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let is_key = self.keys.as_deref() == Some(Path::new(&inside));
            if is_key || LEFT_OUT.contains(&inside.as_str()) || name.ends_with(durable::UNFINISHED) {
                continue;
            }
            let place = entry.path();
            // What a link points to is part of the folder; one that points nowhere is told.
            let data = fs::metadata(&place).map_err(|source| of_link(&place, source))?;
            if data.is_dir() {
                if depth >= MAX_DEPTH {
                    let detail = format!("folders nest deeper than {MAX_DEPTH} here; move it out of the state folder");
                    return Err(LakeError::Unfit { detail: format!("{}: {detail}", place.display()) });
                }
                self.keep_folder(&inside, depth + 1)?;
            } else if data.is_file() {
                self.keep(&inside)?;
            }
            // Sockets and pipes are of this machine and this moment.
        }
        Ok(())
    }

    /// A data file, as its commit says; one that an earlier backup has was compared then.
    fn keep_data(&mut self, object: &str, file: &DataFile, from: &Located) -> Result<(), LakeError> {
        let is_known = self.before.contains_key(&(format!("tables/{object}"), file.bytes));
        if is_known && !self.local && !self.options.verify {
            return self.keep_object(object, Some(from));
        }
        let bytes = self.root.open(object)?.len();
        if bytes != file.bytes {
            let detail =
                format!("{bytes} bytes where the log says {}; hinomi lake check says what is lost", file.bytes);
            return Err(LakeError::damaged(from.display().to_string(), &detail));
        }
        // What is fetched is compared as it came.
        if is_known && self.options.verify || !is_known && self.local {
            read::compare_all(from)?;
        }
        self.keep_object(object, Some(from))
    }

    /// An object of the tables; of a bucket it is fetched, unless an earlier backup has it, and held against its sums, or
    /// without any against what comes a second time: what a store answers is not believed.
    fn keep_object(&mut self, object: &str, data: Option<&Located>) -> Result<(), LakeError> {
        let inside = format!("tables/{object}");
        if self.local {
            return self.keep(&inside);
        }
        let known = self.sizes.get(&inside).and_then(|bytes| {
            let hash = *self.before.get(&(inside.clone(), *bytes))?;
            self.has(&hash, *bytes).then_some(Kept { path: inside.clone(), hash, bytes: *bytes, private: false })
        });
        let kept = match known {
            Some(kept) => kept,
            None => {
                let draft = self.draft();
                self.root.fetch(object, &draft)?;
                let (hash, bytes) = durable::hash(&draft)?;
                let is_compared = data.map_or(Ok(false), |data| read::compare_copy(data, &draft))?;
                if !is_compared {
                    self.root.fetch(object, &draft)?;
                    if durable::hash(&draft)? != (hash, bytes) {
                        let object = self.root.place(object).display().to_string();
                        return Err(LakeError::damaged(object, "it came in two ways; take the backup again"));
                    }
                }
                self.settle(&draft, hash, bytes, false)?;
                Kept { path: inside, hash, bytes, private: false }
            }
        };
        self.count(kept);
        Ok(())
    }

    /// Something that is made for the backup.
    fn keep_bytes(&mut self, inside: &str, bytes: &[u8]) -> Result<(), LakeError> {
        let draft = self.draft();
        durable::write(&draft, bytes)?;
        let (hash, size) = (ContentHash::of(bytes), bytes.len() as u64);
        self.settle(&draft, hash, size, false)?;
        self.count(Kept { path: inside.to_owned(), hash, bytes: size, private: false });
        Ok(())
    }

    fn count(&mut self, kept: Kept) {
        self.taken.files += 1;
        self.taken.bytes += kept.bytes;
        self.manifest.files.push(kept);
    }

    fn keep(&mut self, inside: &str) -> Result<(), LakeError> {
        let from = self.state.join(inside);
        let data = fs::metadata(&from).map_err(LakeError::io("looking at", &from))?;
        let known = self.before.get(&(inside.to_owned(), data.len())).copied();
        let kept = match known.filter(|hash| self.has(hash, data.len())) {
            Some(hash) => Kept { path: inside.to_owned(), hash, bytes: data.len(), private: false },
            None => self.copy(inside, &from, is_private(&data))?,
        };
        self.count(kept);
        Ok(())
    }

    /// Whether this object is there; one that is a second name of a data file does not count when copies are wanted.
    fn has(&self, hash: &ContentHash, bytes: u64) -> bool {
        let fits = |data: fs::Metadata| data.len() == bytes && !(self.options.copy && is_linked(&data));
        let object = self.object(hash);
        let is_whole = || !self.options.verify || durable::hash(&object).is_ok_and(|found| found == (*hash, bytes));
        fs::metadata(&object).is_ok_and(fits) && is_whole()
    }

    fn object(&self, hash: &ContentHash) -> PathBuf {
        self.backup.join(OBJECTS).join(hash.to_string())
    }

    /// A file that no backup has yet, or that may have changed.
    fn copy(&mut self, inside: &str, from: &Path, private: bool) -> Result<Kept, LakeError> {
        let draft = self.draft();
        let linked = is_data(inside) && !self.options.copy && durable::link(from, &draft);
        let (hash, bytes) = if linked { durable::hash(from)? } else { durable::copy(from, &draft, private)? };
        self.settle(&draft, hash, bytes, linked)?;
        Ok(Kept { path: inside.to_owned(), hash, bytes, private })
    }

    fn draft(&self) -> PathBuf {
        self.backup.join(OBJECTS).join(format!("copy{}", durable::UNFINISHED))
    }

    /// The draft becomes an object, unless that is there.
    fn settle(&mut self, draft: &Path, hash: ContentHash, bytes: u64, linked: bool) -> Result<(), LakeError> {
        if self.has(&hash, bytes) {
            return fs::remove_file(draft).map_err(LakeError::io("removing", draft));
        }
        fs::rename(draft, self.object(&hash)).map_err(LakeError::io("renaming", draft))?;
        self.taken.new_files += 1;
        self.taken.new_bytes += bytes;
        self.taken.linked += u64::from(linked);
        Ok(())
    }
}
