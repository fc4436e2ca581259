//! Answers to small read-only requests that need no codec of their own: memcached, PostgreSQL, LDAP, SMB, AMQP.
//!
//! The requests stand here beside the reading of their answers. None logs in, none writes.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::field::Field;
use crate::fields::Fields;
use crate::greeting;
use crate::text::{first_line, get, trim};

/// Asks memcached for its version (memcached protocol.txt).
pub const MEMCACHED_VERSION: &[u8] = b"version\r\n";

/// A PostgreSQL start-up packet of protocol 0.0 without user: the server refuses it with an error that names its source
/// file and line (PostgreSQL manual, "Message Formats").
pub const POSTGRESQL_STARTUP: &[u8] = b"\0\0\0\x08\0\0\0\0";

/// Asks a PostgreSQL server whether it speaks TLS: it answers `S` or `N`.
pub const POSTGRESQL_TLS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";

/// The AMQP 0-9-1 protocol header: the server answers with its properties.
pub const AMQP_HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// Anonymous search of the LDAP root entry (RFC 4512 section 5.1), all attributes, size limit 1.
pub const LDAP_ROOT: &[u8] =
    b"\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x01\x02\x01\x05\x01\x01\x00\
\x87\x0bobjectClass\x30\x00";

/// The most fields of a PostgreSQL error that are read.
const MAX_ERROR_FIELDS: usize = 32;

/// The most properties of an AMQP server that are read.
const MAX_PROPERTIES: usize = 64;

/// The parts of an answer: `reply`, and what the recognised protocol adds.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    list.span("reply", 0..input.len());
    greeting::push_protocol(&mut list, input);
    list.finish()
}

/// Adds what the protocols of this module say.
pub(crate) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8], protocol: &str) {
    match protocol {
        "memcached" => push_memcached(list, input),
        "postgresql" => push_postgresql(list, input),
        "ldap" => list.span("ldap.reply", 0..input.len()),
        "smb" => push_smb(list, input),
        "amqp" => push_amqp(list, input),
        _ => {}
    }
}

fn push_memcached<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    if input.starts_with(b"VERSION ") {
        list.span("memcached.version", trim(input, 8..first_line(input).end));
    }
}

/// Whether bytes are an error or an authentication request of a PostgreSQL server.
pub(crate) fn is_postgresql(input: &[u8]) -> bool {
    match input {
        [b'E', 0, 0, _, _, b'S', severity @ ..] => severity.starts_with(b"FATAL\0") || severity.starts_with(b"ERROR\0"),
        [b'R', 0, 0, 0, 8..=64, 0, 0, 0, 0..=12, ..] => true,
        _ => false,
    }
}

/// The fields of an error: a letter and a text each, closed by a zero byte.
fn push_postgresql<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("postgresql.reply", 0..input.len());
    if input.first() != Some(&b'E') {
        return;
    }
    let mut at = 5;
    for _ in 0..MAX_ERROR_FIELDS {
        let Some((letter, rest)) = get(input, at..input.len()).split_first() else { return };
        let Some(length) = memchr(0, rest) else { return };
        let text = at + 1..at + 1 + length;
        at = text.end + 1;
        match letter {
            b'C' => list.span("postgresql.code", text),
            b'M' => list.span("postgresql.message", text),
            b'F' => list.span("postgresql.file", text),
            b'L' => list.span("postgresql.line", text),
            b'R' => list.span("postgresql.routine", text),
            _ => {}
        }
    }
}

/// Whether bytes are an LDAP message with an answer to a bind or a search (RFC 4511 section 4).
pub(crate) fn is_ldap(input: &[u8]) -> bool {
    let after_length = match input {
        [0x30, 0..=0x7f, rest @ ..] => rest,
        [0x30, 0x81, _, rest @ ..] => rest,
        [0x30, 0x82, _, _, rest @ ..] => rest,
        [0x30, 0x83, _, _, _, rest @ ..] => rest,
        [0x30, 0x84, _, _, _, _, rest @ ..] => rest,
        _ => return false,
    };
    matches!(after_length, [2, 1, _, 0x61 | 0x64 | 0x65 | 0x73 | 0x78, ..])
}

/// Whether bytes are an SMB message on TCP, version 1 or later (\[MS-SMB2\] section 2.1).
pub(crate) fn is_smb(input: &[u8]) -> bool {
    matches!(input, [0, _, _, _, 0xfe | 0xff, b'S', b'M', b'B', ..])
}

