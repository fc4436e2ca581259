//! `hinomi watch`: saved queries that are told of every change they fit.

mod members;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};
use hinomi_model::address::parse_prefix;
use hinomi_model::{Clock, Purpose, SystemClock};
use hinomi_share::{Event, NewWatch, ReadError, Saved, SearchRequest, Viewer, WatchDesk, is_filed, is_query_error};
use serde_json::json;

use super::Common;
use super::search::{one_line, pointed};
use crate::output::{self, clean_line};
use crate::watch::asked_to_stop;
use crate::witness;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Save a query: every change of a service that it fits is an event from now on.
    Add(Add),
    /// The saved queries.
    List {
        /// Those of this organisation.
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
    },
    /// How many are saved, how many of them are asked for every change, and whether they can be read.
    Status,
    /// Give a saved query of an organisation another name, query or purpose.
    Change(members::Change),
    /// Watch everything that an organisation holds: one saved query for each prefix and AS number.
    Ranges {
        /// Its id.
        #[arg(long, value_name = "ID")]
        organisation: String,
    },
    /// Remove a saved query; its events stay.
    Remove {
        /// Its name.
        name: String,
        /// Of this organisation.
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
    },
    /// Events, oldest first: which change fitted which saved queries.
    Events(Events),
    /// What a query would find now, and how it would be watched.
    Test {
        /// The query, in quotes; one that begins with a minus stands after `--`.
        query: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What to call it; no two have the same name.
    name: String,
    /// The query, in quotes; one that begins with a minus stands after `--`.
    query: Vec<String>,
    /// Whose it is [default: who runs this].
    #[arg(long)]
    owner: Option<String>,
    /// Of this organisation, which is told of what it may see.
    #[arg(long, value_name = "ID", conflicts_with_all = ["owner", "within"])]
    organisation: Option<String>,
    /// For what the organisation reads.
    #[arg(long, default_value = "exposure-reduction")]
    purpose: Purpose,
    /// Only services in these prefixes, as `192.0.2.0/24,2001:db8::/48`: what the owner may see.
    #[arg(long, value_delimiter = ',', value_name = "PREFIX")]
    within: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Events after this number; 0 is all that are kept.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// Only of the saved query of this name.
    #[arg(long, value_name = "NAME")]
    watch: Option<String>,
    /// How many at most, up to 10000; with `--follow` how many are read at a time.
    #[arg(long, default_value_t = 1_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    limit: usize,
    /// Wait for more until interrupted.
    #[arg(long)]
    follow: bool,
}

/// How often is looked for new events.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(common: &Common, verb: Verb) -> Result<()> {
    let state = common.state()?;
    let desk = WatchDesk::of_state(state.dir(), Viewer::Operator);
    if let Some(done) = members::run(common, &state, &verb) {
        return done;
    }
    match verb {
        Verb::Add(add) => save(common, &desk, &add),
        Verb::List { .. } => list(common, &desk),
        Verb::Change(_) | Verb::Ranges { .. } => Ok(()),
        Verb::Status => status(common, &desk),
        Verb::Remove { name, .. } => remove(common, &desk, &name),
        Verb::Events(events) => follow(common, &desk, &events).await,
        Verb::Test { query } => test(common, &query.join(" ")),
    }
}

fn save(common: &Common, desk: &WatchDesk, add: &Add) -> Result<()> {
    let query = add.query.join(" ");
    let within = add.within.iter().map(|text| parse_prefix(text)).collect::<Result<Vec<_>, _>>()?;
    let new = NewWatch {
        name: add.name.clone(),
        query: query.clone(),
        owner: add.owner.clone().unwrap_or_else(witness::user),
        within: (!within.is_empty()).then_some(within),
    };
    let saved = desk.add(&new, SystemClock.now()).map_err(|error| explained(&query, error))?;
    match common.json {
        true => output::json(&saved),
        false => output::line(&told(&saved)),
    }
}

/// The error, with a mark in the query where it lies there.
fn explained(query: &str, error: ReadError) -> anyhow::Error {
    match is_query_error(&error) {
        Some(problem) => anyhow::anyhow!(pointed(query, problem.at, problem.len, &problem.message)),
        None => error.into(),
    }
}

