//! `hinomi flow work`: one partition of a collector's state, on another machine.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use clap::Args;
use hinomi_flow::node::{MAX_PARTITIONS, Worker};
use serde_json::json;

use super::super::Common;
use super::bus::{Server, Workers};
use super::collect;
use crate::limits::Memory;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// Which partition, from 0.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..i64::from(MAX_PARTITIONS)))]
    partition: u32,
    #[command(flatten)]
    memory: Memory,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    options.memory.guard()?;
    let stop = Arc::new(AtomicBool::new(false));
    collect::stop_when_asked(&stop, "stopping: what this partition knows is forgotten")?;
    let mut bus = Workers::connect(&options.server, options.partition)?;
    let mut worker = Worker::new(options.partition);
    match common.json {
        true => output::json(&json!({ "partition": options.partition, "ready": true }))?,
        false => output::line(&format!("partition {} waits for a collector; Ctrl-C ends it", options.partition))?,
    }
    worker.run(&mut bus, &stop)?;
    let counts = worker.counts();
    let sums = json!({
        "partition": options.partition,
        "parcels": counts.parcels,
        "flows": counts.flows,
        "again": counts.again,
        "missed": counts.missed,
        "of_unknown_job": counts.of_unknown_job,
        "malformed": counts.malformed,
        "shares": counts.shares,
    });
    if common.json {
        return output::json(&sums);
    }
    output::line(&format!(
        "{} flows in {} parcels, {} told again, {} missed; {} shares told",
        counts.flows, counts.parcels, counts.again, counts.missed, counts.shares
    ))
}
