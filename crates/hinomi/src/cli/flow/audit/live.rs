//! Planted subscribers in a collector that runs: `hinomi flow collect`, started for this, fed as routers feed it.
//!
//! 0. Canaries are on the list of infected lines, and later others in their place.
//! 1. Canaries come in data sets whose template is not told yet: the collector holds them, and the search finds them.
//! 2. The templates come: what was held becomes flows of pseudonyms, and more canaries follow, whole and in halves.
//! 3. With a bus, their parcels wait there for workers: no canary stands in them. Then the workers start.
//! 4. Ordinary subscribers follow until the collector's ledger says that the canaries' keys are destroyed.
//! 5. Memory, folder and streams are searched; then the processes end, and what they leave is searched again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use hinomi_flow::audit::{CANARIES, Drill, PREFIXES};
use hinomi_flow::epoch::EpochLength;
use hinomi_flow::ledger::{self, Event};
use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_wire::flow::FlowRecord;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::super::bus::{Onlooker, Server};
use super::child::{Started, until};
use super::exporter::{Exporter, in_every_way};
use super::{Control, Life, Options, Place, Searched, Shown, Sought, When, drill};

/// The shortest epoch there is; a key outlives it by as much at most.
const EPOCH_SECONDS: u64 = 10;
/// How long anything that the audit waits for may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// A collector that was left alone ends by itself.
const LASTING: &str = "15m";
/// Partitions of the job over the bus.
const WORKERS: u32 = 2;
/// Domain of the data sets that come before their templates, and of the rest.
const DOMAINS: [u32; 2] = [1, 2];
/// Ordinary subscribers of a round, and rounds that follow the death of the keys.
const ORDINARY: u16 = 64;
const LAST_ROUNDS: u16 = 5;

pub(super) fn run(scratch: &Path, options: &Options, shown: &mut Shown) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = scratch.join("collector");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // Not in the folder that is searched: what an operator keeps is not the collector's.
    let lists = Lists { subscribers: scratch.join("subscribers.txt"), infected: scratch.join("infected.txt") };
    fs::write(&lists.subscribers, PREFIXES.join("\n")).with_context(|| lists.subscribers.display().to_string())?;
    let bus = options.url.as_ref().map(|url| Bus::open(url, options.bus_store.clone())).transpose()?;
    let drill = drill(SystemClock.now());
    let mut live = Live { runtime: &runtime, drill: &drill, folder, bus, shown, round: 0 };
    let outcome = live.run(&lists, options.leak);
    let removed = live.bus.take().map_or(Ok(()), |bus| bus.onlooker.remove());
    outcome.and(removed)
}

/// The streams of a job of the audit's own.
struct Bus {
    server: Server,
    onlooker: Onlooker,
    store: Option<PathBuf>,
}

impl Bus {
    fn open(url: &str, store: Option<PathBuf>) -> Result<Self> {
        let server = Server { url: url.to_owned(), name: format!("audit-{}", std::process::id()) };
        Ok(Self { onlooker: Onlooker::open(&server)?, server, store })
    }
}

/// What an operator gives to a collector.
struct Lists {
    subscribers: PathBuf,
    /// Canaries told as infected: a second way by which addresses come in.
    infected: PathBuf,
}

struct Live<'a> {
    runtime: &'a Runtime,
    drill: &'a Drill,
    folder: PathBuf,
    bus: Option<Bus>,
    shown: &'a mut Shown,
    round: u16,
}

