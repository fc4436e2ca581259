//! `hinomi candidates`: addresses worth asking in ranges too large to ask them all, as a list of targets.
//!
//! The list goes to stdout, an address a line with its source behind `#`, for `hinomi survey --targets -` and `hinomi
//! campaign new --targets -`. Nothing is sent to a target; with `--names` the resolver is asked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use hinomi_model::scope::Scope;
use hinomi_model::{Clock, Service, SystemClock};
use hinomi_survey::Told;
use hinomi_survey::outward::Resolver;
use hinomi_survey::six::alias::AliasedPrefixes;
use hinomi_survey::six::hitlist::{self, Listing};
use hinomi_survey::six::names::{Answers, Lookups, Names, look_up};
use hinomi_survey::six::pattern::Model;
use hinomi_survey::six::reverse::{self, Walked};
use hinomi_survey::six::{Candidate, Candidates, Given, Inside, Source};
use indicatif::{ProgressBar, ProgressDrawTarget};
use ipnet::{IpNet, Ipv6Net};
use serde_json::json;

use super::Common;
use crate::output;
use crate::state::State;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Signed scope document. What it does not permit is left out and counted.
    #[arg(long, value_name = "FILE")]
    scope: PathBuf,
    /// File of addresses, one a line, or prefixes up to /120; - reads stdin; may be repeated.
    #[arg(long = "hitlist", value_name = "FILE")]
    hitlists: Vec<PathBuf>,
    /// File of names, one a line, whose addresses the resolver is asked for; - reads stdin; may be repeated.
    #[arg(long = "names", value_name = "FILE")]
    names: Vec<PathBuf>,
    /// Prefix of IPv6 whose reverse zone is walked for addresses that have a name; may be repeated.
    #[arg(long = "reverse", value_name = "PREFIX")]
    reverse: Vec<Ipv6Net>,
    /// The name server to ask [default: that of /etc/resolv.conf].
    #[arg(long, value_name = "ADDRESS:PORT")]
    resolver: Option<SocketAddr>,
    /// Questions to the resolver, a second.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    names_per_second: u32,
    /// Take the addresses of known services too: all, or those that a query finds, as 'seen:<30d'.
    #[arg(long, value_name = "QUERY", num_args = 0..=1, default_missing_value = "")]
    from_lake: Option<String>,
    /// Guess so many addresses of IPv6 besides, made like those gathered, the likeliest first.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    patterns: u64,
    /// Decides between guesses that are equally likely.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the addresses in that lie in prefixes which campaigns found to answer as a whole.
    #[arg(long)]
    with_aliased: bool,
}

/// Questions to the resolver at the same time.
const AT_ONCE: usize = 32;

/// What was read and asked.
#[derive(Default)]
struct Heard {
    hitlists: Vec<(String, Listing)>,
    names: Option<Answers>,
    reverse: Option<Walked>,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let (authorised, _) = super::scope::load_signed(common, &options.scope)?;
    let state = common.state()?;
    let aliased = if options.with_aliased { Vec::new() } else { known_aliased(&state)? };
    let opt_out: Vec<IpNet> = state.opt_out()?.with(<[_]>::to_vec);
    let inside = Inside::of(authorised.scope(), &opt_out);
    let mut candidates = Candidates::new(inside, AliasedPrefixes::new(aliased.iter().copied()));
    let mut told = Heard::default();
    for path in &options.hitlists {
        let named = path.display().to_string();
        let give = |address| {
            candidates.give(address, Source::Hitlist);
        };
        let listing = hitlist::read(open(path)?, give).with_context(|| named.clone())?;
        told.hitlists.push((named, listing));
    }
    if let Some(query) = &options.from_lake {
        take_from_lake(&state, query, &mut candidates)?;
    }
    if !options.names.is_empty() {
        told.names = Some(ask(&options, &mut candidates).await?);
    }
    if !options.reverse.is_empty() {
        told.reverse = Some(walk_zones(&options, &mut candidates).await);
    }
    guess(&options, authorised.scope(), &opt_out, &aliased, &mut candidates);
    show(common, &candidates, &told)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// What campaigns of this state folder found to answer as a whole.
fn known_aliased(state: &State) -> Result<Vec<Ipv6Net>> {
    if !hinomi_lake::has_tables(state.dir()) {
        return Ok(Vec::new());
    }
    let reader = state.reader()?;
    let mut aliased = Vec::new();
    for (campaign, _) in reader.campaigns()? {
        let Some(checkpoint) = reader.checkpoint(&campaign)? else { continue };
        match Told::read(&checkpoint.state) {
            Ok(told) => aliased.extend(told.aliased),
            Err(error) => output::talk(&format!("campaign {campaign}: {error}")),
        }
    }
    Ok(aliased)
}

/// Gives the addresses of services that are no pretence.
fn take_from_lake(state: &State, query: &str, candidates: &mut Candidates) -> Result<()> {
    ensure!(hinomi_lake::has_tables(state.dir()), "--from-lake: nothing is stored in {}", state.dir().display());
    let real = if query.is_empty() { "NOT has:pseudo".to_owned() } else { format!("({query}) NOT has:pseudo") };
    let mut give = |service: Service| {
        candidates.give(service.key.address, Source::Lake);
    };
    state.reader()?.each_service(&real, SystemClock.now(), &mut give).context("--from-lake")?;
    Ok(())
}

async fn ask(options: &Options, candidates: &mut Candidates) -> Result<Answers> {
    let mut names = Names::default();
    for path in &options.names {
        names.read(open(path)?).with_context(|| path.display().to_string())?;
    }
    for (count, what) in [(names.unreadable, "lines are no names"), (names.left_out, "names are too many")] {
        if count > 0 {
            output::talk(&format!("{count} {what} and were left out"));
        }
    }
    let lookups = lookups(options, candidates);
    let bar = ProgressBar::with_draw_target(Some(names.len() as u64), ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(200));
    let answers = look_up(names, &lookups, |progress, addresses| {
        bar.set_position(progress);
        for address in addresses {
            candidates.give(*address, Source::Name);
        }
    });
    let answers = answers.await;
    bar.finish_and_clear();
    Ok(answers)
}

fn lookups(options: &Options, candidates: &Candidates) -> Lookups {
    Lookups {
        resolver: options.resolver.map_or_else(Resolver::of_system, Resolver::at),
        at_once: AT_ONCE,
        per_second: options.names_per_second,
        four: candidates.inside().has_four(),
    }
}

async fn walk_zones(options: &Options, candidates: &mut Candidates) -> Walked {
    let lookups = lookups(options, candidates);
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(200));
    let walked = reverse::walk(&options.reverse, &lookups, |questions, address| {
        bar.set_position(questions);
        candidates.give(address, Source::Reverse);
    });
    let walked = walked.await;
    bar.finish_and_clear();
    walked
}

