//! A list that names a whole scope is told the same as the scope.

use proptest::prelude::*;

use super::super::tests::{TCP, nets, scope};
use super::*;

fn of(scope: &Scope, keys: &[ServiceKey], opt_out: &[IpNet]) -> Result<Forecast, SurveyError> {
    let list = List::new(keys.iter().copied()).expect("a list");
    Forecast::of_list(scope, &list, opt_out, &Config::default(), "2026-11-10".parse().expect("a date"))
}

fn key(address: &str, port: u16) -> ServiceKey {
    ServiceKey { address: address.parse().expect("an address"), port, transport: Transport::Tcp }
}

#[test]
fn hosts_count_by_what_they_are_asked() {
    let scope = scope(&["10.0.0.0/23"], &["10.0.0.9/32"]);
    let keys = [
        key("10.0.0.1", 22),
        key("10.0.0.1", 80),
        key("10.0.1.2", 22),
        key("10.0.1.3", 443),
        key("10.0.0.9", 22),
        key("10.0.1.7", 22),
        key("10.9.9.9", 22),
    ];
    let told = of(&scope, &keys, &nets(&["10.0.1.7/32"])).expect("a forecast");
    let Addresses { named, opted_out, reserved, excluded, left } = told.addresses;
    assert_eq!((named, opted_out, reserved, excluded, left), (5, 1, 0, 1, 3));
    assert_eq!((told.targets, told.ports_refused, told.prefixes), (3, 1, 2));
    assert_eq!((told.packets.least, told.packets.silent), (3, 6));
    let heaviest: Vec<_> = told.heaviest.iter().map(|load| (load.prefix, load.addresses, load.packets.least)).collect();
    assert_eq!(heaviest, [(nets(&["10.0.0.0/24"])[0], 1, 2), (nets(&["10.0.1.0/24"])[0], 2, 1)]);
    assert!(of(&scope, &keys[3..5], &[]).is_err(), "nothing is left");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn all_of_a_scope_is_the_scope(
        ranges in proptest::collection::vec((0_u32..1_024, 24_u8..=32), 1..4),
        exclude in proptest::collection::vec((0_u32..1_024, 25_u8..=32), 0..4),
        opt_out in proptest::collection::vec((0_u32..1_024, 25_u8..=32), 0..4),
    ) {
        let net = |(offset, length): &(u32, u8)| {
            IpNet::new((0x0a00_0000 + offset).to_be_bytes().into(), *length).expect("a prefix").trunc()
        };
        let mut scope = scope(&[], &[]);
        scope.ranges = ranges.iter().map(net).collect();
        scope.exclude = exclude.iter().map(net).collect();
        let opt_out: Vec<IpNet> = opt_out.iter().map(net).collect();
        let hosts = scope.ranges.iter().flat_map(|range| {
            let (first, last) = bounds(*range);
            (first..=last).map(from_u128)
        });
        let keys: Vec<_> = hosts
            .flat_map(|address| TCP.iter().map(move |(transport, port)| ServiceKey {
                address,
                port: *port,
                transport: *transport,
            }))
            .collect();
        let now = "2026-11-10".parse().expect("a date");
        let whole = Forecast::new(&scope, TCP, &opt_out, &Config::default(), now);
        match (of(&scope, &keys, &opt_out), whole) {
            (Ok(listed), Ok(whole)) => prop_assert_eq!(listed, whole),
            (listed, whole) => prop_assert!(listed.is_err() && whole.is_err()),
        }
    }
}
