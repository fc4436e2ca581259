//! Flow records as exporters and other tools tell them, projected onto the few fields that finding C&C servers needs.
//!
//! ```text
//!   datagram (NetFlow v5/v9, IPFIX, sFlow v5) --\
//!   line or block of a file (Zeek, Argus, nfdump) -> FlowRecord (plain, Copy, what nobody needs was never read)
//!   packets (captures) ------------------------/
//! ```
//!
//! Nothing is dropped silently: what a decoder cannot turn into a record is counted under a reason.

pub mod binetflow;
pub mod file;
pub mod nfdump;
pub mod record;
pub mod seeds;
pub mod zeek;

mod number;
#[cfg(test)]
pub(crate) mod samples;

pub use record::{FlowRecord, Volume};
