//! OPC UA over TCP: GetEndpoints, which every server answers to anybody (port 4840).
//!
//! Follows OPC 10000-6: connection protocol (7.1), secure conversation (6.7), binary encoding (5.2); and OPC 10000-4:
//! OpenSecureChannel (5.5.2), GetEndpoints (5.4.4), EndpointDescription (7.14), ApplicationDescription (7.2). Checked
//! against the public sources of open62541 and asyncua. The channel has the security policy None, which only
//! discovery needs; it is closed at the end. No session is created, nobody logs in, no node is read. Evidence is the
//! answer to GetEndpoints, all its chunks.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The longest message that is read; longer ones are cut by the reader of the connection.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The most chunks of a message.
const MAX_CHUNKS: usize = 64;
/// The most endpoints, and addresses or tokens of one, that are read.
const MAX_ENDPOINTS: usize = 64;
/// The longest text that is read.
const MAX_TEXT_BYTES: usize = 32 * 1024;

const CHUNK_HEADER_BYTES: usize = 8;
/// Channel, token, sequence number and request number before the body of a message.
const MESSAGE_HEADER_BYTES: usize = CHUNK_HEADER_BYTES + 16;

const POLICY_NONE: &[u8] = b"http://opcfoundation.org/UA/SecurityPolicy#None";
/// Nodes that say how a body is encoded (OPC 10000-6, annex A).
const OPEN_REQUEST: u16 = 446;
const OPEN_RESPONSE: u16 = 449;
const CLOSE_REQUEST: u16 = 452;
const ENDPOINTS_REQUEST: u16 = 428;
const ENDPOINTS_RESPONSE: u16 = 431;
/// How long we let the channel live, in milliseconds.
const LIFETIME_MS: u32 = 10_000;

/// Hello: protocol version 0, buffers of 64 KiB, messages of no more, and the address that is asked.
pub fn hello(url: &str) -> Vec<u8> {
    let limit = u32::try_from(MAX_MESSAGE_BYTES).unwrap_or(u32::MAX);
    let chunks = u32::try_from(MAX_CHUNKS).unwrap_or(u32::MAX);
    let mut body: Vec<u8> = [0, limit, limit, limit, chunks].iter().flat_map(|number| number.to_le_bytes()).collect();
    push_text(&mut body, url.as_bytes());
    framed(*b"HELF", &body)
}

/// Opens a channel without security.
pub fn open_channel() -> Vec<u8> {
    let mut body = 0u32.to_le_bytes().to_vec();
    push_text(&mut body, POLICY_NONE);
    // No certificate, no thumbprint of the other's.
    body.extend([0xFF; 8]);
    body.extend([1, 0, 0, 0, 1, 0, 0, 0]);
    push_request(&mut body, OPEN_REQUEST, 1);
    // Version 0, a new channel, security mode None.
    body.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    // No nonce.
    body.extend([0xFF; 4]);
    body.extend(LIFETIME_MS.to_le_bytes());
    framed(*b"OPNF", &body)
}

/// Asks for the endpoints, all languages and transports.
pub fn get_endpoints(channel: Channel, url: &str) -> Vec<u8> {
    let mut body = channel.head(2);
    push_request(&mut body, ENDPOINTS_REQUEST, 2);
    push_text(&mut body, url.as_bytes());
    body.extend([0; 8]);
    framed(*b"MSGF", &body)
}

/// Closes the channel; the server ends the connection.
pub fn close_channel(channel: Channel) -> Vec<u8> {
    let mut body = channel.head(3);
    push_request(&mut body, CLOSE_REQUEST, 3);
    framed(*b"CLOF", &body)
}

/// The kind of a request and its header: no session, no time, no diagnostics, no name, four seconds to answer.
fn push_request(body: &mut Vec<u8>, kind: u16, handle: u32) {
    body.extend([1, 0]);
    body.extend(kind.to_le_bytes());
    body.extend([0; 10]);
    body.extend(handle.to_le_bytes());
    body.extend([0; 4]);
    body.extend([0xFF; 4]);
    body.extend(4_000u32.to_le_bytes());
    body.extend([0; 3]);
}

