//! Flow records as exporters and other tools tell them, projected onto the few fields that finding C&C servers needs.
//!
//! ```text
//!   datagram (NetFlow v5/v9, IPFIX, sFlow v5) --\
//!   line, block or row of a file (Zeek, Argus, nfdump, Parquet) -> FlowRecord (plain, Copy; the rest was never read)
//!   packets (captures) ------------------------/
//! ```
//!
//! Nothing is dropped silently: what a decoder cannot turn into a record is counted under a reason.

pub mod binetflow;
pub mod counts;
pub mod decoder;
pub mod file;
pub mod ipfix;
pub mod ipfix_file;
pub mod limits;
pub mod nfdump;
pub mod record;
pub mod seeds;
pub mod sequence;
pub mod zeek;

mod books;
mod exporter;
mod field;
mod log;
mod netflow5;
mod netflow9;
pub mod number;
mod plan;
#[cfg(test)]
pub(crate) mod samples;
mod sampling;
mod sets;
mod sflow;
mod template;
mod times;

pub use counts::{Clamped, Counts, Part, Reason, Refused};
pub use decoder::Decoder;
pub use exporter::ExporterCounts;
pub use ipfix::Framing;
pub use limits::{Kept, Limits};
pub use record::{FlowRecord, Volume};
pub use sequence::{Loss, Unit};
