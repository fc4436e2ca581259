//! `hinomi flow ledger`: what was done and decided, and the proof that nothing of it was changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use hinomi_flow::ledger::{self, Checkpoint, Entry};
use serde_json::json;

use crate::cli::Common;
use crate::output;
use crate::witness;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The newest entries (the default).
    Show {
        /// How many.
        #[arg(long, default_value_t = 50)]
        last: usize,
    },
    /// Check every line, and that the log continues checkpoints noted down earlier.
    Verify {
        /// A file with a checkpoint; may be repeated.
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// A ledger elsewhere, as a copy handed to an auditor.
        #[arg(long, value_name = "FILE")]
        ledger: Option<PathBuf>,
    },
    /// Three lines to note down elsewhere: they prove later that nothing before was changed.
    Checkpoint,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let path = witness::ledger_path(common.state()?.dir());
    match &options.verb {
        None => show(common, &path, 50),
        Some(Verb::Show { last }) => show(common, &path, *last),
        Some(Verb::Verify { checkpoints, ledger }) => verify(common, ledger.as_ref().unwrap_or(&path), checkpoints),
        Some(Verb::Checkpoint) => {
            present(&path)?;
            let checkpoint = ledger::verify(&path, &[])?.checkpoint;
            match common.json {
                true => output::json(&json!({ "size": checkpoint.size, "checkpoint": checkpoint.to_text() })),
                false => output::line(checkpoint.to_text().trim_end()),
            }
        }
    }
}

fn present(path: &Path) -> Result<()> {
    ensure!(path.exists(), "there is no ledger yet at {}: hinomi flow collect begins it", path.display());
    Ok(())
}

fn show(common: &Common, path: &Path, last: usize) -> Result<()> {
    present(path)?;
    let entries = ledger::newest(path, last)?;
    if common.json {
        return output::json(&entries);
    }
    entries.iter().try_for_each(|entry| output::line(&line(entry)))
}

/// Number, time, kind, and the rest as it stands in the file.
fn line(entry: &Entry) -> String {
    let mut event = serde_json::to_value(&entry.event).unwrap_or_default();
    let fields = event.as_object_mut();
    let kind = fields.and_then(|fields| fields.remove("kind"));
    let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
    let rest: Vec<String> =
        event.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
    let text = format!("{:>6}  {}  {kind:<13} {}", entry.number, entry.time, rest.join(", "));
    output::clean_line(&text, 1_000)
}

fn verify(common: &Common, path: &Path, files: &[PathBuf]) -> Result<()> {
    present(path)?;
    let mut noted = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
        noted.push(
            Checkpoint::read(&text)
                .with_context(|| format!("{}: is no checkpoint of a flow ledger", file.display()))?,
        );
    }
    let verified = ledger::verify(path, &noted)?;
    if common.json {
        let (size, torn_bytes) = (verified.checkpoint.size, verified.torn_bytes);
        let checkpoint = verified.checkpoint.to_text();
        return output::json(
            &json!({ "holds": true, "size": size, "torn_bytes": torn_bytes, "checkpoint": checkpoint }),
        );
    }
    output::line(&format!("{} entries hold; {} checkpoints are continued", verified.checkpoint.size, noted.len()))?;
    if verified.torn_bytes > 0 {
        output::talk(&format!(
            "{} bytes of an unfinished last line: being written, or torn by a crash",
            verified.torn_bytes
        ));
    }
    Ok(())
}