fn push_text(body: &mut Vec<u8>, text: &[u8]) {
    let text = get(text, 0..text.len().min(MAX_TEXT_BYTES));
    body.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
    body.extend(text);
}

fn framed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + CHUNK_HEADER_BYTES).unwrap_or(u32::MAX);
    [&kind[..], &length.to_le_bytes(), body].concat()
}

/// A channel that a server opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    id: u32,
    token: u32,
}

impl Channel {
    /// Channel, token, sequence number and request number.
    fn head(self, number: u32) -> Vec<u8> {
        [self.id, self.token, number, number].iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    /// Reads the answer to [`open_channel`].
    ///
    /// # Errors
    /// When the bytes are cut, are no such answer, or the server refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (kind, chunk) = chunk(&mut Reader::new(bytes))?;
        if kind != *b"OPNF" {
            return Err(Malformed::Invalid { what: "OPC UA open", at: 0 });
        }
        let mut reader = Reader::new(chunk);
        let _channel = little32(&mut reader)?;
        for _ in 0..3 {
            skip_text(&mut reader)?;
        }
        reader.take(8, "OPC UA sequence")?;
        response(&mut reader, OPEN_RESPONSE)?;
        let _version = little32(&mut reader)?;
        Ok(Self { id: little32(&mut reader)?, token: little32(&mut reader)? })
    }
}

/// The kind of a chunk and what follows its header, without leaving the input.
fn chunk<'a>(reader: &mut Reader<'a>) -> Result<([u8; 4], &'a [u8]), Malformed> {
    let at = reader.at();
    let kind: [u8; 4] = reader.array("OPC UA message")?;
    if !matches!(&kind, b"ACKF" | b"ERRF" | b"OPNF" | b"MSGF" | b"MSGC" | b"MSGA") {
        return Err(Malformed::Invalid { what: "OPC UA message", at });
    }
    let length = usize::try_from(little32(reader)?).unwrap_or(usize::MAX);
    if !(CHUNK_HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
        return Err(Malformed::Invalid { what: "OPC UA length", at: at + 4 });
    }
    Ok((kind, reader.take(length - CHUNK_HEADER_BYTES, "OPC UA chunk")?))
}

/// Whether a message is there with all its chunks, or can never be.
pub fn complete(seen: &[u8]) -> bool {
    let mut reader = Reader::new(seen);
    for _ in 0..MAX_CHUNKS {
        match chunk(&mut reader) {
            Ok((kind, _)) if kind == *b"MSGC" => {}
            Err(Malformed::Truncated { .. }) => return false,
            _ => return true,
        }
    }
    true
}

/// Whether the server took our hello.
pub fn is_acknowledged(answer: &[u8]) -> bool {
    chunk(&mut Reader::new(answer)).is_ok_and(|(kind, body)| kind == *b"ACKF" && body.len() >= 20)
}

/// The header of a response of this kind, and that it went well (7.33).
fn response(reader: &mut Reader<'_>, kind: u16) -> Result<(), Malformed> {
    let at = reader.at();
    let [encoding, space, low, high] = reader.array("OPC UA type")?;
    if (encoding, space) != (1, 0) || u16::from_le_bytes([low, high]) != kind {
        return Err(Malformed::Invalid { what: "OPC UA type", at });
    }
    reader.take(12, "OPC UA time and handle")?;
    let at = reader.at();
    if little32(reader)? != 0 {
        return Err(Malformed::Invalid { what: "OPC UA result", at });
    }
    let at = reader.at();
    if reader.u8("OPC UA diagnostics")? != 0 {
        return Err(Malformed::Invalid { what: "OPC UA diagnostics", at });
    }
    for _ in 0..count(reader)? {
        skip_text(reader)?;
    }
    let at = reader.at();
    if reader.array("OPC UA additional header")? != [0, 0, 0] {
        return Err(Malformed::Invalid { what: "OPC UA additional header", at });
    }
    Ok(())
}

