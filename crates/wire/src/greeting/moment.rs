//! Blanking times in greetings, where they follow a known form.
//!
//! A time of day `HH:MM:SS` that is not part of a longer run of colons (an Ethernet address is none), with the words of
//! a date around it (RFC 5322, ctime, ISO 8601); POP3's `<process.clock@host>` (RFC 1939 section 7); and the counters
//! of greetings that Pure-FTPd writes.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::recognise::recognise;
use crate::telnet::{MAX_PARAMETERS, is_parameter};
use crate::text::{blank, find_ignore_case, get};
use crate::{mysql, text};

/// How many words before a time may belong to its date, and after it.
const WORDS_BEFORE: usize = 5;
const WORDS_AFTER: usize = 3;

/// Names in dates and of zones; nothing else is ever blanked, least of all a word that names a protocol.
const DATE_NAMES: &[&str] = &[
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
    "Oct", "Nov", "Dec", "UTC", "GMT", "JST", "KST", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "CET",
    "CEST", "BST", "MSK",
];

/// Phrases before numbers that change.
const COUNTERS: &[&[u8]] = &[b"local time is now ", b"you are user number "];

/// Blanks what changes at every look in a greeting, in place.
pub fn mask(bytes: &mut [u8]) {
    let protocol = recognise(bytes);
    if protocol == Some("mysql") {
        mysql::mask(bytes);
        return;
    }
    for range in times(bytes).into_iter().chain(counters(bytes)) {
        blank(bytes, range);
    }
    if protocol == Some("pop3")
        && let Some(range) = clock_mark(bytes)
    {
        blank(bytes, range);
    }
}

fn times(input: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for colon in memchr_iter(b':', input) {
        let Some(start) = colon.checked_sub(2) else { continue };
        if is_time(get(input, start..start + 8)) && is_alone(input, start) {
            found.extend(with_date(input, start..start + 8));
        }
    }
    found
}

fn is_time(text: &[u8]) -> bool {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = text else {
        return false;
    };
    let below = |tens: &u8, ones: &u8, limit: u8| {
        tens.is_ascii_digit() && ones.is_ascii_digit() && (tens - b'0') * 10 + (ones - b'0') < limit
    };
    below(h1, h2, 24) && below(m1, m2, 60) && below(s1, s2, 61)
}

/// Nothing before or after makes the time part of something longer, `T` of an ISO date excepted.
fn is_alone(input: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| input.get(at));
    let after = input.get(start + 8);
    !steers(input, start)
        && !before.is_some_and(|byte| goes_on(*byte) && *byte != b'T')
        && !after.is_some_and(|byte| goes_on(*byte) && *byte != b'Z')
}

/// Whether it stands among the parameters of a sequence that steers a terminal: what is taken for text would change.
fn steers(input: &[u8], start: usize) -> bool {
    let before = get(input, start.saturating_sub(MAX_PARAMETERS + 2)..start);
    let parameters = before.iter().rev().take_while(|byte| is_parameter(**byte)).count();
    before.get(..before.len() - parameters).is_some_and(|rest| rest.ends_with(b"\x1b["))
}

const fn goes_on(byte: u8) -> bool {
    byte == b':' || byte.is_ascii_alphanumeric()
}

/// The time, and each word of its date.
fn with_date(input: &[u8], time: Range<usize>) -> Vec<Range<usize>> {
    let mut ranges = Vec::with_capacity(8);
    let mut at = iso_date_before(input, time.start).unwrap_or(time.start);
    ranges.push(at..time.end);
    for _ in 0..WORDS_BEFORE {
        let Some(word) = word_before(input, at).filter(|word| is_date_word(get(input, word.clone()))) else { break };
        at = word.start;
        ranges.push(word);
    }
    let mut at = time.end;
    for _ in 0..WORDS_AFTER {
        let Some(word) = word_after(input, at).filter(|word| is_date_word(get(input, word.clone()))) else { break };
        at = word.end;
        ranges.push(word);
    }
    ranges
}

/// Where the date of an ISO time begins. One that is part of something longer is none: what stands before it would be
/// alone, and look like a time itself, once it is blanked.
fn iso_date_before(input: &[u8], time: usize) -> Option<usize> {
    let start = time.checked_sub(11)?;
    let (date, letter) = get(input, start..time).split_at_checked(10)?;
    let is_part = start.checked_sub(1).and_then(|at| input.get(at)).is_some_and(|byte| goes_on(*byte));
    (letter == b"T" && is_iso_date(date) && !is_part).then_some(start)
}