fn told(saved: &Saved) -> String {
    let within = saved.within.as_ref().map(|nets| format!("  within {} prefixes", nets.len())).unwrap_or_default();
    clean_line(&format!("{:>6}  {}  {}  ({}){within}", saved.id, saved.name, saved.query, saved.owner), 400)
}

fn list(common: &Common, desk: &WatchDesk) -> Result<()> {
    let saved = desk.queries()?;
    if common.json {
        return output::json(&saved);
    }
    saved.iter().try_for_each(|one| output::line(&told(one)))
}

fn status(common: &Common, desk: &WatchDesk) -> Result<()> {
    let standing = desk.standing()?;
    if common.json {
        return output::json(&standing);
    }
    if let Some(why) = &standing.unread {
        output::line(&clean_line(&format!("the saved queries cannot be read: {why}"), 400))?;
        return output::line(
            "a survey or import that runs goes on with those it read last; one that starts anew tells nothing until the \
             file is mended or put back from a backup",
        );
    }
    output::line(&format!(
        "{} saved, {} of them asked for every change; the newest event is {}",
        standing.queries, standing.always, standing.newest
    ))
}

fn remove(common: &Common, desk: &WatchDesk, name: &str) -> Result<()> {
    if !desk.remove(name)? {
        bail!("there is no saved query named {name:?}; hinomi watch list tells the names");
    }
    match common.json {
        true => output::json(&json!({ "name": name, "removed": true })),
        false => output::line(&clean_line(&format!("{name} is removed"), 200)),
    }
}

async fn follow(common: &Common, desk: &WatchDesk, asked: &Events) -> Result<()> {
    let of = asked.watch.as_ref().map(|name| number_of(desk, name)).transpose()?;
    let (mut after, mut tick) = (asked.after, tokio::time::interval(LOOK_EVERY));
    let stop = asked_to_stop();
    tokio::pin!(stop);
    loop {
        let found = desk.events(after, asked.limit, of)?;
        if found.missed > 0 {
            output::talk(&format!("{} events after {after} are not kept any more", found.missed));
        }
        if found.damaged > 0 {
            output::talk(&format!("{} lines of the journal are damaged and were passed over", found.damaged));
        }
        let names = if found.events.is_empty() { Vec::new() } else { desk.queries()? };
        found.events.iter().try_for_each(|event| show(common, event, &names))?;
        let more = !found.events.is_empty();
        after = found.next;
        if !asked.follow {
            output::talk(&format!("go on with --after {after}"));
            return Ok(());
        }
        if more {
            continue;
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            _ = tick.tick() => {}
        }
    }
}

fn number_of(desk: &WatchDesk, name: &str) -> Result<u64> {
    match desk.queries()?.into_iter().find(|one| one.name == name) {
        Some(saved) => Ok(saved.id),
        None => bail!("there is no saved query named {name:?}; hinomi watch list tells the names"),
    }
}

fn show(common: &Common, event: &Event, saved: &[Saved]) -> Result<()> {
    if common.json {
        return output::json(event);
    }
    let name =
        |id: &u64| saved.iter().find(|one| one.id == *id).map_or_else(|| format!("#{id}"), |one| one.name.clone());
    let names: Vec<String> = event.watches.iter().map(name).collect();
    let line =
        format!("{:>8}  {}  {:<9} {:<26} {}", event.number, event.seen, event.what, event.service, names.join(", "));
    output::line(&clean_line(&line, 400))
}

fn test(common: &Common, query: &str) -> Result<()> {
    let filed = is_filed(query).map_err(|error| explained(query, error))?;
    let request =
        SearchRequest { query: query.to_owned(), limit: 10, now: SystemClock.now(), ..SearchRequest::default() };
    let page = common.state()?.reader()?.search(&request)?;
    if common.json {
        return output::json(&json!({ "total": page.total, "filed": filed, "matches": page.matches }));
    }
    page.matches.iter().try_for_each(|service| output::line(&one_line(service)))?;
    output::talk(&format!("{} services fit now", page.total));
    if !filed {
        output::talk(
            "it names nothing that must be there, so it would be asked for every change: add a field or a word",
        );
    }
    Ok(())
}
