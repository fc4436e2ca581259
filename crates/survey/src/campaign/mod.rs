//! A campaign: one job of targets under one scope, with a state that survives a kill.

mod checkpoint;
mod commit;
mod pseudo;
mod run;

pub(crate) use commit::Seen;
pub use checkpoint::{CheckpointError, Progress};
pub use run::{Campaign, Report, Survey};
