//! `hinomi survey`: an authorised range, surveyed.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use hinomi_lake::Lake;
use hinomi_model::scope::PortSet;
use hinomi_model::{CampaignId, Marking, Purpose, SystemClock, Transport};
use hinomi_survey::{
    Authorised, Campaign, Config, Coverage, Door, Engine, Metrics, OptOut, Order, Pace, Report, Survey, Told,
};
use tokio::sync::watch;

use super::Common;
use super::rules::Folders;
use crate::engine::EngineOptions;
use crate::state::State;
use crate::watch::{Watch, until_told_to_stop};
use crate::{limits, output};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Signed scope document.
    #[arg(long, value_name = "FILE")]
    scope: PathBuf,
    /// TCP ports [default: all that the scope permits].
    #[arg(long)]
    ports: Option<PortSet>,
    /// UDP ports [default: all that the scope permits, none with --ports].
    #[arg(long)]
    udp_ports: Option<PortSet>,
    /// Name of the campaign [default: the scope's name and a number]. An unfinished one is resumed.
    #[arg(long)]
    campaign: Option<CampaignId>,
    /// Start a new campaign even if the last one is unfinished.
    #[arg(long)]
    new: bool,
    /// Order of targets; the same number gives the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    rules: Folders,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let state = common.state()?.with_rules(&options.rules.folders);
    let authorised = super::scope::load(common, &options.scope)?;
    let lake = state.open_lake()?;
    let ports = wanted_ports(&options);
    let choice =
        Choice { named: options.campaign, new: options.new, ports, seed: options.seed, engine: options.engine };
    let plan = plan(&state, &lake, authorised, &choice)?;
    output::talk(&format!(
        "campaign {}: {} targets on {} addresses, authorised by {} ({})",
        plan.campaign.id,
        plan.campaign.targets(),
        plan.campaign.addresses(),
        output::clean_line(&plan.survey.door.scope().authority.organisation, 80),
        plan.survey.door.authorised().signer(),
    ));
    let (stop_sender, stop) = watch::channel(false);
    let told_to_stop = until_told_to_stop();
    tokio::spawn(async move {
        told_to_stop.await;
        // Nobody receives only when the survey has ended already.
        let _ = stop_sender.send(true);
    });
    let report = plan.run(&Watch::default(), stop).await?;
    show(common, &report)
}

fn wanted_ports(options: &Options) -> Option<Vec<(Transport, u16)>> {
    if options.ports.is_none() && options.udp_ports.is_none() {
        return None;
    }
    let of = |set: &Option<PortSet>, transport| {
        set.iter().flat_map(PortSet::iter).map(move |port| (transport, port)).collect::<Vec<_>>()
    };
    Some([of(&options.ports, Transport::Tcp), of(&options.udp_ports, Transport::Udp)].concat())
}

/// Which campaign is wanted.
pub(crate) struct Choice {
    pub(crate) named: Option<CampaignId>,
    pub(crate) new: bool,
    pub(crate) ports: Option<Vec<(Transport, u16)>>,
    pub(crate) seed: u64,
    pub(crate) engine: EngineOptions,
}

/// A survey that is ready to run.
pub(crate) struct Plan {
    pub(crate) survey: Survey,
    pub(crate) campaign: Campaign,
}

/// Makes door, pace, engine and campaign for an authorised scope.
pub(crate) fn plan(state: &State, lake: &Arc<Lake>, authorised: Authorised, choice: &Choice) -> Result<Plan> {
    let near = authorised.scope().ranges.iter().all(|range| range.network().is_loopback());
    let base = if near { Config::near() } else { Config::default() };
    let contact = &authorised.scope().contact;
    let contact = if contact.page.is_empty() { &contact.email } else { &contact.page };
    let config = choice.engine.configured(Config { concurrency: limits::connections(), contact: contact.clone(), ..base });
    let clock = Arc::new(SystemClock);
    let pace = Arc::new(Pace::new(authorised.scope().rate));
    let opt_out = state.opt_out()?;
    tokio::spawn(keep_reading(Arc::downgrade(&opt_out), state.opt_out_path()));
    let door = Door::new(authorised, opt_out, clock.clone(), Arc::new(Metrics::default()));
    let door = Arc::new(door);
    let engines = choice.engine.engines(state, &door, &pace, &config)?;
    let campaign = choose(lake, &door, &engines, choice)?;
    let survey = Survey {
        door,
        engines,
        pace,
        sink: lake.clone(),
        clock,
        sensor: "survey".parse()?,
        marking: Marking::own(Purpose::ExposureReduction),
        config,
    };
    Ok(Plan { survey, campaign })
}