fn little32(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    reader.array("OPC UA number").map(u32::from_le_bytes)
}

/// How many parts a list has; a list that is absent has none.
fn count(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let at = reader.at();
    match little32(reader)? {
        u32::MAX => Ok(0),
        number => match usize::try_from(number) {
            Ok(number) if number <= MAX_ENDPOINTS => Ok(number),
            _ => Err(Malformed::TooMuch { what: "OPC UA list", at, limit: MAX_ENDPOINTS }),
        },
    }
}

/// Where a text stands; an absent one has no length.
fn text(reader: &mut Reader<'_>) -> Result<Range<usize>, Malformed> {
    let at = reader.at();
    let length = match little32(reader)? {
        u32::MAX => 0,
        length => usize::try_from(length).unwrap_or(usize::MAX),
    };
    if length > MAX_TEXT_BYTES {
        return Err(Malformed::TooMuch { what: "OPC UA text", at, limit: MAX_TEXT_BYTES });
    }
    let start = reader.at();
    reader.take(length, "OPC UA text")?;
    Ok(start..start + length)
}

fn skip_text(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    text(reader).map(drop)
}

/// A text with its language (OPC 10000-6, 5.2.2.14).
fn localised(reader: &mut Reader<'_>) -> Result<Range<usize>, Malformed> {
    let at = reader.at();
    let parts = reader.u8("OPC UA text")?;
    if parts & !3 != 0 {
        return Err(Malformed::Invalid { what: "OPC UA text", at });
    }
    if parts & 1 != 0 {
        skip_text(reader)?;
    }
    if parts & 2 != 0 { text(reader) } else { Ok(at..at) }
}

/// A server, as its first endpoint describes it. Places are in the answer without the headers of its chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Server {
    application_uri: Range<usize>,
    product_uri: Range<usize>,
    application_name: Range<usize>,
    policies: Vec<(u32, Range<usize>)>,
    tokens: Vec<u32>,
}

/// The body of an answer: its chunks put together, and where each began in the input.
struct Body {
    bytes: Vec<u8>,
    /// Place in the body, place in the input.
    starts: Vec<(usize, usize)>,
}

impl Body {
    fn gather(input: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(input);
        let mut body = Self { bytes: Vec::new(), starts: Vec::new() };
        for _ in 0..MAX_CHUNKS {
            let at = reader.at();
            let (kind, chunk) = chunk(&mut reader)?;
            if !matches!(&kind, b"MSGF" | b"MSGC") {
                return Err(Malformed::Invalid { what: "OPC UA message", at });
            }
            let data = chunk.get(16..).ok_or(Malformed::Invalid { what: "OPC UA chunk", at })?;
            body.starts.push((body.bytes.len(), at + MESSAGE_HEADER_BYTES));
            body.bytes.extend_from_slice(data);
            if kind == *b"MSGF" {
                return Ok(body);
            }
        }
        Err(Malformed::TooMuch { what: "OPC UA chunks", at: reader.at(), limit: MAX_CHUNKS })
    }

    /// Where a part of the body begins and ends in the input.
    fn place(&self, span: &Range<usize>) -> Range<usize> {
        let find = |at: usize| {
            let start = self.starts.iter().rev().find(|(start, _)| *start <= at);
            start.map_or(0, |(start, there)| there + (at - start))
        };
        // The end is behind the last byte, which may be the last of a chunk.
        let end = if span.is_empty() { find(span.start) } else { find(span.end - 1) + 1 };
        find(span.start)..end
    }
}

fn read_server(body: &[u8]) -> Result<Server, Malformed> {
    let mut reader = Reader::new(body);
    response(&mut reader, ENDPOINTS_RESPONSE)?;
    let mut server = Server::default();
    for number in 0..count(&mut reader)? {
        let _url = text(&mut reader)?;
        let application = [text(&mut reader)?, text(&mut reader)?, localised(&mut reader)?];
        if number == 0 {
            [server.application_uri, server.product_uri, server.application_name] = application;
        }
        read_endpoint(&mut reader, &mut server)?;
    }
    Ok(server)
}

