//! `hinomi ledger verify`: proofs and checkpoints from their files alone.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use hinomi_share::ledger::Entry;
use hinomi_share::ledger::note::Verifier;
use hinomi_share::ledger::proof::{MAX_PROOF_BYTES, Shown, agree, verify_file};
use serde_json::{Value, json};

use crate::cli::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A verifier key that is believed, as `hinomi ledger status` of that installation prints it; may be repeated.
    #[arg(long, required = true, value_name = "VKEY")]
    vkey: Vec<String>,
    /// Proofs and checkpoints.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(common: &Common, options: &Options) -> Result<()> {
    let keys: Vec<Verifier> = options.vkey.iter().map(|vkey| Verifier::read(vkey)).collect::<Result<_, _>>()?;
    let mut all = Vec::with_capacity(options.files.len());
    for file in &options.files {
        let shown = read(file).and_then(|bytes| Ok(verify_file(&bytes, &keys)?));
        all.push(shown.with_context(|| file.display().to_string())?);
    }
    agree(&all)?;
    for (file, shown) in options.files.iter().zip(&all) {
        match common.json {
            true => output::json(&told(file, shown))?,
            false => output::line(&output::clean_line(&words(file, shown), 4_000))?,
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than may be: so it is noticed.
    File::open(file)?.take(MAX_PROOF_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn told(file: &Path, shown: &Shown) -> Value {
    let file = file.display().to_string();
    match shown {
        Shown::Included { place, entry, organisations, checkpoint } => {
            let entry = entry.as_deref().map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
            json!({
                "file": file, "holds": "inclusion", "place": place, "entry": entry, "organisations": organisations,
                "size": checkpoint.size,
            })
        }
        Shown::Grew { old, new } => json!({ "file": file, "holds": "consistency", "old": old.size, "new": new.size }),
        Shown::Signed(checkpoint) => json!({ "file": file, "holds": "checkpoint", "size": checkpoint.size }),
    }
}

fn words(file: &Path, shown: &Shown) -> String {
    let file = file.display();
    match shown {
        Shown::Included { place, entry, organisations, checkpoint } => {
            let size = checkpoint.size;
            let said = match entry {
                None => "what it said was deleted".to_owned(),
                Some(text) => Entry::read(text.as_bytes())
                    .map_or_else(|| text.clone(), |entry| format!("{} at {}: {text}", entry.event.kind(), entry.time)),
            };
            let names: Vec<&str> = organisations.iter().map(String::as_str).collect();
            let named = if names.is_empty() { String::new() } else { format!("; for {}", names.join(" ")) };
            format!("{file}: entry {place} is in the ledger of {size} entries; {said}{named}")
        }
        Shown::Grew { old, new } => {
            format!("{file}: the ledger of {} entries continues that of {}", new.size, old.size)
        }
        Shown::Signed(checkpoint) => format!("{file}: a signed checkpoint of {} entries", checkpoint.size),
    }
}
