//! Lists for IPv6, from sources to results, in a network namespace of the test's own: a real name server, a few real
//! hosts, and a network that one machine has whole.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::daemons;
use crate::program::{HINOMI, Installation, finish, stand_aside};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(300);

const NAMESPACE: [&str; 4] = ["-n", "--pid", "--fork", "--kill-child"];

/// fd00:a:0:1::/64 answers as a whole; fd00:a:0:2:: has hosts 1 to 9 and 80; nobody else is there.
const WITHIN: &str = r#"
set -eu
ip link set lo up
ip -6 route add local fd00:a:0:1::/64 dev lo
for host in 1 2 3 4 5 6 7 8 9 80; do ip -6 route add local "fd00:a:0:2::$host/128" dev lo; done
python3 -c "$SERVER" &
until ss -Hltn | grep -q :8080; do kill -0 $!; done
dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --port=5300 --listen-address=127.0.0.1 \
    --bind-interfaces --user=root --group=root --pid-file= --log-facility="$DIR/asked" --log-queries \
    --host-record=www.six.test,fd00:a:0:2::80 --host-record=both.six.test,fd00:a:0:2::9,10.9.9.9 \
    --host-record=far.six.test,fd00:b::1 --cname=alias.six.test,www.six.test --local=/test/ &
until ss -Hlun | grep -q :5300; do kill -0 $!; done
nsd -d -c "$DIR/nsd.conf" >"$DIR/zone" 2>&1 &
until ss -Hlun | grep -q :5301; do kill -0 $!; done
candidates() { "$HINOMI" candidates --scope "$SCOPE" --state "$STATE" "$@"; }
candidates --hitlist "$DIR/hitlist" --names "$DIR/names" --resolver 127.0.0.1:5300 --patterns 40 \
    >"$DIR/list" 2>"$DIR/said"
"$HINOMI" survey --scope "$SCOPE" --state "$STATE" --targets - --no-grab --json \
    <"$DIR/list" >"$DIR/report" 2>"$DIR/talk"
candidates --from-lake --hitlist "$DIR/hitlist" --patterns 40 --json >"$DIR/again"
candidates --reverse fd00:a:0:2::/64 --reverse fd00:a:0:4::/64 --resolver 127.0.0.1:5301 --names-per-second 10000 \
    --json >"$DIR/reverse"
candidates --from-lake --hitlist "$DIR/hitlist" --with-aliased --json >"$DIR/with"
"$HINOMI" campaign status --state "$STATE" --json >"$DIR/status"
"#;

const SERVER: &str = r#"
import socket
listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
listener.bind(("::", 8080))
listener.listen(4096)
while True:
    listener.accept()[0].close()
"#;

/// What the namespace takes.
fn possible() -> bool {
    let found = ["ip", "ss", "python3"].iter().all(|tool| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(tool).output();
        found.is_ok_and(|output| output.status.success())
    });
    let tried = Command::new("unshare").args(NAMESPACE).args(["ip", "link", "set", "lo", "up"]).output();
    let servers = ["dnsmasq", "nsd"].into_iter().all(|server| !daemons::missing(server));
    found && servers && tried.is_ok_and(|output| output.status.success())
}

#[test]
fn lists_are_gathered_surveyed_and_gathered_better() {
    if !possible() {
        stand_aside(
            "needs ip, ss, python3, dnsmasq (Debian package dnsmasq-base), nsd, and root to make a network namespace",
        );
        return;
    }
    let here = Installation::new();
    let scope = scope(&here);
    let whole: String = (0..60).map(|number| format!("fd00:a:0:1:{:x}::{number:x}\n", number * 1_021)).collect();
    let hosts = "# hosts\nfd00:a:0:2::1\nfd00:a:0:2::3, seen\nFD00:A:0:2:0::4\n[fd00:a:0:2::5]:8080\nfd00:a:0:2::7\n";
    let others = "fd00:b::7\nfd00:a:0:9::1\nfe80::1%lo\nfd00:a::/64\nnonsense\n";
    std::fs::write(here.path("hitlist"), format!("{whole}{hosts}{others}")).expect("written");
    let names = "www.six.test\nalias.six.test # the same\nboth.six.test\nfar.six.test\nnone.six.test\nno name\n";
    std::fs::write(here.path("names"), names).expect("written");
    reverse_zone(&here);
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).args(["sh", "-c", WITHIN]).env("HINOMI", HINOMI).env("SERVER", SERVER);
    command.env("STATE", here.state()).env("DIR", here.path("")).env("SCOPE", scope);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let output = finish(command, PATIENCE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    list_is_right(&here);
    survey_is_right(&here);
    next_list_is_better(&here);
}

fn read(here: &Installation, name: &str) -> String {
    std::fs::read_to_string(here.path(name)).expect("written")
}

