//! Memory shared with the kernel.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// A mapping that is unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is memory owned by one value; nothing about it belongs to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Fresh zeroed memory, page-aligned and present.
    pub(crate) fn anonymous(len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new private mapping at an address the kernel chooses touches no memory of ours.
        Self::checked(unsafe { libc::mmap(std::ptr::null_mut(), len, PROTECTION, flags, -1, 0) }, len)
    }

    /// A ring of a socket.
    pub(crate) fn of(socket: BorrowedFd<'_>, len: usize, offset: libc::off_t) -> io::Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: as above; the descriptor is open for the length of the call.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, PROTECTION, flags, socket.as_raw_fd(), offset) };
        Self::checked(start, len)
    }

    fn checked(start: *mut libc::c_void, len: usize) -> io::Result<Self> {
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { start, len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The address of a part, when it lies inside and is aligned to `align`.
    pub(crate) fn at(&self, offset: usize, len: usize, align: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(len)?;
        if end > self.len || !offset.is_multiple_of(align) {
            return None;
        }
        // SAFETY: the offset was checked to lie inside the mapping.
        Some(unsafe { self.start.add(offset) })
    }

    /// A part as bytes. The caller must hold whatever keeps the kernel from writing there meanwhile.
    pub(crate) fn slice_mut(&mut self, offset: usize, len: usize) -> Option<&mut [u8]> {
        let start = self.at(offset, len, 1)?;
        // SAFETY: inside the mapping, and exclusively borrowed through `self` for as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), len) })
    }

    /// A part as bytes. The caller must hold whatever keeps the kernel from writing there meanwhile.
    pub(crate) fn slice(&self, offset: usize, len: usize) -> Option<&[u8]> {
        let start = self.at(offset, len, 1)?;
        // SAFETY: inside the mapping, and borrowed through `self` for as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })
    }
}

const PROTECTION: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping; nobody can hold a slice into it, they borrow from `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Turns a system call's −1 into its error.
pub(crate) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Sets a socket option from a plain value.
pub(crate) fn set_option<T: Copy>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let len = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the value lives for the call and its true length is given.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), len) })
        .map(drop)
}
