//! pcap: a file header, then per frame a header of sixteen bytes.

use std::io::Read;

use hinomi_model::Timestamp;

use super::input::{Input, Order};
use super::{CaptureError, Found, MAX_FRAME_BYTES};

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    order: Order,
    nanoseconds: bool,
    link_number: u16,
}

impl Header {
    /// The rest of the file's header.
    pub(super) fn open<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self, CaptureError> {
        let (order, nanoseconds) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, false),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, false),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, true),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, true),
            [0x1f, 0x8b, ..] => return Err(CaptureError::Gzip),
            other => return Err(CaptureError::NotACapture(other)),
        };
        let at = input.at();
        let [a, b, _, _] = input.array("the file's header")?;
        if order.u16([a, b]) != 2 {
            return Err(CaptureError::Invalid { what: "the version", at });
        }
        // Time zone, accuracy and snapshot length: nobody relies on them.
        input.array::<12>("the file's header")?;
        let network = order.u32(input.array("the file's header")?);
        // The upper half tells of frame check sequences.
        let link_number = u16::try_from(network & 0xffff).unwrap_or(0);
        Ok(Self { order, nanoseconds, link_number })
    }

    pub(super) fn next<R: Read>(self, input: &mut Input<R>) -> Result<Option<Found>, CaptureError> {
        let Some(seconds) = input.array_or_end("a frame's header")? else { return Ok(None) };
        let fraction = self.order.u32(input.array("a frame's header")?);
        let at = input.at();
        let told = self.order.u32(input.array("a frame's header")?);
        let wire_bytes = self.order.u32(input.array("a frame's header")?);
        let length = usize::try_from(told).unwrap_or(usize::MAX);
        if length > MAX_FRAME_BYTES {
            return Err(CaptureError::FrameTooLarge { told, at });
        }
        input.fill(length, "a frame")?;
        let time = Some(self.time(self.order.u32(seconds), fraction));
        Ok(Some(Found { time, link_number: self.link_number, wire_bytes: wire_bytes.max(told), start: 0, length }))
    }

    fn time(self, seconds: u32, fraction: u32) -> Timestamp {
        let micros = if self.nanoseconds { fraction / 1_000 } else { fraction };
        Timestamp::from_micros(i64::from(seconds) * 1_000_000 + i64::from(micros))
    }
}
