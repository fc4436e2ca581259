//! The path within this process: inlet, pairs and servers, with keys, a clock and a ledger of the drill's own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use hinomi_flow::audit::{CANARIES, Drill, PREFIXES};
use hinomi_flow::epoch::{EpochLength, Keys};
use hinomi_flow::inlet::Inlet;
use hinomi_flow::ledger::{Event, Ledger};
use hinomi_flow::pair::{PairConfig, Pairs};
use hinomi_flow::server::{ServerConfig, Servers};
use hinomi_flow::subscribers::Subscribers;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_wire::flow::FlowRecord;

use super::{Control, Place, Searched, Shown, Sought, When, drill};

/// Length of an epoch, by the drill's own clock.
const EPOCH: Duration = Duration::from_secs(600);
/// How long a key outlives its epoch.
const GRACE: Duration = Duration::from_secs(60);
/// Epochs that pass: planted subscribers in the first, others after them.
pub(super) const EPOCHS: u16 = 5;

pub(super) fn run(folder: &Path, scratch: &Path, leak: bool, shown: &mut Shown) -> Result<()> {
    let now = SystemClock.now();
    let drill = drill(now);
    let mut way = Way::new(scratch, now)?;
    let kept = way.live(&drill, now, leak)?;
    let own = Path::new("/proc/self");
    let reports = [(Place::Own, drill.memory(own)?), (Place::Disk, drill.folder(folder)?)];
    shown.searched.extend(reports.map(|(place, report)| Searched { place, when: When::Over, report }));
    let found = drill.servers().memory(own)?.is_unmistakable();
    shown.controls.push(Control { place: Place::Own, what: Sought::Servers, found });
    // Kept addresses and the servers must live until here.
    shown.kept = std::hint::black_box(kept).len();
    drop(std::hint::black_box(way));
    Ok(())
}

/// The real path from record to server.
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
