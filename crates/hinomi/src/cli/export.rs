//! `hinomi export`: services for other programs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use hinomi_model::{Clock, SystemClock};
use hinomi_share::{Format, ReadError};
use serde_json::json;

use super::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to export; nothing exports everything.
    query: Vec<String>,
    /// jsonl, csv or parquet.
    #[arg(long, default_value = "jsonl")]
    format: String,
    /// File to write [default: stdout].
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let format: Format = options.format.parse()?;
    let query = options.query.join(" ");
    let reader = common.state()?.reader()?;
    let mut out: Box<dyn Write + Send> = match &options.out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(std::io::stdout()),
    };
    let mut buffered = BufWriter::new(&mut out);
    let done = reader.export(&query, format, SystemClock.now(), &mut buffered);
    drop(buffered);
    if let (Err(ReadError::Unwitnessed(_)), Some(path)) = (&done, &options.out) {
        // What no entry tells of does not leave.
        fs::remove_file(path).with_context(|| format!("{} is to be deleted", path.display()))?;
    }
    let rows = done?;
    match (&options.out, common.json) {
        (Some(path), true) => output::json(&json!({ "file": path, "rows": rows })),
        _ => {
            output::talk(&format!("{rows} services"));
            Ok(())
        }
    }
}
