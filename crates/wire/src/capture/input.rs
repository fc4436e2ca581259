//! A file read front to back into one buffer of bounded size.

use std::io::{self, Read};

use super::{CaptureError, MAX_FRAME_BYTES};

/// The most that is held at once: the largest frame and its block's header and padding.
const MAX_HELD_BYTES: usize = MAX_FRAME_BYTES + 64;

#[derive(Debug)]
pub(super) struct Input<R> {
    source: R,
    at: u64,
    buffer: Vec<u8>,
}

/// Which end of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        }
    }

    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(bytes),
            Self::Little => u16::from_le_bytes(bytes),
        }
    }
}

impl<R: Read> Input<R> {
    pub(super) const fn new(source: R) -> Self {
        Self { source, at: 0, buffer: Vec::new() }
    }

    /// The offset of the next byte.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// What the last [`Input::fill`] read.
    pub(super) fn held(&self, start: usize, length: usize) -> &[u8] {
        self.buffer.get(start..start.saturating_add(length)).unwrap_or_default()
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CaptureError> {
        self.array_or_end(what)?.ok_or(CaptureError::Truncated { what, at: self.at })
    }

    /// The next `N` bytes, or none where the file ends before the first of them.
    pub(super) fn array_or_end<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>, CaptureError> {
        let mut room = [0; N];
        match self.read(&mut room)? {
            0 if N > 0 => Ok(None),
            count if count == N => Ok(Some(room)),
            _ => Err(CaptureError::Truncated { what, at: self.at }),
        }
    }

    /// Reads so many bytes into the buffer, in place of what it held.
    pub(super) fn fill(&mut self, count: usize, what: &'static str) -> Result<(), CaptureError> {
        if count > MAX_HELD_BYTES {
            let told = u32::try_from(count).unwrap_or(u32::MAX);
            return Err(CaptureError::FrameTooLarge { told, at: self.at });
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(count, 0);
        let read = self.read(&mut buffer);
        self.buffer = buffer;
        if read? < count {
            return Err(CaptureError::Truncated { what, at: self.at });
        }
        Ok(())
    }

    /// Passes over so many bytes without keeping them.
    pub(super) fn skip(&mut self, count: u64, what: &'static str) -> Result<(), CaptureError> {
        let skipped = io::copy(&mut self.source.by_ref().take(count), &mut io::sink())
            .map_err(|source| CaptureError::Read { at: self.at, source })?;
        self.at += skipped;
        if skipped < count {
            return Err(CaptureError::Truncated { what, at: self.at });
        }
        Ok(())
    }

    fn read(&mut self, room: &mut [u8]) -> Result<usize, CaptureError> {
        let mut done = 0;
        while let Some(rest) = room.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(CaptureError::Read { at: self.at, source }),
            }
        }
        self.at += u64::try_from(done).unwrap_or(0);
        Ok(done)
    }
}
