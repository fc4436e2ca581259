//! SSH's binary packets before encryption (RFC 4253, section 6) and its data types (RFC 4251, section 5).

use std::io;

use super::super::conversation::Conversation;

/// Longest packet accepted; the specification asks for at least this.
const PACKET_MAX_BYTES: usize = 35_000;
const BLOCK_BYTES: usize = 8;
const PADDING_MIN_BYTES: usize = 4;

/// Reads one packet's payload.
pub(super) async fn read_packet(client: &mut Conversation) -> io::Result<Vec<u8>> {
    let refuse = || io::Error::from(io::ErrorKind::InvalidData);
    let head = client.exactly(5).await?;
    let [a, b, c, d, padding] = head.as_slice() else { return Err(refuse()) };
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    let payload = length.checked_sub(usize::from(*padding) + 1).ok_or_else(refuse)?;
    if length > PACKET_MAX_BYTES {
        return Err(refuse());
    }
    let mut rest = client.exactly(length - 1).await?;
    rest.truncate(payload);
    Ok(rest)
}

/// Sends a payload as one packet. Padding is zero: nothing is secret yet.
pub(super) async fn write_packet(client: &mut Conversation, payload: &[u8]) -> io::Result<()> {
    let unpadded = payload.len() + 5;
    let mut padding = BLOCK_BYTES - unpadded % BLOCK_BYTES;
    if padding < PADDING_MIN_BYTES {
        padding += BLOCK_BYTES;
    }
    let length = (1 + payload.len() + padding) as u32;
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(padding as u8);
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    client.write(&packet).await
}

/// `string`
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// `mpint` of an unsigned big-endian number.
pub(super) fn put_mpint(out: &mut Vec<u8>, number: &[u8]) {
    let significant: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    match significant.first() {
        Some(first) if *first >= 0x80 => put_string(out, &[&[0], significant.as_slice()].concat()),
        _ => put_string(out, &significant),
    }
}

/// Splits a `string` from the front.
pub(super) fn take_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_specification_shows() {
        let written = |number: &[u8]| {
            let mut out = Vec::new();
            put_mpint(&mut out, number);
            out
        };
        assert_eq!(written(&[0]), [0, 0, 0, 0]);
        assert_eq!(written(&[0, 0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(written(&[9, 0xa3]), [0, 0, 0, 2, 9, 0xa3]);
    }

    #[test]
    fn strings_split_or_refuse() {
        assert_eq!(take_string(&[0, 0, 0, 1, 7, 8]), Some((&[7][..], &[8][..])));
        assert_eq!(take_string(&[0, 0, 0, 9, 7]), None);
        assert_eq!(take_string(&[0xff, 0xff, 0xff, 0xff]), None);
    }
}