impl Live<'_> {
    fn run(&mut self, lists: &Lists, leak: bool) -> Result<()> {
        self.streams_show_what_stands_in_them()?;
        let started = SystemClock.now();
        self.tell_infected(lists, |drill, number, now| drill.planted(number, now))?;
        let mut collector = self.collector(lists)?;
        let address = self.address(&mut collector)?;
        let mut exporter = Exporter::towards(self.runtime, address)?;
        self.hold(&mut exporter, &mut collector)?;
        if !leak {
            exporter.introduce(DOMAINS[0])?;
        }
        exporter.introduce(DOMAINS[1])?;
        exporter.tell(DOMAINS[1], &self.everyone())?;
        self.tell_infected(lists, |drill, number, now| drill.ordinary(number, now))?;
        let planted = SystemClock.now();
        let mut workers = self.workers(&mut collector)?;
        let epochs = self.outlive(&mut exporter, &mut collector, &mut workers, (started, planted))?;
        let core_dumps = collector.dumps_core()? || workers.iter().any(|each| each.dumps_core().unwrap_or(true));
        self.search(&collector, &workers)?;
        collector.end(self.runtime)?;
        workers.into_iter().try_for_each(|worker| worker.end(self.runtime))?;
        self.search_what_is_left()?;
        let (flows, seconds) = (self.status().inlet.flows, SystemClock.now().since(planted).as_secs());
        self.shown.life = Some(Life { flows, epochs, seconds, core_dumps });
        Ok(())
    }

    /// Every canary in each way in which a router tells a session.
    fn everyone(&self) -> Vec<FlowRecord> {
        let now = SystemClock.now();
        (0..2 * CANARIES).flat_map(|number| in_every_way(self.drill.planted(number, now))).collect()
    }

    /// Writes the list of infected lines anew; each new key is told of those in it.
    fn tell_infected(&self, lists: &Lists, of: impl Fn(&Drill, u16, Timestamp) -> FlowRecord) -> Result<()> {
        let line = |number| format!("{}\n", of(self.drill, number, SystemClock.now()).source);
        let text: String = (0..2 * CANARIES).map(line).collect();
        let new = lists.infected.with_extension("new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, &lists.infected)).context("the list of infected lines")
    }

    fn control(&mut self, place: Place, what: Sought, found: bool) {
        self.shown.controls.push(Control { place, what, found });
    }

    fn found(&mut self, place: Place, when: When, report: hinomi_flow::audit::Report) {
        self.shown.searched.push(Searched { place, when, report });
    }

    /// A canary planted in the streams is found there.
    fn streams_show_what_stands_in_them(&mut self) -> Result<()> {
        let Some(bus) = &self.bus else { return Ok(()) };
        let planted = self.drill.planted(1, SystemClock.now()).source;
        bus.onlooker.plant(planted.to_string().as_bytes())?;
        let report = self.drill.canaries().pieces(bus.onlooker.messages()?);
        bus.onlooker.clear()?;
        self.control(Place::Bus, Sought::Canaries, report.hits.len() == 2);
        Ok(())
    }

    fn collector(&self, lists: &Lists) -> Result<Started> {
        let (state, list, infected) = (text(&self.folder)?, text(&lists.subscribers)?, text(&lists.infected)?);
        let epoch = format!("{EPOCH_SECONDS}s");
        let mut arguments = vec!["flow", "collect", "--state", state, "--subscribers", list, "--json", "--searchable"];
        arguments.extend(["--listen", "127.0.0.1:0", "--clients", "1", "--for", LASTING]);
        arguments.extend(["--epoch", &epoch, "--score-every", "3s"]);
        arguments.extend(["--infected", infected, "--by", "the audit", "--legal-basis", "planted subscribers only"]);
        let partitions = WORKERS.to_string();
        let mut environment = Vec::new();
        if let Some(bus) = &self.bus {
            arguments.extend(["--partitions", &partitions, "--bus-name", &bus.server.name]);
            // Not an argument, which everybody on the machine may read.
            environment.push(("HINOMI_BUS", bus.server.url.as_str()));
        }
        Started::start("collector", &self.folder, &arguments, &environment)
    }

    /// Where it listens: its first line.
    fn address(&self, collector: &mut Started) -> Result<SocketAddr> {
        until(self.runtime, "the collector listens", PATIENCE, || {
            collector.is_alive()?;
            let said = collector.said();
            let first = said.lines().next().filter(|_| said.contains('\n')).unwrap_or_default();
            let told: Value = serde_json::from_str(first).unwrap_or_default();
            Ok(told["listening"][0].as_str().and_then(|address| address.parse().ok()))
        })
    }

    /// Canaries in data sets that wait for their template: they must be met in its memory.
    fn hold(&mut self, exporter: &mut Exporter<'_>, collector: &mut Started) -> Result<()> {
        exporter.tell(DOMAINS[0], &self.everyone())?;
        let drill = self.drill;
        let found = until(self.runtime, "canaries are met while they live", PATIENCE, || {
            collector.is_alive()?;
            let report = drill.canaries().memory(&collector.process()).context(HOW_TO_READ)?;
            Ok(report.is_unmistakable().then_some(true))
        });
        self.control(Place::Collector, Sought::Canaries, found?);
        Ok(())
    }

    /// With a bus: looks at the parcels that wait there, then starts those who take them.
    fn workers(&mut self, collector: &mut Started) -> Result<Vec<Started>> {
        let Some(bus) = &self.bus else { return Ok(Vec::new()) };
        let drill = self.drill;
        let waiting = until(self.runtime, "parcels wait on the bus", PATIENCE, || {
            collector.is_alive()?;
            let messages = bus.onlooker.messages()?;
            let copies =
                messages.iter().filter_map(|(name, bytes)| Some((name.clone(), Ok(bytes.as_ref().ok()?.clone()))));
            Ok(drill.servers().pieces(copies).is_unmistakable().then_some(messages))
        })?;
        let workers = (0..WORKERS).map(|partition| self.worker(bus, partition)).collect();
        self.control(Place::Bus, Sought::Servers, true);
        let report = self.drill.canaries().pieces(waiting);
        self.found(Place::Bus, When::Alive, report);
        workers
    }

    fn worker(&self, bus: &Bus, partition: u32) -> Result<Started> {
        let (number, name) = (partition.to_string(), &bus.server.name);
        let arguments = ["flow", "work", "--partition", &number, "--bus-name", name, "--json", "--searchable"];
        Started::start(&format!("worker-{number}"), &self.folder, &arguments, &[("HINOMI_BUS", &bus.server.url)])
    }

    /// Ordinary subscribers follow the canaries until the keys of these are destroyed, and a little longer. Tells the
    /// epochs of the canaries.
    fn outlive(
        &mut self,
        exporter: &mut Exporter<'_>,
        collector: &mut Started,
        workers: &mut [Started],
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<u32>> {
        let length = EpochLength::new(Duration::from_secs(EPOCH_SECONDS), Duration::ZERO)?;
        let epochs: Vec<u32> = (length.epoch_of(from)..=length.epoch_of(to)).collect();
        let (runtime, book) = (self.runtime, self.folder.join("flow").join(ledger::FILE_NAME));
        until(runtime, "the keys of the canaries are destroyed", PATIENCE, || {
            collector.is_alive()?;
            workers.iter_mut().try_for_each(Started::is_alive)?;
            self.ordinary(exporter)?;
            // A line that is being written is no line yet.
            let events = ledger::entries(&book).unwrap_or_default();
            Ok(is_over(&events.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), &epochs).then_some(()))
        })?;
        let mut left = LAST_ROUNDS;
        let before = self.status().inlet.flows;
        until(runtime, "ordinary subscribers follow", PATIENCE, || {
            collector.is_alive()?;
            self.ordinary(exporter)?;
            left = left.saturating_sub(1);
            Ok((left == 0 && self.status().inlet.flows > before).then_some(()))
        })?;
        Ok(epochs)
    }

    /// A round of subscribers whom nobody looks for.
    fn ordinary(&mut self, exporter: &mut Exporter<'_>) -> Result<()> {
        let (now, first) = (SystemClock.now(), self.round.wrapping_mul(2 * ORDINARY));
        let records =
            (0..2 * ORDINARY).flat_map(|number| in_every_way(self.drill.ordinary(first.wrapping_add(number), now)));
        exporter.tell(DOMAINS[1], &records.collect::<Vec<_>>())?;
        self.round = self.round.wrapping_add(1);
        // Data that wait for a template, which comes, take the place of those before them.
        exporter.introduce(DOMAINS[1])
    }

    /// All there is while the processes run, after the canaries' time.
    fn search(&mut self, collector: &Started, workers: &[Started]) -> Result<()> {
        let processes = std::iter::once((Place::Collector, collector));
        let partitions = (0..WORKERS).map(Place::Worker);
        for (place, process) in processes.chain(partitions.zip(workers)) {
            let report = self.drill.canaries().memory(&process.process()).context(HOW_TO_READ)?;
            let servers = self.drill.servers().memory(&process.process()).context(HOW_TO_READ)?;
            self.found(place.clone(), When::Over, report);
            self.control(place, Sought::Servers, servers.is_unmistakable());
        }
        let report = self.drill.canaries().folder(&self.folder)?;
        self.found(Place::CollectorDisk, When::Over, report);
        let Some(bus) = &self.bus else { return Ok(()) };
        let report = self.drill.canaries().pieces(bus.onlooker.messages()?);
        let store = bus.store.as_ref().map(|store| self.drill.canaries().folder(store)).transpose()?;
        self.found(Place::Bus, When::Over, report);
        if let Some(report) = store {
            self.found(Place::BusStore, When::Over, report);
        }
        Ok(())
    }

    /// What stays when the processes have ended; the same search of the folder finds a canary that is put there.
    fn search_what_is_left(&mut self) -> Result<()> {
        let report = self.drill.canaries().folder(&self.folder)?;
        let path = self.folder.join("control.txt");
        let planted = self.drill.planted(0, SystemClock.now()).source;
        fs::write(&path, format!("{planted}\n")).with_context(|| path.display().to_string())?;
        let found = self.drill.canaries().folder(&self.folder)?;
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
        self.found(Place::CollectorDisk, When::Ended, report);
        self.control(Place::CollectorDisk, Sought::Canaries, found.is_unmistakable());
        let Some(bus) = &self.bus else { return Ok(()) };
        let report = self.drill.canaries().pieces(bus.onlooker.messages()?);
        self.found(Place::Bus, When::Ended, report);
        Ok(())
    }

    fn status(&self) -> CollectorStatus {
        let text = fs::read_to_string(self.folder.join("flow/status.json")).unwrap_or_default();
        CollectorStatus::read(&text).unwrap_or_default()
    }
}

