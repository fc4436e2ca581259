//! Prediction beside the orders that need no knowledge, and the rules that it keeps.

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::{ServiceKey, Severity, Timestamp, Transport};

use super::world::{World, scope, tcp};
use super::*;
use crate::sweep::List;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn day(number: u64) -> Timestamp {
    at("2026-11-01").plus(Duration::from_secs(number * 86_400))
}

fn propose(ground: &Ground, known: &BTreeMap<ServiceKey, Known>, asked: &[Asked], settings: Settings) -> Proposed {
    let mut learner = Learner::new(asked, ground, settings.seed);
    known.values().cloned().for_each(|service| learner.take(service));
    let model = learner.finish();
    let mut proposer = Proposer::new(&model, ground, asked, settings, day(10));
    known.values().cloned().for_each(|service| proposer.take(service));
    proposer.finish()
}

/// How many /24 the world has.
const NETWORKS: u32 = 12;

/// Half of the addresses were surveyed at every port. Rounds of lists are visited, each learned from what came before.
/// Gives (probes, found, expected) after each round, and what there was to find.
fn rounds(seed: u64, rounds: u64, each: usize) -> (Vec<(u64, u64, f64)>, World, BTreeSet<ServiceKey>) {
    let world = World::new(seed, NETWORKS);
    let half = scope(world.half(seed), "1-65535");
    let ground = Ground::new(&world.scope(), &[]);
    let mut asked = vec![Asked::whole(&half, half.tcp.clone(), half.udp.clone(), day(1), day(2))];
    let seen = world.open.keys().filter(|key| asked[0].holds(**key));
    let mut known: BTreeMap<_, _> = seen.filter_map(|key| Some((*key, world.known(*key, day(1))?))).collect();
    let hidden: BTreeSet<_> = world.open.keys().filter(|key| !known.contains_key(*key)).copied().collect();
    let (mut probes, mut found, mut expected) = (0, 0, 0.0);
    let mut curve = Vec::new();
    for round in 0..rounds {
        let settings = Settings { limit: each, seed: seed + round, ..Settings::default() };
        let proposed = propose(&ground, &known, &asked, settings);
        let keys: Vec<_> = proposed.candidates.iter().map(|one| one.key).collect();
        let list = List::new(keys.iter().copied()).expect("a list");
        assert_eq!(list.len() as usize, keys.len(), "each once");
        assert!(keys.iter().all(|key| !known.contains_key(key) && ground.permits(*key)));
        assert!(keys.iter().all(|key| !asked.iter().any(|asked| asked.holds(*key))), "none was asked lately");
        let random = proposed.candidates.iter().filter(|one| one.reason.is_random()).map(|one| one.key);
        let random = List::new(random).expect("a list");
        asked.push(Asked::list(list, Some(random), day(3 + round), day(3 + round)));
        for key in keys {
            if let Some(service) = world.known(key, day(3 + round)) {
                known.insert(key, service);
                found += 1;
            }
        }
        probes += each as u64;
        expected += proposed.expected;
        curve.push((probes, found, expected));
    }
    (curve, world, hidden)
}

/// What the same number of probes finds port by port over all that was not asked, the most popular port first.
fn by_popularity(world: &World, hidden: &BTreeSet<ServiceKey>, addresses: u64, probes: u64) -> f64 {
    let mut ports: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for key in world.open.keys() {
        let counts = ports.entry(key.port).or_default();
        counts.0 += u64::from(!hidden.contains(key));
        counts.1 += u64::from(hidden.contains(key));
    }
    let mut order: Vec<_> = ports.into_values().collect();
    order.sort_unstable_by_key(|(popular, _)| std::cmp::Reverse(*popular));
    let mut left = probes as f64;
    let mut found = 0.0;
    for (_, there) in order {
        let part = (left / addresses as f64).min(1.0);
        found += there as f64 * part;
        left -= addresses as f64 * part;
    }
    found
}

