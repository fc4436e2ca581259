//! Opens the town's sockets.
//!
//! One wildcard socket a port, bound to the loopback device (`SO_BINDTODEVICE`, without privilege since Linux 5.7) so
//! that no other machine reaches it. A TCP port has a second socket in the same `SO_REUSEPORT` group, the *sink*:
//! nobody accepts from it and its queue is filled at once, so the kernel drops every further SYN without a word. The
//! port's program ([`crate::filter`]) chooses between the two. The first of a group is bound before it joins the
//! group: so a port that another program (or town) has is never shared by accident.
//!
//! Where hosts share 127.0.0.1, ordinary sockets on that address.

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
    pub(crate) reach: Reach<'a>,
    /// The interface whose packets are answered, if it is not loopback.
    pub(crate) interface: Option<&'a str>,
}

/// Which addresses a socket is for.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// 127.0.0.1 alone.
    Localhost,
    /// All of loopback; over TCP, those that the program chooses.
    Loopback(&'a [Instruction]),
}

/// A socket that is bound (TCP: listening) and does not block.
pub(crate) struct Opened {
    socket: Socket,
    pub(crate) sink: Option<Socket>,
    pub(crate) real: u16,
}

impl Opening<'_> {
    /// Tries the candidates until one can be had.
    pub(crate) fn open(&self) -> Result<Opened, TownError> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in self.candidates {
            match self.open_at(*port).and_then(|opened| opened.moved_to(self.interface)) {
                Ok(opened) => return Ok(opened),
                Err(error) => last = error,
            }
        }
        Err(TownError::Bind { natural: self.natural, transport: self.transport, source: last })
    }

    fn open_at(&self, port: u16) -> io::Result<Opened> {
        match (self.transport, self.reach) {
            (Transport::Udp, Reach::Localhost) => opened(datagram(Ipv4Addr::LOCALHOST, port)?, None),
            (Transport::Udp, Reach::Loopback(_)) => opened(datagram(Ipv4Addr::UNSPECIFIED, port)?, None),
            (Transport::Tcp, Reach::Localhost) => {
                let socket = stream()?;
                socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
                socket.listen(BACKLOG)?;
                opened(socket, None)
            }
            (Transport::Tcp, Reach::Loopback(program)) => open_group(port, program),
        }
    }
}

impl Opened {
    /// The same sockets at another interface. They are made at loopback, where their queue can be filled.
    fn moved_to(self, interface: Option<&str>) -> io::Result<Self> {
        if let Some(name) = interface {
            [Some(&self.socket), self.sink.as_ref()]
                .into_iter()
                .flatten()
                .try_for_each(|socket| group::keep_to(socket, name))?;
        }
        Ok(self)
    }

    /// As the runtime's listener, and its sink.
    pub(crate) fn into_listener(self) -> Result<(TcpListener, Option<Socket>), TownError> {
        let what = "a listener cannot be given to the runtime";
        let listener = TcpListener::from_std(self.socket.into());
        Ok((listener.map_err(|source| TownError::Socket { what, source })?, self.sink))
    }

    /// As the runtime's datagram socket.
    pub(crate) fn into_datagram(self) -> Result<tokio::net::UdpSocket, TownError> {
        let what = "a datagram socket cannot be given to the runtime";
        let socket: UdpSocket = self.socket.into();
        tokio::net::UdpSocket::from_std(socket).map_err(|source| TownError::Socket { what, source })
    }
}

fn opened(socket: Socket, sink: Option<Socket>) -> io::Result<Opened> {
    let address = socket.local_addr()?.as_socket();
    let real = address.map(|bound| bound.port()).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    Ok(Opened { socket, sink, real })
}

fn stream() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn datagram(address: Ipv4Addr, port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_unspecified() {
        group::keep_to_loopback(&socket)?;
    }
    socket.bind(&SocketAddr::from((address, port)).into())?;
    Ok(socket)
}