fn push_smb<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("smb.reply", 0..input.len());
    if let Some(dialect) = smb_dialect(input) {
        list.value("smb.dialect", Cow::Borrowed(dialect.as_bytes()), 72..74);
    }
}

/// The dialect that a NEGOTIATE response chose (\[MS-SMB2\] section 2.2.4).
fn smb_dialect(input: &[u8]) -> Option<&'static str> {
    let header = get(input, 4..68);
    let negotiate = header.first() == Some(&0xfe) && header.get(12..14) == Some(&[0, 0]);
    match get(input, 72..74) {
        _ if !negotiate => None,
        [0x02, 0x02] => Some("2.0.2"),
        [0x10, 0x02] => Some("2.1"),
        [0x00, 0x03] => Some("3.0"),
        [0x02, 0x03] => Some("3.0.2"),
        [0x11, 0x03] => Some("3.1.1"),
        _ => None,
    }
}

/// A version header, or connection.start with the server's properties (AMQP 0-9-1 section 4.2, class 10 method 10).
fn push_amqp<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("amqp.reply", 0..input.len());
    let Some(table) = get(input, 7..input.len()).strip_prefix(&[0, 10, 0, 10, 0, 9]) else {
        return;
    };
    let mut at = input.len() - table.len() + 4;
    for _ in 0..MAX_PROPERTIES {
        let Some((name, text, next)) = property(input, at) else { return };
        at = next;
        match (get(input, name), text) {
            (b"product", Some(text)) => list.span("amqp.product", text),
            (b"version", Some(text)) => list.span("amqp.version", text),
            (b"platform", Some(text)) => list.span("amqp.platform", text),
            _ => {}
        }
    }
}

/// A name, its value where that is a text, and where the next property begins.
fn property(input: &[u8], at: usize) -> Option<(Range<usize>, Option<Range<usize>>, usize)> {
    let name = at + 1..at + 1 + usize::from(*input.get(at)?);
    let start = name.end + 1;
    let long = || {
        let bytes = input.get(start..start + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    match input.get(name.end)? {
        b'S' => {
            let end = (start + 4).checked_add(long()?).filter(|end| *end <= input.len())?;
            Some((name, Some(start + 4..end), end))
        }
        b'F' => Some((name, None, (start + 4).checked_add(long()?)?)),
        b't' | b'b' => Some((name, None, start + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8], name: &str) -> Option<String> {
        fields(bytes).iter().find(|field| field.name == name).map(|field| field.text().into_owned())
    }

    #[test]
    fn answers_give_their_parts() {
        assert_eq!(value(b"VERSION 1.6.18\r\n", "memcached.version").as_deref(), Some("1.6.18"));
        let error = b"E\0\0\0\x50SFATAL\0C0A000\0Munsupported frontend protocol\0Fpostmaster.c\0L2196\0\0";
        assert_eq!(value(error, "postgresql.code").as_deref(), Some("0A000"));
        assert_eq!(value(error, "postgresql.line").as_deref(), Some("2196"));
        assert_eq!(
            value(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0", "ldap.reply").map(|text| text.len()),
            Some(14)
        );
    }

    #[test]
    fn an_amqp_server_names_itself() {
        let mut bytes = b"\x01\0\0\0\0\0\x40\0\x0a\0\x0a\0\x09\0\0\0\x30".to_vec();
        bytes.extend_from_slice(b"\x0ccapabilitiesF\0\0\0\x02\x00\x00\x07productS\0\0\0\x08RabbitMQ");
        bytes.extend_from_slice(b"\x07versionS\0\0\0\x063.10.8");
        let mut list = Fields::new(&bytes);
        push_amqp(&mut list, &bytes);
        let texts: Vec<_> = list.finish().iter().map(|field| field.text().into_owned()).collect();
        assert_eq!(texts.get(1..), Some(&["RabbitMQ".to_owned(), "3.10.8".to_owned()][..]));
    }

    #[test]
    fn the_ldap_request_has_the_lengths_it_claims() {
        assert_eq!(LDAP_ROOT.get(1).copied().map(usize::from), Some(LDAP_ROOT.len() - 2));
        assert_eq!(LDAP_ROOT.get(6).copied().map(usize::from), Some(LDAP_ROOT.len() - 7));
    }
}
