//! Capture files: pcap in both byte orders with micro- or nanoseconds, and pcapng.
//!
//! ```text
//!   a file of any size --- Read ---> Capture --- one Frame<'_> at a time ---> packet::Packet, a flow decoder
//! ```
//!
//! Memory is bounded by the largest frame ([`MAX_FRAME_BYTES`]), not by the file. A file that ends in the middle gives
//! every frame before that, then one error, then nothing. Blocks of pcapng that carry no frame are skipped without
//! being read into memory, their options too, but for the resolution and the offset of the clock.
//!
//! Read here and not with a library: both formats are a few fixed headers, and what a truncated or contradicting file
//! loses is to be counted under our own reasons. Follows draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.

use std::io::{BufReader, Read};

use hinomi_model::Timestamp;

use crate::packet::Link;

mod clock;
mod error;
mod input;
mod ng;
mod pcap;

pub use error::CaptureError;

use input::Input;
#[cfg(test)]
use input::Order;

/// The most bytes of one frame; tcpdump's own largest snapshot.
pub const MAX_FRAME_BYTES: usize = 262_144;
/// The most interfaces of one section of a pcapng file.
pub const MAX_INTERFACES: usize = 4_096;

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured. A simple packet block of pcapng does not say: it is as old as the frame before it.
    pub time: Timestamp,
    /// On which kind of link; none when we do not read such frames.
    pub link: Option<Link>,
    /// The same as the file says it (LINKTYPE).
    pub link_number: u16,
    /// How long it was on the wire; the snapshot may be shorter.
    pub wire_bytes: u32,
    /// The snapshot.
    pub bytes: &'a [u8],
}

/// What was met so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that were given.
    pub frames: u64,
    /// Of these, without a time of their own.
    pub untimed: u64,
    /// Blocks of pcapng that hold no frame.
    pub other_blocks: u64,
    /// 1 when the file could not be read to its end.
    pub broken: u64,
}

/// Reads a capture; see the module.
#[derive(Debug)]
pub struct Capture<R> {
    input: Input<BufReader<R>>,
    format: Format,
    last: Timestamp,
    counts: Counts,
    done: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Header),
    Ng(ng::Section),
}

/// A frame whose bytes are in the input's buffer.
#[derive(Clone, Copy, Debug)]
struct Found {
    time: Option<Timestamp>,
    link_number: u16,
    wire_bytes: u32,
    start: usize,
    length: usize,
}

impl<R: Read> Capture<R> {
    /// Reads the file's header.
    ///
    /// # Errors
    /// When it is no capture, or the source cannot be read.
    pub fn open(source: R) -> Result<Self, CaptureError> {
        let mut input = Input::new(BufReader::with_capacity(65_536, source));
        let magic = input.array::<4>("the file's first four bytes")?;
        let format = match magic {
            ng::SECTION_HEADER => Format::Ng(ng::Section::open(&mut input)?),
            _ => Format::Pcap(pcap::Header::open(magic, &mut input)?),
        };
        Ok(Self { input, format, last: Timestamp::default(), counts: Counts::default(), done: false })
    }

    /// The next frame; none at the end, and after an error.
    ///
    /// # Errors
    /// When the file ends in the middle of a frame or contradicts itself. What came before is good.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.done {
            return Ok(None);
        }
        let found = match &mut self.format {
            Format::Pcap(header) => header.next(&mut self.input),
            Format::Ng(section) => section.next(&mut self.input, &mut self.counts),
        };
        self.done = !matches!(found, Ok(Some(_)));
        self.counts.broken += u64::from(found.is_err());
        let Some(found) = found? else { return Ok(None) };
        self.counts.frames += 1;
        self.counts.untimed += u64::from(found.time.is_none());
        self.last = found.time.unwrap_or(self.last);
        Ok(Some(Frame {
            time: self.last,
            link: Link::from_number(u32::from(found.link_number)),
            link_number: found.link_number,
            wire_bytes: found.wire_bytes,
            bytes: self.input.held(found.start, found.length),
        }))
    }

    /// What was met so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
