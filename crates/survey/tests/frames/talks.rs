//! First words on the handshake's last acknowledgement, really said to real servers.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hinomi_model::EvidenceKind;

use super::datagrams::{Started, evidence_of, village};
use super::net::{inside_a_namespace, pair};
use super::{Run, SMALL, nothing, survey, wait_until};

/// Counts connections that sockets begin, at the other end and without any code of ours: frames come from higher ports.
const COUNTERS: &str = "table inet watch {
    counter redis { }
    counter ftp { }
    counter silent { }
    counter ssh { }
    chain c {
        type filter hook input priority 0;
        tcp dport 6379 tcp sport 32768-60999 tcp flags syn / syn,ack counter name redis
        tcp dport 21 tcp sport 32768-60999 tcp flags syn / syn,ack counter name ftp
        tcp dport 7777 tcp sport 32768-60999 tcp flags syn / syn,ack counter name silent
        tcp dport 22 tcp sport 32768-60999 tcp flags syn / syn,ack counter name ssh
    }
}";

/// A namespace of another's, with the village in it; gives who holds it, and its number.
fn peer() -> (Started, String) {
    let peer = Started::new("unshare", &["-n", "sleep", "600"]);
    let pid = peer.0.id().to_string();
    let own = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
    wait_until(|| std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|other| other != own));
    village(&pid);
    (peer, pid)
}

/// What a command says in the namespace of a process.
fn ask(pid: &str, arguments: &[&str]) -> String {
    let said = Command::new("nsenter").args(["-t", pid, "-n"]).args(arguments).output().expect("nsenter");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// Whether there is what the servers are made of.
fn has_servers() -> bool {
    let has = ["/usr/bin/redis-server", "/usr/bin/socat"].iter().all(|path| Path::new(path).exists());
    assert!(has || std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "redis-server and socat (.ci/daemons.sh)");
    has
}

/// Redis, FTP, SSH, and who accepts and is silent.
fn servers(pid: &str) -> (tempfile::TempDir, Vec<Started>) {
    let inside = |arguments: &[&str]| Started::new("nsenter", &[&["-t", pid, "-n"], arguments].concat());
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_string_lossy().into_owned();
    let redis = ["redis-server", "--bind", "* -::*", "--protected-mode", "no", "--save", "", "--dir", &place];
    let greeting = |name: &str, words: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("printf '{words}'\nexec sleep 3\n")).expect("written");
        format!("EXEC:sh {}", path.display())
    };
    let ftp = greeting("ftp", r"220 files.example FTP server (vsFTPd 3.0.3)\r\n");
    let ssh = greeting("ssh", r"SSH-2.0-OpenSSH_9.2p1\r\n");
    let listening = |port: &str| format!("TCP6-LISTEN:{port},ipv6only=0,fork,reuseaddr,backlog=64");
    let servers = vec![
        inside(&redis),
        inside(&["socat", &listening("21"), &ftp]),
        inside(&["socat", &listening("22"), &ssh]),
        inside(&["socat", &listening("7777"), "EXEC:sleep 3"]),
    ];
    wait_until(|| {
        let said = ask(pid, &["ss", "-Hltn"]);
        [":6379 ", ":21 ", ":22 ", ":7777 "].iter().all(|port| said.contains(port))
    });
    (folder, servers)
}

const RUN: Run = Run {
    ranges: &["198.19.0.0/28", "fd00:19::1/128"],
    ports: "6379, 21, 22, 7777",
    probes: "\"connect\", \"redis\"",
    grab: true,
    rate_pps: 200,
    limits: Some((200, 200, 8)),
    answer_wait_ms: 3_000,
    ..SMALL
};

