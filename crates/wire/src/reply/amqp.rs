//! AMQP 0-9-1: the protocol header, and what a server answers to it.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;

/// The protocol header (section 4.2.2): the server answers with its properties, or with the header it would like.
pub const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// The most properties of a server that are read.
const MAX_PROPERTIES: usize = 64;

/// Type, channel and size before a frame's payload, and the octet after it (section 4.2.3).
const FRAME_BYTES: usize = 8;

/// Whether the frame is there, or a header.
pub fn complete(seen: &[u8]) -> bool {
    match seen {
        [b'A', ..] => seen.len() >= HEADER.len(),
        [_, _, _, a, b, c, d, ..] => {
            let size = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
            seen.len() >= size.saturating_add(FRAME_BYTES)
        }
        _ => false,
    }
}

/// A version header, or connection.start with the server's properties (class 10, method 10).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("amqp.reply", 0..input.len());
    let Some(table) = get(input, 7..input.len()).strip_prefix(&[0, 10, 0, 10, 0, 9]) else {
        return;
    };
    let mut at = input.len() - table.len() + 4;
    for _ in 0..MAX_PROPERTIES {
        let Some((name, text, next)) = property(input, at) else { return };
        at = next;
        match (get(input, name), text) {
            (b"product", Some(text)) => list.span("amqp.product", text),
            (b"version", Some(text)) => list.span("amqp.version", text),
            (b"platform", Some(text)) => list.span("amqp.platform", text),
            _ => {}
        }
    }
}

/// A name, its value where that is a text, and where the next property begins.
fn property(input: &[u8], at: usize) -> Option<(Range<usize>, Option<Range<usize>>, usize)> {
    let name = at + 1..at + 1 + usize::from(*input.get(at)?);
    let start = name.end + 1;
    let long = || {
        let bytes = input.get(start..start + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    match input.get(name.end)? {
        b'S' => {
            let end = (start + 4).checked_add(long()?).filter(|end| *end <= input.len())?;
            Some((name, Some(start + 4..end), end))
        }
        b'F' => Some((name, None, (start + 4).checked_add(long()?)?)),
        b't' | b'b' => Some((name, None, start + 1)),
        _ => None,
    }
}