#[test]
fn prediction_finds_more_with_each_probe_than_popular_ports_or_all_of_them() {
    for seed in [1, 2, 3, 4, 5] {
        let (curve, world, hidden) = rounds(seed, 5, 1_000);
        let addresses = u64::from(NETWORKS) * 256 / 2;
        for (probes, found, expected) in &curve {
            let popular = by_popularity(&world, &hidden, addresses, *probes);
            let exhaustive = hidden.len() as f64 * *probes as f64 / (addresses as f64 * 65_535.0);
            println!(
                "seed {seed}: {probes} probes find {found} of {} (expected {expected:.0}, {:.2} of it found); popular \
                 {popular:.0}, exhaustive {exhaustive:.2}",
                hidden.len(),
                *found as f64 / expected,
            );
        }
        for (probes, found, expected) in &curve {
            let (found, probes) = (*found as f64, *probes);
            let popular = by_popularity(&world, &hidden, addresses, probes);
            assert!(found > 1.2 * popular, "seed {seed}: {found} beside {popular} by popular ports");
            assert!(found > 1_000.0 * hidden.len() as f64 * probes as f64 / (addresses as f64 * 65_535.0));
            let ratio = found / expected;
            assert!((0.85..1.15).contains(&ratio), "seed {seed}: {found} found, {expected:.0} expected");
        }
        let (probes, found, _) = curve.last().expect("rounds");
        let popular = by_popularity(&world, &hidden, addresses, *probes);
        assert!(*found as f64 > 1.8 * popular, "seed {seed}: in the end {found} beside {popular} by popular ports");
    }
}

fn service(address: u32, port: u16, product: &str) -> Known {
    Known {
        key: tcp(address, port),
        first_seen: day(1),
        last_seen: day(1),
        product: Some(product.into()),
        kind: Some("router".into()),
        asn: Some(64_500),
        severity: Severity::Info,
        plant: false,
    }
}

const BASE: u32 = 0x0a01_0000;

/// Forty routers in as many networks speak RouterOS at 80 and have 8291 open; forty others speak something else and do
/// not. One more of the former was seen at 80 alone.
fn routers() -> BTreeMap<ServiceKey, Known> {
    let mut known = BTreeMap::new();
    let mut add = |one: Known| known.insert(one.key, one);
    for number in 0..40 {
        add(service(BASE + number * 512 + 1, 80, "RouterOS"));
        add(service(BASE + number * 512 + 1, 8291, "winbox"));
        add(service(BASE + number * 512 + 257, 80, "nginx"));
    }
    add(service(BASE + 0xfe07, 80, "RouterOS"));
    known
}

fn ground(ports: &str, opt_out: &[&str]) -> Ground {
    let opt_out: Vec<_> = opt_out.iter().map(|text| text.parse().expect("a prefix")).collect();
    Ground::new(&scope(vec!["10.1.0.0/16".parse().expect("a prefix")], ports), &opt_out)
}

#[test]
fn the_best_single_feature_is_the_reason() {
    let settings = Settings { limit: 10, explore: 0.2, ..Settings::default() };
    let proposed = propose(&ground("80,8291,7547", &[]), &routers(), &[], settings);
    let first = proposed.candidates.first().expect("a candidate");
    assert_eq!(first.key, tcp(BASE + 0xfe07, 8291));
    assert_eq!(first.reason.to_string(), "8291/tcp open where 80/tcp speaks RouterOS: 40 of 41 hosts");
    assert!((0.8..0.98).contains(&first.expected), "{}", first.expected);
    assert_eq!((proposed.candidates.len(), proposed.random), (10, 2));
    assert!(proposed.candidates.iter().skip(8).all(|one| one.reason.is_random()), "those at random stand last");
}

