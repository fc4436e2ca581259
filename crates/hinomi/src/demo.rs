//! `hinomi` alone: the loop alive on the simulated town.
//!
//! The town comes up, a scope for it is written and signed with the installation's own key, the server prints its
//! address, and a survey runs while its results appear. Beside it the town's router tells the flows of two days and then
//! of the present, in which C&C servers are found ([`flows`]). The next start shows what is there at once and surveys
//! the town's next day, so that there is a history to look at. Ctrl-C ends town, survey, flows and server.

mod flows;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hinomi_lake::Lake;
use hinomi_model::scope::{Authority, Contact, Hours, Rate};
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::{Reader, Viewer};
use hinomi_state::Accounts;
use hinomi_survey::Told;
use hinomi_survey::scope::document::{Document, FORMAT, Targets};
use hinomi_survey::scope::{sign, verify};
use hinomi_town::{Plan as TownPlan, TownConfig};
use hinomi_web::{Bound, Progress, Server, Settings, Simulated, WebError};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cli::Common;
use crate::cli::outward::Outward;
use crate::cli::rules::Folders;
use crate::cli::serve::USUAL_PORT;
use crate::cli::survey::{Choice, Name, plan};
use crate::cli::town::tell_notes;
use crate::door;
use crate::output;
use crate::state::State;
use crate::townfile;
use crate::watch::{Watch, until_told_to_stop};

/// How many devices the demonstration has.
const TOWN_SIZE: u32 = 1_024;

/// The town's scope may be used for so long after it was written.
const VALID: Duration = Duration::from_secs(7 * 86_400);

pub(crate) async fn run(common: &Common, rules: &Folders, flows_until: Option<Timestamp>) -> Result<()> {
    let flows_until = flows_until.unwrap_or_else(|| SystemClock.now());
    ensure!(flows_until <= SystemClock.now(), "--flows-until is a moment of the past: {flows_until} is not");
    let state = common.state()?.with_rules(&rules.folders);
    write_places(&state, &TownPlan::new(config(0))?)?;
    let lake = state.open_lake()?;
    let watched = Arc::new(Watch::default());
    let bound = bind(&state, &lake, Arc::clone(&watched) as Arc<dyn Progress>).await?;
    let day = next_day(&lake)?;
    let town = hinomi_town::up(config(day)).await?;
    tell_notes(&town);
    let _held = townfile::hold(&state, &town.plan())?;
    let told_to_stop = until_told_to_stop();
    let url = format!("http://{}", bound.address());
    match common.json {
        true => output::json(&ready(&state, &url, &town.plan()))?,
        false => output::line(&url)?,
    }
    output::talk(&format!("day {day} of a simulated town of {TOWN_SIZE} devices on this machine is being surveyed"));
    let telescope = flows::start(&state, &TownPlan::new(config(0))?, flows_until).await?;
    let (stop_sender, stop) = watch::channel(false);
    let survey = survey(&state, &lake, &town.plan(), watched, stop).await?;
    let served = bound.run(async move {
        told_to_stop.await;
        // Nobody receives only when the survey has ended already.
        let _ = stop_sender.send(true);
    });
    served.await?;
    survey.await.context("the survey")?;
    telescope.end().await?;
    town.shutdown().await;
    Ok(())
}

/// What a program wants to know of the demonstration that is ready.
fn ready(state: &State, url: &str, town: &TownPlan) -> Value {
    let TownConfig { size, seed, day, .. } = town.config();
    let town = json!({ "addresses": town.prefixes(), "size": size, "seed": seed, "day": day });
    json!({ "url": url, "state": state.dir(), "town": town })
}

fn config(day: u32) -> TownConfig {
    TownConfig { size: TOWN_SIZE, day, ..TownConfig::default() }
}

