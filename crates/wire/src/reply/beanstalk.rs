//! beanstalkd (`doc/protocol.txt` of its sources): the answer to `stats`, counters and version in a list of lines.

use std::ops::Range;

use memchr::memchr;

use crate::fields::Fields;
use crate::text::{get, lines, trim};

/// Asks for the state of the whole server.
pub const STATS: &[u8] = b"stats\r\n";

/// Keys whose value stays from look to look.
const LASTING: &[&[u8]] = &[b"version", b"hostname", b"os", b"platform", b"max-job-size", b"draining"];

/// The longest answer that is waited for.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// Whether bytes are such an answer: `OK`, its length, and the line that begins the list.
pub(crate) fn is_stats(input: &[u8]) -> bool {
    body(input).is_some_and(|body| get(input, body.start..input.len()).starts_with(b"---\n"))
}

/// Where the list stands: the length before it, bounded, tells.
fn body(input: &[u8]) -> Option<Range<usize>> {
    let line = memchr(b'\n', input.get(..32).unwrap_or(input))?;
    let number = input.get(..line)?.strip_prefix(b"OK ")?.strip_suffix(b"\r")?;
    let length: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
    (length <= MAX_BODY_BYTES).then_some(line + 1..line + 1 + length)
}

/// Whether everything announced is there, or it is no such answer.
pub fn complete(seen: &[u8]) -> bool {
    match body(seen) {
        Some(body) => seen.len() >= body.end + 2,
        None => seen.ends_with(b"\n"),
    }
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let version = entries(input).find(|(key, _)| get(input, key.clone()) == b"version");
    let Some((_, value)) = version else { return };
    let bare = get(input, value.clone());
    let quoted = bare.len() > 2 && bare.starts_with(b"\"") && bare.ends_with(b"\"");
    list.span("beanstalkd.version", if quoted { value.start + 1..value.end - 1 } else { value });
}

/// Key and value of every line.
fn entries(input: &[u8]) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let body = body(input).unwrap_or(0..0);
    let pairs = lines(input, body.start..body.end.min(input.len()));
    pairs.filter_map(|line| {
        let colon = line.start + memchr(b':', get(input, line.clone()))?;
        Some((line.start..colon, trim(input, colon + 1..line.end)))
    })
}

pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let passing = entries(input).filter(|(key, _)| !LASTING.contains(&get(input, key.clone())));
    passing.map(|(_, value)| value).collect()
}
