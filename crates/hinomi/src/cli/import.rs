//! `hinomi import`: other tools' scans as sightings, source marked.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use hinomi_model::{Marking, Purpose, Timestamp};
use hinomi_survey::{ImportReport, import};
use hinomi_wire::scans::{Format, detect, read};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;

use super::Common;
use super::rules::Folders;
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// nmap XML (-oX), masscan JSON or XML (-oJ, -oX), or ZGrab2 JSON lines; the format is recognised.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The format, where it is not recognised: xml, masscan-json, zgrab.
    #[arg(long)]
    format: Option<String>,
    /// The time of records that carry none [default: when the file was last changed].
    #[arg(long)]
    time: Option<Timestamp>,
    #[command(flatten)]
    rules: Folders,
}

/// Bytes read at once; also how much the format is recognised from.
const BUFFER: usize = 256 * 1024;

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let lake = common.state()?.with_rules(&options.rules.folders).open_lake()?;
    let mut cut_short = false;
    for path in &options.files {
        let report = import_file(path, options, lake.as_ref()).with_context(|| format!("{}", path.display()))?;
        cut_short |= report.cut_short;
        show(common, path, &report)?;
    }
    match cut_short {
        false => Ok(()),
        true => bail!("a file ended before it should; what could be read was stored"),
    }
}

fn import_file(path: &Path, options: &Options, lake: &hinomi_lake::Lake) -> Result<ImportReport> {
    let file = File::open(path).context("cannot be opened")?;
    let about = file.metadata().context("cannot be examined")?;
    let changed = about.modified().map_or(Timestamp::from_micros(0), |time| time::OffsetDateTime::from(time).into());
    let bar = ProgressBar::with_draw_target(Some(about.len()), ProgressDrawTarget::stderr());
    let mut source = BufReader::with_capacity(BUFFER, bar.wrap_read(file));
    let format = match &options.format {
        Some(name) => named_format(name)?,
        None => detect(source.fill_buf().context("cannot be read")?).or(empty_is_masscan(about.len())).context(
            "is not recognised: nmap XML, masscan JSON or XML, or ZGrab2 JSON lines are read; say which with --format",
        )?,
    };
    let marking = Marking::own(Purpose::ExposureReduction);
    let report = import(read(format, source), options.time.unwrap_or(changed), &marking, lake)?;
    bar.finish_and_clear();
    Ok(report)
}

/// masscan writes an empty file when it found nothing.
fn empty_is_masscan(length: u64) -> Option<Format> {
    (length == 0).then_some(Format::MasscanJson)
}

fn named_format(name: &str) -> Result<Format> {
    match name {
        "xml" => Ok(Format::Xml),
        "masscan-json" => Ok(Format::MasscanJson),
        "zgrab" => Ok(Format::Zgrab),
        _ => bail!("{name:?} is not a format: xml, masscan-json, zgrab"),
    }
}

fn show(common: &Common, path: &Path, report: &ImportReport) -> Result<()> {
    if common.json {
        return output::json(&json!({ "file": path, "report": report }));
    }
    output::line(&format!(
        "{}: {} records, {} sightings stored, {} known already, {} without an answer, {} unreadable",
        path.display(),
        report.records,
        report.stored,
        report.repeated,
        report.unanswered,
        report.unreadable
    ))?;
    report.complaints.iter().for_each(|complaint| output::talk(&format!("  {}", clean_line(complaint, 300))));
    Ok(())
}
