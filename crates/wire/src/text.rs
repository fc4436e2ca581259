//! Small tools for protocols made of lines. Ranges always refer to the whole input, so that spans prove.

use std::ops::Range;

use memchr::{memchr, memchr2};

/// The bytes of a range; empty where the range leaves the input.
pub(crate) fn get(input: &[u8], range: Range<usize>) -> &[u8] {
    input.get(range).unwrap_or_default()
}

/// The range without white space and control bytes at both ends.
pub(crate) fn trim(input: &[u8], range: Range<usize>) -> Range<usize> {
    let bytes = get(input, range.clone());
    let Some(first) = bytes.iter().position(|byte| !is_blank(*byte)) else {
        return range.start..range.start;
    };
    let last = bytes.iter().rposition(|byte| !is_blank(*byte)).unwrap_or(first);
    range.start + first..range.start + last + 1
}

const fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

/// The first line without its end; the whole input where there is no line feed.
pub(crate) fn first_line(input: &[u8]) -> Range<usize> {
    0..memchr(b'\n', input).unwrap_or(input.len())
}

/// Every line of a part of the input, trimmed. A last line without line feed counts.
pub(crate) fn lines(input: &[u8], part: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = part.start;
    std::iter::from_fn(move || {
        if at >= part.end {
            return None;
        }
        let rest = get(input, at..part.end);
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = at..at + length;
        at += length + 1;
        Some(trim(input, line))
    })
}

/// Where `needle` (lower case) first stands in `hay`, letters in either case.
pub(crate) fn find_ignore_case(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, _) = needle.split_first()?;
    let mut at = 0;
    loop {
        let rest = hay.get(at..)?;
        let found = at + memchr2(first, first.to_ascii_uppercase(), rest)?;
        if starts_with_ignore_case(hay.get(found..)?, needle) {
            return Some(found);
        }
        at = found + 1;
    }
}

/// Whether `input` begins with `prefix`, letters in either case.
pub(crate) fn starts_with_ignore_case(input: &[u8], prefix: &[u8]) -> bool {
    input.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The first run of `digits and dots` in a text, such as a version number.
pub(crate) fn version_number(input: &[u8], part: Range<usize>) -> Option<Range<usize>> {
    let bytes = get(input, part.clone());
    let first = bytes.iter().position(u8::is_ascii_digit)?;
    let rest = bytes.get(first..)?;
    let length = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
    let run = trim_dots(rest.get(..length)?);
    Some(part.start + first..part.start + first + run)
}

fn trim_dots(run: &[u8]) -> usize {
    run.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1)
}

/// Overwrites what is not white space with `*`: lines stay lines, words stay words.
pub(crate) fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes.get_mut(range).unwrap_or_default() {
        if !is_blank(*byte) {
            *byte = b'*';
        }
    }
}

/// How many bytes stand before the line of that number, from 1.
pub(crate) fn lines_before(input: &[u8], line: usize) -> usize {
    let mut ends = memchr::memchr_iter(b'\n', input);
    line.checked_sub(2).and_then(|skip| ends.nth(skip)).map_or(0, |end| end + 1)
}
