//! SIP (RFC 3261): an OPTIONS request to the server itself (section 11), and its answer.

use std::ops::Range;

use memchr::memmem;

use crate::fields::Fields;
use crate::head::{self, Header};
use crate::malformed::Malformed;
use crate::text::get;

/// Headers that rules match on, with the names of their fields. Clients that answer call it `User-Agent`.
const FIELDS: &[(&str, &str)] = &[("server", "sip.server"), ("user-agent", "sip.server"), ("allow", "sip.allow")];

/// Headers whose value changes at every look, or is what we sent and from where.
const VOLATILE: &[&str] = &["date", "via", "v", "call-id", "i", "timestamp", "warning"];

/// Over what a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
}

/// An OPTIONS request to `host` (as `192.0.2.1:5060`), naming Hinomi and `contact`; `mark` tells questions apart.
///
/// `Max-Forwards: 0`: who would pass it on answers itself (section 16.3). Answers go to where the request came from
/// (`rport`, RFC 3581).
///
/// # Errors
/// When host or contact could not stand in a header; see [`crate::http::request`].
pub fn options_request(host: &str, contact: &str, over: Over, mark: u16) -> Result<Vec<u8>, Malformed> {
    crate::http::check_part(host, "host")?;
    crate::http::check_part(contact, "contact")?;
    let version = env!("CARGO_PKG_VERSION");
    let transport = match over {
        Over::Udp => "UDP",
        Over::Tcp => "TCP",
    };
    let text = format!(
        "OPTIONS sip:{host} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} hinomi.invalid;branch=z9hG4bK-hinomi-{mark:04x};rport\r\n\
         Max-Forwards: 0\r\nFrom: <sip:survey@hinomi.invalid>;tag={mark:04x}\r\nTo: <sip:{host}>\r\n\
         Call-ID: {mark:04x}@hinomi.invalid\r\nCSeq: 1 OPTIONS\r\nUser-Agent: Hinomi/{version} (+{contact})\r\n\
         Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"
    );
    Ok(text.into_bytes())
}

/// Whether the head is there, or it is no SIP.
pub fn complete(seen: &[u8]) -> bool {
    match head::parse(seen, b"SIP") {
        Ok(head) => head.ended || head.overflowed,
        Err(_) => memchr::memchr(b'\n', get(seen, 4..seen.len())).is_some(),
    }
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(head) = head::parse(input, b"SIP") else { return };
    list.span("sip.status", head.status.clone());
    list.span("sip.reason", head.reason.clone());
    for header in &head.headers {
        if let Some((_, field)) = FIELDS.iter().find(|(name, _)| header.is(name)) {
            list.value(*field, header.value.clone(), header.span.clone());
        }
    }
}

/// Whole headers, and the tag that the server put behind the name it was called by.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let Ok(head) = head::parse(input, b"SIP") else { return Vec::new() };
    head.headers.iter().filter_map(|header| passing(input, header)).collect()
}

fn passing(input: &[u8], header: &Header<'_>) -> Option<Range<usize>> {
    if VOLATILE.iter().any(|name| header.is(name)) {
        return Some(header.span.clone());
    }
    if !header.is("to") && !header.is("t") {
        return None;
    }
    let start = header.span.start + memmem::find(get(input, header.span.clone()), b";tag=")? + b";tag=".len();
    Some(start..header.span.end)
}
