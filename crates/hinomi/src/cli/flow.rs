//! `hinomi flow`: C&C servers from flow records.

mod evaluate;

use anyhow::Result;
use clap::Subcommand;

use super::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How good the detection is on captures whose answer is known, beside a RITA-like baseline on the same flows.
    Evaluate(evaluate::Options),
    /// Why an endpoint is held to be a C&C server, or not: every reason for and against, in words.
    Why(evaluate::Why),
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    match verb {
        Verb::Evaluate(options) => evaluate::run(common, options),
        Verb::Why(options) => evaluate::why(common, options),
    }
}
