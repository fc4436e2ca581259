//! `hinomi export`: services for other programs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

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
    /// jsonl, csv, parquet, or cyclonedx: the cryptography as a bill of materials.
    #[arg(long, default_value = "jsonl")]
    format: String,
    /// File to write [default: stdout].
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    write(common, &options.query.join(" "), options.format.parse()?, options.out.as_deref())
}

/// Writes what matches to a file, or to stdout.
pub(crate) fn write(common: &Common, query: &str, format: Format, path: Option<&Path>) -> Result<()> {
    let reader = common.state()?.reader()?;
    let mut out: Box<dyn Write + Send> = match path {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(std::io::stdout()),
    };
    let mut buffered = BufWriter::new(&mut out);
    let done = reader.export(query, format, SystemClock.now(), &mut buffered);
    drop(buffered);
    if let (Err(ReadError::Unwitnessed(_)), Some(path)) = (&done, path) {
        // What no entry tells of does not leave.
        fs::remove_file(path).with_context(|| format!("{} is to be deleted", path.display()))?;
    }
    let rows = done?;
    match (path, common.json) {
        (Some(path), true) => output::json(&json!({ "file": path, "rows": rows })),
        _ => {
            output::talk(&format!("{rows} services"));
            Ok(())
        }
    }
}
