use std::net::IpAddr;

use hinomi_model::scope::{Authority, Contact};
use proptest::prelude::*;

use super::*;

pub(super) fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a prefix")).collect()
}

pub(super) fn scope(ranges: &[&str], exclude: &[&str]) -> Scope {
    Scope {
        name: "test".into(),
        authority: Authority { organisation: "O".into(), person: "P".into(), reference: String::new() },
        contact: Contact { email: "a@b".into(), phone: String::new(), page: String::new() },
        ranges: nets(ranges),
        exclude: nets(exclude),
        tcp: "22,80".parse().expect("ports"),
        udp: "53".parse().expect("ports"),
        probes: Probe::all().collect(),
        probe_ports: Vec::new(),
        rate: Rate { total_pps: 1_000, per_prefix_pps: 100, per_host_pps: 10, per_host_connections: 1 },
        hours: "22:00-04:00 +09:00".parse().expect("hours"),
        valid_from: "2026-11-01".parse().expect("a date"),
        valid_until: "2026-12-01".parse().expect("a date"),
    }
}

pub(super) const TCP: &[(Transport, u16)] = &[(Transport::Tcp, 22), (Transport::Tcp, 80)];

fn forecast(scope: &Scope, ports: &[(Transport, u16)], opt_out: &[&str]) -> Forecast {
    let now = "2026-11-10".parse().expect("a date");
    Forecast::new(scope, ports, &nets(opt_out), &Config::default(), now).expect("a forecast")
}

#[test]
fn packets_time_and_load_of_a_small_range() {
    let scope = scope(&["10.0.0.0/23", "10.0.1.0/24"], &["10.0.0.0/25"]);
    let told = forecast(&scope, &[TCP, &[(Transport::Tcp, 443)]].concat(), &["10.0.1.7/32", "11.0.0.0/8"]);
    let Addresses { named, opted_out, reserved, excluded, left } = told.addresses;
    assert_eq!((named, opted_out, reserved, excluded, left), (512, 1, 0, 128, 383));
    assert_eq!((told.targets, told.ports_refused, told.prefixes), (766, 1, 2));
    assert_eq!(told.packets, Packets { least: 766, silent: 1_532, most: 383 * 18 + 383 * 18 / 20 });
    // The fuller /24 has 255 addresses left: 1,020 packets at 100 a second bind before 1,532 at 1,000 and 4 at 10.
    assert_eq!((told.time_silent.sending_s, told.time_silent.limit), (11, Limit::Prefix));
    assert_eq!(told.time_silent.calendar_s, 44, "a quarter of the day");
    let heaviest = told.heaviest.first().expect("one");
    assert_eq!((heaviest.prefix, heaviest.addresses, heaviest.packets.silent), (nets(&["10.0.1.0/24"])[0], 255, 1_020));
    assert_eq!((heaviest.ceiling_pps, told.fits), (100, true));
}

#[test]
fn the_limit_that_binds_is_named() {
    let host = scope(&["10.0.0.1/32"], &[]);
    assert_eq!(forecast(&host, TCP, &[]).time_silent.limit, Limit::Host);
    let wide = scope(&["10.0.0.0/12"], &[]);
    let told = forecast(&wide, TCP, &[]);
    assert_eq!((told.time_silent.limit, told.prefixes, told.heaviest.len()), (Limit::Total, 4_096, MAX_NAMED));
    let huge = scope(&["0.0.0.0/0"], &[]);
    let told = forecast(&huge, TCP, &[]);
    assert!(!told.fits, "1,000 a second do not do");
    assert!(told.addresses.reserved > 1 << 28 && told.addresses.left < 1 << 32);
}

#[test]
fn datagrams_count_each_probe() {
    let scope = scope(&["10.0.0.1/32"], &[]);
    assert_eq!(forecast(&scope, &[(Transport::Udp, 53)], &[]).packets, Packets { least: 1, silent: 2, most: 9 });
}

#[test]
fn nothing_left_is_no_forecast() {
    let scope = scope(&["10.0.0.0/24"], &["10.0.0.0/23"]);
    let now = "2026-11-10".parse().expect("a date");
    assert!(Forecast::new(&scope, TCP, &[], &Config::default(), now).is_err());
    let documentation = super::tests::scope(&["192.0.2.0/24"], &[]);
    assert!(Forecast::new(&documentation, TCP, &[], &Config::default(), now).is_err());
}

proptest! {
    #[test]
    fn what_is_left_is_what_the_scope_would_decide(
        ranges in proptest::collection::vec((0_u32..1_024, 22_u8..=32), 1..5),
        exclude in proptest::collection::vec((0_u32..1_024, 22_u8..=32), 0..4),
        opt_out in proptest::collection::vec((0_u32..1_024, 22_u8..=32), 0..4),
        base in prop_oneof![Just(0x0a00_0000_u32), Just(0x7eff_fe00), Just(0xc000_0000), Just(0x09ff_fe00)],
    ) {
        let net = |(offset, length): &(u32, u8)| {
            IpNet::new(IpAddr::from((base + offset).to_be_bytes()), *length).expect("a prefix").trunc()
        };
        let mut scope = scope(&[], &[]);
        scope.ranges = ranges.iter().map(net).collect();
        scope.exclude = exclude.iter().map(net).collect();
        let opt_out: Vec<IpNet> = opt_out.iter().map(net).collect();
        let mut expected = Addresses::default();
        let mut prefixes: BTreeMap<u32, u64> = BTreeMap::new();
        for number in base - 2_048..base + 4_096 {
            let address = IpAddr::from(number.to_be_bytes());
            if !scope.ranges.iter().any(|range| range.contains(&address)) {
                continue;
            }
            expected.named += 1;
            match scope.permits_address(address, &opt_out) {
                Ok(_) => {
                    expected.left += 1;
                    *prefixes.entry(number >> 8).or_default() += 1;
                }
                Err(hinomi_model::scope::Rule::OptOut { .. }) => expected.opted_out += 1,
                Err(hinomi_model::scope::Rule::Reserved { .. }) => expected.reserved += 1,
                Err(_) => expected.excluded += 1,
            }
        }
        let (told, left) = addresses(&scope, &opt_out);
        prop_assert_eq!(told, expected);
        let by_prefix = Prefixes::of(&left);
        prop_assert_eq!(by_prefix.count, prefixes.len() as u64);
        prop_assert_eq!(by_prefix.fullest(), prefixes.values().copied().max().unwrap_or(0));
        let named: BTreeMap<IpNet, u64> = by_prefix.heaviest().into_iter().collect();
        let agrees = named.iter().all(|(prefix, count)| {
            let IpAddr::V4(first) = prefix.network() else { return false };
            prefixes.get(&(u32::from(first) >> 8)) == Some(count)
        });
        prop_assert!(agrees, "heaviest");
    }
}
