//! `hinomi flow collect`: flows in, by sockets, from interfaces or from files; findings, ledger and status out.
//!
//! ```text
//!   options + lists -> Job (sockets) or Live (files) -> Books: journal, ledger, status.json, lines on stdout
//! ```

mod books;
pub(super) mod door;
mod lists;
mod rules;
pub(super) mod told;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use hinomi_flow::epoch::EpochLength;
use hinomi_flow::live::{Job, Kind, Live, Order, PATIENCE, Part, Recorder, Scored, Sockets};
use hinomi_flow::own::OwnDesk;
use hinomi_flow::subscribers::Subscribers;
use hinomi_model::cnc::status::{CollectorStatus, FileStatus};
use hinomi_model::{SystemClock, Timestamp};
use hinomi_wire::flow::Limits;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::super::Common;
use crate::limits::Memory;
use crate::output;
use books::Books;
use door::Door;
use lists::Loaded;
use rules::Rule;

/// Where exporters are expected by default: this machine alone.
const LISTEN: &str = "127.0.0.1:2055";
/// Bytes of a file that are read at once.
const BUFFER: usize = 256 * 1_024;
/// Said of a collector whose memory is not closed.
const OPEN: &str = "other processes of this user may read the collector's memory";
/// The longest grace of a key after its epoch.
const GRACE: Duration = Duration::from_secs(3_600);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Whose lines the flows are of: a file with one prefix a line.
    #[arg(long, value_name = "FILE")]
    subscribers: PathBuf,
    /// Listen here for NetFlow v5 and v9, IPFIX and sFlow by UDP, and IPFIX by TCP; may be repeated. By default only
    /// this machine is heard: name an address of yours to hear exporters [default: 127.0.0.1:2055].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Watch this network interface: its packets become flows, for a small network; may be repeated. Nothing is listened
    /// to then unless --listen is given too. Needs root or the capability CAP_NET_RAW.
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// Receivers a listening address has; exporters are spread over them.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    receivers: u16,
    /// Read files instead: captures of exports or of plain packets (pcap, pcapng), nfdump, IPFIX, Parquet, Zeek
    /// conn.log, Argus CSV; unpacked. - reads from stdin.
    #[arg(long, value_name = "FILE", num_args = 1..,
          conflicts_with_all = ["listen", "interface", "receivers", "lasting"])]
    read: Vec<PathBuf>,
    /// End after so long, as 90s, 15m, 24h or 7d.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasting: Option<Duration>,
    /// How often to score.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    score_every: Duration,
    /// How long a pseudonym lives.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
    epoch: Duration,
    #[command(flatten)]
    lists: lists::Lists,
    #[command(flatten)]
    memory: Memory,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    options.memory.guard()?;
    let subscribers = Arc::new(subscribers(&options.subscribers)?);
    let epochs = EpochLength::new(options.epoch, GRACE)?;
    let loaded = options.lists.load()?;
    let mut books = Books::open(common, &options.lists, rules(options, &subscribers, &loaded))?;
    let run = Run { options, subscribers, epochs, loaded };
    let told = if options.read.is_empty() { listen(common, run, &mut books) } else { replay(run, &mut books) };
    books.close()?;
    let (status, scored) = told?;
    told::summary(common, &status, &scored)
}

/// What a run goes by.
struct Run<'a> {
    options: &'a Options,
    subscribers: Arc<Subscribers>,
    epochs: EpochLength,
    loaded: Loaded,
}

/// Everything that makes findings others, for the ledger.
fn rules(options: &Options, subscribers: &Subscribers, loaded: &Loaded) -> Vec<Rule> {
    let (v4, v6) = subscribers.ranges();
    let (epoch, grace) = (options.epoch.as_secs(), GRACE.min(options.epoch).as_secs());
    let own = [
        Rule::new("program", env!("CARGO_PKG_VERSION")),
        Rule::new("subscribers", format!("{v4} ranges of IPv4, {v6} of IPv6")),
        Rule::new("epoch", format!("{epoch} s, and {grace} s of grace")),
        Rule::new("memory", if options.memory.searchable { OPEN } else { "closed to other processes" }),
    ];
    own.into_iter().chain(options.lists.rules(loaded, !options.read.is_empty())).collect()
}

/// Sockets, until somebody says that it is enough.
fn listen(common: &Common, run: Run<'_>, books: &mut Books) -> Result<(CollectorStatus, Scored)> {
    let Run { options, subscribers, epochs, loaded } = run;
    let stop = Arc::new(AtomicBool::new(false));
    // Before anything is said: who asks to stop at once is heard too.
    stop_when_asked(&stop, "stopping: what has arrived is taken in and scored")?;
    let sockets = Sockets::bind(&addresses(options)?, usize::from(options.receivers))?.watch(&options.interface)?;
    told::listening(common, &sockets)?;
    // The door goes with the job: nobody asks where nobody answers.
    let (own, _door) = own_desk(common, books)?.unzip();
    let job = Job {
        sockets,
        subscribers,
        local_remotes: options.lists.local_remotes,
        epochs,
        limits: Limits::default(),
        analysis: options.lists.analysis(&loaded, false, books.held()?)?,
        score_every: options.score_every,
        lasting: options.lasting,
        own,
    };
    drop(loaded);
    Ok(job.run(&SystemClock, &stop, books)?)
}

