//! `hinomi flow audit`: planted subscribers pass through the real path, and afterwards no byte of them is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use hinomi_flow::audit::{CANARIES, Drill, PREFIXES, Report, Verdict};
use hinomi_flow::epoch::{EpochLength, Keys};
use hinomi_flow::inlet::Inlet;
use hinomi_flow::ledger::{Event, Ledger};
use hinomi_flow::pair::{PairConfig, Pairs};
use hinomi_flow::server::{ServerConfig, Servers};
use hinomi_flow::subscribers::Subscribers;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_wire::flow::FlowRecord;
use serde_json::{Value, json};

use crate::cli::Common;
use crate::output;
use crate::witness;

/// Length of an epoch in the drill, by the drill's own clock.
const EPOCH: Duration = Duration::from_secs(600);
/// How long a key outlives its epoch in it.
const GRACE: Duration = Duration::from_secs(60);
/// Epochs that pass: planted subscribers in the first, others after them.
const EPOCHS: u16 = 5;
/// Places with a trace that are listed.
const MAX_LISTED: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep the addresses on purpose, to see that the search finds them.
    #[arg(long)]
    leak: bool,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    let folder = state.make()?.join("flow");
    let scratch = Scratch::make(&folder)?;
    let now = SystemClock.now();
    let drill = Drill::new(rand_seed(now));
    let mut way = Way::new(&scratch.0, now)?;
    let kept = way.live(&drill, now, options.leak)?;
    let reports = [("memory", drill.memory(Path::new("/proc/self"))?), ("disk", drill.folder(&folder)?)];
    // Kept addresses must live until here.
    let kept = std::hint::black_box(kept).len();
    drop(way);
    let canaries = u64::from(CANARIES) * 2;
    let found: u64 = reports.iter().map(|(_, report)| report.hits.len() as u64 + report.more_hits).sum();
    if !options.leak {
        let found = if clean(&reports) { 0 } else { found };
        let now = SystemClock.now();
        Ledger::open(&witness::ledger_path(state.dir()), now)?.append(now, Event::Audited { canaries, found })?;
    }
    tell(common, &reports, canaries, kept)?;
    ensure!(clean(&reports), "traces of planted subscribers were found, or something could not be searched");
    Ok(())
}

fn clean(reports: &[(&str, Report)]) -> bool {
    reports.iter().all(|(_, report)| report.verdict() == Verdict::Clean)
}

/// A seed nobody could have prepared for: time, process, and where the system put this process.
fn rand_seed(now: Timestamp) -> [u8; 32] {
    let here = 0_u8;
    let parts = format!("{} {} {:p}", now.as_micros(), std::process::id(), &raw const here);
    <hinomi_flow::ledger::Sha256 as hinomi_model::merkle::TreeHash>::hash(&[parts.as_bytes()])
}

fn tell(common: &Common, reports: &[(&str, Report)], canaries: u64, kept: usize) -> Result<()> {
    if common.json {
        let places: Vec<Value> = reports.iter().map(|(name, report)| as_json(name, report)).collect();
        return output::json(&json!({ "canaries": canaries, "kept_on_purpose": kept, "searched": places }));
    }
    output::line(&format!(
        "{canaries} planted subscribers passed through inlet, pairs and servers; {EPOCHS} epochs later:"
    ))?;
    for (name, report) in reports {
        let verdict = match report.verdict() {
            Verdict::Clean => "no trace",
            Verdict::Incomplete => "no trace, but not everything could be read",
            Verdict::Found => "TRACES",
        };
        let chance =
            format!("four bare bytes met {} times, {} by pure chance", report.planted_v4_met, report.control_v4_met);
        output::line(&format!("{name}: {verdict} in {} places, {} bytes ({chance})", report.places, report.bytes))?;
        for hit in report.hits.iter().filter(|_| report.verdict() == Verdict::Found).take(MAX_LISTED) {
            let place = output::clean_line(&hit.place, 200);
            output::line(&format!("  canary {} as {:?} at {place}, {}", hit.canary, hit.form, hit.offset))?;
        }
        report
            .unread
            .iter()
            .take(MAX_LISTED)
            .for_each(|place| output::talk(&format!("not read: {}", output::clean_line(place, 200))));
    }
    Ok(())
}

fn as_json(name: &str, report: &Report) -> Value {
    json!({
        "where": name,
        "verdict": format!("{:?}", report.verdict()).to_lowercase(),
        "places": report.places,
        "bytes": report.bytes,
        "hits": report.hits.len() as u64 + report.more_hits,
        "bare_v4_planted": report.planted_v4_met,
        "bare_v4_control": report.control_v4_met,
        "unread": report.unread,
    })
}

/// A folder for what the drill itself writes, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("drill-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The real path from record to server, with keys and a ledger of its own.
struct Way {
    keys: Keys,
    inlet: Inlet,
    pairs: Pairs,
    servers: Servers,
    ledger: Ledger,
}

impl Way {
    fn new(folder: &Path, now: Timestamp) -> Result<Self> {
        let subscribers = Subscribers::read(&PREFIXES.join("\n"))?;
        let config = ServerConfig { clients_to_admit: 1, epochs_kept: 2, ..ServerConfig::default() };
        Ok(Self {
            keys: Keys::new(EpochLength::new(EPOCH, GRACE)?),
            inlet: Inlet::new(Arc::new(subscribers)),
            pairs: Pairs::new(PairConfig::default()),
            servers: Servers::new(config),
            ledger: Ledger::open(&folder.join("ledger.jsonl"), now)?,
        })
    }

    /// Planted subscribers, then what follows in life: others, and the end of their epochs. Gives the addresses that
    /// were kept on purpose.
    fn live(&mut self, drill: &Drill, start: Timestamp, leak: bool) -> Result<Vec<std::net::IpAddr>> {
        let (mut now, mut kept) = (start, Vec::new());
        self.advance(now)?;
        for round in 0..EPOCHS {
            for number in 0..2 * CANARIES {
                let number = round * 1_000 + number;
                let record = if round == 0 { drill.planted(number, now) } else { drill.ordinary(number, now) };
                self.take(&record, now);
                if leak {
                    kept.push(record.source);
                }
            }
            ensure!(self.servers.counts().flows > 0, "no planted flow arrived: the drill would show nothing");
            now = now.plus(EPOCH);
            self.advance(now)?;
        }
        Ok(kept)
    }

    fn advance(&mut self, now: Timestamp) -> Result<()> {
        for event in self.keys.advance(now)? {
            self.ledger.append(now, Event::from(event))?;
        }
        self.servers.advance(self.keys.current_epoch());
        Ok(())
    }

    /// Each record both whole and as two halves, so that halves wait in the table too.
    fn take(&mut self, record: &FlowRecord, now: Timestamp) {
        let mut ready = Vec::new();
        for half in [*record, FlowRecord { reverse: None, ..*record }] {
            if let Ok(flow) = self.inlet.take(&self.keys, &half) {
                self.pairs.take(flow, now, &mut ready);
            }
        }
        ready.iter().for_each(|flow| self.servers.take(flow));
    }
}
