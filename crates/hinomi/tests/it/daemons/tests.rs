//! The harness itself: its table is sound, and what it starts ends.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;

use crate::ports;

use super::{Certificate, Daemon, Running, Transport, all, find, hello, missing, package, start};

/// The script that installs the packages, beside the workspace.
const INSTALLER: &str = include_str!("../../../../../.ci/daemons.sh");

#[test]
fn every_daemon_is_named_once_and_its_package_is_in_the_installer() {
    let listed: HashSet<&str> =
        INSTALLER.split(|letter: char| letter.is_whitespace() || "()".contains(letter)).collect();
    let mut names = HashSet::new();
    for daemon in all() {
        assert!(names.insert(daemon.name), "{} twice", daemon.name);
        assert!(listed.contains(daemon.package), "{} is not in .ci/daemons.sh", daemon.package);
        assert_eq!(find(daemon.name).map(|found| found.package), Some(daemon.package));
        assert!(!daemon.truth.vendor.is_empty() && !daemon.truth.product.is_empty(), "{}", daemon.name);
        assert_eq!(daemon.truth.protocol, daemon.truth.protocol.to_lowercase(), "{}", daemon.name);
        assert!(daemon.truth.named || daemon.truth.version.is_none(), "{}: a version but no name", daemon.name);
        assert_eq!(daemon.certificate.is_some(), daemon.hello == hello::TLS, "{}", daemon.name);
    }
    assert!(names.len() >= 26);
}

#[test]
fn the_table_has_both_transports_and_both_certificates() {
    let count = |wanted: fn(&Daemon) -> bool| all().filter(|daemon| wanted(daemon)).count();
    assert!(count(|daemon| daemon.transport == Transport::Udp) >= 10);
    assert!(count(|daemon| daemon.certificate == Some(Certificate::Current)) >= 3);
    assert!(count(|daemon| daemon.certificate == Some(Certificate::Expired)) >= 1);
}

#[test]
fn upstream_versions_are_cut_out_of_debian_ones() {
    let cases = [
        ("1:9.2p1-2+deb12u10", "9.2p1"),
        ("1.3.8+dfsg-4+deb12u5", "1.3.8"),
        ("1.21+ds1-12+b1", "1.21"),
        ("20230101-1", "20230101"),
        ("4.6.1", "4.6.1"),
    ];
    for (full, upstream) in cases {
        assert_eq!(package::upstream_of(full), upstream);
    }
}

#[test]
fn an_absent_program_is_missing() {
    assert!(missing("no-such-program-here"));
    assert!(!missing("sh"));
}

/// micro-httpd runs below an inetd that forks for each connection: the kind that is easily left behind.
#[test]
fn a_dropped_daemon_is_gone_with_its_port() -> Result<(), String> {
    let daemon = find("micro-httpd").ok_or("not in the table")?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let running: Running = start(daemon, directory.path(), ports::fresh())?;
    assert!(running.banner().starts_with(b"HTTP/1."), "{:?}", running.banner());
    assert_eq!(running.daemon().name, "micro-httpd");
    let (address, process) = (running.address(), running.process());
    drop(running);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    TcpListener::bind(address).map(drop).map_err(|error| format!("{address} is still taken: {error}"))
}

#[test]
fn the_version_of_the_package_is_the_one_announced() -> Result<(), String> {
    let daemon = find("webfs").ok_or("not in the table")?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let running = start(daemon, directory.path(), ports::fresh())?;
    let version = running.version().ok_or("no version in its truth")?;
    let banner = String::from_utf8_lossy(running.banner()).into_owned();
    assert!(banner.contains(&format!("Server: webfs/{version}\r\n")), "{banner}");
    Ok(())
}

#[test]
fn a_taken_port_is_not_mistaken_for_the_daemon() -> Result<(), String> {
    let daemon = find("micro-httpd").ok_or("not in the table")?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let taken = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let port = taken.local_addr().map_err(|error| error.to_string())?.port();
    let error = start(daemon, directory.path(), port).err().ok_or("it started on a taken port")?;
    assert!(error.contains("is taken"), "{error}");
    Ok(())
}
