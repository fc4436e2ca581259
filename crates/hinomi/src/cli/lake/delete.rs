//! `hinomi lake retain` and `hinomi lake erase`.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;
use hinomi_lake::Lake;
use hinomi_lake::erase::{Choice, Deleted, Order};
use hinomi_lake::ledger::Kind;
use hinomi_lake::retain::Target;
use hinomi_model::{Clock, Sighting, SystemClock, Timestamp};

use super::super::Common;
use super::{bar, tell};
use crate::{output, witness};

#[derive(Debug, Args)]
pub(crate) struct Retain {
    /// Only count.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// An address, a prefix, or a query in quotes: then all sightings of the services that it finds.
    what: String,
    /// Only what was seen before this time.
    #[arg(long, value_name = "TIME")]
    before: Option<Timestamp>,
    /// Why; it stands in the proof. Name no person and no address.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn retain(common: &Common, options: &Retain) -> Result<()> {
    let lake = common.state()?.open_to_identify()?;
    let bar = bar();
    let deleted = lake.retire(&witness::user(), options.dry_run, &mut tell(&bar))?;
    bar.finish_and_clear();
    show(common, deleted, options.dry_run)
}

pub(crate) fn erase(common: &Common, options: &Erase) -> Result<()> {
    let target = Target::read(&options.what)?;
    let lake = common.state()?.open_to_identify()?;
    let order = Order { kind: Kind::Erase, reason: options.reason.clone(), by: witness::user() };
    let bar = bar();
    let run = |wants: &(dyn Fn(&Sighting) -> bool + Sync), nets| {
        lake.delete(order.clone(), &Choice::anywhere(wants).within(nets), options.dry_run, &mut tell(&bar))
    };
    let deleted = match target {
        Target::Range(range) => run(&Lake::of_ranges(&[range], options.before), vec![range])?,
        Target::Query(query) => {
            let services = found(&lake, &query)?;
            let addresses: BTreeSet<_> = services.iter().map(|service| service.address).collect();
            run(
                &|seen| services.contains(&seen.subject) && options.before.is_none_or(|before| seen.time < before),
                addresses.into_iter().map(Into::into).collect(),
            )?
        }
    };
    bar.finish_and_clear();
    show(common, deleted, options.dry_run)
}

/// The services that a query finds.
fn found(lake: &Lake, query: &str) -> Result<BTreeSet<hinomi_model::ServiceKey>> {
    let mut services = BTreeSet::new();
    lake.scan(query, SystemClock.now(), &mut |service| {
        services.insert(service.key);
        Ok(())
    })?;
    Ok(services)
}

fn show(common: &Common, deleted: Deleted, dry_run: bool) -> Result<()> {
    if common.json {
        return output::json(&deleted);
    }
    let Deleted { sightings, held, evidence, reached } = deleted;
    if dry_run {
        return output::line(&format!("{sightings} sightings would be deleted, {held} are held"));
    }
    output::line(&format!(
        "{sightings} sightings and {evidence} pieces of evidence are deleted, {held} sightings are held"
    ))?;
    for (count, what) in [
        (reached.events, "events of saved queries"),
        (reached.positions, "positions of campaigns"),
        (reached.quarantined, "files that had been set aside"),
        (reached.log, "objects of the tables' logs"),
        (reached.versions, "older versions in the bucket"),
    ] {
        if count > 0 {
            output::line(&format!("  and with them {count} {what}"))?;
        }
    }
    if reached.quarantine_held > 0 {
        output::line(&format!(
            "  {} files that had been set aside stay: a hold may cover them",
            reached.quarantine_held
        ))?;
    }
    if reached.versions_refused {
        output::line(
            "  NOT gone: older versions in the bucket; allow this key s3:DeleteObjectVersion and erase again",
        )?;
    }
    Ok(())
}
