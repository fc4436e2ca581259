//! What only a privileged program may do, done by a helper process that does nothing else.
//!
//! ```text
//!   program (keeps no right)  --which kind of socket-->    opener (keeps the rights)
//!                             <--the descriptor---------   ends when the program seals or ends
//!                             --which port to hold----->
//!                             <--the descriptor---------
//!                             --which neighbour-------->
//!                             <--the kernel was told----
//! ```
//!
//! [`Opener::connect`] is called once, before the program gives up its rights; from then on every socket of this crate
//! comes from the helper, until [`seal`] ends it. Without a helper the program opens them itself. The helper
//! ([`serve`]) opens four kinds of socket, holds ports ([`crate::Reservation`]), and tells the kernel to find out a
//! neighbour's hardware address; it does so at most [`MAX_ASKED`] times and knows nothing else: no byte of the network
//! ever reaches it.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use crate::map::checked;
use crate::reserve::{self, Held};
use crate::route;

/// What one helper is asked, at most.
pub const MAX_ASKED: usize = 8_192;

/// The helper of this process, where there is one; the rights of a process are no matter of a part of it.
static OPENER: Mutex<State> = Mutex::new(State::Direct);

enum State {
    /// The program opens its sockets itself.
    Direct,
    Helper(OwnedFd),
    /// None is opened, or no more; with the reason.
    Refused(&'static str),
}

/// The kinds of socket; the number is what goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Xdp = 1,
    Packet = 2,
    RawFour = 3,
    RawSix = 4,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Xdp, Self::Packet, Self::RawFour, Self::RawSix];

    /// Family and protocol.
    const fn words(self) -> (libc::c_int, libc::c_int) {
        match self {
            Self::Xdp => (libc::AF_XDP, 0),
            Self::Packet => (libc::AF_PACKET, 0),
            Self::RawFour => (libc::AF_INET, libc::IPPROTO_RAW),
            Self::RawSix => (libc::AF_INET6, libc::IPPROTO_RAW),
        }
    }

    fn open(self) -> io::Result<OwnedFd> {
        let (family, protocol) = self.words();
        // SAFETY: creates a descriptor; no memory is involved.
        let socket = checked(unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) })?;
        // SAFETY: just created and owned by nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(socket) })
    }
}

/// A socket of this kind, from the helper if there is one.
pub(crate) fn socket(kind: Kind) -> io::Result<OwnedFd> {
    match &*OPENER.lock().unwrap_or_else(PoisonError::into_inner) {
        State::Direct => kind.open(),
        State::Helper(helper) => ask_for_one(helper, &Asked::Socket(kind)),
        State::Refused(reason) => Err(refused(reason)),
    }
}

/// A socket that has a port and drops what arrives, from the helper if there is one.
pub(crate) fn hold(held: Held, address: IpAddr, port: u16) -> io::Result<OwnedFd> {
    match &*OPENER.lock().unwrap_or_else(PoisonError::into_inner) {
        State::Direct => reserve::silent(held, address, port),
        State::Helper(helper) => ask_for_one(helper, &Asked::Hold(held, address, port)),
        State::Refused(reason) => Err(refused(reason)),
    }
}

/// Makes the kernel find out a neighbour's hardware address.
pub(crate) fn wake(interface: u32, address: IpAddr) -> io::Result<()> {
    match &*OPENER.lock().unwrap_or_else(PoisonError::into_inner) {
        State::Direct => route::wake(interface, address),
        State::Helper(helper) => ask(helper.as_fd(), &Asked::Wake(interface, address)).map(drop),
        State::Refused(reason) => Err(refused(reason)),
    }
}

fn ask_for_one(helper: &OwnedFd, asked: &Asked) -> io::Result<OwnedFd> {
    let socket = ask(helper.as_fd(), asked)?;
    socket.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the opener of sockets sent none"))
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("this program has no right to open such sockets: {reason}"))
}

/// What is asked of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Socket(Kind),
    Wake(u32, IpAddr),
    Hold(Held, IpAddr, u16),
}

/// Bytes of a question: its kind, the number of an interface or a port, an address (IPv4 as mapped into IPv6).
const ASKED_BYTES: usize = 1 + 4 + 16;
const WAKE: u8 = 5;
const HOLD_TCP: u8 = 6;
const HOLD_UDP: u8 = 7;

