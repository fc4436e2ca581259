//! `hinomi flow evaluate`, and `hinomi flow why` on files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use hinomi_flow::detect::words;
use hinomi_flow::evaluate::compose::{Parts, Plan};
use hinomi_flow::evaluate::grid::{self, Cell};
use hinomi_flow::evaluate::picture;
use hinomi_flow::evaluate::synthetic::{self, Day};
use hinomi_flow::evaluate::{self, Case, Report, read};
use hinomi_flow::finding::Finding;
use hinomi_flow::suppress::Knowledge;
use hinomi_model::Timestamp;
use ipnet::IpNet;

use crate::cli::Common;
use crate::output;

/// A list of known endpoints is no longer than this.
const MAX_LIST_BYTES: u64 = 256 << 20;

/// What captures are looked at, and with what knowledge.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Whose lines the flows are of; may be repeated.
    #[arg(long = "subscribers", value_name = "PREFIX")]
    subscribers: Vec<IpNet>,
    /// A list of known C&C endpoints, one a line (address:port); may be repeated.
    #[arg(long = "seeds", value_name = "FILE")]
    seeds: Vec<PathBuf>,
    /// When the lists were made, where their entries do not say.
    #[arg(long, value_name = "TIME")]
    seeds_told: Option<Timestamp>,
    /// Take remote ends in private address space for what they say (captures of laboratories).
    #[arg(long)]
    local_remotes: bool,
    /// Make a model of the servers met and of the lists first.
    #[arg(long)]
    train: bool,
    /// Leave maintained knowledge out, to see what it is worth.
    #[arg(long)]
    no_knowledge: bool,
    /// Share of servers that are C&C servers before anything is seen.
    #[arg(long, value_name = "SHARE")]
    base_rate: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Zeek conn.log (TSV, JSON), Argus CSV, nfdump, IPFIX (RFC 5655), Parquet, pcap or pcapng, unpacked; each is one
    /// case.
    files: Vec<PathBuf>,
    #[command(flatten)]
    input: Input,
    /// A true C&C endpoint; may be repeated. What is named beside them is false.
    #[arg(long = "truth", value_name = "ADDRESS:PORT")]
    truth: Vec<SocketAddr>,
    /// Also made-up days, so many of them.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    made_up: u32,
    /// Compose fan-in: the true endpoints' flows of the files under several subscribers, in the flows of this file.
    #[arg(long, value_name = "FILE")]
    compose_in: Option<PathBuf>,
    /// Numbers of bots for the composed table.
    #[arg(long, value_delimiter = ',', default_values_t = grid::BOTS)]
    bots: Vec<u32>,
    /// Samplings for the composed table: one of so many packets.
    #[arg(long, value_delimiter = ',', default_values_t = grid::SAMPLINGS)]
    sampling: Vec<u32>,
    /// In the composed table, tell every second bot as an infected subscriber.
    #[arg(long)]
    told_infected: bool,
    /// Runs of each cell with different draws.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Subscribers of a composed case.
    #[arg(long, default_value_t = 60)]
    population: u32,
    /// Draw the composed table as a picture (SVG) into this file; another beside it, FILE.ja.svg, in Japanese.
    #[arg(long, value_name = "FILE", requires = "compose_in")]
    picture: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let settings = settings(&options.input)?;
    if let Some(background) = &options.compose_in {
        return compose(common, options, background, &settings);
    }
    let mut outcomes = Vec::new();
    for path in &options.files {
        let case = case(path, &options.input, &truth(&options.truth))?;
        outcomes.push(evaluate::run(&case, &settings)?);
    }
    for seed in 1..=u64::from(options.made_up) {
        outcomes.push(evaluate::run(&synthetic::day(&Day { seed, ..Day::default() }), &settings)?);
    }
    ensure!(!outcomes.is_empty(), "nothing to evaluate: name files, or ask for made-up days with --made-up");
    let report = Report::new(outcomes);
    if common.json {
        return output::json(&report);
    }
    report.lines().iter().try_for_each(|line| output::line(&output::clean(line)))
}

/// Why an endpoint of these files is named, or is not.
pub(super) fn why(
    common: &Common,
    wanted: (IpAddr, u16),
    files: &[PathBuf],
    input: &Input,
    japanese: bool,
) -> Result<()> {
    let settings = settings(input)?;
    for path in files {
        // What is asked for is taken for true, so that its rank is told.
        let outcome = evaluate::run(&case(path, input, &BTreeSet::from([wanted]))?, &settings)?;
        let found = outcome.asked.iter().find(|found| (found.endpoint.address, found.endpoint.port) == wanted);
        match (found, common.json) {
            (found, true) => output::json(&found)?,
            (Some(found), false) => tell(found, outcome.places.first().and_then(|place| place.rank), japanese)?,
            (None, false) => output::line(&format!("{}: nothing speaks for it", SocketAddr::from(wanted)))?,
        }
    }
    Ok(())
}

