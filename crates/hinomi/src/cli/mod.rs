//! The command line: noun, then verb. One file a command.

pub(crate) mod account;
mod alert;
mod campaign;
mod candidates;
mod changes;
mod crypto;
mod export;
mod flow;
mod host;
mod identify;
mod import;
mod lake;
mod ledger;
mod marking;
mod notice;
mod objects;
mod optout;
mod organisation;
pub(crate) mod outward;
mod past;
mod policy;
mod predict;
mod report;
mod rollup;
pub(crate) mod rules;
mod scope;
mod search;
pub(crate) mod serve;
mod servers;
pub(crate) mod survey;
mod targets;
pub(crate) mod town;
mod watch;

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use hinomi_model::Timestamp;

pub(crate) use lake::Damaged;
pub(crate) use scope::NotYetValid;

use crate::demo;
use crate::state::State;

/// An open watchtower for connected devices.
///
/// Without a command: a simulated town of devices on this machine is surveyed, identified, stored and shown in a
/// browser.
#[derive(Debug, Parser)]
#[command(name = "hinomi", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Say more on stderr.
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    rules: rules::Folders,
    /// Without a command: the two days of flows that are told at the start end at this moment [default: now].
    #[arg(long, value_name = "TIME")]
    flows_until: Option<Timestamp>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Folder in which everything is kept [default: the platform's data folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Common {
    pub(crate) fn state(&self) -> Result<State> {
        State::locate(self.state.clone())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Who permits which probes against which ranges: write, sign, check.
    #[command(subcommand)]
    Scope(scope::Verb),
    /// Survey an authorised range.
    Survey(survey::Options),
    /// Addresses worth asking in large ranges of IPv6: from hitlists, names, the lake, and patterns.
    Candidates(candidates::Options),
    /// Campaigns: plan, run, pause, and prove what was sent.
    #[command(subcommand)]
    Campaign(campaign::Verb),
    /// Where to look next: likely services, or known ones that are due again.
    Predict(predict::Options),
    /// Those who asked not to be surveyed.
    #[command(subcommand)]
    Optout(optout::Verb),
    /// Organisations: who is there, whom each acts for, what it may read for.
    #[command(subcommand)]
    Organisation(organisation::Verb),
    /// Whom to reach at an organisation.
    #[command(subcommand)]
    Contact(organisation::contact::Verb),
    /// Named circles that records are marked for.
    #[command(subcommand)]
    Audience(organisation::audience::Verb),
    /// Who holds which prefix, AS number or domain: ask, prove, decide, look up.
    #[command(subcommand)]
    Claim(organisation::claim::Verb),
    /// Search services.
    Search(search::Options),
    /// Services as they stood at a past moment.
    AsOf(past::AsOf),
    /// What is different between two moments, or between two campaigns.
    Diff(past::Diff),
    /// What happened to services: opened, closed, answers again, says something else.
    Changes(changes::Options),
    /// The cryptography inventory: post-quantum readiness, versions, keys, certificates that end soon, what is weak.
    Crypto(crypto::Options),
    /// Everything about one address: services, history, evidence down to the bytes.
    Host(host::Options),
    /// Take in scans of nmap, masscan, ZGrab2, Shodan, Censys and Shadowserver.
    Import(import::Options),
    /// Services at the end of each day, by port, product, kind, operator and place.
    Rollup(rollup::Options),
    /// Saved queries that are told of every change.
    #[command(subcommand)]
    Watch(watch::Verb),
    /// Who is told of what saved queries fired: by mail, webhook, Slack or feed.
    #[command(subcommand)]
    Alert(alert::Verb),
    /// Tell those who answer for what is open: draft, release, send, answers, what became of it.
    #[command(subcommand)]
    Notice(notice::Verb),
    /// The report of a month: what an organisation shows to the outside, as HTML or PDF.
    Report(report::Options),
    /// Write services to a file or to stdout.
    Export(export::Options),
    /// Keep, check, back up and delete what was seen.
    #[command(subcommand)]
    Lake(lake::Verb),
    /// Who looked at what, what left, what was decided; checkpoints and proofs.
    #[command(subcommand)]
    Ledger(ledger::Verb),
    /// Derive facts from stored evidence.
    Identify(identify::Options),
    /// Check identification rules.
    #[command(subcommand)]
    Rules(rules::Verb),
    /// The simulated town of devices.
    #[command(subcommand)]
    Town(town::Verb),
    /// C&C servers from flow records.
    #[command(subcommand)]
    Flow(flow::Verb),
    /// Who may sign in: people, their rights and keys.
    #[command(subcommand)]
    Account(account::Verb),
    /// What others share (STIX 2.1, TAXII 2.1, MISP), with the bytes as they came.
    #[command(subcommand)]
    Objects(objects::Verb),
    /// Serve pages and the API.
    Serve(serve::Options),
    /// The rules of who may know: check them, show them, ask which decide.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Several servers on one lake: who is there, what each holds, how far each is behind.
    Servers(servers::Options),
}

/// Does what the command line asks.
pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let common = arguments.common;
    if arguments.command.is_some() && !arguments.rules.folders.is_empty() {
        bail!("--rules stands after the command, as in hinomi survey --rules DIR");
    }
    if arguments.command.is_some() && arguments.flows_until.is_some() {
        bail!("--flows-until is for hinomi without a command; a file of flows has town flows --until");
    }
    match arguments.command {
        None => block_on(demo::run(&common, &arguments.rules, arguments.flows_until)),
        Some(Command::Scope(verb)) => scope::run(&common, verb),
        Some(Command::Survey(options)) => confined(&common, survey::run(&common, options)),
        Some(Command::Campaign(verb)) if verb.sends() => confined(&common, campaign::run(&common, verb)),
        Some(Command::Candidates(options)) => block_on(candidates::run(&common, options)),
        Some(Command::Campaign(verb)) => block_on(campaign::run(&common, verb)),
        Some(Command::Predict(options)) => predict::run(&common, &options),
        Some(Command::Optout(verb)) => optout::run(&common, &verb),
        Some(Command::Organisation(verb)) => organisation::run(&common, &verb),
        Some(Command::Contact(verb)) => organisation::contact::run(&common, &verb),
        Some(Command::Audience(verb)) => organisation::audience::run(&common, &verb),
        Some(Command::Claim(verb)) => organisation::claim::run(&common, &verb),
        Some(Command::Search(options)) => search::run(&common, &options),
        Some(Command::AsOf(options)) => past::as_of(&common, &options),
        Some(Command::Diff(options)) => past::diff(&common, &options),
        Some(Command::Changes(options)) => block_on(changes::run(&common, options)),
        Some(Command::Crypto(options)) => crypto::run(&common, &options),
        Some(Command::Host(options)) => host::run(&common, &options),
        Some(Command::Import(options)) => import::run(&common, &options),
        Some(Command::Rollup(options)) => rollup::run(&common, &options),
        Some(Command::Watch(verb)) => block_on(watch::run(&common, verb)),
        Some(Command::Alert(verb)) => alert::run(&common, &verb),
        Some(Command::Notice(verb)) => notice::run(&common, &verb),
        Some(Command::Report(options)) => report::run(&common, &options),
        Some(Command::Export(options)) => export::run(&common, &options),
        Some(Command::Lake(verb)) => lake::run(&common, &verb),
        Some(Command::Ledger(verb)) => ledger::run(&common, &verb),
        Some(Command::Identify(options)) => identify::run(&common, &options),
        Some(Command::Rules(verb)) => rules::run(&common, &verb),
        Some(Command::Town(verb)) => block_on(town::run(&common, verb)),
        Some(Command::Flow(verb)) => flow::run(&common, &verb),
        Some(Command::Account(verb)) => account::run(&common, verb),
        Some(Command::Objects(verb)) => objects::run(&common, &verb),
        Some(Command::Serve(options)) => block_on(serve::run(&common, options)),
        Some(Command::Policy(verb)) => policy::run(&common, verb),
        Some(Command::Servers(options)) => servers::run(&common, &options),
    }
}

/// Does what reads the words of strangers, with no more rights than it needs.
#[cfg(target_os = "linux")]
fn confined(common: &Common, task: impl Future<Output = Result<()>>) -> Result<()> {
    let _confined = crate::confine::enter(common.state()?.make()?)?;
    block_on(task)
}

#[cfg(not(target_os = "linux"))]
fn confined(_: &Common, task: impl Future<Output = Result<()>>) -> Result<()> {
    block_on(task)
}

fn block_on(task: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the asynchronous runtime does not start")?.block_on(task)
}