impl Asked {
    fn write(self) -> [u8; ASKED_BYTES] {
        let (word, number, address) = match self {
            Self::Socket(kind) => (kind as u8, 0, IpAddr::from([0; 16])),
            Self::Wake(interface, address) => (WAKE, interface, address),
            Self::Hold(Held::Tcp, address, port) => (HOLD_TCP, u32::from(port), address),
            Self::Hold(Held::Udp, address, port) => (HOLD_UDP, u32::from(port), address),
        };
        let address = match address {
            IpAddr::V4(four) => four.to_ipv6_mapped(),
            IpAddr::V6(six) => six,
        };
        let mut bytes = [0; ASKED_BYTES];
        bytes[0] = word;
        bytes[1..5].copy_from_slice(&number.to_ne_bytes());
        bytes[5..].copy_from_slice(&address.octets());
        bytes
    }

    fn read(bytes: &[u8; ASKED_BYTES]) -> Option<Self> {
        let [kind, a, b, c, d, address @ ..] = *bytes;
        let (number, address) = (u32::from_ne_bytes([a, b, c, d]), IpAddr::from(address).to_canonical());
        match kind {
            WAKE => Some(Self::Wake(number, address)),
            HOLD_TCP => Some(Self::Hold(Held::Tcp, address, u16::try_from(number).ok()?)),
            HOLD_UDP => Some(Self::Hold(Held::Udp, address, u16::try_from(number).ok()?)),
            _ => Kind::ALL.into_iter().find(|known| *known as u8 == kind).map(Self::Socket),
        }
    }

    fn done(self) -> io::Result<Option<OwnedFd>> {
        match self {
            Self::Socket(kind) => kind.open().map(Some),
            Self::Wake(interface, address) => route::wake(interface, address).map(|()| None),
            Self::Hold(held, address, port) => reserve::silent(held, address, port).map(Some),
        }
    }
}

/// Both ends of the line between a program and its opener; the first is for [`connect`], the second for the helper.
///
/// # Errors
/// When the kernel has no descriptors left.
pub fn line() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors into the array.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    let [ours, theirs] = ends;
    // SAFETY: just created and owned by nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) })
}

/// From now on sockets come from the helper at the other end of this line.
pub fn connect(line: OwnedFd) {
    *OPENER.lock().unwrap_or_else(PoisonError::into_inner) = State::Helper(line);
}

/// No more sockets are opened from now on, and the helper ends. Does nothing where there was none.
pub fn seal() {
    let mut opener = OPENER.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*opener, State::Helper(_)) {
        *opener = State::Refused("it was given up when the engine stood");
    }
}

/// No socket is opened at all, for this reason.
pub fn refuse(reason: &'static str) {
    *OPENER.lock().unwrap_or_else(PoisonError::into_inner) = State::Refused(reason);
}

/// The helper: opens what is asked for over this line, until nobody is at its other end.
///
/// # Errors
/// When the line is not usable, or somebody asks for more than a survey needs.
pub fn serve(line: BorrowedFd<'_>) -> io::Result<()> {
    for _ in 0..MAX_ASKED {
        let mut asked = [0; ASKED_BYTES];
        if !receive(line, &mut asked)? {
            return Ok(());
        }
        match Asked::read(&asked).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL)).and_then(Asked::done) {
            Ok(socket) => answer(line, 0, socket.as_ref().map(OwnedFd::as_fd))?,
            Err(error) => answer(line, error.raw_os_error().unwrap_or(libc::EPERM), None)?,
        }
    }
    Err(io::Error::new(io::ErrorKind::QuotaExceeded, "asked for too much"))
}

