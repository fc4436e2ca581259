//! CoAP (RFC 7252): GET /.well-known/core (RFC 6690), and a reset for a ping.

use super::{Question, take, take_byte};
use crate::persona::CoapSpeech;

const CONFIRMABLE: u8 = 0;
const NON_CONFIRMABLE: u8 = 1;
const ACKNOWLEDGEMENT: u8 = 2;
const RESET: u8 = 3;
const EMPTY: u8 = 0;
const GET: u8 = 1;
const CONTENT: u8 = 0x45;
const NOT_FOUND: u8 = 0x84;
const METHOD_NOT_ALLOWED: u8 = 0x85;
const URI_PATH: u16 = 11;
/// Content-Format (12), one byte long: 40, application/link-format.
const LINK_FORMAT: [u8; 2] = [0xc1, 40];
const OPTIONS_MAX: usize = 32;

struct Request<'a> {
    kind: u8,
    code: u8,
    id: &'a [u8],
    token: &'a [u8],
    path: Vec<u8>,
}

pub(super) fn answer(datagram: &[u8], question: &Question<'_>, speech: &CoapSpeech) -> Option<Vec<u8>> {
    let request = read(datagram)?;
    if request.code == EMPTY {
        let ping = request.kind == CONFIRMABLE;
        return ping.then(|| message(RESET, EMPTY, request.id, &[], &[]));
    }
    let reply = match request.kind {
        CONFIRMABLE => ACKNOWLEDGEMENT,
        NON_CONFIRMABLE => NON_CONFIRMABLE,
        _ => return None,
    };
    let (code, rest) = match (request.code, request.path.as_slice()) {
        (GET, b"/.well-known/core") => {
            let links = question.text(&speech.links);
            (CONTENT, [&LINK_FORMAT[..], &[0xff], links.as_bytes()].concat())
        }
        (GET, _) => (NOT_FOUND, Vec::new()),
        _ => (METHOD_NOT_ALLOWED, Vec::new()),
    };
    Some(message(reply, code, request.id, request.token, &rest))
}

fn message(kind: u8, code: u8, id: &[u8], token: &[u8], rest: &[u8]) -> Vec<u8> {
    let first = 0x40 | kind << 4 | token.len() as u8;
    [&[first, code], id, token, rest].concat()
}

fn read(datagram: &[u8]) -> Option<Request<'_>> {
    let mut rest = datagram;
    let first = take_byte(&mut rest)?;
    let token_length = usize::from(first & 15);
    if first >> 6 != 1 || token_length > 8 {
        return None;
    }
    let code = take_byte(&mut rest)?;
    let id = take(&mut rest, 2)?;
    let token = take(&mut rest, token_length)?;
    let path = read_path(rest)?;
    Some(Request { kind: first >> 4 & 3, code, id, token, path })
}

/// The Uri-Path options joined; stops at the payload.
fn read_path(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    let mut number = 0u16;
    for _ in 0..OPTIONS_MAX {
        let Some(first) = take_byte(&mut rest).filter(|first| *first != 0xff) else { return Some(path) };
        number = number.checked_add(extended(&mut rest, first >> 4)?)?;
        let length = extended(&mut rest, first & 15)?;
        let value = take(&mut rest, usize::from(length))?;
        if number == URI_PATH {
            path.push(b'/');
            path.extend_from_slice(value);
        }
    }
    None
}

/// RFC 7252, section 3.1.
fn extended(rest: &mut &[u8], nibble: u8) -> Option<u16> {
    match nibble {
        0..=12 => Some(u16::from(nibble)),
        13 => Some(u16::from(take_byte(rest)?) + 13),
        14 => {
            let (bytes, after) = rest.split_first_chunk::<2>()?;
            *rest = after;
            u16::from_be_bytes(*bytes).checked_add(269)
        }
        _ => None,
    }
}
