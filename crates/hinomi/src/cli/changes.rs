//! `hinomi changes`: what happened to services, and what happens.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use hinomi_model::Timestamp;
use hinomi_share::{ArrivedRequest, ChangeEvent, ChangesRequest, Known, Reader};

use super::Common;
use super::past::told;
use crate::output::{self, clean_line};
use crate::watch::asked_to_stop;

/// How often it is asked whether something arrived.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Events fetched at once.
const FETCHED: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which services, as for `hinomi search`; nothing is all of them. Before or after the change counts.
    query: Vec<String>,
    /// Events of this moment and later, as 2026-11-01T00:00:00Z [default: from the beginning; with --follow: from now].
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Events before this moment.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<Timestamp>,
    /// How many events to show.
    #[arg(long, default_value_t = 1_000, conflicts_with = "follow")]
    limit: usize,
    /// Where the previous answer ended.
    #[arg(long, conflicts_with_all = ["follow", "after"])]
    cursor: Option<String>,
    /// Wait for more, in the order in which it becomes known.
    #[arg(long)]
    follow: bool,
    /// With --follow: go on after this event, by the id it has in JSON.
    #[arg(long, value_name = "ID", requires = "follow", conflicts_with = "from")]
    after: Option<String>,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let reader = common.state()?.reader()?;
    let query = options.query.join(" ");
    if options.follow {
        return follow(common, &reader, &query, &options).await;
    }
    if options.limit == 0 {
        bail!("--limit 0: ask for one event at least");
    }
    let mut request = ChangesRequest::new(query);
    (request.from, request.until) = (options.from, options.until);
    request.cursor = options.cursor;
    let mut left = options.limit;
    loop {
        request.limit = left.min(FETCHED);
        left = left.saturating_sub(list(common, &reader, &mut request)?.len());
        if request.cursor.is_none() || left == 0 {
            break;
        }
    }
    if let Some(next) = request.cursor {
        output::talk(&format!("more: --cursor {next}"));
    }
    Ok(())
}

/// Shows a page of events; the request is then for the next one, when there is one.
fn list(common: &Common, reader: &Reader, request: &mut ChangesRequest) -> Result<Vec<ChangeEvent>> {
    let page = told(&request.query, reader.changes(request))?;
    page.events.iter().try_for_each(|event| match common.json {
        true => output::json(event),
        false => show(event),
    })?;
    request.cursor = page.next;
    Ok(page.events)
}

async fn follow(common: &Common, reader: &Reader, query: &str, options: &Options) -> Result<()> {
    let stop = asked_to_stop();
    tokio::pin!(stop);
    let (version, begin) = reader.arrivals_begin()?;
    if let Some(mut from) = options.from {
        let mut request = ChangesRequest::new(query);
        // What arrives while these are shown is told after them, and none of it twice.
        (request.from, request.known, request.limit) = (Some(from), Some(Known::Version(version)), FETCHED);
        loop {
            from = list(common, reader, &mut request)?.last().map_or(from, |last| last.time);
            if request.cursor.is_none() {
                break;
            }
            if has_come(stop.as_mut()).await {
                output::talk(&format!("go on with --from {from}"));
                return Ok(());
            }
        }
    }
    let after = options.after.clone().unwrap_or(begin);
    let mut request = ArrivedRequest { query: query.to_owned(), after, limit: FETCHED, within: None };
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        let page = told(query, reader.arrived(&request))?;
        page.events.iter().try_for_each(|one| match common.json {
            true => output::json(one),
            false => show(&one.event),
        })?;
        request.after = page.next;
        let stopped = match page.more {
            true => has_come(stop.as_mut()).await,
            false => tokio::select! {
                () = &mut stop => true,
                _ = tick.tick() => false,
            },
        };
        if stopped {
            output::talk(&format!("go on with --after {}", request.after));
            return Ok(());
        }
    }
}

/// Whether it has come until now: looked at between pages, which take the thread while they are read.
async fn has_come(stop: Pin<&mut impl Future<Output = ()>>) -> bool {
    tokio::select! {
        biased;
        () = stop => true,
        () = tokio::task::yield_now() => false,
    }
}

fn show(event: &ChangeEvent) -> Result<()> {
    let changes = if event.changes.is_empty() { String::new() } else { format!(" ({})", event.changes.join(", ")) };
    let said = match (&event.before, &event.after) {
        (Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
        (_, Some(one)) | (Some(one), None) => one.clone(),
        (None, None) => String::new(),
    };
    let service = event.service.to_string();
    let line = format!("{}  {service:<26} {}{changes}  {said}", event.time, event.what.name());
    output::line(clean_line(&line, 400).trim_end())
}
