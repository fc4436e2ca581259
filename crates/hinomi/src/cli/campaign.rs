//! `hinomi campaign`: what would be sent, sending it, and the proof of what was.

mod ledger;
mod page;
pub(crate) mod status;
mod told;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use hinomi_model::scope::PortSet;
use hinomi_model::{CampaignId, Clock, SystemClock, Transport};
use hinomi_survey::scope::verify;
use hinomi_survey::six::alias::{MAX_ASKED, tests_before};
use hinomi_survey::sweep::List;
use hinomi_survey::{Authorised, Forecast, Told};
use serde_json::json;

use super::outward::Outward;
use super::predict::{Percent, Wish};
use super::rules::Folders;
use super::survey::{self, Choice, Name, config, run_plan, wanted_ports};
use super::targets::{TargetFile, permitted};
use super::{Common, marking};
use crate::books::{PlanFile, Shelf};
use crate::engine::{EngineOptions, Means};
use crate::output;
use crate::state::State;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Plan a campaign: packets, time and load for each prefix. Nothing is sent.
    New(New),
    /// Run a campaign, or go on with one that was left.
    Start(Run),
    /// Go on with a campaign that was started and left.
    Resume(Run),
    /// Tell a running campaign to stop cleanly, and wait until it has. `resume` goes on with it.
    Pause {
        /// Which campaign.
        campaign: CampaignId,
        /// Longest wait for it to have stopped, in seconds.
        #[arg(long, default_value_t = 120)]
        wait: u64,
    },
    /// How campaigns stand.
    Status {
        /// Which campaign [default: all].
        campaign: Option<CampaignId>,
    },
    /// What was sent under which scope, and the proof that nothing else was.
    Ledger(ledger::Options),
    /// Serve the page that says who surveys and how to stop it, for everybody.
    Page(page::Options),
}

impl Verb {
    /// Whether packets leave.
    pub(crate) const fn sends(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Resume(_))
    }
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Signed scope document. A copy is kept with the plan.
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
    /// Visit the so many likeliest targets, as `hinomi predict` ranks them.
    #[arg(long, value_name = "N", conflicts_with_all = ["targets", "ports", "udp_ports"])]
    next: Option<usize>,
    /// With --next: which share of them is drawn at random.
    #[arg(long, value_name = "SHARE", requires = "next", default_value_t = Percent::USUAL)]
    explore: Percent,
    /// With --next: the known services that are due again, instead of likely ones.
    #[arg(long, requires = "next")]
    due: bool,
    /// Name of the campaign [default: the scope's name and a number].
    #[arg(long, value_name = "ID")]
    name: Option<CampaignId>,
    /// Order of targets; the same number gives the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    marking: marking::Options,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Which campaign, as `campaign new` named it.
    campaign: CampaignId,
    #[command(flatten)]
    outward: Outward,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    rules: Folders,
}

pub(crate) async fn run(common: &Common, verb: Verb) -> Result<()> {
    match verb {
        Verb::New(new) => plan(common, &new),
        Verb::Start(run) => start(common, run, false).await,
        Verb::Resume(run) => start(common, run, true).await,
        Verb::Pause { campaign, wait } => pause(common, &campaign, Duration::from_secs(wait)).await,
        Verb::Status { campaign } => status::show(common, campaign.as_ref()),
        Verb::Ledger(options) => ledger::run(common, &options),
        Verb::Page(options) => page::run(common, options).await,
    }
}

fn plan(common: &Common, new: &New) -> Result<()> {
    let state = common.state()?;
    let shelf = Shelf::of(&state);
    let marking = new.marking.given()?;
    let (authorised, signed) = super::scope::load_signed(common, &new.scope)?;
    let ports = wanted_ports(new.ports.as_ref(), new.udp_ports.as_ref());
    let (list, random) = match new.next {
        Some(limit) => {
            let wish = Wish { limit, explore: new.explore, due: new.due, seed: new.seed };
            let next = super::predict::next(&state, authorised.scope(), wish)?;
            (Some(next.list), next.random)
        }
        None => (new.targets.read(authorised.scope(), ports.as_deref())?, None),
    };
    let forecast = reckon(&state, &authorised, ports, list.as_ref())?;
    let name = match &new.name {
        Some(name) => name.clone(),
        None => free_name(&state, &shelf, &authorised.scope().name)?,
    };
    let digest = shelf.keep_scope(&signed)?;
    let mut file = PlanFile::new(name, &authorised.scope().name, digest, new.seed);
    match &list {
        Some(list) => file.targets = Some(shelf.keep_list(list)?),
        None => (file.tcp_ports, file.udp_ports) = (new.ports.clone(), new.udp_ports.clone()),
    }
    let said = new.engine.means();
    (file.means, file.marking) = ((said != Means::default()).then_some(said), marking);
    file.explored = random.filter(|random| !random.is_empty()).map(|random| shelf.keep_list(&random)).transpose()?;
    shelf.add_plan(&file)?;
    told::show(common, &file, &authorised, &forecast)?;
    let tested = list.as_ref().map_or(0, |list| tests_before(list, authorised.scope(), new.seed));
    if tested > 0 {
        output::talk(&format!(
            "before, {tested} prefixes in which the list is crowded are asked 3 to {MAX_ASKED} times each, whether every address answers"
        ));
    }
    Ok(())
}

