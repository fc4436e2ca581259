//! A week of looks into the lake, batch by batch, as a campaign would tell them.
//!
//! Time counts while the lake has the batch; making the batch does not. What the lake does meanwhile in threads of its
//! own is in the processor time, which counts everything but the making.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinomi_lake::{Lake, LakeOptions, Places};
use hinomi_model::{Batch, Identifier, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::world::{Look, World};

/// So many batches are told of, with their rates.
const SLOWEST: usize = 6;

/// Opens the lake of this folder.
pub fn open(dir: &Path, rules: Arc<dyn Identifier>, read_only: bool) -> Lake {
    let (dir, places, clock) = (dir.to_owned(), Places::default(), Arc::new(SystemClock));
    Lake::open(LakeOptions { dir, read_only, identifier: rules, places, clock }).expect("the lake opened")
}

/// Tells the lake a week; what it took.
pub fn ingest(lake: &Lake, world: &World, week: u32, batch_size: usize) -> Value {
    let mut spent = Duration::ZERO;
    let (mut making, all_before) = (Duration::ZERO, process_time());
    let (mut told, mut pieces, mut rates) = (0, 0, Vec::new());
    let mut turn = 0;
    while turn < world.hosts() {
        let before = thread_time();
        let batch = batch(world, &mut turn, week, batch_size);
        let sightings = batch.sightings.len();
        making += thread_time() - before;
        let start = Instant::now();
        let receipt = lake.append(batch).expect("appended");
        let took = start.elapsed();
        spent += took;
        told += receipt.sightings;
        pieces += receipt.evidence;
        rates.push(rate(sightings, took) as u64);
    }
    let processor = process_time() - all_before - making;
    let mut slowest: Vec<(u64, usize)> = rates.iter().copied().zip(0..).collect();
    slowest.sort_unstable();
    slowest.truncate(SLOWEST);
    rates.sort_unstable();
    json!({
        "week": week, "sightings": told, "new_evidence": pieces, "seconds": spent.as_secs_f64(),
        "rate": rate(told, spent) as u64, "processor_seconds": processor.as_secs_f64(),
        "slowest_batches": slowest, "median_batch_rate": rates.get(rates.len() / 2),
        "peak_memory_mb": peak_memory_mb(),
    })
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// The next looks as a batch. A piece of evidence that the batch holds already is not told again, as no sensor does.
fn batch(world: &World, turn: &mut u64, week: u32, size: usize) -> Batch {
    let mut batch = Batch::default();
    let mut known = HashSet::new();
    while batch.sightings.len() < size && *turn < world.hosts() {
        for look in world.looks(*turn, week) {
            put(&mut batch, &mut known, &look, week);
        }
        *turn += 1;
    }
    batch
}

fn put(batch: &mut Batch, known: &mut HashSet<hinomi_model::ContentHash>, look: &Look, week: u32) {
    let evidence = look.said.evidence();
    let references: Vec<_> = evidence.iter().map(hinomi_model::Evidence::reference).collect();
    for (piece, reference) in evidence.into_iter().zip(&references) {
        if known.insert(reference.hash) {
            batch.evidence.push(piece);
        }
    }
    batch.sightings.push(Sighting {
        sensor: "survey".parse().expect("a name"),
        campaign: format!("week-{week}").parse().ok(),
        time: Timestamp::from_micros(look.time_micros),
        subject: ServiceKey { address: look.address.into(), port: look.said.port, transport: look.said.transport },
        outcome: Outcome::Open,
        remark: None,
        evidence: references,
        marking: Marking::own(Purpose::Exercise),
    });
}

/// The most memory this process ever held.
pub fn peak_memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn thread_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("time of this thread");
    Duration::from_nanos(text.split(' ').next().and_then(|word| word.parse().ok()).expect("nanoseconds"))
}

/// Of all threads, also of those that ended. The kernel counts hundredths of a second here.
fn process_time() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").expect("time of this process");
    let after = text.rsplit_once(") ").expect("a name in brackets").1;
    let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
