//! `hinomi ledger`: who looked at what, what left and was told, what was decided; and the proof of it.
//!
//! `verify` reads nothing but the files that it is given: no state folder, no database. Whoever keeps a verifier key and a
//! checkpoint needs neither this installation nor its operator.

mod verify;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::ledger::{Actor, KINDS, Log};
use hinomi_state::ledger::LedgerEntry;
use hinomi_state::{Database, Settings};
use serde_json::{Value, json};

use super::Common;
use crate::{output, witness};

/// Entries that are shown when nothing is asked.
const SHOWN: u64 = 50;
/// The longest file of a checkpoint.
const MAX_NOTE_BYTES: u64 = 16 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How long it is, the newest checkpoints, and the key that signs them.
    Status,
    /// Entries, the newest unless --from says otherwise.
    Show {
        /// How many.
        #[arg(long, default_value_t = SHOWN)]
        last: u64,
        /// From this entry on.
        #[arg(long, value_name = "NUMBER")]
        from: Option<u64>,
    },
    /// The organisations that entries name by a digest, one a line: `sha256sum` says the digest of them.
    Organisations {
        /// The digest: `sha256` of `group` in an entry.
        sha256: String,
    },
    /// A proof to hand out: that an entry is in the ledger, or that it only grew since a checkpoint.
    Prove {
        /// The entry.
        #[arg(long, value_name = "NUMBER", required_unless_present = "since")]
        entry: Option<u64>,
        /// A file with a checkpoint that somebody kept.
        #[arg(long, value_name = "FILE", conflicts_with = "entry")]
        since: Option<PathBuf>,
    },
    /// A signed checkpoint to keep elsewhere: it proves later that nothing before was changed.
    Checkpoint,
    /// Read all of it, work out every hash anew, and hold it against all checkpoints.
    Check {
        /// A file with a checkpoint that was kept elsewhere; may be repeated.
        #[arg(long, value_name = "FILE")]
        noted: Vec<PathBuf>,
    },
    /// Delete what old entries say; their hashes and proofs stay.
    Retain {
        /// Entries of before this moment.
        #[arg(long, value_name = "TIME")]
        before: Timestamp,
        /// Of this kind; may be repeated.
        #[arg(long, value_name = "KIND", required = true, value_parser = KINDS)]
        kind: Vec<String>,
        /// Why: an entry tells it.
        #[arg(long)]
        reason: String,
    },
    /// Check proofs and checkpoints from their files alone: without a state folder, anywhere.
    Verify(verify::Options),
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    if let Verb::Verify(options) = verb {
        return verify::run(common, options);
    }
    let log = open(common)?;
    match verb {
        Verb::Status => status(common, &log),
        Verb::Show { last, from } => show(common, &log, *last, *from),
        Verb::Organisations { sha256 } => organisations(common, &log.list_of(sha256)?),
        Verb::Prove { entry: Some(entry), .. } => proof(&log.prove_inclusion(*entry)?),
        Verb::Prove { since: Some(file), .. } => proof(&log.prove_consistency(&read_note(file)?)?),
        Verb::Prove { .. } => bail!("--entry or --since: what is to be proved?"),
        Verb::Checkpoint => print(&log.checkpoint()?),
        Verb::Check { noted } => check(common, &log, noted),
        Verb::Retain { before, kind, reason } => retain(common, &log, *before, kind, reason),
        Verb::Verify(options) => verify::run(common, options),
    }
}

/// The ledger of an installation.
pub(crate) fn open(common: &Common) -> Result<Log> {
    let state = common.state()?;
    let folder = state.make()?;
    let database = Database::open(&Settings::of_state(folder)?.target)?;
    Ok(Log::open(&database, folder, Arc::new(SystemClock))?)
}

fn status(common: &Common, log: &Log) -> Result<()> {
    let (size, checkpoints, vkey) = (log.size()?, log.checkpoints(5)?, log.verifier().to_string());
    if common.json {
        let checkpoints: Vec<Value> = checkpoints
            .iter()
            .map(|one| json!({ "size": one.size, "time": one.time, "signer": one.signer, "note": one.note }))
            .collect();
        return output::json(
            &json!({ "entries": size, "vkey": vkey, "database": log.place(), "checkpoints": checkpoints }),
        );
    }
    let mut text = format!("{size} entries; {}\nverifier key: {vkey}", log.place());
    for one in &checkpoints {
        text.push_str(&format!("\ncheckpoint of {} entries at {}, signed by {}", one.size, one.time, one.signer));
    }
    output::line(&output::clean(&text))
}

fn show(common: &Common, log: &Log, last: u64, from: Option<u64>) -> Result<()> {
    let mut next = match from {
        Some(from) => from,
        None => log.size()?.saturating_sub(last),
    };
    let end = next.saturating_add(last);
    while next < end {
        let page = log.entries(next, end - next)?;
        let Some(newest) = page.last() else { break };
        next = newest.place + 1;
        page.iter().try_for_each(|entry| line(common, entry))?;
    }
    Ok(())
}

fn line(common: &Common, entry: &LedgerEntry) -> Result<()> {
    let said = entry.data.as_deref().map(serde_json::from_slice::<Value>).transpose();
    let said = said.with_context(|| format!("entry {} cannot be read", entry.place))?;
    if common.json {
        return output::json(&json!({ "place": entry.place, "entry": said, "kind": entry.kind, "time": entry.time }));
    }
    let rest = match said {
        None => "what it said was deleted".to_owned(),
        Some(Value::Object(members)) => {
            let told = members.iter().filter(|(name, _)| !["event", "salt", "time"].contains(&name.as_str()));
            told.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    };
    let text = format!("{:>7}  {}  {:<10} {rest}", entry.place, entry.time, entry.kind);
    output::line(&output::clean_line(&text, 2_000))
}

fn organisations(common: &Common, list: &str) -> Result<()> {
    match common.json {
        true => output::json(&json!({ "organisations": list.lines().collect::<Vec<_>>() })),
        false => print(list),
    }
}

fn proof(proof: &hinomi_share::ledger::proof::Proof) -> Result<()> {
    output::json(proof)
}

/// A text as it is, to the byte: its last line is part of it.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn read_note(file: &std::path::Path) -> Result<String> {
    let size = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    if size > MAX_NOTE_BYTES {
        bail!("{}: a checkpoint has at most {MAX_NOTE_BYTES} bytes", file.display());
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn check(common: &Common, log: &Log, noted: &[PathBuf]) -> Result<()> {
    let noted: Vec<String> = noted.iter().map(|file| read_note(file)).collect::<Result<_>>()?;
    let told = log.check(&noted).map_err(|error| anyhow::Error::new(error).context(super::Damaged(1)))?;
    if common.json {
        return output::json(&json!({
            "entries": told.entries, "deleted": told.deleted, "checkpoints": told.checkpoints,
        }));
    }
    output::line(&format!(
        "{} entries hold, of {} only the hash is left; {} checkpoints are continued",
        told.entries, told.deleted, told.checkpoints
    ))
}

fn retain(common: &Common, log: &Log, before: Timestamp, kinds: &[String], reason: &str) -> Result<()> {
    if before > SystemClock.now() {
        bail!("--before {before} has not come yet");
    }
    let by = Actor { name: format!("operator {}", witness::user()), ..Actor::default() };
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let deleted = log.retain(&by, before, &kinds, reason)?;
    match common.json {
        true => output::json(&json!({ "deleted": deleted })),
        false => output::line(&format!("what {deleted} entries said is deleted; their proofs stay")),
    }
}
