//! Names of header fields as names of evidence fields.

use std::borrow::Cow;

/// The longest header name that becomes a field.
const MAX_NAME_BYTES: usize = 64;

/// Headers that most answers carry: their names cost no allocation. Lower case; most frequent first.
const KNOWN: &[(&str, &str)] = &[
    ("date", "http.header.date"),
    ("server", "http.header.server"),
    ("content-type", "http.header.content-type"),
    ("content-length", "http.header.content-length"),
    ("connection", "http.header.connection"),
    ("cache-control", "http.header.cache-control"),
    ("last-modified", "http.header.last-modified"),
    ("etag", "http.header.etag"),
    ("accept-ranges", "http.header.accept-ranges"),
    ("expires", "http.header.expires"),
    ("pragma", "http.header.pragma"),
    ("set-cookie", "http.header.set-cookie"),
    ("location", "http.header.location"),
    ("vary", "http.header.vary"),
    ("transfer-encoding", "http.header.transfer-encoding"),
    ("www-authenticate", "http.header.www-authenticate"),
    ("x-powered-by", "http.header.x-powered-by"),
    ("x-frame-options", "http.header.x-frame-options"),
    ("x-content-type-options", "http.header.x-content-type-options"),
    ("x-xss-protection", "http.header.x-xss-protection"),
    ("content-security-policy", "http.header.content-security-policy"),
    ("strict-transport-security", "http.header.strict-transport-security"),
    ("referrer-policy", "http.header.referrer-policy"),
    ("content-language", "http.header.content-language"),
    ("content-encoding", "http.header.content-encoding"),
    ("keep-alive", "http.header.keep-alive"),
    ("allow", "http.header.allow"),
    ("age", "http.header.age"),
    ("via", "http.header.via"),
    ("p3p", "http.header.p3p"),
    ("mime-version", "http.header.mime-version"),
    ("access-control-allow-origin", "http.header.access-control-allow-origin"),
    ("x-ua-compatible", "http.header.x-ua-compatible"),
    ("x-generator", "http.header.x-generator"),
    ("x-aspnet-version", "http.header.x-aspnet-version"),
    ("x-request-id", "http.header.x-request-id"),
    ("alt-svc", "http.header.alt-svc"),
    ("upgrade", "http.header.upgrade"),
];

/// `http.header.` and the lower-case name; none for what RFC 9110 does not allow in a name.
pub(super) fn field_name(name: &[u8]) -> Option<Cow<'static, str>> {
    if let Some((_, known)) = KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())) {
        return Some(Cow::Borrowed(known));
    }
    let text = lower_token(name)?;
    Some(Cow::Owned(["http.header.", &text].concat()))
}

/// A header name in lower case, where it is a token of at most [`MAX_NAME_BYTES`].
pub(crate) fn lower_token(name: &[u8]) -> Option<String> {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.iter().all(fits) {
        return None;
    }
    Some(name.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}
