//! PPTP (RFC 2637): Start-Control-Connection, by which both ends name themselves, and its end (port 1723).
//!
//! No call is made: no tunnel, no login. The control connection is stopped as soon as it is answered.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The length of a start request and of its reply (sections 2.1 and 2.2).
const START_BYTES: usize = 156;
const MAGIC: [u8; 4] = *b"\x1a\x2b\x3c\x4d";
/// Where names stand in both.
const HOST: Range<usize> = 28..92;
const VENDOR: Range<usize> = 92..156;
const RESULT: usize = 14;
const FIRMWARE: Range<usize> = 26..28;

/// The request: version 1.0, both kinds of framing and bearer, no channels, our name.
pub fn start() -> [u8; START_BYTES] {
    let mut request = [0; START_BYTES];
    let mut put = |at: usize, part: &[u8]| {
        request.get_mut(at..at + part.len()).unwrap_or_default().copy_from_slice(part);
    };
    put(0, b"\0\x9c\0\x01");
    put(4, &MAGIC);
    put(8, b"\0\x01\0\0\x01\0\0\0\0\0\0\x03\0\0\0\x03");
    put(HOST.start, b"hinomi");
    put(VENDOR.start, b"hinomi");
    request
}

/// Stop-Control-Connection-Request without a particular reason (section 2.3).
pub const STOP: &[u8; 16] = b"\0\x10\0\x01\x1a\x2b\x3c\x4d\0\x03\0\0\x01\0\0\0";

/// Whether the reply is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(parse(seen), Err(Malformed::Truncated { .. }))
}

/// Reads a reply; what it says stands at fixed places.
///
/// # Errors
/// When the bytes are cut, or are no such reply.
pub fn parse(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(bytes);
    let invalid = |what, at| Malformed::Invalid { what, at };
    if reader.array("PPTP length and type")? != *b"\0\x9c\0\x01" {
        return Err(invalid("PPTP length and type", 0));
    }
    if reader.array("PPTP cookie")? != MAGIC {
        return Err(invalid("PPTP cookie", 4));
    }
    if reader.array("PPTP control type")? != [0, 2] {
        return Err(invalid("PPTP control type", 8));
    }
    reader.take(START_BYTES - 10, "PPTP reply")
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `pptp.host`, `pptp.vendor`, `pptp.firmware` (decimal), `pptp.result` (decimal; 1 is success).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("pptp.host", named(input, HOST));
    list.span("pptp.vendor", named(input, VENDOR));
    if let [high, low] = get(input, FIRMWARE) {
        let text = u16::from_be_bytes([*high, *low]).to_string();
        list.value("pptp.firmware", text.into_bytes().into(), FIRMWARE);
    }
    if let [result] = get(input, RESULT..RESULT + 1) {
        list.value("pptp.result", result.to_string().into_bytes().into(), RESULT..RESULT + 1);
    }
}

/// A name without the zeros behind it.
fn named(input: &[u8], range: Range<usize>) -> Range<usize> {
    let length = get(input, range.clone()).iter().take_while(|byte| **byte != 0).count();
    range.start..range.start + length
}
