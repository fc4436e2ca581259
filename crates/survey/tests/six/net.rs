//! Two network namespaces of the test's own, joined by a pair of virtual devices: ours, and one whose kernel answers
//! for whole prefixes of IPv6 (`AnyIP`) beside a few real hosts. That kernel counts what it is asked, by itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const INSIDE: &str = "HINOMI_SIX_INSIDE";

/// Runs the named test of this file again, in a fresh network namespace; true there.
pub(crate) fn inside_a_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let me = std::env::current_exe().expect("this program");
    let arguments = ["--exact", test, "--nocapture"];
    let child = Command::new("unshare").arg("-n").arg(me).args(arguments).env(INSIDE, "1").output();
    let why = match child {
        Ok(output) if output.status.success() => {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return false;
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(said.contains("unshare failed: Operation not permitted"), "{said}");
            "no privilege to make a network namespace".to_owned()
        }
        Err(error) => format!("unshare: {error}"),
    };
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "{why}");
    eprintln!("{test} stands aside: {why}");
    false
}

/// Accepts connections to every address of its machine, at ports 80 and 81, and says when it does.
const SERVER: &str = r#"
import selectors, socket
chosen = selectors.DefaultSelector()
for port in (80, 81):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", port))
    listener.listen(4096)
    chosen.register(listener, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        key.fileobj.accept()[0].close()
"#;

/// Counts what comes by address and port, before anything else looks at it.
const COUNTER: &str = "table ip6 count {
set asked { type ipv6_addr . inet_service; size 65535; flags dynamic; counter; }
chain in {
type filter hook prerouting priority -300
tcp flags & (syn | ack | rst) == syn update @asked { ip6 daddr . tcp dport }
}
}";

/// The other side; ends with this.
pub(crate) struct Far {
    server: Child,
}

impl Far {
    /// Everything under fd00:a::/48 leads there. `aliased` are prefixes that it has whole, `hosts` single addresses.
    pub(crate) fn new(aliased: &[&str], hosts: &[String]) -> Self {
        ip("link add left type veth peer name right");
        let server = Command::new("unshare")
            .args(["-n", "sh", "-c", "read go && exec python3 -c \"$SERVER\""])
            .env("SERVER", SERVER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut far = Self { server };
        far.wait_for_namespace();
        ip(&format!("link set right netns {}", far.server.id()));
        ip("-6 addr add fd00:18::1/64 dev left nodad");
        far.run("ip -6 addr add fd00:18::2/64 dev right nodad");
        for (here, name) in [(true, "lo"), (true, "left"), (false, "lo"), (false, "right")] {
            let up = format!("link set {name} up");
            if here { ip(&up) } else { far.run(&format!("ip {up}")) }
        }
        // What nobody has is not answered.
        far.run("ip -6 route add blackhole fd00:a::/48");
        aliased.iter().for_each(|prefix| far.run(&format!("ip -6 route add local {prefix} dev lo")));
        hosts.iter().for_each(|host| far.run(&format!("ip -6 route add local {host}/128 dev lo")));
        far.inside(&["nft", COUNTER]);
        far.serve();
        let said = far.inside(&["ip", "-br", "link", "show", "dev", "right"]);
        let hardware = said.split_whitespace().nth(2).expect("an address").to_owned();
        ip(&format!("-6 neigh replace fd00:18::2 dev left lladdr {hardware} nud permanent"));
        ip("-6 route add fd00:a::/48 via fd00:18::2 dev left");
        far.wait_until_up();
        far
    }

    /// Until the far end itself answers: a link that was just set up loses what is sent over it.
    #[expect(clippy::disallowed_methods, reason = "the far end of the test's own pair of devices")]
    fn wait_until_up(&self) {
        let start = Instant::now();
        let far: SocketAddr = "[fd00:18::2]:80".parse().expect("an address");
        while TcpStream::connect_timeout(&far, Duration::from_millis(200)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "the pair does not come up");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Until the child has a network of its own.
    fn wait_for_namespace(&self) {
        let of = |process: String| std::fs::read_link(format!("/proc/{process}/ns/net")).expect("Linux");
        let ours = of("self".to_owned());
        let start = Instant::now();
        while of(self.server.id().to_string()) == ours {
            assert!(start.elapsed() < Duration::from_secs(20), "no second namespace");
            std::thread::yield_now();
        }
    }

    fn serve(&mut self) {
        self.server.stdin.take().expect("piped").write_all(b"go\n").expect("told");
        let mut said = String::new();
        BufReader::new(self.server.stdout.take().expect("piped")).read_line(&mut said).expect("said");
        assert_eq!(said, "ready\n");
    }

    fn inside(&self, command: &[&str]) -> String {
        let process = self.server.id().to_string();
        let output = Command::new("nsenter").args(["-t", &process, "-n"]).args(command).output().expect("nsenter");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn run(&self, command: &str) {
        self.inside(&command.split(' ').collect::<Vec<_>>());
    }

    /// How often each address under fd00:a::/48 was asked at each port until now.
    pub(crate) fn asked(&self) -> BTreeMap<(Ipv6Addr, u16), u64> {
        let text = self.inside(&["nft", "-j", "list", "set", "ip6", "count", "asked"]);
        let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let sets = told["nftables"].as_array().expect("a list").iter().filter_map(|one| one["set"]["elem"].as_array());
        let element = |one: &serde_json::Value| {
            let one = &one["elem"];
            let (key, packets) = (&one["val"]["concat"], &one["counter"]["packets"]);
            let address: Ipv6Addr = key[0].as_str().expect("an address").parse().expect("an address");
            let port = u16::try_from(key[1].as_u64().expect("a port")).expect("a port");
            ((address, port), packets.as_u64().expect("a count"))
        };
        sets.flatten().map(element).filter(|((address, _), _)| address.segments().starts_with(&[0xfd00, 0xa])).collect()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip (package iproute2)");
    assert!(status.success(), "ip {arguments}");
}
