//! Passes: jobs over the whole lake, as a map from shares of the files to partial rows, and a merge of these.
//!
//! ```text
//!   pinned versions -> shares -> map (rows, each with a key) -> rows of one key merged -> by key: a file, or a table
//!                        |          local: threads of this process           |
//!                        +--------- Spark: executors, each this program -----+
//! ```
//!
//! - A [`Pass`] is one of [`Job`]. Its map sees one share and nothing of others; its merge is associative and
//!   commutative, so that rows may be merged wherever they meet, in any order, and the result is the same.
//! - An [`Engine`] runs the maps and lets merged rows come together in a [`Gather`], which puts them in the order of
//!   their keys. [`Local`] is one; the program has another that lets Apache Spark schedule, shuffle and sort while its
//!   executors run this program ([`executor`]).
//! - What is read is pinned when a pass begins ([`header`]): commits and compaction beside it change nothing. A file
//!   that was deleted meanwhile ends the pass with an error; nothing of a pass is visible before its end.
//! - Each pass is a line of the ledger before anything of it leaves or is stored.
//!
//! At a hundred times the data: memory follows the share, not the lake; disk holds the partial rows.

mod churn;
mod days;
pub mod executor;
mod fold;
mod frames;
pub(crate) mod gather;
mod header;
mod local;
mod output;
mod presence;
mod reidentify;
pub(crate) mod row;
pub(crate) mod shares;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::rollup::RollUp;
use crate::table::definition::{Definition, Kind};
pub use gather::Gather;
pub(crate) use gather::Gathered;
pub(crate) use header::Header;
pub use local::Local;
use row::Row;
use shares::Share;
pub(crate) use source::{Source, passed};

/// Days without a look after which a service that is seen again counts as present anew, when nobody says.
pub const GAP_DAYS: u32 = 30;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Of each service: when it was there, how often, and for how long it was not.
    Presence,
    /// Of each /24 or /48: what appeared, went away and became something else.
    Churn,
    /// The counters of each day, made anew.
    Rollup,
    /// All facts derived again from the evidence.
    Reidentify,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Presence, Self::Churn, Self::Rollup, Self::Reidentify];

    /// The name, as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Churn => "churn",
            Self::Rollup => "rollup",
            Self::Reidentify => "reidentify",
        }
    }

    /// Whether the result is a table of the lake; otherwise it is a file.
    pub const fn is_kept(self) -> bool {
        matches!(self, Self::Rollup | Self::Reidentify)
    }
}

/// A pass that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is to be done.
    pub job: Job,
    /// See [`GAP_DAYS`].
    pub gap_days: u32,
    /// Into how many shares the files are cut; as many as they want when nobody says.
    pub shares: Option<u64>,
    /// The state folder, and folders of rules besides its own: where executors find rules.
    pub rules: Vec<PathBuf>,
}

impl Order {
    /// This job, as it is usually done.
    pub const fn new(job: Job) -> Self {
        Self { job, gap_days: GAP_DAYS, shares: None, rules: Vec::new() }
    }
}

/// What a pass came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Which job.
    pub job: Job,
    /// What ran it.
    pub engine: &'static str,
    /// Version of the sightings that it is of.
    pub sightings: Option<u64>,
    /// Shares that were mapped.
    pub shares: u64,
    /// Partial rows that came together.
    pub partial_rows: u64,
    /// Rows after merging.
    pub rows: u64,
    /// Facts that are other than before, when facts were derived again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
}

/// Takes rows as a map makes them.
pub(crate) type Emit<'a> = dyn FnMut(Row) -> Result<(), LakeError> + 'a;

/// A map over shares, and a merge.
pub(crate) trait Pass: Send + Sync {
    /// Changes with what the rows say or how they are told.
    fn version(&self) -> u32;

    /// What partial rows look like; the key comes first.
    fn partial(&self) -> &'static Definition;

    /// The partial rows of one share: the same ones each time.
    fn map(&self, share: &Share, source: &Source<'_>, emit: &mut Emit<'_>) -> Result<(), LakeError>;

    /// Takes another row of the same key into one. Associative and commutative.
    fn merge(&self, into: &mut Row, other: Row) -> Result<(), LakeError>;
}

/// The pass of an order.
pub(crate) fn of(order: &Order) -> Box<dyn Pass> {
    match order.job {
        Job::Presence => Box::new(presence::Presence { gap_days: order.gap_days }),
        Job::Churn => Box::new(churn::Churn),
        Job::Rollup => Box::new(RollUp),
        Job::Reidentify => Box::new(reidentify::Reidentify),
    }
}

/// What runs passes.
pub trait Engine {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Maps every share of the task and lets the rows come together.
    ///
    /// # Errors
    /// When a share cannot be mapped; then the pass came to nothing.
    fn run(&self, task: &Task<'_>, gather: &Gather<'_>) -> Result<(), LakeError>;
}

/// A pass with everything that an engine needs of it.
pub struct Task<'a> {
    pub(crate) pass: &'a dyn Pass,
    pub(crate) header: Header,
    pub(crate) shares: Vec<Share>,
    pub(crate) source: Source<'a>,
}

impl Task<'_> {
    /// Which job it is.
    pub const fn job(&self) -> Job {
        self.header.order.job
    }

    /// The line that every executor reads first.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn header(&self) -> Result<String, LakeError> {
        self.header.line()
    }

    /// A line for each share.
    ///
    /// # Errors
    /// When one cannot be written as JSON.
    pub fn shares(&self) -> Result<Vec<String>, LakeError> {
        self.shares.iter().map(Share::line).collect()
    }

    /// Name of each column of partial rows, and its kind as SQL says it; the first one is the key.
    pub fn columns(&self) -> Vec<(&'static str, &'static str)> {
        let kind = |kind| match kind {
            Kind::Text => "string",
            Kind::Long => "bigint",
            _ => "binary",
        };
        self.pass.partial().columns().map(|column| (column.name, kind(column.kind))).collect()
    }
}