fn lines(here: &Installation, name: &str) -> Vec<Value> {
    read(here, name).lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn list_is_right(here: &Installation) {
    let (list, said) = (read(here, "list"), read(here, "said"));
    let sources: BTreeMap<&str, &str> = list.lines().filter_map(|line| line.split_once(" # ")).collect();
    assert_eq!(sources.get("fd00:a:0:2::3"), Some(&"hitlist"));
    assert_eq!((sources.get("fd00:a:0:2::80"), sources.get("fd00:a:0:2::9")), (Some(&"name"), Some(&"name")));
    let guessed = sources.values().filter(|source| ["usual", "pattern"].contains(source)).count();
    assert_eq!((guessed, sources.len()), (40, 60 + 5 + 2 + 40), "{said}");
    let guess = |address| sources.get(address).is_some_and(|source| ["usual", "pattern"].contains(source));
    assert!(guess("fd00:a:0:2::2") && guess("fd00:a:0:2::6") && guess("fd00:a:0:2::8"), "{list}");
    assert!(!sources.keys().any(|address| address.starts_with("fd00:b") || address.starts_with("10.")), "outside");
    assert!(said.contains("hitlist: 65 candidates; 2 outside the scope"), "{said}");
    assert!(said.contains("3 lines were passed over") && said.contains("1 lines are no names"), "{said}");
    assert!(said.contains("5 names: 4 lead somewhere, 0 not answered"), "{said}");
    assert!(
        read(here, "asked").contains("query[AAAA] www.six.test") && !read(here, "asked").contains("query[A]"),
        "IPv6 alone"
    );
}

fn survey_is_right(here: &Installation) {
    let report: Value = serde_json::from_str(&read(here, "report")).expect("a report");
    assert_eq!(report["aliased"], serde_json::json!(["fd00:a:0:1::/64"]), "{report}\n{}", read(here, "talk"));
    assert_eq!(report["counts"]["targets_done"], report["targets"]);
    let mut found: Vec<String> = here
        .services()
        .iter()
        .map(|service| {
            service["key"]["address"].as_str().or(service["address"].as_str()).expect("an address").to_owned()
        })
        .collect();
    found.sort();
    let mut real: Vec<String> = (1..=9).map(|host| format!("fd00:a:0:2::{host}")).collect();
    real.extend(["fd00:a:0:2::80".to_owned(), "fd00:a:0:1::".to_owned()]);
    real.sort();
    assert_eq!(found, real, "every real host, and one for the whole network");
    let status: Value = serde_json::from_str(&read(here, "status")).expect("a status");
    assert_eq!(status[0]["aliased"], serde_json::json!(["fd00:a:0:1::/64"]));
}

fn next_list_is_better(here: &Installation) {
    // Those with a name, and none of the network in which every address has one.
    let reverse = lines(here, "reverse");
    let walked = &reverse.last().expect("a summary")["summary"]["reverse"];
    let mut named: Vec<_> = reverse.iter().filter_map(|line| line["address"].as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["fd00:a:0:2::80", "fd00:a:0:2::9"], "{walked}");
    assert_eq!((&walked["made_up"], &walked["unanswered"]), (&1.into(), &0.into()), "{walked}");
    assert!(walked["questions"].as_u64().expect("a count") < 1_000, "{walked}");

    // The next list knows what the survey found: hosts from the lake, and one address of the network that is whole.
    let again = lines(here, "again");
    let summary = &again.last().expect("a summary")["summary"]["sources"];
    assert_eq!(summary["hitlist"]["aliased"], 59, "{summary}");
    let in_whole = |all: &[Value]| {
        let addresses = all.iter().filter_map(|line| line["address"].as_str());
        addresses.filter(|address| address.starts_with("fd00:a:0:1:")).count()
    };
    assert_eq!((in_whole(&again), in_whole(&lines(here, "with"))), (1, 60));
    assert_eq!(summary["lake"]["taken"], 5, "those that the hitlist does not name: {summary}");
}

/// The reverse zone of fd00:a::/48, as `nsd` serves it: two names in one network, and a name for every address of
/// another.
fn reverse_zone(here: &Installation) {
    let (folder, zone) = (here.path("").display().to_string(), "0.0.0.0.a.0.0.0.0.0.d.f.ip6.arpa");
    let name = |ending: &str| format!("{ending}.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0 PTR www.six.test.\n");
    let names = [name("0.8"), name("9.0")].concat();
    let text = format!(
        "$ORIGIN {zone}.\n$TTL 60\n@ SOA ns.six.test. t.six.test. 1 60 60 60 60\n@ NS ns.six.test.\n{names}\
         *.4.0.0.0 PTR made.six.test.\n"
    );
    let server = format!(
        "server:\n ip-address: 127.0.0.1@5301\n username: \"\"\n zonesdir: \"{folder}\"\n pidfile: \"\"\n \
         zonelistfile: \"{folder}/zone.list\"\n xfrdfile: \"\"\n database: \"\"\n\
         remote-control:\n control-enable: no\n"
    );
    let served = format!("zone:\n name: \"{zone}\"\n zonefile: \"reverse.zone\"\n");
    std::fs::write(here.path("reverse.zone"), text).expect("written");
    std::fs::write(here.path("nsd.conf"), server + &served).expect("written");
}

/// A scope of fd00:a::/48 but for one network, signed by a key that is trusted for all ranges.
fn scope(here: &Installation) -> std::path::PathBuf {
    let (path, key) = (here.path("six.toml"), here.path("six.key"));
    let (file, key) = (path.to_str().expect("a path"), key.to_str().expect("a path"));
    let public = here.succeed(&["scope", "key", key]);
    here.succeed(&["scope", "trust", public.trim(), "--name", "the signer"]);
    let new = ["scope", "new", "--name", "six", "--range", "fd00:a::/48", "--exclude", "fd00:a:0:9::/64"];
    let ports = ["--tcp-ports", "8080", "--udp-ports", "", "--out", file];
    let by = ["--organisation", "T", "--person", "T", "--email", "noc@example.org"];
    here.succeed(&[&new[..], &ports, &by].concat());
    here.succeed(&["scope", "sign", file, "--key", key]);
    path
}
