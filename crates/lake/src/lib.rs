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
//! - The tables are the truth and are read by any engine that reads Delta Lake or Parquet. Everything under `index/` can
//!   be deleted and is rebuilt from them.
//! - A batch is visible when the sightings table's commit exists, and not before. Evidence is committed first: evidence
//!   that no sighting refers to is harmless, a sighting without its evidence is not.
//! - [`cnc`] keeps findings of C&C servers: a journal beside the tables, in `flow/`.
//! - [`query`] is the one query language of command line, API and pages.

mod again;
mod append;
mod catch_up;
pub mod cnc;
pub mod error;
mod evidence;
pub mod export;
mod facts;
mod history;
mod identify;
mod index;
mod keyed;
mod lake;
mod lock;
pub mod place;
pub mod query;
mod recent;
mod rules;
pub mod search;
mod sightings;
mod status;
mod table;
mod text;

pub use again::Reidentified;
pub use error::LakeError;
pub use export::Format;
pub use lake::{Lake, LakeOptions};
pub use place::{Place, Places};
pub use search::{FacetCount, FacetRequest, HistoryEntry, Host, SearchPage, SearchRequest, StoredEvidence};
pub use status::{Status, TableStatus};
