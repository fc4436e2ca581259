//! The way to an address: which interface, which next hop, which source, and the next hop's hardware address.
//!
//! Asked from the kernel over netlink (`rtnetlink(7)`). To find a hardware address the kernel is told that the neighbour
//! is used (`NTF_USE`), so it sends the ARP or neighbour solicitation itself; no packet of ours is needed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::map::checked;
use crate::opener;

/// The way to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Number of the interface.
    pub interface: u32,
    /// The next hop; none where the address is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The address that the kernel would send from.
    pub source: Option<IpAddr>,
    /// Whether it leads to this machine itself.
    pub is_local: bool,
}

const BUFFER_BYTES: usize = 16 * 1024;
/// How often the kernel is asked for a neighbour's address, and how long between.
const NEIGHBOUR_TRIES: usize = 60;
const NEIGHBOUR_WAIT_MS: libc::c_int = 50;
/// Answers read before the one that was asked for.
const MESSAGES_MAX: usize = 1_000_000;
/// Routes to parts of a prefix that are told; one is enough to know that it is spread.
const INSIDE_MAX: usize = 1_024;

/// `RTN_LOCAL`, the kind of route in `struct rtmsg`.
const LOCAL: u8 = 2;
const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 10;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const USED: u8 = 1;
const STATE_USABLE: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;
const ROUTE_DESTINATION: u16 = 1;
const ROUTE_OUT: u16 = 4;
const ROUTE_GATEWAY: u16 = 5;
const ROUTE_SOURCE: u16 = 7;
const NEIGHBOUR_ADDRESS: u16 = 1;
const NEIGHBOUR_HARDWARE: u16 = 2;

impl Route {
    /// The way the kernel would take.
    ///
    /// # Errors
    /// When there is none.
    pub fn to(address: IpAddr) -> io::Result<Self> {
        let bytes = octets(address);
        let bits = u8::try_from(bytes.len() * 8).unwrap_or(0);
        let mut body = vec![family(address), bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        attribute(&mut body, ROUTE_DESTINATION, &bytes);
        let mut found = None;
        Netlink::open()?.ask(GET_ROUTE, REQUEST, &body, |kind, answer| {
            found = (kind == NEW_ROUTE).then(|| Self::read(answer)).or(found.take());
        })?;
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NetworkUnreachable, format!("no route to {address}")))
    }

    /// The routes to parts of a prefix: those that are longer than it and inside it.
    ///
    /// # Errors
    /// When the kernel does not tell, or has more than can be looked through.
    pub fn inside(prefix: IpAddr, length: u8) -> io::Result<Vec<Self>> {
        let body = vec![family(prefix), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut found = Vec::new();
        Netlink::open()?.ask(GET_ROUTE, REQUEST | DUMP, &body, |kind, answer| {
            let longer = answer.get(1).is_some_and(|bits| *bits > length);
            let list = attributes(answer.get(12..).unwrap_or_default());
            let to = list.filter(|(name, _)| *name == ROUTE_DESTINATION).find_map(|(_, value)| address_of(value));
            let is_inside = to.is_some_and(|to| same_start(to, prefix, length));
            if kind == NEW_ROUTE && longer && is_inside && found.len() < INSIDE_MAX {
                found.push(Self::read(answer));
            }
        })?;
        Ok(found)
    }

    fn read(answer: &[u8]) -> Self {
        {
            let mut route = Self { interface: 0, gateway: None, source: None, is_local: answer.get(7) == Some(&LOCAL) };
            for (name, value) in attributes(answer.get(12..).unwrap_or_default()) {
                match name {
                    ROUTE_OUT => route.interface = value.try_into().map_or(0, u32::from_ne_bytes),
                    ROUTE_GATEWAY => route.gateway = address_of(value),
                    ROUTE_SOURCE => route.source = address_of(value),
                    _ => {}
                }
            }
            route
        }
    }
}

/// Whether two addresses of one family have the same first bits.
fn same_start(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let (one, other) = (octets(one), octets(other));
    let whole = usize::from(bits / 8);
    let mask = !(0xff_u8.checked_shr(u32::from(bits % 8)).unwrap_or(0));
    let rest = |bytes: &[u8]| bytes.get(whole).map_or(0, |byte| byte & mask);
    one.len() == other.len() && one.get(..whole) == other.get(..whole) && rest(&one) == rest(&other)
}

/// The hardware address of a neighbour on an interface; the kernel asks for it where it does not know.
///
/// # Errors
/// When nobody answers within three seconds.
pub fn neighbour(interface: u32, address: IpAddr) -> io::Result<[u8; 6]> {
    let netlink = Netlink::open()?;
    for _ in 0..NEIGHBOUR_TRIES {
        if let Some(hardware) = known(&netlink, interface, address)? {
            return Ok(hardware);
        }
        opener::wake(interface, address)?;
        // SAFETY: no descriptors are given.
        unsafe { libc::poll(std::ptr::null_mut(), 0, NEIGHBOUR_WAIT_MS) };
    }
    Err(io::Error::new(io::ErrorKind::HostUnreachable, format!("the next hop {address} does not answer")))
}

