//! PostgreSQL before a login (manual, "Message Formats" and "Error and Notice Message Fields").

use std::ops::Range;

use memchr::memchr;

use crate::fields::Fields;
use crate::text::get;

/// A start-up packet of protocol 0.0 without user: the server refuses it with an error that names its source file and
/// line.
pub const STARTUP: &[u8] = b"\0\0\0\x08\0\0\0\0";

/// Asks whether the server speaks TLS: it answers `S` or `N`, and waits for what follows.
pub const TLS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";

/// The most fields of an error that are read.
const MAX_FIELDS: usize = 32;

/// Kind and length before a message's content.
const HEAD_BYTES: usize = 5;

/// Whether bytes are an error or an authentication request of a server, maybe behind its answer to [`TLS`].
pub(crate) fn is_reply(input: &[u8]) -> bool {
    match get(input, message(input)) {
        [b'E', 0, 0, _, _, b'S', severity @ ..] => severity.starts_with(b"FATAL\0") || severity.starts_with(b"ERROR\0"),
        [b'R', 0, 0, 0, 8..=64, 0, 0, 0, 0..=12, ..] => true,
        _ => false,
    }
}

/// The message without the answer `N` that may stand before it.
fn message(input: &[u8]) -> Range<usize> {
    let refused = matches!(input, [b'N', b'E' | b'R', ..]);
    usize::from(refused)..input.len()
}

/// Whether the message is there.
pub fn complete(seen: &[u8]) -> bool {
    let message = get(seen, message(seen));
    let Some(length) = message.get(1..HEAD_BYTES).and_then(|bytes| bytes.try_into().ok()) else { return false };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    message.len() > length
}

/// The fields of an error: a letter and a text each, closed by a zero byte.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("postgresql.reply", 0..input.len());
    let message = message(input);
    if get(input, message.clone()).first() != Some(&b'E') {
        return;
    }
    let mut at = message.start + HEAD_BYTES;
    for _ in 0..MAX_FIELDS {
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
