//! What saved queries cost while sightings come in, on this machine:
//! `cargo run --release -p hinomi-lake --example watch [QUERIES] [SERVICES]`.
//!
//! A lake of some services is looked at again and again in batches of 10,000; two in a hundred say something else each
//! time. Rounds with and without the saved queries take turns, so that both see the same weather. Absolute figures mean
//! little on a shared machine.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinomi_lake::{Lake, LakeOptions, Places};
use hinomi_model::time::FixedClock;
use hinomi_model::{
    Batch, DeviceKind, Evidence, EvidenceKind, Facts, Identifier, Marking, Outcome, Purpose, ServiceKey, Sighting,
    Sink, Timestamp, Transport,
};

const BATCH: u32 = 10_000;
const CHANGED_IN: u32 = 50;
const ROUNDS: u32 = 6;
const BEGIN_S: i64 = 1_790_000_000;
const PRODUCTS: u32 = 400;

struct Banners;

impl Identifier for Banners {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).unwrap_or_default();
        let mut words = text.split_whitespace();
        let kinds: Vec<DeviceKind> = DeviceKind::all().collect();
        Facts {
            protocol: words.next().and_then(|word| word.parse().ok()),
            product: words.next().map(ToOwned::to_owned),
            version: words.next().map(ToOwned::to_owned),
            kind: kinds.get(text.len() % kinds.len()).copied(),
            title: Some(format!("welcome to unit {}", text.len())),
            summary: Some(text.clone()),
            tags: if text.contains("unit 77") { vec!["telnet-open".to_owned()] } else { Vec::new() },
            ..Facts::default()
        }
    }

    fn revision(&self) -> &str {
        "watch"
    }
}

fn mixed(number: u32) -> u32 {
    let mut state = number.wrapping_mul(2_654_435_761) ^ 0x5bd1_e995;
    state ^= state >> 15;
    state.wrapping_mul(2_246_822_519) ^ (state >> 13)
}

fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from((10 << 24) + n / 2)
}

/// Queries as people save them: most about their own range, some about a product, few about everything.
fn query(n: u32, services: u32) -> String {
    let (random, at) = (mixed(n), address(mixed(n ^ 0xffff) % services));
    let net = |bits: u32| format!("{}/{bits}", Ipv4Addr::from(u32::from(at) & (u32::MAX << (32 - bits))));
    let product = format!("server{}", random % PRODUCTS);
    match n % 20 {
        0..=4 => format!("net:{} port:443", net(24)),
        5..=7 => format!("net:{} -kind:router", net(28)),
        8..=10 => format!("ip:{at}"),
        11..=13 => format!("product:{product} version:<{}.5 net:{}", random % 7, net(16)),
        14 => format!("product:{product} version:{}.{}", random % 7, random % 30),
        15 => format!("\"unit {}\" port:80", random % 5_000),
        16 => format!("(product:{product} OR \"unit {}\") net:{}", random % 5_000, net(20)),
        17 => format!("title:\"unit {}\" has:product net:{}", random % 60, net(22)),
        18 => format!("product:{product}* tag:telnet-open"),
        _ => format!("net:{} seen:<1d (kind:camera OR port:8080)", net(23)),
    }
}

fn batch(from: u32, round: u32) -> Batch {
    let mut told = Batch::default();
    for n in from..from + BATCH {
        let said = if round > 0 && n % CHANGED_IN == round % CHANGED_IN { mixed(n ^ (round << 20)) } else { mixed(n) };
        let content = said % 5_000;
        let banner = format!(
            "http server{} {}.{} welcome to unit {content} of the city hall, please log in to go on; connection is close",
            content % PRODUCTS,
            content % 7,
            content % 30
        );
        let evidence = Evidence::new(EvidenceKind::Banner, banner);
        let port = if n % 2 == 0 { 80 } else { 443 };
        told.sightings.push(Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: Some("bench".parse().expect("a name")),
            time: Timestamp::from_micros((BEGIN_S + i64::from(round) * 86_400) * 1_000_000 + i64::from(n) * 50),
            subject: ServiceKey { address: IpAddr::V4(address(n)), port, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: vec![evidence.reference()],
            marking: Marking::own(Purpose::Exercise),
        });
        told.evidence.push(evidence);
    }
    told
}

fn round(lake: &Lake, services: u32, number: u32) -> Duration {
    let mut spent = Duration::ZERO;
    for from in (0..services).step_by(BATCH as usize) {
        let told = batch(from, number);
        let start = Instant::now();
        lake.append(told).expect("appended");
        spent += start.elapsed();
    }
    spent
}

/// Writes the saved queries at once: adding them one by one is for people.
fn save(state: &Path, count: u32, services: u32) {
    let one = |n: u32| {
        let query = query(n, services).replace('\\', "\\\\").replace('"', "\\\"");
        format!(r#"{{"id":{n},"name":"{n}","query":"{query}","owner":"bench","created":"2026-11-22T00:00:00Z"}}"#)
    };
    let all: Vec<String> = (1..=count).map(one).collect();
    let text = format!(r#"{{"format":1,"next":{},"queries":[{}]}}"#, count + 1, all.join(","));
    let folder = state.join(hinomi_lake::watch::FOLDER);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("queries.json"), text).expect("written");
}

fn main() {
    let mut asked = std::env::args().skip(1).filter_map(|text| text.parse::<u32>().ok());
    let (count, services) = (asked.next().unwrap_or(20_000), asked.next().unwrap_or(400_000));
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(FixedClock(Timestamp::from_micros(BEGIN_S * 1_000_000)));
    let (places, identifier) = (Places::default(), Arc::new(Banners));
    let options = LakeOptions { dir: dir.path().to_owned(), read_only: false, identifier, places, clock };
    let lake = Lake::open(options).expect("opened");
    let rate = |spent: Duration, rounds: u32| f64::from(services) * f64::from(rounds) / spent.as_secs_f64();
    println!("{services} services, all new: {:.0} sightings/s", rate(round(&lake, services, 0), 1));
    let saved = dir.path().join(hinomi_lake::watch::FOLDER).join("queries.json");
    let (mut with, mut without) = (Duration::ZERO, Duration::ZERO);
    for number in 0..ROUNDS {
        without += round(&lake, services, 1 + 2 * number);
        save(dir.path(), count, services);
        with += round(&lake, services, 2 + 2 * number);
        std::fs::remove_file(&saved).expect("removed");
    }
    let status = lake.watch_status();
    let more = with.as_secs_f64() - without.as_secs_f64();
    let changes = f64::from(u32::try_from(status.changes).unwrap_or(u32::MAX));
    println!("{count} saved queries, {} of them asked for every change", status.always);
    println!("without {:.0} sightings/s, with {:.0}: {:+.1}%", rate(without, ROUNDS), rate(with, ROUNDS), {
        (rate(with, ROUNDS) / rate(without, ROUNDS) - 1.0) * 100.0
    });
    println!(
        "{} changes, {} queries asked, {} fired; {:.1} us a change (compiling and journal included)",
        status.changes,
        status.asked,
        status.fired,
        more / changes.max(1.0) * 1e6
    );
}
