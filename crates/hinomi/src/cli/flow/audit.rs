//! `hinomi flow audit`: planted subscribers pass through, and afterwards no byte of them is left.
//!
//! ```text
//!   Inside: inlet, pairs and servers in this process, by a clock of the drill's own -> this memory, flow/ on disk
//!   Live:   flow collect (and flow work, over a bus) started for it, real datagrams, ten-second epochs
//!             -> their memory, their folder, the streams of the bus
//! ```
//!
//! Each search is shown to find what is there: canaries while they live, and the servers they met ([`Control`]).

mod child;
mod exporter;
mod inside;
mod live;
mod told;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hinomi_flow::audit::{CANARIES, Drill, Report, Verdict};
use hinomi_flow::ledger::{AuditOutcome, Event, Ledger};
use hinomi_model::{Clock, SystemClock, Timestamp};

use crate::cli::Common;
use crate::limits;
use crate::witness;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep the addresses on purpose, to see that the search finds them.
    #[arg(long)]
    leak: bool,
    /// Only the path within this process: no collector is started.
    #[arg(long, conflicts_with = "bus")]
    quick: bool,
    /// Also with two workers, over this NATS server with JetStream; the audit has streams of its own there.
    #[arg(id = "bus", long = "bus", value_name = "URL", env = "HINOMI_BUS", hide_env_values = true)]
    url: Option<String>,
    /// Also search the folder in which that server keeps its streams.
    #[arg(long, value_name = "DIR", requires = "bus")]
    bus_store: Option<PathBuf>,
    /// In Japanese.
    #[arg(long)]
    japanese: bool,
}

/// A place in which something was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// This process.
    Own,
    /// The state folder.
    Disk,
    /// The collector that was started.
    Collector,
    /// What it writes.
    CollectorDisk,
    /// One that was started, by its partition.
    Worker(u32),
    /// The streams.
    Bus,
    /// The folder of the bus's server.
    BusStore,
}

/// When it was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// While their key lived.
    Alive,
    /// After that.
    Over,
    /// After the processes had ended.
    Ended,
}

/// A search that shall find nothing.
struct Searched {
    place: Place,
    when: When,
    report: Report,
}

/// A search that must find something, so that finding nothing means something.
struct Control {
    place: Place,
    what: Sought,
    found: bool,
}

/// What a control looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sought {
    /// Planted subscribers.
    Canaries,
    /// The servers they met, which may stay.
    Servers,
}

/// All that an audit showed.
#[derive(Default)]
struct Shown {
    searched: Vec<Searched>,
    controls: Vec<Control>,
    /// Addresses kept within this process on purpose.
    kept: usize,
    /// What the started collector went through.
    life: Option<Life>,
}

/// The life of the canaries in the started collector.
struct Life {
    /// Flows that it made of what it was sent.
    flows: u64,
    /// The epochs of the canaries, whose keys the collector's ledger says are destroyed.
    epochs: Vec<u32>,
    seconds: u64,
    /// Whether the system writes core dumps of the processes.
    core_dumps: bool,
}

impl Shown {
    fn is_clean(&self) -> bool {
        self.searched.iter().all(|searched| searched.report.verdict() == Verdict::Clean) && self.can_search()
    }

    /// Whether every control found what it must, and no process may leave its memory in a file.
    fn can_search(&self) -> bool {
        self.controls.iter().all(|control| control.found) && self.life.as_ref().is_none_or(|life| !life.core_dumps)
    }

    /// What the ledger is told. One that failed on its way may have searched in too few places, or in none.
    fn outcome(&self, has_failed: bool) -> AuditOutcome {
        if self.searched.iter().any(|searched| searched.report.verdict() == Verdict::Found) {
            AuditOutcome::Found
        } else if has_failed || self.searched.is_empty() || !self.is_clean() {
            AuditOutcome::ShowedNothing
        } else {
            AuditOutcome::Clean
        }
    }

    fn hits(&self) -> u64 {
        self.searched.iter().map(|each| each.report.hits.len() as u64 + each.report.more_hits).sum()
    }
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    limits::no_core_dumps()?;
    let state = common.state()?;
    let folder = state.make()?.join("flow");
    let scratch = Scratch::make(&folder)?;
    let mut shown = Shown::default();
    // First, and with canaries of its own: what follows keeps addresses in this process, as exporters do.
    let mut ran = inside::run(&folder, &scratch.0, options.leak, &mut shown);
    if ran.is_ok() && !options.quick {
        ran = live::run(&scratch.0, options, &mut shown);
    }
    let canaries = u64::from(CANARIES) * 2 * if options.quick { 1 } else { 2 };
    if !options.leak {
        let outcome = shown.outcome(ran.is_err());
        let found = if outcome == AuditOutcome::Found { shown.hits() } else { 0 };
        let (now, event) = (SystemClock.now(), Event::Audited { canaries, found, outcome: Some(outcome) });
        Ledger::open(&witness::ledger_path(state.dir()), now)?.append(now, event)?;
    }
    ran?;
    told::tell(common.json, options.japanese, canaries, &shown)?;
    ensure!(shown.can_search(), "a search did not find what is there: it shows nothing");
    ensure!(shown.is_clean(), "traces of planted subscribers were found, or something could not be searched");
    Ok(())
}

/// Canaries that nobody could have prepared for: time, process, and where the system put this process.
fn drill(now: Timestamp) -> Drill {
    let here = 0_u8;
    let parts = format!("{} {} {:p}", now.as_micros(), std::process::id(), &raw const here);
    Drill::new(<hinomi_flow::ledger::Sha256 as hinomi_model::merkle::TreeHash>::hash(&[parts.as_bytes()]))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(report: Report, control: bool) -> Shown {
        let searched = vec![Searched { place: Place::Own, when: When::Over, report }];
        let controls = vec![Control { place: Place::Own, what: Sought::Canaries, found: control }];
        Shown { searched, controls, ..Shown::default() }
    }

    #[test]
    fn only_an_audit_that_could_find_something_is_recorded_as_clean() {
        let read = Report { places: 1, bytes: 4_096, ..Report::default() };
        let unread = Report { unread: vec!["a place".to_owned()], ..read.clone() };
        let trace = Report { planted_v4_met: 64, ..read.clone() };
        assert_eq!(shown(read.clone(), true).outcome(false), AuditOutcome::Clean);
        assert_eq!(shown(trace.clone(), true).outcome(false), AuditOutcome::Found);
        // A trace is one, whatever failed besides.
        assert_eq!(shown(trace, false).outcome(true), AuditOutcome::Found);
        for (report, control, failed) in [(read.clone(), false, false), (read, true, true), (unread, true, false)] {
            assert_eq!(shown(report, control).outcome(failed), AuditOutcome::ShowedNothing, "{control} {failed}");
        }
        assert_eq!(Shown::default().outcome(false), AuditOutcome::ShowedNothing, "nothing was searched");
    }
}
