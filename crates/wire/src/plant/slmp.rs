//! SLMP, MELSEC's own protocol: Read Type Name (ports 5006 and 5007, TCP and UDP).
//!
//! Follows Mitsubishi Electric's SLMP Reference Manual (SH-080956ENG): 3E frame in binary code, command 0101 without
//! subcommand; the same command is "Read CPU model name" in the MELSEC Communication Protocol Reference Manual
//! (SH-080008). No device memory is read or written, no remote operation asked for. The station asked is the one that
//! is connected. Over UDP the answer is 29 bytes to our 15: the frame has no room for padding.

use std::ops::Range;

use crate::fields::Fields;
use crate::{Malformed, Reader};

/// Binary 3E frame to the connected station (network 0, station FF, its own CPU), with four seconds to answer:
/// command 0101, subcommand 0000.
pub const READ_TYPE_NAME: &[u8; 15] = b"\x50\0\0\xFF\xFF\x03\0\x06\0\x10\0\x01\x01\0\0";

/// The longest answer: a refusal repeats the route and the command.
const MAX_DATA_BYTES: usize = 64;

const ANSWER: u16 = 0xD000;
/// The route to the station, as asked.
const ROUTE: [u8; 5] = [0, 0xFF, 0xFF, 0x03, 0];
const NAME_BYTES: usize = 16;
/// Behind subheader, route, length and end code.
const NAME_AT: usize = 11;

/// Whether the answer is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(parse(seen), Err(Malformed::Truncated { .. }))
}

/// What a station answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Its type.
    Type {
        /// The model's name, filled up with spaces.
        name: &'a [u8; NAME_BYTES],
        /// The model's number.
        code: u16,
    },
    /// It refused with this end code.
    Refusal(u16),
}

/// Reads an answer to [`READ_TYPE_NAME`].
///
/// # Errors
/// When the bytes are cut, or are no such answer.
pub fn parse(bytes: &[u8]) -> Result<Answer<'_>, Malformed> {
    let mut reader = Reader::new(bytes);
    let invalid = |what, at| Malformed::Invalid { what, at };
    if reader.u16("SLMP subheader")? != ANSWER {
        return Err(invalid("SLMP subheader", 0));
    }
    if reader.array("SLMP route")? != ROUTE {
        return Err(invalid("SLMP route", 2));
    }
    let length = usize::from(u16::from_le_bytes(reader.array("SLMP length")?));
    if !(2..=MAX_DATA_BYTES).contains(&length) {
        return Err(invalid("SLMP length", 7));
    }
    let mut body = Reader::new(reader.take(length, "SLMP data")?);
    let end_code = u16::from_le_bytes(body.array("SLMP end code")?);
    if end_code != 0 {
        return Ok(Answer::Refusal(end_code));
    }
    // The frame is all there: where it is too short for a name, more bytes would not help.
    let short = |_| invalid("SLMP type name", NAME_AT);
    let name = body.take(NAME_BYTES, "SLMP type name").map_err(short)?.try_into();
    let name = name.map_err(|_| invalid("SLMP type name", NAME_AT))?;
    let code = u16::from_le_bytes(body.array("SLMP type code").map_err(short)?);
    Ok(Answer::Type { name, code })
}

pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `slmp.model`, `slmp.model-code` (hex), or `slmp.end-code` (hex).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let hexadecimal = |number: u16| format!("{number:04x}").into_bytes();
    match parse(input) {
        Ok(Answer::Type { code, .. }) => {
            let name = NAME_AT..NAME_AT + NAME_BYTES;
            list.span("slmp.model", super::unpadded(input, name.clone()));
            list.value("slmp.model-code", hexadecimal(code).into(), name.end..name.end + 2);
        }
        Ok(Answer::Refusal(code)) => list.value("slmp.end-code", hexadecimal(code).into(), NAME_AT - 2..NAME_AT),
        Err(_) => {}
    }
}

/// Nothing.
pub(super) fn volatile(_input: &[u8]) -> Vec<Range<usize>> {
    Vec::new()
}