/// The usual port, or any free one.
async fn bind(state: &State, lake: &Arc<Lake>, progress: Arc<dyn Progress>) -> Result<Bound> {
    let accounts = Accounts::of(hinomi_state::Settings::of_state(state.dir())?.target);
    let door =
        door::open(state.make()?, Reader::new(Arc::clone(lake), Viewer::Operator).before(state.witness("pages")))?;
    let server = |port| Server {
        door: door.clone(),
        progress: Arc::clone(&progress),
        clock: Arc::new(SystemClock),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        installation: state.installation(),
        simulated: Some(Simulated { devices: u64::from(TOWN_SIZE) }),
        accounts: accounts.clone(),
        settings: Settings::default(),
        outward: Arc::new(hinomi_web::outward::Silent),
        // Who comes from this machine would have this machine looked at by itself: nothing to do with what others see of it.
        prober: None,
    };
    match server(USUAL_PORT).bind().await {
        Err(WebError::InUse { .. }) => Ok(server(0).bind().await?),
        other => Ok(other?),
    }
}

const SCOPE: &str = "town";

/// One day further with every finished survey of the town.
fn next_day(lake: &Arc<Lake>) -> Result<u32> {
    let mut days = 0;
    for (campaign, _) in lake.campaigns()? {
        let of_town = campaign.as_str().starts_with("town-");
        let stored = if of_town { Lake::checkpoint(lake, &campaign)? } else { None };
        let told = stored.map(|checkpoint| Told::read(&checkpoint.state)).transpose()?;
        days += u32::from(told.is_some_and(|told| told.finished));
    }
    Ok(days)
}

async fn survey(
    state: &State,
    lake: &Arc<Lake>,
    town: &TownPlan,
    watched: Arc<Watch>,
    stop: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>> {
    let key = state.own_key()?;
    let signed = sign(scope(town, SystemClock.now()).write()?.as_bytes(), &key)?;
    std::fs::write(state.dir().join("town-scope.toml"), &signed).context("cannot write the town's scope")?;
    let authorised = verify(signed.as_bytes(), &state.trust()?, SystemClock.now())?;
    let choice = Choice { name: Name::Free { new: false }, ports: None, list: None, plan: None };
    let cleared = Outward::default().clear(&authorised).await?;
    let plan = plan(state, lake, (authorised, signed.as_bytes()), cleared, choice)?;
    let lake = Arc::clone(lake);
    Ok(tokio::spawn(async move {
        let ran = plan.run(&watched, stop).await;
        match tokio::task::spawn_blocking(move || lake.roll_up(false)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => output::talk(&format!("hinomi: the counts by day were not made: {error}")),
            Err(error) => output::talk(&format!("hinomi: the counts by day were not made: {error}")),
        }
        match ran {
            Ok(report) => {
                let seconds = report.ended.since(report.started).as_secs_f64();
                output::talk(&format!("survey {}: {} services in {seconds:.1} s", report.campaign, report.counts.open));
            }
            Err(error) => output::talk(&format!("hinomi: {error:#}")),
        }
    }))
}

/// An authorisation for the town, as a person would write it.
fn scope(town: &TownPlan, now: Timestamp) -> Document {
    let today = Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(86_400_000_000));
    Document {
        format: FORMAT,
        name: SCOPE.to_owned(),
        hours: Hours::always(),
        valid_from: today,
        valid_until: today.plus(VALID),
        authority: Authority {
            organisation: "this machine".to_owned(),
            person: "its operator".to_owned(),
            reference: "loopback, self-authorised".to_owned(),
        },
        contact: Contact { email: "operator@localhost".to_owned(), phone: String::new(), page: String::new() },
        targets: Targets {
            ranges: town.prefixes().iter().map(ToString::to_string).collect(),
            exclude: Vec::new(),
            tcp_ports: town.tcp_ports(),
            udp_ports: town.udp_ports(),
            probes: vec!["all".to_owned()],
        },
        rate: Rate { total_pps: 40_000, per_prefix_pps: 20_000, per_host_pps: 400, per_host_connections: 8 },
    }
}

/// The town's operators, as the table of prefixes that a real installation would be given.
fn write_places(state: &State, town: &TownPlan) -> Result<()> {
    let path = state.make()?.join("places.csv");
    if path.exists() {
        return Ok(());
    }
    let mut text = String::from("prefix,asn,name,country,prefecture\n");
    for (prefix, asn, name, country, prefecture) in town.operators() {
        text.push_str(&format!("{prefix},{asn},{name},{country},{prefecture}\n"));
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
