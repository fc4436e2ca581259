//! How fast evidence becomes facts, beside the same rules applied one after another, in one run.
//!
//! ```text
//! cargo bench -p hinomi-identify                     # the rules built in
//! cargo bench -p hinomi-identify -- --rules DIR      # and those of a folder, as a copy of Recog's xml
//! ```
//!
//! *One by one* is how Recog's own matcher works: every pattern that is made for a field runs on its value. *Index* is
//! what the program does. Everything else is shared, and the facts of every service are compared before anything is
//! measured. Both are measured in turns, so that whatever else the machine does falls on both, and the fastest turn of
//! each counts. *Reading* is what comes before any rule: bytes to named fields.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::env;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hinomi_identify::{Engine, Search, UserRules};
use hinomi_model::{Evidence, Facts, Identifier};

#[path = "identify/corpus.rs"]
mod corpus;

/// Each way is measured for so long in all, and at least twice.
const LONG_ENOUGH: Duration = Duration::from_secs(6);

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
    let arguments: Vec<String> = env::args().collect();
    if let Some([_, folder]) = arguments.windows(2).find(|pair| pair.first().is_some_and(|word| word == "--rules")) {
        let read = || UserRules::default().with(Path::new(folder)).expect("rules in the folder");
        let user = read();
        let name = format!("built-in, {} own rules, {} fingerprints", user.rules(), user.fingerprints());
        compare(&name, &work, read);
    }
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
    let (index, one_by_one) = (engine(Search::Index), engine(Search::OneByOne));
    println!("\n{name}: {} rules of our own format, revision {}", index.len(), index.revision());
    check(work, &index, &one_by_one);
    let read = |service: &[Evidence]| service.iter().map(|one| hinomi_wire::fields(one.kind, &one.bytes).len()).sum();
    let by = |engine: &Engine, service: &[Evidence]| engine.identify(service).proofs.len();
    let ways: [Way<'_>; 3] = [
        ("reading alone", &read),
        ("index", &|service| by(&index, service)),
        ("one by one", &|service| by(&one_by_one, service)),
    ];
    let seconds = measure(work, &ways);
    for ((name, _), seconds) in ways.iter().zip(&seconds) {
        show(name, work, *seconds);
    }
    if let [_, index, one_by_one] = seconds.as_slice() {
        println!("  index is {:.1} times as fast as one by one", one_by_one / index);
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    show(&format!("index, {threads} threads"), work, measure_threads(work, &index, threads));
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

/// Seconds of the fastest turn of each way.
fn measure(work: &Work, ways: &[Way<'_>]) -> Vec<f64> {
    let mut fastest = vec![f64::INFINITY; ways.len()];
    let mut spent = vec![Duration::ZERO; ways.len()];
    let mut turn = 0;
    while turn < 2 || spent.iter().any(|spent| *spent < LONG_ENOUGH) {
        for ((fastest, spent), (_, way)) in fastest.iter_mut().zip(&mut spent).zip(ways) {
            if turn >= 2 && *spent >= LONG_ENOUGH {
                continue;
            }
            let started = Instant::now();
            let found: usize = work.services.iter().map(|service| way(service)).sum();
            let took = started.elapsed();
            assert!(found > 0, "something is found");
            *spent += took;
            *fastest = fastest.min(took.as_secs_f64());
        }
        turn += 1;
    }
    fastest
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
    (0..5).map(|_| turn()).fold(f64::INFINITY, f64::min)
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
