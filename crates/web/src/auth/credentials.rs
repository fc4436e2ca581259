//! What a request brings to say who it comes from: a session's cookie, or a key in one of three places.
//!
//! A key stands in `Authorization: Bearer`, in `Authorization: Basic` as the password or the name (TAXII clients), and
//! under [`COMPAT`] in `?key=` (clients of Shodan). An address is written into logs and histories, so only a key that
//! reads may stand there, and it is taken out of the request before anything else sees it.

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Uri};
use data_encoding::BASE64;
use hinomi_state::KeyText;

/// Paths that speak as other programs do.
pub(crate) const COMPAT: &str = "/compat/";
/// The most characters of an `Authorization` header.
const MAX_HEADER_CHARS: usize = 1_024;
/// The most cookies of a request that are looked at.
const MAX_COOKIES: usize = 64;

/// What was brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    Nothing,
    /// A session's token.
    Session(String),
    /// A key; whether it stood in the address.
    Key(KeyText, bool),
    /// Something that cannot be a key.
    Unreadable,
}

/// What this request brings. A key goes before a cookie: who sends one means it.
pub(crate) fn brought(uri: &Uri, headers: &HeaderMap, cookie: &str) -> Brought {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = said.next() {
        let one = said.next().is_none().then_some(value).and_then(|value| value.to_str().ok());
        let key = one.filter(|text| text.len() <= MAX_HEADER_CHARS).and_then(of_header);
        return key.map_or(Brought::Unreadable, |key| Brought::Key(key, false));
    }
    if uri.path().starts_with(COMPAT)
        && let Some(text) = parameter(uri, "key")
    {
        return KeyText::read(text).map_or(Brought::Unreadable, |key| Brought::Key(key, true));
    }
    read_cookie(headers, cookie).map_or(Brought::Nothing, Brought::Session)
}

fn of_header(text: &str) -> Option<KeyText> {
    // Clients of MISP send it bare.
    let Some((scheme, rest)) = text.trim().split_once(' ') else { return KeyText::read(text.trim()) };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return KeyText::read(rest);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(rest.as_bytes()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    KeyText::read(password).or_else(|| KeyText::read(name))
}

/// The value of a parameter as it stands; keys have no character that is encoded.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(each, _)| *each == name).map(|(_, value)| value);
    found.next()
}

/// The address without its keys.
pub(crate) fn without_key(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("key=")).collect();
    let text = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// The value of the only cookie of this name; two of one name are none.
pub(crate) fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).take(MAX_COOKIES).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(each, _)| *each == name).map(|(_, value)| value.to_owned());
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const KEY: &str = "hinomi_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn of(uri: &'static str, pairs: &[(axum::http::HeaderName, &str)]) -> Brought {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value")));
        brought(&Uri::from_static(uri), &headers.collect(), "c")
    }

    fn key(in_address: bool) -> Brought {
        Brought::Key(KeyText::read(KEY).expect("a key"), in_address)
    }

    #[test]
    fn keys_are_read_where_clients_put_them() {
        assert_eq!(of("/", &[(AUTHORIZATION, &format!("Bearer {KEY}"))]), key(false));
        // `printf 'user:KEY' | base64 -w0`
        let basic = "Basic dXNlcjpoaW5vbWlfMDEyMzQ1Njc4OWFiY2RlZl8wMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm";
        assert_eq!(of("/", &[(AUTHORIZATION, basic)]), key(false));
        assert_eq!(
            of(
                "/compat/shodan/info?key=hinomi_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                &[]
            ),
            key(true)
        );
        assert_eq!(
            of(
                "/api/v1/status?key=hinomi_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                &[]
            ),
            Brought::Nothing,
            "elsewhere an address holds no key"
        );
        for bad in ["Bearer x", "Basic !!", "Basic eA==", "Digest x", "Bearer", ""] {
            assert_eq!(of("/", &[(AUTHORIZATION, bad), (COOKIE, "c=token")]), Brought::Unreadable, "{bad}");
        }
        let two = [(AUTHORIZATION, KEY), (AUTHORIZATION, KEY)];
        assert_eq!(of("/", &two), Brought::Unreadable);
    }

    #[test]
    fn a_cookie_is_read_when_it_is_the_only_one_of_its_name() {
        assert_eq!(of("/", &[(COOKIE, "a=b; c=token; d")]), Brought::Session("token".into()));
        assert_eq!(of("/", &[(COOKIE, "c=token; c=other")]), Brought::Nothing);
        assert_eq!(of("/", &[(COOKIE, "c=token"), (COOKIE, "c=token")]), Brought::Nothing);
        assert_eq!(of("/", &[(COOKIE, "xc=token")]), Brought::Nothing);
    }

    #[test]
    fn no_key_stays_in_an_address() {
        let without = |uri: &'static str| without_key(&Uri::from_static(uri)).map(|uri| uri.to_string());
        assert_eq!(without("/compat/a?key=x"), Some("/compat/a".into()));
        assert_eq!(without("/compat/a?q=1&key=x&key=y&z=2"), Some("/compat/a?q=1&z=2".into()));
        assert_eq!(without("/compat/a"), None);
    }
}
