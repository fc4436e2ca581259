//! End to end on two threads, as the collector runs: exports decoded, stripped of addresses and joined on one, kept on
//! the other, a bounded queue between them; a third scores a snapshot every minute. Datagrams are made as they are needed, on the first thread: what
//! that costs is told, and is in the figures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use hinomi_flow::detect::detection::Detection;
use hinomi_flow::epoch::{EpochLength, Keys};
use hinomi_flow::export::gate::Gate;
use hinomi_flow::finding::Held;
use hinomi_flow::inlet::Inlet;
use hinomi_flow::live::{Analysis, AnalysisConfig, Scorer};
use hinomi_flow::pair::PairConfig;
use hinomi_flow::server::ServerConfig;
use hinomi_flow::subscribers::Subscribers;
use hinomi_flow::suppress::Knowledge;
use hinomi_flow::{CncDetection, Flow};
use hinomi_model::Timestamp;
use hinomi_wire::flow::Decoder;

use crate::traffic::{self, Traffic};
use crate::{memory_kib, on_cpu_ns};

/// As the collector's.
const QUEUE_BATCHES: usize = 32;
const DATAGRAMS_A_BATCH: usize = 64;
/// Scorings as of the time that records tell.
const SCORE_EVERY_US: i64 = 60_000_000;
/// Lines that tell how it goes.
const LINES: u64 = 10;

/// When, of how many flows, and the sessions they became.
type Batch = (Timestamp, u64, Vec<Flow<CncDetection>>);

pub fn run(records: u64) {
    let made = {
        let (begin, mut traffic, mut datagram) = (on_cpu_ns(), Traffic::new(), Vec::new());
        while traffic.records() < records.min(10_000_000) {
            traffic.datagram(&mut datagram);
        }
        (on_cpu_ns() - begin) as f64 / traffic.records() as f64
    };
    println!("{records} records of {} lines; making a record takes {made:.0} ns", traffic::LINES);
    let (sender, receiver) = sync_channel::<Batch>(QUEUE_BATCHES);
    let mut analysis = analysis();
    let (begin, pairs) = (Instant::now(), analysis.pairs());
    let first = std::thread::spawn(move || {
        let (mut sent, cpu) = (0, on_cpu_ns());
        let counts = intake(records, |now, flows| {
            let (count, mut sessions) = (flows.len() as u64, Vec::with_capacity(flows.len()));
            pairs.take(flows, now, &mut sessions);
            sent += 1;
            sender.send((now, count, sessions)).expect("the analysis waits");
        });
        (counts, sent, on_cpu_ns() - cpu)
    });
    let cpu = on_cpu_ns();
    let (mut taken, mut told, mut scored_us, mut scorings) = (0_u64, 0, 0, Vec::new());
    std::thread::scope(|scope| {
        let mut scorer = Scorer::start(scope);
        let mut began = Instant::now();
        for (now, flows, sessions) in receiver {
            taken += flows;
            analysis.take_joined(&sessions).expect("no workers to lose");
            analysis.expire(now).expect("no workers to lose");
            if scored_us == 0 {
                scored_us = now.as_micros();
            }
            if now.as_micros() - scored_us >= SCORE_EVERY_US && !scorer.is_busy() {
                scored_us = now.as_micros();
                began = Instant::now();
                scorer.begin(analysis.begin_scoring(now, 0.0).expect("no workers")).expect("it runs");
            }
            if let Some(outcome) = scorer.outcome().expect("it runs") {
                scorings.push(began.elapsed().as_millis());
                let (_, detection) = analysis.end_scoring(outcome, &|_| false);
                scorer.let_go(detection);
            }
            if taken * LINES / records > told {
                told = taken * LINES / records;
                tell(taken, begin, &analysis);
            }
        }
    });
    let analysed_ns = on_cpu_ns() - cpu;
    let (counts, batches, intake_ns) = first.join().expect("no panic");
    let seconds = begin.elapsed().as_secs_f64();
    let pairs = analysis.pair_counts();
    assert_eq!(pairs.whole + 2 * pairs.joined + pairs.alone + pairs.crowded_out + pairs.waiting, pairs.flows);
    assert_eq!(pairs.flows, counts);
    let rate = |ns: u64| records as f64 * 1e3 / ns as f64;
    println!("{batches} batches; pairs {pairs:?}");
    println!("{:?}", analysis.server_counts());
    println!("{:?}", analysis.watch_counts());
    println!("scorings beside it: {} within {scorings:?} ms", scorings.len());
    println!("first thread  {:>8.3} million records a second of its core", rate(intake_ns));
    println!("second thread {:>8.3} million records a second of its core", rate(analysed_ns));
    println!("both          {:>8.3} million records a second of the clock on the wall", records as f64 / seconds / 1e6);
    println!("memory        {:>8} MiB at most", memory_kib("VmHWM") / 1_024);
}

fn tell(taken: u64, begin: Instant, analysis: &Analysis) {
    let rate = taken as f64 / begin.elapsed().as_secs_f64() / 1e6;
    println!(
        "{:>6.0} million, {rate:.2} million/s, {} servers, {} MiB",
        taken as f64 / 1e6,
        analysis.servers(),
        memory_kib("VmRSS") / 1_024
    );
}

/// Decodes and names; returns how many flows there were.
fn intake(records: u64, mut send: impl FnMut(Timestamp, Vec<Flow<CncDetection>>)) -> u64 {
    let subscribers = Subscribers::read(&traffic::subscribers()).expect("prefixes");
    let (mut inlet, mut keys) = (Inlet::new(Arc::new(subscribers)), Keys::new(EpochLength::default()));
    let (mut decoder, mut traffic) = (Decoder::default(), Traffic::new());
    let exporter = SocketAddr::from(([192, 0, 2, 1], 2055));
    let mut datagram = Vec::new();
    while traffic.records() < records {
        let now = Timestamp::from_micros(traffic.now_us());
        keys.advance(now).expect("a locked key");
        let mut flows = Vec::with_capacity(DATAGRAMS_A_BATCH * traffic::RECORDS_A_DATAGRAM as usize);
        for _ in 0..DATAGRAMS_A_BATCH {
            traffic.datagram(&mut datagram);
            decoder.decode(exporter, now, &datagram, &mut |record| flows.extend(inlet.take(&keys, &record)));
        }
        send(now, flows);
    }
    assert_eq!(decoder.counts().records, traffic.records());
    assert_eq!(decoder.counts().unaccounted(), 0);
    inlet.counts().flows
}

fn analysis() -> Analysis {
    Analysis::new(AnalysisConfig {
        detection: Detection::new(ServerConfig::default()),
        knowledge: Knowledge::builtin().expect("the built-in list"),
        pairs: PairConfig::default(),
        gate: Gate::default(),
        held: Held::default(),
        train: false,
        hub: None,
    })
}