/// Waits for a question; whether there is one and not the line's end.
fn receive(line: BorrowedFd<'_>, asked: &mut [u8; ASKED_BYTES]) -> io::Result<bool> {
    // SAFETY: the kernel writes at most the array's length into it.
    let count = unsafe { libc::recv(line.as_raw_fd(), asked.as_mut_ptr().cast(), asked.len(), 0) };
    match usize::try_from(count) {
        Ok(0) => Ok(false),
        Ok(_) => Ok(true),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn ask(line: BorrowedFd<'_>, asked: &Asked) -> io::Result<Option<OwnedFd>> {
    let words = asked.write();
    // SAFETY: the words live for the call and their true length is given.
    let sent = unsafe { libc::send(line.as_raw_fd(), words.as_ptr().cast(), words.len(), libc::MSG_NOSIGNAL) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut number = [0; 4];
    let mut control = Control::default();
    let (count, descriptor) = exchange(&mut number, &mut control, |message| {
        // SAFETY: the message points to buffers that outlive the call, with their true lengths.
        unsafe { libc::recvmsg(line.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) }
    })?;
    match (count, i32::from_ne_bytes(number), descriptor) {
        (4, 0, descriptor) => Ok(descriptor),
        (4, error, _) if error != 0 => Err(io::Error::from_raw_os_error(error)),
        _ => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the opener of sockets has ended")),
    }
}

/// Room for one descriptor, aligned as the kernel wants it.
#[derive(Default)]
#[repr(align(8))]
struct Control([u8; 32]);

/// Bytes of a descriptor in a control message.
const DESCRIPTOR_BYTES: libc::c_uint = size_of::<libc::c_int>() as libc::c_uint;

/// Receives into `number`, and a descriptor if one comes with it.
fn exchange(
    number: &mut [u8; 4],
    control: &mut Control,
    receive: impl FnOnce(&mut libc::msghdr) -> isize,
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut part = libc::iovec { iov_base: number.as_mut_ptr().cast(), iov_len: number.len() };
    // SAFETY: plain numbers and pointers, for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let count = usize::try_from(receive(&mut message)).map_err(|_| io::Error::last_os_error())?;
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    // SAFETY: the message is as the kernel left it, and its control buffer is alive.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: null or a whole header inside the buffer.
    let Some(first) = (unsafe { header.as_ref() }) else { return Ok((count, None)) };
    if (first.cmsg_level, first.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
        return Ok((count, None));
    }
    // SAFETY: a message of this type holds a descriptor, which nobody else owns.
    let descriptor = unsafe { OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<libc::c_int>().read_unaligned()) };
    Ok((count, Some(descriptor)))
}

fn answer(line: BorrowedFd<'_>, error: i32, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut number = error.to_ne_bytes();
    let mut control = Control::default();
    let mut part = libc::iovec { iov_base: number.as_mut_ptr().cast(), iov_len: number.len() };
    // SAFETY: plain numbers and pointers, for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if let Some(socket) = socket {
        message.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: arithmetic only.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(DESCRIPTOR_BYTES) } as _;
        // SAFETY: the buffer is aligned and has room for one header with one descriptor.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(DESCRIPTOR_BYTES) as _;
            libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(socket.as_raw_fd());
        }
    }
    // SAFETY: the message points to buffers that outlive the call, with their true lengths.
    let sent = unsafe { libc::sendmsg(line.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_gets_a_descriptor_or_the_kernels_reason() {
        let (ours, theirs) = line().expect("a line");
        let helper = std::thread::spawn(move || serve(theirs.as_fd()));
        for kind in Kind::ALL {
            match (ask(ours.as_fd(), &Asked::Socket(kind)), kind.open()) {
                (Ok(Some(asked)), Ok(_)) => assert!(family(&asked) == kind.words().0, "{kind:?}"),
                (asked, own) => {
                    let own = own.err().map(|error| error.raw_os_error());
                    assert_eq!(asked.err().map(|error| error.raw_os_error()), own, "{kind:?}");
                }
            }
        }
        // A kind that there is not.
        // SAFETY: one byte is read from the array.
        assert_eq!(unsafe { libc::send(ours.as_raw_fd(), [9_u8].as_ptr().cast(), 1, 0) }, 1);
        let mut number = [0; 4];
        let (count, none) = exchange(&mut number, &mut Control::default(), |message| {
            // SAFETY: the message points to buffers that outlive the call.
            unsafe { libc::recvmsg(ours.as_raw_fd(), message, 0) }
        })
        .expect("an answer");
        assert_eq!((count, i32::from_ne_bytes(number), none.is_none()), (4, libc::EINVAL, true));
        drop(ours);
        assert!(helper.join().expect("ended").is_ok());
    }

    #[test]
    fn nobody_gets_sockets_without_end() {
        let (ours, theirs) = line().expect("a line");
        let helper = std::thread::spawn(move || serve(theirs.as_fd()));
        for _ in 0..MAX_ASKED {
            let _ = ask(ours.as_fd(), &Asked::Socket(Kind::RawFour));
        }
        assert!(ask(ours.as_fd(), &Asked::Socket(Kind::RawFour)).is_err());
        assert!(helper.join().expect("ended").is_err());
    }

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let addresses: [IpAddr; 2] =
            [[198, 18, 0, 2].into(), [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9].into()];
        let wakes = addresses.map(|address| Asked::Wake(0x0102_0304, address));
        let holds = [Held::Tcp, Held::Udp].map(|held| Asked::Hold(held, addresses[0], 61_000));
        for asked in Kind::ALL.map(Asked::Socket).into_iter().chain(wakes).chain(holds) {
            assert_eq!(Asked::read(&asked.write()), Some(asked));
        }
        assert_eq!(Asked::read(&[0; ASKED_BYTES]), None);
    }

    fn family(socket: &OwnedFd) -> libc::c_int {
        let (mut family, mut len) = (0, size_of::<libc::c_int>() as libc::socklen_t);
        let place = std::ptr::from_mut(&mut family).cast();
        // SAFETY: the kernel writes at most `len` bytes into the value.
        let asked =
            unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN, place, &raw mut len) };
        assert_eq!(asked, 0);
        family
    }
}
