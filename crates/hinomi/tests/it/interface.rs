//! `hinomi flow collect --interface`: real packets over an interface, in a network namespace that the test makes.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::program::{HINOMI, Installation, finish, stand_aside};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs in a namespace with two ends on its own `lo`; nothing of it outlives the shell.
const WITHIN: &str = r#"
set -eu
ip link set lo up
ip address add 198.18.0.7/32 dev lo
ip address add 203.0.113.5/32 dev lo
"$@" >"$OUT" &
collector=$!
until grep -q watching "$OUT"; do kill -0 "$collector"; done
python3 -c "$TRAFFIC" >"$COUNTED"
kill -TERM "$collector"
wait "$collector"
"#;

/// A line talks by TCP with a server, by UDP with one that answers and one that is not there (which ICMP tells it). Says
/// how many packets `lo` has carried, once each.
const TRAFFIC: &str = r#"
import socket
line, server = "198.18.0.7", "203.0.113.5"
def udp(address, port):
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((address, port))
    end.settimeout(20)
    return end
listener = socket.create_server((server, 4444))
client = socket.create_connection((server, 4444), 20, (line, 40000))
peer, _ = listener.accept()
client.sendall(b"x" * 100000)
left = 100000
while left:
    left -= len(peer.recv(65536))
peer.sendall(b"y" * 10)
assert client.recv(10)
client.close()
assert peer.recv(1) == b""
peer.close()
asks, answers = udp(line, 40001), udp(server, 5353)
asks.sendto(b"x" * 3000, (server, 5353))
answers.sendto(b"y", answers.recvfrom(4000)[1])
asks.recv(10)
udp(line, 40002).sendto(b"x", (server, 9))
for row in open("/proc/net/dev"):
    if row.strip().startswith("lo:"):
        print(row.split(":")[1].split()[1])
"#;

/// Runs in a namespace with an interface of the kind `$KIND` that is taken away while it is watched.
const TAKEN_AWAY: &str = r#"
set -eu
ip tuntap add dev wire7 mode "$KIND"
ip address add 198.18.0.7 peer 203.0.113.5 dev wire7
ip link set wire7 up
"$@" >"$OUT" &
collector=$!
until grep -q watching "$OUT"; do kill -0 "$collector"; done
python3 -c "$ANSWER"
ip tuntap del dev wire7 mode "$KIND"
wait "$collector"
"#;

/// Is the other end of a tunnel and sends one question back as its own answer: addresses and ports change places.
const ANSWER: &str = r#"
import fcntl, os, select, socket, struct
kind = 1 if os.environ["KIND"] == "tun" else 2
tunnel = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tunnel, 0x400454ca, struct.pack("16sH22x", b"wire7", kind | 0x1000))
if kind == 1:
    asks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asks.bind(("198.18.0.7", 40000))
    asks.settimeout(20)
    asks.sendto(b"x", ("203.0.113.5", 5353))
    while True:
        # What is sent before the system has noticed that somebody holds the tunnel is lost without a trace.
        if not select.select([tunnel], [], [], 0.3)[0]:
            asks.sendto(b"x", ("203.0.113.5", 5353))
            continue
        packet = os.read(tunnel, 2000)
        if packet[0] == 0x45 and packet[9] == 17:
            break
    os.write(tunnel, packet[:12] + packet[16:20] + packet[12:16] + packet[22:24] + packet[20:22] + packet[24:])
    assert asks.recv(10) == b"x"
"#;

const NAMESPACE: [&str; 4] = ["-rn", "--pid", "--fork", "--kill-child"];

/// Whether a namespace is to be had in which this can be done.
fn has_namespace(trial: &[&str]) -> bool {
    let possible = ["ip", "python3"].iter().all(|tool| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(tool).output();
        found.is_ok_and(|output| output.status.success())
    });
    let tried = Command::new("unshare").args(NAMESPACE).args(trial).output();
    possible && tried.is_ok_and(|output| output.status.success())
}

/// The collector on that interface in a namespace of its own, as a shell's script goes.
fn within(here: &Installation, script: &str, interface: &str) -> Command {
    let list = subscribers(here);
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).args(["sh", "-c", script, "sh", HINOMI]);
    command.args(["flow", "collect", "--interface", interface, "--clients", "1", "--json", "--subscribers", &list]);
    command.arg("--state").arg(here.state()).env("OUT", here.path("out"));
    command
}

