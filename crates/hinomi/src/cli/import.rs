//! `hinomi import`: other tools' scans as sightings, source marked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use hinomi_model::Timestamp;
use hinomi_survey::{ImportReport, import};
use hinomi_wire::scans::shadowserver::report;
use hinomi_wire::scans::{Format, detect, read};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;

use super::rules::Folders;
use super::{Common, marking};
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// nmap XML (-oX), masscan JSON, XML, lists or binary files (-oJ, -oX, -oL, -oB), ZGrab2 JSON lines, downloads of
    /// Shodan, hosts of Censys, or reports of Shadowserver (CSV), also packed with zstd; the format is recognised.
    /// - reads from stdin.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The format, where it is not recognised: xml, masscan-json, masscan-list, masscan-binary, zgrab, shodan, censys,
    /// shadowserver, or shadowserver:REPORT, where the name of the file does not say which report it is.
    #[arg(long)]
    format: Option<String>,
    /// The time of records that carry none [default: when the file was last changed; from stdin there is none].
    #[arg(long)]
    time: Option<Timestamp>,
    #[command(flatten)]
    marking: marking::Options,
    #[command(flatten)]
    rules: Folders,
}

type Bytes = Box<dyn BufRead + Send>;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// What the format is recognised from, in bytes.
const START: u64 = 64 * 1024;

/// The formats that can be named.
const FORMATS: &[(&str, Format)] = &[
    ("xml", Format::Xml),
    ("masscan-json", Format::MasscanJson),
    ("masscan-list", Format::MasscanList),
    ("masscan-binary", Format::MasscanBinary),
    ("zgrab", Format::Zgrab),
    ("shodan", Format::Shodan),
    ("censys", Format::Censys),
    ("shadowserver", Format::Shadowserver(None)),
];

/// The largest window of zstd that is unpacked, as a power of two: 128 MiB, what `zstd` itself takes without being told.
const MAX_WINDOW_LOG: u32 = 27;

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    options.marking.marking()?;
    let lake = common.state()?.with_rules(&options.rules.folders).open_lake()?;
    let (mut cut_short, mut left_out) = (false, Vec::new());
    for path in &options.files {
        let named = || path.display().to_string();
        match prepare(path, options).with_context(named) {
            Ok(source) => {
                let report = import_source(source, options, lake.as_ref()).with_context(named)?;
                cut_short |= report.cut_short;
                show(common, path, &report)?;
            }
            Err(error) => left_out.push(error),
        }
    }
    end(left_out, options.files.len(), cut_short)
}

/// What could not be read does not keep the other files from being taken in, and is not forgotten.
fn end(mut left_out: Vec<anyhow::Error>, files: usize, cut_short: bool) -> Result<()> {
    match left_out.pop() {
        Some(error) if files == 1 => return Err(error),
        Some(last) => {
            let count = left_out.len() + 1;
            left_out.iter().chain([&last]).for_each(|error| output::talk(&format!("{error:#}")));
            bail!("{count} of {files} files were left out");
        }
        None => {}
    }
    ensure!(!cut_short, "a file ended before it should; what could be read was stored");
    Ok(())
}

fn import_source(source: Source, options: &Options, lake: &hinomi_lake::Lake) -> Result<ImportReport> {
    let Source { start, bytes, format, bar, changed } = source;
    let marking = options.marking.marking()?;
    let records = read(format, Cursor::new(start).chain(bytes));
    let report = import(records, options.time.or(changed), &marking, lake)?;
    bar.finish_and_clear();
    Ok(report)
}

/// Opens, unpacks, recognises.
fn prepare(path: &Path, options: &Options) -> Result<Source> {
    let (bytes, bar, changed) = open(path)?;
    let (start, bytes) = unpacked(bytes)?;
    let format = match &options.format {
        Some(name) => named_format(name)?,
        None => detect(&start).or(empty(&start, path)).context(
            "is not recognised: nmap XML, masscan JSON, XML, lists or binary files, ZGrab2 JSON lines, downloads of \
             Shodan, hosts of Censys and reports of Shadowserver are read; say which with --format",
        )?,
    };
    Ok(Source { start, bytes, format: with_report(format, path), bar, changed })
}

