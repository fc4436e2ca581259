//! Ports that the kernel must leave to us.
//!
//! Half-open probes are answered with a SYN-ACK that no socket of the kernel asked for, and the kernel would reset the
//! connection. Here a listening socket holds each of our source ports, with a filter that drops whatever arrives: the
//! kernel finds the socket, the filter says no, and the packet is dropped without an answer (`tcp_filter` runs before
//! the state of a listener is looked at). No packet-filter rule, no address of its own, and no other program can be
//! given the port meanwhile. Receivers see the packet all the same: they stand in front of the protocol.
//!
//! Answers to datagrams are the same: the kernel says "port unreachable" to who sends to a port without a socket. A bound
//! socket with such a filter takes them and drops them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};

use crate::map::set_option;
use crate::opener;

/// Source ports held for as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    sockets: Vec<OwnedFd>,
    ports: RangeInclusive<u16>,
}

/// How many places are tried for a run of free ports.
const TRIES: u16 = 64;

impl Reservation {
    /// Holds `count` TCP ports in a row on an address of this machine, from `first` on or, where some are taken, further
    /// up.
    ///
    /// # Errors
    /// When no such run of ports is free.
    pub fn hold(address: IpAddr, first: u16, count: u16) -> io::Result<Self> {
        Self::run(first, count, |port| opener::hold(Held::Tcp, address, port))
    }

    /// The same with UDP ports.
    ///
    /// # Errors
    /// When no such run of ports is free.
    pub fn hold_datagrams(address: IpAddr, first: u16, count: u16) -> io::Result<Self> {
        Self::run(first, count, |port| opener::hold(Held::Udp, address, port))
    }

    fn run(first: u16, count: u16, hold: impl Fn(u16) -> io::Result<OwnedFd>) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for attempt in 0..TRIES {
            let Some(from) = attempt.checked_mul(count).and_then(|offset| first.checked_add(offset)) else { break };
            let Some(to) = from.checked_add(count.saturating_sub(1)) else { break };
            match (from..=to).map(&hold).collect() {
                Ok(sockets) => return Ok(Self { sockets, ports: from..=to }),
                Err(error) if is_the_same_elsewhere(&error) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The ports held.
    pub fn ports(&self) -> RangeInclusive<u16> {
        self.ports.clone()
    }

    /// How many ports are held.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

/// Whether another port would be met with the same: it is not ours to filter, or there is no room for more open files.
fn is_the_same_elsewhere(error: &io::Error) -> bool {
    let has_no_room = matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
    // What the opener of sockets sends is lost on the way where there is no room for it here.
    has_no_room || error.kind() == io::ErrorKind::InvalidData || error.kind() == io::ErrorKind::PermissionDenied
}

/// Over what a port is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Tcp,
    Udp,
}

/// A socket that has this port and drops whatever arrives. The filter needs CAP_NET_ADMIN.
pub(crate) fn silent(held: Held, address: IpAddr, port: u16) -> io::Result<OwnedFd> {
    let place = SocketAddr::new(address, port);
    let socket: OwnedFd = match held {
        Held::Tcp => TcpListener::bind(place)?.into(),
        Held::Udp => UdpSocket::bind(place)?.into(),
    };
    let mut nothing = [libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: 1, filter: nothing.as_mut_ptr() };
    set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
    Ok(socket)
}

/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn other_ports_are_tried_only_where_that_may_help() {
        let tried = |error: i32| {
            let count = Cell::new(0);
            let held = Reservation::run(61_000, 8, |_| {
                count.set(count.get() + 1);
                Err(io::Error::from_raw_os_error(error))
            });
            assert_eq!(held.expect_err("nothing is held").raw_os_error(), Some(error));
            count.get()
        };
        assert_eq!([libc::EMFILE, libc::ENFILE, libc::EPERM].map(tried), [1; 3]);
        assert_eq!(tried(libc::EADDRINUSE), TRIES);
    }
}