#[test]
fn what_is_said_on_the_handshake_needs_no_second_connection() {
    if !inside_a_namespace("talks::what_is_said_on_the_handshake_needs_no_second_connection") {
        return;
    }
    if !has_servers() {
        return;
    }
    let (_left, _right) = pair();
    let (_peer, pid) = peer();
    let _servers = servers(&pid);
    ask(&pid, &["nft", COUNTERS]);
    let (report, shelf) = survey(&RUN, nothing);
    // One of sixteen is excluded by the scope, and there is one of IPv6.
    assert_eq!(shelf.subjects().len(), 4 * 16, "{:?}", report.counts);
    for (key, evidence) in evidence_of(&shelf) {
        let kinds: Vec<_> = evidence.iter().map(|piece| piece.kind).collect();
        let has =
            |words: &[u8]| evidence.iter().any(|piece| piece.bytes.windows(words.len()).any(|part| part == words));
        match key.port {
            6379 => {
                assert!(kinds == [EvidenceKind::Redis] && has(b"+PONG") && has(b"redis_version"), "{key}: {kinds:?}")
            }
            21 => assert!(kinds == [EvidenceKind::Banner] && has(b"vsFTPd"), "{key}: {kinds:?}"),
            22 => assert!(has(b"SSH-2.0-OpenSSH_9.2p1"), "{key}"),
            _ => assert!(kinds.is_empty(), "{key}"),
        }
    }
    let begun = |port: &str| -> u64 {
        let said = ask(&pid, &["nft", "list", "counter", "inet", "watch", port]);
        let number = said.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        number.and_then(|text| text.parse().ok()).expect("a counter")
    };
    // Who was understood is never connected to. SSH is a conversation, and who is silent is listened to once more.
    assert_eq!([begun("redis"), begun("ftp")], [0, 0], "{:?}", report.counts.by_reason);
    assert_eq!([begun("ssh"), begun("silent")], [16, 16]);
    let reason = |name: &str| report.counts.by_reason.get(name).copied().unwrap_or(0);
    assert_eq!(reason("took a connection and said nothing on the handshake"), 16);
}

/// The most connections that stood at one host in two looks in a row: one that is just being taken back stands no longer.
fn most_at_once(pid: &str, is_over: impl Fn() -> bool) -> usize {
    let (mut most, mut before) = (0, HashMap::new());
    while !is_over() {
        let said = ask(pid, &["ss", "-Htn", "state", "established"]);
        let hosts = said.lines().filter_map(|line| line.split_whitespace().nth(2)?.rsplit_once(':'));
        let mut now: HashMap<String, usize> = HashMap::new();
        hosts.for_each(|(host, _)| *now.entry(host.to_owned()).or_default() += 1);
        let both = now.iter().map(|(host, count)| before.get(host).copied().unwrap_or(0).min(*count));
        most = both.max().unwrap_or(0).max(most);
        before = now;
    }
    most
}

#[test]
fn hosts_never_have_more_connections_than_the_scope_permits() {
    if !inside_a_namespace("talks::hosts_never_have_more_connections_than_the_scope_permits") || !has_servers() {
        return;
    }
    let (_left, _right) = pair();
    let (_peer, pid) = peer();
    let _servers = servers(&pid);
    // The rates of a scope that says nothing about them; and one that speaks to its hosts as fast as to all.
    for (rate_pps, limits) in [(1_000, (100, 10, 1)), (200, (200, 200, 1))] {
        let (say, said) = std::sync::mpsc::channel();
        let pid = pid.clone();
        let (report, shelf) = survey(&Run { rate_pps, limits: Some(limits), ..RUN }, move |list| {
            // The survey has the list as long as it runs.
            let most = most_at_once(&pid, || Arc::strong_count(&list) == 1);
            say.send(most).expect("heard");
        });
        assert_eq!(shelf.subjects().len(), 4 * 16, "{:?}", report.counts);
        assert_eq!(said.recv().expect("looked"), 1, "{limits:?}");
        let found = evidence_of(&shelf).into_iter().filter(|(key, evidence)| key.port == 6379 && !evidence.is_empty());
        assert_eq!(found.count(), 16, "{limits:?}");
        let reason = |name: &str| report.counts.by_reason.get(name).copied().unwrap_or(0);
        assert_eq!(reason("connections that were not taken back, for too many were open"), 0);
    }
}
