//! IPv6: which addresses are worth asking where there are too many to ask them all, and which prefixes only pretend.
//!
//! ```text
//!   hitlists, the lake, names, reverse zones --> Candidates (inside the scope) --> learn --> Model --> guesses by chance
//!                                      |                                                        |
//!                                      +----------------> a list of targets <-------------------+
//!                                                              |
//!   campaign: alias (16 random addresses of a crowded prefix) --> the list, without what all answers --> grab
//! ```
//!
//! - [`Candidates`] takes addresses with their [`Source`], each once, and counts what it does not take.
//! - [`hitlist`] reads files of addresses, [`names`] asks the system's resolver, [`reverse`] walks reverse zones with
//!   it.
//! - [`pattern`] learns how the known addresses are made and lists unknown ones by expected yield.
//! - [`alias`] finds prefixes in which every address answers: a leg of its own before a campaign's list.
//!
//! Nothing here sends to a target but [`alias`], which sends through the door and at the pace like every engine.

pub mod alias;
mod candidates;
pub mod hitlist;
mod inside;
pub mod names;
pub mod pattern;
pub mod reverse;

pub use candidates::{Candidate, Candidates, Given, MAX_CANDIDATES, Source, Tally};
pub use inside::Inside;

#[cfg(test)]
mod tests;
