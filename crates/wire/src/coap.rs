//! CoAP: GET `/.well-known/core`, the list of a device's resources.
//!
//! Follows RFC 7252 (messages), RFC 7959 (blocks) and RFC 6690 (link format). A small block is asked for, so that the
//! answer is never much larger than the question.

use std::ops::Range;

use crate::{Field, Malformed, Reader};

/// The longest token (RFC 7252 section 3).
pub const MAX_TOKEN_BYTES: usize = 8;

/// The most options read from one message.
pub const MAX_OPTIONS: usize = 64;

/// The most resource types told of one message.
pub const MAX_RESOURCE_TYPES: usize = 64;

/// The size of block asked for, as an exponent: `2^(4 + 4)`, 256 bytes.
pub const BLOCK_EXPONENT: u8 = 4;

/// The most blocks worth asking for; the block number's encoding here ends at it too.
pub const MAX_BLOCK: u8 = 15;

const VERSION: u8 = 1;
const GET: u8 = 0x01;
const CONTENT_FORMAT: u16 = 12;
const BLOCK2: u16 = 23;
const LINK_FORMAT: u32 = 40;
const PAYLOAD_MARKER: u8 = 0xFF;

/// The request, confirmable; `block` counts from 0 and is at most [`MAX_BLOCK`]. Message id and token come back.
pub fn get_well_known_core(message_id: u16, token: [u8; 4], block: u8) -> Vec<u8> {
    let mut message = vec![VERSION << 6 | 4, GET];
    message.extend(message_id.to_be_bytes());
    message.extend(token);
    // Option headers: difference to the last number in the high half, length in the low half.
    message.push(0xBB);
    message.extend(b".well-known");
    message.push(0x04);
    message.extend(b"core");
    message.push(0xC1);
    message.push(block.min(MAX_BLOCK) << 4 | BLOCK_EXPONENT);
    message
}

/// The empty acknowledgement that a confirmable answer of its own deserves.
pub fn acknowledge(message_id: u16) -> [u8; 4] {
    let [high, low] = message_id.to_be_bytes();
    [VERSION << 6 | 2 << 4, 0, high, low]
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be acknowledged.
    Confirmable,
    /// Not to be acknowledged.
    NonConfirmable,
    /// Acknowledges, and may answer.
    Acknowledgement,
    /// Refuses a message.
    Reset,
}

/// A CoAP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// How it travels.
    pub kind: Kind,
    /// Class and detail, as `0x45` for 2.05.
    pub code: u8,
    /// The id of the message it answers, if it is an acknowledgement.
    pub message_id: u16,
    /// The token of the request.
    pub token: &'a [u8],
    /// Numbers and values.
    pub options: Vec<(u16, &'a [u8])>,
    /// Where the payload stands in the input; empty at the end if there is none.
    pub payload: Range<usize>,
}

impl<'a> Message<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are cut or break the rules of the format.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8("CoAP header")?;
        if first >> 6 != VERSION {
            return Err(Malformed::Invalid { what: "CoAP version", at: 0 });
        }
        let kind = match first >> 4 & 3 {
            0 => Kind::Confirmable,
            1 => Kind::NonConfirmable,
            2 => Kind::Acknowledgement,
            _ => Kind::Reset,
        };
        let token_bytes = usize::from(first & 0x0F);
        if token_bytes > MAX_TOKEN_BYTES {
            return Err(Malformed::TooMuch { what: "CoAP token", at: 0, limit: MAX_TOKEN_BYTES });
        }
        let code = reader.u8("CoAP code")?;
        let message_id = reader.u16("CoAP message id")?;
        let token = reader.take(token_bytes, "CoAP token")?;
        if code == 0 && bytes.len() > 4 {
            return Err(Malformed::Invalid { what: "CoAP empty message", at: 4 });
        }
        let options = parse_options(&mut reader)?;
        Ok(Self { kind, code, message_id, token, options, payload: reader.at()..bytes.len() })
    }

    /// The code as people write it: `2.05`.
    pub fn code_text(&self) -> String {
        format!("{}.{:02}", self.code >> 5, self.code & 0x1F)
    }

    /// Whether this is a response, not a request or an empty message.
    pub fn is_response(&self) -> bool {
        (2..=5).contains(&(self.code >> 5))
    }

    /// Whether the server has more blocks than this one.
    pub fn more_blocks(&self) -> bool {
        self.number(BLOCK2).is_some_and(|block| block & 8 != 0)
    }

    /// The value of the first option of this number, if it is a number of up to four bytes.
    fn number(&self, option: u16) -> Option<u32> {
        let (_, value) = self.options.iter().find(|(number, _)| *number == option)?;
        (value.len() <= 4).then(|| value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    fn is_link_format(&self) -> bool {
        self.number(CONTENT_FORMAT).is_none_or(|format| format == LINK_FORMAT)
    }
}

fn parse_options<'a>(reader: &mut Reader<'a>) -> Result<Vec<(u16, &'a [u8])>, Malformed> {
    let mut options = Vec::new();
    let mut number: u16 = 0;
    while !reader.is_done() {
        let at = reader.at();
        let first = reader.u8("CoAP option")?;
        if first == PAYLOAD_MARKER {
            // A marker without payload is an error of form (RFC 7252 section 3).
            if reader.is_done() {
                return Err(Malformed::Truncated { what: "CoAP payload", at: reader.at() });
            }
            break;
        }
        if options.len() == MAX_OPTIONS {
            return Err(Malformed::TooMuch { what: "CoAP options", at, limit: MAX_OPTIONS });
        }
        let delta = extended(first >> 4, reader)?;
        let length = extended(first & 0x0F, reader)?;
        number = number.checked_add(delta).ok_or(Malformed::Invalid { what: "CoAP option number", at })?;
        options.push((number, reader.take(usize::from(length), "CoAP option value")?));
    }
    Ok(options)
}

