//! Sightings at rest, and every question asked of them.
//!
//! ```text
//!   Batch -> append -> tables/ (truth: Parquet under a Delta log)     evidence   sightings   facts
//!                        |
//!                        v  Identifier: evidence -> facts, once per distinct content
//!                      index/ (derived: current state of every service)  <- search, facets, host
//! ```
//!
//! - [`Lake`] opens the state folder, takes batches as a [`hinomi_model::Sink`] and answers questions.
//! - The tables are the truth and are read by any engine that reads Delta Lake or Parquet. Everything under `index/`
//!   can
//!   be deleted and is rebuilt from them.
//! - A batch is visible when the sightings table's commit exists, and not before. Evidence is committed first: evidence
//!   that no sighting refers to is harmless, a sighting without its evidence is not.
//! - Compaction merges small files beside readers and appends ([`Lake::compact`], [`Compactor`]); [`past`] answers what
//!   was true at a moment, and what became different.
//! - Jobs over everything are passes ([`pass`]): a map over shares and a merge, by threads or by Apache Spark.
//! - [`cnc`] keeps findings of C&C servers: a journal beside the tables, in `flow/`.
//! - [`query`] is the one query language of command line, API and pages.

mod again;
mod append;
pub mod backup;
mod catch_up;
pub mod check;
pub mod cnc;
mod compact;
mod durable;
pub mod entitlement;
pub mod erase;
pub mod error;
mod evidence;
pub mod export;
mod facts;
mod history;
mod identify;
mod index;
mod keyed;
mod lake;
pub mod ledger;
mod lock;
mod looks;
pub mod pass;
pub mod past;
pub mod place;
pub mod query;
mod recent;
pub mod retain;
pub mod rollup;
mod rules;
pub mod search;
pub mod shared;
mod sightings;
mod status;
mod table;
mod text;
pub mod watch;

pub use again::Reidentified;
pub use compact::account::{CompactionStatus, FailedCompaction, LastCompaction};
pub use compact::background::Compactor;
pub use compact::{CompactOptions, Compacted};
pub use error::LakeError;
pub use export::Format;
pub use lake::{Lake, LakeOptions};
pub use past::owners::Then;
pub use place::{Place, Places};
pub use search::{FacetCount, FacetRequest, HistoryEntry, Host, SearchPage, SearchRequest, StoredEvidence};
pub use status::{Status, TableStatus};
pub use table::Known;
pub use table::store::has_tables;
