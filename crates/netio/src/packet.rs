//! Sending through a packet socket (AF_PACKET, past the queueing discipline) or a raw IP socket, many frames a call.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::interface::Interface;
use crate::map::{checked, set_option};
use crate::opener;
use crate::transmit::{FRAME_BYTES, Sent};

/// Frames a call.
const BATCH: usize = 64;
/// How often a full device is asked again in one flush.
const PATIENCE: usize = 10_000;

pub(crate) struct PacketSender {
    sockets: Sockets,
    frames: Vec<u8>,
    lengths: Vec<usize>,
}

enum Sockets {
    /// Whole frames.
    Link(OwnedFd),
    /// IP packets; the kernel finds the way.
    Network { four: OwnedFd, six: Option<OwnedFd> },
}

impl PacketSender {
    /// A packet socket on an interface that has Ethernet frames.
    pub(crate) fn link(interface: &Interface) -> io::Result<Self> {
        // Protocol 0: nothing is received here.
        let socket = opener::socket(opener::Kind::Packet)?;
        // SAFETY: plain numbers, for which all zeroes is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).map_err(|_| odd())?;
        address.sll_ifindex = i32::try_from(interface.index).map_err(|_| odd())?;
        let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(|_| odd())?;
        // SAFETY: the address lives for the call and its true length is given.
        checked(unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), len) })?;
        set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1_i32)?;
        Ok(Self::over(Sockets::Link(socket)))
    }

    /// Raw IP sockets, bound to the interface.
    pub(crate) fn network(interface: &Interface) -> io::Result<Self> {
        let four = opener::socket(opener::Kind::RawFour)?;
        let six = opener::socket(opener::Kind::RawSix).ok();
        for socket in [Some(&four), six.as_ref()].into_iter().flatten() {
            set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &name(interface))?;
        }
        Ok(Self::over(Sockets::Network { four, six }))
    }

    fn over(sockets: Sockets) -> Self {
        Self { sockets, frames: vec![0; BATCH * FRAME_BYTES], lengths: Vec::with_capacity(BATCH) }
    }

    pub(crate) fn prime(&mut self, template: &[u8]) {
        for slot in self.frames.chunks_mut(FRAME_BYTES) {
            let len = template.len().min(slot.len());
            if let (Some(slot), Some(bytes)) = (slot.get_mut(..len), template.get(..len)) {
                slot.copy_from_slice(bytes);
            }
        }
    }

    pub(crate) fn fill(&mut self, want: usize, mut each: impl FnMut(&mut [u8]) -> Option<usize>) -> usize {
        let before = self.lengths.len();
        let slots = self.frames.chunks_mut(FRAME_BYTES).skip(before).take(want);
        for slot in slots {
            let Some(len) = each(slot).filter(|len| *len <= FRAME_BYTES) else { break };
            self.lengths.push(len);
        }
        self.lengths.len() - before
    }

    pub(crate) fn flush(&mut self) -> io::Result<Sent> {
        let mut sent = Sent::default();
        let mut done = 0;
        for _ in 0..PATIENCE {
            if done == self.lengths.len() {
                break;
            }
            match self.send(done) {
                Ok(count) => done += count,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    // The device's queue was full and the frame was not sent: again.
                    Some(libc::EAGAIN | libc::ENOBUFS) => sent.stalls += 1,
                    // The kernel will not send this one: no way to it, a broadcast address, a rule against it.
                    Some(
                        libc::EACCES
                        | libc::EPERM
                        | libc::ENETUNREACH
                        | libc::EHOSTUNREACH
                        | libc::EINVAL
                        | libc::EMSGSIZE,
                    ) if matches!(self.sockets, Sockets::Network { .. }) => {
                        done += 1;
                        sent.dropped += 1;
                    }
                    _ => {
                        self.lengths.clear();
                        return Err(error);
                    }
                },
            }
        }
        sent.dropped += u64::try_from(self.lengths.len() - done).unwrap_or(0);
        self.lengths.clear();
        Ok(sent)
    }

    /// Sends frames from `first` on; gives how many were taken.
    fn send(&mut self, first: usize) -> io::Result<usize> {
        let mut names = [Destination::default(); BATCH];
        // SAFETY: structures of numbers and pointers, for which all zeroes (null) is a value.
        let (mut parts, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { std::mem::zeroed() };
        let frames = self.frames.chunks_mut(FRAME_BYTES).zip(&self.lengths).skip(first);
        let mut socket = None;
        let mut count = 0;
        for (((frame, len), part), (name, message)) in frames.zip(&mut parts).zip(names.iter_mut().zip(&mut messages)) {
            let (through, destination) = self.sockets.way(frame)?;
            if socket.is_some_and(|socket: i32| socket != through) {
                break; // The other family: its turn is the next call.
            }
            socket = Some(through);
            *name = destination;
            *part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: *len };
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            if name.len > 0 {
                message.msg_hdr.msg_name = (&raw mut name.bytes).cast();
                message.msg_hdr.msg_namelen = name.len;
            }
            count += 1;
        }
        let (Some(socket), Ok(count)) = (socket, u32::try_from(count)) else { return Ok(0) };
        // SAFETY: every pointer leads into `self.frames`, `parts` or `names`, which live for the call.
        let taken = checked(unsafe { libc::sendmmsg(socket, messages.as_mut_ptr(), count, libc::MSG_DONTWAIT) })?;
        Ok(usize::try_from(taken).unwrap_or(0))
    }
}

/// A socket address of either family, as the kernel reads it.
#[derive(Clone, Copy, Default)]
#[repr(C, align(8))]
struct Destination {
    bytes: [u8; 28],
    len: libc::socklen_t,
}

impl Sockets {
    /// The socket for a frame, and the address that it needs besides.
    fn way(&self, frame: &[u8]) -> io::Result<(i32, Destination)> {
        let (four, six) = match self {
            Self::Link(socket) => return Ok((socket.as_raw_fd(), Destination::default())),
            Self::Network { four, six } => (four, six),
        };
        let refused = || io::Error::new(io::ErrorKind::InvalidInput, "not an IP packet that can be sent here");
        let mut to = Destination::default();
        match frame.first().map(|byte| byte >> 4) {
            Some(4) => {
                put(&mut to.bytes, 0, &u16::try_from(libc::AF_INET).unwrap_or(0).to_ne_bytes());
                put(&mut to.bytes, 4, frame.get(16..20).ok_or_else(refused)?);
                to.len = 16;
                Ok((four.as_raw_fd(), to))
            }
            Some(6) => {
                put(&mut to.bytes, 0, &u16::try_from(libc::AF_INET6).unwrap_or(0).to_ne_bytes());
                put(&mut to.bytes, 8, frame.get(24..40).ok_or_else(refused)?);
                to.len = 28;
                Ok((six.as_ref().ok_or_else(refused)?.as_raw_fd(), to))
            }
            _ => Err(refused()),
        }
    }
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

fn name(interface: &Interface) -> [u8; libc::IFNAMSIZ] {
    let mut name = [0; libc::IFNAMSIZ];
    put(&mut name, 0, interface.name.as_bytes());
    name
}

fn odd() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}
