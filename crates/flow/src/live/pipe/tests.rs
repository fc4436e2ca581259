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

/// Goes on by a hundred seconds each time that it is asked.
struct Hurried(AtomicI64);

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(100_000_000, Ordering::Relaxed))
    }
}

/// One line, and then nothing until somebody says that it may end.
struct Silent {
    line: io::Cursor<&'static str>,
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
    let source = Silent { line: io::Cursor::new(LINE), end };
    let clock = Hurried(AtomicI64::new(1_763_800_000_000_000));
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
    let source = Silent { line: io::Cursor::new(LINE), end };
    let clock = Hurried(AtomicI64::new(1_763_800_000_000_000));
    let error = live.read_pipe("-", source, &mut order, &clock, &mut Full).expect_err("the recorder fails");
    assert!(matches!(error, FlowError::Recorder { .. }), "{error}");
}
