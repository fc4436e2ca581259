//! Pipes that fall silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};

use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::{Clock, Timestamp};

use super::*;
use crate::detect::detection::Detection;
use crate::epoch::{EpochLength, KeyEvent};
use crate::error::FlowError;
use crate::export::Gate;
use crate::finding::Held;
use crate::live::{AnalysisConfig, Live, Order, Part, Recorder, Scored};
use crate::pair::PairConfig;
use crate::server::ServerConfig;
use crate::subscribers::Subscribers;
use crate::suppress::Knowledge;

const LINE: &str = "{\"ts\":1763769600.5,\"id.orig_h\":\"10.1.2.3\",\"id.orig_p\":40000,\"id.resp_h\":\"203.0.113.4\",\
                    \"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":1.5,\"orig_pkts\":3,\"orig_ip_bytes\":300}\n";

/// When that line has ended.
const ENDED: Timestamp = Timestamp::from_micros(1_763_769_602_000_000);

/// Goes on by so many seconds each time that it is asked.
struct Hurried(AtomicI64, i64);

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(self.1 * 1_000_000, Ordering::Relaxed))
    }
}

const fn hurried(step_s: i64) -> Hurried {
    Hurried(AtomicI64::new(1_763_800_000_000_000), step_s)
}

/// Something, and then nothing until somebody says that it may end.
struct Silent {
    line: io::Cursor<Vec<u8>>,
    end: Receiver<()>,
}

impl io::Read for Silent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.line.read(buffer)?;
        if count == 0 {
            // Who never lets go makes the test fail, not hang.
            self.end.recv_timeout(Duration::from_secs(60)).map_err(io::Error::other)?;
        }
        Ok(count)
    }
}

/// Says when the first key is made: a record has left the window.
struct Watcher(Sender<()>);

impl Recorder for Watcher {
    fn keys(&mut self, _: Timestamp, _: &[KeyEvent]) -> io::Result<()> {
        let _ = self.0.send(());
        Ok(())
    }

    fn deleted(&mut self, _: Timestamp, _: &str, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn scored(&mut self, _: &Scored) -> io::Result<()> {
        Ok(())
    }

    fn status(&mut self, _: &CollectorStatus) -> io::Result<()> {
        Ok(())
    }
}

fn live() -> Live {
    let config = AnalysisConfig {
        detection: Detection::new(ServerConfig::default()),
        knowledge: Knowledge::builtin().expect("a list"),
        pairs: PairConfig::default(),
        gate: Gate::default(),
        held: Held::default(),
        train: false,
        hub: None,
    };
    let subscribers = Arc::new(Subscribers::read("10.0.0.0/8").expect("a list"));
    Live::new(subscribers, false, EpochLength::default(), config)
}

#[test]
fn a_record_leaves_the_window_while_its_pipe_is_silent() {
    let (told, end) = channel();
    let (mut live, mut order) = (live(), Order::default().with_patience(Duration::from_secs(60)));
    let source = Silent { line: io::Cursor::new(LINE.into()), end };
    let clock = hurried(100);
    let read = live.read_pipe("-", source, &mut order, &clock, &mut Watcher(told));
    let (file, _) = read.expect("read");
    assert_eq!((file.records, file.ended), (1, None));
    assert!(order.pop().is_none(), "it still waits");
    assert_eq!(live.status(&Part::default(), true).inlet.flows, 1);
}

#[test]
fn what_fails_while_a_pipe_is_silent_is_told_as_what_it_is() {
    struct Full;
    impl Recorder for Full {
        fn keys(&mut self, _: Timestamp, _: &[KeyEvent]) -> io::Result<()> {
            Err(io::Error::other("no room"))
        }
        fn deleted(&mut self, _: Timestamp, _: &str, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn scored(&mut self, _: &Scored) -> io::Result<()> {
            Ok(())
        }
        fn status(&mut self, _: &CollectorStatus) -> io::Result<()> {
            Ok(())
        }
    }
    let (_kept, end) = channel();
    let (mut live, mut order) = (live(), Order::default().with_patience(Duration::from_secs(60)));
    let source = Silent { line: io::Cursor::new(LINE.into()), end };
    let clock = hurried(100);
    let error = live.read_pipe("-", source, &mut order, &clock, &mut Full).expect_err("the recorder fails");
    assert!(matches!(error, FlowError::Recorder { .. }), "{error}");
}

/// Says when a key is destroyed.
struct Mourner(Sender<()>);

impl Recorder for Mourner {
    fn keys(&mut self, _: Timestamp, events: &[KeyEvent]) -> io::Result<()> {
        if events.iter().any(|event| matches!(event, KeyEvent::Destroyed { .. })) {
            let _ = self.0.send(());
        }
        Ok(())
    }

    fn deleted(&mut self, _: Timestamp, _: &str, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn scored(&mut self, _: &Scored) -> io::Result<()> {
        Ok(())
    }

    fn status(&mut self, _: &CollectorStatus) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_key_ends_with_its_epoch_while_its_pipe_is_silent() {
    let (told, end) = channel();
    let (mut live, mut order) = (live(), Order::default().with_patience(Duration::from_secs(60)));
    let source = Silent { line: io::Cursor::new(LINE.into()), end };
    let read = live.read_pipe("-", source, &mut order, &hurried(200_000), &mut Mourner(told));
    let (file, _) = read.expect("read");
    assert_eq!((file.records, file.ended), (1, None), "no key was destroyed");
    assert!(live.now().since(ENDED) >= Duration::from_secs(200_000));
}

#[test]
fn a_record_of_the_future_does_not_make_a_collector_blind() {
    let future = LINE.replace("1763769600.5", "4294967295.5");
    let (told, end) = channel();
    told.send(()).expect("nobody waits");
    let (mut live, mut order) = (live(), Order::default().with_patience(Duration::ZERO));
    let source = Silent { line: io::Cursor::new([&future, LINE].concat().into_bytes()), end };
    let read = live.read_pipe("-", source, &mut order, &hurried(1), &mut Watcher(told));
    let (file, _) = read.expect("read");
    assert_eq!((file.records, file.left_out.get(crate::live::files::FUTURE)), (1, Some(&1)), "{file:?}");
    assert_eq!((live.status(&Part::default(), true).inlet.flows, live.now()), (1, ENDED));
}

/// A capture of raw IP: one packet of UDP.
fn capture() -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    [0_u32, 0, 65_535, 101, 1_763_769_602, 0, 29, 29].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend([0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 2, 3, 203, 0, 113, 4]);
    bytes.extend([0x9c, 0x40, 1, 0xbb, 0, 9, 0, 0, b'x']);
    bytes
}

#[test]
fn a_conversation_ends_while_its_pipe_is_silent() {
    let (told, end) = channel();
    let (mut live, mut order) = (live(), Order::default().with_patience(Duration::from_secs(60)));
    let source = Silent { line: io::Cursor::new(capture()), end };
    let read = live.read_pipe("-", source, &mut order, &hurried(200_000), &mut Mourner(told));
    let (file, _) = read.expect("read");
    assert_eq!((file.kind.as_str(), file.records, file.ended), ("pcap", 1, None), "it was still in the table");
    assert!(order.is_empty());
    assert_eq!(live.status(&Part::default(), true).inlet.flows, 1);
}