/// The socket that serves and its sink.
fn open_group(port: u16, program: &[Instruction]) -> io::Result<Opened> {
    let server = stream()?;
    group::keep_to_loopback(&server)?;
    server.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    group::join(&server)?;
    server.listen(BACKLOG)?;
    let opened = opened(server, None)?;

    let sink = stream()?;
    group::keep_to_loopback(&sink)?;
    group::join(&sink)?;
    sink.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, opened.real)).into())?;
    sink.listen(group::SINK_BACKLOG)?;
    group::fill_sink(&opened.socket, opened.real)?;
    group::choose_by(&opened.socket, program)?;
    Ok(Opened { sink: Some(sink), ..opened })
}

/// Puts a program in place of the one before.
pub(crate) fn set_program(listener: &TcpListener, program: &[Instruction]) -> io::Result<()> {
    group::choose_by(&socket2::SockRef::from(listener), program)
}

#[cfg(target_os = "linux")]
mod group {
    //! What only Linux has.

    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use nix::libc::{sock_filter, sock_fprog};
    use nix::sys::socket::{setsockopt, sockopt::AttachReusePortCbpf};
    use socket2::{Domain, Protocol, Socket, Type};

    use crate::filter::{self, Instruction};

    /// One, because a queue of zero makes the kernel warn of a flood. It is full when it holds one more.
    pub(super) const SINK_BACKLOG: i32 = 1;
    const FILL: usize = 2;
    /// A connection to oneself takes microseconds.
    const FILL_MAX: Duration = Duration::from_secs(2);

    pub(super) fn keep_to_loopback(socket: &Socket) -> io::Result<()> {
        keep_to(socket, "lo")
    }

    pub(super) fn keep_to(socket: &Socket, interface: &str) -> io::Result<()> {
        socket.bind_device(Some(interface.as_bytes()))
    }

    pub(super) fn join(socket: &Socket) -> io::Result<()> {
        socket.set_reuse_port(true)
    }

    pub(super) fn choose_by(server: &Socket, program: &[Instruction]) -> io::Result<()> {
        let native = |i: &Instruction| sock_filter { code: i.code, jt: i.if_true, jf: i.if_false, k: i.k };
        let mut native: Vec<sock_filter> = program.iter().map(native).collect();
        let length = u16::try_from(native.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let program = sock_fprog { len: length, filter: native.as_mut_ptr() };
        setsockopt(server, AttachReusePortCbpf, &program).map_err(io::Error::from)
    }

    /// Connects to the sink until its queue is full. The connections are closed here, but stay in the queue.
    #[expect(clippy::disallowed_methods, reason = "the town connects to itself, on loopback, and sends nothing")]
    pub(super) fn fill_sink(server: &Socket, port: u16) -> io::Result<()> {
        choose_by(server, &filter::nothing())?;
        for _ in 0..FILL {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            filler.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(), FILL_MAX)?;
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod group {
    //! Elsewhere hosts share 127.0.0.1.

    use std::io;

    use socket2::Socket;

    use crate::filter::Instruction;

    pub(super) const SINK_BACKLOG: i32 = 1;

    pub(super) fn keep_to_loopback(_socket: &Socket) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn keep_to(_socket: &Socket, _interface: &str) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn join(_socket: &Socket) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn choose_by(_server: &Socket, _program: &[Instruction]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn fill_sink(_server: &Socket, _port: u16) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Decides [`Layout::Auto`]: whether an address of the town and a port as the town needs it can be had.
pub(crate) fn resolve_layout(config: &TownConfig, notes: &mut Vec<String>) -> Layout {
    if config.layout != Layout::Auto {
        return config.layout;
    }
    match try_addresses(config.base) {
        Ok(()) => Layout::Addresses,
        Err(reason) => {
            notes.push(format!("no address of the town can be had ({reason}), so hosts share 127.0.0.1"));
            Layout::Single
        }
    }
}

fn try_addresses(base: Ipv4Addr) -> io::Result<()> {
    stream()?.bind(&SocketAddr::from((base, 0)).into())?;
    open_group(0, &crate::filter::nothing()).map(drop)
}
