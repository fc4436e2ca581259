//! What was erased, so that a backup cannot bring it back: salted names, nothing else.
//!
//! ```text
//!   "hinomiE1"  salt 32  name 16*        sorted
//!   name = first half of BLAKE3(salt, name of the sighting)
//! ```
//!
//! At a hundred times the data: 16 bytes an erased sighting.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use hinomi_model::{ContentHash, SightingId, Timestamp};

use super::{FOLDER, LIST};
use crate::durable;
use crate::error::LakeError;

const MAGIC: &[u8; 8] = b"hinomiE1";
/// The most bytes of a list: some sixty million rows.
const MAX_BYTES: u64 = 1 << 30;

type Name = [u8; 16];

/// The names of one deletion.
#[derive(Debug)]
pub(crate) struct List {
    salt: [u8; 32],
    names: HashSet<Name>,
}

impl List {
    /// An empty one. The salt keeps two lists from being compared; the names are hashes of whole sightings, with their
    /// times and evidence, and cannot be guessed.
    pub(crate) fn new(now: Timestamp) -> Self {
        let fresh = std::collections::hash_map::RandomState::new();
        let random = std::hash::BuildHasher::hash_one(&fresh, now.as_micros());
        let seed = format!("{} {} {random}", now.as_micros(), std::process::id());
        Self { salt: *ContentHash::of(seed.as_bytes()).as_bytes(), names: HashSet::new() }
    }

    pub(crate) fn add(&mut self, id: &SightingId) {
        self.add_name(id.as_bytes());
    }

    pub(super) fn add_name(&mut self, name: &[u8]) {
        self.names.insert(salted(&self.salt, name));
    }

    fn holds(&self, id: &SightingId) -> bool {
        self.holds_name(id.as_bytes())
    }

    pub(super) fn holds_name(&self, name: &[u8]) -> bool {
        self.names.contains(&salted(&self.salt, name))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut names: Vec<_> = self.names.iter().copied().collect();
        names.sort_unstable();
        [MAGIC.as_slice(), &self.salt, names.as_flattened()].concat()
    }

    /// Hash over everything in it.
    pub(crate) fn digest(&self) -> ContentHash {
        ContentHash::of(&self.bytes())
    }

    /// The name of its file, without the end.
    pub(crate) fn name(&self) -> String {
        let mut name = self.digest().to_string();
        name.truncate(32);
        name
    }

    pub(crate) fn write(&self, state: &Path) -> Result<(), LakeError> {
        let folder = state.join(FOLDER);
        fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
        self.write_to(&path_of(state, &self.name()))
    }

    pub(super) fn write_to(&self, path: &Path) -> Result<(), LakeError> {
        durable::write(path, &self.bytes())
    }

    /// Takes back a list of a deletion that did not happen.
    pub(crate) fn remove(state: &Path, name: &str) -> Result<(), LakeError> {
        let path = path_of(state, name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LakeError::io("removing", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Reads a list, if it is there, and compares it with its name.
    pub(crate) fn read_if_there(path: &Path) -> Result<Option<Self>, LakeError> {
        durable::read(path, MAX_BYTES)?.map(|bytes| Self::parse(path, &bytes)).transpose()
    }

    /// Reads a list that has no name of its own.
    pub(super) fn read_nameless(path: &Path) -> Result<Option<Self>, LakeError> {
        let Some(bytes) = durable::read(path, MAX_BYTES)? else { return Ok(None) };
        Self::unpack(path, &bytes).map(|(list, _)| Some(list))
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LakeError> {
        let damaged = |detail: &str| LakeError::damaged(path.display().to_string(), detail);
        let (list, whole) = Self::unpack(path, bytes)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match whole && list.name() == stem {
            true => Ok(list),
            false => Err(damaged("it does not have the hash that it is named by")),
        }
    }

    /// The list, and whether nothing is left over.
    fn unpack(path: &Path, bytes: &[u8]) -> Result<(Self, bool), LakeError> {
        let damaged = |detail: &str| LakeError::damaged(path.display().to_string(), detail);
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no list of what was erased"))?;
        let (salt, names) = rest.split_first_chunk::<32>().ok_or_else(|| damaged("it ends early"))?;
        let (names, left) = names.as_chunks::<16>();
        Ok((Self { salt: *salt, names: names.iter().copied().collect() }, left.is_empty()))
    }
}

fn salted(salt: &[u8; 32], name: &[u8]) -> Name {
    let hash = ContentHash::of(&[salt.as_slice(), name].concat());
    hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default()
}

fn path_of(state: &Path, name: &str) -> PathBuf {
    state.join(FOLDER).join(format!("{name}{LIST}"))
}

/// All lists of a state folder.
#[derive(Debug, Default)]
pub(crate) struct Lists(Vec<List>);

impl Lists {
    pub(crate) fn of_state(state: &Path) -> Result<Self, LakeError> {
        let mut lists = Vec::new();
        for path in durable::entries(&state.join(FOLDER))? {
            if path.to_string_lossy().ends_with(LIST) {
                lists.extend(List::read_if_there(&path)?);
            }
        }
        Ok(Self(lists))
    }

    /// Whether a sighting was erased.
    pub(crate) fn hold(&self, id: &SightingId) -> bool {
        self.0.iter().any(|list| list.holds(id))
    }
}
