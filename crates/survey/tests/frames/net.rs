//! A pair of virtual devices in a network namespace of the test's own: `left` is ours, `right` is the rest of the world.

use std::process::Command;
use std::time::{Duration, Instant};

use hinomi_netio::Interface;

const INSIDE: &str = "HINOMI_FRAMES_INSIDE";

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
            // A name that is nobody's would run nothing and succeed.
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("1 passed"), "{test}: {said}");
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

pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip (package iproute2)");
    assert!(status.success(), "ip {arguments}");
}

/// The range behind the gateway, IPv4 and IPv6.
pub(crate) const RANGE: &str = "198.19.0.0/16";
pub(crate) const RANGE6: &str = "fd00:19::/112";

/// Both devices, up, with a gateway at the other end that is never asked who it is.
pub(crate) fn pair() -> (Interface, Interface) {
    ip("link add left type veth peer name right");
    ip("addr add 198.18.0.1/24 dev left");
    ip("-6 addr add fd00:18::1/64 dev left nodad");
    for name in ["lo", "left", "right"] {
        ip(&format!("link set {name} up"));
    }
    let start = Instant::now();
    let is_up = || {
        let said = Command::new("ip").args(["-br", "link", "show", "dev", "left"]).output().expect("ip");
        String::from_utf8_lossy(&said.stdout).contains(" UP ")
    };
    while !is_up() {
        assert!(start.elapsed() < Duration::from_secs(10), "the pair does not come up");
        std::thread::yield_now();
    }
    let (left, right) = (Interface::named("left").expect("left"), Interface::named("right").expect("right"));
    let hardware = right.hardware.expect("Ethernet").map(|byte| format!("{byte:02x}")).join(":");
    ip(&format!("neigh replace 198.18.0.2 dev left lladdr {hardware} nud permanent"));
    ip(&format!("neigh replace fd00:18::2 dev left lladdr {hardware} nud permanent"));
    ip(&format!("route add {RANGE} via 198.18.0.2 dev left"));
    ip(&format!("-6 route add {RANGE6} via fd00:18::2 dev left"));
    (left, right)
}
