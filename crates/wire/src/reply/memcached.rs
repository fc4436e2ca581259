//! memcached's text protocol (`protocol.txt` of its sources).

use crate::fields::Fields;
use crate::text::{first_line, trim};

/// Asks for the version.
pub const VERSION: &[u8] = b"version\r\n";

/// Whether the line is there.
pub fn complete(seen: &[u8]) -> bool {
    seen.ends_with(b"\n")
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    if input.starts_with(b"VERSION ") {
        list.span("memcached.version", trim(input, 8..first_line(input).end));
    }
}
