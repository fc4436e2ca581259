//! A campaign: one job of targets under one scope, with a state that survives a kill.

mod account;
mod checkpoint;
mod commit;
pub mod forecast;
mod pseudo;
mod run;

pub use account::{Account, Run, Told};
pub use checkpoint::{CheckpointError, Progress};
pub(crate) use commit::Seen;
pub use forecast::Forecast;
pub(crate) use pseudo::Standing;
pub use run::{Campaign, Report, Survey};
