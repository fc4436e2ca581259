//! Android Debug Bridge: the connection message by which both ends say what they are (port 5555).
//!
//! Follows `protocol.txt` of AOSP's adb. A device that wants a key asks for a signature and is given none; one that
//! wants TLS says so; one that lets anybody in says its model. No stream is opened, no command run.

use std::ops::Range;

use memchr::memmem;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

const HEADER_BYTES: usize = 24;
/// The longest banner that is read: what the first version allowed.
const MAX_DATA_BYTES: usize = 4096;

/// CNXN of version 1.0 with 4,096 bytes at most, check and magic, and who we are: a host.
pub const CONNECT: &[u8; 31] = b"CNXN\0\0\0\x01\0\x10\0\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0";

/// How a device lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, at once.
    Open,
    /// Who signs what it sent with a key that it knows.
    Key,
    /// Who shows a certificate that it knows.
    Tls,
}

/// The beginnings of what a device answers, with the first argument that it has there.
const ANSWERS: &[(&[u8], Access)] = &[
    (b"CNXN\0\0\0\x01", Access::Open),
    (b"CNXN\x01\0\0\x01", Access::Open),
    (b"AUTH\x01\0\0\0", Access::Key),
    (b"STLS\0\0\0\x01", Access::Tls),
];

/// Whether a message is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(parse(seen), Err(Malformed::Truncated { .. }))
}

/// How it lets in, and where its data stand.
///
/// # Errors
/// When the bytes are cut, or are no such message.
pub fn parse(bytes: &[u8]) -> Result<(Access, Range<usize>), Malformed> {
    let mut reader = Reader::new(bytes);
    let head = reader.take(8, "ADB message")?;
    let access = ANSWERS.iter().find(|(start, _)| *start == head).map(|(_, access)| *access);
    let access = access.ok_or(Malformed::Invalid { what: "ADB message", at: 0 })?;
    reader.take(4, "ADB argument")?;
    let length = usize::try_from(u32::from_le_bytes(reader.array("ADB length")?)).unwrap_or(usize::MAX);
    if length > MAX_DATA_BYTES {
        return Err(Malformed::TooMuch { what: "ADB length", at: 12, limit: MAX_DATA_BYTES });
    }
    reader.take(4, "ADB check")?;
    let magic: [u8; 4] = reader.array("ADB magic")?;
    if magic.iter().zip(head).any(|(one, other)| *one != !*other) {
        return Err(Malformed::Invalid { what: "ADB magic", at: 20 });
    }
    reader.take(length, "ADB data")?;
    Ok((access, HEADER_BYTES..HEADER_BYTES + length))
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// Properties that a device tells of itself, and their fields.
const PROPERTIES: &[(&[u8], &str)] =
    &[(b"ro.product.name=", "adb.product"), (b"ro.product.model=", "adb.model"), (b"ro.product.device=", "adb.device")];

/// `adb.access` (`open`, `key`, `tls`), and of an open device `adb.product`, `.model`, `.device`.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok((access, data)) = parse(input) else { return };
    let name: &[u8] = match access {
        Access::Open => b"open",
        Access::Key => b"key",
        Access::Tls => b"tls",
    };
    list.value("adb.access", name.into(), 0..4);
    if access != Access::Open {
        return;
    }
    for (key, field) in PROPERTIES {
        let Some(at) = memmem::find(get(input, data.clone()), key) else { continue };
        let start = data.start + at + key.len();
        let rest = get(input, start..data.end);
        let length = rest.iter().position(|byte| matches!(byte, b';' | 0)).unwrap_or(rest.len());
        list.span(field, start..start + length);
    }
}

/// What a device made up to be signed, and its check.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    match parse(input) {
        Ok((Access::Key, data)) => vec![16..20, data],
        _ => Vec::new(),
    }
}
