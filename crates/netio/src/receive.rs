//! Receiving through a memory-mapped packet ring (TPACKET_V3): the kernel fills blocks, we read whole blocks.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::filter::Wanted;
use crate::interface::Interface;
use crate::map::{Mapping, checked, set_option};
use crate::opener;

const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: usize = 32;
/// Longest time a block stays open when few packets come.
const BLOCK_TIME_MS: u32 = 10;
/// The kernel asks for a frame size and does not use it in version 3.
const FRAME_BYTES: u32 = 2_048;

/// Receives whole packets, beginning with the link header where the interface has one.
pub struct Receiver {
    ring: Mapping,
    /// The block that is read next.
    next: usize,
    socket: OwnedFd,
}

/// A packet in the ring.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// From the network header on (IP).
    pub network: &'a [u8],
    /// The packet's length on the wire from the network header on; longer than `network` where it was cut.
    pub wire_bytes: usize,
    /// When it arrived, in nanoseconds since 1970.
    pub time_ns: u64,
}

impl Receiver {
    /// Opens a receiver for what is wanted.
    ///
    /// # Errors
    /// No privilege, no such interface, no memory.
    pub fn open(interface: &Interface, wanted: &Wanted) -> io::Result<Self> {
        // Protocol 0 until the filter stands: nothing unwanted is ever received.
        let socket = opener::socket(opener::Kind::Packet)?;
        attach(&socket, wanted)?;
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1_i32)?;
        let blocks = u32::try_from(BLOCKS).map_err(|_| odd())?;
        let block = u32::try_from(BLOCK_BYTES).map_err(|_| odd())?;
        let ring = libc::tpacket_req3 {
            tp_block_size: block,
            tp_block_nr: blocks,
            tp_frame_size: FRAME_BYTES,
            tp_frame_nr: blocks * (block / FRAME_BYTES),
            tp_retire_blk_tov: BLOCK_TIME_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_RX_RING, &ring)?;
        let ring = Mapping::of(socket.as_fd(), BLOCK_BYTES * BLOCKS, 0)?;
        bind(&socket, interface)?;
        Ok(Self { ring, next: 0, socket })
    }

    /// Waits up to `patience` for packets, then gives each of one block to `each`. Gives how many.
    ///
    /// # Errors
    /// When the interface is gone or down.
    pub fn receive(&mut self, patience: Duration, mut each: impl FnMut(Received<'_>)) -> io::Result<usize> {
        if !self.is_ours() {
            self.wait(patience)?;
        }
        if !self.is_ours() {
            return Ok(0);
        }
        let count = self.read_block(&mut each);
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % BLOCKS;
        Ok(count)
    }

    /// Packets that found no room since this was last asked.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn dropped(&self) -> io::Result<u64> {
        // SAFETY: plain numbers, for which all zeroes is a value.
        let mut counts: libc::tpacket_stats_v3 = unsafe { std::mem::zeroed() };
        let mut len = libc::socklen_t::try_from(size_of::<libc::tpacket_stats_v3>()).map_err(|_| odd())?;
        let place = std::ptr::from_mut(&mut counts).cast();
        // SAFETY: the kernel writes at most `len` bytes into the value.
        checked(unsafe {
            let socket = self.socket.as_raw_fd();
            libc::getsockopt(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, place, &raw mut len)
        })?;
        Ok(u64::from(counts.tp_drops))
    }

    fn status(&self) -> &AtomicU32 {
        let at = self.next * BLOCK_BYTES + STATUS_AT;
        match self.ring.at(at, size_of::<u32>(), align_of::<u32>()) {
            // SAFETY: inside the mapping, aligned, shared with the kernel and only used atomically here.
            Some(place) => unsafe { AtomicU32::from_ptr(place.as_ptr().cast()) },
            // `next` is always below the number of blocks; were it not, no block would ever be ours.
            None => &NEVER,
        }
    }

    fn is_ours(&self) -> bool {
        self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    fn wait(&self, patience: Duration) -> io::Result<()> {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let wait_ms = libc::c_int::try_from(patience.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: one structure, which lives for the call.
        match checked(unsafe { libc::poll(&raw mut poll, 1, wait_ms) }) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ if poll.revents & (libc::POLLERR | libc::POLLNVAL | libc::POLLHUP) != 0 => {
                Err(io::Error::new(io::ErrorKind::NetworkDown, "the interface is down or gone"))
            }
            _ => Ok(()),
        }
    }

    /// The block is ours until its status is given back, so reading it as plain bytes is sound.
    fn read_block(&self, each: &mut impl FnMut(Received<'_>)) -> usize {
        let Some(block) = self.ring.slice(self.next * BLOCK_BYTES, BLOCK_BYTES) else { return 0 };
        let packets = number(block, COUNT_AT).unwrap_or(0);
        let mut at = number(block, FIRST_AT).unwrap_or(0);
        let mut given = 0;
        for _ in 0..packets {
            let Some(header) = block.get(at..) else { break };
            if let Some(packet) = packet(header) {
                each(packet);
                given += 1;
            }
            match number(header, 0) {
                Some(step) if step > 0 => at = at.saturating_add(step),
                _ => break,
            }
        }
        given
    }
}

static NEVER: AtomicU32 = AtomicU32::new(0);

// Offsets in `tpacket_block_desc` with `tpacket_hdr_v1`: version, offset to private data, then the header.
const STATUS_AT: usize = 8;
const COUNT_AT: usize = 12;
const FIRST_AT: usize = 16;

// Offsets in `tpacket3_hdr`.
const SECOND_AT: usize = 4;
const NANOSECOND_AT: usize = 8;
const KEPT_AT: usize = 12;
const LENGTH_AT: usize = 16;
const LINK_AT: usize = 24;
const NETWORK_AT: usize = 26;

fn packet(header: &[u8]) -> Option<Received<'_>> {
    let half = |at: usize| header.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes).map(usize::from);
    let (link, network) = (half(LINK_AT)?, half(NETWORK_AT)?);
    let skipped = network.saturating_sub(link);
    let kept = number(header, KEPT_AT)?.checked_sub(skipped)?;
    let network = header.get(network..network.checked_add(kept)?)?;
    let wire_bytes = number(header, LENGTH_AT)?.saturating_sub(skipped);
    let second = u64::try_from(number(header, SECOND_AT)?).ok()?;
    let nanosecond = u64::try_from(number(header, NANOSECOND_AT)?).ok()?;
    Some(Received { network, wire_bytes, time_ns: second.saturating_mul(1_000_000_000).saturating_add(nanosecond) })
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)?;
    usize::try_from(number).ok()
}

fn attach(socket: &OwnedFd, wanted: &Wanted) -> io::Result<()> {
    let mut program = wanted.program();
    let len = u16::try_from(program.len()).map_err(|_| odd())?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn bind(socket: &OwnedFd, interface: &Interface) -> io::Result<()> {
    // SAFETY: plain numbers, for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(|_| odd())?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(|_| odd())?.to_be();
    address.sll_ifindex = i32::try_from(interface.index).map_err(|_| odd())?;
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(|_| odd())?;
    // SAFETY: the address lives for the call and its true length is given.
    checked(unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), len) }).map(drop)
}

fn odd() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}
