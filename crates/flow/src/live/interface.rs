//! A network interface of this machine, and its frames in batches.
//!
//! A packet socket bound to one interface (packet(7)). Of a frame no more than [`SNAP_BYTES`] is ever copied from the
//! system: the headers, and whatever of the payload stands within that. It lies in one buffer that the next batch
//! overwrites, and nothing but its headers is read. The interface is left as it is: for a mirror port, whose frames are
//! for other machines, set it promiscuous (`ip link set dev NAME promisc on`).
//!
//! On `lo` every packet is seen twice, as it goes out and as it comes in: the one that goes out is passed over.

use crate::error::FlowError;

/// Bytes of a frame that are looked at: Ethernet with tags, IPv6 with extension headers, TCP.
pub(super) const SNAP_BYTES: usize = 256;
/// Frames of one call.
pub(super) const BATCH: usize = 128;

#[cfg(target_os = "linux")]
pub(super) use system::Frames;
#[cfg(target_os = "linux")]
pub use system::Interface;

/// A frame of a batch.
#[derive(Clone, Copy)]
struct Met {
    held: usize,
    is_wanted: bool,
}

#[cfg(target_os = "linux")]
mod system {
    use std::fmt;
    use std::io::{self, IoSliceMut};
    use std::os::fd::{AsRawFd, OwnedFd};

    use hinomi_wire::packet::Link;
    use nix::cmsg_space;
    use nix::errno::Errno;
    use nix::ifaddrs::getifaddrs;
    use nix::sys::socket::{
        AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType,
        SockaddrStorage, bind, getsockopt, recvmmsg, setsockopt, socket, sockopt,
    };
    use nix::sys::time::{TimeVal, TimeValLike};

    use super::super::sockets::WAIT;
    use super::{BATCH, FlowError, Met, SNAP_BYTES};

    /// What is asked of the system as a receive buffer.
    const BUFFER_BYTES: usize = 64 << 20;
    /// Interfaces that an error names.
    const MAX_NAMED: usize = 16;
    /// ARPHRD_LOOPBACK of `if_arp.h`.
    const LOOPBACK: u16 = 772;
    /// PACKET_OUTGOING of `if_packet.h`.
    const OUTGOING: u8 = 4;

    /// One that is open for watching.
    pub struct Interface {
        pub(in super::super) name: String,
        socket: OwnedFd,
        index: usize,
        kind: u16,
        pub(in super::super) link: Link,
    }

