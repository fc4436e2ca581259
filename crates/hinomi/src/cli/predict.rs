//! `hinomi predict`: where to look next.

mod asked;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, ensure};
use clap::Args;
use hinomi_model::scope::{Probe, Scope};
use hinomi_model::{Clock, DeviceKind, Service, ServiceKey, SystemClock, Timestamp};
use hinomi_survey::predict::{
    Asked, Due, Ground, Known, Learner, Lifetimes, MAX_PROPOSED, Proposed, Proposer, Schedule, Settings, severity,
};
use hinomi_survey::sweep::List;
use serde_json::json;

use super::Common;
use crate::output;
use crate::state::State;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Signed scope document: nothing outside it is proposed.
    #[arg(long, value_name = "FILE")]
    scope: PathBuf,
    /// How many targets, at most 1,048,576.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
    /// Which share of them is drawn at random, so that what nobody expects is found too.
    #[arg(long, value_name = "SHARE", default_value_t = Percent::USUAL)]
    explore: Percent,
    /// The known services that are due to be looked at again, instead of likely ones.
    #[arg(long)]
    due: bool,
    /// Decides what is drawn at random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A share, written `10%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(f64);

impl Percent {
    pub(crate) const USUAL: Self = Self(10.0);
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
        let percent = number.filter(|percent| (0.0..=100.0).contains(percent));
        percent.map(Self).ok_or_else(|| format!("{text:?} is not a share from 0% to 100%, as 10%"))
    }
}

/// What is wished for.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) limit: usize,
    pub(crate) explore: Percent,
    pub(crate) due: bool,
    pub(crate) seed: u64,
}

/// A list to visit, and the part of it that was drawn at random.
pub(crate) struct Next {
    pub(crate) list: List,
    pub(crate) random: Option<List>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    let (authorised, _) = super::scope::load_signed(common, &options.scope)?;
    let wish = Wish { limit: options.limit, explore: options.explore, due: options.due, seed: options.seed };
    let look = Look::new(&state, authorised.scope(), wish)?;
    match options.due {
        true => look.due().and_then(|(due, total)| show_due(common, &due, total)),
        false => look.likely().and_then(|proposed| show(common, &look, &proposed)),
    }
}

/// The list that a campaign visits next.
pub(crate) fn next(state: &State, scope: &Scope, wish: Wish) -> Result<Next> {
    let look = Look::new(state, scope, wish)?;
    if wish.due {
        let (due, total) = look.due()?;
        ensure!(!due.is_empty(), "no known service of this scope is due to be looked at again");
        output::talk(&format!("{} of {total} services that are due", due.len()));
        return Ok(Next { list: List::new(due.into_iter().map(|one| one.key))?, random: None });
    }
    let proposed = look.likely()?;
    told(&look, &proposed);
    let random = proposed.candidates.iter().filter(|one| one.reason.is_random()).map(|one| one.key);
    let random = Some(List::new(random)?);
    Ok(Next { list: List::new(proposed.candidates.into_iter().map(|one| one.key))?, random })
}

/// Everything that an answer rests on.
struct Look<'a> {
    state: &'a State,
    ground: Ground,
    asked: Vec<Asked>,
    settings: Settings,
    now: Timestamp,
}

impl<'a> Look<'a> {
    fn new(state: &'a State, scope: &Scope, wish: Wish) -> Result<Self> {
        ensure!(
            (1..=MAX_PROPOSED).contains(&wish.limit),
            "between 1 and {MAX_PROPOSED} targets can be proposed at once"
        );
        let ground = state.opt_out()?.with(|opt_out| Ground::new(scope, opt_out));
        let settings =
            Settings { limit: wish.limit, explore: wish.explore.0 / 100.0, seed: wish.seed, ..Settings::default() };
        Ok(Self { state, ground, asked: asked::asked(state)?, settings, now: SystemClock.now() })
    }

