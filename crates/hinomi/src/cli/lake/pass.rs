//! `hinomi lake pass`: jobs over the whole lake, by threads or by Apache Spark.

pub(super) mod executor;
mod spark;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use hinomi_lake::pass::{Engine, GAP_DAYS, Job, Local, Order, Passed};
use hinomi_share::Format;

use super::super::{Common, rules};
use super::{bar, tell};
use crate::{output, witness};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// presence: of each service when it was there. churn: of each /24 or /48 what appeared, went away and changed.
    /// rollup: the counters of each day, made anew. reidentify: all facts derived again.
    #[arg(value_parser = job)]
    job: Job,
    /// What runs it: threads of this process, or Apache Spark.
    #[arg(long, value_enum, default_value_t = Choice::Local)]
    engine: Choice,
    /// How many threads [default: as many as processors].
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Into how many shares the lake is cut [default: one for each million observations].
    #[arg(long)]
    shares: Option<u64>,
    /// File to write, of presence and churn [default: stdout].
    #[arg(long)]
    out: Option<PathBuf>,
    /// jsonl, csv or parquet, of presence and churn [default: as --out ends, or jsonl].
    #[arg(long)]
    format: Option<String>,
    /// presence: days without a look after which a service that is seen again counts as present anew.
    #[arg(long, default_value_t = GAP_DAYS)]
    gap_days: u32,
    #[command(flatten)]
    spark: spark::SparkOptions,
    #[command(flatten)]
    rules: rules::Folders,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    Local,
    Spark,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let bar = bar();
    let told = bar.clone();
    let advance = move |done: u64, total: u64| tell(&told)(done, total);
    let by_spark;
    let by_threads;
    let engine: &dyn Engine = match options.engine {
        Choice::Spark => {
            by_spark = options.spark.engine()?;
            &by_spark
        }
        Choice::Local if options.spark.is_asked() => bail!("--master and the like want --engine spark"),
        Choice::Local => {
            by_threads = Local::new(options.threads, &advance);
            &by_threads
        }
    };
    let passed = if options.job.is_kept() { within(common, options, engine) } else { into(common, options, engine) };
    bar.finish_and_clear();
    passed
}

/// A pass whose result is a table of the lake.
fn within(common: &Common, options: &Options, engine: &dyn Engine) -> Result<()> {
    if options.out.is_some() || options.format.is_some() {
        bail!("the result of {} is a table of the lake: it has no --out and no --format", options.job.name());
    }
    let state = common.state()?.with_rules(&options.rules.folders);
    let lake = state.open_to_identify()?;
    let passed = lake.pass_within(&order(state.dir(), options)?, engine, &witness::user())?;
    if common.json { output::json(&passed) } else { output::line(&words(&passed)) }
}

/// A pass whose result is a file: records leave through the door.
fn into(common: &Common, options: &Options, engine: &dyn Engine) -> Result<()> {
    let ending = options.out.as_ref().and_then(|path| path.extension()?.to_str()).filter(|_| options.format.is_none());
    let format: Format = match (&options.format, ending) {
        (Some(format), _) => format.parse()?,
        (None, Some(ending)) => ending.parse().context("name the form with --format, or let --out end in it")?,
        (None, None) => Format::Jsonl,
    };
    let state = common.state()?;
    let reader = state.reader()?;
    let mut out: Box<dyn Write + Send> = match &options.out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(std::io::stdout()),
    };
    let mut buffered = BufWriter::new(&mut out);
    let order = order(state.dir(), options)?;
    let passed = reader.pass(&order, engine, &witness::user(), (format, &mut buffered))?;
    buffered.flush()?;
    drop(buffered);
    match (&options.out, common.json) {
        (Some(_), true) => output::json(&passed),
        _ => {
            output::talk(&words(&passed));
            Ok(())
        }
    }
}

fn order(state: &std::path::Path, options: &Options) -> Result<Order> {
    let absolute = |path: &std::path::Path| {
        std::path::absolute(path).with_context(|| format!("cannot find the folder {}", path.display()))
    };
    let folders = std::iter::once(state).chain(options.rules.folders.iter().map(PathBuf::as_path));
    let rules = folders.map(absolute).collect::<Result<_>>()?;
    Ok(Order { gap_days: options.gap_days, shares: options.shares, rules, ..Order::new(options.job) })
}

fn words(passed: &Passed) -> String {
    let version = passed.sightings.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let changed =
        passed.changed.map_or_else(String::new, |changed| format!("; {changed} facts say something else now"));
    format!(
        "{}: {} shares of version {version}, {} partial rows, {} rows{changed}",
        passed.job.name(),
        passed.shares,
        passed.partial_rows,
        passed.rows
    )
}

fn job(text: &str) -> Result<Job, String> {
    let found = Job::ALL.into_iter().find(|job| job.name() == text);
    found.ok_or_else(|| format!("a pass is one of {}", Job::ALL.map(Job::name).join(", ")))
}