/// Deltas and lengths over 12 stand in one or two further bytes (RFC 7252 section 3.1).
fn extended(half: u8, reader: &mut Reader<'_>) -> Result<u16, Malformed> {
    let at = reader.at();
    match half {
        0..=12 => Ok(u16::from(half)),
        13 => Ok(13 + u16::from(reader.u8("CoAP option extension")?)),
        14 => {
            let value = reader.u16("CoAP option extension")?;
            value.checked_add(269).ok_or(Malformed::Invalid { what: "CoAP option extension", at })
        }
        _ => Err(Malformed::Invalid { what: "CoAP option", at }),
    }
}

/// The values of the `rt` attributes of a link-format document (RFC 6690), each once, in order.
pub fn resource_types(links: &str) -> Vec<&str> {
    let mut types = Vec::new();
    for attribute in split_outside_quotes(links) {
        let Some(value) = attribute.trim().strip_prefix("rt=") else { continue };
        for name in value.trim_matches('"').split_ascii_whitespace() {
            if types.len() < MAX_RESOURCE_TYPES && !types.contains(&name) {
                types.push(name);
            }
        }
    }
    types
}

/// Parts between `,` and `;` that stand outside of quotes and angle brackets.
fn split_outside_quotes(links: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped, mut target) = (false, false, false);
    links.split(move |c: char| {
        let literal = escaped;
        escaped = quoted && c == '\\' && !literal;
        match c {
            _ if literal => {}
            '"' if !target => quoted = !quoted,
            '<' if !quoted => target = true,
            '>' if !quoted => target = false,
            _ => {}
        }
        matches!(c, ',' | ';') && !quoted && !target
    })
}

/// The named parts of stored evidence: `coap.code` as `2.05`, `coap.links` (the payload), `coap.resource-types` (comma
/// separated).
///
/// # Errors
/// When the bytes are no CoAP message.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let message = Message::parse(bytes)?;
    let mut found = vec![Field::computed("coap.code", message.code_text(), 1..2)];
    let payload = bytes.get(message.payload.clone()).unwrap_or_default();
    if payload.is_empty() || message.code >> 5 != 2 || !message.is_link_format() {
        return Ok(found);
    }
    found.push(Field::borrowed("coap.links", bytes, message.payload.clone()));
    let types = resource_types(&String::from_utf8_lossy(payload)).join(",");
    if !types.is_empty() {
        found.push(Field::computed("coap.resource-types", types, message.payload));
    }
    Ok(found)
}

/// Blanks message id and token; the fields stay the same.
pub fn mask(bytes: &mut [u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let end = 4 + message.token.len();
    if let Some(part) = bytes.get_mut(2..end) {
        part.fill(0);
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    const LINKS: &str = r#"</>;title="a, b; rt=c",</s/t>;rt="temperature-c core.s";if=sensor,</l>;rt=light;sz=4"#;

    /// By hand after RFC 7252 figure 7: acknowledgement 2.05, content format 40, last block.
    fn answer() -> Vec<u8> {
        let mut message = b"\x64\x45\x12\x34toke\xC1\x28\xB1\x04\xFF".to_vec();
        message.extend(LINKS.bytes());
        message
    }

    #[test]
    fn request_is_the_documented_bytes() {
        const URI_PATH: u16 = 11;
        let expected = b"\x44\x01\x12\x34toke\xBB.well-known\x04core\xC1\x04";
        assert_eq!(get_well_known_core(0x1234, *b"toke", 0), expected);
        let request = Message::parse(expected).expect("a message");
        let path: Vec<_> = request.options.iter().filter(|(number, _)| *number == URI_PATH).map(|o| o.1).collect();
        assert_eq!(path, [&b".well-known"[..], b"core"]);
        assert_eq!(request.number(BLOCK2), Some(u32::from(BLOCK_EXPONENT)));
    }

    #[test]
    fn links_and_resource_types_are_read() {
        let bytes = answer();
        let values: Vec<_> = fields(&bytes).expect("fields").iter().map(|f| f.text().into_owned()).collect();
        assert_eq!(values, ["2.05", LINKS, "temperature-c,core.s,light"]);
    }

    #[test]
    fn blocks_say_whether_more_follow() {
        let more = b"\x60\x45\0\0\xD1\x0A\x0C\xFFx";
        assert!(Message::parse(more).expect("a message").more_blocks());
        assert!(!Message::parse(&answer()).expect("a message").more_blocks());
    }

    #[test]
    fn mask_blanks_id_and_token() {
        let mut masked = answer();
        mask(&mut masked);
        assert_eq!(masked[2..8], [0; 6]);
        assert_eq!(masked[8..], answer()[8..]);
    }

    #[test]
    fn rules_of_the_format_are_kept() {
        for wrong in [
            &b"\x84\x45\0\0"[..],
            b"\x49\x45\x00\x00123456789",
            b"\x60\x45\0\0\xFF",
            b"\x60\x45\0\0\xF0",
            b"\x60\0\0\0\0",
        ] {
            assert!(Message::parse(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(Message::parse(&acknowledge(9)).expect("a message").kind, Kind::Acknowledgement);
    }
}