    /// Every known service, in order of address; none where nothing was ever stored.
    fn each(&self, take: &mut dyn FnMut(Known)) -> Result<()> {
        if hinomi_lake::has_tables(self.state.dir()) {
            self.state.reader()?.each_service(SERVICES, self.now, &mut |service| take(known(service)))?;
        }
        Ok(())
    }

    fn likely(&self) -> Result<Proposed> {
        let mut learner = Learner::new(&self.asked, &self.ground, self.settings.seed);
        self.each(&mut |service| learner.take(service))?;
        let model = learner.finish();
        let mut proposer = Proposer::new(&model, &self.ground, &self.asked, self.settings, self.now);
        self.each(&mut |service| proposer.take(service))?;
        Ok(proposer.finish())
    }

    fn due(&self) -> Result<(Vec<Due>, u64)> {
        let mut lifetimes = Lifetimes::new(&self.asked, &self.ground);
        self.each(&mut |service| lifetimes.take(&service))?;
        let mut schedule = Schedule::new(&lifetimes, &self.asked, &self.ground, self.settings, self.now);
        self.each(&mut |service| schedule.take(&service))?;
        Ok(schedule.finish())
    }
}

/// Hosts that are told to be infected are no services.
const SERVICES: &str = "-protocol:infection";

/// What of a service says what stands beside it and how long it lasts.
fn known(service: Service) -> Known {
    let Service { key, first_seen, last_seen, asn, facts, .. } = service;
    let severity = severity(facts.tags.iter().map(String::as_str));
    let protocol = facts.protocol.as_ref().map(|protocol| protocol.as_str().to_owned());
    let of_plant = facts
        .kind
        .is_some_and(|kind| matches!(kind, DeviceKind::Controller | DeviceKind::Building | DeviceKind::Energy));
    Known {
        key,
        first_seen,
        last_seen,
        product: facts.product.clone().or_else(|| protocol.clone()).map(Into::into),
        kind: facts.kind.map(|kind| kind.name().to_owned()).or(protocol).map(Into::into),
        asn,
        severity,
        plant: of_plant || Probe::all().any(|probe| probe.home_ports().is_some_and(|ports| ports.contains(&key.port))),
    }
}

fn told(look: &Look<'_>, proposed: &Proposed) {
    output::talk(&format!(
        "{} targets, about {:.1} services expected; {} drawn at random; from {} known hosts and {} finished campaigns",
        proposed.candidates.len(),
        proposed.expected,
        proposed.random,
        proposed.hosts,
        look.asked.len()
    ));
}

fn show(common: &Common, look: &Look<'_>, proposed: &Proposed) -> Result<()> {
    if common.json {
        return output::json(&json!({
            "targets": proposed.candidates, "expected": proposed.expected, "random": proposed.random,
            "hosts": proposed.hosts, "campaigns": look.asked.len(),
        }));
    }
    for one in &proposed.candidates {
        output::line(&target(one.key, one.expected, &one.reason))?;
    }
    told(look, proposed);
    Ok(())
}

fn show_due(common: &Common, due: &[Due], total: u64) -> Result<()> {
    if common.json {
        return output::json(&json!({ "due": due, "total": total }));
    }
    due.iter().try_for_each(|one| output::line(&target(one.key, one.gone, &one.reason)))?;
    output::talk(&format!("{} of {total} services that are due", due.len()));
    Ok(())
}

/// A line of a list of targets, with a number and a reason for people.
fn target(key: ServiceKey, number: f64, reason: &impl fmt::Display) -> String {
    let reason = output::clean_line(&reason.to_string(), 200);
    format!("{} {}/{}  # {number:.3} {reason}", key.address, key.port, key.transport)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_in_percent() {
        assert_eq!("10%".parse(), Ok(Percent::USUAL));
        assert_eq!(Percent::USUAL.to_string(), "10%");
        assert!(["10", "101%", "-1%", "x%", "%"].iter().all(|wrong| wrong.parse::<Percent>().is_err()));
    }
}
