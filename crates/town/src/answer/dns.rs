//! DNS (RFC 1035): `version.bind` in class CHAOS, and whether it would recurse.

use super::{Question, take, take_byte};
use crate::persona::DnsSpeech;

const TXT: [u8; 2] = [0, 16];
const A: [u8; 2] = [0, 1];
const CHAOS: [u8; 2] = [0, 3];
const NO_ERROR: u8 = 0;
const REFUSED: u8 = 5;
/// A pointer to the name in the question.
const POINTER: [u8; 2] = [0xc0, 12];
/// What every name resolves to: an address for documentation (RFC 5737).
const EVERY_ADDRESS: [u8; 4] = [192, 0, 2, 80];
const TTL_SECONDS: [u8; 4] = [0, 0, 1, 44];
const NAME_MAX_BYTES: usize = 255;

struct Query<'a> {
    id: &'a [u8],
    wants_recursion: bool,
    /// Name, type and class as they came.
    question: &'a [u8],
    name: Vec<u8>,
    kind: &'a [u8],
    class: &'a [u8],
}

pub(super) fn answer(datagram: &[u8], question: &Question<'_>, speech: &DnsSpeech) -> Option<Vec<u8>> {
    let query = read(datagram)?;
    let (code, data) = resolve(&query, question, speech);
    let flags = 0x80 | u8::from(query.wants_recursion);
    let recursion = if speech.recursion { 0x80 } else { 0 };
    let mut reply = query.id.to_vec();
    reply.extend([flags, recursion | code, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    reply.extend_from_slice(query.question);
    if let Some(data) = data {
        reply.extend(POINTER);
        reply.extend_from_slice(query.kind);
        reply.extend_from_slice(query.class);
        reply.extend(TTL_SECONDS);
        reply.extend((data.len() as u16).to_be_bytes());
        reply.extend(data);
    }
    Some(reply)
}

fn resolve(query: &Query<'_>, question: &Question<'_>, speech: &DnsSpeech) -> (u8, Option<Vec<u8>>) {
    let version = query.name == b"version.bind" && query.kind == TXT && query.class == CHAOS;
    if version {
        let Some(text) = &speech.version else { return (REFUSED, None) };
        let text = question.text(text);
        let mut data = vec![text.len() as u8];
        data.extend_from_slice(text.as_bytes());
        return (NO_ERROR, Some(data));
    }
    if !speech.recursion || query.class == CHAOS {
        return (REFUSED, None);
    }
    (NO_ERROR, (query.kind == A).then(|| EVERY_ADDRESS.to_vec()))
}

/// Reads a standard query with one question.
fn read(datagram: &[u8]) -> Option<Query<'_>> {
    let mut rest = datagram;
    let id = take(&mut rest, 2)?;
    let flags = take_byte(&mut rest)?;
    if flags & 0xf8 != 0 {
        return None;
    }
    take_byte(&mut rest)?;
    if take(&mut rest, 2)? != [0, 1] {
        return None;
    }
    take(&mut rest, 6)?;
    let start = rest;
    let name = read_name(&mut rest)?;
    let kind = take(&mut rest, 2)?;
    let class = take(&mut rest, 2)?;
    let question = start.get(..start.len() - rest.len())?;
    Some(Query { id, wants_recursion: flags & 1 == 1, question, name, kind, class })
}

/// Lower case, with dots; pointers have no place in a question.
fn read_name(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    loop {
        let length = usize::from(take_byte(rest)?);
        if length == 0 {
            return Some(name);
        }
        if length > 63 || name.len() + length > NAME_MAX_BYTES {
            return None;
        }
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend(take(rest, length)?.to_ascii_lowercase());
    }
}
