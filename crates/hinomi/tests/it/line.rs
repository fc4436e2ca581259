//! Frames over a real pair of devices, from the program as users run it: with the rights of root and what it gives up of
//! them, and with lines that fail.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::program::{HINOMI, Installation, finish, stand_aside};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A network of its own, which ends with everything in it.
const NAMESPACE: [&str; 4] = ["-n", "--pid", "--fork", "--kill-child"];

/// `left` is ours; behind `right`, in a namespace of its own, all of 198.19.0.0/24 answers on port 80.
const LINE: &str = r#"
set -eu
mount -t proc proc /proc
mount -t sysfs sysfs /sys
ip link set lo up
unshare -n sh -c 'echo up >"$DIR/other"; exec sleep 1000' &
other=$!
until [ -s "$DIR/other" ]; do kill -0 "$other"; done
far() { nsenter -t "$other" -n "$@"; }
ip link add left type veth peer name right
ip link set right netns "$other"
ip address add 198.18.0.1/24 dev left
ip link set left up
far ip address add 198.18.0.2/24 dev right
far ip link set right up
far ip link set lo up
far ip route add local 198.19.0.0/24 dev lo
ip route add 198.19.0.0/24 via 198.18.0.2
far python3 -c "$SERVER" >"$DIR/server" &
until [ -s "$DIR/server" ]; do kill -0 $!; done
survey() { exec "$HINOMI" survey --state "$STATE" --json "$@"; } # in the background, or in brackets

sent() { cat /sys/class/net/left/statistics/tx_packets; }
until_sent() { # so many packets more over the device
  upto=$(($(sent) + $1))
  until [ "$(sent)" -ge "$upto" ]; do kill -0 "$2"; done
}
"#;

const SERVER: &str = "import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', 80)); s.listen(512); print('up', flush=True)
while True: s.accept()[0].close()";

fn possible() -> bool {
    let found = ["ip", "nsenter", "python3"].iter().all(|tool| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(tool).output();
        found.is_ok_and(|output| output.status.success())
    });
    let trial = ["ip", "link", "add", "left", "type", "veth", "peer", "name", "right"];
    let tried = Command::new("unshare").args(NAMESPACE).args(trial).output();
    found && tried.is_ok_and(|output| output.status.success())
}

/// Runs a script on the line, with the arguments `$1` and so on; none where no line is to be had.
fn on_the_line(here: &Installation, script: &str, arguments: &[&str]) -> Option<Output> {
    if !possible() {
        stand_aside("a line needs ip, nsenter, python3, and root to make network namespaces");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).args(["--mount", "sh", "-c", &format!("{LINE}{script}"), "sh"]).args(arguments);
    command.env("HINOMI", HINOMI).env("STATE", here.state()).env("DIR", here.path("")).env("SERVER", SERVER);
    Some(finish(command, PATIENCE))
}

