//! Redis and what speaks like it (RESP 2, redis.io "Redis serialization protocol"): PING, INFO server, and answers.

use std::ops::Range;

use memchr::memmem;

use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::text::{blank, first_line, get, lines, trim, version_number};

/// PING, then INFO of the section `server`. Both read only; a server that wants a password refuses both.
pub const REQUEST: &[u8] = b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n";

/// How many replies answer [`REQUEST`].
const REPLIES: usize = 2;

/// The most bytes of a bulk string.
pub const MAX_BULK_BYTES: usize = 256 * 1024;

/// Lines of INFO that rules match on, with the names of their fields.
const INFO_FIELDS: &[(&[u8], &str)] = &[
    (b"redis_mode", "redis.mode"),
    (b"os", "redis.os"),
    (b"server_name", "redis.server-name"),
    (b"valkey_version", "redis.valkey-version"),
    (b"dragonfly_version", "redis.dragonfly-version"),
    (b"redis_build_id", "redis.build"),
];

/// Lines of INFO whose value changes at every look or at every start.
const VOLATILE: &[&[u8]] =
    &[b"process_id", b"run_id", b"server_time_usec", b"uptime_in_seconds", b"uptime_in_days", b"lru_clock"];

/// One reply. Ranges refer to the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+PONG`.
    Simple(Range<usize>),
    /// `-NOAUTH Authentication required.`
    Error(Range<usize>),
    /// `:1`.
    Number(Range<usize>),
    /// `$4`, data.
    Bulk(Range<usize>),
}

/// Reads the reply at `at` and gives where the next begins.
///
/// # Errors
/// When the bytes are no reply of these forms, or the reply is not all there.
pub fn parse(input: &[u8], at: usize) -> Result<(Reply, usize), Malformed> {
    let mark = input.get(at).ok_or(Malformed::Truncated { what: "reply", at })?;
    let rest = get(input, at + 1..input.len());
    let length = memmem::find(rest, b"\r\n").ok_or(Malformed::Truncated { what: "reply line", at })?;
    let line = at + 1..at + 1 + length;
    let next = line.end + 2;
    match mark {
        b'+' => Ok((Reply::Simple(line), next)),
        b'-' => Ok((Reply::Error(line), next)),
        b':' => Ok((Reply::Number(line), next)),
        b'$' => bulk(input, line, next),
        _ => Err(Malformed::Invalid { what: "reply", at }),
    }
}

fn bulk(input: &[u8], line: Range<usize>, data: usize) -> Result<(Reply, usize), Malformed> {
    let digits = std::str::from_utf8(get(input, line.clone())).unwrap_or_default();
    if digits == "-1" {
        return Ok((Reply::Bulk(data..data), data));
    }
    let length: usize = digits.parse().map_err(|_| Malformed::Invalid { what: "bulk length", at: line.start })?;
    if length > MAX_BULK_BYTES {
        return Err(Malformed::TooMuch { what: "bulk string", at: line.start, limit: MAX_BULK_BYTES });
    }
    let end = data + length;
    if end + 2 > input.len() {
        return Err(Malformed::Truncated { what: "bulk string", at: input.len() });
    }
    // Without the line's end the length is wrong, and what stands behind it is no reply.
    if get(input, end..end + 2) != b"\r\n" {
        return Err(Malformed::Invalid { what: "end of a bulk string", at: end });
    }
    Ok((Reply::Bulk(data..end), end + 2))
}

/// Whether both answers to [`REQUEST`] are there, or the bytes are no answers at all.
pub fn complete(input: &[u8]) -> bool {
    let mut at = 0;
    for _ in 0..REPLIES {
        match parse(input, at) {
            Ok((_, next)) => at = next,
            Err(Malformed::Truncated { .. }) => return false,
            Err(_) => return true,
        }
    }
    true
}

/// The parts of the answers that rules match on. A server's refusal is a part too.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    list.span("redis.reply", trim(input, first_line(input)));
    let mut at = 0;
    for _ in 0..REPLIES {
        if at >= input.len() {
            break;
        }
        match parse(input, at) {
            Ok((reply, next)) => {
                push_reply(&mut list, input, reply);
                at = next;
            }
            Err(reason) => {
                // INFO that was cut off still names the version.
                push_info(&mut list, input, at..input.len());
                list.malformed(&reason);
                break;
            }
        }
    }
    list.finish()
}

