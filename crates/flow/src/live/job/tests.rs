use std::sync::atomic::AtomicI64;
use std::thread::{self, ThreadId};

use super::*;
use crate::detect::detection::Detection;
use crate::export::Gate;
use crate::finding::Held;
use crate::pair::PairConfig;
use crate::server::ServerConfig;
use crate::suppress::Knowledge;

/// A quarter of a second before midnight.
const START: i64 = 1_795_392_000_000_000 - 250_000;

/// A clock that the test moves; it may refuse to tell the time to other threads than its own.
struct Hand {
    micros: AtomicI64,
    owner: ThreadId,
    for_all: bool,
}

impl Hand {
    fn new(for_all: bool) -> Self {
        Self { micros: AtomicI64::new(START), owner: thread::current().id(), for_all }
    }

    fn pass(&self, span: Duration) {
        self.micros.fetch_add(i64::try_from(span.as_micros()).expect("short"), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        assert!(self.for_all || thread::current().id() == self.owner, "no time for others");
        Timestamp::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

/// Notes what happened in its order, lets the time pass at every look, and may break off at one.
struct Notes<'a> {
    clock: &'a Hand,
    step: Duration,
    told: Vec<String>,
    looks: u32,
    breaks_at: u32,
}

impl Recorder for Notes<'_> {
    fn keys(&mut self, _now: Timestamp, events: &[KeyEvent]) -> io::Result<()> {
        self.told.extend(events.iter().map(|event| match event {
            KeyEvent::Born { .. } => "born".to_owned(),
            KeyEvent::Destroyed { .. } => "destroyed".to_owned(),
        }));
        Ok(())
    }

    fn deleted(&mut self, _now: Timestamp, what: &str, _count: u64) -> io::Result<()> {
        self.told.push(what.to_owned());
        Ok(())
    }

    fn scored(&mut self, _scored: &Scored) -> io::Result<()> {
        self.told.push("scored".to_owned());
        Ok(())
    }

    fn status(&mut self, _status: &CollectorStatus) -> io::Result<()> {
        self.looks += 1;
        assert!(self.looks != self.breaks_at, "broken off on purpose");
        self.clock.pass(self.step);
        Ok(())
    }
}

fn job() -> Job {
    Job {
        sockets: Sockets::bind(&["127.0.0.1:0".parse().expect("an address")], 2).expect("bound"),
        subscribers: Arc::new(Subscribers::read("198.18.0.0/16").expect("a list")),
        local_remotes: false,
        epochs: EpochLength::default(),
        limits: Limits::default(),
        analysis: AnalysisConfig {
            detection: Detection::new(ServerConfig::default()),
            knowledge: Knowledge::builtin().expect("the built-in list"),
            pairs: PairConfig::default(),
            gate: Gate::default(),
            held: Held::default(),
            train: false,
            hub: None,
        },
        score_every: Duration::from_hours(10_000),
        lasting: Some(Duration::from_hours(30)),
        own: None,
    }
}

type Told = Result<(CollectorStatus, Scored), FlowError>;

fn run(clock: &Hand, step: Duration, breaks_at: u32) -> (Told, Vec<String>) {
    let mut notes = Notes { clock, step, told: Vec::new(), looks: 0, breaks_at };
    let told = job().run(clock, &AtomicBool::new(false), &mut notes);
    (told, notes.told)
}

#[test]
fn an_ended_epoch_is_scored_before_its_key_and_its_state_go() {
    let (told, happened) = run(&Hand::new(true), Duration::from_hours(1), 0);
    assert!(told.is_ok());
    // Before midnight, after midnight, the grace's end, the second midnight, the end.
    let wanted = ["born", "scored", "born", "destroyed", "scored", "born", "destroyed", "scored", "destroyed"];
    let begin = happened.iter().take(4).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(begin, wanted[..4], "{happened:?}");
    assert_eq!(happened.iter().filter(|what| *what == "scored").count(), 3, "{happened:?}");
}

#[test]
fn a_receiver_that_breaks_off_ends_the_job() {
    let (told, happened) = run(&Hand::new(false), Duration::from_hours(1), 0);
    let Err(FlowError::BrokeOff { what }) = told else { panic!("nobody noticed: {happened:?}") };
    assert!(what == "a receiver", "{what}");
    assert_eq!(happened.last().map(String::as_str), Some("destroyed"), "no key outlives it");
}

#[test]
fn an_analysis_that_breaks_off_ends_the_job_and_its_receivers() {
    let (told, happened) = run(&Hand::new(true), Duration::from_secs(2), 3);
    assert!(matches!(told, Err(FlowError::BrokeOff { what: "the analysis" })));
    assert_eq!(happened.last().map(String::as_str), Some("destroyed"), "no key outlives it");
}
