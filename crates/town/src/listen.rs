//! Opens the town's sockets.
//!
//! One wildcard socket a port, bound to the loopback device (`SO_BINDTODEVICE`, without privilege since Linux 5.7) so
//! that no other machine reaches it, and with the port's packet filter in place before it listens. Where hosts share
//! 127.0.0.1, ordinary sockets on that address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use hinomi_model::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::config::{Layout, TownConfig};
use crate::error::TownError;
use crate::filter::Instruction;
use crate::limits::BACKLOG;

/// What a socket is opened for.
pub(crate) struct Opening<'a> {
    pub(crate) transport: Transport,
    pub(crate) natural: u16,
    /// Ports to try, in order; 0 is whatever the system gives.
    pub(crate) candidates: &'a [u16],
    /// `None`: the socket is for 127.0.0.1 alone.
    pub(crate) filter: Option<&'a [Instruction]>,
}

/// A socket that is bound (TCP: listening) and does not block.
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    pub(crate) real: u16,
}

impl Opening<'_> {
    /// Tries the candidates until one can be had.
    pub(crate) fn open(&self) -> Result<Opened, TownError> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in self.candidates {
            match self.open_at(*port) {
                Ok(opened) => return Ok(opened),
                Err(error) => last = error,
            }
        }
        Err(TownError::Bind { natural: self.natural, transport: self.transport, source: last })
    }

    fn open_at(&self, port: u16) -> io::Result<Opened> {
        let (kind, protocol) = match self.transport {
            Transport::Tcp => (Type::STREAM, Protocol::TCP),
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
        };
        let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if self.transport == Transport::Tcp {
            socket.set_reuse_address(true)?;
        }
        let address = match self.filter {
            Some(filter) => {
                keep_to_loopback(&socket)?;
                set_filter(&socket, filter)?;
                Ipv4Addr::UNSPECIFIED
            }
            None => Ipv4Addr::LOCALHOST,
        };
        socket.bind(&SocketAddr::from((address, port)).into())?;
        if self.transport == Transport::Tcp {
            socket.listen(BACKLOG)?;
        }
        let real = socket.local_addr()?.as_socket().map_or(port, |bound| bound.port());
        Ok(Opened { socket, real })
    }
}

impl Opened {
    /// As the runtime's listener.
    pub(crate) fn into_listener(self) -> Result<TcpListener, TownError> {
        let what = "a listener cannot be given to the runtime";
        TcpListener::from_std(self.socket.into()).map_err(|source| TownError::Socket { what, source })
    }

    /// As the runtime's datagram socket.
    pub(crate) fn into_datagram(self) -> Result<tokio::net::UdpSocket, TownError> {
        let what = "a datagram socket cannot be given to the runtime";
        let socket: UdpSocket = self.socket.into();
        tokio::net::UdpSocket::from_std(socket).map_err(|source| TownError::Socket { what, source })
    }
}

#[cfg(target_os = "linux")]
fn keep_to_loopback(socket: &Socket) -> io::Result<()> {
    socket.bind_device(Some(b"lo"))
}

#[cfg(not(target_os = "linux"))]
fn keep_to_loopback(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Puts a filter in place of the one before.
#[cfg(target_os = "linux")]
pub(crate) fn set_filter(socket: &Socket, filter: &[Instruction]) -> io::Result<()> {
    let native = |i: &Instruction| socket2::SockFilter::new(i.code, i.if_true, i.if_false, i.k);
    let program: Vec<_> = filter.iter().map(native).collect();
    socket.attach_filter(&program)
}

/// Puts a filter in place of the one before.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_filter(_socket: &Socket, _filter: &[Instruction]) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Decides [`Layout::Auto`]: whether an address of the town, the loopback device and a filter can be had.
pub(crate) fn resolve_layout(config: &TownConfig, notes: &mut Vec<String>) -> Layout {
    if config.layout != Layout::Auto {
        return config.layout;
    }
    match try_addresses(config.base) {
        Ok(()) => Layout::Addresses,
        Err(reason) => {
            notes.push(format!(
                "hosts share 127.0.0.1, each with ports of its own: no address of the town can be had ({reason})"
            ));
            Layout::Single
        }
    }
}

fn try_addresses(base: Ipv4Addr) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    keep_to_loopback(&socket)?;
    set_filter(&socket, &[Instruction { code: 0x06, if_true: 0, if_false: 0, k: 0 }])?;
    socket.bind(&SocketAddr::from((base, 0)).into())
}