/// Everything that was held for and against one endpoint.
pub(super) fn tell(found: &Finding, rank: Option<usize>, japanese: bool) -> Result<()> {
    let catalogue = if japanese { words::JAPANESE } else { words::ENGLISH };
    let mark = if found.is_named() { "named" } else { "not named" };
    let rank = rank.map_or_else(String::new, |rank| format!(", rank {rank}"));
    output::line(&format!("{}: confidence {:.3}, {mark}{rank}", found.endpoint, found.confidence))?;
    output::line(&format!("  {:+6.2}  base rate {:e}", found.fused.base_log_odds, found.base_rate))?;
    for reason in found.reasons.iter().chain(&found.counter_evidence) {
        output::line(&format!("  {:+6.2}  {}", reason.log_likelihood_ratio, words::sentence(catalogue, reason)))?;
    }
    for part in &found.fused.contributions {
        let capped = if part.capped { " (capped)" } else { "" };
        output::line(&format!("  = {:?}: {:+.2}{capped}", part.group, part.log_odds))?;
    }
    let seen = &found.visibility;
    output::line(&format!(
        "  sampling 1:{}, loss {:.1}%: confidence {:.3} if every packet had been seen",
        seen.sampling,
        seen.loss * 100.0,
        seen.confidence_if_all_seen
    ))?;
    found.refuted_by.iter().try_for_each(|what| output::line(&format!("  ? {}", words::refutation(catalogue, *what))))
}

fn compose(common: &Common, options: &Options, background: &Path, settings: &evaluate::Options) -> Result<()> {
    ensure!(!options.truth.is_empty(), "composing needs the true endpoints: name them with --truth");
    let truth = truth(&options.truth);
    let is_cnc = |address: IpAddr, port: u16| truth.contains(&(address, port));
    let mut cnc = Vec::new();
    for path in &options.files {
        let records = case(path, &options.input, &truth)?.records;
        cnc.extend(records.into_iter().filter(|record| {
            is_cnc(record.destination, record.destination_port) || is_cnc(record.source, record.source_port)
        }));
    }
    ensure!(!cnc.is_empty(), "none of the files has a flow of a true endpoint");
    let background = case(background, &options.input, &truth)?.records;
    let parts = Parts { cnc: &cnc, truth: &truth, background: &background, subscribers: &options.input.subscribers };
    let span = Duration::from_secs(2 * 86_400);
    let plan = Plan {
        bots: 2,
        population: options.population,
        sampling: 1,
        span,
        told_infected: options.told_infected,
        seed: 1,
    };
    if !common.json {
        output::line("composed: real C&C flows under several subscribers in real background")?;
        output::line(Cell::HEADING)?;
    }
    let cells = grid::grid(&parts, &plan, settings, (&options.bots, &options.sampling, options.runs), |cell| {
        // The table grows while it is reckoned; a reader that went away is noticed at the end.
        if !common.json {
            let _ = output::line(&cell.line());
        }
    })?;
    if let Some(path) = &options.picture {
        draw(path, &cells)?;
    }
    if common.json { output::json(&cells) } else { Ok(()) }
}

/// The table's picture in both languages.
fn draw(path: &Path, cells: &[Cell]) -> Result<()> {
    for (path, words) in [(path.to_owned(), &picture::ENGLISH), (path.with_extension("ja.svg"), &picture::JAPANESE)] {
        std::fs::write(&path, picture::svg(cells, words))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn truth(list: &[SocketAddr]) -> BTreeSet<(IpAddr, u16)> {
    list.iter().map(|endpoint| (endpoint.ip(), endpoint.port())).collect()
}

fn settings(input: &Input) -> Result<evaluate::Options> {
    let mut seeds = Vec::new();
    for path in &input.seeds {
        let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
        let mut text = Vec::new();
        file.take(MAX_LIST_BYTES).read_to_end(&mut text).with_context(|| format!("{}", path.display()))?;
        seeds.push((path.display().to_string(), input.seeds_told, text));
    }
    Ok(evaluate::Options {
        seeds,
        local_remotes: input.local_remotes,
        train: input.train,
        base_rate: input.base_rate,
        knowledge: (!input.no_knowledge).then(Knowledge::builtin).transpose()?,
    })
}

fn case(path: &Path, input: &Input, truth: &BTreeSet<(IpAddr, u16)>) -> Result<Case> {
    let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    let read = read::read_file(file).with_context(|| format!("{}", path.display()))?;
    if let Some(ended) = &read.ended {
        output::talk(&format!("{}: {}", path.display(), output::clean_line(ended, 300)));
    }
    if read.left_out > 0 {
        output::talk(&format!("{}: {} lines, rows or packets gave no flow", path.display(), read.left_out));
        super::collect::told::left_out(path, &read.reasons);
    }
    if read.records.is_empty() {
        bail!("{} holds no flow that could be read; packed files must be unpacked first", path.display());
    }
    ensure!(!input.subscribers.is_empty(), "say whose lines these are: --subscribers PREFIX");
    Ok(Case {
        name: path.display().to_string(),
        records: read.records,
        subscribers: input.subscribers.clone(),
        truth: truth.clone(),
        ..Case::default()
    })
}
