//! The town's two days: what is planted is found, what only looks like it is not named, and the gate keeps the small
//! one back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hinomi_flow::evaluate::{Case, Options, Outcome, Report, run};
use hinomi_flow::suppress::Knowledge;
use hinomi_model::Timestamp;
use hinomi_town::flows::{EndpointKind, FlowTruth, Router, Say};
use hinomi_town::{Plan, TownConfig};
use hinomi_wire::flow::{Decoder, FlowRecord, Limits};

fn town(size: u32, seed: u64) -> Router {
    Router::new(&Plan::new(TownConfig { size, seed, ..TownConfig::default() }).expect("a town"))
}

/// So many hours of a town up to a time, as its router's messages are decoded.
fn decoded(router: &Router, hours: u64, until: &str) -> Vec<FlowRecord> {
    let until: Timestamp = until.parse().expect("a time");
    let exporter: SocketAddr = "127.0.0.1:2055".parse().expect("an address");
    let (mut decoder, mut records) = (Decoder::new(Limits::default()), Vec::<FlowRecord>::new());
    let messages = router.messages(until.minus(Duration::from_hours(hours)));
    for message in messages.take_while(|message| message.time < until) {
        decoder.decode(exporter, message.time, &message.bytes, &mut |record| records.push(record));
    }
    assert_eq!(decoder.counts().refusals(), 0);
    records
}

/// Two days of a town.
fn two_days(size: u32, seed: u64, until: &str) -> (Case, Vec<FlowTruth>) {
    let router = town(size, seed);
    let (records, truth) = (decoded(&router, 48, until), router.truth());
    let cnc = truth.iter().filter(|truth| truth.kind == EndpointKind::CommandAndControl);
    let case = Case {
        name: format!("town of {size}, seed {seed}, until {until}"),
        composed: true,
        records,
        subscribers: Router::subscribers(),
        truth: cnc.map(|truth| (truth.address, truth.port)).collect(),
        ..Case::default()
    };
    (case, truth)
}

fn evaluated(case: &Case) -> Outcome {
    let knowledge = Some(Knowledge::builtin().expect("the built-in list reads"));
    let outcome = run(case, &Options { knowledge, ..Options::default() }).expect("a run");
    println!("{}", Report::new(vec![outcome.clone()]).lines().join("\n"));
    outcome
}

type Places = BTreeSet<(IpAddr, u16)>;

fn to_say(truth: &[FlowTruth], say: &[Say]) -> Places {
    truth.iter().filter(|truth| say.contains(&truth.say)).map(|truth| (truth.address, truth.port)).collect()
}

#[test]
fn the_planted_servers_are_the_first_and_only_findings() {
    for (size, seed, until) in [(1_024, 7, "2026-11-22T07:30:00Z"), (1_024, 23, "2026-11-24T18:05:00Z")] {
        let (case, truth) = two_days(size, seed, until);
        let outcome = evaluated(&case);
        let ranked: Vec<(IpAddr, u16)> =
            outcome.first.iter().map(|found| (found.endpoint.address, found.endpoint.port)).collect();
        let named: Places = outcome
            .first
            .iter()
            .filter(|found| found.is_named())
            .map(|found| (found.endpoint.address, found.endpoint.port))
            .collect();
        let planted = to_say(&truth, &[Say::NamedAndShared, Say::NamedAndKept]);
        assert_eq!(named, planted, "{}", case.name);
        assert_eq!((outcome.named, outcome.named_true), (planted.len(), planted.len()));
        assert_eq!(ranked.iter().take(planted.len()).copied().collect::<Places>(), planted);
        let shared = to_say(&truth, &[Say::NamedAndShared]);
        assert_eq!((outcome.exportable, outcome.exportable_true), (shared.len(), shared.len()));
    }
}

#[test]
fn a_router_that_samples_says_so_and_the_truth_stays() {
    let packets = |records: &[FlowRecord]| -> u64 {
        let of = |record: &FlowRecord| record.forward.packets + record.reverse.map_or(0, |back| back.packets);
        records.iter().map(|record| of(record) * u64::from(record.sampling)).sum()
    };
    let (all, until) = (town(256, 7), "2026-11-22T07:30:00Z");
    let sampled = town(256, 7).with_sampling("1:64".parse().expect("a sampling"));
    let (whole, some) = (decoded(&all, 3, until), decoded(&sampled, 3, until));
    assert!(whole.iter().all(|record| record.sampling == 1) && some.iter().all(|record| record.sampling == 64));
    assert!(some.len() * 3 < whole.len() && some.len() > 100, "{} of {}", some.len(), whole.len());
    let scaled = packets(&some) as f64 / packets(&whole) as f64;
    assert!((scaled - 1.0).abs() < 0.1, "sampled counts, multiplied, are the traffic: {scaled}");
    assert_eq!(decoded(&sampled, 3, until), some, "the same seed and time give the same sample");
    assert_eq!(all.truth(), sampled.truth());
}

#[test]
fn what_looks_like_a_botnet_scores_and_is_not_named() {
    let (case, truth) = two_days(1_024, 7, "2026-11-22T07:30:00Z");
    let outcome = evaluated(&case);
    let confidence: BTreeMap<(IpAddr, u16), f64> =
        outcome.first.iter().map(|found| ((found.endpoint.address, found.endpoint.port), found.confidence)).collect();
    let clouds = truth.iter().filter(|truth| truth.kind == EndpointKind::Cloud);
    let scored = clouds.filter_map(|cloud| confidence.get(&(cloud.address, cloud.port))).count();
    assert!(scored > 0, "a cloud that devices report to by the clock is no case where nothing speaks");
    assert!(outcome.baseline.named > outcome.baseline.named_true, "the baseline takes clockwork for beacons");
    assert!(outcome.servers.scanned > 0 && outcome.servers.flooded > 0, "{:?}", outcome.servers);
}
