//! A network interface of this machine, and its frames in batches.
//!
//! A packet socket bound to one interface (packet(7)). Of a frame no more than [`SNAP_BYTES`] is ever copied from the
//! system: the headers, and whatever of the payload stands within that. It lies in one buffer that is wiped after each
//! batch, and nothing but its headers is read. The interface is left as it is: for a mirror port, whose frames are
//! for other machines, set it promiscuous (`ip link set dev NAME promisc on`).
//!
//! Tunnels have no address below IP by which a socket could be bound to them: there a filter in the system passes what is
//! of that interface (socket(7), `SO_ATTACH_FILTER`).
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
    use nix::net::if_::if_nametoindex;
    use nix::sys::socket::{
        AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType,
        SockaddrStorage, bind, getsockopt, recvmmsg, setsockopt, socket, sockopt,
    };
    use nix::sys::time::{TimeVal, TimeValLike};
    use socket2::{SockFilter, SockRef};

    use super::super::sockets::WAIT;
    use super::{BATCH, FlowError, Met, SNAP_BYTES};

    /// What is asked of the system as a receive buffer.
    const BUFFER_BYTES: usize = 64 << 20;
    /// Interfaces that an error names.
    const MAX_NAMED: usize = 16;
    /// ARPHRD_LOOPBACK of `if_arp.h`.
    const LOOPBACK: u16 = 772;
    /// ARPHRD_NONE: IP without anything before it.
    const NONE: u16 = 0xfffe;
    /// Where a packet filter finds the number of a frame's interface: SKF_AD_OFF + SKF_AD_IFINDEX of `filter.h`.
    const AT_INDEX: u32 = 0xffff_f008;
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
            let index = if_nametoindex(name).map_err(|_| none(name))?;
            let address = address(name).map_err(failed)?;
            let kind = address.map_or_else(|| kind_without_address(name), |address| address.hatype());
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
            match address {
                // The address names no protocol: the socket's own stays.
                Some(address) => bind(socket.as_raw_fd(), &address).map_err(failed)?,
                None => SockRef::from(&socket)
                    .attach_filter(&of_interface(index))
                    .map_err(|source| FlowError::Watch { name: name.to_owned(), source })?,
            }
            Ok(Self { name: name.to_owned(), socket, index: index as usize, kind, link })
        }

        /// Whether its name still stands for it. One that was taken away, or made anew, is never heard again.
        pub(in super::super) fn is_there(&self) -> bool {
            if_nametoindex(self.name.as_str()).is_ok_and(|index| index as usize == self.index)
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

    /// What an interface without an address below IP puts before the IP header, by `if_arp.h`. Where the system does not
    /// tell (`/sys` of another network namespace): nothing.
    fn kind_without_address(name: &str) -> u16 {
        let told = std::fs::read_to_string(format!("/sys/class/net/{name}/type"));
        told.ok().and_then(|told| told.trim().parse().ok()).unwrap_or(NONE)
    }

    /// A program of the classic packet filter: passes the beginning of frames of that interface, and nothing else.
    fn of_interface(index: u32) -> [SockFilter; 4] {
        const LOAD_WORD: u16 = 0x20;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        [
            SockFilter::new(LOAD_WORD, 0, 0, AT_INDEX),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, index),
            SockFilter::new(RETURN, 0, 0, SNAP_BYTES as u32),
            SockFilter::new(RETURN, 0, 0, 0),
        ]
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
            512 | 519 | 768 | 769 | 776 | NONE => Some(Link::Ip),
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

        /// Wipes what the last call brought: subscribers' addresses stand in it, and the next call may be far away or
        /// shorter.
        pub(in super::super) fn wipe(&mut self) {
            for (met, place) in self.met.drain(..).zip(self.buffer.chunks_exact_mut(SNAP_BYTES)) {
                place.get_mut(..met.held).unwrap_or_default().fill(0);
            }
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

        pub(in super::super) const fn is_there(&self) -> bool {
            false
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

        pub(in super::super) fn wipe(&mut self) {
            self.0.clear();
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
