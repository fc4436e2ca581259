use super::*;
use proptest::prelude::*;

fn scope(ranges: &[&str], exclude: &[&str]) -> Scope {
    let prefixes = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a prefix")).collect();
    Scope {
        name: "test".into(),
        authority: Authority { organisation: "Test".into(), person: "T".into(), reference: String::new() },
        contact: Contact { email: "t@example.org".into(), phone: String::new(), page: String::new() },
        ranges: prefixes(ranges),
        exclude: prefixes(exclude),
        tcp: "22,80-90".parse().expect("ports"),
        udp: "161".parse().expect("ports"),
        probes: vec![Probe::Connect, Probe::Http],
        probe_ports: Vec::new(),
        rate: Rate { total_pps: 100, per_prefix_pps: 10, per_host_pps: 5, per_host_connections: 1 },
        hours: "09:00-17:00 +09:00".parse().expect("hours"),
        valid_from: "2026-11-01".parse().expect("a date"),
        valid_until: "2026-12-01".parse().expect("a date"),
    }
}

fn request(address: &str, port: u16, probe: Probe, time: &str) -> Request {
    let address = address.parse().expect("an address");
    Request { address, port, transport: Transport::Tcp, probe, time: time.parse().expect("a time") }
}

const NOON: &str = "2026-11-22T03:00:00Z";

