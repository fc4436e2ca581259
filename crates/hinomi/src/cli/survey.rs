//! `hinomi survey`: an authorised range, surveyed.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use hinomi_lake::Lake;
use hinomi_model::scope::{PortSet, Scope};
use hinomi_model::{CampaignId, Marking, Purpose, SystemClock, Transport};
use hinomi_survey::ledger::How;
use hinomi_survey::outward::Cleared;
use hinomi_survey::scope::Tally;
use hinomi_survey::sweep::List;
use hinomi_survey::{
    Authorised, Campaign, Config, Coverage, Door, Engine, Metrics, Order, Pace, Report, Share, Survey, Told,
};
use tokio::sync::watch;

use super::outward::Outward;
use super::rules::Folders;
use super::targets::TargetFile;
use super::{Common, marking};
use crate::books::{Books, PlanFile, Shelf};
use crate::engine::{EngineOptions, Means};
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
    #[command(flatten)]
    targets: TargetFile,
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
    outward: Outward,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    marking: marking::Options,
    #[command(flatten)]
    rules: Folders,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let state = common.state()?.with_rules(&options.rules.folders);
    let (authorised, signed) = super::scope::load_signed(common, &options.scope)?;
    let ports = wanted_ports(options.ports.as_ref(), options.udp_ports.as_ref());
    let list = options.targets.read(authorised.scope(), ports.as_deref())?;
    let cleared = options.outward.clear(&authorised).await?;
    let marking = options.marking.given()?;
    let lake = state.open_lake()?;
    let shelf = Shelf::of(&state);
    let named = options.campaign.clone().map_or_else(|| first_name(authorised.scope()), Ok)?;
    let digest = shelf.keep_scope(&signed)?;
    let mut file = PlanFile::new(named, &authorised.scope().name, digest, options.seed);
    match &list {
        Some(list) => file.targets = Some(shelf.keep_list(list)?),
        None => (file.tcp_ports, file.udp_ports) = (options.ports.clone(), options.udp_ports.clone()),
    }
    // By its name a campaign goes on as it was begun; one that is found is found by the same options.
    let (name, means) = match &options.campaign {
        Some(campaign) => (Name::Given, options.engine.over(&shelf.settled(campaign)?)?),
        None => (Name::Free { new: options.new }, options.engine.means().by_default()),
    };
    (file.means, file.marking) = (Some(means), marking);
    let choice = Choice { name, ports, list, plan: Some(file) };
    run_plan(common, plan(&state, &lake, (authorised, &signed), cleared, choice)?).await
}

/// Runs a plan until it is finished, paused, or the program is told to stop, and shows what came of it.
pub(crate) async fn run_plan(common: &Common, plan: Plan) -> Result<()> {
    output::talk(&format!(
        "campaign {}: {} targets on {} addresses, authorised by {} ({})",
        plan.campaign.id,
        plan.campaign.targets(),
        plan.campaign.addresses(),
        output::clean_line(&plan.survey.door.scope().authority.organisation, 80),
        plan.survey.door.authorised().signer(),
    ));
    if plan.campaign.prefixes_tested() > 0 {
        let tested = plan.campaign.prefixes_tested();
        output::talk(&format!(
            "  first, whether every address answers in {tested} prefixes in which the list is crowded"
        ));
    }
    // The engine has its sockets; nobody needs another.
    #[cfg(target_os = "linux")]
    hinomi_survey::opener::seal();
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

/// The ports asked for; `None` for all that the scope permits.
pub(crate) fn wanted_ports(tcp: Option<&PortSet>, udp: Option<&PortSet>) -> Option<Vec<(Transport, u16)>> {
    if tcp.is_none() && udp.is_none() {
        return None;
    }
    let of = |set: Option<&PortSet>, transport| {
        set.into_iter().flat_map(PortSet::iter).map(move |port| (transport, port)).collect::<Vec<_>>()
    };
    Some([of(tcp, Transport::Tcp), of(udp, Transport::Udp)].concat())
}

/// Which campaign is wanted.
pub(crate) struct Choice {
    pub(crate) name: Name,
    pub(crate) ports: Option<Vec<(Transport, u16)>>,
    pub(crate) list: Option<List>,
    /// What is asked for, in the form in which it is kept; where nothing is, all of the scope as the machine allows.
    pub(crate) plan: Option<PlanFile>,
}

/// How its name is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// It is the plan's.
    Given,
    /// The last of the scope if it is unfinished and the same job, and none is to be `new`; or the next number.
    Free { new: bool },
}

