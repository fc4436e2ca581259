//! Questions over UDP as frames, really sent and really answered.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use hinomi_model::{Evidence, EvidenceKind, ServiceKey, Sighting, Transport};
use hinomi_survey::Backend;

use super::net::{inside_a_namespace, ip, pair};
use super::shelf::Shelf;
use super::world::{Asked, Reply, World};
use super::{Run, SMALL, nothing, survey, wait_until};

/// What a machine that does other things besides still answers in time.
const SLOW: Run = Run { ranges: &["198.19.0.0/22"], rate_pps: 4_000, answer_wait_ms: 3_000, ..SMALL };

#[test]
fn who_answers_over_udp_is_found_by_every_backend() {
    if !inside_a_namespace("datagrams::who_answers_over_udp_is_found_by_every_backend") {
        return;
    }
    let (left, right) = pair();
    for backend in [Backend::XdpCopy, Backend::Packet, Backend::RawIp] {
        let world = World::new(&left, &right, |asked: Asked| match asked.port {
            53 | 80 | 1900 => Reply::Open,
            123 => Reply::Closed,
            _ => Reply::Silent,
        });
        let ranges = &["198.19.0.0/23", "fd00:19::/119"];
        let run = Run { ranges, udp_ports: "53, 123, 161, 1900", backend: Some(backend), probes: "\"all\"", ..SLOW };
        let (report, shelf) = survey(&run, nothing);
        let (seen, dropped) = world.end();
        assert_eq!(dropped, 0);
        let counts = &report.counts;
        assert!(report.finished, "{backend}");
        // One address of the range is excluded by the scope; TCP goes the same walk.
        assert_eq!((counts.open, counts.closed, counts.silent), (3 * 1_023, 1_023, 1_023), "{backend}: {counts:?}");
        assert_eq!(shelf.subjects().len(), 3 * 1_023, "{backend}");
        assert_eq!(shelf.subjects().iter().filter(|key| key.transport == Transport::Udp).count(), 2 * 1_023);
        assert!(shelf.subjects().iter().any(|key| key.address.is_ipv6() && key.transport == Transport::Udp));
        assert_eq!(seen.questions.len(), 4 * 1_023, "{backend}: each was asked, nobody else was");
        assert!(seen.questions.values().all(|(times, _)| *times >= 2), "{backend}: in both passes");
        assert_eq!(seen.errors, 0, "{backend}: our kernel says nothing to those who answer us");
        let missed = report.coverage.expect("two visits").missed().expect("enough was seen");
        assert!(missed.high < 0.01, "{backend}: {missed:?}");
    }
}

#[test]
fn forged_datagrams_and_errors_are_counted_and_believed_by_none() {
    if !inside_a_namespace("datagrams::forged_datagrams_and_errors_are_counted_and_believed_by_none") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |asked: Asked| match (asked.port, asked.before % 2) {
        (53, 0) | (123, _) => Reply::Forged,
        (53, _) => Reply::ElsewhereTo,
        (161, 0) => Reply::ForgedUnreachable,
        (161, _) => Reply::Unreachable,
        (1900, _) => Reply::Babble,
        (5683, _) => Reply::Forbidden,
        _ => Reply::Twice,
    });
    let (report, shelf) =
        survey(&Run { udp_ports: "53, 123, 161, 1900, 3610, 5683", probes: "\"all\"", ..SLOW }, nothing);
    let (seen, _) = world.end();
    let reason = |name: &str| report.counts.by_reason.get(name).copied().unwrap_or(0);
    // Who babbles is there; SSDP's answer to the question of ECHONET Lite is in another language, and told once.
    let open = |port: u16| shelf.subjects().iter().filter(|key| key.port == port).count();
    assert_eq!([open(53), open(123), open(161), open(5683)], [0; 4], "{:?}", report.counts);
    assert_eq!([open(80), open(1900), open(3610)], [1_023; 3]);
    assert_eq!(report.counts.open, 3 * 1_023);
    assert_eq!(report.counts.closed, 0);
    assert_eq!(reason("answers that are none of ours"), 5 * 1_023, "{:?}", report.counts.by_reason);
    assert_eq!(reason("told by ICMP: not to be reached"), 1_023);
    assert_eq!(reason("told by ICMP: not permitted"), 2 * 1_023);
    assert!(reason("slowed down: many routers say that probes are not permitted") > 0, "{:?}", report.counts.by_reason);
    assert_eq!(seen.errors, 0);
}

#[test]
fn answers_with_extensions_or_tags_are_heard_and_floods_are_not_believed() {
    if !inside_a_namespace("datagrams::answers_with_extensions_or_tags_are_heard_and_floods_are_not_believed") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |asked: Asked| match (asked.port, asked.before) {
        (80 | 53, _) => Reply::Extended,
        (81 | 123, _) => Reply::Tagged,
        (_, 0) => Reply::Flood,
        _ => Reply::Open,
    });
    let ranges = &["198.19.0.0/24", "fd00:19::/120"];
    let run = Run { ranges, ports: "80-82", udp_ports: "53, 123", rate_pps: 2_000, probes: "\"all\"", ..SLOW };
    let (report, shelf) = survey(&run, nothing);
    world.end();
    // One address of the range is excluded by the scope.
    assert_eq!(shelf.subjects().len(), 5 * 511, "{:?}", report.counts);
    let none_of_ours = report.counts.by_reason.get("answers that are none of ours").copied().unwrap_or(0);
    assert_eq!(none_of_ours, 50 * 511, "{:?}", report.counts.by_reason);
}

