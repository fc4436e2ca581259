//! HTTP/1 responses (RFC 9112) as devices really send them, and the one request that we send.
//!
//! [`request`] builds a GET that says who asks and where to complain. [`complete`] tells a reader when to stop,
//! [`keeps_open`] whether one more question may follow over the same connection.
//! [`parse`] is tolerant of careless servers and refuses what does not begin with a status line (so HTTP/0.9 too).
//! [`fields`] gives what rules match on, [`mask`] blanks dates, cookies, nonces and request identifiers.
//!
//! Bounds: [`MAX_HEAD_BYTES`], [`MAX_HEADERS`], and [`html::MAX_SCAN_BYTES`] of the body for the title.

use std::borrow::Cow;
use std::ops::Range;

use crate::field::Field;
use crate::fields::Fields;
use crate::head::{self, Head};
use crate::malformed::Malformed;
use crate::text::get;

pub(crate) mod auth;
pub mod chunked;
pub mod html;
mod mask;
mod names;

pub use crate::head::{Header, MAX_HEAD_BYTES, MAX_HEADERS};
pub(crate) use mask::challenge_values;
pub use mask::mask;
pub(crate) use names::lower_token;

/// The most bytes of a request path, a host or a contact that [`request`] takes.
pub const MAX_PART_BYTES: usize = 2048;

/// A parsed response.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The status code, three digits.
    pub status: u16,
    /// The words after it, maybe empty.
    pub reason: &'a [u8],
    /// In the order sent.
    pub headers: Vec<Header<'a>>,
    /// The body as far as it is there, transfer coding removed.
    pub body: Cow<'a, [u8]>,
    /// Where the body stands in the input, transfer coding included.
    pub body_span: Range<usize>,
    /// The first thing that could not be read.
    pub trouble: Option<Malformed>,
}

impl Response<'_> {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| header.is(name)).map(|header| &*header.value)
    }

    /// The title of the page as text, decoded by the character set that the page declares.
    pub fn title(&self) -> Option<String> {
        let title = html::title(&self.body, self.header("content-type"))?;
        Some(String::from_utf8_lossy(&title.text).into_owned())
    }

    /// The path of the page's icon on the same server, as given by the page that was requested at `page_path`.
    /// None when the page names no icon, or one that lies elsewhere; `/favicon.ico` is the convention then.
    pub fn icon_path(&self, page_path: &str) -> Option<String> {
        html::icon_path(&self.body, page_path)
    }
}

/// What the server is asked to do with the connection after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// End it.
    Close,
    /// Keep it: one more question may come.
    Keep,
}

