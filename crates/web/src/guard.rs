//! What every request passes and every answer carries.
//!
//! A browser brings its cookies, and on loopback its place, to whoever asks it to; so the server must not be spoken to by
//! pages of other origins: a name other than its own is refused (DNS rebinding gives a foreign page a name that leads
//! here), nothing allows reading across origins, and pages may load only from here. Pages of other sites may open a page
//! of ours and fetch nothing else: a look at findings is written down, and only a person's look may be.
//!
//! Then it is found who asks ([`crate::auth::admit`]).

use std::net::IpAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::auth::admit::admit;
use crate::limits::{MAX_FORM_BYTES, MAX_PASSKEY_BYTES, MAX_TARGET_BYTES, REQUEST_TIME};
use crate::listener::Peer;
use crate::page::fault::{Fault, answer};
use crate::scan::{Proxy, visitor_address};
use crate::settings::Settings;

/// What pages may do: load style, script, pictures and data from this origin, send forms to it, and nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                          form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const FIXED: [(HeaderName, HeaderValue); 6] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Nothing is told to other sites; without any, browsers would not say that a form is of our own page either.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The page of saved queries.
pub(crate) const FORMS: &str = "/watch";

/// Where a body may be sent, with all below it, and of how many bytes.
const BODIES: &[(&str, usize)] = &[
    (FORMS, MAX_FORM_BYTES),
    (crate::page::organisation::alerts::PATH, MAX_FORM_BYTES),
    (crate::page::selfcheck::PATH, MAX_FORM_BYTES),
    ("/sign-in/passkey", MAX_PASSKEY_BYTES),
    ("/account/passkeys", MAX_PASSKEY_BYTES),
    ("/account/again/passkey", MAX_PASSKEY_BYTES),
    ("/sign-in", MAX_FORM_BYTES),
    ("/account", MAX_FORM_BYTES),
    ("/first-start", MAX_FORM_BYTES),
    (crate::shodan::BODIES, MAX_FORM_BYTES),
    (crate::misp::BASE, MAX_FORM_BYTES),
    (crate::page::notices::NOTICES, MAX_FORM_BYTES),
    (crate::taxii::BASE, crate::taxii::MAX_CONTENT_BYTES),
];

/// For a year (RFC 6797): a browser that was here once comes by TLS alone.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The header in which a proxy says who asked.
const FORWARDED_FOR: &str = "x-forwarded-for";

pub(crate) const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// From where a request comes: the address of who asks, told by the proxy where there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) IpAddr);

/// The middleware around everything.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let headers = request.headers().clone();
    let mut response = match objection(&app.settings, request.method(), &uri, &headers) {
        Some(fault) => answer(&app, &uri, &headers, &fault),
        None => match tokio::time::timeout(REQUEST_TIME, let_in(&app, request, next)).await {
            Ok(response) => response,
            Err(_) => answer(&app, &uri, &headers, &Fault::new(StatusCode::GATEWAY_TIMEOUT, "timeout")),
        },
    };
    harden(&mut response);
    if app.settings.is_secure() {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

async fn let_in(app: &App, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(peer))| peer.ip());
    let source = peer.and_then(|peer| source(&app.settings, peer, request.headers()));
    let Some(source) = source else {
        return answer(app, request.uri(), request.headers(), &Fault::new(StatusCode::FORBIDDEN, "past-proxy"));
    };
    request.extensions_mut().insert(Source(source));
    match admit(app, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(response) => response,
    }
}

/// Who asks; nobody is answered past the proxy where there is one, for only it speaks TLS.
fn source(settings: &Settings, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let proxy = settings.proxy.map(|address| Proxy { address, header: FORWARDED_FOR.to_owned() });
    visitor_address(peer, headers, proxy.as_ref())
}

/// What every answer carries.
pub(crate) fn harden(response: &mut Response) {
    for (name, value) in FIXED {
        response.headers_mut().insert(name, value);
    }
}