/// Which report of Shadowserver it is stands in the name of the file.
fn with_report(format: Format, path: &Path) -> Format {
    match format {
        Format::Shadowserver(None) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Format::Shadowserver(report::of_file(&name))
        }
        other => other,
    }
}

/// What is read, and what is known of it.
struct Source {
    /// The first bytes, which were looked at.
    start: Vec<u8>,
    bytes: Bytes,
    format: Format,
    bar: ProgressBar,
    /// When it was last changed; none of what is no file.
    changed: Option<Timestamp>,
}

fn open(path: &Path) -> Result<(Bytes, ProgressBar, Option<Timestamp>)> {
    if path == Path::new("-") {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let bytes = Box::new(BufReader::with_capacity(BUFFER, bar.wrap_read(io::stdin())));
        return Ok((bytes, bar, None));
    }
    let file = File::open(path).context("cannot be opened")?;
    let about = file.metadata().context("cannot be examined")?;
    ensure!(!about.is_dir(), "is a folder: name the files in it");
    let length = about.is_file().then_some(about.len());
    let changed = about.modified().ok().filter(|_| about.is_file()).map(|time| time::OffsetDateTime::from(time).into());
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let bytes = Box::new(BufReader::with_capacity(BUFFER, bar.wrap_read(file)));
    Ok((bytes, bar, changed))
}

/// The first bytes, and the rest; unpacked where it was packed with zstd.
fn unpacked(mut bytes: Bytes) -> Result<(Vec<u8>, Bytes)> {
    let start = start_of(&mut bytes)?;
    ensure!(
        !start.starts_with(&GZIP),
        "is packed with gzip, which is not unpacked here: gzip -dc FILE | hinomi import - --time TIME"
    );
    if !start.starts_with(&ZSTD) {
        return Ok((start, bytes));
    }
    let mut decoder = zstd::Decoder::with_buffer(Cursor::new(start).chain(bytes))?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    let mut bytes: Bytes = Box::new(BufReader::with_capacity(BUFFER, decoder));
    Ok((start_of(&mut bytes)?, bytes))
}

/// The first bytes. Where reading ends in an error behind some of them, the reader will meet it again and say where.
fn start_of(bytes: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    match bytes.by_ref().take(START).read_to_end(&mut start) {
        Err(error) if start.is_empty() => Err(error).context("cannot be read"),
        _ => Ok(start),
    }
}

/// masscan writes an empty file when it found nothing.
fn empty(start: &[u8], path: &Path) -> Option<Format> {
    if !start.is_empty() {
        return None;
    }
    output::talk(&format!("{} is empty, as masscan leaves it when it found nothing", path.display()));
    Some(Format::MasscanJson)
}

fn named_format(name: &str) -> Result<Format> {
    if let Some(which) = name.strip_prefix("shadowserver:") {
        let report =
            report::named(which).with_context(|| format!("{which:?} is no report of Shadowserver known here"))?;
        return Ok(Format::Shadowserver(Some(report)));
    }
    let names = || FORMATS.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
    let found = FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format);
    found.with_context(|| format!("{name:?} is not a format: {}, shadowserver:REPORT", names()))
}

fn show(common: &Common, path: &Path, report: &ImportReport) -> Result<()> {
    if common.json {
        return output::json(&json!({ "file": path, "report": report }));
    }
    let count = |count, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
    let other = count(report.infected, "of infected hosts") + &count(report.other, "of something else");
    output::line(&format!(
        "{}: {} records, {} sightings stored, {} known already, {} without an answer, {} unreadable{other}",
        path.display(),
        report.records,
        report.stored,
        report.repeated,
        report.unanswered,
        report.unreadable
    ))?;
    let reasons = report.other_by_reason.iter();
    reasons.for_each(|(reason, count)| output::talk(&format!("  {count} left out: {reason}")));
    report.complaints.iter().for_each(|complaint| output::talk(&format!("  {}", clean_line(complaint, 300))));
    Ok(())
}
