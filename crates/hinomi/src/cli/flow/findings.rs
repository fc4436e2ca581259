//! `hinomi flow findings`: what is held, what was taken back.

use anyhow::Result;
use clap::Args;
use hinomi_model::cnc::words;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::{CncFindings, HeldFinding};

use crate::cli::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Also what was taken back or has faded.
    #[arg(long)]
    all: bool,
    /// As it stood at this time, by what was told until then, or as it will have faded.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// In Japanese.
    #[arg(long)]
    japanese: bool,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let mut findings = common.state()?.reader()?.cnc_findings(options.at.unwrap_or_else(|| SystemClock.now()))?;
    let gone = findings.withdrawn.len();
    if !options.all {
        findings.withdrawn.clear();
    }
    if common.json {
        return output::json(&findings);
    }
    let catalogue = if options.japanese { words::JAPANESE } else { words::ENGLISH };
    show(&findings, catalogue)?;
    if !options.all && gone > 0 {
        output::talk(&format!("{gone} were taken back or have faded; --all lists them too"));
    }
    let left_out = findings.left_out;
    if left_out.damaged_lines > 0 || left_out.old_bytes > 0 {
        let (lines, bytes) = (left_out.damaged_lines, left_out.old_bytes);
        output::talk(&format!(
            "{lines} lines of the journal make no sense, {bytes} bytes of it are too old: of them only what was taken back or \
             shared was read"
        ));
    }
    Ok(())
}

fn show(findings: &CncFindings, catalogue: &str) -> Result<()> {
    if findings.held.is_empty() {
        output::line("no finding is held; hinomi flow collect makes them, and hinomi flow ledger tells what was done")?;
    } else {
        output::line(&format!("{:>10}  {:<44} {:>7}  reasons", "confidence", "endpoint", "clients"))?;
    }
    for held in &findings.held {
        row(held, catalogue)?;
    }
    for taken in &findings.withdrawn {
        let why = words::withdrawn(catalogue, taken.reason);
        output::line(&format!("{:>10}  {:<44} {}: {why}", "-", taken.endpoint.to_string(), taken.time))?;
    }
    Ok(())
}

fn row(held: &HeldFinding, catalogue: &str) -> Result<()> {
    let finding = &held.finding;
    let all = finding.reasons.iter().chain(&finding.counter_evidence);
    let signed = |ratio: f64| if ratio > 0.0 { "" } else { "-" };
    let reasons: Vec<String> = all
        .map(|reason| signed(reason.log_likelihood_ratio).to_owned() + &words::short(catalogue, reason.code))
        .collect();
    let (endpoint, clients) = (finding.endpoint.to_string(), finding.clients);
    output::line(&format!("{:>10.3}  {endpoint:<44} {clients:>7}  {}", finding.confidence, reasons.join(", ")))?;
    let verdict = output::clean_line(&words::verdict(catalogue, &held.export), 300);
    output::line(&format!("{:>10}  {verdict}", ""))
}
