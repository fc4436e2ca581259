//! `hinomi lake compact`: small files into few large ones.

use anyhow::Result;
use clap::Args;
use hinomi_lake::CompactOptions;

use super::super::Common;
use super::{bar, tell};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Merge everything into as few files as can be, also where it is not worth it yet.
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(common: &Common, asked: &Options) -> Result<()> {
    let lake = common.state()?.open_to_identify()?;
    let mut options = CompactOptions::default();
    options.all = asked.all;
    let bar = bar();
    let done = lake.compact(&options, &mut tell(&bar))?;
    bar.finish_and_clear();
    if common.json {
        return output::json(&done);
    }
    let change = |what: &str, before: u64, after: u64| output::line(&format!("{what:<6} {before} -> {after}"));
    change("files", done.files_before, done.files_after)?;
    change("rows", done.rows_before, done.rows_after)?;
    change("bytes", done.bytes_before, done.bytes_after)
}
