//! `hinomi crypto`: the cryptography inventory.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::Format;
use hinomi_share::inventory::{self, Inventory, Row};

use super::{Common, export};
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Of which services [default: all]; with --format.
    #[arg(requires = "format")]
    query: Vec<String>,
    /// Write it as a file of this form instead.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// File to write [default: stdout].
    #[arg(long, requires = "format")]
    out: Option<PathBuf>,
}

/// Forms of an inventory.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A CBOM: algorithms, protocols and certificates with where they were met; CycloneDX 1.6, JSON.
    Cyclonedx,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    if let Some(Form::Cyclonedx) = options.format {
        return export::write(common, &options.query.join(" "), Format::CycloneDx, options.out.as_deref());
    }
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
        let rows: Vec<&Row> = list.rows.iter().filter(|row| row.count > 0).collect();
        rows.iter().try_for_each(|row| show_row(row))?;
        match list.left_out(rows.len()) {
            0 => {}
            more => output::line(&format!("{:>10}  and {more} more", ""))?,
        }
        output::line("")?;
    }
    output::talk("each number is that of the search beside it: hinomi search '...'");
    Ok(())
}

fn show_row(row: &Row) -> Result<()> {
    output::line(&told(row))
}

/// Count, value, who says that it is weak, and the search: whole, for half a search finds something else.
fn told(row: &Row) -> String {
    let source = row.source.map(|source| format!(" ({source})")).unwrap_or_default();
    let value = format!("{}{source}", clean_line(&row.value, 60));
    format!("{:>10}  {value:<44}  {}", row.count, clean_line(&row.query, usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_clean_and_whole() {
        let query = format!("ssh.kex:\"{}\x1b[31m\r\nend\"", "long".repeat(40));
        let row = Row { value: "long".repeat(40), query, count: 3, source: None };
        let line = told(&row);
        assert!(line.ends_with(&format!("{}\\x1b[31m  end\"", "long".repeat(40))), "{line}");
    }
}
