//! Objects that others share (STIX 2.1, events of MISP): taken with their bytes, marked, and shown object by object.
//!
//! ```text
//!   envelope -> json (bounded) -> stix | misp (what it names, how it is marked) -> state: bytes as they came
//!   Reader -> Sight: the rules -> SQL that lets through no less -> each row decided -> page, feed, host
//! ```
//!
//! - An object is decided as any record: label, audience and purpose by its marking, holders by every address that it
//!   names, at the time of which it tells. Who may not see one of its addresses does not see it; one without addresses
//!   fits no rule about places. Whoever gave it sees it.
//! - The strictest marking counts for the whole, also where it stands on a part; one that is not known is RED.
//! - In a collection of an audience AMBER is for that audience and nobody else.
//!
//! At a hundred times the data pages cost the same; a page of somebody who may see little looks through what his
//! markings and places let through, at most [`MAX_LOOKED_AT`] objects an answer.

mod about;
mod collection;
mod events;
mod give;
mod json;
mod marking;
mod misp;
mod page;
mod pattern;
mod sight;
mod stix;
mod terms;

use hinomi_lake::Then;
use hinomi_state::Database;

use crate::Reader;
pub use about::{MAX_SAID, Said};
pub use collection::Shared;
pub use events::EventKey;
pub use give::{Given, Report};
pub use misp::is_event;
pub use page::{Told, ToldPage};
pub use sight::Sight;
pub use terms::{Giver, Terms};

/// The largest object, in bytes.
pub const MAX_OBJECT_BYTES: usize = 1 << 20;
/// The largest event of MISP, in bytes.
pub const MAX_EVENT_BYTES: usize = 5 << 20;
/// The largest envelope, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = 5 << 20;
/// The most objects of an envelope.
pub const MAX_ENVELOPE_OBJECTS: usize = 5_000;
/// The most objects that one answer looks at.
pub const MAX_LOOKED_AT: usize = 50_000;
/// The form of objects of STIX, as they are kept.
pub const STIX: &str = "stix";
/// The form of events of MISP.
pub const MISP: &str = "misp";

/// Why objects were not taken, or not told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// What was given cannot be read as a whole.
    #[error("{0}")]
    Unreadable(String),
    /// It is too much at once.
    #[error("{0}")]
    TooMuch(String),
    /// The caller may not.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing for this caller.
    #[error("{0}")]
    Missing(String),
    /// The place to go on from is not one of ours.
    #[error("this place to go on from is not valid here; start again from the first page")]
    Cursor,
    /// The rules could not be asked, or the look not be written down.
    #[error(transparent)]
    Read(#[from] crate::ReadError),
    /// The state could not be asked.
    #[error(transparent)]
    State(#[from] hinomi_state::StateError),
}

/// Where objects are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shelf {
    database: Database,
}

impl Shelf {
    /// That of this state.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

impl Reader {
    /// In which AS addresses were at a moment, where that is known; it says nothing about what answers there.
    ///
    /// # Errors
    /// When the tables of places cannot be read.
    pub fn places_then(&self) -> Result<Then, crate::ReadError> {
        Ok(self.lake().then()?)
    }
}

#[cfg(test)]
mod tests;
