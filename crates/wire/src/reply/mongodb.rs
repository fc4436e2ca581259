//! MongoDB (port 27017): the two commands that every server answers before anybody logs in, `isMaster` and `buildInfo`.
//!
//! Follows MongoDB's documents on the wire protocol and BSON 1.1. `isMaster` goes as OP_QUERY, the one form that servers
//! of all ages take for it ("hello" in the words of newer ones); `buildInfo` tells the version and goes as OP_MSG, to
//! servers that say that they understand it. No database is listed, nothing is read.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The longest message that is read.
const MAX_BYTES: usize = 64 * 1024;
/// The most elements of a document, and of all inside it, that are read.
const MAX_ELEMENTS: usize = 512;
/// The longest name of an element.
const MAX_NAME_BYTES: usize = 128;

const HEADER_BYTES: usize = 16;
const OP_REPLY: u32 = 1;
const OP_QUERY: u32 = 2004;
const OP_MSG: u32 = 2013;
/// The number of both questions; an answer repeats it.
const REQUEST: u32 = u32::from_le_bytes(*b"hnmi");
/// The first version of the protocol with OP_MSG (MongoDB 3.6).
const MESSAGES: i32 = 6;

/// Elements of the answers with their fields.
const ELEMENTS: &[(&str, &str)] = &[
    ("version", "mongodb.version"),
    ("maxWireVersion", "mongodb.wire-version"),
    ("setName", "mongodb.set"),
    ("msg", "mongodb.role"),
    ("errmsg", "mongodb.error"),
];

/// `isMaster`, by OP_QUERY.
pub fn is_master() -> Vec<u8> {
    let query = [&[0; 4][..], b"admin.$cmd\0", &[0; 4], &[0xFF; 4], &document(&[integer("isMaster", 1)])].concat();
    message(OP_QUERY, &query)
}

/// `buildInfo`, by OP_MSG.
pub fn build_info() -> Vec<u8> {
    let body = document(&[integer("buildInfo", 1), text("$db", "admin")]);
    message(OP_MSG, &[&[0; 5][..], &body].concat())
}

/// Whether the answer to `isMaster` says that OP_MSG is understood.
pub fn takes_messages(answer: &[u8]) -> bool {
    let Ok(found) = elements(answer) else { return false };
    let version = found.iter().find(|(name, ..)| name == "maxWireVersion");
    matches!(version, Some((_, Value::Integer(version), _)) if *version >= MESSAGES)
}

fn message(operation: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + HEADER_BYTES).unwrap_or(u32::MAX);
    let head: Vec<u8> = [length, REQUEST, 0, operation].iter().flat_map(|number| number.to_le_bytes()).collect();
    [&head, body].concat()
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    let length = u32::try_from(body.len() + 5).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..], &body, &[0]].concat()
}

fn integer(name: &str, value: i32) -> Vec<u8> {
    [&[0x10], name.as_bytes(), &[0], &value.to_le_bytes()].concat()
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len() + 1).unwrap_or(u32::MAX).to_le_bytes();
    [&[0x02], name.as_bytes(), &[0], &length[..], value.as_bytes(), &[0]].concat()
}

/// What is read of an element; of other types, that they are there.
#[derive(Debug, PartialEq)]
enum Value {
    Text,
    Integer(i32),
    Other,
}

/// The end of the first message, and where its document begins, if it is an answer to us.
fn first(input: &[u8]) -> Result<(usize, usize), Malformed> {
    let mut reader = Reader::new(input);
    let number = |reader: &mut Reader<'_>| reader.array("MongoDB header").map(u32::from_le_bytes);
    let (length, _own, to) = (number(&mut reader)?, number(&mut reader)?, number(&mut reader)?);
    let operation = number(&mut reader)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let invalid = |at| Malformed::Invalid { what: "MongoDB header", at };
    if to != REQUEST {
        return Err(invalid(8));
    }
    // A reply has flags, cursor, start and count before its document; a message flags and the kind of section.
    let start = match operation {
        OP_REPLY => HEADER_BYTES + 20,
        OP_MSG => HEADER_BYTES + 5,
        _ => return Err(invalid(12)),
    };
    if !(start + 5..=MAX_BYTES).contains(&length) {
        return Err(invalid(0));
    }
    reader.take(length - HEADER_BYTES, "MongoDB message")?;
    Ok((length, start))
}

/// The answer to `isMaster` with that to `buildInfo` behind it, if that is a whole answer: of what is cut the random parts
/// would not be found.
pub fn with_second(mut first: Vec<u8>, second: &[u8]) -> Vec<u8> {
    if is_answer(second) {
        first.extend(second);
    }
    first
}

