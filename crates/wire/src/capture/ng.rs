//! pcapng: sections of blocks, each with its length before and after.

use std::io::Read;

use super::clock::Clock;
use super::input::{Input, Order};
use super::{CaptureError, Counts, Found, MAX_FRAME_BYTES, MAX_INTERFACES};
use crate::read::Reader;

/// The same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Type and length before a block, length after it.
const FRAME_OF_BLOCK_BYTES: u32 = 12;
/// The most of an interface's description that is read; its options hold free text.
const MAX_DESCRIPTION_BYTES: usize = 65_536;

const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// A section's byte order and interfaces.
#[derive(Debug)]
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link_number: u16,
    /// 0 is no limit.
    snapshot_bytes: u32,
    clock: Clock,
}

/// The fixed head of a packet block, by kind.
struct Head {
    interface: usize,
    /// The simple block has none.
    ticks: Option<u64>,
    captured: u32,
    wire_bytes: u32,
    length: usize,
}

impl Section {
    /// The rest of a section's header.
    pub(super) fn open<R: Read>(input: &mut Input<R>) -> Result<Self, CaptureError> {
        let at = input.at();
        let length = input.array("a section's header")?;
        let order = match input.array("a section's header")? {
            [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
            _ => return Err(CaptureError::Invalid { what: "a section's byte order", at }),
        };
        let length = order.u32(length);
        if length < 28 || !length.is_multiple_of(4) {
            return Err(CaptureError::Invalid { what: "a section's length", at });
        }
        // Version, the section's length (rarely told) and options.
        input.skip(u64::from(length) - 12, "a section's header")?;
        Ok(Self { order, interfaces: Vec::new() })
    }

    /// Reads blocks until one holds a frame.
    pub(super) fn next<R: Read>(
        &mut self,
        input: &mut Input<R>,
        counts: &mut Counts,
    ) -> Result<Option<Found>, CaptureError> {
        while let Some(kind) = input.array_or_end("a block's type")? {
            if kind == SECTION_HEADER {
                *self = Self::open(input)?;
                continue;
            }
            let at = input.at();
            let length = self.order.u32(input.array("a block's length")?);
            if length < FRAME_OF_BLOCK_BYTES || !length.is_multiple_of(4) {
                return Err(CaptureError::Invalid { what: "a block's length", at });
            }
            let inside = length - FRAME_OF_BLOCK_BYTES;
            let found = match self.order.u32(kind) {
                INTERFACE => self.interface(input, inside).map(|()| None)?,
                kind @ (ENHANCED_PACKET | SIMPLE_PACKET | OLD_PACKET) => Some(self.packet(kind, input, inside)?),
                _ => {
                    input.skip(u64::from(inside), "a block")?;
                    None
                }
            };
            self.end(input, length)?;
            match found {
                Some(found) => return Ok(Some(found)),
                None => counts.other_blocks += 1,
            }
        }
        Ok(None)
    }

    fn end<R: Read>(&self, input: &mut Input<R>, length: u32) -> Result<(), CaptureError> {
        let at = input.at();
        match self.order.u32(input.array("a block's end")?) == length {
            true => Ok(()),
            false => Err(CaptureError::Invalid { what: "a block's second length", at }),
        }
    }

    fn interface<R: Read>(&mut self, input: &mut Input<R>, inside: u32) -> Result<(), CaptureError> {
        let at = input.at();
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(CaptureError::TooManyInterfaces { at });
        }
        let length = usize::try_from(inside).unwrap_or(usize::MAX);
        let held = length.min(MAX_DESCRIPTION_BYTES);
        input.fill(held, "an interface's description")?;
        let invalid = || CaptureError::Invalid { what: "an interface's description", at };
        let mut reader = Reader::new(input.held(0, held));
        let [a, b, _, _] = reader.array("link").map_err(|_| invalid())?;
        let snapshot_bytes = self.order.u32(reader.array("snapshot").map_err(|_| invalid())?);
        let clock = self.clock(&mut reader).ok_or_else(invalid)?;
        self.interfaces.push(Interface { link_number: self.order.u16([a, b]), snapshot_bytes, clock });
        input.skip(u64::try_from(length - held).unwrap_or(0), "an interface's description")
    }

    /// Walks options; none when the clock's cannot be. Options that are cut off end the walk.
    fn clock(&self, reader: &mut Reader<'_>) -> Option<Clock> {
        let mut clock = Clock::MICROSECONDS;
        while let Ok([a, b, c, d]) = reader.array("option") {
            let length = usize::from(self.order.u16([c, d]));
            let Ok(value) = reader.take(length, "option") else { break };
            match (self.order.u16([a, b]), value) {
                (0, _) => break,
                (OPTION_RESOLUTION, [resolution]) => clock = clock.with_resolution(*resolution)?,
                (OPTION_OFFSET, value) => clock = clock.with_offset(self.seconds(value.try_into().ok()?)),
                _ => {}
            }
            let _ = reader.take(length.next_multiple_of(4) - length, "padding");
        }
        Some(clock)
    }

    const fn seconds(&self, bytes: [u8; 8]) -> i64 {
        match self.order {
            Order::Big => i64::from_be_bytes(bytes),
            Order::Little => i64::from_le_bytes(bytes),
        }
    }

    /// A frame, which stays in the input's buffer; options after it are skipped.
    fn packet<R: Read>(&self, kind: u32, input: &mut Input<R>, inside: u32) -> Result<Found, CaptureError> {
        let at = input.at();
        let head = self.head(kind, input, inside)?;
        let invalid = |what| CaptureError::Invalid { what, at };
        let interface = self.interfaces.get(head.interface).ok_or(invalid("a packet's interface"))?;
        let captured = usize::try_from(head.captured).unwrap_or(usize::MAX);
        if captured > MAX_FRAME_BYTES {
            return Err(CaptureError::FrameTooLarge { told: head.captured, at });
        }
        let rest = usize::try_from(inside).unwrap_or(usize::MAX).checked_sub(head.length + captured);
        let rest = rest.ok_or(invalid("a packet's length"))?;
        input.fill(captured, "a frame")?;
        input.skip(u64::try_from(rest).unwrap_or(0), "a packet's options")?;
        Ok(Found {
            time: head.ticks.map(|ticks| interface.clock.time(ticks)),
            link_number: interface.link_number,
            wire_bytes: head.wire_bytes.max(head.captured),
            start: 0,
            length: captured,
        })
    }

    fn head<R: Read>(&self, kind: u32, input: &mut Input<R>, inside: u32) -> Result<Head, CaptureError> {
        let mut word = || input.array("a packet's header").map(|bytes| self.order.u32(bytes));
        if kind == SIMPLE_PACKET {
            let wire_bytes = word()?;
            let snapshot = self.interfaces.first().map_or(0, |interface| interface.snapshot_bytes);
            let limit = if snapshot == 0 { u32::MAX } else { snapshot };
            let captured = wire_bytes.min(limit).min(inside.saturating_sub(4));
            return Ok(Head { interface: 0, ticks: None, captured, wire_bytes, length: 4 });
        }
        let first = word()?;
        // The old block has a count of drops in the other half of the word.
        let interface = match (kind, self.order) {
            (OLD_PACKET, Order::Big) => first >> 16,
            (OLD_PACKET, Order::Little) => first & 0xffff,
            _ => first,
        };
        let ticks = u64::from(word()?) << 32 | u64::from(word()?);
        let (captured, wire_bytes) = (word()?, word()?);
        let interface = usize::try_from(interface).unwrap_or(usize::MAX);
        Ok(Head { interface, ticks: Some(ticks), captured, wire_bytes, length: 20 })
    }
}
