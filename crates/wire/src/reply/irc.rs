//! IRC (RFC 2812): the welcome, which names the server and its version.
//!
//! A server says nothing of itself before a client has a name, so one is given, unlikely to be anybody's, without a
//! password and on no channel, and taken back at once. A server that wants a password refuses.

use std::ops::Range;

use memchr::memmem;

use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::text::{get, lines};

/// Leaves.
pub const QUIT: &[u8] = b"QUIT\r\n";

/// The longest name every server takes (section 1.2.1).
pub const MAX_NAME_BYTES: usize = 9;

/// The most lines that are looked at.
const MAX_LINES: usize = 128;

/// `RPL_CREATED`: since when the server runs.
const CREATED: &[u8] = b"003";

/// `RPL_MYINFO`: server, version, modes. The last line of the welcome.
const MY_INFO: &[u8] = b"004";

/// Registers under this name.
///
/// # Errors
/// When `name` is empty, longer than [`MAX_NAME_BYTES`] or not made of letters and digits after a letter.
pub fn register(name: &str) -> Result<Vec<u8>, Malformed> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    match begins && plain && name.len() <= MAX_NAME_BYTES {
        true => Ok(format!("NICK {name}\r\nUSER {name} 0 * :Hinomi survey\r\n").into_bytes()),
        false => Err(Malformed::Invalid { what: "IRC name", at: 0 }),
    }
}

/// Whether a line is a server's: its name, a number of three digits, and to whom.
pub(crate) fn is_numeric(line: &[u8]) -> bool {
    numeric(line).is_some()
}

fn numeric(line: &[u8]) -> Option<&[u8]> {
    let mut words = line.strip_prefix(b":")?.splitn(3, |byte| *byte == b' ');
    let (_server, number, rest) = (words.next()?, words.next()?, words.next()?);
    (number.len() == 3 && number.iter().all(u8::is_ascii_digit) && !rest.is_empty()).then_some(number)
}

/// The line after which nothing more is wanted: the end of the welcome, or a refusal.
fn last_line(seen: &[u8]) -> Option<Range<usize>> {
    lines(seen, 0..seen.len()).take(MAX_LINES).find(|line| {
        let line = get(seen, line.clone());
        let refused = |number: &[u8]| matches!(number, [b'4' | b'5', ..]);
        line.starts_with(b"ERROR ") || numeric(line).is_some_and(|number| number == MY_INFO || refused(number))
    })
}

/// Whether the welcome or a refusal is there, with the end of its line.
pub fn complete(seen: &[u8]) -> bool {
    last_line(seen).is_some_and(|line| seen.len() > line.end)
}

/// The answer without what follows the welcome: who else is there is none of our business.
pub fn welcome(seen: &[u8]) -> &[u8] {
    let Some(last) = last_line(seen) else { return seen };
    let end = get(seen, last.end..seen.len()).iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    get(seen, 0..last.end + end)
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let banner = lines(input, 0..input.len()).find(|line| !line.is_empty());
    list.span("irc.banner", banner.unwrap_or(0..input.len()));
    let all = lines(input, 0..input.len()).take(MAX_LINES);
    let info = all.into_iter().find(|line| numeric(get(input, line.clone())) == Some(MY_INFO));
    let Some(info) = info else { return };
    // `:server 004 name server version modes`
    let Some(version) = word(input, info.clone(), 4) else { return };
    if let Some(server) = word(input, info, 3) {
        list.span("irc.server", server);
    }
    list.span("irc.version", version);
}

/// The word of that number, from 0.
fn word(input: &[u8], line: Range<usize>, number: usize) -> Option<Range<usize>> {
    let mut at = line.start;
    let words = get(input, line).split(|byte| *byte == b' ');
    let mut places = words.map(|word| {
        let place = at..at + word.len();
        at = place.end + 1;
        place
    });
    places.nth(number).filter(|place| !place.is_empty())
}

/// What `RPL_CREATED` says: since when the server runs, each in words of its own.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let all = lines(input, 0..input.len()).take(MAX_LINES);
    let created = all.filter(|line| numeric(get(input, line.clone())) == Some(CREATED));
    let text = |line: Range<usize>| {
        let start = line.start + memmem::find(get(input, line.clone()), b" :")? + 2;
        Some(start..line.end)
    };
    created.filter_map(text).collect()
}