fn reckon(
    state: &State,
    authorised: &Authorised,
    ports: Option<Vec<(Transport, u16)>>,
    list: Option<&List>,
) -> Result<Forecast> {
    let scope = authorised.scope();
    let (config, now) = (config(scope), SystemClock.now());
    let reckon = |opt_out: &[_]| match list {
        Some(list) => Forecast::of_list(scope, list, opt_out, &config, now),
        None => Forecast::new(scope, &ports.unwrap_or_else(|| permitted(scope)), opt_out, &config, now),
    };
    state.opt_out()?.with(reckon).context("nothing can be planned")
}

/// The most names that are tried.
const MOST_NAMES: u32 = 100_000;

/// The first name of this scope that neither a plan nor a survey bears.
fn free_name(state: &State, shelf: &Shelf, scope: &str) -> Result<CampaignId> {
    let mut taken = shelf.planned()?;
    taken.extend(status::stored(state)?.into_keys());
    for number in 1..MOST_NAMES {
        let name: CampaignId = format!("{scope}-{number}").parse()?;
        if !taken.contains(&name) {
            return Ok(name);
        }
    }
    bail!("this scope has more than {MOST_NAMES} campaigns; name one with --name")
}

async fn start(common: &Common, run: Run, only_resume: bool) -> Result<()> {
    let state = common.state()?.with_rules(&run.rules.folders);
    let shelf = Shelf::of(&state);
    let plan = shelf.plan(&run.campaign)?;
    let path = shelf.scope(&plan.digest);
    let signed = std::fs::read(&path).with_context(|| format!("the plan's scope {}", path.display()))?;
    let authorised = verify(&signed, &state.trust()?, SystemClock.now())
        .with_context(|| format!("the scope {} of campaign {}", plan.scope, plan.campaign))?;
    let cleared = run.outward.clear(&authorised).await?;
    let lake = state.open_lake()?;
    let stored = lake.checkpoint(&plan.campaign)?.map(|stored| Told::read(&stored.state)).transpose()?;
    match stored {
        None if only_resume => bail!("campaign {0} was not started yet: hinomi campaign start {0}", plan.campaign),
        Some(told) if told.finished => {
            bail!("campaign {} is finished; hinomi campaign new plans another one", plan.campaign)
        }
        _ => {}
    }
    let ports = wanted_ports(plan.tcp_ports.as_ref(), plan.udp_ports.as_ref());
    let list = plan.targets.as_deref().map(|digest| shelf.list(digest)).transpose()?;
    let means = run.engine.over(&plan.means.clone().unwrap_or_default())?;
    let choice = Choice { name: Name::Given, ports, list, plan: Some(plan.with(means)) };
    run_plan(common, survey::plan(&state, &lake, (authorised, &signed), cleared, choice)?).await
}

/// How often it is looked whether a campaign has stopped.
const LOOK: Duration = Duration::from_millis(200);

async fn pause(common: &Common, campaign: &CampaignId, wait: Duration) -> Result<()> {
    let shelf = Shelf::of(&common.state()?);
    let Some(running) = shelf.running(campaign)? else {
        bail!("campaign {campaign} does not run; hinomi campaign status tells how campaigns stand")
    };
    shelf.ask_to_pause(campaign, &running)?;
    output::talk(&format!("campaign {campaign} (process {}) is asked to stop", running.process));
    let over = async {
        let mut tick = tokio::time::interval(LOOK);
        while shelf.running(campaign)?.is_some_and(|now| now == running) {
            tick.tick().await;
        }
        Ok::<_, anyhow::Error>(())
    };
    match tokio::time::timeout(wait, over).await {
        Ok(ended) => ended?,
        Err(_) => bail!("campaign {campaign} has not stopped within {} s; it goes on trying to", wait.as_secs()),
    }
    match common.json {
        true => output::json(&json!({ "campaign": campaign, "paused": true })),
        false => output::line(&format!("campaign {campaign} has stopped; hinomi campaign resume {campaign} goes on")),
    }
}
