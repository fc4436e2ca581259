//! `hinomi servers`: who is there, what each holds, how far each is behind.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hinomi_state::{Cut, Database, Progress, RangeState, ServerState, Settings, Target};
use serde_json::{Value, json};

use super::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Cut the address space into ranges, each of which one server writes at a time; while nobody writes.
    Cut {
        /// Addresses at which a range begins; without any and without --parts, one range of all addresses.
        #[arg(conflicts_with = "parts")]
        at: Vec<IpAddr>,
        /// So many equal parts of IPv4, and as many of the IPv6 addresses in use.
        #[arg(long, value_name = "N")]
        parts: Option<u32>,
    },
    /// Take a server off the list that will not come back.
    Forget {
        /// Its name.
        name: String,
    },
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    let Settings { target, server } = Settings::of_state(state.dir())?;
    if let (Target::Sqlite(path), None) = (&target, &server)
        && !path.exists()
    {
        bail!(
            "{} is alone: its {} has no [server]; see the handbook, \"Several servers on one lake\"",
            state.dir().display(),
            hinomi_state::FILE
        );
    }
    let database = Database::open(&target)?;
    match &options.verb {
        None => list(common, &database),
        Some(Verb::Cut { at, parts }) => cut(common, &database, at, *parts),
        Some(Verb::Forget { name }) => forget(common, &database, name),
    }
}

fn list(common: &Common, database: &Database) -> Result<()> {
    let (servers, ranges) = (database.servers()?, database.ranges()?);
    let newest = servers.iter().filter_map(|one| one.progress.newest.max(one.progress.applied)).max();
    let mut held: BTreeMap<&str, Vec<&RangeState>> = BTreeMap::new();
    for range in &ranges {
        if let Some(holder) = &range.holder {
            held.entry(holder).or_default().push(range);
        }
    }
    let holds = |one: &ServerState| match one.work.as_str() {
        "writer" => held.get(one.name.as_str()).cloned().unwrap_or_default(),
        _ => Vec::new(),
    };
    // One that ended looks first when it begins again.
    let behind = |one: &ServerState| {
        let asked = newest.filter(|_| !one.gone && one.progress != Progress::default())?;
        Some(asked.saturating_sub(one.progress.applied.unwrap_or(0)))
    };
    if common.json {
        let servers: Vec<_> = servers.iter().map(|one| server_json(one, &holds(one), behind(one))).collect();
        let ranges: Vec<_> = ranges.iter().map(range_json).collect();
        return output::json(&json!({ "database": database.place(), "servers": servers, "ranges": ranges }));
    }
    let mut text =
        format!("{} servers, {} ranges; {}", servers.len(), ranges.len().saturating_sub(1), database.place());
    for one in &servers {
        let word = if one.gone { "ended" } else { "heard" };
        let heard = format!("{word} {} s ago", one.silent_seconds);
        let behind = behind(one)
            .map_or_else(|| "has not told how far it is".to_owned(), |count| format!("{count} versions behind"));
        write!(text, "\n{} ({}): {heard}, {behind}, {}, {}", one.name, one.work, one.program, one.address)?;
        for range in holds(one) {
            write!(text, "\n  holds {}, epoch {}, {} s left", named(range), range.epoch, range.seconds)?;
        }
    }
    for range in ranges.iter().filter(|range| range.holder.is_none()) {
        write!(text, "\nnobody holds {}", named(range))?;
    }
    output::line(&output::clean(&text))
}

fn named(state: &RangeState) -> String {
    state.range.map_or_else(|| "the whole (compaction, keeping)".to_owned(), |range| range.to_string())
}

fn server_json(one: &ServerState, holds: &[&RangeState], behind: Option<u64>) -> Value {
    json!({
        "name": one.name,
        "work": one.work,
        "address": one.address,
        "program": one.program,
        "silent_seconds": one.silent_seconds,
        "ended": one.gone,
        "applied": one.progress.applied,
        "newest": one.progress.newest,
        "behind": behind,
        "holds": holds.iter().map(|range| named(range)).collect::<Vec<_>>(),
    })
}

fn range_json(state: &RangeState) -> Value {
    let RangeState { holder, epoch, seconds, .. } = state;
    json!({ "range": named(state), "holder": holder, "epoch": epoch, "seconds_left": seconds })
}

fn cut(common: &Common, database: &Database, at: &[IpAddr], parts: Option<u32>) -> Result<()> {
    let cut = match parts {
        Some(parts) => Cut::parts(parts)?,
        None => Cut::at(at)?,
    };
    database.cut(&cut)?;
    let ranges: Vec<_> = cut.ranges().iter().map(ToString::to_string).collect();
    match common.json {
        true => output::json(&json!({ "ranges": ranges })),
        false => output::line(&ranges.join("\n")),
    }
}

fn forget(common: &Common, database: &Database, name: &str) -> Result<()> {
    let forgotten = database.forget(name)?;
    match common.json {
        true => output::json(&json!({ "name": name, "forgotten": forgotten })),
        false if forgotten => output::line(&format!("{name} is off the list")),
        false => bail!("there is no server {name}"),
    }
}
