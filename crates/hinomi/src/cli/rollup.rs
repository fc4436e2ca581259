//! `hinomi rollup`: services at the end of each day, by what they are and where.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use hinomi_model::{Clock, SystemClock};
use hinomi_share::DIMENSIONS;
use serde_json::json;

use super::Common;
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Make the counts anew also when nothing is new.
    #[arg(long)]
    rebuild: bool,
    /// Show the counts by this instead of making them; `all` counts services as a whole.
    #[arg(long, value_name = "DIMENSION", value_parser = clap::builder::PossibleValuesParser::new(DIMENSIONS))]
    by: Option<String>,
    /// How many days back are shown.
    #[arg(long, default_value_t = 30)]
    days: u32,
}

const A_DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    match &options.by {
        Some(dimension) => show(common, dimension, options.days),
        None => make(common, options.rebuild),
    }
}

fn make(common: &Common, rebuild: bool) -> Result<()> {
    let made = common.state()?.open_lake()?.roll_up(rebuild)?;
    if common.json {
        return output::json(&made);
    }
    match made.made {
        true => output::line(&format!("{} days, {} rows, {} values left out", made.days, made.rows, made.left_out)),
        false => output::line(&format!("up to date: {} rows", made.rows)),
    }
}

fn show(common: &Common, dimension: &str, days: u32) -> Result<()> {
    let now = SystemClock.now();
    let found = common.state()?.reader()?.rollups(dimension, now.minus(A_DAY * days), now)?;
    if common.json {
        return output::json(&json!({ "by": dimension, "counts": found.counts, "behind": found.behind }));
    }
    for count in &found.counts {
        let day: String = count.day.to_string().chars().take(10).collect();
        let numbers = format!(
            "{:>10} services {:>10} addresses {:>8} opened {:>8} closed {:>10} seen",
            count.services, count.addresses, count.opened, count.closed, count.seen
        );
        output::line(&clean_line(&format!("{day} {numbers}  {}", count.value), 200))?;
    }
    output::talk("a day that is missing was not looked at");
    if found.behind {
        output::talk("there are sightings or facts that these counts were not made from: hinomi rollup");
    }
    Ok(())
}
