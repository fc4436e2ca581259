//! The binary packet protocol before encryption (RFC 4253 section 6).

use crate::{Malformed, Reader};

/// The longest packet that is read. The standard asks for 35,000 bytes; OpenSSH sends up to 256 KiB, but not this
/// early.
pub const MAX_PACKET_BYTES: usize = 35_000;

const BLOCK_BYTES: usize = 8;
const MIN_PADDING_BYTES: usize = 4;

const DISCONNECT: u8 = 1;
/// SSH_DISCONNECT_BY_APPLICATION.
const BY_APPLICATION: u32 = 11;

/// One packet of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The message, its first byte the number.
    pub payload: &'a [u8],
    /// How many bytes of the stream the packet took.
    pub consumed: usize,
}

/// The first packet of `stream`; `None` while it has not all come.
///
/// # Errors
/// When the lengths make no packet. What looks so is often an error text of a server that wants no client.
pub fn next_packet(stream: &[u8]) -> Result<Option<Packet<'_>>, Malformed> {
    let mut reader = Reader::new(stream);
    let Ok(length) = reader.u32("SSH packet length") else { return Ok(None) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_PACKET_BYTES {
        return Err(Malformed::TooMuch { what: "SSH packet", at: 0, limit: MAX_PACKET_BYTES });
    }
    // The shortest packet has a payload of one byte.
    if length < 2 + MIN_PADDING_BYTES {
        return Err(Malformed::Invalid { what: "SSH packet length", at: 0 });
    }
    let Ok(body) = reader.take(length, "SSH packet") else { return Ok(None) };
    let payload = body.split_first().and_then(|(padding, rest)| {
        let end = rest.len().checked_sub(usize::from(*padding))?;
        rest.get(..end).filter(|payload| !payload.is_empty())
    });
    let payload = payload.ok_or(Malformed::Invalid { what: "SSH padding length", at: 4 })?;
    Ok(Some(Packet { payload, consumed: reader.at() }))
}

/// A payload as a packet, padded with zeros: before encryption nothing is hidden anyway.
pub(super) fn encode(payload: &[u8]) -> Vec<u8> {
    let unpadded = 5 + payload.len();
    let padding = MIN_PADDING_BYTES + (BLOCK_BYTES - (unpadded + MIN_PADDING_BYTES) % BLOCK_BYTES) % BLOCK_BYTES;
    let length = u32::try_from(1 + payload.len() + padding).unwrap_or(0);
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap_or(0));
    packet.extend(payload);
    packet.extend(vec![0; padding]);
    packet
}

/// The `string` of RFC 4251 section 5: bytes behind their length.
pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
    encoded.extend(bytes);
    encoded
}

/// Reads a `string`.
pub(super) fn read_string<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], Malformed> {
    let at = reader.at();
    let length = usize::try_from(reader.u32(what)?).unwrap_or(usize::MAX);
    if length > MAX_PACKET_BYTES {
        return Err(Malformed::TooMuch { what, at, limit: MAX_PACKET_BYTES });
    }
    reader.take(length, what)
}

/// Says goodbye, so that the server logs an end and no failure.
pub fn disconnect_packet() -> Vec<u8> {
    let mut payload = vec![DISCONNECT];
    payload.extend(BY_APPLICATION.to_be_bytes());
    payload.extend(string(b"survey done"));
    payload.extend(string(b""));
    encode(&payload)
}
