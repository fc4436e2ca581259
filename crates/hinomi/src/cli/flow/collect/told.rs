//! What a collector says: where it listens, what it finds, how it goes, and every sum at the end.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use hinomi_flow::live::{Scored, Sockets};
use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{CollectorStatus, Sums};
use hinomi_model::cnc::{ExportVerdict, Finding, Message};
use serde_json::json;

use crate::cli::Common;
use crate::output;

/// How often progress is told on stderr.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Reasons that are told of one file.
const REASONS: usize = 5;
/// Candidates in the summary.
const CANDIDATES: usize = 10;

/// Where it listens, on stdout: the first line.
pub(crate) fn listening(common: &Common, sockets: &Sockets) -> Result<()> {
    let watching: Vec<&str> = sockets.watching().collect();
    if common.json {
        let (listening, buffer_bytes) = (sockets.listening(), sockets.buffer_bytes());
        return output::json(&json!({ "listening": listening, "watching": watching, "buffer_bytes": buffer_bytes }));
    }
    let addresses: Vec<String> = sockets.listening().iter().map(ToString::to_string).collect();
    if !addresses.is_empty() {
        let protocols = "UDP: NetFlow v5, v9, IPFIX, sFlow v5; TCP: IPFIX";
        output::line(&format!("listening on {} ({protocols})", addresses.join(", ")))?;
    }
    if !watching.is_empty() {
        output::line(&format!("watching {} (packets become flows)", watching.join(", ")))?;
    }
    if !addresses.is_empty() && sockets.listening().iter().all(|address| address.ip().is_loopback()) {
        output::talk("only this machine is heard; name an address of it to hear exporters: --listen ADDRESS:PORT");
    }
    output::talk(&format!("the system keeps {} KiB for a receiver", sockets.buffer_bytes() / 1_024));
    Ok(())
}

/// A finding or its end, as soon as it is known.
pub(crate) fn message(as_json: bool, message: &Message) -> Result<()> {
    if as_json {
        return output::json(&json!({ "message": message }));
    }
    match message {
        Message::Found { finding, export } => {
            let leaves = match export {
                ExportVerdict::Passes { .. } => "may be shared",
                _ => "stays inside",
            };
            output::line(&format!("found {}, confidence {:.2}, {leaves}", finding.endpoint, finding.confidence))
        }
        Message::Retracted(retraction) => {
            output::line(&format!("taken back {}: {}", retraction.endpoint, retraction.reason.name()))
        }
        Message::Listed(_) => Ok(()),
    }
}

/// How it goes, on stderr.
#[derive(Default)]
pub(crate) struct Progress {
    last: Option<(Timestamp, u64)>,
}

impl Progress {
    /// Tells it when it was not told for a while and something came.
    pub(crate) fn tell(&mut self, status: &CollectorStatus) {
        let (now, records) = (status.updated, status.inlet.records);
        let Some((before, told)) = self.last else {
            self.last = Some((now, records));
            return;
        };
        let passed = now.since(before);
        if passed < PROGRESS_EVERY || records == told {
            return;
        }
        self.last = Some((now, records));
        let rate = records.saturating_sub(told) as f64 / passed.as_secs_f64();
        output::talk(&format!(
            "{rate:.0} records/s, {records} in all, {} servers, {} findings, {:.2}% lost",
            sum(&status.servers, "servers"),
            status.findings,
            status.loss * 100.0
        ));
    }
}

/// Every sum.
pub(crate) fn summary(common: &Common, status: &CollectorStatus, scored: &Scored) -> Result<()> {
    let candidates: Vec<&Finding> = scored.candidates.iter().take(CANDIDATES).collect();
    if common.json {
        return output::json(&json!({ "status": status, "candidates": candidates }));
    }
    lines(status).iter().try_for_each(|line| output::line(line))?;
    for (place, finding) in candidates.iter().enumerate() {
        let mark = if finding.is_named() { "named" } else { "not named" };
        output::line(&format!("{:>3}  {}  confidence {:.3}, {mark}", place + 1, finding.endpoint, finding.confidence))?;
    }
    Ok(())
}

/// Why something in a file gave no flow, on stderr: the most frequent reasons.
pub(crate) fn left_out(path: &Path, reasons: &Sums) {
    let mut told: Vec<_> = reasons.iter().collect();
    told.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (reason, count) in told.into_iter().take(REASONS) {
        output::talk(&format!("{}: {count} left out: {}", path.display(), output::clean_line(reason, 300)));
    }
}

fn lines(status: &CollectorStatus) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &status.files {
        lines.push(format!("{} ({}): {} records{}", file.name, file.kind, file.records, rest(&file.left_out)));
    }
    let (received, decoded, inlet) = (&status.received, &status.decoded, &status.inlet);
    let is_watching = status.files.iter().any(|file| file.kind == "interface");
    let is_listening = received.datagrams > 0 || !status.listening.is_empty() || status.files.is_empty();
    if is_watching {
        lines.push(format!("frames    {}", received.frames));
    }
    if is_watching || is_listening {
        // One sum of all receivers and interfaces.
        let (drops, errors) = (received.kernel_drops, received.errors);
        lines.push(format!("system    {drops} dropped by the system, {errors} errors at receiving"));
    }
    if is_listening {
        lines.push(format!(
            "received  {} datagrams and messages, {} bytes{}",
            received.datagrams,
            received.bytes,
            rest(&received.streams)
        ));
        lines.push(format!("  bytes   {}", all(&decoded.parts)));
        for (reason, refused) in &decoded.refused {
            lines.push(format!("  refused {} {reason}, {} bytes", refused.items, refused.bytes));
        }
        lines.push(format!(
            "decoded   {} records, {} about exporters, {} templates{}",
            decoded.records,
            decoded.option_records,
            decoded.templates,
            rest(&decoded.clamped)
        ));
        lines.push(format!("lost      {:.3}% by the exporters' numbers", status.loss * 100.0));
    }
    lines.push(format!("inlet     {} records, {} flows{}", inlet.records, inlet.flows, rest(&inlet.refused)));
    lines.push(format!("pairs     {}", all(&status.pairs)));
    lines.push(format!("servers   {}", all(&status.servers)));
    lines.push(format!("watched   {}", all(&status.watched)));
    lines.push(format!("scored    {}", all(&status.scoring)));
    if !status.spread.is_empty() {
        lines.push(format!("spread    {}", all(&status.spread)));
    }
    lines.push(format!("findings  {} held", status.findings));
    lines
}

fn sum(sums: &Sums, name: &str) -> u64 {
    sums.get(name).copied().unwrap_or(0)
}

fn all(sums: &Sums) -> String {
    let parts: Vec<String> = sums.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn rest(sums: &Sums) -> String {
    if sums.is_empty() { String::new() } else { format!("; {}", all(sums)) }
}