/// Whether the ledger has a death for each key of these epochs that it has a birth of, and of the last one at all.
fn is_over(events: &[Event], epochs: &[u32]) -> bool {
    let has = |wanted: &dyn Fn(u32) -> Event, epoch: u32| events.contains(&wanted(epoch));
    let born = |epoch| has(&|epoch| Event::KeyBorn { epoch }, epoch);
    let destroyed = |epoch| has(&|epoch| Event::KeyDestroyed { epoch }, epoch);
    epochs.iter().any(|epoch| born(*epoch)) && epochs.iter().all(|epoch| !born(*epoch) || destroyed(*epoch))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no text: choose another state folder", path.display()))
}

const HOW_TO_READ: &str = "the memory of the started process cannot be read: run the audit as the same user, on Linux with \
                           kernel.yama.ptrace_scope of 0 or 1, or as root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_over_when_each_key_that_was_born_is_destroyed() {
        let (born, destroyed) = (|epoch| Event::KeyBorn { epoch }, |epoch| Event::KeyDestroyed { epoch });
        assert!(!is_over(&[], &[4, 5]), "nothing was begun");
        assert!(!is_over(&[born(4), born(5), destroyed(4)], &[4, 5]));
        assert!(is_over(&[born(4), born(5), destroyed(4), born(6), destroyed(5)], &[4, 5]));
        assert!(is_over(&[born(5), destroyed(5)], &[4, 5]), "it was not there in the first");
    }
}
