//! What of a state folder is damaged, what is lost with it, and what mends it.
//!
//! ```text
//!   tables  log without gaps, checkpoints of it as they were written, each counted file there with its size, footer and
//!           rows
//!           deep: every block, every name that can be computed again, every reference
//!   index   can be opened, has seen the newest version
//!           deep: every sum of tantivy's files, every record of facts.bin, sampled look-ups beside the tables
//! ```
//!
//! [`check`] opens nothing for writing and takes no lock: it looks at the versions that stand when it begins, also
//! beside a writer. It needs no rules. Nothing is mended here: each [`Damage`] names the command that does. At a
//! hundred times the data: the quick look costs one footer a file; the deep one reads everything once, a batch of rows
//! at a time, and keeps 16 bytes a piece of evidence in memory.

mod index;
mod mend;
mod state;
mod tables;

use std::path::Path;
use std::sync::Arc;

use hinomi_model::Clock;
use serde::Serialize;

use crate::error::LakeError;
use crate::table::store::{Claim, Root};

pub(crate) use mend::FOLDER as QUARANTINE;
pub use mend::{mend, quarantine};
pub use state::check_state;

/// What can be lost by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShelfName {
    /// `tables/sightings`: what was observed.
    Sightings,
    /// `tables/evidence`: the bytes that were seen.
    Evidence,
    /// `tables/facts`: what the evidence says; derived.
    Facts,
    /// `index/`: the current state of every service; derived.
    Index,
    /// Everything else: what people decided, and the ledgers.
    State,
}

impl ShelfName {
    /// Its name, as in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sightings => "sightings",
            Self::Evidence => "evidence",
            Self::Facts => "facts",
            Self::Index => "index",
            Self::State => "state",
        }
    }

    /// What is lost when a part of it is.
    pub const fn loss(self) -> &'static str {
        match self {
            Self::Sightings => "observations, for good, unless a backup has them",
            Self::Evidence => "bytes that were seen, and with them facts that could be derived again",
            Self::Facts | Self::Index => "nothing: it is derived from the other tables",
            Self::State => "decisions or proofs, for good, unless a backup has them",
        }
    }

    /// The command that mends it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Sightings | Self::Evidence => {
                "hinomi lake restore BACKUP into a new folder; without a backup, hinomi lake check --quarantine \
                 sets the file aside"
            }
            Self::Facts | Self::Index => "hinomi lake check --mend builds it again",
            Self::State => "hinomi lake restore BACKUP into a new folder",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where, inside the state folder.
    pub file: String,
    /// What is wrong.
    pub detail: String,
    /// Whether this is a data file that can be set aside by itself.
    pub whole_file: bool,
}

/// One shelf, examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shelf {
    /// Which.
    pub name: ShelfName,
    /// Newest version of its table; the version that the index has seen.
    pub version: Option<u64>,
    /// Files that count.
    pub files: u64,
    /// Rows that were found in them.
    pub rows: u64,
    /// Files without sums, of before there were any: only what is in them could be examined.
    pub without_sums: u64,
    /// What is wrong, in the order in which it was found, at most [`MAX_DAMAGES`].
    pub damages: Vec<Damage>,
    /// How much more is wrong.
    pub more: u64,
    /// What is lost with what is damaged.
    pub loss: &'static str,
    /// What mends it.
    pub remedy: &'static str,
}

/// How often a check begins again when files were erased under it.
const MAX_ATTEMPTS: u32 = 5;

/// So many damages of one shelf are listed; the rest is counted.
pub const MAX_DAMAGES: usize = 100;

impl Shelf {
    /// A shelf of which nothing is known yet.
    pub const fn new(name: ShelfName) -> Self {
        Self {
            name,
            version: None,
            files: 0,
            rows: 0,
            without_sums: 0,
            damages: Vec::new(),
            more: 0,
            loss: name.loss(),
            remedy: name.remedy(),
        }
    }

    /// Whether nothing is wrong with it.
    pub const fn is_whole(&self) -> bool {
        self.damages.is_empty()
    }

    /// Notes a damage.
    pub fn note(&mut self, file: impl Into<String>, detail: &(impl ToString + ?Sized), whole_file: bool) {
        match self.damages.len() < MAX_DAMAGES {
            true => self.damages.push(Damage { file: file.into(), detail: detail.to_string(), whole_file }),
            false => self.more += 1,
        }
    }
}

/// Examines tables and index of a state folder, wherever the tables lie. `progress` is told how many files are done, of
/// how many.
///
/// # Errors
/// When the folder itself cannot be looked at, or the object store does not answer. What is wrong inside is in the
/// report.
pub fn check(
    dir: &Path,
    deep: bool,
    clock: &Arc<dyn Clock>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Shelf>, LakeError> {
    std::fs::metadata(dir).map_err(LakeError::io("looking at", dir))?;
    let root = Root::of_state(dir, &Claim::Nothing, clock)?;
    for _ in 0..MAX_ATTEMPTS {
        // What is erased meanwhile is no damage: then everything is listed anew.
        let Some((mut shelves, sample)) = tables::check(&root, deep, progress)? else { continue };
        shelves.push(index::check(dir, &root, deep, shelves.first(), &sample));
        return Ok(shelves);
    }
    Err(LakeError::Crossed { table: "tables" })
}
