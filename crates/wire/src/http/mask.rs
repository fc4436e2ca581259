//! Blanking what an HTTP server makes anew at every look.

use std::ops::Range;

use memchr::memchr;

use super::{auth, html};
use crate::head::{self, Head, Header};
use crate::text::{blank, find_ignore_case, get, trim};

/// Headers whose whole value changes.
const VOLATILE: &[&str] = &[
    "date",
    "expires",
    "age",
    "x-request-id",
    "x-correlation-id",
    "x-trace-id",
    "traceparent",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-cf-id",
    "x-runtime",
    "x-timer",
    "x-csrf-token",
    "cf-ray",
    "x-varnish",
    "x-transaction-id",
];

/// Parameters of challenges that change.
const VOLATILE_PARAMETERS: &[&[u8]] = &[b"nonce", b"opaque", b"nextnonce"];

/// Blanks dates, ages, cookie values, nonces, request identifiers and form tokens, in place.
///
/// The entity tag stays: servers that derive it from the file are recognised by it.
pub fn mask(bytes: &mut [u8]) {
    for range in volatile(bytes) {
        blank(bytes, range);
    }
}

fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let Ok(head) = head::parse(input, b"HTTP") else {
        return Vec::new();
    };
    let mut ranges = volatile_headers(input, &head);
    let body = get(input, head.body..input.len());
    let shift = |range: Range<usize>| head.body + range.start..head.body + range.end;
    ranges.extend(html::volatile_values(body).into_iter().map(shift));
    ranges
}

fn volatile_headers(input: &[u8], head: &Head<'_>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for header in &head.headers {
        if VOLATILE.iter().any(|name| header.is(name)) {
            ranges.push(header.span.clone());
        } else if header.is("set-cookie") {
            ranges.extend(cookie_values(input, header));
        } else if header.is("www-authenticate") {
            ranges.extend(challenge_values(input, header));
        } else if header.is("content-security-policy") {
            ranges.extend(policy_nonces(input, header));
        }
    }
    ranges
}

/// `name=value; Path=/; Expires=date`: the value and the date.
fn cookie_values(input: &[u8], header: &Header<'_>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = header.span.start;
    while at < header.span.end {
        let rest = get(input, at..header.span.end);
        let part = trim(input, at..at + memchr(b';', rest).unwrap_or(rest.len()));
        let is_first = ranges.is_empty() && at == header.span.start;
        if let Some(equals) = memchr(b'=', get(input, part.clone())) {
            let name = trim(input, part.start..part.start + equals);
            if is_first || get(input, name).eq_ignore_ascii_case(b"expires") {
                ranges.push(part.start + equals + 1..part.end);
            }
        }
        at += memchr(b';', rest).unwrap_or(rest.len()) + 1;
    }
    ranges
}

/// The values of the parameters of [`VOLATILE_PARAMETERS`] in a challenge.
pub(crate) fn challenge_values(input: &[u8], header: &Header<'_>) -> Vec<Range<usize>> {
    let is_volatile = |name: &[u8]| VOLATILE_PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known));
    auth::parameters(input, header.span.clone())
        .filter(|parameter| is_volatile(get(input, parameter.name.clone())))
        .map(|parameter| parameter.value)
        .collect()
}

/// `'nonce-…'` sources of a content security policy.
fn policy_nonces(input: &[u8], header: &Header<'_>) -> Vec<Range<usize>> {
    const MARK: &[u8] = b"'nonce-";
    let mut ranges = Vec::new();
    let mut at = header.span.start;
    while let Some(found) = find_ignore_case(get(input, at..header.span.end), MARK) {
        let start = at + found + MARK.len();
        let rest = get(input, start..header.span.end);
        let length = rest.iter().position(|byte| matches!(byte, b'\'' | b';' | b' ')).unwrap_or(rest.len());
        ranges.push(start..start + length);
        at = start + length;
    }
    ranges
}
