//! The head that HTTP/1, RTSP and SSDP share: a status line and header fields (RFC 9112 section 2, RFC 7826 section 5).
//!
//! Tolerant where devices are careless (bare line feeds, folded lines, blanks before the colon, a missing blank line)
//! and strict where a guess would be wrong: a header line that was cut off is not given, because half a version number
//! is a wrong version number.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::malformed::Malformed;
use crate::text::{get, starts_with_ignore_case, trim};

/// The most bytes of a head.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The most header fields of a head.
pub const MAX_HEADERS: usize = 200;

/// Line ends that careless servers send before the status line.
const MAX_LEADING_BYTES: usize = 4;

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// As sent.
    pub name: &'a [u8],
    /// Trimmed; folded lines joined with one blank.
    pub value: Cow<'a, [u8]>,
    /// Where the value stands in the input.
    pub span: Range<usize>,
}

impl Header<'_> {
    /// Whether this is the header of that name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// A parsed head. Ranges refer to the input.
#[derive(Clone, Debug)]
pub(crate) struct Head<'a> {
    /// The three digits.
    pub(crate) status: Range<usize>,
    /// The words after them, maybe empty.
    pub(crate) reason: Range<usize>,
    /// In the order sent.
    pub(crate) headers: Vec<Header<'a>>,
    /// Offset of the first byte after the blank line.
    pub(crate) body: usize,
    /// Whether the blank line was there.
    pub(crate) ended: bool,
    /// Whether the head is larger than we read: no more bytes will end it.
    pub(crate) overflowed: bool,
    /// The first thing that could not be read.
    pub(crate) trouble: Option<Malformed>,
}

/// Reads the head of a response of `protocol` (`HTTP`, `RTSP`).
///
/// # Errors
/// When the input does not begin with a status line.
pub(crate) fn parse<'a>(input: &'a [u8], protocol: &[u8]) -> Result<Head<'a>, Malformed> {
    let leading = input.iter().take(MAX_LEADING_BYTES).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let (line, next) = line_at(input, leading);
    let (status, reason) = status_line(input, line, protocol)?;
    let headers = Vec::with_capacity(16);
    let mut head = Head { status, reason, headers, body: input.len(), ended: false, overflowed: false, trouble: None };
    match next {
        Some(at) => head.read_headers(input, at),
        None => head.trouble = Some(Malformed::Truncated { what: "end of the status line", at: input.len() }),
    }
    Ok(head)
}

/// `HTTP/1.1 200 OK`, also with more blanks, without minor version, without reason.
fn status_line(input: &[u8], line: Range<usize>, protocol: &[u8]) -> Result<(Range<usize>, Range<usize>), Malformed> {
    let refuse = Malformed::Invalid { what: "status line", at: line.start };
    let text = get(input, line.clone());
    if !starts_with_ignore_case(text, protocol) {
        return Err(refuse);
    }
    let version = text.get(protocol.len()..).unwrap_or_default();
    let is_version = |byte: &u8| matches!(byte, b'/' | b'.' | b'0'..=b'9');
    let version_bytes = version.iter().position(|byte| !is_version(byte)).unwrap_or(version.len());
    let after = line.start + protocol.len() + version_bytes;
    let rest = trim(input, after..line.end);
    let digits = get(input, rest.clone()).iter().take_while(|byte| byte.is_ascii_digit()).count();
    let parted = matches!(get(input, rest.start + digits..rest.end).first(), None | Some(b' ' | b'\t'));
    if digits != 3 || rest.start == after || !parted {
        return Err(refuse);
    }
    let status = rest.start..rest.start + digits;
    let reason = trim(input, status.end..rest.end);
    Ok((status, reason))
}

impl<'a> Head<'a> {
    /// The status as a number.
    pub(crate) fn code(&self, input: &[u8]) -> u16 {
        get(input, self.status.clone()).iter().fold(0, |code, digit| code * 10 + u16::from(digit.saturating_sub(b'0')))
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&Header<'a>> {
        self.headers.iter().find(|header| header.is(name))
    }

    /// The announced length of the body.
    pub(crate) fn content_length(&self) -> Option<usize> {
        std::str::from_utf8(&self.header("content-length")?.value).ok()?.parse().ok()
    }

    fn read_headers(&mut self, input: &'a [u8], start: usize) {
        let mut at = start;
        loop {
            let (line, next) = line_at(input, at);
            let Some(next) = next else {
                self.note(Malformed::Truncated { what: "blank line after the headers", at: input.len() });
                return;
            };
            if line.is_empty() {
                self.body = next;
                self.ended = true;
                return;
            }
            if self.headers.len() >= MAX_HEADERS {
                self.overflowed = true;
                self.note(Malformed::TooMuch { what: "header", at, limit: MAX_HEADERS });
                return;
            }
            if next > MAX_HEAD_BYTES {
                self.overflowed = true;
                self.note(Malformed::TooMuch { what: "head", at, limit: MAX_HEAD_BYTES });
                return;
            }
            self.read_header(input, line);
            at = next;
        }
    }

    fn read_header(&mut self, input: &'a [u8], line: Range<usize>) {
        let text = get(input, line.clone());
        if matches!(text.first(), Some(b' ' | b'\t'))
            && let Some(last) = self.headers.last_mut()
        {
            let more = trim(input, line);
            last.value.to_mut().push(b' ');
            last.value.to_mut().extend_from_slice(get(input, more.clone()));
            last.span.end = more.end.max(last.span.end);
            return;
        }
        let Some(colon) = memchr(b':', text) else {
            self.note(Malformed::Invalid { what: "header line without a colon", at: line.start });
            return;
        };
        let name = trim(input, line.start..line.start + colon);
        let span = trim(input, line.start + colon + 1..line.end);
        let value = Cow::Borrowed(get(input, span.clone()));
        self.headers.push(Header { name: get(input, name), value, span });
    }

    fn note(&mut self, reason: Malformed) {
        self.trouble.get_or_insert(reason);
    }
}

/// The line that begins at `at`, without its end, and where the next begins; none when no line feed follows.
fn line_at(input: &[u8], at: usize) -> (Range<usize>, Option<usize>) {
    let rest = get(input, at..input.len());
    let Some(length) = memchr(b'\n', rest) else {
        return (at..input.len(), None);
    };
    let end = at + length;
    let carriage = usize::from(length > 0 && input.get(end - 1) == Some(&b'\r'));
    (at..end - carriage, Some(end + 1))
}
