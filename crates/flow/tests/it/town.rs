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

/// Two days of a town, as its router's messages are decoded.
fn two_days(size: u32, seed: u64, until: &str) -> (Case, Vec<FlowTruth>) {
    let router = Router::new(&Plan::new(TownConfig { size, seed, ..TownConfig::default() }).expect("a town"));
    let until: Timestamp = until.parse().expect("a time");
    let exporter: SocketAddr = "127.0.0.1:2055".parse().expect("an address");
    let (mut decoder, mut records) = (Decoder::new(Limits::default()), Vec::<FlowRecord>::new());
    let messages = router.messages(until.minus(Duration::from_hours(48)));
    for message in messages.take_while(|message| message.time < until) {
        decoder.decode(exporter, message.time, &message.bytes, &mut |record| records.push(record));
    }
    assert_eq!(decoder.counts().refusals(), 0);
    let truth = router.truth();
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
