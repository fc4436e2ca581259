use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::super::candidates::{Candidate, Source};
use super::super::inside::Inside;
use super::super::tests::{Numbers, scope_of};
use super::*;

fn six(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn texts(guesses: impl Iterator<Item = Candidate>) -> Vec<String> {
    guesses.map(|guess| guess.address.to_string()).collect()
}

#[test]
fn one_known_server_leads_to_the_usual_ones_beside_it() {
    let inside = Inside::of(&scope_of(&["fd00:a::/48"], &[]), &[]);
    let model = Model::learn([six("fd00:a:0:7::1")]);
    let guesses: Vec<_> = model.guesses(&inside, 24, 1).collect();
    let beside = |ending: &str| six(&format!("fd00:a:0:7::{ending}"));
    for ending in ["2", "3", "53", "80", "443"] {
        let usual = Candidate { address: beside(ending), source: Source::Usual };
        assert!(guesses.contains(&usual), "{ending}: {guesses:?}");
    }
    assert!(guesses.iter().all(|guess| guess.address != beside("1")), "known");
}

#[test]
fn numbering_ports_makers_and_ipv4_are_learnt() {
    let inside = Inside::of(&scope_of(&["fd00:a::/48"], &[]), &[]);
    // Ten servers of twelve in one network; one device of a maker in the next, others of it elsewhere.
    let servers = (1..=12).filter(|low| ![5, 9].contains(low)).map(|low| format!("fd00:a:0:1::{low:x}"));
    let devices = (0..16).filter(|low| *low != 6).map(|low| format!("fd00:a:0:2:21a:2bff:fe77:810{low:x}"));
    let known: Vec<IpAddr> = servers.chain(devices).map(|text| six(&text)).collect();
    let guesses = texts(Model::learn(known.iter().copied()).guesses(&inside, 60, 1));
    let first: Vec<&str> = guesses.iter().take(12).map(String::as_str).collect();
    for missing in ["fd00:a:0:1::5", "fd00:a:0:1::9", "fd00:a:0:2:21a:2bff:fe77:8106"] {
        assert!(first.contains(&missing), "{missing} among {first:?}");
    }
    let four = (1..=20).map(|low| IpAddr::from([192, 0, 2, low]));
    let guesses = texts(Model::learn(known.into_iter().chain(four)).guesses(&inside, 1_000, 1));
    for ending in ["fd00:a:0:1::c000:20a", "fd00:a:0:1:192:0:2:10"] {
        assert!(guesses.contains(&ending.to_owned()), "{ending}");
    }
}

#[test]
fn nothing_known_is_no_reason_to_guess() {
    let inside = Inside::of(&scope_of(&["fd00:a::/48"], &[]), &[]);
    assert_eq!(Model::learn([six("192.0.2.10")]).guesses(&inside, 10, 1).count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn guesses_stay_inside_are_new_and_differ(
        low in proptest::collection::vec((0u128..4, 0u128..8, any::<u64>(), any::<bool>()), 1..40),
        seed: u64, wanted in 1u64..300,
    ) {
        let scope = scope_of(&["fd00:a::/63", "fd00:b:0:2::/64", "fd00:c::/122"], &["fd00:a:0:1:0::/80"]);
        let opt_out = ["fd00:a::2/128".parse().expect("a prefix")];
        let inside = Inside::of(&scope, &opt_out);
        let known: Vec<IpAddr> = low.iter().map(|(net, subnet, ending, small)| {
            let ending = if *small { ending % 64 } else { *ending };
            IpAddr::V6((0xfd00_000a_u128 << 96 | net << 96 | subnet << 64 | u128::from(ending)).into())
        }).collect();
        let model = Model::learn(known.iter().copied());
        let guesses: Vec<IpAddr> = model.guesses(&inside, wanted, seed).map(|guess| guess.address).collect();
        prop_assert!(u64::try_from(guesses.len()).expect("few") <= wanted);
        let different: BTreeSet<_> = guesses.iter().collect();
        prop_assert_eq!(different.len(), guesses.len());
        for guess in &guesses {
            prop_assert!(scope.permits_address(*guess, &opt_out).is_ok(), "{}", guess);
            prop_assert!(!known.contains(guess));
        }
        let again: Vec<IpAddr> = model.guesses(&inside, wanted, seed).map(|guess| guess.address).collect();
        prop_assert_eq!(again, guesses, "the same seed, the same list");
    }
}

/// A provider's plan: servers numbered from 1 in some networks, devices of four makers in others, and people's own
/// machines with addresses of chance.
fn plan(seed: u64) -> Vec<u128> {
    let mut numbers = Numbers(seed);
    let base = 0xfd00_000a_0000_u128 << 80;
    let network = |subnet: u64| base | u128::from(subnet) << 64;
    let mut hosts = Vec::new();
    for subnet in 0..24 {
        let servers = 4 + numbers.below(28);
        hosts.extend((1..=servers).map(|low| network(subnet) | u128::from(low)));
        for port in [0x53_u128, 0x80, 0x443] {
            hosts.extend((numbers.below(3) == 0).then_some(network(subnet) | port));
        }
    }
    let makers: Vec<(u64, u64)> = (0..4).map(|_| (numbers.next() >> 40, numbers.next() >> 40)).collect();
    for subnet in 0x100..0x110 {
        for _ in 0..24 {
            let (maker, lot) = makers[usize::try_from(numbers.below(4)).expect("small")];
            let device = (lot + numbers.below(256)) & 0xff_ffff;
            let ending = (maker ^ 0x02_0000) << 40 | 0xff_fe00_0000 | device;
            hosts.push(network(subnet) | u128::from(ending));
        }
    }
    hosts.extend(
        (0x200..0x208)
            .flat_map(|subnet| (0..60).map(move |_| subnet))
            .map(|subnet| network(subnet) | u128::from(numbers.next())),
    );
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// Half of a plan, the other half, and a scope of it all.
fn halves(seed: u64) -> (Vec<u128>, BTreeSet<u128>) {
    let mut numbers = Numbers(!seed);
    let (known, hidden): (Vec<u128>, Vec<u128>) = plan(seed).into_iter().partition(|_| numbers.below(2) == 0);
    (known, hidden.into_iter().collect())
}

fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(number))
}

/// Half of the plan is known. Counts hits on the other half among so many guesses: by patterns, by numbering each known
/// network from 1 (what RFC 7707 advises), and by chance in known networks.
#[test]
fn patterns_find_more_for_each_probe_than_numbering_and_chance() {
    let inside = Inside::of(&scope_of(&["fd00:a::/48"], &[]), &[]);
    for seed in 1..=6 {
        let (known, hidden) = halves(seed);
        let networks: Vec<u128> =
            known.iter().map(|number| number >> 64).collect::<BTreeSet<_>>().into_iter().collect();
        let model = Model::learn(known.iter().map(|number| address(*number)));
        let hits = |guesses: Vec<u128>| guesses.iter().filter(|number| hidden.contains(number)).count();
        let by_pattern = |wanted| {
            let guesses = model.guesses(&inside, wanted, seed);
            hits(guesses.map(|guess| hinomi_model::address::to_u128(guess.address)).collect())
        };
        let wanted = |count: u64| usize::try_from(count).expect("small");
        let by_number = |count| {
            let numbered = (1..).flat_map(|low| networks.iter().map(move |network| network << 64 | low));
            hits(numbered.filter(|number| known.binary_search(number).is_err()).take(wanted(count)).collect())
        };
        let mut numbers = Numbers(seed << 32);
        let chosen = networks.iter().cycle().take(2_000);
        let by_chance = hits(chosen.map(|network| network << 64 | u128::from(numbers.next())).collect());
        let (few, many) = ((by_pattern(200), by_number(200)), (by_pattern(2_000), by_number(2_000)));
        println!(
            "seed {seed}: {} hidden; of 200 guesses {} by patterns, {} by numbers; \
             of 2000 {} and {}, by chance {by_chance}",
            hidden.len(),
            few.0,
            few.1,
            many.0,
            many.1,
        );
        assert_eq!(by_chance, 0, "a network has 2^64 addresses");
        assert!(few.0 >= 100 && few.0 * 2 > few.1 * 3, "half as many again with few probes: {few:?}");
        assert!(many.0 > many.1, "and what is not numbered from 1 with many: {many:?}");
    }
}

/// What is known is not searched again and again: most of the chance is its own.
#[test]
fn a_long_list_gives_as_many_guesses_as_are_wanted() {
    let inside = Inside::of(&scope_of(&["fd00:a::/40"], &[]), &[]);
    let mut numbers = Numbers(5);
    let known = (0..20_000).map(|_| {
        let (subnet, kind) = (numbers.below(400), numbers.below(10));
        let ending = match kind {
            0..=3 => 1 + numbers.below(63),
            4..=6 => 0x021a_2bff_fe00_0000 | numbers.below(4_096),
            _ => numbers.next(),
        };
        address(0xfd00_000a_u128 << 96 | u128::from(subnet) << 64 | u128::from(ending))
    });
    let model = Model::learn(known.collect::<Vec<_>>());
    assert_eq!(model.guesses(&inside, 3_000, 1).count(), 3_000);
}