/// A slow survey into somebody else's folder, looked at while it runs.
const LOOKED_AT: &str = r#"
chmod 711 "$DIR"
chown -R 65534:65534 "$STATE"
survey --scope "$1" --engine frames --no-grab >"$DIR/report" 2>"$DIR/said" &
job=$!
until_sent 200 "$job"
cat "/proc/$job/status" >"$DIR/status"
for child in $(cat /proc/"$job"/task/*/children); do grep State "/proc/$child/status" >>"$DIR/children"; done
wait "$job"
"#;

#[test]
fn who_sends_frames_keeps_no_right_and_no_helper() {
    let here = Installation::new();
    let scope = slow(&here);
    let Some(output) = on_the_line(&here, LOOKED_AT, &[&scope]) else { return };
    let read = |name: &str| std::fs::read_to_string(here.path(name)).unwrap_or_default();
    assert!(output.status.success(), "{} {}", String::from_utf8_lossy(&output.stderr), read("said"));
    assert!(read("said").contains("engine: frames ("), "{}", read("said"));
    assert!(!read("said").contains("not protected") && !read("said").contains("not restricted"), "{}", read("said"));
    let status = read("status");
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("a line").trim().to_owned();
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(u64::from_str_radix(&of(set), 16), Ok(0), "{set}");
    }
    assert_eq!((of("NoNewPrivs:").as_str(), of("Seccomp:").as_str()), ("1", "2"));
    assert!(of("Uid:").starts_with("65534\t65534") && of("Gid:").starts_with("65534\t65534"), "{status}");
    assert_eq!(of("Groups:"), "");
    let children = read("children");
    assert!(children.lines().count() == 1 && children.contains('Z'), "the helper has ended: {children:?}");
    let report: Value = serde_json::from_str(&read("report")).expect("a report");
    assert_eq!((report["counts"]["open"].as_u64(), report["finished"].as_bool()), (Some(256), Some(true)), "{report}");
}

/// The interface goes down in the middle of a survey and comes up again for the next.
const GOES_DOWN: &str = r#"
survey --scope "$1" --engine frames --no-grab >"$DIR/report" 2>"$DIR/first" &
job=$!
until_sent 200 "$job"
ip link set left down
if wait "$job"; then echo went on >>"$DIR/first"; exit 1; fi
ip link set left up
ip route add 198.19.0.0/24 via 198.18.0.2
(survey --scope "$1" --engine frames --no-grab) >"$DIR/report" 2>"$DIR/second"
"#;

#[test]
fn an_interface_that_goes_down_ends_a_run_and_the_next_goes_on() {
    let here = Installation::new();
    let scope = slow(&here);
    let Some(output) = on_the_line(&here, GOES_DOWN, &[&scope]) else { return };
    let read = |name: &str| std::fs::read_to_string(here.path(name)).unwrap_or_default();
    let said = format!("{}{}", read("first"), read("second"));
    assert!(output.status.success(), "{} {said}", String::from_utf8_lossy(&output.stderr));
    assert!(read("first").contains("start the campaign again to resume"), "{said}");
    let report: Value = serde_json::from_str(&read("report")).expect("a report");
    assert_eq!(report["campaign"].as_str(), Some("slow-1"), "resumed: {report}");
    let found = here.json(&["search", "port:80", "--limit", "1"]);
    assert!(report["finished"].as_bool() == Some(true), "{report} {found}");
}

/// The gateway is there and says nothing when asked for its hardware address.
const SILENT_GATEWAY: &str = r#"
far ip link set right arp off
ip neigh flush dev left
(survey --scope "$1" --engine frames --no-grab) >"$DIR/report" 2>"$DIR/first" && exit 1
(survey --scope "$1" --no-grab --ports 80) >"$DIR/report" 2>"$DIR/second"
"#;

#[test]
fn a_gateway_that_does_not_answer_is_named() {
    let here = Installation::new();
    let scope = slow(&here);
    let Some(output) = on_the_line(&here, SILENT_GATEWAY, &[&scope]) else { return };
    let read = |name: &str| std::fs::read_to_string(here.path(name)).unwrap_or_default();
    let said = format!("{}{}", read("first"), read("second"));
    assert!(output.status.success(), "{} {said}", String::from_utf8_lossy(&output.stderr));
    assert!(read("first").contains("the gateway 198.18.0.2 on left"), "{said}");
    assert!(read("first").contains("--engine connect"), "{said}");
    assert!(read("second").contains("engine: connections, for frames cannot be sent"), "{said}");
}

/// The scope is taken back in the middle of a survey; then its signer is.
const TAKEN_BACK: &str = r#"
survey --scope "$1" --engine frames --no-grab >"$DIR/report" 2>"$DIR/first" &
job=$!
until_sent 200 "$job"
"$HINOMI" scope revoke "$1" --reason "wrong range" --state "$STATE" >"$DIR/revoked"
if wait "$job"; then echo went on >>"$DIR/first"; exit 1; fi
(survey --scope "$1" --engine frames --no-grab) 2>"$DIR/second" && exit 1
: >"$STATE/revoked.txt"
survey --scope "$1" --engine connect --no-grab >"$DIR/report" 2>"$DIR/third" &
job=$!
until_sent 200 "$job"
"$HINOMI" scope distrust "$2" --state "$STATE" >>"$DIR/revoked"
if wait "$job"; then echo went on >>"$DIR/third"; exit 1; fi
"#;

#[test]
fn a_scope_that_is_taken_back_stops_what_runs_under_it() {
    let here = Installation::new();
    let scope = slow(&here);
    let text = std::fs::read_to_string(&scope).expect("a document");
    let key = text.lines().find_map(|line| line.strip_prefix("# key = ")).expect("a key").to_owned();
    let Some(output) = on_the_line(&here, TAKEN_BACK, &[&scope, &key]) else { return };
    let read = |name: &str| std::fs::read_to_string(here.path(name)).unwrap_or_default();
    let said = format!("{}{}{}{}", read("first"), read("second"), read("third"), read("revoked"));
    assert!(output.status.success(), "{} {said}", String::from_utf8_lossy(&output.stderr));
    assert!(read("first").contains("stopped: the scope was taken back: wrong range"), "{said}");
    assert!(read("second").contains("the scope was taken back: wrong range"), "{said}");
    assert!(read("third").contains("which is not trusted here"), "{said}");
    let ledger = here.succeed(&["campaign", "ledger", "--verify"]);
    assert!(ledger.contains("slow"), "{ledger}");
    let status = here.json(&["campaign", "status"]);
    assert!(status.to_string().contains("\"revoked\""), "{status}");
}

/// A scope of 1,024 targets that takes some seconds, for 256 hosts with one open port each.
fn slow(here: &Installation) -> String {
    let paths = ["slow.toml", "signer.key"].map(|name| here.path(name).to_str().expect("a path").to_owned());
    let [file, key] = [&paths[0], &paths[1]];
    let public = here.succeed(&["scope", "key", key]);
    here.succeed(&["scope", "trust", public.trim(), "--name", "the signer"]);
    let new = ["scope", "new", "--name", "slow", "--range", "198.19.0.0/24", "--tcp-ports", "80-83", "--udp-ports", ""];
    let by = ["--probe", "connect", "--organisation", "T", "--person", "T", "--email", "t@example.org", "--out", file];
    here.succeed(&[&new[..], &by].concat());
    let text = std::fs::read_to_string(file).expect("a document");
    let faster =
        text.replace("total_pps = 1000", "total_pps = 200").replace("per_prefix_pps = 100", "per_prefix_pps = 200");
    std::fs::write(file, faster).expect("written");
    here.succeed(&["scope", "sign", file, "--key", key]);
    file.clone()
}