#[test]
fn what_a_product_never_has_is_not_expected_of_it_because_neighbours_do() {
    // In one network half speak RouterOS and have 8291 open, half are printers and have 9100; elsewhere the same apart.
    let mut known = BTreeMap::new();
    let mut add = |one: Known| known.insert(one.key, one);
    for number in 1..=40 {
        for network in [0, 256, 512 + number * 256] {
            add(service(BASE + network + number * 2, 80, "RouterOS"));
            add(service(BASE + network + number * 2, 8291, "winbox"));
            add(service(BASE + network + number * 2 + 1, 80, "printer"));
            add(service(BASE + network + number * 2 + 1, 9100, "jetdirect"));
        }
    }
    let new = BASE + 200;
    add(service(new, 80, "printer"));
    let ground = ground("80,8291,9100", &[]);
    let asked: Vec<_> = known.keys().filter(|key| key.address != tcp(new, 80).address).copied().collect();
    let throughout = |key: ServiceKey| [80, 8291, 9100].map(|port| ServiceKey { port, ..key });
    let all = List::new(asked.into_iter().flat_map(throughout)).expect("a list");
    let list = List::new([tcp(new, 80)]).expect("a list");
    let asked = [Asked::list(all, None, day(1), day(2)), Asked::list(list, None, day(3), day(3))];
    let settings = Settings { limit: 2_000, explore: 0.0, ..Settings::default() };
    let proposed = propose(&ground, &known, &asked, settings);
    let of = |port| {
        let found = proposed.candidates.iter().find(|one| one.key == tcp(new, port));
        found.map_or(0.0, |one| one.expected)
    };
    assert!(of(9100) > 0.9, "{}", of(9100));
    assert!(of(8291) < 0.05, "half of its neighbours have it, and no printer: {}", of(8291));
}

#[test]
fn scope_opt_out_and_silence_are_kept() {
    let settings = Settings { limit: 400, explore: 0.5, ..Settings::default() };
    let there = tcp(BASE + 0xfe07, 8291);
    let has = |proposed: &Proposed| proposed.candidates.iter().any(|one| one.key == there);
    assert!(has(&propose(&ground("80,8291", &[]), &routers(), &[], settings)));
    let without = propose(&ground("80,7547", &[]), &routers(), &[], settings);
    assert!(without.candidates.iter().all(|one| one.key.port != 8291), "not in the scope");
    let opted_out = propose(&ground("80,8291", &["10.1.254.0/24"]), &routers(), &[], settings);
    assert!(opted_out.candidates.iter().all(|one| !one.key.address.to_string().starts_with("10.1.254.")));
    let list = || List::new([there]).expect("a list");
    let lately = [Asked::list(list(), None, day(5), day(5))];
    assert!(!has(&propose(&ground("80,8291", &[]), &routers(), &lately, settings)), "silent five days ago");
    let long_ago = Settings { silent: Duration::from_secs(4 * 86_400), ..settings };
    assert!(has(&propose(&ground("80,8291", &[]), &routers(), &lately, long_ago)));
}

#[test]
fn a_host_counts_only_where_it_was_asked() {
    let known = routers();
    // Everything was asked at 80, and only the first /17 at 8291.
    let world = scope(vec!["10.1.0.0/16".parse().expect("a prefix")], "80");
    let part = scope(vec!["10.1.0.0/18".parse().expect("a prefix")], "8291");
    let whole = |of: &hinomi_model::scope::Scope, port: &str| {
        Asked::whole(of, port.parse().expect("ports"), "".parse().unwrap_or_default(), day(0), day(2))
    };
    let asked = [whole(&world, "80"), whole(&part, "8291")];
    let ground = ground("80,8291", &[]);
    let mut learner = Learner::new(&asked, &ground, 1);
    known.values().cloned().for_each(|service| learner.take(service));
    let model = learner.finish();
    let host =
        Host { address: tcp(BASE + 0xfe07, 80).address, services: vec![service(1, 80, "RouterOS")], pretends: false };
    let feature = model.features_of(&host).pop().expect("the product");
    let rates: Vec<_> = model.rates(feature.hash).collect();
    assert_eq!(rates, [(8291, 32, 32)], "of the thirty-two hosts in the part that was asked");
    let random = model.at_random((Transport::Tcp, 8291));
    assert!((random - 32.0 / 16_384.0).abs() < 1e-4, "{random}");
}

#[test]
fn a_list_teaches_by_hosts_that_it_asked_throughout() {
    let known = routers();
    let ground = ground("80,8291", &[]);
    let teaches = |keys: Vec<ServiceKey>| {
        let asked = [Asked::list(List::new(keys).expect("a list"), None, day(1), day(2))];
        let mut learner = Learner::new(&asked, &ground, 1);
        known.values().cloned().for_each(|service| learner.take(service));
        learner.finish().learned()
    };
    assert_eq!(teaches(known.keys().copied().collect()), 40, "those of which nothing but the answers was asked do not");
    let both = |key: &ServiceKey| [ServiceKey { port: 80, ..*key }, ServiceKey { port: 8291, ..*key }];
    assert_eq!(teaches(known.keys().flat_map(both).collect()), 81);
    assert_eq!(teaches(Vec::new()), 81, "of imports nobody knows what was asked");
}

