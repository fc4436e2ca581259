//! The demonstration's telescope: what the town's router tells is collected, and what commands bots is found.
//!
//! ```text
//!   Router: past two days ----------------- messages --> Decoder --> Live (time of the data)  --\
//!   Router: from now on -- UDP, loopback --> socket --> Decoder --> Live (time of the clock) --+--> journal, ledger, status
//! ```
//!
//! One job from the past into the present: pseudonyms and server states go on. A first start writes what it finds in
//! the past into the journal, hour by hour. A later start has the journal at once; the past two days are fed again
//! behind the pages, for states live in memory only, and of what that finds only what is news is written.

mod books;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use hinomi_flow::detect::detection::Detection;
use hinomi_flow::epoch::EpochLength;
use hinomi_flow::export::gate::Gate;
use hinomi_flow::live::{AnalysisConfig, Live, Part, Recorder};
use hinomi_flow::pair::PairConfig;
use hinomi_flow::server::ServerConfig;
use hinomi_flow::subscribers::Subscribers;
use hinomi_flow::suppress::Knowledge;
use hinomi_model::cnc::status::{CollectorStatus, ReceivedStatus};
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_town::Plan;
use hinomi_town::flows::{LoopbackSender, Router};
use hinomi_wire::flow::{Decoder, FlowRecord, Limits};
use tokio::sync::watch;
use tokio::task;

use crate::output;
use crate::router;
use crate::state::State;
use books::Books;

/// What of the past is fed at a start.
const PAST: Duration = Duration::from_hours(48);
/// How often the past is scored, in its own time.
const PAST_SCORED_EVERY: Duration = Duration::from_hours(1);
/// How often the present is.
const SCORED_EVERY: Duration = Duration::from_mins(1);
/// How long the collector waits for a datagram before it looks at the clock and at whether it shall end.
const WAIT: Duration = Duration::from_millis(200);
/// How often the status is written.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// Who told the past: the same router, before it had a socket.
const PAST_EXPORTER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Router and collector, at work.
pub(super) struct Flows {
    stop: Arc<AtomicBool>,
    collector: JoinHandle<Result<()>>,
    stop_router: watch::Sender<bool>,
    router: task::JoinHandle<Result<router::Sent>>,
}

/// Starts both, with the two days up to a moment of the past; returns at once.
pub(super) async fn start(state: &State, town: &Plan, until: Timestamp) -> Result<Flows> {
    let router = Router::new(town);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no socket for the collector of flows")?;
    socket.set_read_timeout(Some(WAIT))?;
    let address = socket.local_addr()?;
    let now = SystemClock.now();
    let books = Books::open(state)?;
    let collector = Collector::new(socket, router.clone(), books)?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let collector = std::thread::Builder::new().name("flows".to_owned()).spawn(move || collector.run(until, &told))?;
    let (stop_router, mut stopped) = watch::channel(false);
    let sender = LoopbackSender::to(address).await?;
    let router = task::spawn(async move {
        let until_stopped = async {
            // An error is the sender's end, which asks for the same.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        router::tell(&router, (now, None), &sender, until_stopped).await
    });
    Ok(Flows { stop, collector, stop_router, router })
}

impl Flows {
    /// Ends both and waits for them.
    pub(super) async fn end(self) -> Result<()> {
        // Whoever is gone needs no word.
        let _ = self.stop_router.send(true);
        self.router.await.context("the town's router")??;
        self.stop.store(true, Ordering::Relaxed);
        let ended = task::spawn_blocking(move || self.collector.join()).await.context("the collector of flows")?;
        ended.map_err(|_| anyhow!("the collector of flows broke off"))?
    }
}

/// The thread that decodes, analyses and writes.
struct Collector {
    socket: UdpSocket,
    router: Router,
    books: Books,
    live: Live,
    decoder: Decoder,
    records: Vec<FlowRecord>,
}

impl Collector {
    fn new(socket: UdpSocket, router: Router, books: Books) -> Result<Self> {
        let subscribers = Arc::new(Subscribers::of(&Router::subscribers())?);
        let analysis = AnalysisConfig {
            detection: Detection::new(ServerConfig::default()),
            knowledge: Knowledge::builtin()?,
            pairs: PairConfig::default(),
            gate: Gate::default(),
            held: books.held()?,
            train: false,
            hub: None,
        };
        let live = Live::new(subscribers, false, EpochLength::default(), analysis);
        let decoder = Decoder::new(Limits::default());
        Ok(Self { socket, router, books, live, decoder, records: Vec::new() })
    }

    fn run(mut self, until: Timestamp, stop: &AtomicBool) -> Result<()> {
        let told = self.past(until, stop).and_then(|()| self.present(stop));
        if let Err(error) = &told {
            output::talk(&format!("hinomi: the collector of flows stopped: {error:#}"));
        }
        told
    }

    /// Two days of the past, as fast as they are decoded.
    fn past(&mut self, until: Timestamp, stop: &AtomicBool) -> Result<()> {
        let from = until.minus(PAST);
        let mut score_at = from.plus(PAST_SCORED_EVERY);
        for message in self.router.messages(from).take_while(|message| message.time < until) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if message.time >= score_at && self.books.is_first() {
                self.live.score(0.0, &mut self.books)?;
                score_at = message.time.plus(PAST_SCORED_EVERY);
            }
            self.take(PAST_EXPORTER, message.time, &message.bytes)?;
        }
        self.decoder.forget(PAST_EXPORTER);
        self.live.tick(until, &mut self.books)?;
        self.live.score(0.0, &mut self.books)?;
        Ok(self.books.arrive(SystemClock.now())?)
    }

    /// From now on: what comes by the socket, until told to stop.
    fn present(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut datagram = vec![0; usize::from(u16::MAX)];
        let (mut scored, mut told) = (SystemClock.now(), Timestamp::default());
        while !stop.load(Ordering::Relaxed) {
            match self.socket.recv_from(&mut datagram) {
                Ok((length, exporter)) => {
                    let bytes = datagram.get(..length).unwrap_or_default().to_vec();
                    self.take(exporter, SystemClock.now(), &bytes)?;
                }
                // The time is over, or a signal came; anything else may pass as well and is counted nowhere else.
                Err(error) => tracing::trace!(%error, "no datagram of flows"),
            }
            let now = SystemClock.now();
            self.live.tick(now, &mut self.books)?;
            if now.since(scored) >= SCORED_EVERY {
                let loss = self.status(true).loss;
                self.live.score(loss, &mut self.books)?;
                scored = now;
            }
            if now.since(told) >= STATUS_EVERY {
                self.live.heard(Part::of(&ReceivedStatus::default(), &self.decoder, Default::default()));
                let status = self.status(true);
                self.books.status(&status)?;
                told = now;
            }
        }
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let loss = self.status(true).loss;
        self.live.end(loss, &mut self.books)?;
        let status = self.status(false);
        Ok(self.books.status(&status)?)
    }

    fn take(&mut self, exporter: SocketAddr, now: Timestamp, datagram: &[u8]) -> Result<()> {
        let records = &mut self.records;
        self.decoder.decode(exporter, now, datagram, &mut |record| records.push(record));
        for record in self.records.drain(..) {
            self.live.feed(now, &record, &mut self.books)?;
        }
        Ok(())
    }

    fn status(&self, running: bool) -> CollectorStatus {
        // The inlet's sums are the job's own: it adds them.
        let part = Part::of(&ReceivedStatus::default(), &self.decoder, Default::default());
        let listening = self.socket.local_addr().ok().into_iter().collect();
        CollectorStatus { listening, ..self.live.status(&part, running) }
    }
}
