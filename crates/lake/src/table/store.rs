//! Where the tables' files lie: a folder, or a prefix of a bucket behind the S3 API.
//!
//! [`Store`] is the little that log and data files ask of it. Invariants: an object is there whole or not at all; a name
//! that was put if absent never changes, one that is replaced changes in one step; a staged file's name is used once. A listing is never believed about what
//! counts: only the log says so, and the log is read by name. Object names are relative to the root of the tables, with
//! `/` between the parts.
//!
//! At a hundred times the data nothing changes here: each call speaks of one object, a listing goes page by page.

mod local;
mod s3;

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hinomi_model::{Clock, Timestamp};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use serde::{Deserialize, Serialize};

use super::footers::Footers;
use super::sums::Source;
use crate::error::LakeError;
use s3::settings::{Settings, Told};

pub(crate) use local::UNFINISHED;

/// What came of putting an object under a name that nobody may have taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It stands.
    Done,
    /// Somebody else's stands there.
    Taken,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name inside the folder that was listed.
    pub(crate) name: String,
    /// When it was written, as far as the store says.
    pub(crate) modified: Option<Timestamp>,
}

/// A place for objects. Every call is bounded in time and in bytes.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Makes a folder of objects, where folders are made at all.
    fn make_folder(&self, folder: &str) -> Result<(), LakeError>;

    /// The whole object, if it is there; more than `max_bytes` is an error.
    fn get(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, LakeError>;

    /// An object from which ranges are read.
    fn open(self: Arc<Self>, name: &str) -> Result<Input, LakeError>;

    /// Where the bytes of a file that is being written lie until [`Store::publish`].
    fn draft(&self, name: &str) -> PathBuf;

    /// Makes a written draft the object of this name, durably; returns its size.
    fn publish(&self, name: &str) -> Result<u64, LakeError>;

    /// Makes these bytes the object of this name, durably, if there is none of that name.
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, LakeError>;

    /// Makes these bytes the object of this name, durably and in one step, whatever was there.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), LakeError>;

    /// The objects of a folder, without those of folders in it, in no particular order.
    fn list(&self, folder: &str, each: &mut dyn FnMut(Listed) -> Result<(), LakeError>) -> Result<(), LakeError>;

    /// Removes an object; one that is not there is removed already.
    fn delete(&self, name: &str) -> Result<(), LakeError>;

    /// Removes older versions of the objects of a folder, where the store keeps any; how many. `only_look` asks whether
    /// that is allowed.
    fn forget_versions(&self, folder: &str, only_look: bool) -> Result<u64, LakeError>;

    /// How people find the object.
    fn place(&self, name: &str) -> PathBuf;

    /// For how long an object that no commit speaks of may still be on its way into one.
    fn settled_after(&self) -> Duration;
}

/// The root of the tables, open.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    store: Arc<dyn Store>,
    opening: u64,
    /// What was read of data files lately.
    pub(super) footers: Footers,
}

/// Who says to a store that it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nobody: it is read.
    Nothing,
    /// This state folder and no other.
    Alone,
    /// Several servers, under this name.
    Shared(String),
}

/// Whether this state folder has its tables in a bucket.
pub(crate) fn is_remote(state: &Path) -> bool {
    state.join(s3::settings::FILE).exists()
}

/// Where tables are, told to another process that reads them. Keys are not in it, only where they are found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// In a folder that it sees under the same path.
    Folder(PathBuf),
    /// In a bucket.
    Bucket(Told),
}

impl Place {
    /// Where this state folder has its tables.
    pub(crate) fn of_state(state: &Path) -> Result<Self, LakeError> {
        let state = std::path::absolute(state).map_err(LakeError::io("looking at", state))?;
        Ok(match Told::of_state(&state)? {
            Some(told) => Self::Bucket(told),
            None => Self::Folder(state.join("tables")),
        })
    }
}

/// Whether this state folder has tables, in itself or in a bucket.
pub fn has_tables(state: &Path) -> bool {
    state.join("tables").exists() || is_remote(state)
}

/// The file with the keys to the object store, inside the state folder; none where there is no such file or store.
pub(crate) fn credentials_of(state: &Path) -> Result<Option<PathBuf>, LakeError> {
    Settings::credentials_of(state)
}

impl From<&Path> for Root {
    fn from(folder: &Path) -> Self {
        Self::new(Arc::new(local::Local::new(folder)))
    }
}

