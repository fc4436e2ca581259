//! A campaign: one job of targets under one scope, with a state that survives a kill.

mod account;
mod checkpoint;
mod commit;
mod coverage;
pub mod forecast;
mod grabs;
mod job;
mod leg;
mod pseudo;
mod run;

pub use account::{Account, Run, Told};
pub use checkpoint::{CheckpointError, Progress};
pub(crate) use commit::Seen;
pub use coverage::Coverage;
pub use forecast::Forecast;
pub use job::{Campaign, Order};
pub use leg::{Leg, Positions, Share};
pub(crate) use pseudo::Standing;
pub use run::{Report, Survey};
