//! The first packet of a MySQL or MariaDB server: greeting of protocol 10, or an error.
//!
//! Layout as in the MySQL Internals manual, "Protocol::HandshakeV10" and "ERR_Packet".

use std::ops::Range;

use memchr::memchr;

use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::text::get;

/// Length and sequence number before the payload.
const HEADER_BYTES: usize = 4;

/// The longest version text.
const MAX_VERSION_BYTES: usize = 128;

/// A greeting. Ranges refer to the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// As `8.0.36` or `5.5.5-10.11.6-MariaDB-0+deb12u1`.
    pub version: Range<usize>,
    /// The number of this connection.
    pub connection: Range<usize>,
    /// Both parts of the random bytes for authentication; the second is empty in old servers.
    pub salts: [Range<usize>; 2],
    /// Name of the authentication plugin, maybe empty.
    pub plugin: Range<usize>,
}

/// Whether bytes are a first packet of this protocol.
pub(crate) fn is_greeting(input: &[u8]) -> bool {
    match get(input, HEADER_BYTES..input.len()) {
        [0x0a, ..] => parse(input).is_ok(),
        [0xff, ..] => error_text(input).is_some(),
        _ => false,
    }
}

/// Reads a greeting of protocol 10.
///
/// # Errors
/// When the packet is not one, or ends before the first random bytes.
pub fn parse(input: &[u8]) -> Result<Greeting, Malformed> {
    let end = payload_end(input)?;
    if get(input, HEADER_BYTES..end).first() != Some(&0x0a) {
        return Err(Malformed::Invalid { what: "protocol version", at: HEADER_BYTES });
    }
    let start = HEADER_BYTES + 1;
    let text = get(input, start..end.min(start + MAX_VERSION_BYTES));
    let length = memchr(0, text).ok_or(Malformed::Truncated { what: "server version", at: start })?;
    let version = start..start + length;
    if length == 0 || !get(input, version.clone()).iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return Err(Malformed::Invalid { what: "server version", at: start });
    }
    let connection = version.end + 1..version.end + 5;
    let first = connection.end..connection.end + 8;
    if first.end > end {
        return Err(Malformed::Truncated { what: "random bytes", at: end });
    }
    let (second, plugin) = later_parts(input, first.end, end);
    Ok(Greeting { version, connection, salts: [first, second], plugin })
}

/// The second random bytes and the plugin, which old servers leave out.
fn later_parts(input: &[u8], after_first: usize, end: usize) -> (Range<usize>, Range<usize>) {
    // A filler byte, capabilities, character set, status, capabilities: then the length of both salts together.
    let length_at = after_first + 8;
    let start = length_at + 1 + 10;
    let Some(both) = input.get(length_at).filter(|_| start < end) else {
        return (end..end, end..end);
    };
    let second = usize::from(*both).saturating_sub(8).max(13);
    let second_end = end.min(start + second);
    let rest = get(input, second_end..end);
    let name = memchr(0, rest).unwrap_or(rest.len());
    (start..second_end, second_end..second_end + name)
}

/// The end of the first packet, as far as it is there.
fn payload_end(input: &[u8]) -> Result<usize, Malformed> {
    let [a, b, c, sequence, ..] = input else {
        return Err(Malformed::Truncated { what: "packet header", at: input.len() });
    };
    let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
    if *sequence != 0 || length < 4 {
        return Err(Malformed::Invalid { what: "packet header", at: 0 });
    }
    Ok(input.len().min(HEADER_BYTES + length))
}

/// The text of an error packet: `Host '…' is not allowed to connect`, `Too many connections`.
fn error_text(input: &[u8]) -> Option<Range<usize>> {
    let end = payload_end(input).ok()?;
    let [0xff, _, _, rest @ ..] = get(input, HEADER_BYTES..end) else {
        return None;
    };
    // Since version 4.1 a mark and five characters of SQL state may follow the code.
    let state = if rest.first() == Some(&b'#') { 6 } else { 0 };
    let start = HEADER_BYTES + 3 + state;
    let text = get(input, start..end);
    let readable = text.len() >= 4 && text.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    readable.then_some(start..end)
}

/// Adds `mysql.version` and `mysql.plugin`, or `mysql.error`.
pub(crate) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    if let Ok(greeting) = parse(input) {
        list.span("mysql.version", greeting.version);
        list.span("mysql.plugin", greeting.plugin);
    } else if let Some(text) = error_text(input) {
        list.span("mysql.error", text);
    }
}

/// Blanks the connection number and the random bytes.
pub fn mask(bytes: &mut [u8]) {
    let Ok(greeting) = parse(bytes) else { return };
    let [first, second] = greeting.salts;
    for range in [greeting.connection, first, second] {
        bytes.get_mut(range).unwrap_or_default().fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Vec<u8> {
        let mut payload = b"\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0".to_vec();
        payload.extend_from_slice(&[7, 0, 0, 0]);
        payload.extend_from_slice(b"saltsalt\0\xfe\xf7\x21\x02\x00\xff\x81\x15");
        payload.extend_from_slice(&[0; 10]);
        payload.extend_from_slice(b"moresaltmore\0mysql_native_password\0");
        let length = u8::try_from(payload.len()).expect("a small packet");
        [vec![length, 0, 0, 0], payload].concat()
    }

    #[test]
    fn a_greeting_gives_version_and_plugin() {
        let bytes = greeting();
        let parsed = parse(&bytes).expect("a greeting");
        assert_eq!(get(&bytes, parsed.version), b"5.5.5-10.11.6-MariaDB-0+deb12u1");
        assert_eq!(get(&bytes, parsed.plugin), b"mysql_native_password");
        assert_eq!(get(&bytes, parsed.salts.last().expect("two").clone()), b"moresaltmore\0");
    }

    #[test]
    fn masked_greetings_of_two_connections_are_equal() {
        let (mut one, mut two) = (greeting(), greeting());
        let [salt, _] = parse(&two).expect("a greeting").salts;
        two.get_mut(salt).expect("random bytes").fill(b'x');
        mask(&mut one);
        mask(&mut two);
        assert_eq!(one, two);
        assert!(is_greeting(&one));
    }

    #[test]
    fn errors_and_other_bytes() {
        let text = b"Host '10.0.0.1' is not allowed to connect to this MariaDB server";
        let length = u8::try_from(text.len() + 3).expect("small");
        let packet = [&[length, 0, 0, 0, 0xff, 0x6a, 0x04], &text[..]].concat();
        assert_eq!(error_text(&packet).map(|range| get(&packet, range).to_vec()), Some(text.to_vec()));
        assert!(is_greeting(&packet));
        assert!(!is_greeting(b"\x0a\0\0\0\x0a"));
        assert!(!is_greeting(b""));
    }
}
