//! The system calls of a whole survey, watched from outside: no connection and no datagram leads out of the scope.
//!
//! The town's hosts try to lead the survey away: redirects and SSDP locations that point to other addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use crate::program::{HINOMI, Installation, alone, finish, stand_aside};

/// Addresses and ports that a line of the trace sends to.
fn destination(line: &str) -> Option<IpAddr> {
    let v4 = line.split("inet_addr(\"").nth(1).and_then(|rest| rest.split('"').next());
    let v6 = line.split("inet_pton(AF_INET6, \"").nth(1).and_then(|rest| rest.split('"').next());
    v4.or(v6).and_then(|text| text.parse().ok())
}

#[test]
fn nothing_leaves_but_into_the_scope() {
    if Command::new("strace").arg("-V").output().is_err() {
        stand_aside("strace is not installed (Debian package strace)");
        return;
    }
    let _alone = alone();
    let here = Installation::new();
    let town = ["--size", "256", "--seed", "3", "--base", "127.94.0.0"];
    let (_town, first) = here.start(&[&["town", "up", "--json"], town.as_slice()].concat());
    let up: serde_json::Value = serde_json::from_str(&first).expect("the town");
    let ports = |name: &str| up[name].as_str().expect("ports").to_owned();
    let scope = here.scope("watched", &["127.94.0.0/25"], &ports("tcp_ports"), &ports("udp_ports"));
    let trace = here.path("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]).arg(&trace).arg(HINOMI);
    command.args(["survey", "--scope"]).arg(&scope).arg("--state").arg(here.state());
    let output = finish(command, Duration::from_secs(500));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&trace).expect("a trace");
    let destinations: BTreeSet<IpAddr> = text.lines().filter_map(destination).collect();
    assert!(destinations.len() > 100, "the trace shows {} destinations", destinations.len());
    let inside: ipnet::IpNet = "127.94.0.0/25".parse().expect("a prefix");
    let outside: Vec<_> = destinations.iter().filter(|address| !inside.contains(*address)).collect();
    assert!(outside.is_empty(), "packets left the scope towards {outside:?}");
}