/// A survey that is ready to run.
pub(crate) struct Plan {
    pub(crate) survey: Survey,
    pub(crate) campaign: Campaign,
    books: Books,
}

/// Seconds' worth of packets that are worth having in flight.
const USEFUL_S: usize = 8;

/// The least that may be in flight: slow services must not hold up a slow survey.
const LEAST: usize = 64;

/// Patience and greed for a scope.
pub(crate) fn config(scope: &Scope) -> Config {
    let near = scope.ranges.iter().all(|range| range.network().is_loopback());
    let base = if near { Config::near() } else { Config::default() };
    let contact = if scope.contact.page.is_empty() { &scope.contact.email } else { &scope.contact.page };
    // More than the rates let start in the time that one takes only wait, and a pause waits for them.
    let useful = usize::try_from(scope.rate.total_pps).unwrap_or(usize::MAX).saturating_mul(USEFUL_S).max(LEAST);
    let connections = limits::connections(!scope.udp.is_empty());
    Config { concurrency: connections.min(useful), contact: contact.clone(), ..base }
}

/// Makes door, pace, engine and campaign for an authorised scope that was cleared; `signed` are the bytes that authorise
/// it.
pub(crate) fn plan(
    state: &State,
    lake: &Arc<Lake>,
    (authorised, signed): (Authorised, &[u8]),
    cleared: Cleared,
    choice: Choice,
) -> Result<Plan> {
    anyhow::ensure!(cleared.is_for(&authorised), "the scope was not cleared");
    let means = choice.plan.as_ref().and_then(|plan| plan.means.clone()).unwrap_or_default();
    let config = means.configured(config(authorised.scope()));
    let clock = Arc::new(SystemClock);
    let pace = Arc::new(Pace::new(authorised.scope().rate));
    let opt_out = state.opt_out()?;
    let tally = Arc::new(Tally::new(&authorised.scope().ranges));
    let door = Door::new(authorised, Arc::clone(&opt_out), clock.clone(), Arc::new(Metrics::default()));
    let door = Arc::new(door.with_tally(tally).with_pace(Arc::clone(&pace)));
    let engines = means.engines(state, &door, &pace, &config)?;
    let campaign = choose(state, lake, &door, &engines, &choice)?;
    let asked = choice.plan.map(|plan| plan.named(campaign.id.clone()));
    let there = asked.map(|plan| Shelf::of(state).have_plan(&plan)).transpose()?;
    let kept = there.map(|plan| plan.with(means.settled(&engines)));
    let marking = kept.as_ref().map_or_else(|| Marking::own(Purpose::ExposureReduction), PlanFile::marked);
    let books = Books::new(state, opt_out, signed, kept);
    let survey = Survey { door, engines, pace, sink: lake.clone(), clock, sensor: "survey".parse()?, marking, config };
    Ok(Plan { survey, campaign, books })
}

/// The most campaigns of one scope that are looked through for a free number.
const MOST_CAMPAIGNS: u32 = 100_000;

