//! `hinomi flow why`: every reason for and against one endpoint, from what is stored or from files.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use hinomi_model::cnc::{Endpoint, words};
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::{Reader, Story};

use super::evaluate::{self, Input};
use crate::cli::Common;
use crate::output;

/// Scorings that are listed: the newest.
const SCORINGS: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The endpoint, as 203.0.113.9:1337 or 203.0.113.9:53/udp.
    endpoint: String,
    /// Files as for `evaluate`, instead of what is stored.
    files: Vec<PathBuf>,
    /// The same.
    #[arg(long, value_name = "FILE")]
    read: Vec<PathBuf>,
    #[command(flatten)]
    input: Input,
    /// As it stood at this time, by what was told until then, or as it will have faded.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// In Japanese.
    #[arg(long)]
    japanese: bool,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let files: Vec<PathBuf> = options.files.iter().chain(&options.read).cloned().collect();
    if !files.is_empty() {
        let endpoint: Endpoint = options.endpoint.parse()?;
        return evaluate::why(common, (endpoint.address, endpoint.port), &files, &options.input, options.japanese);
    }
    let now = options.at.unwrap_or_else(|| SystemClock.now());
    let reader = common.state()?.reader()?;
    let Some(story) = find(&reader, &options.endpoint, now)? else {
        bail!(
            "nothing was ever told of {}; name files to look into flows for it",
            output::clean_line(&options.endpoint, 64)
        );
    };
    if common.json { output::json(&story) } else { tell(&story, options.japanese) }
}

/// The story of an endpoint; where no transport is named, TCP comes first and UDP second.
pub(super) fn find(reader: &Reader, text: &str, now: Timestamp) -> Result<Option<Story>> {
    let endpoint: Endpoint = text.parse()?;
    let story = reader.cnc_finding(&endpoint, now)?;
    let is_named = text.contains(['/', '-']);
    if story.is_some() || is_named {
        return Ok(story);
    }
    Ok(reader.cnc_finding(&Endpoint { protocol: 17, ..endpoint }, now)?)
}

fn tell(story: &Story, japanese: bool) -> Result<()> {
    let catalogue = if japanese { words::JAPANESE } else { words::ENGLISH };
    let shown = story.held.as_ref().map(|held| &held.finding).or(story.last.as_ref());
    let finding = shown.context("the journal holds no reasons for it")?;
    evaluate::tell(finding, None, japanese)?;
    match &story.held {
        Some(held) => {
            output::line(&format!("  told first {}, last {}", held.first_told, held.last_told))?;
            output::line(&format!("  {}", output::clean_line(&words::verdict(catalogue, &held.export), 300)))?;
            if let Some(listed) = held.listed {
                output::line(&format!("  a list of {listed} named it"))?;
            }
        }
        None => output::line("  not held; the reasons are those of its last scoring")?,
    }
    for taken in &story.taken {
        output::line(&format!("  {}: {}", taken.time, words::withdrawn(catalogue, taken.reason)))?;
    }
    let left_out = story.points.len().saturating_sub(SCORINGS);
    for point in story.points.iter().skip(left_out) {
        let codes: Vec<String> = point.reasons.iter().map(|(code, _)| words::short(catalogue, *code)).collect();
        output::line(&format!("  {}  {:.3}  {}", point.time, point.confidence, codes.join(", ")))?;
    }
    Ok(())
}