    impl Interface {
        /// Opens the interface of that name.
        ///
        /// # Errors
        /// When there is none, when it is of a kind whose frames are not read, or when this process may not.
        pub fn open(name: &str) -> Result<Self, FlowError> {
            let failed = |source: Errno| FlowError::Watch { name: name.to_owned(), source: source.into() };
            let address = address(name).map_err(failed)?.ok_or_else(|| none(name))?;
            let kind = address.hatype();
            let link = link(kind).ok_or_else(|| FlowError::InterfaceKind { name: name.to_owned(), kind })?;
            let opened = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll);
            let socket = opened.map_err(failed)?;
            let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);
            // As large as the system grants: beyond its limit with the right to do so, up to it without.
            if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES).is_err() {
                let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES);
            }
            let wait = TimeVal::milliseconds(i64::try_from(WAIT.as_millis()).unwrap_or(i64::MAX));
            setsockopt(&socket, sockopt::ReceiveTimeout, &wait).map_err(failed)?;
            // The address names no protocol: the socket's own stays.
            bind(socket.as_raw_fd(), &address).map_err(failed)?;
            Ok(Self { name: name.to_owned(), socket, index: address.ifindex(), kind, link })
        }

        /// Its name.
        pub fn name(&self) -> &str {
            &self.name
        }

        /// Bytes that the system granted; 0 when it does not tell.
        pub(in super::super) fn buffer_bytes(&self) -> u64 {
            getsockopt(&self.socket, sockopt::RcvBuf).map_or(0, |bytes| bytes as u64)
        }

        /// Not what another interface sent before the socket was bound to this one, nor what `lo` says twice.
        fn wants(&self, from: Option<&LinkAddr>) -> bool {
            from.is_some_and(|from| {
                let is_copy = self.kind == LOOPBACK && from.pkttype() == OUTGOING;
                from.ifindex() == self.index && !is_copy
            })
        }
    }

    impl fmt::Debug for Interface {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.debug_struct("Interface").field("name", &self.name).finish_non_exhaustive()
        }
    }

    /// Its address below IP, which names it to the system.
    fn address(name: &str) -> Result<Option<LinkAddr>, Errno> {
        let mut all = getifaddrs()?.filter(|each| each.interface_name == name);
        Ok(all.find_map(|each| each.address.and_then(|address| address.as_link_addr().copied())))
    }

    fn none(name: &str) -> FlowError {
        let mut known: Vec<String> = getifaddrs().into_iter().flatten().map(|each| each.interface_name).collect();
        known.sort();
        known.dedup();
        known.truncate(MAX_NAMED);
        FlowError::NoInterface { name: name.to_owned(), known: known.join(", ") }
    }

    /// What stands before the IP header, by the kinds of `if_arp.h`: Ethernet, also of Wi-Fi, and nothing (PPP, tunnels,
    /// WireGuard).
    const fn link(kind: u16) -> Option<Link> {
        match kind {
            1 | LOOPBACK => Some(Link::Ethernet),
            512 | 519 | 768 | 769 | 776 | 0xfffe => Some(Link::Ip),
            _ => None,
        }
    }

    /// Room for a batch, and what the last call brought.
    pub(in super::super) struct Frames {
        buffer: Vec<u8>,
        met: Vec<Met>,
        dropped: u32,
        drops: u64,
    }

    impl Frames {
        pub(in super::super) fn new() -> Self {
            Self { buffer: vec![0; BATCH * SNAP_BYTES], met: Vec::with_capacity(BATCH), dropped: 0, drops: 0 }
        }

        /// Frames that the system has dropped at this socket, as it told with the last one that it did not drop.
        pub(in super::super) const fn drops(&self) -> u64 {
            self.drops
        }

        /// What the last call brought of the interface, as far as it is looked at.
        pub(in super::super) fn met(&self) -> impl Iterator<Item = &[u8]> {
            let places = self.met.iter().zip(self.buffer.chunks_exact(SNAP_BYTES));
            places.filter(|(met, _)| met.is_wanted).map(|(met, place)| place.get(..met.held).unwrap_or(place))
        }

        /// Waits for the first frame, for as long as the socket's timeout, and takes what else is there. Tells how many
        /// came, those included that are passed over. Without waiting when `waits` is not set.
        ///
        /// # Errors
        /// What the system says; `WouldBlock` when there is nothing.
        pub(in super::super) fn receive(&mut self, interface: &Interface, waits: bool) -> io::Result<usize> {
            self.met.clear();
            let flags = if waits { MsgFlags::MSG_WAITFORONE } else { MsgFlags::MSG_DONTWAIT };
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(cmsg_space!(u32)));
            let mut places: Vec<[IoSliceMut<'_>; 1]> =
                self.buffer.chunks_exact_mut(SNAP_BYTES).map(|place| [IoSliceMut::new(place)]).collect();
            let received = recvmmsg(interface.socket.as_raw_fd(), &mut headers, places.iter_mut(), flags, None)?;
            for message in received {
                let from = message.address.as_ref().and_then(SockaddrStorage::as_link_addr);
                self.met.push(Met { held: message.bytes.min(SNAP_BYTES), is_wanted: interface.wants(from) });
                for told in message.cmsgs().into_iter().flatten() {
                    if let ControlMessageOwned::RxqOvfl(all) = told {
                        // A sum of 32 bits since the socket was made, which wraps.
                        self.drops += u64::from(all.wrapping_sub(self.dropped));
                        self.dropped = all;
                    }
                }
            }
            Ok(self.met.len())
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Frames;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Interface;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;

    use hinomi_wire::packet::Link;

    use super::{FlowError, Met};

    /// There is none outside Linux.
    #[derive(Debug)]
    pub struct Interface {
        pub(in super::super) name: String,
        pub(in super::super) link: Link,
    }

    impl Interface {
        /// Says that this needs Linux.
        ///
        /// # Errors
        /// Always.
        pub fn open(name: &str) -> Result<Self, FlowError> {
            Err(FlowError::Watch { name: name.to_owned(), source: io::ErrorKind::Unsupported.into() })
        }

        /// Its name.
        pub fn name(&self) -> &str {
            &self.name
        }

        pub(in super::super) const fn buffer_bytes(&self) -> u64 {
            0
        }
    }

    pub(in super::super) struct Frames(Vec<Met>);

    impl Frames {
        pub(in super::super) const fn new() -> Self {
            Self(Vec::new())
        }

        pub(in super::super) const fn drops(&self) -> u64 {
            0
        }

        pub(in super::super) fn met(&self) -> impl Iterator<Item = &[u8]> {
            self.0.iter().filter(|met| met.is_wanted && met.held == 0).map(|_| [].as_slice())
        }

        pub(in super::super) fn receive(&mut self, _: &Interface, _: bool) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let error = Interface::open("no-such-wire").expect_err("there is none");
        assert!(error.to_string().contains("no-such-wire"), "{error}");
        if cfg!(target_os = "linux") {
            assert!(matches!(&error, FlowError::NoInterface { known, .. } if known.contains("lo")), "{error}");
        }
    }
}
