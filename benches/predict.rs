//! Where to look next, at scale: a model of so many known services, and a list by it.
//!
//! ```text
//! cargo bench -p hinomi-survey --bench predict               # 10 million services
//! cargo bench -p hinomi-survey --bench predict -- 1000000    # as many as one says
//! ```
//!
//! The services are made while they are read, in order of address: three in four addresses of each /24 have one of
//! three devices that the network's number decides, each device four ports with chances of their own, and every tenth
//! host one port more, anywhere. What is told: the time to learn, the time to propose (the services are made once more
//! in both), memory as the system counts it, and hits expected. Making the services alone is measured too.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::sync::Arc;
use std::time::Instant;

use hinomi_model::scope::{Authority, Contact, Hours, PortSet, Probe, Rate, Scope};
use hinomi_model::{ServiceKey, Severity, Timestamp, Transport};
use hinomi_survey::predict::{Ground, Known, Learner, Proposer, Settings};

/// First address of the world.
const FIRST: u32 = 0x0a00_0000;

/// Targets that are proposed.
const LIMIT: usize = 1_000_000;

/// Devices that there are.
const DEVICES: u64 = 1_000;

fn main() {
    let wanted: u64 = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(10_000_000);
    let time: Timestamp = "2026-11-20".parse().expect("a time");
    let begin = Instant::now();
    let (mut made, mut last) = (0_u64, FIRST);
    world(wanted, time, &mut |service| {
        made += 1;
        if let std::net::IpAddr::V4(v4) = service.key.address {
            last = v4.into();
        }
    });
    let making = begin.elapsed();
    println!("{made} services made in {:.1} s, up to {}", making.as_secs_f64(), std::net::Ipv4Addr::from(last));

    let ground = Ground::new(&scope(), &[]);
    let before = resident_mb();
    let begin = Instant::now();
    let mut learner = Learner::new(&[], &ground, 1);
    world(wanted, time, &mut |service| learner.take(service));
    let model = learner.finish();
    let learning = begin.elapsed();
    println!(
        "learned from {} hosts in {:.1} s ({:.2} million services a second without making them), {:.0} MB more in \
         memory, {:.0} MB at most",
        model.learned(),
        learning.as_secs_f64(),
        millions(made) / (learning.saturating_sub(making)).as_secs_f64(),
        resident_mb() - before,
        peak_mb()
    );

    let begin = Instant::now();
    let settings = Settings { limit: LIMIT, ..Settings::default() };
    let mut proposer = Proposer::new(&model, &ground, &[], settings, time);
    world(wanted, time, &mut |service| proposer.take(service));
    let proposed = proposer.finish();
    let proposing = begin.elapsed();
    println!(
        "{} targets proposed in {:.1} s ({:.2} million hosts a second), {:.0} services expected, {:.0} MB at most",
        proposed.candidates.len(),
        proposing.as_secs_f64(),
        millions(proposed.hosts) / (proposing.saturating_sub(making)).as_secs_f64(),
        proposed.expected,
        peak_mb()
    );
}

/// Hands out services in order of address until there are so many.
fn world(wanted: u64, time: Timestamp, take: &mut dyn FnMut(Known)) {
    let products: Vec<Arc<str>> = (0..DEVICES).map(|device| format!("device {device}").into()).collect();
    let mut made = 0;
    for number in 0_u32.. {
        if made >= wanted {
            return;
        }
        let draw = mixed(number.into());
        if draw.is_multiple_of(4) {
            continue;
        }
        let device = mixed(u64::from(number >> 8) * 3 + (draw >> 2) % 3) % DEVICES;
        let mut ports: Vec<u16> = (0..4)
            .filter(|place| mixed(draw ^ (place + 1)) % 100 < 40 + place * 15)
            .map(|place| port(mixed(device * 4 + place), place))
            .collect();
        if (draw >> 8).is_multiple_of(10) {
            ports.push(u16::try_from(1 + (draw >> 16) % 65_535).unwrap_or(1));
        }
        ports.sort_unstable();
        ports.dedup();
        for port in ports {
            let key = ServiceKey { address: (FIRST + number).to_be_bytes().into(), port, transport: Transport::Tcp };
            let product = usize::try_from(device).ok().and_then(|at| products.get(at)).cloned();
            made += 1;
            take(Known {
                key,
                first_seen: time,
                last_seen: time,
                product,
                kind: None,
                asn: Some(number >> 14),
                severity: Severity::Info,
                plant: false,
            });
        }
    }
}

/// The first two of a device's ports are usual ones, the others its own.
fn port(draw: u64, place: u64) -> u16 {
    const USUAL: [u16; 12] = [80, 443, 22, 7547, 8080, 554, 23, 8443, 21, 5000, 8291, 161];
    let usual = usize::try_from(draw % 12).ok().and_then(|at| USUAL.get(at)).copied().unwrap_or(80);
    if place < 2 { usual } else { u16::try_from(1_024 + draw % 64_000).unwrap_or(1_024) }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn scope() -> Scope {
    Scope {
        name: "world".into(),
        authority: Authority { organisation: "O".into(), person: "P".into(), reference: String::new() },
        contact: Contact { email: "a@b".into(), phone: String::new(), page: String::new() },
        ranges: vec!["10.0.0.0/8".parse().expect("a prefix")],
        exclude: Vec::new(),
        tcp: "1-65535".parse().expect("ports"),
        udp: PortSet::default(),
        probes: Probe::all().collect(),
        probe_ports: Vec::new(),
        rate: Rate { total_pps: 1_000, per_prefix_pps: 100, per_host_pps: 10, per_host_connections: 1 },
        hours: Hours::always(),
        valid_from: "2026-11-01".parse().expect("a date"),
        valid_until: "2026-12-01".parse().expect("a date"),
    }
}

fn resident_mb() -> f64 {
    status_mb("VmRSS:")
}

fn peak_mb() -> f64 {
    status_mb("VmHWM:")
}

/// Not known where the system does not tell it.
fn status_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1_024.0
}

#[expect(clippy::cast_precision_loss, reason = "a count for people to read")]
fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}