/// Whether the first message is there, or something that is no answer.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(first(seen), Err(Malformed::Truncated { .. }))
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    elements(input).is_ok_and(|found| found.iter().any(|(name, ..)| name == "ok"))
}

type Element = (String, Value, Range<usize>);

/// The elements of the first message's document, not of what is inside them.
fn elements(input: &[u8]) -> Result<Vec<Element>, Malformed> {
    let (end, start) = first(input)?;
    elements_of(get(input, start..end), start)
}

fn elements_of(document: &[u8], start: usize) -> Result<Vec<Element>, Malformed> {
    let mut reader = Reader::new(document);
    reader.take(4, "BSON length")?;
    let mut found = Vec::new();
    for _ in 0..MAX_ELEMENTS {
        let kind = reader.u8("BSON type")?;
        if kind == 0 {
            return Ok(found);
        }
        let name = c_string(&mut reader)?;
        let at = start + reader.at();
        let value = value(&mut reader, kind)?;
        let end = start + reader.at();
        // A text stands between its length and a zero.
        let span = if value == Value::Text { at + 4..end.saturating_sub(1).max(at + 4) } else { at..end };
        found.push((name, value, span));
    }
    Err(Malformed::TooMuch { what: "BSON elements", at: start + reader.at(), limit: MAX_ELEMENTS })
}

fn c_string(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let mut name = Vec::new();
    for _ in 0..MAX_NAME_BYTES {
        match reader.u8("BSON name")? {
            0 => return Ok(String::from_utf8_lossy(&name).into_owned()),
            byte => name.push(byte),
        }
    }
    Err(Malformed::TooMuch { what: "BSON name", at: reader.at(), limit: MAX_NAME_BYTES })
}

/// Reads over a value (BSON 1.1, "element").
fn value(reader: &mut Reader<'_>, kind: u8) -> Result<Value, Malformed> {
    let at = reader.at();
    let length = |reader: &mut Reader<'_>| {
        let length = reader.array("BSON length").map(u32::from_le_bytes)?;
        Ok::<usize, Malformed>(usize::try_from(length).unwrap_or(usize::MAX))
    };
    let fixed = match kind {
        0x10 => return reader.array("BSON integer").map(|bytes| Value::Integer(i32::from_le_bytes(bytes))),
        0x02 => {
            let length = length(reader)?;
            reader.take(length, "BSON text")?;
            return Ok(Value::Text);
        }
        // A document and an array count their own length.
        0x03 | 0x04 => length(reader)?.checked_sub(4).ok_or(Malformed::Invalid { what: "BSON length", at })?,
        0x05 => length(reader)?.saturating_add(1),
        0x08 => 1,
        0x07 => 12,
        0x01 | 0x09 | 0x11 | 0x12 => 8,
        0x13 => 16,
        0x06 | 0x0A | 0x7F | 0xFF => 0,
        _ => return Err(Malformed::Invalid { what: "BSON type", at }),
    };
    reader.take(fixed, "BSON value")?;
    Ok(Value::Other)
}

/// `mongodb.version`, `mongodb.wire-version`, `mongodb.set`, `mongodb.role`, `mongodb.error`, of one answer after
/// another.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let mut start = 0;
    // Two questions, two answers.
    for _ in 0..2 {
        let rest = get(input, start..input.len());
        let (Ok(found), Ok((end, _))) = (elements(rest), first(rest)) else { return };
        for (name, value, span) in found {
            let Some((_, field)) = ELEMENTS.iter().find(|(known, _)| *known == name) else { continue };
            let span = start + span.start..start + span.end;
            match value {
                Value::Text => list.span(field, span),
                Value::Integer(number) => list.value(*field, number.to_string().into_bytes().into(), span),
                Value::Other => {}
            }
        }
        start += end;
    }
}

/// Everything that counts or tells the time: the numbers of messages, and in every document times, identifiers, and whole
/// numbers of 64 bits.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let (mut places, mut start) = (Vec::new(), 0);
    for _ in 0..2 {
        let rest = get(input, start..input.len());
        let Ok((end, body)) = first(rest) else { break };
        places.push(start + 4..start + 8);
        changing(input, start + body..start + end, 0, &mut places);
        start += end;
    }
    places
}

/// How deep documents are followed.
const MAX_DEPTH: usize = 4;

