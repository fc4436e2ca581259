//! How fast the lake takes sightings, on this machine: `cargo run --release -p hinomi-lake --example ingest [SERVICES]`;
//! with a state folder instead of a number, how long that folder takes to open.
//!
//! Rounds over the same services, in batches of 100,000: all new; told again word for word; seen again a week later with
//! the same content; seen again with one in fifty saying something else; compacted; index deleted and rebuilt. Beside
//! the time by the clock stands the time of the processors, which says more on a shared machine; it includes making the
//! batches.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hinomi_lake::{CompactOptions, Lake, LakeOptions, Places};
use hinomi_model::time::FixedClock;
use hinomi_model::{
    Batch, Evidence, EvidenceKind, Facts, Identifier, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink, Timestamp,
    Transport,
};

const BATCH: u32 = 100_000;
/// One in so many says something else in the round of changes.
const CHANGE: u32 = 50;
const CONTENTS: u32 = 5_000;
const WEEK_SECONDS: i64 = 7 * 24 * 3_600;

struct FirstWords;

impl Identifier for FirstWords {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).unwrap_or_default();
        let mut words = text.split_whitespace();
        Facts {
            protocol: words.next().and_then(|word| word.parse().ok()),
            product: words.next().map(ToOwned::to_owned),
            version: words.next().map(ToOwned::to_owned),
            summary: Some(text.clone()),
            ..Facts::default()
        }
    }

    fn revision(&self) -> &str {
        "ingest"
    }
}

fn batch(from: u32, seconds: i64, changed: bool) -> Batch {
    let mut told = Batch::default();
    for n in from..from + BATCH {
        let other = u32::from(changed && n.is_multiple_of(CHANGE));
        let content = (n.wrapping_mul(2_654_435_761) % CONTENTS) + other * CONTENTS;
        let banner = format!("http server{} {}.{} welcome to unit {content}", content % 40, content % 7, content % 30);
        let evidence = Evidence::new(EvidenceKind::Banner, banner);
        let address = IpAddr::V4(Ipv4Addr::from((10 << 24) + n / 2));
        let port = if n % 2 == 0 { 80 } else { 443 };
        told.sightings.push(Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: Some("bench".parse().expect("a name")),
            time: Timestamp::from_micros((1_790_000_000 + seconds) * 1_000_000 + i64::from(n) * 50),
            subject: ServiceKey { address, port, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: vec![evidence.reference()],
            marking: Marking::own(Purpose::Exercise),
        });
        told.evidence.push(evidence);
    }
    told
}

fn round(lake: &Lake, name: &str, services: u32, (seconds, changed): (i64, bool)) {
    let mut spent = std::time::Duration::ZERO;
    for from in (0..services).step_by(BATCH as usize) {
        let told = batch(from, seconds, changed);
        let start = Instant::now();
        lake.append(told).expect("appended");
        spent += start.elapsed();
    }
    report(name, services, spent);
}

fn report(name: &str, services: u32, spent: std::time::Duration) {
    let rate = f64::from(services) / spent.as_secs_f64();
    println!("{name:<28} {rate:>10.0} sightings/s   {:.2} s, processors at {:.2} s", spent.as_secs_f64(), worked());
}

/// Seconds that all threads together have worked so far, where the system says so: user and system time, in
/// hundredths.
fn worked() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn open(dir: &Path, read_only: bool) -> Lake {
    let clock = Arc::new(FixedClock(Timestamp::from_micros(1_790_000_000_000_000)));
    let identifier = Arc::new(FirstWords);
    let options = LakeOptions { dir: dir.to_owned(), read_only, identifier, places: Places::default(), clock };
    Lake::open(options).expect("opened")
}

fn main() {
    let asked = std::env::args().nth(1);
    match asked.as_deref().map(Path::new).filter(|path| path.is_dir()) {
        Some(dir) => time_opening(dir),
        None => measure(asked.and_then(|text| text.parse().ok()).unwrap_or(200_000)),
    }
}

fn time_opening(dir: &Path) {
    for read_only in [true, false] {
        let start = Instant::now();
        let lake = open(dir, read_only);
        let spent = start.elapsed().as_secs_f64();
        println!("opened in {spent:.3} s, read_only {read_only}: {:?}", lake.status().expect("status"));
    }
}

fn measure(services: u32) {
    let dir = tempfile::tempdir().expect("a folder");
    let lake = open(dir.path(), false);
    round(&lake, "all new", services, (0, false));
    round(&lake, "told again word for word", services, (0, false));
    round(&lake, "seen again, same content", services, (WEEK_SECONDS, false));
    round(&lake, "seen again, 2% changed", services, (2 * WEEK_SECONDS, true));
    let start = Instant::now();
    println!("{:?}", lake.compact(&CompactOptions::default(), &mut |_, _| {}).expect("compacted"));
    report("compacted", services * 3, start.elapsed());
    let start = Instant::now();
    lake.rebuild_index().expect("rebuilt");
    report("index rebuilt from tables", services * 3, start.elapsed());
    println!("{:?}", lake.status().expect("status"));
    drop(lake);
    time_opening(dir.path());
}
