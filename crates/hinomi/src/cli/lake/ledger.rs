//! `hinomi lake ledger`: the proof of what was deleted and held.

use anyhow::{Context, Result};
use clap::Args;
use hinomi_lake::ledger;
use serde_json::json;

use super::super::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Also check that so many entries had this root, as noted down earlier: SIZE:ROOT.
    #[arg(long, value_name = "SIZE:ROOT")]
    noted: Option<String>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let path = ledger::path_of(common.state()?.dir());
    let noted = options.noted.as_deref().map(read).transpose()?;
    let told = ledger::verify(&path, noted)?;
    let size = told.entries.len();
    if common.json {
        return output::json(&json!({ "size": size, "root": told.root, "entries": told.entries }));
    }
    for entry in &told.entries {
        output::line(&output::clean_line(&serde_json::to_string(entry)?, 2_000))?;
    }
    output::line(&format!("{size} entries hold; to note down: {size}:{}", told.root))
}

fn read(text: &str) -> Result<(u64, &str)> {
    let (size, root) = text.split_once(':').context("--noted wants SIZE:ROOT, as this command prints it")?;
    Ok((size.parse().context("--noted wants SIZE:ROOT, as this command prints it")?, root))
}
