//! The auditor's drill over the real path: inlet, pairs, servers, ledger, in a process of its own: what other tests
//! keep in memory would be searched as well.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinomi_flow::audit::{CANARIES, Drill, PREFIXES, SERVERS, Verdict};
use hinomi_flow::epoch::{EpochLength, Keys};
use hinomi_flow::inlet::Inlet;
use hinomi_flow::ledger::{Event, Ledger};
use hinomi_flow::pair::{PairConfig, Pairs};
use hinomi_flow::server::{ServerConfig, Servers};
use hinomi_flow::subscribers::Subscribers;
use hinomi_model::Timestamp;
use hinomi_wire::flow::FlowRecord;

const START: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// One drill at a time: each searches the memory in which the other would work.
static ALONE: Mutex<()> = Mutex::new(());

struct Way {
    keys: Keys,
    inlet: Inlet,
    pairs: Pairs,
    servers: Servers,
    ledger: Ledger,
}

impl Way {
    fn new(folder: &Path) -> Self {
        let subscribers = Subscribers::read(&PREFIXES.join("\n")).expect("a list");
        let config = ServerConfig { clients_to_admit: 1, epochs_kept: 2, ..ServerConfig::default() };
        Self {
            keys: Keys::new(EpochLength::new(MINUTE * 10, MINUTE).expect("a length")),
            inlet: Inlet::new(Arc::new(subscribers)),
            pairs: Pairs::new(PairConfig::default()),
            servers: Servers::new(config),
            ledger: Ledger::open(&folder.join("ledger.jsonl"), START).expect("opens"),
        }
    }

    fn advance(&mut self, now: Timestamp) {
        for event in self.keys.advance(now).expect("locked") {
            self.ledger.append(now, Event::from(event)).expect("written");
        }
        self.servers.advance(self.keys.current_epoch());
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

/// One subscriber's record goes its way. Planted and ordinary ones take the same, so that these write over what those
/// left on the stack: the last record that a collector read stays there until the next comes.
fn meet(way: &mut Way, drill: &Drill, planted: bool, number: u16, now: Timestamp) -> IpAddr {
    let record = if planted { drill.planted(number, now) } else { drill.ordinary(number, now) };
    way.take(&record, now);
    record.source
}

/// Planted subscribers, then what follows in life: others, and the end of two epochs.
fn live(way: &mut Way, drill: &Drill, mut leak: impl FnMut(IpAddr)) {
    way.advance(START);
    let mut now = START;
    for round in 0..5_u16 {
        for number in 0..2 * CANARIES {
            leak(meet(way, drill, round == 0, round * 1_000 + number, now));
        }
        if round == 0 {
            assert_eq!(way.inlet.counts().flows, 4 * u64::from(CANARIES));
            assert_eq!(way.servers.len(), 1 + usize::from(SERVERS), "one of IPv4, others of IPv6");
        }
        now = now.plus(MINUTE * 10);
        way.advance(now);
    }
}

#[test]
fn after_their_lifetime_no_byte_of_planted_subscribers_is_left() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let drill = Drill::new([41; 32]);
    let mut way = Way::new(folder.path());
    live(&mut way, &drill, |_| {});
    let memory = drill.memory(Path::new("/proc/self")).expect("read");
    assert_eq!(memory.verdict(), Verdict::Clean, "{:?} {:?}", memory.hits, memory.unread);
    let disk = drill.folder(folder.path()).expect("read");
    assert_eq!(disk.verdict(), Verdict::Clean, "{:?}", disk.hits);
    assert!(disk.bytes > 0, "the ledger was read");
    assert!(way.servers.counts().flows > 0);
    let servers = drill.servers().memory(Path::new("/proc/self")).expect("read");
    assert!(servers.is_unmistakable(), "the same search finds what is there");
}

#[test]
fn a_path_that_keeps_addresses_is_caught() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let drill = Drill::new([42; 32]);
    let mut way = Way::new(folder.path());
    let mut kept: Vec<IpAddr> = Vec::new();
    let log = folder.path().join("debug.log");
    live(&mut way, &drill, |address| kept.push(address));
    std::fs::write(&log, format!("met {}", kept.first().expect("one"))).expect("written");
    assert_eq!(drill.memory(Path::new("/proc/self")).expect("read").verdict(), Verdict::Found);
    let disk = drill.folder(folder.path()).expect("read");
    assert_eq!(disk.verdict(), Verdict::Found);
    assert!(disk.hits.iter().all(|hit| hit.place.ends_with("debug.log")));
    assert_eq!(std::hint::black_box(kept).len(), 10 * usize::from(CANARIES));
}