fn changing(input: &[u8], document: Range<usize>, depth: usize, places: &mut Vec<Range<usize>>) {
    let mut reader = Reader::new(get(input, document.clone()));
    if depth > MAX_DEPTH || reader.take(4, "BSON length").is_err() {
        return;
    }
    for _ in 0..MAX_ELEMENTS {
        let Ok(kind @ 1..) = reader.u8("BSON type") else { return };
        let Ok(name) = c_string(&mut reader) else { return };
        let at = document.start + reader.at();
        if value(&mut reader, kind).is_err() {
            return;
        }
        let span = at..document.start + reader.at();
        match kind {
            0x03 | 0x04 => changing(input, span, depth + 1, places),
            0x07 | 0x09 | 0x11 | 0x12 => places.push(span),
            0x10 if name == "connectionId" => places.push(span),
            // A signature of the cluster's time.
            0x05 => places.push(at + 5..span.end.max(at + 5)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(bytes: &[u8], name: &str) -> Option<String> {
        let list = crate::reply::fields(bytes);
        list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
    }

    fn answer(operation: u32, before: usize, elements: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = message(operation, &[&vec![0; before][..], &document(elements)].concat());
        bytes.splice(4..12, [[0xE9; 4], REQUEST.to_le_bytes()].concat());
        bytes
    }

    fn time(name: &str) -> Vec<u8> {
        [&[0x09], name.as_bytes(), &[0], &[0xE7; 8][..]].concat()
    }

    fn truth(name: &str) -> Vec<u8> {
        [&[0x08], name.as_bytes(), &[0, 1]].concat()
    }

    fn ok() -> Vec<u8> {
        [&[0x01][..], b"ok\0", &1.0_f64.to_le_bytes()].concat()
    }

    #[test]
    fn a_server_tells_its_version_in_two_answers() {
        let first = answer(
            OP_REPLY,
            20,
            &[truth("ismaster"), time("localTime"), integer("connectionId", 0xE7), integer("maxWireVersion", 21), ok()],
        );
        assert!(takes_messages(&first) && complete(&first));
        let second = answer(OP_MSG, 5, &[text("version", "7.0.14"), text("gitVersion", "abc"), ok()]);
        let both = [first.clone(), second].concat();
        assert_eq!(crate::recognise(&both), Some("mongodb"));
        assert_eq!(value_of(&both, "mongodb.version").as_deref(), Some("7.0.14"));
        assert_eq!(value_of(&both, "mongodb.wire-version").as_deref(), Some("21"));
        let mut masked = both.clone();
        crate::reply::mask(&mut masked);
        assert!(!masked.contains(&0xE9) && !masked.contains(&0xE7), "{masked:?}");
        assert_eq!(masked.len(), both.len());
        assert!((0..first.len()).all(|end| !complete(get(&first, 0..end))));
    }

    #[test]
    fn only_a_whole_second_answer_is_kept() {
        let first = answer(OP_REPLY, 20, &[truth("ismaster"), integer("maxWireVersion", 21), ok()]);
        let second = answer(OP_MSG, 5, &[text("version", "7.0.14"), ok()]);
        assert_eq!(with_second(first.clone(), &second), [first.clone(), second.clone()].concat());
        for end in 0..second.len() {
            assert_eq!(with_second(first.clone(), get(&second, 0..end)), first, "{end} bytes");
        }
        assert_eq!(with_second(first.clone(), &build_info()), first, "a question is none");
    }

    #[test]
    fn refusals_and_old_servers_are_understood() {
        let refused = answer(OP_MSG, 5, &[text("errmsg", "not authorized"), integer("code", 13), ok()]);
        assert_eq!(value_of(&refused, "mongodb.error").as_deref(), Some("not authorized"));
        let old = answer(OP_REPLY, 20, &[truth("ismaster"), integer("maxWireVersion", 2), ok()]);
        assert!(is_answer(&old) && !takes_messages(&old));
    }

    #[test]
    fn questions_have_the_lengths_they_claim_and_are_no_answers() {
        for question in [is_master(), build_info()] {
            let length = u32::try_from(question.len()).expect("short").to_le_bytes();
            assert!(question.starts_with(&length));
            assert!(!is_answer(&question) && crate::recognise(&question).is_none());
        }
        let mut deep = document(&[]);
        for _ in 0..99 {
            deep = document(&[[&[0x03][..], b"a\0", &deep].concat()]);
        }
        let deep = answer(OP_MSG, 5, &[[&[0x03][..], b"a\0", &deep].concat(), ok()]);
        let mut masked = deep.clone();
        crate::reply::mask(&mut masked);
        assert!(is_answer(&masked));
    }
}