impl Root {
    /// Where this state folder has its tables: in itself, or where its `lake.toml` says.
    pub(crate) fn of_state(state: &Path, claim: &Claim, clock: &Arc<dyn Clock>) -> Result<Self, LakeError> {
        let tables = state.join("tables");
        let Some(settings) = Settings::of_state(state)? else { return Ok(Self::from(tables.as_path())) };
        if tables.exists() {
            let detail = format!("{} is there too: copy it into the bucket and put it away first", tables.display());
            return Err(LakeError::Settings { file: state.join(s3::settings::FILE).display().to_string(), detail });
        }
        Ok(Self::new(Arc::new(s3::S3::open(settings, state, claim, clock.clone())?)))
    }

    /// The tables in this place, for reading.
    pub(crate) fn of_place(place: &Place, clock: &Arc<dyn Clock>) -> Result<Self, LakeError> {
        match place {
            Place::Folder(folder) => Ok(Self::from(folder.as_path())),
            Place::Bucket(told) => {
                let settings = Settings::of_told(told)?;
                Ok(Self::new(Arc::new(s3::S3::open(settings, Path::new(""), &Claim::Nothing, clock.clone())?)))
            }
        }
    }

    fn new(store: Arc<dyn Store>) -> Self {
        // Not from a seed: the keys of this hasher are the system's own randomness, so that two never write one name.
        Self { store, opening: RandomState::new().build_hasher().finish(), footers: Footers::default() }
    }

    /// A number that no other opening has, on whatever machine.
    pub(crate) const fn opening(&self) -> u64 {
        self.opening
    }

    /// An object from which ranges are read.
    pub(crate) fn open(&self, name: &str) -> Result<Input, LakeError> {
        self.store.clone().open(name)
    }
}

impl Root {
    /// Brings an object to a file of this machine, durably; its size.
    pub(crate) fn fetch(&self, name: &str, to: &Path) -> Result<u64, LakeError> {
        let object = self.open(name)?;
        let mut file = File::create(to).map_err(LakeError::io("creating", to))?;
        let mut from = object.get_read(0).map_err(LakeError::parquet("reading", &self.place(name)))?;
        let bytes = io::copy(&mut from, &mut file).map_err(LakeError::io("copying", &self.place(name)))?;
        if bytes != object.len() {
            let detail = format!("{bytes} bytes came of {}", object.len());
            return Err(LakeError::damaged(self.place(name).display().to_string(), &detail));
        }
        file.sync_all().map_err(LakeError::io("syncing", to))?;
        Ok(bytes)
    }
}

impl From<&Self> for Root {
    fn from(root: &Self) -> Self {
        root.clone()
    }
}

impl std::ops::Deref for Root {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}

/// An open object.
#[derive(Debug)]
pub(crate) enum Input {
    /// A file of this machine.
    File(File),
    /// An object of a bucket.
    Remote(s3::Remote),
}

impl Length for Input {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len(),
            Self::Remote(remote) => remote.len(),
        }
    }
}

impl ChunkReader for Input {
    type T = Stretch;

    fn get_read(&self, start: u64) -> Result<Stretch, ParquetError> {
        match self {
            Self::File(file) => file.get_read(start).map(Stretch::File),
            Self::Remote(remote) => Ok(Stretch::Remote(remote.clone(), start)),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Remote(remote) => remote.get(start, length).map_err(|error| ParquetError::External(error.into())),
        }
    }
}

impl Source for Input {
    fn may_change(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    fn again(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::File(_) => self.get_bytes(start, length),
            Self::Remote(remote) => remote.again(start, length).map_err(|error| ParquetError::External(error.into())),
        }
    }
}

/// What follows a place in an open object.
#[derive(Debug)]
pub(crate) enum Stretch {
    /// In a file of this machine.
    File(BufReader<File>),
    /// In an object of a bucket, from a place on.
    Remote(s3::Remote, u64),
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Remote(remote, at) => {
                let left = usize::try_from(remote.len().saturating_sub(*at)).unwrap_or(usize::MAX);
                let found = remote.get(*at, left.min(buffer.len())).map_err(io::Error::other)?;
                buffer.iter_mut().zip(&found).for_each(|(to, from)| *to = *from);
                *at += u64::try_from(found.len()).unwrap_or(0);
                Ok(found.len())
            }
        }
    }
}
