//! OMRON FINS: CONTROLLER DATA READ (port 9600, UDP and TCP).
//!
//! Follows OMRON's FINS Commands Reference Manual (W227) and the CS/CJ Series Communications Commands Reference Manual
//! (W342): FINS header, command 05 01, end codes; and the CJ Ethernet Units Operation Manual (W420) for FINS/TCP.
//! Checked against the public sources of nmap's `omron-info` and of open client libraries. No memory area is read or
//! written, no mode changed. Over UDP the answer is up to eight times the request, whose length is fixed.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The longest answer that is waited for.
const MAX_ANSWER_BYTES: usize = 512;

/// Header, command, and the parameter that asks for model and version.
const REQUEST_BYTES: usize = 13;
const CONTROLLER_DATA_READ: [u8; 2] = [0x05, 0x01];
/// The gateway count that every message begins its way with.
const GATEWAYS: u8 = 2;
/// Who we say we are where no node was given to us: nodes of an Ethernet are 1 to 254, and this one is rarely taken.
const OUR_NODE: u8 = 0xFD;

/// The request over UDP; the controller echoes `service`.
pub fn controller_data_read(service: u8) -> [u8; REQUEST_BYTES] {
    request(0, OUR_NODE, service)
}

fn request(node: u8, our_node: u8, service: u8) -> [u8; REQUEST_BYTES] {
    let [main, sub] = CONTROLLER_DATA_READ;
    [0x80, 0, GATEWAYS, 0, node, 0, 0, our_node, 0, service, main, sub, 0]
}

const TCP_MARK: [u8; 4] = *b"FINS";
/// Mark, length, command, error.
const TCP_HEADER_BYTES: usize = 16;

/// What FINS/TCP begins with: asks the controller for a node number.
pub const ASK_FOR_NODE: &[u8; 20] = b"FINS\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0";

/// The request over TCP, behind the controller's answer to [`ASK_FOR_NODE`].
///
/// # Errors
/// When that answer gives no node.
pub fn controller_data_read_over_tcp(given: &[u8], service: u8) -> Result<Vec<u8>, Malformed> {
    let (command, body) = tcp_frame(&mut Reader::new(given))?;
    let [_, _, _, ours, _, _, _, theirs] = body else {
        return Err(Malformed::Invalid { what: "FINS/TCP nodes", at: TCP_HEADER_BYTES });
    };
    if command != 1 {
        return Err(Malformed::Invalid { what: "FINS/TCP command", at: 8 });
    }
    let mut frame = TCP_MARK.to_vec();
    frame.extend([0, 0, 0, 8 + 13, 0, 0, 0, 2, 0, 0, 0, 0]);
    frame.extend(request(*theirs, *ours, service));
    Ok(frame)
}

/// Whether a frame of FINS/TCP is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(tcp_frame(&mut Reader::new(seen)), Err(Malformed::Truncated { .. }))
}

/// The command of a frame, and what it carries.
fn tcp_frame<'a>(reader: &mut Reader<'a>) -> Result<(u32, &'a [u8]), Malformed> {
    if reader.array("FINS/TCP mark")? != TCP_MARK {
        return Err(Malformed::Invalid { what: "FINS/TCP mark", at: 0 });
    }
    let length = usize::try_from(reader.u32("FINS/TCP length")?).unwrap_or(usize::MAX);
    if !(8..=MAX_ANSWER_BYTES).contains(&length) {
        return Err(Malformed::Invalid { what: "FINS/TCP length", at: 4 });
    }
    let command = reader.u32("FINS/TCP command")?;
    let error = reader.u32("FINS/TCP error")?;
    let body = reader.take(length - 8, "FINS/TCP data")?;
    if error != 0 {
        return Err(Malformed::Invalid { what: "FINS/TCP error", at: 12 });
    }
    Ok((command, body))
}

/// What a controller answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The end code; 0 is success. Bits that tell of errors elsewhere are left out.
    pub end_code: u16,
    /// Where the end code stands.
    pub end_code_at: usize,
    /// Where the model's name stands.
    pub model: Range<usize>,
    /// Where the version stands.
    pub version: Range<usize>,
    /// What changes at every look: node numbers and the request's number.
    pub volatile: Vec<Range<usize>>,
}

const TEXT_BYTES: usize = 20;
/// Bits of the end code by which a relay and the CPU tell of errors that are not this command's.
const ELSEWHERE: u16 = 0x80C0;

/// Reads an answer, over UDP or with the header of FINS/TCP before it.
///
/// # Errors
/// When the bytes are cut or are no answer to this command.
pub fn parse(bytes: &[u8]) -> Result<Answer, Malformed> {
    let start = if bytes.starts_with(&TCP_MARK) { TCP_HEADER_BYTES } else { 0 };
    if start > 0 {
        let (command, _) = tcp_frame(&mut Reader::new(bytes))?;
        if command != 2 {
            return Err(Malformed::Invalid { what: "FINS/TCP command", at: 8 });
        }
    }
    let mut reader = Reader::new(get(bytes, start..bytes.len()));
    let invalid = |what, at| Malformed::Invalid { what, at: start + at };
    let [control, reserved, _gateways]: [u8; 3] = reader.array("FINS header")?;
    // A response; the lowest bit says whether one was wanted.
    if control & 0xFE != 0xC0 || reserved != 0 {
        return Err(invalid("FINS header", 0));
    }
    let _route_and_number = reader.take(7, "FINS route")?;
    if reader.array("FINS command")? != CONTROLLER_DATA_READ {
        return Err(invalid("FINS command", 10));
    }
    let end_code_at = start + reader.at();
    let end_code = reader.u16("FINS end code")? & !ELSEWHERE;
    let model_at = start + reader.at();
    if end_code == 0 {
        reader.take(2 * TEXT_BYTES, "FINS controller data")?;
    }
    let texts = if end_code == 0 { TEXT_BYTES } else { 0 };
    Ok(Answer {
        end_code,
        end_code_at,
        model: model_at..model_at + texts,
        version: model_at + texts..model_at + 2 * texts,
        volatile: vec![start + 4..start + 5, start + 7..start + 8, start + 9..start + 10],
    })
}

/// Whether it is an answer. Without the mark of FINS/TCP it is one only if its route is that of an answer to us.
pub(super) fn is_answer(input: &[u8]) -> bool {
    let local = || matches!(input, [_, _, 0..=GATEWAYS, 0, _, 0, 0, _, 0, _, ..]);
    parse(input).is_ok() && (input.starts_with(&TCP_MARK) || local())
}

/// `fins.model`, `fins.version`, or `fins.end-code` (hex).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(answer) = parse(input) else { return };
    if answer.end_code != 0 {
        let text = format!("{:04x}", answer.end_code).into_bytes();
        list.value("fins.end-code", text.into(), answer.end_code_at..answer.end_code_at + 2);
        return;
    }
    list.span("fins.model", super::unpadded(input, answer.model));
    list.span("fins.version", super::unpadded(input, answer.version));
}

/// Node numbers and the request's number.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    parse(input).map(|answer| answer.volatile).unwrap_or_default()
}
