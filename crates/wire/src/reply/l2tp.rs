//! L2TP version 2 (RFC 2661): Start-Control-Connection-Request, by which both ends name themselves, and its end (port
//! 1701, UDP).
//!
//! No call is made and no tunnel is secured: the control connection is stopped as soon as it is answered. The request
//! says who asks in the attribute for a vendor's name, which is filled up so that the request is longer than answers
//! usually are.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The longest answer that is read.
const MAX_BYTES: usize = 1500;
/// The most attributes of an answer.
const MAX_ATTRIBUTES: usize = 64;
/// The length of the vendor's name that is sent: cut, or filled up with spaces.
const VENDOR_BYTES: usize = 64;

/// A control message of version 2: with length and sequence numbers.
const CONTROL: u16 = 0xC802;
const HEADER_BYTES: usize = 12;
/// Our number for the tunnel.
const OUR_TUNNEL: [u8; 2] = *b"HN";

const START_REPLY: u16 = 2;
/// Kinds of attributes (section 4.4).
const MESSAGE_TYPE: u16 = 0;
const TIE_BREAKER: u16 = 5;
const FIRMWARE: u16 = 6;
const HOST: u16 = 7;
const VENDOR: u16 = 8;
const TUNNEL: u16 = 9;
const CHALLENGE: u16 = 11;

/// The request. `contact` says whom to ask about it.
pub fn start(contact: &str) -> Vec<u8> {
    let mut vendor = format!("Hinomi survey {contact}").into_bytes();
    vendor.resize(VENDOR_BYTES, b' ');
    message(
        [0, 0],
        0,
        0,
        &[
            (true, MESSAGE_TYPE, &[0, 1]),
            (true, 2, &[1, 0]),
            (true, 3, &[0, 0, 0, 3]),
            (true, HOST, b"hinomi"),
            (false, VENDOR, &vendor),
            (true, TUNNEL, &OUR_TUNNEL),
            (true, 10, &[0, 4]),
        ],
    )
}

/// Whether this is a message without a body, which acknowledges ours and no more (5.8): the answer comes after it.
pub fn is_acknowledgement(bytes: &[u8]) -> bool {
    let start = [CONTROL.to_be_bytes(), [0, 12], OUR_TUNNEL].concat();
    bytes.len() == HEADER_BYTES && bytes.starts_with(&start)
}

/// Stop-Control-Connection-Notification to who answered so: "general request to clear control connection".
///
/// # Errors
/// When the answer gives no tunnel.
pub fn stop(answer: &[u8]) -> Result<Vec<u8>, Malformed> {
    let reply = Reply::parse(answer)?;
    let tunnel = reply.value(answer, TUNNEL).and_then(|value| value.try_into().ok());
    let tunnel: [u8; 2] = tunnel.ok_or(Malformed::Invalid { what: "L2TP tunnel", at: HEADER_BYTES })?;
    let attributes: [(bool, u16, &[u8]); 3] =
        [(true, MESSAGE_TYPE, &[0, 4]), (true, TUNNEL, &OUR_TUNNEL), (true, 1, &[0, 1])];
    Ok(message(tunnel, 1, 1, &attributes))
}

fn message(tunnel: [u8; 2], sent: u8, received: u8, attributes: &[(bool, u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (mandatory, kind, value) in attributes {
        let length = u16::try_from(value.len() + 6).unwrap_or(6) | if *mandatory { 0x8000 } else { 0 };
        body.extend(length.to_be_bytes());
        body.extend([0, 0]);
        body.extend(kind.to_be_bytes());
        body.extend(*value);
    }
    let length = u16::try_from(body.len() + HEADER_BYTES).unwrap_or(u16::MAX).to_be_bytes();
    [&CONTROL.to_be_bytes()[..], &length, &tunnel, &[0, 0, 0, sent, 0, received], &body].concat()
}

/// A reply: kinds of attributes, and where their values stand.
struct Reply {
    attributes: Vec<(u16, Range<usize>)>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u16("L2TP header")? != CONTROL {
            return Err(Malformed::Invalid { what: "L2TP header", at: 0 });
        }
        let length = usize::from(reader.u16("L2TP length")?);
        if !(HEADER_BYTES..=MAX_BYTES).contains(&length) {
            return Err(Malformed::Invalid { what: "L2TP length", at: 2 });
        }
        if reader.array("L2TP tunnel")? != OUR_TUNNEL {
            return Err(Malformed::Invalid { what: "L2TP tunnel", at: 4 });
        }
        reader.take(6, "L2TP numbers")?;
        let body = reader.take(length - HEADER_BYTES, "L2TP attributes")?;
        let attributes = read_attributes(&mut Reader::new(body))?;
        let reply = Self { attributes };
        if reply.value(bytes, MESSAGE_TYPE) != Some(&START_REPLY.to_be_bytes()) {
            return Err(Malformed::Invalid { what: "L2TP message", at: HEADER_BYTES });
        }
        Ok(reply)
    }

    fn span(&self, kind: u16) -> Option<Range<usize>> {
        self.attributes.iter().find(|(of, _)| *of == kind).map(|(_, span)| span.clone())
    }

    fn value<'a>(&self, input: &'a [u8], kind: u16) -> Option<&'a [u8]> {
        self.span(kind).map(|span| get(input, span))
    }
}

/// The message is all there: where its attributes are longer than it is, more bytes would not help.
fn read_attributes(body: &mut Reader<'_>) -> Result<Vec<(u16, Range<usize>)>, Malformed> {
    let mut attributes = Vec::new();
    while !body.is_done() && attributes.len() < MAX_ATTRIBUTES {
        let at = HEADER_BYTES + body.at();
        let invalid = |_| Malformed::Invalid { what: "L2TP attribute", at };
        let length = usize::from(body.u16("L2TP attribute").map_err(invalid)? & 0x03FF);
        let vendor = body.u16("L2TP attribute").map_err(invalid)?;
        let kind = body.u16("L2TP attribute").map_err(invalid)?;
        let Some(value) = length.checked_sub(6) else {
            return Err(Malformed::Invalid { what: "L2TP attribute", at });
        };
        let start = HEADER_BYTES + body.at();
        body.take(value, "L2TP attribute").map_err(invalid)?;
        if vendor == 0 {
            attributes.push((kind, start..start + value));
        }
    }
    Ok(attributes)
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    Reply::parse(input).is_ok()
}

/// `l2tp.host`, `l2tp.vendor`, `l2tp.firmware` (hex).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(reply) = Reply::parse(input) else { return };
    for (kind, name) in [(HOST, "l2tp.host"), (VENDOR, "l2tp.vendor")] {
        if let Some(span) = reply.span(kind) {
            list.span(name, span);
        }
    }
    if let Some(span) = reply.span(FIRMWARE) {
        let text = data_encoding::HEXLOWER.encode(get(input, span.clone()));
        list.value("l2tp.firmware", text.into_bytes().into(), span);
    }
}

/// The server's number for the tunnel, and what it made up.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let Ok(reply) = Reply::parse(input) else { return Vec::new() };
    [TUNNEL, TIE_BREAKER, CHALLENGE].into_iter().filter_map(|kind| reply.span(kind)).collect()
}