/// Guesses where neither somebody opted out nor everything answers.
fn guess(options: &Options, scope: &Scope, opt_out: &[IpNet], aliased: &[Ipv6Net], candidates: &mut Candidates) {
    if options.patterns == 0 {
        return;
    }
    let model = Model::learn(candidates.list().iter().map(|candidate| candidate.address));
    let left_out: Vec<IpNet> = opt_out.iter().copied().chain(aliased.iter().map(|prefix| IpNet::V6(*prefix))).collect();
    let inside = Inside::of(scope, &left_out);
    let bar = ProgressBar::with_draw_target(Some(options.patterns), ProgressDrawTarget::stderr());
    for Candidate { address, source } in model.guesses(&inside, options.patterns, options.seed) {
        bar.inc(1);
        if candidates.give(address, source) == Given::Full {
            break;
        }
    }
    bar.finish_and_clear();
}

fn show(common: &Common, candidates: &Candidates, told: &Heard) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for candidate in candidates.list() {
        match common.json {
            true => writeln!(out, "{}", serde_json::to_string(candidate)?)?,
            false => writeln!(out, "{} # {}", candidate.address, candidate.source)?,
        }
    }
    if common.json {
        let hitlists: Vec<_> = told.hitlists.iter().map(|(file, read)| json!({ "file": file, "read": read })).collect();
        let (sources, names, reverse) = (candidates.tallies(), &told.names, &told.reverse);
        let summary = json!({ "sources": sources, "hitlists": hitlists, "names": names, "reverse": reverse });
        writeln!(out, "{}", json!({ "summary": summary }))?;
    }
    out.flush()?;
    drop(out);
    if !common.json {
        talk(candidates, told);
    }
    Ok(())
}

fn talk(candidates: &Candidates, told: &Heard) {
    for (file, read) in &told.hitlists {
        if let Some((line, why)) = &read.first_problem {
            let passed = read.too_wide + read.unreadable;
            output::talk(&output::clean_line(
                &format!("{file}: {passed} lines were passed over; line {line}: {why}"),
                300,
            ));
        }
    }
    if let Some(names) = &told.names {
        let why = names.first_problem.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        let text =
            format!("{} names: {} lead somewhere, {} not answered{why}", names.names, names.found, names.unanswered);
        output::talk(&output::clean_line(&text, 300));
    }
    if let Some(names) = told.names.as_ref().filter(|names| names.given_up) {
        output::talk(&format!("given up after {} names: the resolver does not answer", names.names));
    }
    if let Some(walked) = &told.reverse {
        let why = walked.first_problem.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        let more = if walked.cut_short { "; there was more than is asked in one walk" } else { "" };
        let text = format!(
            "reverse zones: {} names found with {} questions, {} not answered{why}, \
             {} branches with made-up names{more}",
            walked.found, walked.questions, walked.unanswered, walked.made_up
        );
        output::talk(&output::clean_line(&text, 300));
    }
    for (source, tally) in candidates.tallies() {
        output::talk(&format!(
            "{source}: {} candidates; {} outside the scope, {} repeated, {} in aliased prefixes, {} beyond the limit",
            tally.taken, tally.outside, tally.repeated, tally.aliased, tally.left_out
        ));
    }
    if candidates.list().is_empty() {
        output::talk(
            "no candidate: name sources with --hitlist, --names, --reverse or --from-lake; \
             --patterns guesses from what they give",
        );
    }
}
