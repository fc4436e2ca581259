//! Real servers of plant and building control from PyPI, asked by a survey at ports that its scope names: each is
//! understood in its own language and says what it is. `.ci/install` makes the Python that has them; where it is not,
//! the test stands aside.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ports;
use crate::program::{Installation, alone, stand_aside};

/// Starts one server: `python peers.py NAME PORT`; it says `up` when it listens, or is about to.
const PEERS: &str = include_str!("plant/peers.py");

/// The longest time until a server answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A server, how to know that it answers, and what a survey must say of it.
struct Peer {
    /// Its name in `peers.py`.
    name: &'static str,
    /// The probe that the scope names for its port.
    probe: &'static str,
    /// A question over UDP; none for a server that takes connections.
    hello: Option<&'static [u8]>,
    protocol: &'static str,
    vendor: Option<&'static str>,
    product: Option<&'static str>,
    version: Option<&'static str>,
}

/// The device of BACnet is configured with the instance that stands for any (4194303) because the server of this package
/// does not answer under it otherwise. That a device with an instance of its own answers, as ASHRAE 135 wants it, is not
/// shown here.
const PEERS_OF_PLANT: &[Peer] = &[
    Peer {
        name: "enip",
        probe: "enip",
        hello: None,
        protocol: "enip",
        vendor: Some("Rockwell Automation"),
        product: Some("1756-L61/B LOGIX5561"),
        version: Some("20.11"),
    },
    Peer {
        name: "bacnet",
        probe: "bacnet",
        hello: Some(b"\x81\x0a\0\x11\x01\x04\0\x05\x08\x0c\x0c\x02\x3f\xff\xff\x19\x46"),
        protocol: "bacnet",
        vendor: Some("Hinomi"),
        product: Some("Lookout 7"),
        version: Some("1.2.3"),
    },
    Peer {
        name: "s7",
        probe: "s7",
        hello: None,
        protocol: "s7",
        vendor: Some("Siemens"),
        product: Some("SIMATIC S7-300"),
        version: Some("3.2.6"),
    },
    Peer {
        name: "opcua",
        probe: "opc-ua",
        hello: None,
        protocol: "opcua",
        vendor: Some("FreeOpcUa"),
        product: Some("opcua-asyncio"),
        version: None,
    },
    Peer {
        name: "iec104",
        probe: "iec104",
        hello: None,
        protocol: "iec104",
        vendor: None,
        product: None,
        version: None,
    },
    Peer { name: "dnp3", probe: "dnp3", hello: None, protocol: "dnp3", vendor: None, product: None, version: None },
];

/// Ends with its owner.
struct Running {
    child: Child,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python with the servers' packages.
fn python() -> Option<std::path::PathBuf> {
    let python = std::path::PathBuf::from(std::env::var_os("HINOMI_PLANT_PYTHON")?);
    python.exists().then_some(python)
}

fn start(python: &std::path::Path, peer: &Peer) -> Running {
    let port = ports::fresh();
    let mut command = Command::new(python);
    command.args(["-c", PEERS, peer.name, &port.to_string()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Python starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "up"), "{} ended before it was up", peer.name);
    let running = Running { child, port };
    wait_for_answer(peer, running.port);
    // What it writes later goes nowhere, and it must not die of that.
    std::thread::spawn(move || lines.for_each(drop));
    running
}

/// Until it takes a connection or answers a datagram.
#[expect(clippy::disallowed_methods, reason = "asks the servers that this test started, on loopback")]
fn wait_for_answer(peer: &Peer, port: u16) {
    let deadline = Instant::now() + START_LIMIT;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a bound");
    while Instant::now() < deadline {
        let answers = match peer.hello {
            None => std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
            Some(hello) => {
                let _ = socket.send_to(hello, ("127.0.0.1", port));
                socket.recv_from(&mut [0; 512]).is_ok()
            }
        };
        if answers {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{} does not answer", peer.name);
}

#[test]
fn plant_control_says_what_it_is() {
    let Some(python) = python() else {
        return stand_aside("HINOMI_PLANT_PYTHON names no Python with the servers of .ci/install");
    };
    let _alone = alone();
    let here = Installation::new();
    let running: Vec<(&Peer, Running)> = PEERS_OF_PLANT.iter().map(|peer| (peer, start(&python, peer))).collect();
    let ports = |udp: bool| {
        let of = running.iter().filter(|(peer, _)| peer.hello.is_some() == udp);
        of.map(|(_, server)| server.port.to_string()).collect::<Vec<_>>().join(",")
    };
    let named: Vec<String> = running.iter().map(|(peer, server)| format!("{}:{}", peer.probe, server.port)).collect();
    let probes: Vec<&str> = ["all"].into_iter().chain(named.iter().map(String::as_str)).collect();
    let scope = here.scope_for(&probes, "plant", &["127.0.0.1/32"], &ports(false), &ports(true));
    let report = here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    assert_eq!(report["finished"], true, "{report}");
    let services = here.services();
    for (peer, server) in &running {
        let seen = services.iter().find(|service| service["port"] == u64::from(server.port));
        let seen = seen.unwrap_or_else(|| panic!("{} was not seen", peer.name));
        let told = |key: &str| seen[key].as_str();
        assert_eq!(told("protocol"), Some(peer.protocol), "{seen}");
        let expected = (peer.vendor, peer.product, peer.version);
        assert_eq!((told("vendor"), told("product"), told("version")), expected, "{}: {seen}", peer.name);
    }
}

#[test]
fn plant_control_is_left_alone_where_no_scope_names_it() {
    let Some(python) = python() else {
        return stand_aside("HINOMI_PLANT_PYTHON names no Python with the servers of .ci/install");
    };
    let _alone = alone();
    let here = Installation::new();
    let peer = PEERS_OF_PLANT.iter().find(|peer| peer.name == "bacnet").expect("in the table");
    let server = start(&python, peer);
    let scope = here.scope_for(&["all"], "unnamed", &["127.0.0.1/32"], "", &server.port.to_string());
    let report: Value = here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    assert_eq!(report["finished"], true, "{report}");
    let spoken = here.services().iter().any(|service| service["protocol"] == "bacnet");
    assert!(!spoken, "nobody said that BACnet is spoken at {}", server.port);
}
