//! Ports for servers that have to be told theirs.

use std::fs;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the kernel gives to whoever asks for none (32768 and up): a connection of another test cannot take
/// it between this answer and the server's start.
static NEXT: AtomicU16 = AtomicU16::new(20_000);

/// A port that nobody has, over TCP or UDP; never the same twice in one run of the tests.
///
/// # Panics
/// All up to 32767 are taken.
pub(crate) fn fresh() -> u16 {
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_768, "no free port is left");
        if !taken(port) {
            return port;
        }
    }
}

/// Whether any socket of this machine has the port at its own end. The kernel is asked for its list: trying to bind would
/// let a process that another test forks at that moment hold the port until it has become another program.
pub(crate) fn taken(port: u16) -> bool {
    let end = format!(":{port:04X}");
    ["tcp", "tcp6", "udp", "udp6"].iter().any(|table| {
        let rows = fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        // One without IPv6 has no such tables; without the others nothing could be told.
        let rows = if table.ends_with('6') { rows.unwrap_or_default() } else { rows.expect("the kernel's list") };
        rows.lines().skip(1).any(|row| row.split_whitespace().nth(1).is_some_and(|here| here.ends_with(&end)))
    })
}
