use std::sync::atomic::AtomicI64;
use std::thread::{self, ThreadId};

use super::*;
use crate::detect::detection::Detection;
use crate::export::Gate;
use crate::finding::Held;
use crate::pair::PairConfig;
use crate::server::ServerConfig;
use crate::suppress::Knowledge;

/// Midnight, and two hours before it.
const MIDNIGHT: i64 = 1_795_392_000_000_000;
const START: i64 = MIDNIGHT - 7_200_000_000;

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

/// Notes what happened, lets the time pass at every look (slowly until as many servers are known as shall be), and may
/// break off at one.
struct Notes<'a> {
    clock: &'a Hand,
    step: Duration,
    servers: u64,
    told: Vec<String>,
    scored: Vec<(Timestamp, u64)>,
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

    fn scored(&mut self, scored: &Scored) -> io::Result<()> {
        self.scored.push((scored.time, scored.counts.servers));
        Ok(())
    }

    fn status(&mut self, status: &CollectorStatus) -> io::Result<()> {
        self.looks += 1;
        assert!(self.looks != self.breaks_at, "broken off on purpose");
        let known = status.servers.get("servers").copied().unwrap_or(0);
        let passes = self.told.iter().any(|what| what == "full") || known >= self.servers;
        if passes && !self.told.iter().any(|what| what == "full") {
            self.told.push("full".to_owned());
        }
        self.clock.pass(if passes { self.step } else { Duration::from_secs(1) });
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
            // What is known of a server goes with its epoch.
            detection: Detection::new(ServerConfig { clients_to_admit: 1, epochs_kept: 1, ..ServerConfig::default() }),
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

fn notes(clock: &Hand, step: Duration) -> Notes<'_> {
    Notes { clock, step, servers: 0, told: Vec::new(), scored: Vec::new(), looks: 0, breaks_at: 0 }
}

/// Runs to the end, which must come.
fn ended(for_all: bool, breaks_at: u32) -> (Told, Vec<String>) {
    let (sender, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let clock = Hand::new(for_all);
        let mut notes = Notes { breaks_at, ..notes(&clock, Duration::from_hours(1)) };
        let told = job().run(&clock, &AtomicBool::new(false), &mut notes);
        sender.send((told, notes.told)).expect("waited for");
    });
    ended.recv_timeout(Duration::from_mins(2)).expect("the job never ends")
}

/// Both directions of a session of NetFlow v5 that ends now.
fn session() -> Vec<u8> {
    let seconds = u32::try_from(START / 1_000_000).expect("before 2106");
    let mut datagram = vec![0, 5, 0, 2];
    [1_000_000, seconds, 0, 0, 0].iter().for_each(|word: &u32| datagram.extend(word.to_be_bytes()));
    let (line, server) = (([198, 18, 0, 1], 40_000_u16), ([203, 0, 113, 5], 443_u16));
    for ((from, from_port), (to, to_port)) in [(line, server), (server, line)] {
        datagram.extend([from, to, [0; 4], [0; 4]].concat());
        [4_u32, 240, 999_000, 1_000_000].iter().for_each(|word| datagram.extend(word.to_be_bytes()));
        datagram.extend([from_port.to_be_bytes(), to_port.to_be_bytes()].concat());
        datagram.extend([0, 0x1b, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    datagram
}

#[test]
#[expect(clippy::disallowed_methods, reason = "towards the test's own collector, on loopback")]
fn an_ended_epoch_is_scored_with_all_that_was_known_of_it() {
    let (clock, job) = (Hand::new(true), job());
    let router = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    router.send_to(&session(), job.sockets.listening().first().expect("one")).expect("sent");
    let mut notes = Notes { servers: 1, ..notes(&clock, Duration::from_hours(1)) };
    let (status, _) = job.run(&clock, &AtomicBool::new(false), &mut notes).expect("a run");
    // The first midnight, the second, the end.
    let servers: Vec<u64> = notes.scored.iter().map(|(_, servers)| *servers).collect();
    assert_eq!(servers, [1, 0, 0], "{:?}", notes.scored);
    assert!(notes.scored.first().is_some_and(|(time, _)| time.as_micros() >= MIDNIGHT));
    assert_eq!(status.servers.get("servers"), None, "it went with its epoch");
    assert!(notes.told.contains(&"server states".to_owned()));
}

#[test]
fn a_receiver_that_breaks_off_ends_the_job() {
    let (told, happened) = ended(false, 0);
    let Err(FlowError::BrokeOff { what }) = told else { panic!("nobody noticed: {happened:?}") };
    assert!(what == "a receiver", "{what}");
    assert_eq!(happened.last().map(String::as_str), Some("destroyed"), "no key outlives it");
}

#[test]
fn an_analysis_that_breaks_off_ends_the_job_and_its_receivers() {
    // At the first look, before there are receivers, and at a later one.
    for breaks_at in [1, 3] {
        let (told, happened) = ended(true, breaks_at);
        assert!(matches!(told, Err(FlowError::BrokeOff { what: "the analysis" })), "at look {breaks_at}");
        let of_keys = happened.iter().rfind(|what| *what != "full").map(String::as_str);
        assert_eq!(of_keys, Some("destroyed"), "no key outlives it: {happened:?}");
    }
}
