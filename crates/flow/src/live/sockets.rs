//! Sockets of the collector: several receivers at one address, large buffers, drops told by the system.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::interface::Interface;
use crate::error::FlowError;

/// What is asked of the system as a receive buffer; it grants less unless `net.core.rmem_max` is raised.
const BUFFER_BYTES: usize = 64 << 20;
/// Most receivers of one address.
const MAX_RECEIVERS: usize = 64;
/// How long a socket waits before its thread looks whether it should stop.
pub(super) const WAIT: Duration = Duration::from_millis(200);
/// Streams that wait to be accepted.
const BACKLOG: i32 = 64;
/// Ports tried when the system chooses one that only UDP has free.
const TRIES: usize = 16;

/// Bound sockets.
pub struct Sockets {
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: Vec<TcpListener>,
    pub(super) listening: Vec<SocketAddr>,
    pub(super) interfaces: Vec<Interface>,
}

impl Sockets {
    /// Binds datagrams and streams at each address, and so many receivers of datagrams.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn bind(addresses: &[SocketAddr], receivers: usize) -> Result<Self, FlowError> {
        let (udp, tcp, listening, interfaces) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut sockets = Self { udp, tcp, listening, interfaces };
        for address in addresses {
            sockets.add(*address, receivers.clamp(1, MAX_RECEIVERS)).map_err(|source| {
                let address = *address;
                FlowError::Listen { address, source }
            })?;
        }
        Ok(sockets)
    }

    /// Opens interfaces besides, whose packets become flows.
    ///
    /// # Errors
    /// When one cannot be watched.
    pub fn watch(mut self, names: &[String]) -> Result<Self, FlowError> {
        for name in names {
            self.interfaces.push(Interface::open(name)?);
        }
        Ok(self)
    }

    /// The interfaces that it watches.
    pub fn watching(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().map(Interface::name)
    }

    /// Where it listens, with the ports that the system chose.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Bytes that the system granted to a receiver of datagrams or of an interface's frames; 0 when it does not tell.
    pub fn buffer_bytes(&self) -> u64 {
        let watching = self.interfaces.iter().map(Interface::buffer_bytes);
        self.udp.iter().map(granted_bytes).chain(watching).min().unwrap_or(0)
    }

    fn add(&mut self, address: SocketAddr, receivers: usize) -> io::Result<()> {
        let (first, listener) = both(address, receivers > 1)?;
        let bound = first.local_addr()?;
        self.udp.push(first);
        for _ in 1..receivers {
            self.udp.push(datagrams(bound, true)?);
        }
        self.tcp.push(listener);
        self.listening.push(bound);
        Ok(())
    }
}

/// Datagrams and streams at the same port, also where the system chooses it.
fn both(address: SocketAddr, shared: bool) -> io::Result<(UdpSocket, TcpListener)> {
    let mut left = if address.port() == 0 { TRIES } else { 1 };
    loop {
        let udp = datagrams(address, shared)?;
        match streams(udp.local_addr()?) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if left <= 1 => return Err(error),
            Err(_) => left -= 1,
        }
    }
}

fn datagrams(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    #[cfg(unix)]
    socket.set_reuse_port(shared)?;
    #[cfg(not(unix))]
    let _ = shared;
    enlarge(&socket);
    both_families(&socket, address)?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(WAIT))?;
    Ok(socket)
}

fn streams(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    both_families(&socket, address)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // Linux honours it for accepting too.
    socket.set_read_timeout(Some(WAIT))?;
    Ok(socket.into())
}

/// `[::]` means every address of both families, whatever the system's default.
fn both_families(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() && address.ip().is_unspecified() { socket.set_only_v6(false) } else { Ok(()) }
}

/// As large as the system grants: beyond its limit with the right to do so, up to it without. Less is no failure.
fn enlarge(socket: &Socket) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt};
        let _ = setsockopt(socket, sockopt::RxqOvfl, &1);
        if setsockopt(socket, sockopt::RcvBufForce, &BUFFER_BYTES).is_ok() {
            return;
        }
    }
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
}

fn granted_bytes(socket: &UdpSocket) -> u64 {
    socket2::SockRef::from(socket).recv_buffer_size().map_or(0, |bytes| bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_share_a_port_that_streams_have_too() {
        let sockets = Sockets::bind(&["127.0.0.1:0".parse().expect("an address")], 3).expect("bound");
        assert_eq!((sockets.udp.len(), sockets.tcp.len()), (3, 1));
        let port = sockets.listening().first().expect("one").port();
        assert!(port != 0);
        let ports = sockets.udp.iter().map(|socket| socket.local_addr().expect("bound").port());
        assert!(ports.chain(sockets.tcp.iter().map(|tcp| tcp.local_addr().expect("bound").port())).all(|p| p == port));
        assert!(sockets.buffer_bytes() > 0);
    }

    #[test]
    fn one_receiver_has_its_port_alone() {
        let sockets = Sockets::bind(&["127.0.0.1:0".parse().expect("an address")], 1).expect("bound");
        let taken = sockets.listening().to_vec();
        assert!(matches!(Sockets::bind(&taken, 2), Err(FlowError::Listen { .. })));
    }
}
