//! `hinomi campaign ledger`: what was sent under which scope, and the proof that nothing else was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use hinomi_model::CampaignId;
use hinomi_survey::ledger::proof::Held;
use hinomi_survey::ledger::{self, Checkpoint, Entry, Proof, Stored};
use serde_json::{Value, json};

use super::super::Common;
use super::status;
use crate::books::Shelf;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Entries of this campaign only.
    campaign: Option<CampaignId>,
    /// How many of the newest entries to show.
    #[arg(long, default_value_t = 50, conflicts_with_all = ["verify", "note"])]
    last: usize,
    /// Prove it: the chain of entries, their sums, that every packet went to where a signed scope permits, and that the
    /// store tells of as many.
    #[arg(long)]
    verify: bool,
    /// With --verify: a file with three lines of `--note`, which the ledger must continue; may be repeated.
    #[arg(long = "checkpoint", value_name = "FILE", requires = "verify")]
    checkpoints: Vec<PathBuf>,
    /// Three lines to note down elsewhere: they prove later that nothing before was changed.
    #[arg(long, conflicts_with = "verify")]
    note: bool,
    /// A ledger elsewhere with its folder `scopes`, as a copy handed to an auditor. It is not compared with a store.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

pub(super) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    let path = options.ledger.clone().unwrap_or_else(|| Shelf::of(&state).ledger());
    ensure!(path.exists(), "there is no ledger yet at {}: a survey begins it", path.display());
    if options.note {
        let checkpoint = ledger::verify(&path, &[])?.checkpoint;
        return match common.json {
            true => output::json(&json!({ "size": checkpoint.size, "checkpoint": checkpoint.to_text() })),
            false => output::line(checkpoint.to_text().trim_end()),
        };
    }
    if !options.verify {
        return show(common, &path, options);
    }
    let stored = match options.ledger {
        Some(_) => BTreeMap::new(),
        None => status::stored(&state)?
            .into_iter()
            .filter_map(|(campaign, told)| {
                let account = told.account?;
                Some((campaign, Stored { packets: account.counts.packets_sent, time: account.time }))
            })
            .collect(),
    };
    let proof = ledger::prove(&path, &read_checkpoints(&options.checkpoints)?, &stored)?;
    prove(common, &proof, options.campaign.as_ref())
}

fn read_checkpoints(files: &[PathBuf]) -> Result<Vec<Checkpoint>> {
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
        Checkpoint::read(&text).with_context(|| format!("{}: is no checkpoint of this ledger", file.display()))
    };
    files.iter().map(read).collect()
}

fn prove(common: &Common, proof: &Proof, wanted: Option<&CampaignId>) -> Result<()> {
    let holds = proof.objections.is_empty();
    if common.json {
        let mut told = serde_json::to_value(proof)?;
        if let Some(fields) = told.as_object_mut() {
            fields.insert("holds".to_owned(), Value::Bool(holds));
        }
        output::json(&told)?;
    } else {
        for (campaign, held) in &proof.campaigns {
            if wanted.is_none_or(|wanted| wanted == campaign) {
                output::line(&of_campaign(campaign, held))?;
            }
        }
        proof
            .objections
            .iter()
            .try_for_each(|why| output::line(&format!("DOES NOT HOLD: {}", output::clean_line(why, 400))))?;
    }
    if !proof.older.is_empty() {
        output::talk(&format!("{} campaigns are older than this ledger; nothing is said of them", proof.older.len()));
    }
    if proof.torn_bytes > 0 {
        output::talk(&format!(
            "{} bytes of an unfinished last line: being written, or torn by a crash",
            proof.torn_bytes
        ));
    }
    if !holds {
        bail!("the ledger does not prove that nothing else was sent: {} objections", proof.objections.len());
    }
    if !common.json {
        output::line(&format!("{} entries hold; every packet went to where its signed scope permits", proof.entries))?;
    }
    Ok(())
}

fn of_campaign(campaign: &CampaignId, held: &Held) -> String {
    let Held { runs, packets, in_doubt, prefixes, .. } = held;
    let doubt = match in_doubt {
        0 => String::new(),
        doubt => format!(", at most {doubt} more in doubt because a run was killed or goes on"),
    };
    let stored = match (held.stored, held.open) {
        (Some(_), true) => ", compared with the store once it has ended".to_owned(),
        (Some(stored), false) => format!(", the store tells of {stored}"),
        (None, _) => ", not compared with a store".to_owned(),
    };
    format!("{campaign}: {packets} packets to {prefixes} prefixes in {runs} runs{stored}{doubt}")
}

fn show(common: &Common, path: &Path, options: &Options) -> Result<()> {
    let wanted = options.campaign.as_ref();
    let entries = ledger::newest(path, options.last, |event| wanted.is_none() || event.campaign() == wanted)?;
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
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let rest: Vec<String> =
        event.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
    output::clean_line(&format!("{:>6}  {}  {kind:<8} {}", entry.number, entry.time, rest.join(", ")), 1_000)
}
