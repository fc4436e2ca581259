//! Sending through AF_XDP: frames lie in memory that the kernel shares, a ring tells it which to send.
//!
//! Only the sending half is used: receivers stand elsewhere ([`crate::Receiver`]), so no program need be attached to
//! the interface in copy mode. Frames keep what was written into them, so a template is written once and a probe
//! changes a few bytes. Kernel documentation: `networking/af_xdp`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{SOL_XDP, xdp_mmap_offsets, xdp_ring_offset};

use crate::interface::Interface;
use crate::map::{Mapping, checked, set_option};
use crate::opener;
use crate::transmit::{FRAME_BYTES, Sent};

/// Frames in flight, at most; a power of two. Few enough to stay in the cache.
const FRAMES: u32 = 1_024;
/// Bytes of memory a frame. Frames begin at different places of theirs ([`place_of`]).
const CHUNK_BYTES: usize = 2 * FRAME_BYTES;
/// Packets the kernel takes from the ring in one call (`XDP_MAX_TX_SKB_BUDGET`, since Linux 6.17; 32 before).
const BUDGET: u32 = 512;
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
/// How often a full device is asked again in one flush.
const PATIENCE: usize = 10_000;

/// A ring shared with the kernel.
struct Ring {
    mapping: Mapping,
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries_at: usize,
}

// SAFETY: the pointers lead into the mapping that the same value owns.
unsafe impl Send for Ring {}

impl Ring {
    fn map(socket: &OwnedFd, offset: libc::off_t, places: &xdp_ring_offset, entry: usize) -> io::Result<Self> {
        let place = |at: u64| usize::try_from(at).map_err(|_| odd());
        let entries_at = place(places.desc)?;
        let len = entries_at + usize::try_from(FRAMES).map_err(|_| odd())? * entry;
        let mapping = Mapping::of(socket.as_fd(), len, offset)?;
        let number = |at: u64| -> io::Result<NonNull<AtomicU32>> {
            Ok(mapping.at(place(at)?, size_of::<u32>(), align_of::<u32>()).ok_or_else(odd)?.cast())
        };
        let (producer, consumer, flags) = (number(places.producer)?, number(places.consumer)?, number(places.flags)?);
        Ok(Self { mapping, producer, consumer, flags, entries_at })
    }

    fn load(&self, number: NonNull<AtomicU32>) -> u32 {
        // SAFETY: inside the mapping, aligned, and only ever used atomically on this side.
        unsafe { number.as_ref() }.load(Ordering::Acquire)
    }

    fn store(&self, number: NonNull<AtomicU32>, value: u32) {
        // SAFETY: as above.
        unsafe { number.as_ref() }.store(value, Ordering::Release);
    }

    /// The bytes of an entry; the index wraps.
    fn entry(&mut self, index: u32, len: usize) -> Option<&mut [u8]> {
        let at = usize::try_from(index % FRAMES).ok()? * len + self.entries_at;
        self.mapping.slice_mut(at, len)
    }
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's ring does not have the form expected")
}

pub(crate) struct XdpSender {
    transmit: Ring,
    completion: Ring,
    /// The kernel wants one; nothing is ever received.
    _fill: Ring,
    frames: Mapping,
    free: Vec<u32>,
    /// Where the next descriptor goes; published by a flush.
    next: u32,
    /// Closed last: it holds the memory.
    socket: OwnedFd,
}

impl XdpSender {
    pub(crate) fn open(interface: &Interface, queue: u32, zero_copy: bool) -> io::Result<Self> {
        let socket = opener::socket(opener::Kind::Xdp)?;
        let frame_count = usize::try_from(FRAMES).map_err(|_| odd())?;
        let frames = Mapping::anonymous(frame_count * CHUNK_BYTES)?;
        register(&socket, &frames)?;
        for ring in [libc::XDP_UMEM_FILL_RING, libc::XDP_UMEM_COMPLETION_RING, libc::XDP_TX_RING] {
            set_option(socket.as_fd(), SOL_XDP, ring, &FRAMES)?;
        }
        let _older_kernels_take_32 = set_option(socket.as_fd(), SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &BUDGET);
        let places = offsets(&socket)?;
        let fill_at = libc::off_t::try_from(libc::XDP_UMEM_PGOFF_FILL_RING).map_err(|_| odd())?;
        let completion_at = libc::off_t::try_from(libc::XDP_UMEM_PGOFF_COMPLETION_RING).map_err(|_| odd())?;
        let fill = Ring::map(&socket, fill_at, &places.fr, size_of::<u64>())?;
        let completion = Ring::map(&socket, completion_at, &places.cr, size_of::<u64>())?;
        let transmit = Ring::map(&socket, libc::XDP_PGOFF_TX_RING, &places.tx, DESCRIPTOR_BYTES)?;
        bind(&socket, interface, queue, zero_copy)?;
        let free = (0..FRAMES).rev().collect();
        Ok(Self { transmit, completion, _fill: fill, frames, free, next: 0, socket })
    }

    pub(crate) fn prime(&mut self, template: &[u8]) {
        for frame in 0..FRAMES {
            let len = template.len().min(FRAME_BYTES);
            if let (Some(slot), Some(bytes)) = (self.frames.slice_mut(place_of(frame), len), template.get(..len)) {
                slot.copy_from_slice(bytes);
            }
        }
    }

    /// Writes up to `want` frames; gives how many.
    pub(crate) fn fill(&mut self, want: usize, mut each: impl FnMut(&mut [u8]) -> Option<usize>) -> usize {
        self.reclaim();
        let mut written = 0;
        while written < want {
            let Some(frame) = self.free.last().copied() else { break };
            let at = place_of(frame);
            let Some(slot) = self.frames.slice_mut(at, FRAME_BYTES) else { break };
            let Some(len) = each(slot).filter(|len| *len <= FRAME_BYTES) else { break };
            let Some(entry) = self.transmit.entry(self.next, DESCRIPTOR_BYTES) else { break };
            write_descriptor(entry, at, len);
            self.free.pop();
            self.next = self.next.wrapping_add(1);
            written += 1;
        }
        written
    }

