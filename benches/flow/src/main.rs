//! Flow exports decoded by Hinomi and by netflow_parser: the same bytes, the same run, one core.
//!
//! ```text
//!   cargo run --release [RECORDS] [ROUNDS]
//!   cargo run --release -- end-to-end [RECORDS]
//!   cargo run --release -- readers [RECORDS] [ROUNDS]
//! ```
//!
//! The second form takes made-up exports the whole way, on two threads (see [`pipeline`]); the third reads nfdump's files
//! beside nfdump (see [`readers`]).
//!
//! First both must read the same values from the same records; then rounds alternate between them, and the medians are
//! told with their ratio, by the time each had a core. Hinomi decodes and projects, and every record is looked at; netflow_parser decodes, and its
//! records are counted.

mod export;
mod peer;
mod pipeline;
mod readers;
mod traffic;

use std::hint::black_box;
use std::net::SocketAddr;

use export::{Export, Format};
use hinomi_model::Timestamp;
use hinomi_wire::flow::{Decoder, FlowRecord};

/// The system counts in steps of some milliseconds.
const ROUND_NS: u64 = 300_000_000;

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "end-to-end").is_some() {
        return pipeline::run(words.next().map_or(50_000_000, |word| word.parse().expect("a number")));
    }
    let readers = words.next_if(|word| word == "readers").is_some();
    let mut arguments = words.map(|word| word.parse().expect("a number"));
    let records = arguments.next().unwrap_or(200_000);
    let rounds = arguments.next().unwrap_or(9);
    if readers {
        return readers::run(records, rounds);
    }
    println!("{records} records, {rounds} rounds, median of each; netflow_parser 1.0.6");
    println!("{:<28} {:>14} {:>14} {:>7}", "", "hinomi /s", "peer /s", "ratio");
    for format in Format::ALL {
        let export = Export::generate(format, records);
        agree(&export);
        compare(&export, rounds);
    }
}

/// Both read the same values.
fn agree(export: &Export) {
    let mut ours = Vec::new();
    let mut decoder = decoder();
    decode(&mut decoder, export, |record| ours.push(record));
    let theirs = peer::read(export);
    assert_eq!(ours.len(), export.records, "{}: {:?}", export.format.name(), decoder.counts());
    assert_eq!(theirs.len(), export.records, "{}", export.format.name());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(peer::Seen::of(ours), *theirs, "{}", export.format.name());
    }
}

fn compare(export: &Export, rounds: usize) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut decoder, mut parser) = (decoder(), peer::parser());
    for _ in 0..rounds {
        ours.push(timed(|| ours_once(&mut decoder, export), export.records));
        theirs.push(timed(|| peer::count(&mut parser, export), export.records));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{:<28} {ours:>14.0} {theirs:>14.0} {:>7.1}", export.format.name(), ours / theirs);
}

fn ours_once(decoder: &mut Decoder, export: &Export) -> usize {
    let (mut count, mut sum) = (0, 0_u64);
    decode(decoder, export, |record: FlowRecord| {
        count += 1;
        let record = black_box(record);
        sum = sum.wrapping_add(record.forward.bytes ^ u64::from(record.destination_port));
    });
    black_box(sum);
    count
}

fn decoder() -> Decoder {
    Decoder::default()
}

fn decode(decoder: &mut Decoder, export: &Export, mut each: impl FnMut(FlowRecord)) {
    let exporter = SocketAddr::from(([192, 0, 2, 1], 2055));
    let received = Timestamp::from_micros(i64::from(export::SECONDS) * 1_000_000);
    for datagram in &export.datagrams {
        decoder.decode(exporter, received, datagram, &mut each);
    }
}

/// Records a second, over as many passes as the coarse count of the system needs.
fn timed(mut work: impl FnMut() -> usize, expected: usize) -> f64 {
    let (begin, mut passes) = (on_cpu_ns(), 0);
    loop {
        assert_eq!(work(), expected);
        passes += 1;
        let passed = on_cpu_ns() - begin;
        if passed >= ROUND_NS {
            return (passes * expected) as f64 * 1e9 / passed as f64;
        }
    }
}

/// Time that this thread had a core, as Linux tells: on a shared machine the clock on the wall measures the others.
fn on_cpu_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstat");
    told.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds")
}

/// Of this process, in KiB: `VmRSS` now, `VmHWM` at most.
fn memory_kib(what: &str) -> u64 {
    let told = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = told.lines().find(|line| line.starts_with(what)).expect("told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB")
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