/// The word that ends before the single blanks before `at`, whole, at most 16 bytes.
fn word_before(input: &[u8], at: usize) -> Option<Range<usize>> {
    let before = get(input, at.saturating_sub(18)..at);
    let end = before.iter().rposition(|byte| *byte != b' ')? + 1;
    if end == before.len() {
        return None;
    }
    let base = at - before.len();
    let blank = before.get(..end)?.iter().rposition(|byte| *byte <= b' ');
    let start = if base == 0 { blank.map_or(0, |blank| blank + 1) } else { blank? + 1 };
    Some(base + start..base + end)
}

fn word_after(input: &[u8], at: usize) -> Option<Range<usize>> {
    if input.get(at) != Some(&b' ') {
        return None;
    }
    let after = get(input, at + 1..input.len().min(at + 17));
    let length = after.iter().position(|byte| *byte <= b' ').unwrap_or(after.len());
    Some(at + 1..at + 1 + length)
}

fn is_date_word(word: &[u8]) -> bool {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let bare = word.strip_prefix(b"(").and_then(|inner| inner.strip_suffix(b")")).unwrap_or(word);
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    match bare {
        [a] => a.is_ascii_digit(),
        [_, _] => digits(bare),
        [b'1', b'9', ..] | [b'2', b'0', ..] if bare.len() == 4 => digits(bare),
        [b'+' | b'-', zone @ ..] if zone.len() == 4 => digits(zone),
        _ => is_iso_date(bare) || DATE_NAMES.iter().any(|name| bare == name.as_bytes()),
    }
}

fn is_iso_date(text: &[u8]) -> bool {
    let shape = |(place, byte): (usize, &u8)| match place {
        4 | 7 => matches!(byte, b'-' | b'/'),
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.iter().enumerate().all(shape)
}

fn counters(input: &[u8]) -> Vec<Range<usize>> {
    let counter = |phrase: &&[u8]| {
        let start = find_ignore_case(input, phrase)? + phrase.len();
        let rest = get(input, start..input.len());
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b':').count();
        Some(start..start + digits)
    };
    COUNTERS.iter().filter_map(counter).collect()
}

/// The part before the at sign of `<process.clock@host>` in the first line.
fn clock_mark(input: &[u8]) -> Option<Range<usize>> {
    let line = get(input, text::first_line(input));
    let open = memchr(b'<', line)? + 1;
    let inside = line.get(open..)?;
    let at_sign = memchr(b'@', inside)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'/' | b'=');
    inside.get(..at_sign)?.iter().all(plain).then_some(open..open + at_sign)
}

#[cfg(test)]
mod tests {
    use super::mask;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn times_and_their_dates_are_blanked() {
        assert_eq!(
            masked("220 mx ESMTP Exim 4.96 Sun, 22 Nov 2026 01:02:03 +0900\r\n"),
            "220 mx ESMTP Exim 4.96 **** ** *** **** ******** *****\r\n"
        );
        assert_eq!(masked("Sun Nov 22 01:02:03 JST 2026\r\nlogin: "), "*** *** ** ******** *** ****\r\nlogin: ");
        assert_eq!(masked("up since 2026-11-22T01:02:03Z"), "up since *******************Z");
        assert_eq!(masked("+OK POP3 <1896.697170952@host>\r\n"), "+OK POP3 <**************@host>\r\n");
        assert_eq!(
            masked("220-FTP Local time is now 16:42. Server port: 21.\r\n"),
            "220-FTP Local time is now *****. Server port: 21.\r\n"
        );
    }

    /// What is blanked must not leave a time behind that looked like part of something longer before.
    #[test]
    fn masking_twice_is_masking_once() {
        let many = "27 22:12:55\t".repeat(40);
        for text in [
            many.as_str(),
            "12:13:142026-11-22T01:02:03",
            "12:13:14Mon         01:02:03",
            "Local time is now 1:2:3:4:12:13:14",
            "a 2026-11-22T01:02:03 12:13:14",
            "\u{1b}[1;22:13:20~ 22:13:20 CEST",
        ] {
            let once = masked(text);
            assert_eq!(masked(&once), once, "{text}");
        }
        assert!(!masked(&many).contains("22:12"), "every time is blanked");
    }

    #[test]
    fn addresses_and_versions_stay() {
        for text in ["MAC 00:11:22:33:44:55", "version 1.2.3", "00:11:22:33", "x12:13:14", "+OK ready <b@c> 1"] {
            assert!(masked(text).starts_with(&text[..4]), "{text}");
        }
        assert_eq!(masked("MAC 00:11:22:33:44:55"), "MAC 00:11:22:33:44:55");
        assert_eq!(masked("99:11:22"), "99:11:22");
    }
}
