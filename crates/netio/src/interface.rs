//! A network interface: its number, its hardware address, its largest packet.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use crate::map::checked;

/// A network interface of this machine (in this network namespace).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, as `eth0`.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Its Ethernet address; none for interfaces without one (tunnels).
    pub hardware: Option<[u8; 6]>,
    /// Largest packet in bytes, without the link header.
    pub mtu: usize,
}

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;
/// `ARPHRD_LOOPBACK`: frames have an Ethernet header there too.
const LOOPBACK: u16 = 772;

impl Interface {
    /// Looks an interface up by the kernel's number for it.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn numbered(index: u32) -> io::Result<Self> {
        let mut name = [0_u8; libc::IFNAMSIZ];
        // SAFETY: the kernel writes a name of at most `IFNAMSIZ` bytes, its end included.
        let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
        if found.is_null() {
            return Err(io::Error::last_os_error());
        }
        let odd = |_| io::Error::from(io::ErrorKind::InvalidData);
        let name = std::ffi::CStr::from_bytes_until_nul(&name).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Self::named(name.to_str().map_err(odd)?)
    }

    /// Looks an interface up by name, in this process's network namespace.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> io::Result<Self> {
        if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains(['/', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of an interface"));
        }
        // Any socket will do to ask.
        let socket = UdpSocket::bind("127.0.0.1:0").or_else(|_| UdpSocket::bind("[::]:0"))?;
        let index = ask(&socket, name, libc::SIOCGIFINDEX)?;
        // SAFETY: the request fills this member of the union.
        let index = unsafe { index.ifr_ifru.ifru_ifindex };
        let mtu = ask(&socket, name, libc::SIOCGIFMTU)?;
        // SAFETY: as above.
        let mtu = unsafe { mtu.ifr_ifru.ifru_mtu };
        let hardware = ask(&socket, name, libc::SIOCGIFHWADDR)?;
        // SAFETY: as above.
        let hardware = unsafe { hardware.ifr_ifru.ifru_hwaddr };
        let [a, b, c, d, e, f, ..] = hardware.sa_data.map(libc::c_char::cast_unsigned);
        let odd = |_| io::Error::from(io::ErrorKind::InvalidData);
        Ok(Self {
            name: name.to_owned(),
            index: u32::try_from(index).map_err(odd)?,
            hardware: matches!(hardware.sa_family, ETHERNET | LOOPBACK).then_some([a, b, c, d, e, f]),
            mtu: usize::try_from(mtu).map_err(odd)?,
        })
    }
}

fn ask(socket: &UdpSocket, name: &str, what: libc::Ioctl) -> io::Result<libc::ifreq> {
    // SAFETY: numbers, bytes and a null pointer, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    // SAFETY: these requests read the name and write one member of the union.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut request) })?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_and_odd_names_are_refused() {
        let loopback = Interface::named("lo").expect("loopback");
        assert_eq!((loopback.index, loopback.hardware), (1, Some([0; 6])));
        for odd in ["", "../lo", "no-such-interface-here", ".."] {
            assert!(Interface::named(odd).is_err(), "{odd}");
        }
    }
}
