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
//! - [`query`] is the one query language of command line, API and pages.

pub mod error;
mod index;
pub mod query;
pub mod search;

pub use error::LakeError;
pub use search::{FacetCount, FacetRequest, Host, HistoryEntry, SearchPage, SearchRequest, StoredEvidence};
