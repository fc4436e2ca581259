//! Copies of a state folder that are whole, and the way back.
//!
//! ```text
//!   DIR/objects/<hash>         every distinct file once; data files as hard links where the disk is the same
//!   DIR/manifests/<n>.json     one a backup: path, hash and size of every file; written last, in one step
//!   DIR/erased/<name>          lists of what was erased since (salted hashes): applied by every restore
//! ```
//!
//! Files of the tables never change and their names are never used again, so a backup copies what the one before it has
//! not. The tables are taken as of one moment each, sightings first: evidence is committed before the sightings that
//! refer to it, so that what is taken is whole while a writer goes on; a deletion under way is refused, and one that
//! happens meanwhile begins the backup anew. Tables may lie in a bucket: then their objects are fetched, those that no
//! backup before has. The index is left out; a restore builds it again. A manifest ends with its own hash: half a backup has none and is none. At a hundred times the data: one entry
//! a file in memory, about 200 bytes; time follows what is new.

mod files;
mod manifest;
mod restore;
mod store;
mod take;

pub use manifest::{Kept, Manifest, manifests};
pub use restore::{Restored, restore};
pub use take::{Options, Taken, take};

/// Every distinct file, under its hash.
pub(crate) const OBJECTS: &str = "objects";
/// One file a backup.
pub(crate) const MANIFESTS: &str = "manifests";
/// What was erased after it had been backed up.
pub(crate) const ERASED: &str = "erased";