#[test]
fn what_answers_everywhere_teaches_nothing_and_is_left_alone() {
    let mut known = routers();
    (1..200).for_each(|port| drop(known.insert(tcp(BASE + 0xff01, port), service(BASE + 0xff01, port, "x"))));
    let proposed = propose(&ground("1-300,8291", &[]), &known, &[], Settings { explore: 0.0, ..Settings::default() });
    assert!(proposed.candidates.iter().all(|one| one.key.address != tcp(BASE + 0xff01, 1).address));
    assert!(
        proposed.candidates.iter().filter(|one| !one.reason.is_random()).all(|one| matches!(one.key.port, 80 | 8291))
    );
}

#[test]
fn nothing_known_is_explored_at_random_and_the_seed_decides() {
    let settings = Settings { limit: 500, ..Settings::default() };
    let drawn = |seed| {
        let proposed = propose(&ground("80,8291", &[]), &BTreeMap::new(), &[], Settings { seed, ..settings });
        assert_eq!((proposed.random, proposed.candidates.len()), (500, 500));
        proposed.candidates.iter().map(|one| one.key).collect::<Vec<_>>()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    let tiny = Ground::new(&scope(vec!["10.1.0.0/30".parse().expect("a prefix")], "80"), &[]);
    assert!(propose(&tiny, &BTreeMap::new(), &[], settings).candidates.len() <= 4);
}

fn due(known: &[Known], asked: &[Asked], now: Timestamp) -> Vec<Due> {
    let ground = ground("80,502,8291", &[]);
    let mut lifetimes = Lifetimes::new(asked, &ground);
    known.iter().for_each(|service| lifetimes.take(service));
    let mut schedule = Schedule::new(&lifetimes, asked, &ground, Settings::default(), now);
    known.iter().for_each(|service| schedule.take(service));
    schedule.finish().0
}

#[test]
fn the_dangerous_are_due_before_the_harmless_and_plant_is_asked_gently() {
    let of = |address: u32, severity, plant| Known { severity, plant, ..service(BASE + address, 80, "x") };
    let known = [
        of(1, Severity::Info, false),
        of(2, Severity::Critical, false),
        of(3, Severity::Critical, true),
        of(4, Severity::High, false),
    ];
    let keys = |due: &[Due]| due.iter().map(|one| one.key).collect::<Vec<_>>();
    assert_eq!(keys(&due(&known, &[], day(1))), []);
    // One end in ninety days: a quarter is reached after twenty-six days, an eighth of it after three.
    assert_eq!(keys(&due(&known, &[], day(5))), [known[1].key]);
    let after_a_week = keys(&due(&known, &[], day(8)));
    assert_eq!(after_a_week.len(), 3, "{after_a_week:?}");
    assert_eq!(after_a_week.last(), Some(&known[3].key), "the severest first");
    assert_eq!(due(&known, &[], day(40)).len(), 4, "in the end all are");
}

#[test]
fn what_ends_fast_is_due_soon_and_what_was_missed_rests() {
    let mut known: Vec<Known> = (0..40).map(|host| service(BASE + host, 80, "x")).collect();
    known.extend((0..40).map(|host| Known {
        kind: Some("server".into()),
        last_seen: day(9),
        ..service(BASE + 0x0100_0000 + host, 8291, "y")
    }));
    let world = scope(vec!["10.0.0.0/8".parse().expect("a prefix")], "80,8291");
    let again = Asked::whole(&world, world.tcp.clone(), world.udp.clone(), day(3), day(4));
    let asked = [again];
    let both = || ["10.0.0.0/8", "11.0.0.0/8"].map(|range| range.parse().expect("a prefix")).to_vec();
    let wide = Ground::new(&scope(both(), "80,8291"), &[]);
    let mut lifetimes = Lifetimes::new(&asked, &wide);
    known.iter().for_each(|service| lifetimes.take(service));
    let (gone, there) = (lifetimes.of(&known[0]), lifetimes.of(&known[79]));
    assert!(gone.rate > 5.0 * there.rate, "{gone:?} {there:?}");
    assert_eq!(gone.ends, 40);
    assert_eq!(due(&known[..40], &asked, day(10)), [], "asked in vain six days ago");
    assert_eq!(due(&known[..40], &asked, day(19)).len(), 40);
    let gone: Vec<_> = ["10.0.0.0/8".parse().expect("a prefix")].into();
    let opted_out = Ground::new(&scope(both(), "80,8291"), &gone);
    let mut lifetimes = Lifetimes::new(&asked, &opted_out);
    known.iter().for_each(|service| lifetimes.take(service));
    assert_eq!(lifetimes.of(&known[0]).ends, 0, "who opted out was not asked in vain");
}

#[test]
fn what_a_list_left_out_was_not_asked() {
    let key =
        |text: &str| ServiceKey { address: text.parse().expect("an address"), port: 80, transport: Transport::Tcp };
    let keys = ["fd00::1", "fd00::2", "fd00::3", "fd00:0:0:1::1"].map(key);
    let list = List::new(keys).expect("a list");
    let random = List::new([keys[1], keys[3]]).expect("a list");
    let asked = Asked::list(list, Some(random), day(1), day(2)).without(&["fd00::/64".parse().expect("a prefix")]);
    assert_eq!(keys.map(|key| asked.holds(key)), [true, false, false, true]);
    assert_eq!(keys.map(|key| asked.asked_at_random(key)), [false, false, false, true]);
}

#[test]
fn hosts_elsewhere_make_no_port_likelier_here() {
    let mut known = routers();
    (0..2_000).for_each(|host| {
        let one = service(0x0a02_0000 + host * 16, 8291, "winbox");
        known.insert(one.key, one);
    });
    let rate = |ground: &Ground| {
        let mut learner = Learner::new(&[], ground, 1);
        known.values().cloned().for_each(|service| learner.take(service));
        learner.finish().at_random((Transport::Tcp, 8291))
    };
    let here = rate(&ground("80,8291", &[]));
    assert!((here - 40.0 / 65_536.0).abs() < 1e-9, "forty of its addresses: {here}");
}

#[test]
fn a_service_that_came_later_was_not_found_at_random() {
    let world = scope(vec!["10.1.0.0/16".parse().expect("a prefix")], "8291");
    let asked = [Asked::whole(&world, world.tcp.clone(), world.udp.clone(), day(1), day(2))];
    let rate = |first_seen| {
        let ground = ground("8291", &[]);
        let mut learner = Learner::new(&asked, &ground, 1);
        for host in 0..100 {
            learner.take(Known { first_seen, last_seen: day(9), ..service(BASE + host * 16, 8291, "winbox") });
        }
        learner.finish().at_random((Transport::Tcp, 8291))
    };
    assert!(rate(day(8)) < rate(day(1)) / 10.0, "{} {}", rate(day(8)), rate(day(1)));
}

#[test]
fn networks_that_were_asked_in_parts_were_asked_as_a_whole() {
    let ground = ground("80,8291", &[]);
    let part = |range: &str, ports: &str| {
        let of = scope(vec![range.parse().expect("a prefix")], ports);
        Asked::whole(&of, of.tcp.clone(), of.udp.clone(), day(1), day(2))
    };
    let asked = [
        part("10.1.0.0/25", "80"),
        part("10.1.0.128/26", "80"),
        part("10.1.0.128/26", "80"),
        part("10.1.0.0/24", "8291"),
    ];
    let surveyed = propose::Surveyed::new(&asked, &ground);
    let from = hinomi_model::address::to_u128(tcp(BASE, 80).address);
    assert_eq!(surveyed.addresses_in(80, from, from + 256), 192, "each address once");
    assert_eq!(surveyed.addresses_in(8291, from, from + 256), 256);
    assert_eq!(surveyed.addresses_in(22, from, from + 256), 0);
}