#[test]
fn lost_answers_over_udp_are_in_the_estimate() {
    if !inside_a_namespace("datagrams::lost_answers_over_udp_are_in_the_estimate") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |asked: Asked| match super::lost(3, asked) {
        true => Reply::Silent,
        false => Reply::Open,
    });
    let (report, shelf) = survey(&Run { ports: "", udp_ports: "53", probes: "\"all\"", ..SLOW }, nothing);
    world.end();
    let found = shelf.subjects().len();
    assert!((940..1_023).contains(&found), "a fifth of a fifth was lost: {found}");
    let coverage = report.coverage.expect("two visits");
    assert_eq!(coverage.seen(), u64::try_from(found).expect("small"));
    assert!(coverage.first < 880 && coverage.second < 880 && coverage.both < coverage.first, "{coverage:?}");
}

/// What was kept of each service.
pub(crate) fn evidence_of(shelf: &Shelf) -> Vec<(ServiceKey, Vec<Evidence>)> {
    let stored = shelf.0.lock().expect("free");
    let find = |hash| stored.evidence.iter().find(|piece| piece.reference().hash == hash).cloned();
    let kept = |one: &Sighting| one.evidence.iter().filter_map(|reference| find(reference.hash)).collect();
    stored.sightings.iter().map(|one| (one.subject, kept(one))).collect()
}

/// Ends what was started when the test ends, however it does.
pub(crate) struct Started(pub(crate) Child);

impl Started {
    pub(crate) fn new(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{program}: {error}")))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

/// Every address of a prefix is one of the namespace's own (AnyIP): one server stands for all. Over IPv6 the servers
/// answer from an address that is really theirs only: there it is one host.
pub(crate) fn village(pid: &str) {
    ip(&format!("link set right netns {pid}"));
    for line in [
        "link set lo up",
        "link set right up",
        "addr add 198.18.0.2/24 dev right",
        "route add local 198.19.0.0/24 dev lo",
        "-6 addr add fd00:19::1/128 dev lo nodad",
        "-6 route add fd00:18::/64 dev right src fd00:19::1",
    ] {
        let arguments = ["-t", pid, "-n", "ip"].into_iter().chain(line.split(' '));
        assert!(Command::new("nsenter").args(arguments).status().expect("nsenter").success(), "ip {line}");
    }
}

#[test]
fn real_servers_are_heard_over_frames_and_asked_on_over_sockets() {
    if !inside_a_namespace("datagrams::real_servers_are_heard_over_frames_and_asked_on_over_sockets") {
        return;
    }
    if ["/usr/sbin/dnsmasq", "/usr/sbin/snmpd"].iter().any(|path| !Path::new(path).exists()) {
        assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "dnsmasq and snmpd (.ci/daemons.sh)");
        return;
    }
    let (_left, _right) = pair();
    let peer = Started::new("unshare", &["-n", "sleep", "600"]);
    let pid = peer.0.id().to_string();
    let own = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
    wait_until(|| std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|other| other != own));
    village(&pid);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("snmpd.conf");
    std::fs::write(&config, "agentuser root\n").expect("written");
    let inside = |arguments: &[&str]| Started::new("nsenter", &[&["-t", &pid, "-n"], arguments].concat());
    let _dns = inside(&[
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file=",
    ]);
    let config = config.to_string_lossy();
    let persistent = format!("SNMP_PERSISTENT_DIR={}", folder.path().display());
    let _snmp =
        inside(&["env", &persistent, "snmpd", "-f", "-Lo", "-C", "-c", &config, "-I", "-smux", "udp:161", "udp6:161"]);
    wait_until(|| {
        let said = Command::new("nsenter").args(["-t", &pid, "-n", "ss", "-Hlun"]).output().expect("ss");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        [":53 ", ":161 "].iter().all(|port| said.matches(port).count() >= 2)
    });
    let ranges = &["198.19.0.0/26", "fd00:19::1/128"];
    // Port 5353 is closed: the kernel over there says so itself.
    let run =
        Run { ranges, ports: "", udp_ports: "53, 161, 5353", grab: true, rate_pps: 500, probes: "\"all\"", ..SLOW };
    let (report, shelf) = survey(&run, nothing);
    let of = |four: bool, port: u16| {
        shelf.subjects().iter().filter(|key| key.address.is_ipv4() == four && key.port == port).count()
    };
    assert_eq!([of(true, 53), of(false, 53), of(true, 161), of(false, 161)], [63, 1, 63, 1], "{:?}", report.counts);
    for (key, evidence) in evidence_of(&shelf) {
        let kinds: Vec<_> = evidence.iter().map(|piece| piece.kind).collect();
        let has =
            |words: &[u8]| evidence.iter().any(|piece| piece.bytes.windows(words.len()).any(|part| part == words));
        match key.port {
            53 => {
                assert_eq!(kinds, [EvidenceKind::Dns, EvidenceKind::Dns], "{key}: version, and whether it resolves");
                assert!(has(b"dnsmasq-"), "{key}");
            }
            _ => assert_eq!(kinds, [EvidenceKind::Snmp], "{key}"),
        }
    }
    // Linux limits its own errors; some come.
    assert!(report.counts.closed > 0, "{:?}", report.counts);
    eprintln!("{} of 64 closed ports said so", report.counts.closed);
}
