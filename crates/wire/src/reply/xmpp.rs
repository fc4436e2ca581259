//! XMPP (RFC 6120): the opening of a stream, and what a server says before a login.

use std::ops::Range;

use memchr::{memchr, memmem};

use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::text::{get, trim};

/// Ends the stream (section 4.4).
pub const CLOSE: &[u8] = b"</stream:stream>";

/// The name space of streams (section 4.8.1), by which they are known.
const STREAMS: &[u8] = b"http://etherx.jabber.org/streams";

/// How far into an answer the name space may stand.
const MAX_LOOK_BYTES: usize = 512;

/// Attributes of the header, and the fields that they become.
const ATTRIBUTES: &[(&[u8], &str)] = &[(b"from=", "xmpp.from"), (b"version=", "xmpp.version")];

/// Opens a stream to `host`, version 1.0.
///
/// # Errors
/// When `host` could not stand in the header; see [`crate::http::request`].
pub fn open(host: &str) -> Result<Vec<u8>, Malformed> {
    crate::http::check_part(host, "host")?;
    if let Some(at) = host.bytes().position(|byte| matches!(byte, b'\'' | b'"' | b'<' | b'>' | b'&')) {
        return Err(Malformed::Invalid { what: "host", at });
    }
    let text = format!(
        "<?xml version='1.0'?><stream:stream to='{host}' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
    );
    Ok(text.into_bytes())
}

/// Whether bytes begin a stream.
pub(crate) fn is_stream(input: &[u8]) -> bool {
    let start = input.get(..MAX_LOOK_BYTES).unwrap_or(input);
    let element = start.starts_with(b"<?xml") || start.starts_with(b"<stream:stream");
    element && memmem::find(start, STREAMS).is_some()
}

/// Whether the features are there, or the end.
pub fn complete(seen: &[u8]) -> bool {
    [&b"</stream:features>"[..], b"<stream:features/>", b"</stream:stream>"]
        .iter()
        .any(|end| memmem::find(seen, end).is_some())
}

/// Where the header of the stream stands, its brackets included.
fn header(input: &[u8]) -> Option<Range<usize>> {
    let start = memmem::find(input, b"<stream:stream")?;
    Some(start..start + memchr(b'>', get(input, start..input.len()))? + 1)
}

/// The value of an attribute of the header; `name` ends with the equals sign.
fn attribute(input: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let header = header(input)?;
    let text = get(input, header.clone());
    let at = memmem::find_iter(text, name).find(|at| at.checked_sub(1).and_then(|at| text.get(at)) == Some(&b' '))?;
    let open = header.start + at + name.len();
    let quote = *input.get(open)?;
    let length = memchr(quote, get(input, open + 1..header.end))?;
    matches!(quote, b'\'' | b'"').then_some(open + 1..open + 1 + length)
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("xmpp.reply", 0..input.len());
    for (name, field) in ATTRIBUTES {
        if let Some(value) = attribute(input, name) {
            list.span(field, trim(input, value));
        }
    }
}

/// The stream's number.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    attribute(input, b"id=").into_iter().collect()
}