/// The rest of an endpoint, behind the name of its application.
fn read_endpoint(reader: &mut Reader<'_>, server: &mut Server) -> Result<(), Malformed> {
    let _application_type = little32(reader)?;
    skip_text(reader)?;
    skip_text(reader)?;
    for _ in 0..count(reader)? {
        skip_text(reader)?;
    }
    let _certificate = text(reader)?;
    let mode = little32(reader)?;
    server.policies.push((mode, text(reader)?));
    for _ in 0..count(reader)? {
        skip_text(reader)?;
        let kind = little32(reader)?;
        if !server.tokens.contains(&kind) {
            server.tokens.push(kind);
        }
        for _ in 0..3 {
            skip_text(reader)?;
        }
    }
    skip_text(reader)?;
    let _level = reader.u8("OPC UA security level")?;
    Ok(())
}

/// Whether the first chunk is that of an answer to GetEndpoints.
pub(super) fn is_answer(input: &[u8]) -> bool {
    let kind = get(input, MESSAGE_HEADER_BYTES..MESSAGE_HEADER_BYTES + 4);
    let [low, high] = ENDPOINTS_RESPONSE.to_le_bytes();
    (input.starts_with(b"MSGF") || input.starts_with(b"MSGC")) && kind == [1, 0, low, high]
}

/// Names of security modes and of kinds of user tokens, from 0.
const MODES: [&str; 4] = ["invalid", "none", "sign", "sign-and-encrypt"];
const TOKENS: [&str; 4] = ["anonymous", "user-name", "certificate", "issued"];

/// `opcua.application-uri`, `.product-uri`, `.application-name`, `.security` (as `none:None,sign:Basic256Sha256`),
/// `.tokens` (as `anonymous,user-name`).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let read = Body::gather(input).and_then(|body| Ok((read_server(&body.bytes)?, body)));
    let (server, body) = match read {
        Ok(read) => read,
        Err(error) => return list.malformed(&error),
    };
    let mut part = |name: &'static str, span: &Range<usize>| {
        list.value(name, get(&body.bytes, span.clone()).to_vec().into(), body.place(span));
    };
    part("opcua.application-uri", &server.application_uri);
    part("opcua.product-uri", &server.product_uri);
    part("opcua.application-name", &server.application_name);
    let mut offers: Vec<String> = Vec::new();
    for (mode, policy) in &server.policies {
        let policy = String::from_utf8_lossy(get(&body.bytes, policy.clone())).into_owned();
        let policy = policy.rsplit('#').next().unwrap_or_default();
        let offer = format!("{}:{policy}", named(&MODES, *mode));
        if !offers.contains(&offer) {
            offers.push(offer);
        }
    }
    let whole = 0..input.len();
    list.value("opcua.security", offers.join(",").into_bytes().into(), whole.clone());
    let tokens: Vec<&str> = server.tokens.iter().map(|token| named(&TOKENS, *token)).collect();
    list.value("opcua.tokens", tokens.join(",").into_bytes().into(), whole);
}

fn named<'n>(names: &[&'n str], number: u32) -> &'n str {
    usize::try_from(number).ok().and_then(|number| names.get(number)).copied().unwrap_or("other")
}

/// Channel, token and numbers of each chunk, and the time and handle of the answer.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut reader = Reader::new(input);
    for _ in 0..MAX_CHUNKS {
        let at = reader.at();
        let Ok((kind, _)) = chunk(&mut reader) else { break };
        ranges.push(at + CHUNK_HEADER_BYTES..at + MESSAGE_HEADER_BYTES);
        if kind != *b"MSGC" {
            break;
        }
    }
    let time = MESSAGE_HEADER_BYTES + 4..MESSAGE_HEADER_BYTES + 16;
    ranges.into_iter().chain([time]).filter(|range| range.end <= input.len()).collect()
}
