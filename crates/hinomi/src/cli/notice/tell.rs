//! Drafting, releasing, sending.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use hinomi_model::{CampaignId, ServiceKey, Timestamp};
use hinomi_share::notice::{Drafted, Order};
use hinomi_share::{DiffRequest, Reader, Side, What};
use hinomi_state::notices::{Notice, NoticeState, NoticesOf, Resolved};
use hinomi_state::organisations::Deed;
use serde_json::json;

use super::told::one_line;
use super::{Draft, Office, Release, Resolve, ready};
use crate::alerts;
use crate::books::Shelf;
use crate::notices::Sender;
use crate::output::{self, clean_line};

/// Notices of one run or one sending.
const MOST: u64 = 10_000;
/// Differences of one page.
const A_PAGE: usize = 1_000;

pub(super) fn draft(office: &Office<'_>, draft: &Draft) -> Result<()> {
    ready(office)?;
    let door = office.door()?;
    let (only, scope) = match &draft.campaign {
        Some(campaign) => (Some(of_campaign(&office.reader()?, campaign, office.now)?), scope(office, campaign)?),
        None => (None, String::new()),
    };
    let order = Order { query: draft.query.clone(), nets: draft.net.clone(), only, scope };
    let drafted = hinomi_share::notice::draft(&office.desk(&door), &order, office.now)?;
    if office.common.json {
        return output::json(&drafted);
    }
    drafted.notices.iter().try_for_each(|one| output::line(&one_line(one)))?;
    told(&drafted);
    Ok(())
}

fn told(drafted: &Drafted) {
    for (why, left) in &drafted.left {
        let first: Vec<&str> = left.services.iter().take(3).map(String::as_str).collect();
        output::talk(&format!("not told ({why}): {}, as {}", left.count, first.join(", ")));
    }
    match drafted.run {
        Some(run) => output::talk(&format!(
            "{} drafts; look at each with hinomi notice show N, then hinomi notice release N, or --run {run}",
            drafted.notices.len()
        )),
        None => output::talk("there is nothing to tell anybody"),
    }
}

/// What a campaign saw.
fn of_campaign(reader: &Reader, campaign: &CampaignId, now: Timestamp) -> Result<BTreeSet<ServiceKey>> {
    let mut seen = BTreeSet::new();
    let (from, to) = (Side::At(Timestamp::from_micros(i64::MIN)), Side::Campaign(campaign.clone()));
    let query = String::new();
    let mut request = DiffRequest { query, from, to, now, limit: A_PAGE, cursor: None, within: None };
    loop {
        let page = reader.diff(&request)?;
        seen.extend(page.differences.iter().filter(|one| one.what == What::New).map(|one| one.key));
        if page.next.is_none() {
            break;
        }
        request.cursor = page.next;
    }
    ensure!(!seen.is_empty(), "nothing is known of a campaign {campaign}; hinomi campaign status lists them");
    Ok(seen)
}

/// The scope of a campaign, in a line.
fn scope(office: &Office<'_>, campaign: &CampaignId) -> Result<String> {
    let plan = Shelf::of(&office.common.state()?).plan(campaign);
    Ok(plan.map_or_else(
        |_| campaign.to_string(),
        |plan| format!("{campaign}, {} (SHA-256 {})", clean_line(&plan.scope, 100), plan.digest),
    ))
}

pub(super) fn release(office: &Office<'_>, release: &Release) -> Result<()> {
    let numbers = match release.run {
        Some(run) => {
            let of =
                NoticesOf { run: Some(run), state: Some(NoticeState::Draft), limit: 1_000, ..NoticesOf::default() };
            office.database.notices(&of)?.iter().map(|one| one.number).collect()
        }
        None => release.notices.iter().map(|named| office.number(named)).collect::<Result<Vec<_>>>()?,
    };
    if numbers.is_empty() {
        bail!("there is no draft to release; hinomi notice list --state draft lists them");
    }
    let person = office.person(release)?;
    let mut all = Vec::new();
    for number in numbers {
        let deed = Deed { by: &person, now: office.now };
        let released = office.database.release_notice(deed, &person, number)?;
        if !office.common.json {
            let next = match released.missing {
                0 => "may leave".to_owned(),
                missing => format!("waits for {missing} more person"),
            };
            output::line(&format!("notice {number} {next}"))?;
        }
        all.push(json!({ "notice": released.notice, "missing": released.missing }));
    }
    if office.common.json {
        output::json(&all)?;
    }
    Ok(())
}

pub(super) fn cancel(office: &Office<'_>, named: &str, reason: &str) -> Result<()> {
    let notice = office.database.cancel_notice(office.deed(), office.number(named)?, reason)?;
    told_of(office, &notice)
}

pub(super) fn send(office: &Office<'_>) -> Result<()> {
    ready(office)?;
    let sender = Sender::new(&office.folder, office.door()?, office.database.clone())?;
    if !sender.can() {
        bail!("no mail relay: name one in {} of the state folder", alerts::FILE);
    }
    let done = sender.send(&|tried| tried < MOST)?;
    if office.common.json {
        return output::json(&done);
    }
    let text = format!("{} sent, {} again later, {} not, {} unsure", done.sent, done.again, done.ended, done.unsure);
    output::line(&text)
}

pub(super) fn resolve(office: &Office<'_>, resolve: &Resolve) -> Result<()> {
    office.database.unsure_notices(office.deed())?;
    let found = match (resolve.arrived, resolve.again) {
        (true, _) => Resolved::Arrived,
        (_, true) => Resolved::Again,
        _ => Resolved::Dropped,
    };
    let number = office.number(&resolve.notice)?;
    let notice = office.database.resolve_notice(office.deed(), number, found).context("it stays as it is")?;
    told_of(office, &notice)
}

fn told_of(office: &Office<'_>, notice: &Notice) -> Result<()> {
    match office.common.json {
        true => output::json(notice),
        false => output::line(&one_line(notice)),
    }
}