/// How soon a new entry of the opt-out list takes effect.
const OPT_OUT_EVERY: Duration = Duration::from_secs(10);

/// Reads the opt-out list again and again, as long as somebody goes by it.
async fn keep_reading(list: Weak<OptOut>, path: PathBuf) {
    let mut tick = tokio::time::interval(OPT_OUT_EVERY);
    loop {
        tick.tick().await;
        let Some(list) = list.upgrade() else { return };
        if let Err(error) = list.reload(&path) {
            output::talk(&format!("hinomi: {error}; the list read before stays in force"));
        }
    }
}

/// The most campaigns of one scope that are looked through for a free number.
const MOST_CAMPAIGNS: u32 = 100_000;

/// The campaign named; or the last of this scope if it is unfinished and the same job; or a new one.
fn choose(lake: &Arc<Lake>, door: &Door, engines: &[Arc<dyn Engine>], choice: &Choice) -> Result<Campaign> {
    let order = Order { ports: choice.ports.as_deref(), seed: choice.seed, share: choice.engine.share };
    let make = |id| Campaign::new(id, door, &order, engines);
    if let Some(id) = &choice.named {
        return Ok(make(id.clone())?);
    }
    let mut last = None;
    for number in 1..MOST_CAMPAIGNS {
        let id: CampaignId = format!("{}-{number}", door.scope().name).parse()?;
        let Some(stored) = lake.checkpoint(&id)? else {
            let resumable = last.filter(|_| !choice.new);
            return match resumable {
                Some(campaign) => Ok(campaign),
                None => Ok(make(id)?),
            };
        };
        let campaign = make(id)?;
        let told = Told::read(&stored.state).with_context(|| format!("campaign {}", campaign.id))?;
        last = (told.job == campaign.job && !told.finished).then_some(campaign);
    }
    anyhow::bail!("this scope has more than {MOST_CAMPAIGNS} campaigns; name one with --campaign")
}

impl Plan {
    /// Runs to the end or until told to stop, with progress on the terminal.
    pub(crate) async fn run(self, watched: &Watch, stop: watch::Receiver<bool>) -> Result<Report> {
        let entry = watched.add(&self.survey.door, &self.campaign);
        let drawing = tokio::spawn(Arc::clone(&entry).draw());
        let result = self.survey.run(self.campaign, stop).await;
        entry.end(result.as_ref().err().map(ToString::to_string));
        // Drawing ends with the survey; a failed picture is no failure.
        let _ = drawing.await;
        Ok(result?)
    }
}

fn show(common: &Common, report: &Report) -> Result<()> {
    if common.json {
        return output::json(report);
    }
    let counts = &report.counts;
    let seconds = report.ended.since(report.started).as_secs_f64();
    let state = if report.finished { "finished" } else { "stopped; start it again to resume" };
    output::line(&format!(
        "campaign {} {state}: {} of {} targets, {} open, {} closed, {} silent, {} pseudo, {seconds:.1} s",
        report.campaign, counts.targets_done, report.targets, counts.open, counts.closed, counts.silent, counts.pseudo,
    ))?;
    if let Some(missed) = report.coverage.as_ref().and_then(Coverage::missed) {
        output::line(&format!(
            "  missed: about {:.0} open targets ({:.0} to {:.0} with 95% confidence)",
            missed.estimate, missed.low, missed.high
        ))?;
    }
    for (reason, count) in &counts.by_reason {
        output::line(&format!("  {count:>8}  {reason}"))?;
    }
    Ok(())
}
