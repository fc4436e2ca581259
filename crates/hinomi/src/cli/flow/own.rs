//! `hinomi flow own`: which of the carrier's own lines met a finding, asked of the collector that holds the key.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use hinomi_flow::ledger::Words;
use hinomi_flow::own::{Answer, OwnEpoch, OwnFinding, Question, Reply, Request, Resolved};
use hinomi_model::cnc::Endpoint;
use serde_json::json;

use crate::cli::Common;
use crate::{output, witness};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Why; goes into the ledger before anything is told.
    #[arg(long, global = true, value_name = "TEXT")]
    reason: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Which of these lines met the endpoint of a finding: written into a new file that its owner alone can read. Only
    /// while the key of the epoch in which they met it lives.
    Resolve {
        /// The endpoint, as 203.0.113.9:1337/tcp.
        endpoint: Endpoint,
        /// Your lines, one address a line; the collector reads the file and keeps nothing of it.
        #[arg(long, value_name = "FILE")]
        lines: PathBuf,
        /// The file that is made, outside the state folder.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let reason = options.reason.as_deref().context("say why with --reason: it goes into the ledger")?;
    let reason = Words::new(reason).context("--reason")?;
    let by = Words::new(&witness::name()).context("who asks")?;
    let question = match &options.verb {
        None => Question::Counts,
        Some(Verb::Resolve { endpoint, lines, out }) => resolve(*endpoint, lines, out)?,
    };
    let state = common.state()?;
    match ask(&state.dir().join("flow"), &Request { by, reason, question })? {
        Reply::Refused(reason) => bail!("{}", output::clean_line(&reason, 500)),
        Reply::Answer(Answer::Counts(findings)) if common.json => output::json(&findings),
        Reply::Answer(Answer::Counts(findings)) => counts(&findings),
        Reply::Answer(Answer::Resolved(resolved)) => told(common, &resolved, options),
    }
}

/// The collector stands in another folder than who asks: paths must be whole. What is wrong at once is said at once.
fn resolve(endpoint: Endpoint, lines: &Path, out: &Path) -> Result<Question> {
    let whole = |path: &Path| std::path::absolute(path).with_context(|| path.display().to_string());
    let (lines, out) = (whole(lines)?, whole(out)?);
    ensure!(lines.is_file(), "{}: there is no such file", lines.display());
    ensure!(!out.exists(), "{} is there already: name a new file", out.display());
    ensure!(out.parent().is_some_and(Path::is_dir), "{}: there is no such folder", out.display());
    Ok(Question::Resolve { endpoint, lines, out })
}

#[cfg(unix)]
fn ask(flow: &Path, request: &Request) -> Result<Reply> {
    use std::io::{Read as _, Write as _};
    use std::net::Shutdown;
    use std::time::Duration;

    use super::collect::door;

    /// Longest answer, in bytes.
    const MAX_ANSWER_BYTES: u64 = 64 << 20;
    let mut stream = door::knock(flow).context(
        "no collector with --own-view runs in this state folder: it alone has the key, and its operator must have \
         recorded a legal basis",
    )?;
    stream.set_read_timeout(Some(door::PATIENCE + Duration::from_secs(20)))?;
    let broken = "the collector went away";
    stream.write_all(&serde_json::to_vec(request)?).context(broken)?;
    stream.shutdown(Shutdown::Write).context(broken)?;
    let mut text = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut text).context(broken)?;
    serde_json::from_str(&text).context("the collector's answer makes no sense; is it of the same version?")
}

#[cfg(not(unix))]
fn ask(_flow: &Path, _request: &Request) -> Result<Reply> {
    bail!("the own-network view needs a system with Unix sockets")
}

fn counts(findings: &[OwnFinding]) -> Result<()> {
    if findings.is_empty() {
        return output::line("no finding is sure enough to say who met it");
    }
    output::line(&format!("{:>10}  {:<44} own lines", "confidence", "endpoint"))?;
    for OwnFinding { endpoint, confidence, epochs } in findings {
        let endpoint = endpoint.to_string();
        if epochs.is_empty() {
            output::line(&format!("{confidence:>10.3}  {endpoint:<44} none in an epoch whose key lives"))?;
        }
        for epoch in epochs {
            output::line(&format!("{confidence:>10.3}  {endpoint:<44} {}", of_epoch(epoch)))?;
        }
    }
    output::talk("lines of different epochs cannot be told apart: never add them up");
    Ok(())
}

fn of_epoch(OwnEpoch { begins, ends, lines, known, sampled }: &OwnEpoch) -> String {
    match sampled {
        true => format!("at least {known}, about {lines} (a sample of {known} is known), {begins} to {ends}"),
        false => format!("{lines}, {begins} to {ends}"),
    }
}

fn told(common: &Common, resolved: &Resolved, options: &Options) -> Result<()> {
    let Some(Verb::Resolve { out, .. }) = &options.verb else { return Ok(()) };
    if common.json {
        return output::json(&json!({
            "file": out, "asked": resolved.asked, "lines": resolved.lines, "epochs": resolved.epochs,
        }));
    }
    let (lines, asked) = (resolved.lines, resolved.asked);
    output::line(&format!("{}: {lines} of {asked} lines met it", out.display()))?;
    for epoch in resolved.epochs.iter().filter(|epoch| epoch.sampled) {
        output::talk(&format!("not all can be told: {}", of_epoch(epoch)));
    }
    output::talk("the file names people's lines: keep it no longer than the purpose asks");
    Ok(())
}
