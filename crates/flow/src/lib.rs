//! C&C servers from flow records, without reading anyone's life.
//!
//! ```text
//!   wire::flow::FlowRecord
//!        |  inlet: one side is a subscriber, and becomes a pseudonym under the epoch's key
//!        v
//!   Flow<CncDetection>   no serialiser, no general accessor: only the detectors of this crate consume it
//!        |  pair (minutes) -> session
//!        v
//!   server: sketches a remote endpoint, with a hard lifetime  ->  detect/*  ->  fuse  ->  Finding
//!                                                                                        |
//!                                                              export: k pseudonyms over two epochs, or corroboration
//!                                                                                        v
//!                                                  Shared: endpoint, transport, confidence, validity, purpose
//! ```

pub mod audit;
pub mod detect;
pub mod epoch;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod finding;
pub mod fuse;
mod hash;
pub mod inlet;
pub mod key;
pub mod ledger;
pub mod live;
pub mod meter;
pub mod node;
pub mod own;
pub mod pair;
pub mod parquet;
pub mod purpose;
mod rows;
pub mod server;
pub mod sketch;
pub mod subscribers;
pub mod suppress;

pub use error::FlowError;
pub use purpose::{CncDetection, Flow};
