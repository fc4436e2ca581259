//! `hinomi crypto`: the cryptography inventory.

use anyhow::Result;
use clap::Args;
use hinomi_model::{Clock, SystemClock};
use hinomi_share::inventory::{self, Inventory, Row};

use super::Common;
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {}

pub(crate) fn run(common: &Common, _options: &Options) -> Result<()> {
    let reader = common.state()?.reader()?;
    let found = inventory::inventory(&reader, SystemClock.now())?;
    match common.json {
        true => output::json(&found),
        false => show(&found),
    }
}

fn show(found: &Inventory) -> Result<()> {
    for part in &found.readiness {
        output::line(&format!("post-quantum {} ({} services)", part.name, part.total))?;
        part.rows.iter().filter(|row| row.count > 0).try_for_each(show_row)?;
        output::line("")?;
    }
    for list in found.lists.iter().filter(|list| list.rows.iter().any(|row| row.count > 0)) {
        output::line(list.name)?;
        list.rows.iter().filter(|row| row.count > 0).try_for_each(show_row)?;
        output::line("")?;
    }
    output::talk("each number is that of the search beside it: hinomi search '...'");
    Ok(())
}

/// Count, value, who says that it is weak, and the search.
fn show_row(row: &Row) -> Result<()> {
    let source = row.source.map(|source| format!(" ({source})")).unwrap_or_default();
    let value = format!("{}{source}", clean_line(&row.value, 60));
    output::line(&format!("{:>10}  {value:<44}  {}", row.count, clean_line(&row.query, 100)))
}
