//! What is decided about organisations, as of one reading of the state.
//!
//! ```text
//!   state --Register::read--> Register --Holders::new-> who held this address then
//!                  ^ Desk: again only when something changed or a dated thing began or ended
//! ```
//!
//! A record belongs to who held its longest claimed prefix when it was seen. At a hundred times the data: a few hundred
//! thousand claims in memory, read again when the state has changed.

mod desk;
mod holders;
mod read;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::{Purpose, Timestamp};
use ipnet::IpNet;

pub use desk::{Current, Desk};
pub use holders::Holders;

/// Organisations and what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// By id.
    pub organisations: BTreeMap<String, Organisation>,
    /// Proved claims, also those that have ended: a record from then belongs to who held the address then.
    pub claims: Vec<Claim>,
}

/// One organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisation {
    /// Short and lasting: `city-a`.
    pub id: String,
    /// Of what sector, if any.
    pub sector: Option<String>,
    /// Organisations that this one acts for: a vendor for its customers.
    pub acts_for: BTreeSet<String>,
    /// Audiences that it belongs to.
    pub audiences: BTreeSet<String>,
    /// For what it may read.
    pub purposes: BTreeSet<Purpose>,
}

/// A proved claim: who holds what, from when until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Id of the organisation.
    pub organisation: String,
    /// What is held.
    pub subject: Held,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
}

/// What can be held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// Addresses.
    Prefix(IpNet),
    /// An autonomous system.
    As(u32),
    /// A domain and what is below it; in lower case, without a dot at the end.
    Domain(String),
}

#[cfg(test)]
mod tests;
