//! SMB on TCP (\[MS-SMB2\]): a NEGOTIATE request, and what a server chooses. No session is set up.
//!
//! The request is well formed for version 3.1.1 and older ones down to 2.0.2. A PostgreSQL server takes its first bytes
//! for a start-up packet of a version it does not have, and says so in an error that names it; see
//! [`super::postgresql`].

use std::borrow::Cow;
use std::ops::Range;

use data_encoding::HEXLOWER;

use crate::fields::Fields;
use crate::text::get;

/// The length before every message (section 2.1).
const PREFIX_BYTES: usize = 4;

/// Where the body of a message begins, and parts of a NEGOTIATE response in it (section 2.2.4).
const BODY: usize = PREFIX_BYTES + 64;
const SECURITY_MODE: usize = BODY + 2;
const DIALECT: usize = BODY + 4;
const CONTEXTS: usize = BODY + 6;
const GUID: Range<usize> = BODY + 8..BODY + 24;
const SYSTEM_TIME: Range<usize> = BODY + 40..BODY + 48;
const START_TIME: Range<usize> = BODY + 48..BODY + 56;
const CONTEXT_OFFSET: usize = BODY + 60;

/// The most negotiate contexts that are looked at.
const MAX_CONTEXTS: usize = 16;

/// The context that carries a salt (section 2.2.4.1.1): type 1, and where the salt begins in its data.
const PREAUTH_INTEGRITY: u16 = 1;
const SALT_AT: usize = 6;

/// The dialects by number.
const DIALECTS: &[([u8; 2], &str)] = &[
    ([0x02, 0x02], "2.0.2"),
    ([0x10, 0x02], "2.1"),
    ([0x00, 0x03], "3.0"),
    ([0x02, 0x03], "3.0.2"),
    ([0x11, 0x03], "3.1.1"),
];

/// A NEGOTIATE request for every dialect, with the hash that 3.1.1 asks for. The client's identifier is zero, the salt
/// our name: nothing here is secret.
pub const NEGOTIATE: &[u8] = b"\0\0\0\x9e\
    \xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \x24\0\x05\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x70\0\0\0\x01\0\0\0\
    \x02\x02\x10\x02\x00\x03\x02\x03\x11\x03\0\0\
    \x01\0\x26\0\0\0\0\0\x01\0\x20\0\x01\0hinomi asks only hinomi asks now";

/// Whether bytes are a message of version 1 or later.
pub(crate) fn is_message(input: &[u8]) -> bool {
    matches!(input, [0, _, _, _, 0xfe | 0xff, b'S', b'M', b'B', ..])
}

/// Whether the whole message is there, or it is none.
pub fn complete(seen: &[u8]) -> bool {
    match seen {
        [0, a, b, c, rest @ ..] => {
            rest.len() >= usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX)
        }
        // A database's error; its own module knows its end.
        [b'E', ..] => super::postgresql::complete(seen),
        _ => seen.len() >= PREFIX_BYTES,
    }
}

/// Whether it is a NEGOTIATE response of version 2 or later.
fn is_negotiate(input: &[u8]) -> bool {
    let header = get(input, PREFIX_BYTES..BODY);
    header.first() == Some(&0xfe) && header.get(12..14) == Some(&[0, 0]) && input.len() >= BODY + 64
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("smb.reply", 0..input.len());
    if !is_negotiate(input) {
        return;
    }
    let dialect = DIALECT..DIALECT + 2;
    if let Some((_, name)) = DIALECTS.iter().find(|(number, _)| get(input, dialect.clone()) == number) {
        list.value("smb.dialect", Cow::Borrowed(name.as_bytes()), dialect);
    }
    let guid = get(input, GUID);
    if guid.iter().any(|byte| *byte != 0) {
        list.value("smb.guid", Cow::Owned(HEXLOWER.encode(guid).into_bytes()), GUID);
    }
    let signing: &[u8] = match input.get(SECURITY_MODE) {
        Some(mode) if mode & 2 != 0 => b"required",
        _ => b"enabled",
    };
    list.value("smb.signing", Cow::Borrowed(signing), SECURITY_MODE..SECURITY_MODE + 2);
}

/// The server's clock, when it started, and its salt.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    if !is_negotiate(input) {
        return Vec::new();
    }
    [SYSTEM_TIME, START_TIME].into_iter().chain(salt(input)).collect()
}

fn salt(input: &[u8]) -> Option<Range<usize>> {
    if get(input, DIALECT..DIALECT + 2) != [0x11, 0x03] {
        return None;
    }
    let count = usize::from(little16(input, CONTEXTS)?);
    let offset = input.get(CONTEXT_OFFSET..CONTEXT_OFFSET + 4)?.try_into().ok()?;
    let mut at = PREFIX_BYTES.checked_add(usize::try_from(u32::from_le_bytes(offset)).ok()?)?;
    for _ in 0..count.min(MAX_CONTEXTS) {
        let (kind, length) = (little16(input, at)?, usize::from(little16(input, at + 2)?));
        let data = at + 8..at + 8 + length;
        if kind == PREAUTH_INTEGRITY && length > SALT_AT {
            return Some(data.start + SALT_AT..data.end.min(input.len()));
        }
        // Each begins at a multiple of eight, counted from the header.
        at = PREFIX_BYTES + (data.end - PREFIX_BYTES).next_multiple_of(8);
    }
    None
}

fn little16(input: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(input.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