/// The collector on `lo`; none where no namespace is to be had.
fn on_lo(here: &Installation) -> Option<(Output, u64)> {
    if !has_namespace(&["ip", "link", "set", "lo", "up"]) {
        stand_aside("packets need ip, python3, and unshare with the right to make a network namespace");
        return None;
    }
    let mut command = within(here, WITHIN, "lo");
    command.env("TRAFFIC", TRAFFIC).env("COUNTED", here.path("counted"));
    let output = finish(command, PATIENCE);
    let counted = std::fs::read_to_string(here.path("counted")).unwrap_or_default();
    Some((output, counted.trim().parse().unwrap_or(0)))
}

fn subscribers(here: &Installation) -> String {
    let path = here.path("subscribers.txt");
    std::fs::write(&path, "198.18.0.0/16\n").expect("written");
    path.to_str().expect("a path").to_owned()
}

#[test]
fn packets_of_an_interface_become_flows_and_none_is_counted_twice() {
    let here = Installation::new();
    let Some((output, carried)) = on_lo(&here) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let out = std::fs::read_to_string(here.path("out")).expect("written");
    let first: Value = serde_json::from_str(out.lines().next().expect("where")).expect("JSON");
    assert_eq!((first["watching"][0].as_str(), first["listening"].as_array().map(Vec::len)), (Some("lo"), Some(0)));
    let last: Value = serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON");
    let status = &last["status"];
    let interface = &status["files"][0];
    assert_eq!((interface["name"].as_str(), interface["kind"].as_str()), (Some("lo"), Some("interface")), "{status}");
    // TCP, UDP with its answer, UDP without one, and ICMP about it.
    assert_eq!(interface["records"].as_u64(), Some(4), "{status}");
    assert_eq!(interface["left_out"].as_object().map(serde_json::Map::len), Some(0), "{status}");
    assert_eq!(
        (status["inlet"]["flows"].as_u64(), status["inlet"]["refused"]["no-ports"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(status["pairs"]["whole"].as_u64(), Some(3), "{status}");
    assert!(carried > 10, "{carried}");
    assert_eq!(status["received"]["frames"].as_u64(), Some(carried), "{status}");
    assert_eq!(status["received"]["kernel_drops"].as_u64(), Some(0));
    for entry in std::fs::read_dir(here.state().join("flow")).expect("a folder") {
        let text = std::fs::read(entry.expect("an entry").path()).expect("read");
        assert!(!String::from_utf8_lossy(&text).contains("198.18."), "a subscriber is written down");
    }
}

#[test]
fn a_tunnel_is_watched_and_an_interface_that_is_taken_away_ends_the_job() {
    for kind in ["tun", "tap"] {
        if !has_namespace(&["ip", "tuntap", "add", "dev", "wire7", "mode", kind]) {
            return stand_aside("tunnels need ip, python3, /dev/net/tun, and the right to make a network namespace");
        }
        let here = Installation::new();
        let mut command = within(&here, TAKEN_AWAY, "wire7");
        command.env("KIND", kind).env("ANSWER", ANSWER);
        let output = finish(command, PATIENCE);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("the interface wire7 is gone"), "{said}");
        let written = std::fs::read(here.state().join("flow/status.json")).expect("every sum");
        let status: Value = serde_json::from_slice(&written).expect("JSON");
        assert_eq!(status["running"].as_bool(), Some(false), "{status}");
        if kind == "tun" {
            // Question and answer; what the system itself says on a new interface is of no subscriber.
            assert_eq!(status["inlet"]["flows"].as_u64(), Some(1), "{status}");
            assert_eq!(status["pairs"]["whole"].as_u64(), Some(1), "{status}");
        }
    }
}

#[test]
fn without_the_right_to_read_packets_it_says_which_one_is_missing() {
    let here = Installation::new();
    let list = subscribers(&here);
    let may = Command::new("setpriv").args(["--bounding-set=-net_raw", "true"]).output();
    let mut command = if may.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", HINOMI]);
        command
    } else {
        Command::new(HINOMI)
    };
    command.args(["flow", "collect", "--interface", "lo", "--subscribers", &list, "--for", "1s"]);
    command.arg("--state").arg(here.state());
    let output = finish(command, PATIENCE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("the interface lo cannot be watched") && said.contains("CAP_NET_RAW"), "{said}");
    let wrong = ["flow", "collect", "--interface", "nowhere0", "--subscribers", &list];
    let said = here.fail(&wrong);
    assert!(said.contains("there is no interface nowhere0 here; there are") && said.contains("lo"), "{said}");
}
