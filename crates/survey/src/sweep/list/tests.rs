//! Lists of targets: what is read is what is visited.

use hinomi_model::scope::{Authority, Contact, Probe, Rate};
use proptest::prelude::*;

use super::text::LineError;
use super::*;

const SCOPE_PORTS: &[(Transport, u16)] = &[(Transport::Tcp, 80), (Transport::Udp, 161)];

fn read(text: &str) -> Result<List, ListError> {
    List::read(text.as_bytes(), SCOPE_PORTS)
}

fn told(list: &List) -> Vec<String> {
    list.iter().map(|key| key.to_string()).collect()
}

#[test]
fn a_text_becomes_a_sorted_list_of_each_target_once() {
    let list = read(concat!(
        "# a comment\n\n2001:db8::1 443/tcp\r\n192.0.2.9\n",
        "  192.0.2.7\t7547/tcp   # because\n::ffff:192.0.2.7 7547/tcp\n192.0.2.9 80/tcp"
    ))
    .expect("a list");
    let wanted = ["192.0.2.7:7547/tcp", "192.0.2.9:80/tcp", "192.0.2.9:161/udp", "[2001:db8::1]:443/tcp"];
    assert_eq!(told(&list), wanted);
    assert_eq!((list.len(), list.addresses()), (4, 3));
    assert_eq!(list.get(4), None);
}

#[test]
fn what_is_no_target_is_refused_with_its_line() {
    let line = |text: &str| match read(text) {
        Err(ListError::Line { line, why }) => (line, why),
        other => panic!("{text:?}: {other:?}"),
    };
    assert_eq!(line("192.0.2.7 80/tcp more").1, LineError::Form);
    assert!(matches!(line("\n#\n192.0.2.0/24 80/tcp"), (3, LineError::Address(_))));
    assert!(matches!(line("fe80::1%eth0"), (1, LineError::Address(_))));
    for port in ["80", "0/tcp", "65536/tcp", "+80/tcp", "80/sctp", "80/", "/tcp"] {
        assert!(matches!(line(&format!("192.0.2.7 {port}")).1, LineError::Port { .. }), "{port}");
    }
    assert_eq!(line(&format!("192.0.2.7 80/tcp # {}", "x".repeat(1_024))), (1, LineError::TooLong));
    match List::read(b"192.0.2.7 80/tcp\n\xff\n".as_slice(), SCOPE_PORTS) {
        Err(ListError::Line { line: 2, why: LineError::NotText }) => {}
        other => panic!("{other:?}"),
    }
    let longest = format!("192.0.2.7 80/tcp #{}\n192.0.2.8 80/tcp", "x".repeat(1_024 - 18));
    assert_eq!(read(&longest).expect("just fits").len(), 2);
}

#[test]
fn only_what_the_scope_permits_is_taken_and_the_rest_is_counted() {
    let scope = Scope {
        name: "test".into(),
        authority: Authority { organisation: "O".into(), person: "P".into(), reference: String::new() },
        contact: Contact { email: "a@b".into(), phone: String::new(), page: String::new() },
        ranges: vec!["10.0.0.0/24".parse().expect("a prefix")],
        exclude: vec!["10.0.0.8/32".parse().expect("a prefix")],
        tcp: "80".parse().expect("ports"),
        udp: "161".parse().expect("ports"),
        probes: Probe::all().collect(),
        probe_ports: Vec::new(),
        rate: Rate { total_pps: 1, per_prefix_pps: 1, per_host_pps: 1, per_host_connections: 1 },
        hours: hinomi_model::scope::Hours::always(),
        valid_from: "2026-11-01".parse().expect("a date"),
        valid_until: "2026-12-01".parse().expect("a date"),
    };
    let list = read("10.0.0.7\n10.0.0.8\n10.0.1.1 80/tcp\n10.0.0.7 81/tcp\n10.0.0.7 80/udp\n224.0.0.1 80/tcp");
    let (inside, outside) = list.expect("a list").within(&scope);
    assert_eq!(told(&inside), ["10.0.0.7:80/tcp", "10.0.0.7:161/udp"]);
    let why: Vec<_> = outside.by_reason.into_iter().collect();
    let wanted = [("excluded", 2), ("outside the ranges", 2), ("port not in the scope", 2)];
    assert_eq!((outside.targets, why), (6, wanted.to_vec()));
    let (again, outside) = inside.within(&scope);
    assert_eq!((again, outside), (inside, Outside::default()));
}

fn keys() -> impl Strategy<Value = Vec<ServiceKey>> {
    let v4 = any::<u32>().prop_map(|number| IpAddr::V4(number.into()));
    let v6 = any::<u64>().prop_map(|low| IpAddr::V6(((0x2001_0db8_u128 << 96) | u128::from(low)).into()));
    let transport = prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)];
    let key = (prop_oneof![v4, v6], 1u16.., transport);
    proptest::collection::vec(key.prop_map(|(address, port, transport)| ServiceKey { address, port, transport }), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn text_round_trips_and_order_does_not_matter(keys in keys(), turn in 0usize..60) {
        let list = List::new(keys.clone()).expect("a list");
        let mut turned = [keys.clone(), keys.clone()].concat();
        let turn = turn % turned.len().max(1);
        turned.rotate_left(turn);
        let again = List::new(turned).expect("a list");
        prop_assert_eq!((&again, again.digest()), (&list, list.digest()));
        let mut text = Vec::new();
        list.write(&mut text).expect("written");
        prop_assert_eq!(List::read(text.as_slice(), &[]).expect("read"), list.clone());
        let distinct: std::collections::HashSet<_> = keys.iter().copied().collect();
        prop_assert_eq!(list.len(), u64::try_from(distinct.len()).expect("small"));
        prop_assert!(distinct.iter().all(|key| list.contains(*key)));
        prop_assert!((0..list.len()).all(|at| list.get(at).and_then(|key| list.index_of(key)) == Some(at)));
        if let Some(last) = list.len().checked_sub(1) {
            let fewer = List::new((0..last).filter_map(|at| list.get(at))).expect("a list");
            prop_assert_ne!(fewer.digest(), list.digest());
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text: Vec<u8>) {
        let _ = List::read(text.as_slice(), SCOPE_PORTS);
    }
}