/// Where it listens. Who names an interface and no address wants that interface alone.
fn addresses(options: &Options) -> Result<Vec<SocketAddr>> {
    if options.listen.is_empty() && options.interface.is_empty() {
        return Ok(vec![LISTEN.parse()?]);
    }
    Ok(options.listen.clone())
}

/// Who answers about own lines, and the door to it; none while that switch is off.
fn own_desk(common: &Common, books: &Books) -> Result<Option<(OwnDesk, Door)>> {
    let Some(basis) = books.own_basis() else { return Ok(None) };
    let (desk, asks) = OwnDesk::open(basis, common.state()?.dir())?;
    Ok(Some((desk, Door::open(books.folder(), asks)?)))
}

/// Ctrl-C and SIGTERM set the flag; the thread that listens for them ends with the process.
pub(super) fn stop_when_asked(stop: &Arc<AtomicBool>, words: &'static str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the signals cannot be listened for")?;
    let asked = {
        let _inside = runtime.enter();
        crate::watch::asked_to_stop()
    };
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        runtime.block_on(asked);
        output::talk(words);
        stop.store(true, Ordering::Relaxed);
        // Asked twice: it is enough.
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            std::process::exit(crate::watch::INTERRUPTED);
        }
    });
    Ok(())
}

/// Files, one after another.
fn replay(run: Run<'_>, books: &mut Books) -> Result<(CollectorStatus, Scored)> {
    let Run { options, subscribers, epochs, loaded } = run;
    let analysis = options.lists.analysis(&loaded, true, books.held()?)?;
    drop(loaded);
    let mut live = Live::new(subscribers, options.lists.local_remotes, epochs, analysis);
    let (mut order, mut all, mut files) = (Order::default(), Part::default(), Vec::new());
    if options.read.iter().any(|path| is_pipe(path)) {
        order = order.with_patience(PATIENCE);
    }
    for path in &options.read {
        let (file, part) = read(path, &mut live, &mut order, books)?;
        if let Some(ended) = &file.ended {
            output::talk(&format!("{}: {}", path.display(), output::clean_line(ended, 300)));
        }
        if file.records == 0 {
            told::left_out(path, &file.left_out);
        }
        all.add(&part);
        files.push(file);
    }
    live.drain(&mut order, books)?;
    let records: u64 = files.iter().map(|file| file.records).sum();
    ensure!(records > 0, "no flow could be read; packed files must be unpacked first (gzip -dc FILE | ... --read -)");
    let scored = live.end(live.status(&all, true).loss, books)?;
    let status = CollectorStatus { files, ..live.status(&all, false) };
    books.status(&status)?;
    Ok((status, scored))
}

/// What may be silent for long, and cannot be read twice.
fn is_pipe(path: &Path) -> bool {
    path == Path::new("-") || std::fs::metadata(path).is_ok_and(|about| !about.is_file())
}

/// One file, or what comes by a pipe.
fn read(path: &Path, live: &mut Live, order: &mut Order, books: &mut Books) -> Result<(FileStatus, Part)> {
    let name = path.display().to_string();
    if path == Path::new("-") {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let read = live.read_pipe(&name, bar.wrap_read(io::stdin()), order, &SystemClock, books);
        bar.finish_and_clear();
        return Ok(read?);
    }
    let (file, bar) = open(path).context(name.clone())?;
    let read = if is_pipe(path) {
        live.read_pipe(&name, bar.wrap_read(file), order, &SystemClock, books)
    } else {
        let mut source = BufReader::with_capacity(BUFFER, bar.wrap_read(&file));
        match Kind::of(source.fill_buf().context(name.clone())?) {
            Kind::Parquet => {
                drop(source);
                live.read_parquet(&name, file, order, &SystemClock, books)
            }
            _ => live.read(&name, source, order, &SystemClock, books),
        }
    };
    bar.finish_and_clear();
    Ok(read?)
}

fn open(path: &Path) -> Result<(File, ProgressBar)> {
    let file = File::open(path).context("cannot be opened")?;
    let about = file.metadata().context("cannot be examined")?;
    ensure!(!about.is_dir(), "is a folder: name the files in it");
    let bar = ProgressBar::with_draw_target(about.is_file().then_some(about.len()), ProgressDrawTarget::stderr());
    Ok((file, bar))
}

fn subscribers(path: &Path) -> Result<Subscribers> {
    let text = lists::text(path)?;
    Subscribers::read(&text).with_context(|| path.display().to_string())
}

/// A whole number with s, m, h or d; seconds without.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration like 90s, 15m, 24h or 7d");
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3_600,
        Some("d") => 86_400,
        _ => return Err(wrong()),
    };
    let total = number.checked_mul(seconds).filter(|total| *total > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(total))
}

/// The present, for what is recorded.
fn now() -> Timestamp {
    hinomi_model::Clock::now(&SystemClock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(
            (seconds("90"), seconds("15m"), seconds("24h"), seconds("7d")),
            (Ok(90), Ok(900), Ok(86_400), Ok(604_800))
        );
        for wrong in ["", "s", "0s", "-1s", "1w", "5ms", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
