//! A cursor over hostile bytes: every read is checked and knows where it stands.

use crate::malformed::Malformed;

/// Reads big-endian binary formats front to back.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// The offset of the next byte.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Whether everything has been read.
    pub fn is_done(&self) -> bool {
        self.at >= self.input.len()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer remain.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed::Invalid { what, at: self.at })?;
        let bytes = self.input.get(self.at..end).ok_or(Malformed::Truncated { what, at: self.at })?;
        self.at = end;
        Ok(bytes)
    }

    /// The next byte.
    ///
    /// # Errors
    /// When none remains.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// The next two bytes, big-endian.
    ///
    /// # Errors
    /// When fewer remain.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// The next three bytes, big-endian.
    ///
    /// # Errors
    /// When fewer remain.
    pub fn u24(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array::<3>(what).map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next four bytes, big-endian.
    ///
    /// # Errors
    /// When fewer remain.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// When fewer remain.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let at = self.at;
        self.take(N, what)?.try_into().map_err(|_| Malformed::Truncated { what, at })
    }
}
