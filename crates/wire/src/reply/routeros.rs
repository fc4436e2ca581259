//! MikroTik's RouterOS API (port 8728; 8729 inside TLS): that it is there.
//!
//! Follows MikroTik's document on the API: a sentence is words, each behind its length, and an empty word ends it. We send
//! `/quit`, which needs no login and ends the connection; the answer is `!fatal`. No user is named.

use crate::fields::Fields;
use crate::text::get;

/// The sentence of the one word `/quit`.
pub const QUIT: &[u8] = b"\x05/quit\0";

/// What every last sentence begins with.
const FATAL: &[u8] = b"\x06!fatal";

/// The longest answer that is read.
const MAX_BYTES: usize = 1024;
/// Lengths below this are one byte.
const SHORT: u8 = 0x80;

pub(crate) fn is_answer(input: &[u8]) -> bool {
    input.starts_with(FATAL) && complete(input)
}

/// Whether the sentence is there, or something that is none.
pub fn complete(seen: &[u8]) -> bool {
    if !seen.is_empty() && !FATAL.starts_with(get(seen, 0..seen.len().min(FATAL.len()))) {
        return true;
    }
    let mut at = 0;
    while let Some(length) = seen.get(at).filter(|_| at < MAX_BYTES) {
        match *length {
            0 => return true,
            SHORT.. => return true,
            length => at += 1 + usize::from(length),
        }
    }
    at >= MAX_BYTES
}

/// `routeros.message`: the reason given.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let start = FATAL.len();
    if let [length @ 1..SHORT, ..] = get(input, start..input.len()) {
        list.span("routeros.message", start + 1..start + 1 + usize::from(*length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As MikroTik's document shows the answer to `/quit`.
    const ANSWER: &[u8] = b"\x06!fatal\x1dsession terminated on request\0";

    #[test]
    fn the_api_says_goodbye() {
        assert_eq!(crate::recognise(ANSWER), Some("routeros-api"));
        let list = crate::reply::fields(ANSWER);
        let told = list.iter().find(|field| field.name == "routeros.message").expect("a reason");
        assert_eq!(told.text(), "session terminated on request");
        assert!((0..ANSWER.len()).all(|end| !complete(get(ANSWER, 0..end))));
        assert!(complete(QUIT) && !is_answer(QUIT));
        assert!(complete(b"HTTP/1.1 400 Bad Request\r\n") && complete(&[FATAL, &[1; 5_000]].concat()));
    }
}