/// Tells the kernel that a neighbour is used, so that it asks for its hardware address. Needs CAP_NET_ADMIN.
pub(crate) fn wake(interface: u32, address: IpAddr) -> io::Result<()> {
    let mut body = header(interface, address, USED);
    attribute(&mut body, NEIGHBOUR_ADDRESS, &octets(address));
    Netlink::open()?.ask(NEW_NEIGHBOUR, REQUEST | ACKNOWLEDGE | CREATE, &body, |_, _| {})
}

fn known(netlink: &Netlink, interface: u32, address: IpAddr) -> io::Result<Option<[u8; 6]>> {
    let mut hardware = None;
    netlink.ask(GET_NEIGHBOUR, REQUEST | DUMP, &header(interface, address, 0), |kind, answer| {
        let index = answer.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
        let state = answer.get(8..10).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_ne_bytes);
        if kind != NEW_NEIGHBOUR || index != Some(interface) || state & STATE_USABLE == 0 {
            return;
        }
        let list = || attributes(answer.get(12..).unwrap_or_default());
        if list().any(|(name, value)| name == NEIGHBOUR_ADDRESS && address_of(value) == Some(address)) {
            let found = list().find(|(name, _)| *name == NEIGHBOUR_HARDWARE);
            hardware = found.and_then(|(_, value)| value.try_into().ok()).or(hardware);
        }
    })?;
    Ok(hardware)
}

/// `struct ndmsg`.
fn header(interface: u32, address: IpAddr, flags: u8) -> Vec<u8> {
    let [a, b, c, d] = interface.to_ne_bytes();
    vec![family(address), 0, 0, 0, a, b, c, d, 0, 0, flags, 0]
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { FAMILY_4 } else { FAMILY_6 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|four| Ipv4Addr::from(four).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|six| Ipv6Addr::from(six).into()),
        _ => None,
    }
}

/// Appends an attribute (`struct rtattr`), padded to four bytes.
fn attribute(body: &mut Vec<u8>, name: u16, value: &[u8]) {
    let len = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    body.extend(len.to_ne_bytes());
    body.extend(name.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// The attributes of a message.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let name = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((name & 0x3fff, value))
    })
}

struct Netlink(OwnedFd);

impl Netlink {
    fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: creates a descriptor; no memory is involved.
        let socket = checked(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        // SAFETY: just created and owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(socket) }))
    }

    /// Sends a request and hands each message of the answer, header aside, to `each`.
    fn ask(&self, kind: u16, flags: u16, body: &[u8], mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let len = u32::try_from(body.len() + 16).unwrap_or(u32::MAX);
        let mut message = len.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(1_u32.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(body);
        // SAFETY: the message lives for the call and its true length is given.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let many = flags & DUMP != 0;
        let mut buffer = vec![0_u8; BUFFER_BYTES];
        for _ in 0..MESSAGES_MAX {
            // SAFETY: the kernel writes at most the buffer's length into it.
            let count = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
            if read_messages(buffer.get(..count).unwrap_or_default(), &mut each)? || !many {
                return Ok(());
            }
        }
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "more routes than can be looked through"))
    }
}

/// Hands out the messages of one datagram; tells whether the last of an answer was among them.
fn read_messages(mut bytes: &[u8], each: &mut impl FnMut(u16, &[u8])) -> io::Result<bool> {
    while let Some(header) = bytes.first_chunk::<16>() {
        let [a, b, c, d, e, f, ..] = *header;
        let len = usize::try_from(u32::from_ne_bytes([a, b, c, d])).unwrap_or(0);
        let kind = u16::from_ne_bytes([e, f]);
        let Some(body) = bytes.get(16..len) else { break };
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(-code)) };
            }
            _ => each(kind, body),
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_oneself() {
        let route = Route::to(IpAddr::from([127, 0, 0, 9])).expect("loopback");
        assert_eq!((route.interface, route.gateway), (1, None));
    }

    #[test]
    fn addresses_start_alike_or_not() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(same_start(ip("10.1.2.3"), ip("10.1.0.0"), 16) && same_start(ip("10.1.2.3"), ip("0.0.0.0"), 0));
        assert!(
            same_start(ip("10.255.0.0"), ip("10.128.0.0"), 9) && !same_start(ip("10.127.0.0"), ip("10.128.0.0"), 9)
        );
        assert!(!same_start(ip("10.1.2.3"), ip("::"), 0), "families are apart");
        assert!(same_start(ip("fd00::1"), ip("fd00::1"), 128));
    }

    #[test]
    fn attributes_that_lie_about_their_length_end_the_list() {
        let mut bytes = Vec::new();
        attribute(&mut bytes, 7, &[1, 2, 3]);
        bytes.extend([200, 0, 1, 0, 9]);
        let list: Vec<_> = attributes(&bytes).collect();
        assert_eq!(list, [(7, &[1_u8, 2, 3][..])]);
        assert_eq!(attributes(&[0, 0, 0, 0]).count(), 0);
    }
}
