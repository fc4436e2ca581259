//! What a collector says: where it listens, what it finds, how it goes, and every sum at the end.

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
/// Candidates in the summary.
const CANDIDATES: usize = 10;

/// Where it listens, on stdout: the first line.
pub(crate) fn listening(common: &Common, sockets: &Sockets) -> Result<()> {
    if common.json {
        return output::json(&json!({ "listening": sockets.listening(), "buffer_bytes": sockets.buffer_bytes() }));
    }
    let addresses: Vec<String> = sockets.listening().iter().map(ToString::to_string).collect();
    output::line(&format!("listening on {} (UDP: NetFlow v5, v9, IPFIX, sFlow v5; TCP: IPFIX)", addresses.join(", ")))?;
    if sockets.listening().iter().all(|address| address.ip().is_loopback()) {
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
        let (now, records) = (status.updated, status.decoded.records);
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

fn lines(status: &CollectorStatus) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &status.files {
        lines.push(format!("{} ({}): {} records{}", file.name, file.kind, file.records, rest(&file.left_out)));
    }
    let (received, decoded, inlet) = (&status.received, &status.decoded, &status.inlet);
    if received.datagrams > 0 || status.files.is_empty() {
        lines.push(format!(
            "received  {} datagrams and messages, {} bytes; {} dropped by the system{}",
            received.datagrams,
            received.bytes,
            received.kernel_drops,
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