/// The campaign named; or the last of this scope if it is unfinished and the same job; or a new one.
fn choose(
    state: &State,
    lake: &Arc<Lake>,
    door: &Door,
    engines: &[Arc<dyn Engine>],
    choice: &Choice,
) -> Result<Campaign> {
    let plan = choice.plan.as_ref();
    let seed = plan.map_or(1, |plan| plan.seed);
    let share = plan.and_then(|plan| plan.means.as_ref()).map_or(Share::WHOLE, Means::share);
    let order = Order { ports: choice.ports.as_deref(), list: choice.list.as_ref(), seed, share };
    let named = plan.map_or_else(|| first_name(door.scope()), |plan| Ok(plan.campaign.clone()))?;
    let made = Campaign::new(named, door, &order, engines)?;
    let Name::Free { new } = choice.name else { return Ok(made) };
    let id = |number: u32| -> Result<CampaignId> { Ok(format!("{}-{number}", door.scope().name).parse()?) };
    // Another plan may bear a name that no survey bears yet; of one that does, it may ask for another marking.
    let shelf = Shelf::of(state);
    let planned_otherwise = |id: &CampaignId| plan.is_some_and(|plan| shelf.planned_otherwise(&plan.named(id.clone())));
    let mut last = None;
    for number in 1..MOST_CAMPAIGNS {
        let campaign = made.named(id(number)?);
        let Some(stored) = lake.checkpoint(&campaign.id)? else {
            match last.filter(|_| !new) {
                Some(resumable) => return Ok(resumable),
                None if planned_otherwise(&campaign.id) => {}
                None => return Ok(campaign),
            }
            last = None;
            continue;
        };
        let told = Told::read(&stored.state).with_context(|| format!("campaign {}", campaign.id))?;
        let resumable = told.job == campaign.job && !told.finished && !planned_otherwise(&campaign.id);
        last = resumable.then_some(campaign);
    }
    anyhow::bail!("this scope has more than {MOST_CAMPAIGNS} campaigns; name one with --campaign")
}

/// The name of a scope's first campaign.
fn first_name(scope: &Scope) -> Result<CampaignId> {
    Ok(format!("{}-1", scope.name).parse()?)
}

impl Plan {
    /// Runs to the end or until told to stop, with progress on the terminal and every packet in the ledger.
    pub(crate) async fn run(self, watched: &Watch, stop: watch::Receiver<bool>) -> Result<Report> {
        let Self { survey, campaign, books } = self;
        let (stopping, stop_here) = watch::channel(false);
        let stopping = Arc::new(stopping);
        tokio::spawn(pass_on(stop, Arc::clone(&stopping)));
        let (warrant, door) = (books.warrant(), Arc::clone(&survey.door));
        let kept = books.open(&survey, &campaign, stopping)?;
        let entry = watched.add(&survey.door, &campaign);
        let drawing = tokio::spawn(Arc::clone(&entry).draw());
        let result = survey.run(campaign, stop_here).await;
        let how = match &result {
            Ok(report) if report.finished => How::Finished,
            Ok(_) => How::Stopped,
            Err(_) => How::Failed,
        };
        let written = tokio::task::spawn_blocking(move || kept.end(how)).await.context("the ledger")?;
        entry.end(result.as_ref().err().map(ToString::to_string));
        // Drawing ends with the survey; a failed picture is no failure.
        let _ = drawing.await;
        let finished = result.as_ref().is_ok_and(|report| report.finished);
        if door.is_shut() && !finished {
            let reason = warrant.taken_back().ok().flatten();
            anyhow::bail!("stopped: {}", reason.as_deref().unwrap_or("the scope was taken back"));
        }
        if let Err(reason) = warrant.taken_back() {
            anyhow::ensure!(finished, "stopped: whether the scope still stands cannot be told: {reason}");
        }
        let report = result?;
        written.context("the survey is over and its last entries of the ledger are missing")?;
        Ok(report)
    }
}

/// Passes on that the survey should stop. Who asks may be gone without having asked.
async fn pass_on(mut stop: watch::Receiver<bool>, stopping: Arc<watch::Sender<bool>>) {
    if stop.wait_for(|told| *told).await.is_ok() {
        stopping.send_replace(true);
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
    for prefix in &report.aliased {
        output::line(&format!("  aliased: every address of {prefix} answers; one was asked for all"))?;
    }
    for (reason, count) in &counts.by_reason {
        output::line(&format!("  {count:>8}  {reason}"))?;
    }
    Ok(())
}