fn push_reply<'a>(list: &mut Fields<'a>, input: &'a [u8], reply: Reply) {
    match reply {
        Reply::Error(range) => list.span("redis.error", range),
        Reply::Bulk(range) => push_info(list, input, range),
        Reply::Simple(_) | Reply::Number(_) => {}
    }
}

fn push_info<'a>(list: &mut Fields<'a>, input: &'a [u8], part: Range<usize>) {
    for (name, value) in info(input, part) {
        let name = get(input, name);
        if name == b"redis_version" {
            let whole = value.clone();
            list.span("redis.version", version_number(input, value).unwrap_or(whole));
        } else if let Some((_, field)) = INFO_FIELDS.iter().find(|(known, _)| *known == name) {
            list.span(field, value);
        }
    }
}

/// The `name:value` lines of INFO that are all there.
fn info(input: &[u8], part: Range<usize>) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let end = part.end;
    lines(input, part).filter_map(move |line| {
        let colon = line.start + memchr::memchr(b':', get(input, line.clone()))?;
        // A last line without its end may be half a value.
        (line.end < end).then(|| (line.start..colon, trim(input, colon + 1..line.end)))
    })
}

/// Blanks process, run and time numbers, in place.
pub fn mask(bytes: &mut [u8]) {
    let volatile = |(name, value): (Range<usize>, Range<usize>)| VOLATILE.contains(&get(bytes, name)).then_some(value);
    let ranges: Vec<_> = info(bytes, 0..bytes.len()).filter_map(volatile).collect();
    ranges.into_iter().for_each(|range| blank(bytes, range));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux 6.1.0 x86_64\r\n\
        process_id:4711\r\nuptime_in_seconds:99\r\n";

    fn answer() -> Vec<u8> {
        format!("+PONG\r\n${}\r\n{INFO}\r\n", INFO.len()).into_bytes()
    }

    #[test]
    fn info_names_version_mode_and_system() {
        let bytes = answer();
        let list = fields(&bytes);
        let value = |name: &str| list.iter().find(|field| field.name == name).map(|field| field.text().into_owned());
        assert_eq!(value("redis.reply").as_deref(), Some("+PONG"));
        assert_eq!(value("redis.version").as_deref(), Some("7.0.15"));
        assert_eq!(value("redis.mode").as_deref(), Some("standalone"));
        assert_eq!(value("redis.os").as_deref(), Some("Linux 6.1.0 x86_64"));
        assert!(complete(&bytes));
    }

    #[test]
    fn a_cut_answer_is_incomplete_and_keeps_what_is_whole() {
        let bytes = answer();
        let cut = bytes.get(..60).expect("a part");
        assert!(!complete(cut));
        let names: Vec<_> = fields(cut).iter().map(|field| field.name.to_string()).collect();
        assert_eq!(names, ["redis.reply", "redis.version", "malformed"]);
    }

    #[test]
    fn a_length_that_does_not_meet_the_lines_end_is_malformed() {
        let bytes = b"$5\r\nrun_id::1\r\n";
        assert!(matches!(parse(bytes, 0), Err(Malformed::Invalid { what: "end of a bulk string", at: 9 })));
        let mut masked = bytes.to_vec();
        mask(&mut masked);
        let names = |bytes: &[u8]| fields(bytes).iter().map(|field| field.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&masked), names(bytes));
    }

    #[test]
    fn refusals_are_parts() {
        let list_of =
            |bytes: &'static [u8]| fields(bytes).iter().map(|field| field.text().into_owned()).collect::<Vec<_>>();
        assert_eq!(
            list_of(b"-NOAUTH Authentication required.\r\n"),
            ["-NOAUTH Authentication required.", "NOAUTH Authentication required."]
        );
        assert!(complete(b"HTTP/1.1 400 Bad\r\n"));
    }

    #[test]
    fn changing_numbers_are_blanked() {
        let mut bytes = answer();
        mask(&mut bytes);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("process_id:****\r\n") && text.contains("redis_version:7.0.15"), "{text}");
    }

    proptest! {
        #[test]
        fn bulk_strings_round_trip(data in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut bytes = format!("${}\r\n", data.len()).into_bytes();
            bytes.extend_from_slice(&data);
            bytes.extend_from_slice(b"\r\n");
            let (reply, next) = parse(&bytes, 0).expect("a reply");
            prop_assert_eq!(next, bytes.len());
            prop_assert!(matches!(reply, Reply::Bulk(range) if bytes.get(range.clone()) == Some(&data[..])));
        }
    }
}
