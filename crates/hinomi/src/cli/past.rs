//! `hinomi as-of` and `hinomi diff`: what was true, and what became different.

use anyhow::{Result, bail};
use clap::Args;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::{
    DiffPage, DiffRequest, Difference, Known, PastPage, PastRequest, ReadError, Side, read_known, read_side,
};

use super::Common;
use super::search::{one_line, pointed};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct AsOf {
    /// The moment, as 2026-11-01T00:00:00Z.
    time: Timestamp,
    /// What to search, as for `hinomi search`; nothing finds everything.
    query: Vec<String>,
    /// Answer by what was known then: a moment, or a version of the table of sightings.
    #[arg(long, value_name = "TIME|VERSION", value_parser = read_known)]
    known: Option<Known>,
    /// How many services to show, at most 1000.
    #[arg(long, default_value_t = 25)]
    limit: usize,
    /// Where the previous page ended.
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The earlier side: a moment as 2026-11-01T00:00:00Z, or campaign:NAME.
    #[arg(value_parser = read_side)]
    from: Side,
    /// The later side, of the same kind.
    #[arg(value_parser = read_side)]
    to: Side,
    /// What to search, as for `hinomi search`; what matched on either side is compared.
    query: Vec<String>,
    /// How many differences to show, at most 1000.
    #[arg(long, default_value_t = 25)]
    limit: usize,
    /// Where the previous page ended.
    #[arg(long)]
    cursor: Option<String>,
}

pub(crate) fn as_of(common: &Common, options: &AsOf) -> Result<()> {
    if options.limit == 0 {
        bail!("--limit 0: ask for one service at least");
    }
    let mut request = PastRequest::new(options.query.join(" "), options.time);
    (request.known, request.limit) = (options.known, options.limit);
    request.cursor.clone_from(&options.cursor);
    let page = told(&request.query, common.state()?.reader()?.as_of(&request))?;
    if common.json { output::json(&page) } else { show_past(&page) }
}

pub(crate) fn diff(common: &Common, options: &Diff) -> Result<()> {
    if matches!(options.from, Side::At(_)) != matches!(options.to, Side::At(_)) {
        bail!("compare two moments or two campaigns, not one with the other");
    }
    if options.limit == 0 {
        bail!("--limit 0: ask for one difference at least");
    }
    let request = DiffRequest {
        query: options.query.join(" "),
        from: options.from.clone(),
        to: options.to.clone(),
        now: SystemClock.now(),
        limit: options.limit,
        cursor: options.cursor.clone(),
        within: None,
    };
    let page = told(&request.query, common.state()?.reader()?.diff(&request))?;
    if common.json { output::json(&page) } else { show_diff(&page) }
}

pub(super) fn told<T>(query: &str, answer: Result<T, ReadError>) -> Result<T> {
    match answer {
        Ok(page) => Ok(page),
        Err(ReadError::Query(problem)) => bail!("{}", pointed(query, problem.at, problem.len, &problem.message)),
        Err(error) => Err(error.into()),
    }
}

fn show_past(page: &PastPage) -> Result<()> {
    for one in &page.matches {
        output::line(&one_line(&one.service))?;
        let closed = one.closed.map(|closed| format!(", found closed {closed}")).unwrap_or_default();
        output::line(&format!("  {}: last seen {}{closed}", one.state.name(), one.service.last_seen))?;
    }
    talk(page.matches.len(), page.total, "services", page.next.as_deref());
    Ok(())
}

fn show_diff(page: &DiffPage) -> Result<()> {
    page.differences.iter().try_for_each(show_difference)?;
    talk(page.differences.len(), page.total, "differences", page.next.as_deref());
    Ok(())
}

fn show_difference(one: &Difference) -> Result<()> {
    let names = if one.changes.is_empty() { String::new() } else { format!(" ({})", one.changes.join(", ")) };
    output::line(&format!("{}{names}", one.what.name()))?;
    for (mark, service) in [("-", &one.before), ("+", &one.after)] {
        if let Some(service) = service {
            output::line(&format!("  {mark} {}", one_line(service)))?;
        }
    }
    Ok(())
}

fn talk(shown: usize, total: u64, what: &str, next: Option<&str>) {
    output::talk(&format!("{shown} of {total} {what}"));
    if let Some(next) = next {
        output::talk(&format!("more: --cursor {next}"));
    }
}
