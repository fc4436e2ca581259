//! `hinomi host`: one address, down to the bytes.

use anyhow::{Result, bail};
use clap::Args;
use hinomi_model::{ContentHash, EvidenceRef, Terms, parse_address};
use hinomi_share::{Host, Reader, StoredEvidence};

use super::Common;
use super::search::one_line;
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The address.
    address: String,
    /// Show the bytes of all evidence.
    #[arg(long)]
    bytes: bool,
    /// How many entries of the history to show.
    #[arg(long, default_value_t = 20)]
    history: usize,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let address = parse_address(&options.address)?;
    let reader = common.state()?.reader()?;
    let Some(host) = reader.host(address)? else {
        bail!("nothing was ever seen at {address}");
    };
    match common.json {
        true => output::json(&host),
        false => show(&reader, &host, options),
    }
}

fn show(reader: &Reader, host: &Host, options: &Options) -> Result<()> {
    output::line(&format!("{}: {} services", host.address, host.services.len()))?;
    for service in &host.services {
        output::line(&format!("\n{}", one_line(service)))?;
        output::line(&format!("  first seen {}, last seen {}", service.first_seen, service.last_seen))?;
        show_terms(&service.terms)?;
        for proof in &service.facts.proofs {
            let span = format!("bytes {}..{} of {}", proof.start, proof.end, proof.evidence);
            output::line(&format!("  because {}: {} ({span})", proof.rule, proof.field))?;
        }
        for reference in &service.evidence {
            show_evidence(reader, reference, options.bytes)?;
        }
    }
    output::line("\nhistory")?;
    for entry in host.history.iter().take(options.history) {
        let changes = if entry.changes.is_empty() { String::new() } else { format!(" [{}]", entry.changes.join(", ")) };
        let label = clean_line(&entry.label, 100);
        let outcome = entry.outcome.name();
        output::line(&format!("  {} {}/{} {outcome} {label}{changes}", entry.time, entry.port, entry.transport))?;
    }
    let left_out = host.history.len().saturating_sub(options.history);
    if left_out > 0 {
        output::talk(&format!("{left_out} older entries are left out; --history {} shows all", host.history.len()));
    }
    Ok(())
}

fn show_terms(terms: &Terms) -> Result<()> {
    let embargo = terms.embargo.map(|until| format!("under embargo until {until}"));
    let licence = terms.licence.as_deref().map(|licence| format!("licence {}", clean_line(licence, 128)));
    let words: Vec<&str> = terms.handling.iter().map(String::as_str).collect();
    let handling = (!words.is_empty()).then(|| format!("handling {}", words.join(" ")));
    let told: Vec<String> = [embargo, licence, handling].into_iter().flatten().collect();
    if told.is_empty() { Ok(()) } else { output::line(&format!("  {}", told.join(", "))) }
}

fn show_evidence(reader: &Reader, reference: &EvidenceRef, bytes: bool) -> Result<()> {
    let Some(evidence) = reader.evidence(&reference.hash)? else {
        return output::line(&format!("  evidence {} {} is not stored", reference.kind, reference.hash));
    };
    let cut = if evidence.truncated { ", cut" } else { "" };
    let size = evidence.bytes.len();
    output::line(&format!("  evidence {} {} ({size} bytes{cut})", reference.kind, short(&reference.hash)))?;
    match bytes {
        true => dump(&evidence),
        false => output::line(&format!("    {}", clean_line(&String::from_utf8_lossy(&evidence.bytes), 120))),
    }
}

fn short(hash: &ContentHash) -> String {
    hash.to_string().chars().take(16).collect()
}

/// Sixteen bytes a line: offset, hexadecimal, text.
fn dump(evidence: &StoredEvidence) -> Result<()> {
    for (row, chunk) in evidence.bytes.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            chunk.iter().map(|byte| if (32..127).contains(byte) { char::from(*byte) } else { '.' }).collect();
        output::line(&format!("    {:06x}  {:<47}  {text}", row * 16, hex.join(" ")))?;
    }
    Ok(())
}