fn objection(settings: &Settings, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Fault> {
    let target_bytes = uri.path().len() + uri.query().map_or(0, str::len);
    if target_bytes > MAX_TARGET_BYTES {
        return Some(Fault::new(StatusCode::URI_TOO_LONG, "target-too-long"));
    }
    if !is_for_us(&settings.names, uri, headers) {
        return Some(Fault::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host"));
    }
    if is_fetched_by_another_site(headers) {
        return Some(Fault::new(StatusCode::FORBIDDEN, "other-site"));
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if !reads && is_of_another_origin(settings.is_secure(), headers) {
        return Some(Fault::new(StatusCode::FORBIDDEN, "other-site"));
    }
    let is_taken = *method == Method::POST && has_short_body(headers, uri.path());
    (has_body(headers) && !is_taken).then(|| Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-not-accepted"))
}

/// Whether a request that changes something comes from a page that is not ours: the browser says so in either of two
/// ways. Programs that are no browsers say nothing.
fn is_of_another_origin(secure: bool, headers: &HeaderMap) -> bool {
    let scheme: &[u8] = if secure { b"https://" } else { b"http://" };
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let own = |origin: &HeaderValue| origin.as_bytes().strip_prefix(scheme) == Some(host);
    is_led_here(headers) || !headers.get_all(ORIGIN).iter().all(own)
}

/// The origin by which a browser called this server; the name in it was checked when the request came.
pub(crate) fn own_origin(settings: &Settings, headers: &HeaderMap) -> String {
    let scheme = if settings.is_secure() { "https" } else { "http" };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Whether the body has a length, and one that may be sent there.
fn has_short_body(headers: &HeaderMap, path: &str) -> bool {
    let below = |page: &str| {
        path.strip_prefix(page).is_some_and(|rest| page.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
    };
    let most = BODIES.iter().find(|(page, _)| below(page)).map_or(0, |(_, most)| *most);
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    !headers.contains_key(TRANSFER_ENCODING) && length.is_some_and(|length| length <= most)
}

/// Whether every name by which the request calls this server is one of its own.
fn is_for_us(names: &[String], uri: &Uri, headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else { return false };
    let own = |authority: &str| is_own_name(names, authority);
    host.to_str().is_ok_and(own) && uri.authority().is_none_or(|authority| own(authority.as_str()))
}

/// `localhost`, `127.0.0.1`, `[::1]` or a name that was given, with or without a port.
fn is_own_name(names: &[String], authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => authority,
    };
    let own = ["localhost", "127.0.0.1", "[::1]"].into_iter().chain(names.iter().map(String::as_str));
    own.into_iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Whether a browser says that a page of another site asks, and not to open a page (Fetch Metadata Request Headers, W3C).
/// Other ports of this machine are another site too. Programs that are no browsers say nothing and may ask.
pub(crate) fn is_fetched_by_another_site(headers: &HeaderMap) -> bool {
    let says =
        |name: HeaderName, value: &str| headers.get_all(name).iter().any(|said| said.as_bytes() == value.as_bytes());
    let is_other = ["cross-site", "same-site"].iter().any(|site| says(FETCH_SITE, site));
    is_other && !(says(FETCH_MODE, "navigate") && says(FETCH_DEST, "document"))
}

/// Whether a browser says that another site led here, and not one of our own pages or the visitor's own hand.
pub(crate) fn is_led_here(headers: &HeaderMap) -> bool {
    headers.get_all(FETCH_SITE).iter().any(|said| !matches!(said.as_bytes(), b"same-origin" | b"none"))
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_ours() {
        let names = ["tower.example".to_owned()];
        assert!(is_own_name(&names, "Tower.example:8443") && !is_own_name(&[], "tower.example"));
        for own in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080", "[::1]"] {
            assert!(is_own_name(&[], own), "{own}");
        }
        for foreign in
            ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "evil@localhost", "[::2]:1", "::1"]
        {
            assert!(!is_own_name(&names, foreign), "{foreign}");
        }
    }

    #[test]
    fn other_sites_may_open_a_document_and_nothing_else() {
        let refused = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_fetched_by_another_site(&pairs.collect())
        };
        assert!(!refused(&[]), "the command line");
        for own in ["same-origin", "none"] {
            assert!(!refused(&[(FETCH_SITE, own), (FETCH_MODE, "no-cors"), (FETCH_DEST, "image")]), "{own}");
        }
        for other in ["cross-site", "same-site"] {
            assert!(!refused(&[(FETCH_SITE, other), (FETCH_MODE, "navigate"), (FETCH_DEST, "document")]), "{other}");
            for (mode, dest) in
                [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "document")]
            {
                assert!(
                    refused(&[(FETCH_SITE, other), (FETCH_MODE, mode), (FETCH_DEST, dest)]),
                    "{other} {mode} {dest}"
                );
            }
            assert!(refused(&[(FETCH_SITE, other)]), "{other}");
        }
    }

    #[test]
    fn forms_come_from_own_pages() {
        let led = |site: Option<&'static str>| {
            is_led_here(&site.map(|site| (FETCH_SITE, HeaderValue::from_static(site))).into_iter().collect())
        };
        assert!(led(Some("cross-site")) && led(Some("same-site")) && led(Some("")));
        assert!(!led(Some("same-origin")) && !led(Some("none")) && !led(None));
    }

    #[test]
    fn what_changes_something_comes_from_own_pages() {
        let other = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_of_another_origin(false, &pairs.collect())
        };
        let host = (HOST, "localhost:8420");
        assert!(!other(std::slice::from_ref(&host)), "the command line");
        assert!(!other(&[host.clone(), (ORIGIN, "http://localhost:8420"), (FETCH_SITE, "same-origin")]));
        for origin in ["http://localhost:8421", "https://localhost:8420", "http://evil.example", "null", ""] {
            assert!(other(&[host.clone(), (ORIGIN, origin)]), "{origin}");
        }
        assert!(other(&[host, (FETCH_SITE, "cross-site")]));
    }

    #[test]
    fn a_request_without_a_name_or_with_two_is_refused() {
        let uri = Uri::from_static("/");
        let mut headers = HeaderMap::new();
        assert!(!is_for_us(&[], &uri, &headers));
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(is_for_us(&[], &uri, &headers));
        assert!(!is_for_us(&[], &Uri::from_static("http://evil.example/"), &headers));
        headers.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!is_for_us(&[], &uri, &headers));
    }
}
