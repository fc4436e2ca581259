//! Ports for servers that have to be told theirs.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the kernel gives to whoever asks for none (32768 and up): a connection of another test cannot take
/// it between this answer and the server's start.
static NEXT: AtomicU16 = AtomicU16::new(20_000);

/// A port of loopback that nobody has, over TCP or UDP; never the same twice in one run of the tests.
///
/// # Panics
/// All up to 32767 are taken.
pub(crate) fn fresh() -> u16 {
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_768, "no free port is left");
        let here = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(here).is_ok() && UdpSocket::bind(here).is_ok() {
            return port;
        }
    }
}
