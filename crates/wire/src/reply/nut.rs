//! Network UPS Tools (RFC 9271): the answer of `upsd` to `VER`.

use crate::fields::Fields;
use crate::text::{first_line, version_number};

/// Asks for the version (section 4.2.7).
pub const VERSION: &[u8] = b"VER\n";

/// How the answer begins.
pub(crate) const MARK: &[u8] = b"Network UPS Tools upsd ";

/// Whether the line is there.
pub fn complete(seen: &[u8]) -> bool {
    seen.ends_with(b"\n")
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    if let Some(version) = version_number(input, MARK.len()..first_line(input).end) {
        list.span("nut.version", version);
    }
}
