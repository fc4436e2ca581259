//! Datagrams in batches: `recvmmsg` where there is one, one at a time elsewhere.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Datagrams of one call.
pub(super) const BATCH: usize = 64;
/// The longest datagram that there can be.
const MAX_BYTES: usize = 65_536;

/// Room for a batch, and what the last call brought.
pub(super) struct Datagrams {
    buffer: Vec<u8>,
    met: Vec<(SocketAddr, usize)>,
    #[cfg(target_os = "linux")]
    dropped: Option<u32>,
    drops: u64,
}

impl Datagrams {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; BATCH * MAX_BYTES],
            met: Vec::with_capacity(BATCH),
            #[cfg(target_os = "linux")]
            dropped: None,
            drops: 0,
        }
    }

    /// Datagrams that the system has dropped at this socket so far, as it told with the last ones that it did not drop.
    pub(super) const fn drops(&self) -> u64 {
        self.drops
    }

    /// Wipes what the last call brought: subscribers' addresses stand in it, and the next call may be far away or
    /// shorter.
    pub(super) fn wipe(&mut self) {
        for ((_, length), place) in self.met.drain(..).zip(self.buffer.chunks_exact_mut(MAX_BYTES)) {
            place.get_mut(..length).unwrap_or_default().fill(0);
        }
    }

    /// What the last call brought: from whom, and the bytes.
    pub(super) fn met(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let places = self.buffer.chunks_exact(MAX_BYTES);
        self.met.iter().zip(places).map(|((from, length), place)| (*from, place.get(..*length).unwrap_or(place)))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::IoSliceMut;
    use std::net::{IpAddr, Ipv6Addr};
    use std::os::fd::AsRawFd;

    use nix::cmsg_space;
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

    use super::{BATCH, Datagrams, MAX_BYTES, SocketAddr, UdpSocket, io};

    impl Datagrams {
        /// Waits for the first datagram, for as long as the socket's timeout, and takes what else is there.
        /// Without waiting when `waits` is not set.
        ///
        /// # Errors
        /// What the system says; `WouldBlock` when there is nothing.
        pub(in super::super) fn receive(&mut self, socket: &UdpSocket, waits: bool) -> io::Result<()> {
            self.met.clear();
            let flags = if waits { MsgFlags::MSG_WAITFORONE } else { MsgFlags::MSG_DONTWAIT };
            // Headers are made anew for each call: the system writes into them how long a control message was, and the
            // next call would give it no more room than that.
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(cmsg_space!(u32)));
            let mut places: Vec<[IoSliceMut<'_>; 1]> =
                self.buffer.chunks_exact_mut(MAX_BYTES).map(|place| [IoSliceMut::new(place)]).collect();
            let received = recvmmsg(socket.as_raw_fd(), &mut headers, places.iter_mut(), flags, None)?;
            for message in received {
                self.met.push((message.address.and_then(origin).unwrap_or(NOWHERE), message.bytes));
                for told in message.cmsgs().into_iter().flatten() {
                    if let ControlMessageOwned::RxqOvfl(all) = told {
                        // A sum of 32 bits since the socket was made, which wraps.
                        self.drops += u64::from(all.wrapping_sub(self.dropped.unwrap_or(0)));
                        self.dropped = Some(all);
                    }
                }
            }
            Ok(())
        }
    }

    const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

    fn origin(address: SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().to_canonical(), v6.port())))
    }
}

#[cfg(not(target_os = "linux"))]
impl Datagrams {
    /// Waits for a datagram, for as long as the socket's timeout.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` or `TimedOut` when there is nothing.
    pub(super) fn receive(&mut self, socket: &UdpSocket, waits: bool) -> io::Result<()> {
        self.met.clear();
        socket.set_nonblocking(!waits)?;
        let place = self.buffer.get_mut(..MAX_BYTES).unwrap_or_default();
        let (length, from) = socket.recv_from(place)?;
        self.met.push((SocketAddr::new(from.ip().to_canonical(), from.port()), length));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "towards the test's own socket, on loopback")]
    fn a_batch_is_what_was_sent_in_order_and_from_whom() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("set");
        let peer = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let sent: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number; usize::from(number) * 13]).collect();
        let mut datagrams = Datagrams::new();
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for some in sent.chunks(50) {
            for datagram in some {
                peer.send_to(datagram, socket.local_addr().expect("bound")).expect("sent");
            }
            let wanted = seen.len() + some.len();
            while seen.len() < wanted {
                datagrams.receive(&socket, true).expect("there are some");
                assert!(datagrams.met().all(|(from, _)| from == peer.local_addr().expect("bound")));
                seen.extend(datagrams.met().map(|(_, bytes)| bytes.to_vec()));
            }
        }
        assert_eq!(seen, sent);
        let nothing = datagrams.receive(&socket, false).expect_err("all were taken");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(datagrams.met().count(), 0);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "towards the test's own socket, on loopback")]
    fn what_was_met_is_wiped() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("set");
        let peer = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let mut datagrams = Datagrams::new();
        (0..3_usize).for_each(|number| {
            peer.send_to(&vec![7; 900 + number * 30_000], socket.local_addr().expect("bound")).expect("sent");
        });
        let mut seen = 0;
        while seen < 3 {
            datagrams.receive(&socket, true).expect("there are some");
            seen += datagrams.met().count();
            assert!(datagrams.buffer.contains(&7));
            datagrams.wipe();
            assert_eq!(datagrams.met().count(), 0);
            assert!(datagrams.buffer.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[expect(clippy::disallowed_methods, reason = "towards the test's own socket, on loopback")]
    fn what_the_system_drops_is_told() {
        use nix::sys::socket::{setsockopt, sockopt};
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        setsockopt(&socket, sockopt::RxqOvfl, &1).expect("Linux tells drops");
        setsockopt(&socket, sockopt::RcvBuf, &4_096).expect("a small buffer");
        let peer = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let (mut datagrams, mut seen) = (Datagrams::new(), 0);
        let mut drain = |datagrams: &mut Datagrams| {
            while datagrams.receive(&socket, false).is_ok() {
                seen += datagrams.met().count() as u64;
            }
        };
        for _ in 0..200 {
            peer.send_to(&[0; 1_000], socket.local_addr().expect("bound")).expect("sent");
        }
        drain(&mut datagrams);
        peer.send_to(&[0; 10], socket.local_addr().expect("bound")).expect("sent");
        drain(&mut datagrams);
        assert!(datagrams.drops() > 0);
        assert_eq!(seen + datagrams.drops(), 201);
    }
}
