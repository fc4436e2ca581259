//! Sending frames, by the fastest way that the machine allows.

use std::fmt;
use std::io;

use crate::interface::Interface;
use crate::packet::PacketSender;
use crate::xdp::XdpSender;

/// Largest frame.
pub(crate) const FRAME_BYTES: usize = 2_048;

/// A way to send frames, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// AF_XDP, the card reads our memory.
    XdpZeroCopy,
    /// AF_XDP, the kernel copies each frame.
    XdpCopy,
    /// AF_PACKET with `sendmmsg`, past the queueing discipline.
    Packet,
    /// Raw IP sockets: for interfaces without Ethernet frames.
    RawIp,
}

impl Backend {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::XdpZeroCopy, Self::XdpCopy, Self::Packet, Self::RawIp];

    /// Whether what it sends begins with an Ethernet header; otherwise with an IP header.
    pub const fn has_link_header(self) -> bool {
        !matches!(self, Self::RawIp)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::XdpZeroCopy => "AF_XDP zero-copy",
            Self::XdpCopy => "AF_XDP copy",
            Self::Packet => "AF_PACKET",
            Self::RawIp => "raw IP",
        })
    }
}

/// Why nothing can be sent, or why a better way was not to be had.
#[derive(Debug, thiserror::Error)]
#[error("{backend} on {interface}: {source}")]
pub struct OpenError {
    /// What was tried.
    pub backend: Backend,
    /// Where.
    pub interface: String,
    /// What the kernel said.
    pub source: io::Error,
}

/// What a flush met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How often the device was full and was asked again.
    pub stalls: u64,
    /// Frames that the device did not take.
    pub dropped: u64,
}

/// Sends whole frames. Whoever holds one can send anything: see the crate's first page.
pub struct Transmitter {
    sender: Sender,
    backend: Backend,
}

enum Sender {
    Xdp(Box<XdpSender>),
    Packet(PacketSender),
}

impl Transmitter {
    /// Largest frame in bytes, link header included.
    pub const FRAME_BYTES: usize = FRAME_BYTES;

    /// Opens one way.
    ///
    /// # Errors
    /// What the kernel said: no privilege, no such queue, not supported by the driver.
    pub fn open(interface: &Interface, backend: Backend, queue: u32) -> Result<Self, OpenError> {
        let sender = match backend {
            Backend::XdpZeroCopy | Backend::XdpCopy if interface.hardware.is_none() => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "the interface has no Ethernet frames"))
            }
            Backend::XdpZeroCopy => XdpSender::open(interface, queue, true).map(|xdp| Sender::Xdp(Box::new(xdp))),
            Backend::XdpCopy => XdpSender::open(interface, queue, false).map(|xdp| Sender::Xdp(Box::new(xdp))),
            Backend::Packet if interface.hardware.is_none() => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "the interface has no Ethernet frames"))
            }
            Backend::Packet => PacketSender::link(interface).map(Sender::Packet),
            Backend::RawIp => PacketSender::network(interface).map(Sender::Packet),
        };
        let named = |source| OpenError { backend, interface: interface.name.clone(), source };
        Ok(Self { sender: sender.map_err(named)?, backend })
    }

    /// Opens the best way that the machine allows; gives besides why the better ones were not to be had.
    ///
    /// # Errors
    /// When none is to be had: every reason, best way first.
    pub fn best(interface: &Interface, queue: u32) -> Result<(Self, Vec<OpenError>), Vec<OpenError>> {
        let mut refusals = Vec::new();
        for backend in Backend::ALL {
            match Self::open(interface, backend, queue) {
                Ok(transmitter) => return Ok((transmitter, refusals)),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Err(refusals)
    }

    /// Which way it is.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Writes a template into every slot; a slot keeps what was written last.
    pub fn prime(&mut self, template: &[u8]) {
        match &mut self.sender {
            Sender::Xdp(xdp) => xdp.prime(template),
            Sender::Packet(packet) => packet.prime(template),
        }
    }

    /// Lets `each` write up to `want` frames, each into a slot of [`Self::FRAME_BYTES`] bytes that holds what was last
    /// written there; it gives the frame's length or nothing to stop. Gives how many were written: fewer than wanted
    /// where the slots are used up.
    pub fn fill(&mut self, want: usize, each: impl FnMut(&mut [u8]) -> Option<usize>) -> usize {
        match &mut self.sender {
            Sender::Xdp(xdp) => xdp.fill(want, each),
            Sender::Packet(packet) => packet.fill(want, each),
        }
    }

    /// Hands everything written to the device.
    ///
    /// # Errors
    /// When the interface is gone or down, or the kernel refuses a frame.
    pub fn flush(&mut self) -> io::Result<Sent> {
        match &mut self.sender {
            Sender::Xdp(xdp) => xdp.flush(),
            Sender::Packet(packet) => packet.flush(),
        }
    }
}