/// A GET of `path` from `host` (as it belongs in the `Host` header), naming Hinomi and `contact`, the address of the
/// page that says who surveys and how to opt out.
///
/// # Errors
/// When a part is longer than [`MAX_PART_BYTES`] or has blanks, control or non-ASCII characters in it: what a device
/// said must not become a header of ours.
pub fn request(path: &str, host: &str, contact: &str, afterwards: Afterwards) -> Result<Vec<u8>, Malformed> {
    check_part(path, "request path")?;
    check_part(host, "host")?;
    check_part(contact, "contact")?;
    if !path.starts_with('/') {
        return Err(Malformed::Invalid { what: "request path", at: 0 });
    }
    let version = env!("CARGO_PKG_VERSION");
    let connection = match afterwards {
        Afterwards::Close => "close",
        Afterwards::Keep => "keep-alive",
    };
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (compatible; Hinomi/{version}; +{contact})\r\n\
         Accept: */*\r\nConnection: {connection}\r\n\r\n"
    );
    Ok(text.into_bytes())
}

/// Whether a text from outside may stand in a request of ours.
pub(crate) fn check_part(part: &str, what: &'static str) -> Result<(), Malformed> {
    if part.len() > MAX_PART_BYTES {
        return Err(Malformed::TooMuch { what, at: 0, limit: MAX_PART_BYTES });
    }
    match part.bytes().position(|byte| !byte.is_ascii_graphic()) {
        Some(at) => Err(Malformed::Invalid { what, at }),
        None if part.is_empty() => Err(Malformed::Truncated { what, at: 0 }),
        None => Ok(()),
    }
}

/// Reads a response, or as much of one as is there.
///
/// # Errors
/// When the input does not begin with a status line.
pub fn parse(input: &[u8]) -> Result<Response<'_>, Malformed> {
    let head = head::parse(input, b"HTTP")?;
    let body = body_of(input, &head);
    Ok(Response {
        status: head.code(input),
        reason: get(input, head.reason.clone()),
        trouble: head.trouble.or(body.trouble),
        headers: head.headers,
        body: body.data,
        body_span: head.body..input.len(),
    })
}

fn body_of<'a>(input: &'a [u8], head: &Head<'a>) -> chunked::Body<'a> {
    let bytes = get(input, head.body..input.len());
    if is_chunked(head) { chunked::decode(bytes, head.body) } else { chunked::Body::plain(bytes) }
}

fn is_chunked(head: &Head<'_>) -> bool {
    head.header("transfer-encoding")
        .is_some_and(|header| crate::text::find_ignore_case(&header.value, b"chunked").is_some())
}

/// Whether more bytes would add nothing to this answer to a GET: everything announced is there, or it is no HTTP.
///
/// False for a body that only the end of the connection ends.
pub fn complete(input: &[u8]) -> bool {
    let Ok(head) = head::parse(input, b"HTTP") else {
        // "HTT" may still become a status line; a whole line that is none will not.
        return memchr::memchr(b'\n', input.get(4..).unwrap_or_default()).is_some();
    };
    if !head.ended {
        return head.overflowed;
    }
    let body = get(input, head.body..input.len());
    match head.code(input) {
        100..=199 | 204 | 304 => true,
        _ if is_chunked(&head) => chunked::is_complete(body),
        _ => head.content_length().is_some_and(|length| body.len() >= length),
    }
}

/// Whether the connection takes another request after this answer: all of it is there by its own account, and the server
/// did not say that it ends the connection (RFC 9112 section 9.3).
pub fn keeps_open(answer: &[u8]) -> bool {
    let Ok(head) = head::parse(answer, b"HTTP") else { return false };
    let says = |word: &[u8]| {
        let header = head.header("connection");
        header.is_some_and(|header| crate::text::find_ignore_case(&header.value, word).is_some())
    };
    let newer = answer.trim_ascii_start().starts_with(b"HTTP/1.1");
    head.ended && complete(answer) && if newer { !says(b"close") } else { says(b"keep-alive") }
}

/// The parts of a response that rules match on; see the table in the reference.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match head::parse(input, b"HTTP") {
        Ok(head) => push_response(&mut list, input, &head),
        Err(reason) => list.malformed(&reason),
    }
    list.finish()
}

fn push_response<'a>(list: &mut Fields<'a>, input: &'a [u8], head: &Head<'a>) {
    list.span("http.status", head.status.clone());
    list.span("http.reason", head.reason.clone());
    let body = body_of(input, head);
    // The reason first noted is the one shown; the head comes before the body.
    head.trouble.iter().chain(&body.trouble).for_each(|reason| list.malformed(reason));
    push_body(list, head, &body);
    for header in &head.headers {
        push_header(list, input, header);
    }
    list.value("http.body", body.data, body_span(&body.span, head, input));
}

fn push_body<'a>(list: &mut Fields<'a>, head: &Head<'a>, body: &chunked::Body<'a>) {
    let content_type = head.header("content-type").map(|header| &*header.value);
    let (text, span) = match (&body.data, &body.span) {
        // The body stands in the input in one piece: the title can be borrowed and its span is exact.
        (Cow::Borrowed(bytes), Some(span)) => {
            let Some(title) = html::title(bytes, content_type) else { return };
            let start = head.body + span.start;
            (title.text, start + title.span.start..start + title.span.end)
        }
        (data, _) => {
            let Some(title) = html::title(data, content_type) else { return };
            (Cow::Owned(title.text.into_owned()), head.body..usize::MAX)
        }
    };
    list.value("http.title", text, span);
}

fn body_span(piece: &Option<Range<usize>>, head: &Head<'_>, input: &[u8]) -> Range<usize> {
    match piece {
        Some(span) => head.body + span.start..head.body + span.end,
        None => head.body..input.len(),
    }
}

fn push_header<'a>(list: &mut Fields<'a>, input: &'a [u8], header: &Header<'a>) {
    let Some(name) = names::field_name(header.name) else {
        list.malformed(&Malformed::Invalid { what: "header name", at: header.span.start });
        return;
    };
    let short = match &*name {
        "http.header.server" => Some("http.server"),
        "http.header.location" => Some("http.location"),
        "http.header.www-authenticate" => Some("http.www-authenticate"),
        _ => None,
    };
    if let Some(short) = short {
        list.value(short, header.value.clone(), header.span.clone());
    }
    if short == Some("http.www-authenticate") {
        auth::realms(input, header.span.clone()).for_each(|realm| list.span("http.realm", realm));
    }
    list.value(name, header.value.clone(), header.span.clone());
}

#[cfg(test)]
mod tests;
