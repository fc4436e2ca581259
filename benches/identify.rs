//! How fast evidence becomes facts, beside the same rules applied one after another, in one run.
//!
//! ```text
//! cargo bench -p hinomi-identify                     # the rules built in
//! cargo bench -p hinomi-identify -- --rules DIR      # and those of a folder, as a copy of Recog's xml
//! cargo bench -p hinomi-identify -- --only index     # one way alone, for a profiler
//! ```
//!
//! *One by one* is how Recog's own matcher works: every pattern that is made for a field runs on its value. *Index* is
//! what the program does. Everything else is shared, and the facts of every service are compared before anything is
//! measured. The ways are measured in turns, so that whatever else the machine does falls on all, and the fastest turn of
//! each counts; of one thread the time on a processor, where the system tells it. *Reading* is what comes before any
//! rule: bytes to named fields.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::env;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use hinomi_identify::{Engine, Search, UserRules};
use hinomi_model::{Evidence, Facts, Identifier};

#[path = "identify/corpus.rs"]
mod corpus;

/// Turns of each way.
const TURNS: usize = 8;

/// A turn goes on for so long: far above what the system counts processor time in.
const TURN: Duration = Duration::from_millis(500);

/// Turns of all threads: enough that each has met every pattern.
const THREAD_TURNS: usize = 40;

fn main() {
    let corpus = corpus::corpus();
    let bytes: usize = corpus.services.iter().flatten().map(|piece| piece.bytes.len()).sum();
    let pieces: usize = corpus.services.iter().map(Vec::len).sum();
    println!(
        "{} services, {pieces} pieces of evidence, {:.1} MB; {} examples of rules in them, {} in kinds of evidence \
         that are not composed here",
        corpus.services.len(),
        megabytes(bytes),
        corpus.used,
        corpus.unused
    );
    let work = Work { services: corpus.services, bytes, pieces };
    compare("built-in rules", &work, UserRules::default);
    if let Some(folder) = option("--rules") {
        let read = || UserRules::default().with(Path::new(&folder)).expect("rules in the folder");
        let user = read();
        let name = format!("with {} own rules and {} fingerprints", user.rules(), user.fingerprints());
        compare(&name, &work, read);
    }
}

/// The word after this one on the command line.
fn option(name: &str) -> Option<String> {
    env::args().skip_while(|word| word != name).nth(1)
}

/// What there is to identify.
struct Work {
    services: Vec<Vec<Evidence>>,
    bytes: usize,
    pieces: usize,
}

/// A name, and what is done with each service.
type Way<'w> = (&'w str, &'w dyn Fn(&[Evidence]) -> usize);

fn compare(name: &str, work: &Work, rules: impl Fn() -> UserRules) {
    let engine = |search| Engine::searching(search, rules()).expect("an engine");
    let (indexed, one_by_one) = (engine(Search::Index), engine(Search::OneByOne));
    println!("\n{name}: {} rules of our own format, revision {}", indexed.len(), indexed.revision());
    check(work, &indexed, &one_by_one);
    let read = |service: &[Evidence]| service.iter().map(|one| hinomi_wire::fields(one.kind, &one.bytes).len()).sum();
    let by = |engine: &Engine, service: &[Evidence]| engine.identify(service).proofs.len();
    let ways: [Way<'_>; 3] = [
        ("reading alone", &read),
        ("index", &|service| by(&indexed, service)),
        ("one by one", &|service| by(&one_by_one, service)),
    ];
    if let Some(only) = option("--only") {
        let way = ways.iter().filter(|(name, _)| *name == only);
        return way
            .for_each(|(name, way)| show(name, work, (0..TURNS).map(|_| turn(work, *way)).fold(f64::MAX, f64::min)));
    }
    let mut seconds = [f64::MAX; 3];
    for _ in 0..TURNS {
        for (fastest, (_, way)) in seconds.iter_mut().zip(&ways) {
            *fastest = fastest.min(turn(work, *way));
        }
    }
    for ((name, _), seconds) in ways.iter().zip(&seconds) {
        show(name, work, *seconds);
    }
    let [_, index, one_by_one] = seconds;
    println!("  index is {:.1} times as fast as one by one", one_by_one / index);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    show(&format!("index, {threads} threads"), work, measure_threads(work, &indexed, threads));
}

/// Both ways say the same of every service. This also compiles every pattern that is ever needed.
fn check(work: &Work, index: &Engine, one_by_one: &Engine) {
    let mut named = 0;
    for service in &work.services {
        let (facts, plain): (Facts, Facts) = (index.identify(service), one_by_one.identify(service));
        assert_eq!(facts, plain, "the index and one by one disagree on {service:?}");
        named += usize::from(facts.vendor.is_some() || facts.product.is_some());
    }
    println!("  the same facts by both ways; {named} services named");
}

/// Seconds that a pass over all services takes, the mean of one turn.
fn turn(work: &Work, way: &dyn Fn(&[Evidence]) -> usize) -> f64 {
    let (started, mut passes) = (processor_time(), 0.0);
    while processor_time().saturating_sub(started) < TURN {
        let found: usize = work.services.iter().map(|service| way(service)).sum();
        assert!(found > 0, "something is found");
        passes += 1.0;
    }
    processor_time().saturating_sub(started).as_secs_f64() / passes
}

/// How long this thread was on a processor; where the system does not tell, how long the program has run.
fn processor_time() -> Duration {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| STARTED.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Seconds of the fastest of a few turns with every thread on its share.
fn measure_threads(work: &Work, engine: &Engine, threads: usize) -> f64 {
    let turn = || {
        let started = Instant::now();
        thread::scope(|scope| {
            for own in 0..threads {
                let share = work.services.iter().skip(own).step_by(threads);
                scope.spawn(move || share.for_each(|service| drop(engine.identify(service))));
            }
        });
        started.elapsed().as_secs_f64()
    };
    (0..THREAD_TURNS).map(|_| turn()).fold(f64::MAX, f64::min)
}

fn show(name: &str, work: &Work, seconds: f64) {
    let per_second = |count: usize| f64::from(u32::try_from(count).expect("a small number")) / seconds;
    println!(
        "  {name:<18} {:>8.1} MB/s {:>9.0} pieces/s {:>9.0} services/s",
        megabytes(work.bytes) / seconds,
        per_second(work.pieces),
        per_second(work.services.len())
    );
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).expect("less than 4 GB")) / 1e6
}
