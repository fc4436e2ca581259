//! IEC 60870-5-104: TESTFR, by which either end of a connection asks whether the other lives (port 2404).
//!
//! Follows IEC 60870-5-104, 5.1 (APCI) and 5.3 (U format). Test frames are answered before STARTDT, which is never sent:
//! no data transfer begins, nothing is interrogated. The answer names nobody; it proves what is spoken.

use std::ops::Range;

use crate::Malformed;
use crate::fields::Fields;
use crate::text::get;

/// TESTFR act: start, length, control field.
pub const TEST: &[u8; 6] = b"\x68\x04\x43\0\0\0";

/// TESTFR con.
const CONFIRMED: &[u8; 6] = b"\x68\x04\x83\0\0\0";

/// Whether the answer is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(parse(seen), Err(Malformed::Truncated { .. }))
}

/// Reads the confirmation. A station may ask whether we live before it confirms that it does.
///
/// # Errors
/// When the bytes are cut, or are anything else.
pub fn parse(bytes: &[u8]) -> Result<Range<usize>, Malformed> {
    let at = if bytes.starts_with(TEST) { TEST.len() } else { 0 };
    let span = at..at + CONFIRMED.len();
    match get(bytes, at..bytes.len().min(span.end)) {
        whole if whole == CONFIRMED => Ok(span),
        part if CONFIRMED.starts_with(part) || at == 0 && TEST.starts_with(part) => {
            Err(Malformed::Truncated { what: "IEC 104 confirmation", at: bytes.len() })
        }
        _ => Err(Malformed::Invalid { what: "IEC 104 confirmation", at }),
    }
}

pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `iec104.confirmation`, in hexadecimal.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    if let Ok(span) = parse(input) {
        let text = data_encoding::HEXLOWER.encode(get(input, span.clone()));
        list.value("iec104.confirmation", text.into_bytes().into(), span);
    }
}

/// Nothing.
pub(super) fn volatile(_input: &[u8]) -> Vec<Range<usize>> {
    Vec::new()
}
