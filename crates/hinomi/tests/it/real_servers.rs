//! Real servers from Debian packages, on odd ports: the survey names product and version right or says that it does not
//! know. What it says with confidence is never wrong.

use serde_json::Value;

use crate::daemons::{self, Daemon, Running, Transport};
use crate::ports;
use crate::program::{Installation, alone, stand_aside};

/// So many real servers have to be named right where standing aside is a failure.
const AT_LEAST: usize = 40;

/// Servers that say nothing of themselves and answer neither TLS nor HTTP: found on odd ports all the same, each by the
/// question that its manner of refusing the others leads to.
const ASKED_IN_THEIR_LANGUAGE: [&str; 10] =
    ["memcached", "postgresql", "slapd", "beanstalkd", "ngircd", "nut", "kamailio", "xl2tpd", "pptpd", "strongswan"];

/// Identifications below this confidence are guesses and may be wrong.
const CONFIDENT: u64 = 60;

/// What the survey asks over UDP; who speaks something else keeps silent and cannot be seen.
const UDP_PROTOCOLS: [&str; 12] =
    ["dns", "ntp", "snmp", "ssdp", "coap", "sip", "knx", "ipmi", "l2tp", "mdns", "ike", "ws-discovery"];

/// What is asked at its usual port, and at another only where the scope names it: protocols that are probes' names.
const NAMED_BY_SCOPE: [&str; 9] = ["modbus", "knx", "ipmi", "l2tp", "mdns", "pptp", "rdp", "ike", "ws-discovery"];

fn start_all(folder: &std::path::Path) -> Vec<Running> {
    let mut running = Vec::new();
    for daemon in daemons::all() {
        if let Some(package) = daemon.missing() {
            stand_aside(&format!("{} is not installed (Debian package {package})", daemon.name));
            continue;
        }
        let room = folder.join(daemon.name);
        std::fs::create_dir_all(&room).expect("a folder");
        match start_patiently(daemon, &room) {
            Ok(server) => running.push(server),
            Err(reason) => stand_aside(&format!("{} does not start: {reason}", daemon.name)),
        }
    }
    running
}

/// Some give up when the machine is busy at their first breath.
fn start_patiently(daemon: &'static Daemon, room: &std::path::Path) -> Result<Running, String> {
    let mut last = String::new();
    for attempt in 0..3 {
        let own = room.join(attempt.to_string());
        std::fs::create_dir_all(&own).map_err(|error| error.to_string())?;
        match daemons::start(daemon, &own, ports::fresh()) {
            Ok(server) => return Ok(server),
            Err(reason) => last = reason,
        }
    }
    Err(last)
}

/// What is right, missing or wrong about one server.
enum Verdict {
    Right,
    Silent(String),
    Wrong(String),
}

fn lower(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}

/// Whether two names mean the same product: one contains the other, spaces and case aside.
fn same_name(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-', '_', '.'], "");
    let (one, other) = (plain(one), plain(other));
    one.contains(&other) || other.contains(&one)
}

fn judge(server: &Running, seen: Option<&Value>) -> Verdict {
    let daemon: &Daemon = server.daemon();
    let name = daemon.name;
    let Some(service) = seen else {
        let text = format!("{name}: not seen at {}", server.address());
        let asked = daemon.transport == Transport::Tcp || UDP_PROTOCOLS.contains(&daemon.truth.protocol);
        return if asked { Verdict::Wrong(text) } else { Verdict::Silent(text) };
    };
    let (product, version) = (lower(&service["product"]), lower(&service["version"]));
    let confident = service["confidence"].as_u64().unwrap_or(0) >= CONFIDENT;
    if product.is_empty() {
        let summary = &service["summary"];
        if NAMED_BY_SCOPE.contains(&daemon.truth.protocol) && service["protocol"] != daemon.truth.protocol {
            return Verdict::Wrong(format!("{name}: speaks {}, {summary}", service["protocol"]));
        }
        return Verdict::Silent(format!("{name}: not named; protocol {}, {summary}", service["protocol"]));
    }
    if !same_name(&product, daemon.truth.product) {
        let text = format!("{name}: named {product} {version}, is {}", daemon.truth.product);
        return if confident { Verdict::Wrong(text) } else { Verdict::Silent(text) };
    }
    match (server.version().map(str::to_lowercase), version.as_str()) {
        (Some(real), "") => Verdict::Silent(format!("{name}: version not named, announces {real}")),
        (Some(real), told) if told != real => Verdict::Wrong(format!("{name}: version {told}, announces {real}")),
        (None, told) if !told.is_empty() => Verdict::Wrong(format!("{name}: version {told}, announces none")),
        _ => Verdict::Right,
    }
}

#[test]
fn real_servers_are_named_right_or_not_at_all() {
    let _alone = alone();
    let here = Installation::new();
    let running = start_all(&here.path("daemons"));
    if running.is_empty() {
        return;
    }
    let ports = |transport| {
        let of = running.iter().filter(|server| server.daemon().transport == transport);
        of.map(|server| server.address().port().to_string()).collect::<Vec<_>>().join(",")
    };
    let known = |server: &&Running| NAMED_BY_SCOPE.contains(&server.daemon().truth.protocol);
    let at_its_port = |server: &Running| format!("{}:{}", server.daemon().truth.protocol, server.address().port());
    let named: Vec<String> = running.iter().filter(known).map(at_its_port).collect();
    let probes: Vec<&str> = ["all"].into_iter().chain(named.iter().map(String::as_str)).collect();
    let (tcp, udp) = (ports(Transport::Tcp), ports(Transport::Udp));
    let scope = here.scope_for(&probes, "daemons", &["127.0.0.1/32"], &tcp, &udp);
    let report = here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    assert_eq!(report["finished"], true, "{report}");
    let services = here.services();
    let (mut right, mut silent, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for server in &running {
        let port = u64::from(server.address().port());
        let transport = match server.daemon().transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        let seen = services.iter().find(|s| s["port"] == port && s["transport"] == transport);
        match judge(server, seen) {
            Verdict::Right => right.push(server.daemon().name),
            Verdict::Silent(text) => silent.push(text),
            Verdict::Wrong(text) => wrong.push(text),
        }
    }
    println!("{} right: {right:?}\n{} not known: {silent:#?}", right.len(), silent.len());
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
    let all = std::env::var_os("HINOMI_NO_STAND_ASIDE").is_some();
    let missed = ASKED_IN_THEIR_LANGUAGE.into_iter().filter(|name| !right.contains(name)).collect::<Vec<_>>();
    assert!(!all || missed.is_empty(), "not named right: {missed:?}; {silent:#?}");
    assert!(!all || right.len() >= AT_LEAST, "only {} named right; not known: {silent:#?}", right.len());
}
