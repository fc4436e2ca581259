use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn town(size: u32, day: u32) -> Plan {
    Plan::new(TownConfig { size, day, ..TownConfig::default() }).expect("a plan")
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.truth().map(|truth| serde_json::to_string(&truth).expect("json")).collect()
}

#[test]
fn same_seed_is_the_same_town_and_another_seed_is_not() {
    assert_eq!(lines(&town(512, 3)), lines(&town(512, 3)));
    let other = Plan::new(TownConfig { seed: 8, size: 512, day: 3, ..TownConfig::default() }).expect("a plan");
    assert_ne!(lines(&town(512, 3)), lines(&other));
}

#[test]
fn a_larger_town_contains_the_smaller_one() {
    let (small, large) = (lines(&town(100, 0)), lines(&town(1_000, 0)));
    assert_eq!(small.as_slice(), &large[..small.len()]);
}

#[test]
fn days_drift_a_little_and_firmware_only_rises() {
    let count = |day| lines(&town(4_096, day)).into_iter().collect::<BTreeSet<_>>();
    let (first, next, later) = (count(0), count(1), count(60));
    let stayed = |other: &BTreeSet<String>| first.intersection(other).count() as f64 / first.len() as f64;
    assert!((0.9..1.0).contains(&stayed(&next)), "{}", stayed(&next));
    assert!(stayed(&later) < stayed(&next));

    let firmware = |day: u32| -> BTreeMap<Ipv4Addr, usize> {
        let index = |host: &Host| host.persona.firmware.iter().position(|release| std::ptr::eq(release, host.firmware));
        town(4_096, day).hosts().filter_map(|host| Some((host.address, index(&host)?))).collect()
    };
    let (early, late) = (firmware(0), firmware(90));
    let both: Vec<_> = early.iter().filter_map(|(address, before)| Some((before, late.get(address)?))).collect();
    assert!(both.iter().all(|(before, after)| before <= after));
    assert!(both.iter().any(|(before, after)| before < after));
}

#[test]
fn hosts_leave_and_return() {
    let at_home = |day| town(2_000, day).hosts().map(|host| host.address).collect::<BTreeSet<_>>();
    let days: Vec<_> = (0..12).map(at_home).collect();
    assert!(days.iter().all(|home| (1_900..2_000).contains(&home.len())));
    let left: BTreeSet<_> = days[0].difference(&days[2]).collect();
    assert!(!left.is_empty());
    assert!(left.iter().any(|address| days[6..].iter().any(|home| home.contains(address))));
}

#[test]
fn mistakes_are_mended_and_appear() {
    let telnet = |day| -> BTreeSet<Ipv4Addr> {
        town(16_384, day).hosts().filter(|host| host.variant.name == "telnet-open").map(|host| host.address).collect()
    };
    let (before, after) = (telnet(0), telnet(30));
    assert!(before.difference(&after).count() > 5, "mended");
    assert!(after.difference(&before).count() > 5, "new");
}

#[test]
fn every_persona_and_fault_occurs_in_a_town_of_4096() {
    let truth: Vec<Truth> = town(4_096, 0).truth().collect();
    let personas: BTreeSet<&str> = truth.iter().map(|truth| truth.persona.as_str()).collect();
    assert_eq!(personas.len(), catalog::personas().expect("personas").len());
    let faults: BTreeSet<&str> = truth.iter().flat_map(|truth| &truth.faults).map(String::as_str).collect();
    let wanted = [
        "every-port",
        "endless",
        "hostile-words",
        "location-outside",
        "mute",
        "nonsense",
        "redirect-outside",
        "reset",
        "tarpit",
        "tls-garbage",
        "tls-truncated",
    ];
    assert_eq!(faults, wanted.into_iter().collect());
    let faulty: BTreeSet<_> = truth.iter().filter(|t| !t.faults.is_empty()).map(|t| t.address).collect();
    let all: BTreeSet<_> = truth.iter().map(|t| t.address).collect();
    assert!(faulty.len() * 20 < all.len(), "{} of {}", faulty.len(), all.len());
}

#[test]
fn no_truth_has_a_text_that_was_not_filled_in() {
    for line in lines(&town(4_096, 5)) {
        let unfilled = line.contains("{firmware}") || line.contains("{ssh}") || line.contains("{redis}");
        assert!(!unfilled, "{line}");
    }
}

#[test]
fn truth_round_trips_and_carries_what_the_command_promises() {
    let plan = town(64, 0);
    let truth = plan.truth().next().expect("somebody");
    let text = serde_json::to_value(&truth).expect("json");
    for key in ["address", "port", "transport", "vendor", "product", "version", "kind"] {
        assert!(text.get(key).is_some(), "{key}");
    }
    assert_eq!(serde_json::from_value::<Truth>(text).expect("a truth"), truth);
}

#[test]
fn filters_stay_within_their_bound_on_any_day() {
    for day in (0..500).step_by(7) {
        let plan = town(65_536, day);
        for natural in plan.natural_ports(Transport::Tcp) {
            plan.filter(natural).expect("a program within its bound");
        }
    }
}

#[test]
fn high_ports_are_high_and_distinct() {
    let plan = Plan::new(TownConfig { ports: crate::PortPlan::High, ..TownConfig::default() }).expect("a plan");
    let (ports, natural) = (plan.tcp_ports(), town(16, 0).tcp_ports());
    assert_eq!(ports.len(), natural.len());
    assert!(ports.iter().all(|port| port > 1_024 && !natural.contains(port)));
}

#[test]
fn hosts_that_share_an_address_have_ports_of_their_own() {
    let plan = Plan::new(TownConfig { layout: Layout::Single, ..TownConfig::default() }).expect("a plan");
    let truth: Vec<Truth> = plan.truth().collect();
    let sockets: BTreeSet<_> = truth.iter().map(|t| (t.transport, t.port)).collect();
    assert_eq!(sockets.len(), truth.len());
    assert!(truth.iter().all(|t| t.address.to_string() == "127.0.0.1" && t.port >= ports::BLOCK_FIRST));
    assert_eq!(plan.prefixes().iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1/32"]);
}

#[test]
fn what_cannot_be_a_town_is_refused() {
    let refused =
        |size, base: [u8; 4]| Plan::new(TownConfig { size, base: base.into(), ..TownConfig::default() }).is_err();
    assert!(refused(0, [127, 77, 0, 0]));
    assert!(refused(65_537, [127, 77, 0, 0]));
    assert!(refused(16, [127, 0, 0, 1]));
    assert!(refused(16, [192, 0, 2, 1]));
    assert!(refused(256, [127, 255, 255, 0]));
    assert!(!refused(255, [127, 255, 255, 0]));
}