fn rule(scope: &Scope, request: &Request, opt_out: &[IpNet]) -> String {
    match scope.decide(request, opt_out) {
        Verdict::Allowed { .. } => "allowed".into(),
        Verdict::Refused(rule) => rule.to_string().split(':').next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn each_rule_speaks_for_itself() {
    let scope = scope(&["10.1.0.0/16"], &["10.1.9.0/24"]);
    let opt_out: Vec<IpNet> = vec!["10.1.8.0/24".parse().expect("a prefix")];
    let ask = |address, port, probe, time| rule(&scope, &request(address, port, probe, time), &opt_out);
    assert_eq!(ask("10.1.2.3", 80, Probe::Http, NOON), "allowed");
    assert_eq!(ask("10.1.8.1", 80, Probe::Http, NOON), "opted out");
    assert_eq!(ask("10.1.9.1", 80, Probe::Http, NOON), "excluded");
    assert_eq!(ask("10.2.0.1", 80, Probe::Http, NOON), "reserved");
    assert_eq!(ask("11.0.0.1", 80, Probe::Http, NOON), "outside");
    assert_eq!(ask("10.1.2.3", 443, Probe::Http, NOON), "port");
    assert_eq!(ask("10.1.2.3", 80, Probe::Tls, NOON), "probe");
    assert_eq!(ask("10.1.2.3", 80, Probe::Http, "2026-10-31T03:00:00Z"), "validity");
    assert_eq!(ask("10.1.2.3", 80, Probe::Http, "2026-12-01T03:00:00Z"), "validity");
    assert_eq!(ask("10.1.2.3", 80, Probe::Http, "2026-11-22T09:00:00Z"), "hours");
    assert_eq!(ask("::ffff:10.1.2.3", 80, Probe::Http, NOON), "allowed");
}

#[test]
fn a_scope_for_everything_does_not_reach_reserved_ranges() {
    let everything = scope(&["0.0.0.0/0", "::/0"], &[]);
    let never = ["10.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "fe80::1", "ff02::1"];
    for address in never {
        assert_eq!(rule(&everything, &request(address, 80, Probe::Http, NOON), &[]), "reserved", "{address}");
    }
    let multicast = scope(&["224.0.0.0/24"], &[]);
    assert_eq!(rule(&multicast, &request("224.0.0.1", 80, Probe::Http, NOON), &[]), "reserved");
}

#[test]
fn hours_span_midnight() {
    let night: Hours = "22:00-06:00 +09:00".parse().expect("hours");
    assert!(night.contains("2026-11-22T14:00:00Z".parse().expect("23:00 in Tokyo")));
    assert!(!night.contains("2026-11-22T03:00:00Z".parse().expect("12:00 in Tokyo")));
    assert_eq!(night.to_string(), "22:00-06:00 +09:00");
    for bad in ["", "25:00-26:00", "9-17", "10:00-10:00", "09:00-17:00 +15:00", "-1:00-02:00"] {
        assert!(bad.parse::<Hours>().is_err(), "{bad:?}");
    }
}

#[test]
fn ports_merge_and_refuse_nonsense() {
    let ports: PortSet = "80-90, 22,91,85-100".parse().expect("ports");
    assert_eq!(ports.to_string(), "22,80-100");
    assert_eq!(ports.len(), 22);
    for bad in ["0", "65536", "9-5", "x", "1-2-3"] {
        assert!(bad.parse::<PortSet>().is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn nothing_outside_a_range_is_ever_allowed(address: u32, length in 8u8..32, base: u32, exclude: u32) {
        let range = ipnet::Ipv4Net::new(base.into(), length).expect("a prefix").trunc();
        let excluded = ipnet::Ipv4Net::new(exclude.into(), 16).expect("a prefix").trunc();
        let mut tested = scope(&[], &[]);
        tested.ranges = vec![range.into()];
        tested.exclude = vec![excluded.into()];
        let address = std::net::Ipv4Addr::from(address);
        let inside = range.contains(&address) && !excluded.contains(&address);
        let asked = Request { address: address.into(), ..request("10.0.0.1", 80, Probe::Http, NOON) };
        if let Verdict::Allowed { .. } = tested.decide(&asked, &[]) {
            prop_assert!(inside);
        }
    }
}

#[test]
fn modbus_goes_where_it_is_at_home_or_named() {
    let mut plant = scope(&["10.1.0.0/16"], &[]);
    (plant.tcp, plant.probes) = ("80,502,1502".parse().expect("ports"), vec![Probe::Http, Probe::Modbus]);
    let ask = |scope: &Scope, port| rule(scope, &request("10.1.2.3", port, Probe::Modbus, NOON), &[]);
    assert_eq!(
        (ask(&plant, 502), ask(&plant, 1502), ask(&plant, 80)),
        ("allowed".into(), "probe".into(), "probe".into())
    );
    plant.probe_ports = vec![(Probe::Modbus, "1502".parse().expect("a port"))];
    assert_eq!(
        (ask(&plant, 502), ask(&plant, 1502), ask(&plant, 80)),
        ("allowed".into(), "allowed".into(), "probe".into())
    );
    plant.probes = vec![Probe::Http];
    assert_eq!(ask(&plant, 1502), "probe", "a port alone permits nothing");
}

#[test]
fn hours_of_a_day_are_counted_once() {
    let minutes = |text: &str| text.parse::<Hours>().expect("hours").minutes_a_day();
    assert_eq!(
        (minutes("always"), minutes("22:00-06:00 +09:00"), minutes("01:00-03:00,02:00-04:00")),
        (1_440, 480, 180)
    );
}

#[test]
fn what_is_public_lies_in_no_special_block() {
    let public = |text: &str| is_public(text.parse().expect("a prefix"));
    for inside in
        ["127.77.0.0/24", "10.0.0.0/8", "192.0.2.0/25", "198.18.0.0/15", "::1/128", "fd00::/8", "2001:db8::/32"]
    {
        assert!(!public(inside), "{inside}");
    }
    for outside in ["0.0.0.0/0", "9.9.9.0/24", "8.0.0.0/7", "10.0.0.0/7", "2400::/12", "::/0"] {
        assert!(public(outside), "{outside}");
    }
}

#[test]
fn blocks_within_a_range_are_those_that_refuse_its_addresses() {
    for range in ["0.0.0.0/0", "10.0.0.0/7", "10.1.0.0/16", "127.0.0.0/8", "192.0.0.0/16", "::/0", "fc00::/8"] {
        let range: IpNet = range.parse().expect("a prefix");
        let blocks = reserved_in(range);
        for text in ["10.1.0.1", "127.0.0.1", "192.0.2.1", "11.0.0.1", "192.0.1.1", "fd00::1", "2001:db8::1", "::1"] {
            let address: IpAddr = text.parse().expect("an address");
            if range.contains(&address) {
                let blocked = blocks.iter().any(|block| block.contains(&address));
                assert_eq!(blocked, reserved(address, Some(range)).is_some(), "{address} in {range}");
            }
        }
    }
}
