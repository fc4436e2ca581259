//! How campaigns stand: from plans, from what they stored, from the ledger, and from who runs right now.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use hinomi_model::{CampaignId, Timestamp};
use hinomi_survey::Told;
use hinomi_survey::ledger::{self, Book, How};
use ipnet::Ipv6Net;
use serde::Serialize;

use super::super::Common;
use crate::books::Shelf;
use crate::output;
use crate::state::State;

/// One campaign.
#[derive(Debug, Serialize)]
struct Standing {
    campaign: CampaignId,
    /// `planned`, `running`, `paused`, `stopped`, `revoked` or `finished`.
    state: &'static str,
    scope: String,
    targets: u64,
    done: u64,
    open: u64,
    /// Attempts over all runs.
    packets: u64,
    runs: u64,
    /// Prefixes in which every address answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliased: Vec<Ipv6Net>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<Timestamp>,
}

pub(super) fn show(common: &Common, wanted: Option<&CampaignId>) -> Result<()> {
    let state = common.state()?;
    let shelf = Shelf::of(&state);
    let (stored, book) = (stored(&state)?, book(&shelf)?);
    let mut names: BTreeSet<CampaignId> = shelf.planned()?.into_iter().collect();
    names.extend(stored.keys().cloned());
    names.extend(book.campaigns().map(|(campaign, _)| campaign.clone()));
    if let Some(wanted) = wanted {
        if !names.contains(wanted) {
            bail!("no campaign {wanted} is known here; hinomi campaign status lists those that are");
        }
        names.retain(|name| name == wanted);
    }
    let standing = |name: &CampaignId| standing(&shelf, name, stored.get(name), &book);
    let all = names.iter().map(standing).collect::<Result<Vec<_>>>()?;
    match (common.json, wanted) {
        (true, None) => output::json(&all),
        (true, Some(_)) => all.first().map_or(Ok(()), output::json),
        (false, _) => all.iter().try_for_each(|standing| output::line(&line(standing))),
    }
}

fn line(standing: &Standing) -> String {
    let Standing { campaign, state, targets, done, open, packets, runs, .. } = standing;
    let process = standing.process.map_or(String::new(), |id| format!(", process {id}"));
    let aliased = match standing.aliased.len() {
        0 => String::new(),
        count => format!(", {count} aliased prefixes"),
    };
    let updated = standing.updated.map_or(String::new(), |time| format!(", {time}"));
    format!(
        "{campaign:<24} {state:<9} {done} of {targets} targets, {open} open, {packets} packets in {runs} runs{aliased}{process}{updated}"
    )
}

fn standing(shelf: &Shelf, name: &CampaignId, told: Option<&Told>, book: &Book) -> Result<Standing> {
    let running = shelf.running(name)?;
    let runs = book.runs(name);
    let last = runs.last();
    let state = match (&running, told, last.and_then(|run| run.ended)) {
        (Some(_), _, _) => "running",
        (None, Some(told), _) if told.finished => "finished",
        (None, None, None) if last.is_none() => "planned",
        (None, _, Some(How::Paused)) => "paused",
        (None, _, Some(How::Revoked)) => "revoked",
        _ => "stopped",
    };
    let account = told.and_then(|told| told.account.as_ref());
    let plan = || shelf.plan(name).map(|plan| plan.scope).unwrap_or_default();
    Ok(Standing {
        campaign: name.clone(),
        state,
        scope: account.map_or_else(plan, |account| account.scope.clone()),
        targets: account.map(|account| account.targets).or(last.map(|run| run.start.targets)).unwrap_or(0),
        done: account.map_or(0, |account| account.counts.targets_done),
        open: account.map_or(0, |account| account.counts.open),
        packets: account.map_or(0, |account| account.counts.packets_sent),
        runs: runs.len() as u64,
        aliased: told.map(|told| told.aliased.clone()).unwrap_or_default(),
        process: running.map(|running| running.process),
        updated: account.map(|account| account.time),
    })
}

pub(crate) fn book(shelf: &Shelf) -> Result<Book> {
    let path = shelf.ledger();
    match path.exists() {
        true => Ok(ledger::verify(&path, &[])?.book),
        false => Ok(Book::default()),
    }
}

/// What each campaign stored of itself last. Nothing where nothing was ever stored.
pub(crate) fn stored(state: &State) -> Result<BTreeMap<CampaignId, Told>> {
    let mut stored = BTreeMap::new();
    if !hinomi_lake::has_tables(state.dir()) {
        return Ok(stored);
    }
    let reader = state.reader()?;
    for (campaign, _) in reader.campaigns()? {
        let Some(checkpoint) = reader.checkpoint(&campaign)? else { continue };
        match Told::read(&checkpoint.state) {
            Ok(told) => drop(stored.insert(campaign, told)),
            Err(error) => output::talk(&format!("campaign {campaign}: {error}")),
        }
    }
    Ok(stored)
}
