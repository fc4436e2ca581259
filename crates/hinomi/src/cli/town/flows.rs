//! `hinomi town flows` and `hinomi town truth --flows`: what the town's router tells, and what is true of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_town::Plan;
use hinomi_town::flows::{LoopbackSender, Router, Sampling, Say};
use serde_json::json;

use super::super::Common;
use crate::output::{self, clean_line};
use crate::router::{Sent, tell};
use crate::watch::until_told_to_stop;

/// Hours of a file where nothing is said.
const HOURS: u32 = 48;
/// A year: more is a slip of the hand.
const MAX_HOURS: u32 = 366 * 24;

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    town: super::Options,
    /// Hours to tell of: in a file 48 where nothing is said, to a collector until Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_HOURS)))]
    hours: Option<u32>,
    /// When a file's hours end, as 2026-11-22T10:00:00Z [default: now].
    #[arg(long, value_name = "TIME", requires = "out")]
    until: Option<Timestamp>,
    /// Look at one of so many packets, as 1:256, and say so as routers do: fewer flows, smaller counts, the same truth.
    #[arg(long, value_name = "1:N", default_value_t = Sampling::ALL)]
    sampling: Sampling,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Write past hours into an IPFIX file (RFC 5655).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Send IPFIX in real time to a collector on this machine; only loopback addresses may be named.
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: Option<SocketAddr>,
}

pub(super) async fn run(common: &Common, options: &Options) -> Result<()> {
    let router = Router::new(&Plan::new(options.town.config())?).with_sampling(options.sampling);
    match (&options.target.out, options.target.to) {
        (Some(path), _) => write(common, options, &router, path),
        (None, Some(collector)) => send(common, options, &router, collector).await,
        // The group above asks for one of them.
        (None, None) => Ok(()),
    }
}

fn hours(hours: u32) -> Duration {
    Duration::from_secs(u64::from(hours) * 3_600)
}

fn write(common: &Common, options: &Options, router: &Router, path: &Path) -> Result<()> {
    let until = options.until.unwrap_or_else(|| SystemClock.now());
    let from = until.minus(hours(options.hours.unwrap_or(HOURS)));
    let cannot = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(cannot)?);
    let (mut sent, mut bytes) = (Sent::default(), 0_u64);
    for message in router.messages(from).take_while(|message| message.time < until) {
        file.write_all(&message.bytes).with_context(cannot)?;
        bytes = bytes.saturating_add(message.bytes.len() as u64);
        sent.add(message.flows);
    }
    file.flush().with_context(cannot)?;
    let Sent { messages, flows } = sent;
    if common.json {
        let subscribers = Router::subscribers();
        return output::json(&json!({
            "file": path, "from": from, "until": until, "messages": messages, "flows": flows, "bytes": bytes,
            "sampling": options.sampling.packets(), "subscribers": subscribers,
        }));
    }
    output::line(&format!("{}: {flows} flows in {messages} messages, {from} to {until}", path.display()))?;
    let prefixes: Vec<String> = Router::subscribers().iter().map(ToString::to_string).collect();
    output::talk(&format!("the subscribers' lines are {}", prefixes.join(" and ")));
    Ok(())
}

async fn send(common: &Common, options: &Options, router: &Router, collector: SocketAddr) -> Result<()> {
    let sender = LoopbackSender::to(collector).await?;
    let stop = until_told_to_stop();
    let from = SystemClock.now();
    let until = options.hours.map(|count| from.plus(hours(count)));
    let exporter = sender.local_address()?;
    match common.json {
        true => output::json(&json!({ "exporter": exporter, "collector": collector, "from": from, "until": until }))?,
        false => output::line(&format!("flows go from {exporter} to {collector}"))?,
    }
    let Sent { messages, flows } = tell(router, (from, until), &sender, stop).await?;
    match common.json {
        true => output::json(&json!({ "messages": messages, "flows": flows })),
        false => output::line(&format!("{flows} flows in {messages} messages")),
    }
}

/// What is true of the remote ends that the flows of this town meet.
pub(super) fn truth(common: &Common, plan: &Plan) -> Result<()> {
    for truth in Router::new(plan).truth() {
        if common.json {
            output::json(&truth)?;
            continue;
        }
        let say = match truth.say {
            Say::NamedAndShared => "to be named and shared",
            Say::NamedAndKept => "to be named, kept back: too few bots",
            Say::Nothing => "not to be named",
        };
        let place = format!("{}/{}", SocketAddr::new(truth.address, truth.port), truth.transport);
        let text = format!("{place} {}, {} bots, {say}: {}", truth.name, truth.bots.len(), truth.note);
        output::line(&clean_line(&text, 300))?;
    }
    Ok(())
}
