//! The simulated town: device personas that answer on loopback.
//!
//! It is the demo, the fixture of every sensor and the ground for drills. Nothing in it is reachable from another
//! machine, and nobody ever gets in: every login fails.
//!
//! ```text
//!   personas/*.toml ──> Catalog ─┐
//!   seed, size, base, day ───────┴─> Population: 32-bit hash of the address -> (persona, variant) or gone
//!                                        │                        │
//!                            Host (address on that day)     filter: the same hash in the kernel
//!                              │         │                        │
//!                            Truth    serve/ answer/  <────── one listener a port, bound to lo
//! ```
//!
//! Everything a host is — persona, mistake, firmware, serial number, keys, certificate — is a pure function of (seed,
//! address, day): the same seed is the same town. [`Plan`] computes it without a socket and tells the [`Truth`] that a
//! perfect survey would find; [`up`] opens the sockets and returns [`Running`].
//!
//! [`flows::Router`] tells what the homes' lines send to the rest of the world: flows with planted botnets, in IPFIX.
//!
//! The protocols' server sides are written here anew, on purpose not with `hinomi-wire`: two readings of a
//! specification find each other's faults.

mod answer;
mod catalog;
mod certificate;
mod config;
mod datagram;
mod error;
mod filter;
pub mod flows;
mod host;
mod limits;
mod listen;
mod metrics;
mod mix;
mod operators;
mod persona;
mod plan;
mod population;
mod ports;
mod running;
mod serve;
mod template;
mod truth;

pub use config::{Layout, PortPlan, TownConfig};
pub use error::TownError;
pub use metrics::Metrics;
pub use plan::Plan;
pub use ports::RealPort;
pub use running::{Running, up};
pub use truth::Truth;
