//! Authorised discovery and service grab.
//!
//! ```text
//!   Authorised scope --> Door (every packet)          Pace (every packet)
//!                          |                            |
//!   Targets x Walk --> Engine: who answers? --> Grabber: what is it? --> Committer --> Sink (the lake)
//!        ^                                                                   |
//!        +------------------- resume from the stored checkpoint -------------+
//! ```
//!
//! - [`scope`] is the door through which packets leave, and the only one.
//! - [`campaign`] runs a job and resumes it; [`engine`] finds who answers; [`grab`] asks what it is, in at most five
//!   handshakes, without trusting port numbers.
//! - [`ledger`] writes down what left and under which scope, and proves afterwards that nothing else did.
//! - [`outward`] clears scopes of public addresses: page, contact and reverse names must answer first.
//! - [`pace`] keeps the scope's rates, [`sweep`] the order of targets.
//! - [`six`] finds IPv6 addresses worth asking, and prefixes in which every address answers.
//! - [`predict`] says where to look next, and what is due again.
//!
//! What leaves this crate are sightings with evidence; what they mean is `identify`'s business.

pub mod campaign;
pub mod config;
pub mod engine;
pub mod error;
pub mod grab;
pub mod import;
pub mod ledger;
pub mod metrics;
pub mod outward;
pub mod pace;
pub mod predict;
pub mod scope;
pub mod six;
pub mod sweep;

pub use campaign::{Account, Campaign, Coverage, Forecast, Order, Report, Share, Survey, Told};
pub use config::Config;
pub use engine::{ConnectEngine, Engine};
#[cfg(target_os = "linux")]
pub use engine::{FrameEngine, Frames, NoWay};
pub use error::SurveyError;
#[cfg(target_os = "linux")]
pub use hinomi_netio::{Backend, opener};
pub use import::{ImportReport, import};
pub use ledger::Ledger;
pub use metrics::{Counts, Metrics};
pub use pace::Pace;
pub use scope::{Authorised, Door, OptOut, PrivateKey, PublicKey, Trust};
