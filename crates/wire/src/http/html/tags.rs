//! A scanner of start tags. Comments and the contents of scripts and styles are skipped; one pass, no allocation.

use std::ops::Range;

use memchr::{memchr, memchr3, memmem};

use crate::text::{find_ignore_case, get};

/// The longest tag that is read.
const MAX_TAG_BYTES: usize = 8 * 1024;

/// After so many tags with unbalanced quotes, quotes are no longer believed: hostile pages cost no more than others.
const MAX_UNBALANCED: u32 = 32;

/// The most attributes that are read of a tag.
const MAX_ATTRIBUTES: usize = 64;

/// A start tag.
#[derive(Clone, Debug)]
pub(super) struct Tag<'a> {
    html: &'a [u8],
    name: &'a [u8],
    attributes: Range<usize>,
    /// The offset after the tag.
    pub(super) end: usize,
}

impl Tag<'_> {
    /// Whether the tag has this (lower-case) name.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Where the value of this attribute stands, without quotes.
    pub(super) fn attribute(&self, name: &[u8]) -> Option<Range<usize>> {
        let mut at = self.attributes.start;
        for _ in 0..MAX_ATTRIBUTES {
            let (found, value) = self.next_attribute(&mut at)?;
            if get(self.html, found).eq_ignore_ascii_case(name) {
                return Some(value);
            }
        }
        None
    }

    fn next_attribute(&self, at: &mut usize) -> Option<(Range<usize>, Range<usize>)> {
        let end = self.attributes.end;
        let skip = |from: usize, stop: fn(u8) -> bool| {
            let bytes = get(self.html, from..end);
            from + bytes.iter().position(|byte| stop(*byte)).unwrap_or(bytes.len())
        };
        let start = skip(*at, |byte| !byte.is_ascii_whitespace() && byte != b'/' && byte != b'=');
        if start >= end {
            return None;
        }
        let name = start..skip(start, |byte| byte.is_ascii_whitespace() || byte == b'=' || byte == b'/');
        let equals = skip(name.end, |byte| !byte.is_ascii_whitespace());
        if self.html.get(equals) != Some(&b'=') || equals >= end {
            *at = name.end;
            return Some((name.clone(), name.end..name.end));
        }
        let open = skip(equals + 1, |byte| !byte.is_ascii_whitespace());
        let value = match self.html.get(open).filter(|byte| open < end && matches!(byte, b'"' | b'\'')) {
            Some(quote) => {
                let inside = get(self.html, open + 1..end);
                open + 1..open + 1 + memchr(*quote, inside).unwrap_or(inside.len())
            }
            None => open..skip(open, |byte| byte.is_ascii_whitespace()),
        };
        *at = value.end + 1;
        Some((name, value))
    }
}

/// The start tags of a page in order.
#[derive(Clone, Debug)]
pub(super) struct Tags<'a> {
    html: &'a [u8],
    at: usize,
    unbalanced: u32,
}

impl<'a> Tags<'a> {
    /// Starts at the beginning.
    pub(super) const fn new(html: &'a [u8]) -> Self {
        Self { html, at: 0, unbalanced: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        get(self.html, self.at..self.html.len())
    }

    /// The offset of the `>` that ends the tag whose attributes begin at `from`.
    fn tag_end(&mut self, from: usize) -> Option<usize> {
        let bytes = get(self.html, from..self.html.len().min(from + MAX_TAG_BYTES));
        let believed = self.unbalanced < MAX_UNBALANCED;
        if let Some(end) = believed.then(|| end_outside_quotes(bytes)).flatten() {
            return Some(from + end);
        }
        self.unbalanced += 1;
        memchr(b'>', bytes).map(|end| from + end)
    }

    fn skip_raw_text(&mut self, name: &[u8]) {
        let close: &[u8] = match name {
            _ if name.eq_ignore_ascii_case(b"script") => b"</script",
            _ if name.eq_ignore_ascii_case(b"style") => b"</style",
            _ => return,
        };
        let rest = self.rest();
        self.at += find_ignore_case(rest, close).unwrap_or(rest.len());
    }
}

fn end_outside_quotes(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let found = memchr3(b'>', b'"', b'\'', rest)?;
        match rest.get(found)? {
            b'>' => return Some(at + found),
            quote => at += found + 1 + memchr(*quote, rest.get(found + 1..)?)? + 1,
        }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            self.at += memchr(b'<', self.rest())? + 1;
            let rest = self.rest();
            if rest.starts_with(b"!--") {
                self.at += memmem::find(rest, b"-->").unwrap_or(rest.len());
                continue;
            }
            let letters = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
            if !rest.first().is_some_and(u8::is_ascii_alphabetic) {
                continue;
            }
            let name = get(rest, 0..letters);
            let start = self.at + letters;
            let Some(end) = self.tag_end(start) else {
                self.at = self.html.len().min(start + MAX_TAG_BYTES);
                continue;
            };
            self.at = end + 1;
            self.skip_raw_text(name);
            return Some(Tag { html: self.html, name, attributes: start..end, end: end + 1 });
        }
    }
}