    /// Hands what was written to the kernel and waits until the device has taken it.
    pub(crate) fn flush(&mut self) -> io::Result<Sent> {
        self.transmit.store(self.transmit.producer, self.next);
        let mut sent = Sent::default();
        for _ in 0..PATIENCE {
            let waiting = self.next.wrapping_sub(self.transmit.load(self.transmit.consumer));
            let wanted = self.transmit.load(self.transmit.flags) & libc::XDP_RING_NEED_WAKEUP != 0;
            if waiting == 0 || !wanted {
                break;
            }
            match self.kick() {
                Ok(()) => {}
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN | libc::EINTR) => {}
                    Some(libc::ENOBUFS) => sent.stalls += 1,
                    Some(libc::EBUSY) => sent.dropped += 1,
                    _ => return Err(error),
                },
            }
        }
        self.reclaim();
        Ok(sent)
    }

    fn kick(&self) -> io::Result<()> {
        // SAFETY: no buffer is given.
        let sent = unsafe {
            let none = std::ptr::null();
            libc::sendto(self.socket.as_raw_fd(), none, 0, libc::MSG_DONTWAIT, std::ptr::null(), 0)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Takes back the frames that the kernel is done with.
    fn reclaim(&mut self) {
        let done = self.completion.load(self.completion.producer);
        let mut at = self.completion.load(self.completion.consumer);
        // More than the ring holds would be a broken kernel; the bound keeps the loop finite.
        for _ in 0..FRAMES {
            if at == done {
                break;
            }
            let Some(entry) = self.completion.entry(at, size_of::<u64>()) else { break };
            let address = entry.try_into().map_or(0, u64::from_ne_bytes);
            let frame = u32::try_from(address / CHUNK_BYTES as u64).unwrap_or(u32::MAX);
            if frame < FRAMES && self.free.len() < self.free.capacity() {
                self.free.push(frame);
            }
            at = at.wrapping_add(1);
        }
        self.completion.store(self.completion.consumer, at);
    }
}

/// Where a frame begins. All at the start of their chunk would share two sets of the processor's first cache.
fn place_of(frame: u32) -> usize {
    const LINE_BYTES: usize = 64;
    let frame = usize::try_from(frame).unwrap_or(0);
    frame * CHUNK_BYTES + frame * 2 * LINE_BYTES % FRAME_BYTES
}

/// Bytes of `struct xdp_desc`.
const DESCRIPTOR_BYTES: usize = size_of::<libc::xdp_desc>();

fn write_descriptor(entry: &mut [u8], at: usize, len: usize) {
    let (address, len) = (u64::try_from(at).unwrap_or(0), u32::try_from(len).unwrap_or(0));
    if let Some(entry) = entry.first_chunk_mut::<DESCRIPTOR_BYTES>() {
        entry[0..8].copy_from_slice(&address.to_ne_bytes());
        entry[8..12].copy_from_slice(&len.to_ne_bytes());
        entry[12..16].copy_from_slice(&0_u32.to_ne_bytes());
    }
}

fn register(socket: &OwnedFd, frames: &Mapping) -> io::Result<()> {
    let start = frames.at(0, frames.len(), 1).ok_or_else(odd)?;
    let memory = libc::xdp_umem_reg {
        addr: start.as_ptr() as u64,
        len: u64::try_from(frames.len()).map_err(|_| odd())?,
        chunk_size: u32::try_from(CHUNK_BYTES).map_err(|_| odd())?,
        headroom: 0,
        flags: 0,
        tx_metadata_len: 0,
    };
    set_option(socket.as_fd(), SOL_XDP, libc::XDP_UMEM_REG, &memory)
}

fn offsets(socket: &OwnedFd) -> io::Result<xdp_mmap_offsets> {
    // SAFETY: plain numbers, for which all zeroes is a value.
    let mut offsets: xdp_mmap_offsets = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of::<xdp_mmap_offsets>()).map_err(|_| odd())?;
    let place = std::ptr::from_mut(&mut offsets).cast();
    // SAFETY: the kernel writes at most `len` bytes into the value.
    checked(unsafe { libc::getsockopt(socket.as_raw_fd(), SOL_XDP, libc::XDP_MMAP_OFFSETS, place, &raw mut len) })?;
    if usize::try_from(len).ok() != Some(size_of::<xdp_mmap_offsets>()) {
        return Err(odd());
    }
    Ok(offsets)
}

fn bind(socket: &OwnedFd, interface: &Interface, queue: u32, zero_copy: bool) -> io::Result<()> {
    let mode = if zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
    let address = libc::sockaddr_xdp {
        sxdp_family: u16::try_from(libc::AF_XDP).map_err(|_| odd())?,
        sxdp_flags: mode | libc::XDP_USE_NEED_WAKEUP,
        sxdp_ifindex: interface.index,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: 0,
    };
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_xdp>()).map_err(|_| odd())?;
    // A queue stays taken for a moment after its last owner closed it.
    for _ in 0..BUSY_TRIES {
        // SAFETY: the address lives for the call and its true length is given.
        match checked(unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), len) }) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            other => return other.map(drop),
        }
        // SAFETY: no descriptors are given.
        unsafe { libc::poll(std::ptr::null_mut(), 0, BUSY_WAIT_MS) };
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program sends through this queue"))
}

const BUSY_TRIES: usize = 50;
const BUSY_WAIT_MS: libc::c_int = 10;
