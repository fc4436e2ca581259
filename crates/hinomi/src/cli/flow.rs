//! `hinomi flow`: C&C servers from flow records.

mod audit;
mod bus;
mod collect;
mod evaluate;
mod export;
mod findings;
mod ledger;
mod own;
mod refute;
mod why;
mod work;

use anyhow::Result;
use clap::Subcommand;

use super::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Collect flows, by sockets or from files, and look for C&C servers in them.
    Collect(Box<collect::Options>),
    /// Keep one partition of a collector's state, on this or another machine.
    Work(work::Options),
    /// The findings that are held: how sure, why, and whether they may be shared.
    Findings(findings::Options),
    /// Why an endpoint is held to be a C&C server, or not: every reason for and against, in words.
    Why(Box<why::Options>),
    /// Take a finding back that somebody showed to be wrong.
    Refute(refute::Options),
    /// The list that may leave: what passed the gate, without times, counts, subscribers or carrier.
    Export(export::Options),
    /// How many of your own lines met each finding, and which: asked of a running collector with --own-view.
    Own(own::Options),
    /// What was done and decided, and the proof that nothing of it was changed.
    Ledger(ledger::Options),
    /// Show that planted subscribers leave no trace after their lifetime.
    Audit(audit::Options),
    /// How good the detection is on captures whose answer is known, beside a RITA-like baseline on the same flows.
    Evaluate(evaluate::Options),
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    match verb {
        Verb::Collect(options) => collect::run(common, options),
        Verb::Work(options) => work::run(common, options),
        Verb::Evaluate(options) => evaluate::run(common, options),
        Verb::Findings(options) => findings::run(common, options),
        Verb::Why(options) => why::run(common, options),
        Verb::Refute(options) => refute::run(common, options),
        Verb::Export(options) => export::run(common, options),
        Verb::Own(options) => own::run(common, options),
        Verb::Ledger(options) => ledger::run(common, options),
        Verb::Audit(options) => audit::run(common, options),
    }
}
