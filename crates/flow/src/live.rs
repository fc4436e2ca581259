//! The running job: flows come in by sockets or files, findings go out.
//!
//! ```text
//!   socket (one a receiver, SO_REUSEPORT) -- recvmmsg --> Decoder --> Inlet --\
//!   TCP stream (IPFIX) ------------------- Framing ----> Decoder --> Inlet ----+-> pairs -- bounded queue --> Analysis
//!   interface ---- recvmmsg --> Meter ------------------------------> Inlet --/                  Detection -> Held
//!   file ------------------------------------------------ Order ---> Inlet --/
//! ```
//!
//! Two halves, two cores: receivers read, decode, turn addresses into pseudonyms and join halves; one analysis keeps
//! state and scores (`docs/decisions/0005-flow-pipeline.md`). Nothing but [`Flow`](crate::Flow)s passes the queue, so no
//! subscriber's address does.
//!
//! Invariants:
//! - With sockets and interfaces, time is the caller's clock: no exporter moves a key's epoch by what it says. With files time is that
//!   of the records, and never runs backwards.
//! - Every queue, buffer, table and number of streams has a bound; a full queue makes receivers wait, the system drops
//!   datagrams then, and that is counted.
//! - What comes in is in a sum at every stage: [`CollectorStatus`](hinomi_model::cnc::CollectorStatus).

mod analysis;
mod datagrams;
mod desk;
mod feed;
pub(crate) mod files;
mod interface;
mod job;
mod keys;
mod loss;
mod order;
mod pairs;
mod part;
mod pipe;
mod receive;
mod scoring;
mod scrub;
mod silence;
mod sockets;
mod stream;
mod turn;
mod watch;

pub use analysis::{Analysis, AnalysisConfig, Scored};
pub use feed::Live;
pub use files::{EXPORT_PORTS, Kind};
pub use interface::Interface;
pub use job::{Job, Recorder, Refuted};
pub use keys::SharedKeys;
pub use order::{Order, PATIENCE};
pub use pairs::SharedPairs;
pub use part::Part;
pub use scoring::{Outcome, Scorer, Task};
pub use scrub::scrub_stack;
pub use sockets::Sockets;
