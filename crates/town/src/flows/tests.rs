//! The router against itself: the same from any beginning, nobody's addresses, numbers that add up.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::config::TownConfig;

fn router(size: u32) -> Router {
    Router::new(&Plan::new(TownConfig { size, ..TownConfig::default() }).expect("a town"))
}

fn noon() -> Timestamp {
    "2026-11-20T03:00:00Z".parse().expect("a time")
}

fn told(router: &Router, from: Timestamp, to: Timestamp) -> Vec<Told> {
    router.flows(from).take_while(|told| told.time < to).collect()
}

#[test]
fn a_span_is_the_same_wherever_it_was_begun() {
    let town = router(128);
    let (from, to) = (noon(), noon().plus(Duration::from_hours(2)));
    let long = told(&town, from.minus(Duration::from_hours(7)), to);
    let short = told(&town, from, to);
    assert!(short.len() > 500, "{}", short.len());
    let later: Vec<Told> = long.into_iter().filter(|told| told.time >= from).collect();
    assert!(later == short && short == told(&router(128), from, to));
    assert!(short.is_sorted_by_key(|told| told.time));
}

#[test]
fn exactly_one_side_is_a_line_and_the_other_is_nobodys() {
    let prefixes = Router::subscribers();
    let is_line = |address| prefixes.iter().any(|prefix| prefix.contains(&address));
    let all = told(&router(256), noon(), noon().plus(Duration::from_hours(12)));
    for Told { time, flow, domain } in &all {
        let (own, far) =
            if is_line(flow.source) { (flow.source, flow.destination) } else { (flow.destination, flow.source) };
        assert!(is_line(own) && is_nobodys(far), "{own} {far}");
        assert!(flow.start <= flow.end && flow.end <= *time && time.since(flow.end) <= Duration::from_secs(15));
        assert!(flow.end.since(flow.start) <= Duration::from_secs(1_800));
        assert_eq!(flow.reverse.is_none(), *domain == 2);
        assert!(flow.forward.packets > 0 || flow.reverse.is_some_and(|back| back.packets > 0));
    }
    let families: BTreeSet<bool> = all.iter().map(|told| told.flow.source.is_ipv6()).collect();
    let domains: BTreeSet<u32> = all.iter().map(|told| told.domain).collect();
    assert_eq!((families.len(), domains.len()), (2, 2));
}

#[test]
fn the_truth_names_three_servers_and_bots_are_different_lines() {
    let truth = router(1_024).truth();
    let cnc: Vec<&FlowTruth> = truth.iter().filter(|truth| truth.kind == EndpointKind::CommandAndControl).collect();
    let says: Vec<Say> = cnc.iter().map(|truth| truth.say).collect();
    assert_eq!(says, [Say::NamedAndShared, Say::NamedAndShared, Say::NamedAndKept]);
    let bots: Vec<IpAddr> = cnc.iter().flat_map(|truth| truth.bots.clone()).collect();
    assert_eq!(bots.iter().collect::<BTreeSet<_>>().len(), bots.len());
    assert!(truth.iter().all(|truth| is_nobodys(truth.address)));
    let places: BTreeSet<_> = truth.iter().map(|truth| (truth.address, truth.port, truth.transport)).collect();
    assert_eq!(places.len(), truth.len());
}

#[test]
fn bots_are_devices_that_let_strangers_in_as_long_as_there_are_such() {
    let town = router(1_024);
    let open = town.lines().iter().filter(|line| line.is_open).count();
    let bots = town.bots();
    let all: Vec<u32> = [&bots.hibana, &bots.tsurara, &bots.kogarashi].into_iter().flatten().copied().collect();
    let infected_open = town.lines_of(&all).filter(|line| line.is_open).count();
    assert_eq!(infected_open, open.min(all.len()));
    assert!(infected_open >= 25, "{infected_open} of {}", all.len());
}

#[test]
fn what_the_truth_names_is_met_within_two_days() {
    let town = router(1_024);
    let met: BTreeSet<(IpAddr, u16)> = told(&town, noon(), noon().plus(Duration::from_hours(48)))
        .iter()
        .flat_map(|Told { flow, .. }| [(flow.source, flow.source_port), (flow.destination, flow.destination_port)])
        .collect();
    let missed: Vec<FlowTruth> =
        town.truth().into_iter().filter(|truth| !met.contains(&(truth.address, truth.port))).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
