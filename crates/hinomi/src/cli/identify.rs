//! `hinomi identify --again`: better rules improve the past.

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::Common;
use super::rules::Folders;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Derive all facts anew from stored evidence.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    rules: Folders,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    if !options.again {
        bail!("say --again to derive all facts anew from stored evidence");
    }
    let lake = common.state()?.with_rules(&options.rules.folders).open_to_identify()?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let report = lake.identify_again(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    match common.json {
        true => output::json(&report),
        false => output::line(&format!(
            "{} distinct contents identified again, {} of them say something else now",
            report.total, report.changed
        )),
    }
}
