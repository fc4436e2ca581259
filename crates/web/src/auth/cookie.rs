//! Cookies: the session's, the one by which a browser that signed in before is known, and those that bind to one browser what
//! it begins.
//!
//! Over TLS both are `__Host-` cookies (RFC 6265bis, section 4.1.3): only this host sets and gets them. On loopback
//! without TLS they cannot be; there any program of this machine that a browser visits by the same name gets them, which is
//! why a server that others reach speaks TLS.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use hinomi_state::secret;

use super::credentials::read_cookie;
use crate::app::App;

/// How long a browser is known, in seconds: half a year.
const DEVICE_SECONDS: u32 = 15_552_000;
/// As long as a ceremony may take.
const FLOW_SECONDS: u32 = 300;
/// Longer than somebody reads what would be sent, and than what was met is shown.
const LOOK_SECONDS: u32 = 3_600;

/// The name of the session's cookie.
pub(crate) const fn session_name(secure: bool) -> &'static str {
    if secure { "__Host-hinomi" } else { "hinomi_session" }
}

const fn device_name(secure: bool) -> &'static str {
    if secure { "__Host-hinomi-device" } else { "hinomi_device" }
}

const fn flow_name(secure: bool) -> &'static str {
    if secure { "__Host-hinomi-flow" } else { "hinomi_flow" }
}

const fn look_name(secure: bool) -> &'static str {
    if secure { "__Host-hinomi-look" } else { "hinomi_look" }
}

/// Binds to this browser a consent to be looked at from outside. Other sites cannot make a browser send it.
pub(crate) fn set_look(app: &App, response: &mut Response, value: &str) {
    set_as(app, response, (look_name(app.settings.is_secure()), value), Some(LOOK_SECONDS), "Strict");
}

/// What binds it.
pub(crate) fn look(app: &App, headers: &HeaderMap) -> Option<String> {
    read_cookie(headers, look_name(app.settings.is_secure()))
}

/// Binds to this browser what it begins at an identity provider.
pub(crate) fn set_flow(app: &App, response: &mut Response, value: &str) {
    set(app, response, flow_name(app.settings.is_secure()), value, Some(FLOW_SECONDS));
}

/// What binds it.
pub(crate) fn flow(app: &App, headers: &HeaderMap) -> Option<String> {
    read_cookie(headers, flow_name(app.settings.is_secure()))
}

/// Takes it away again.
pub(crate) fn clear_flow(app: &App, response: &mut Response) {
    set(app, response, flow_name(app.settings.is_secure()), "", Some(0));
}

/// Gives the browser a session, which ends with the browser or before.
pub(crate) fn set_session(app: &App, response: &mut Response, token: &str) {
    set(app, response, session_name(app.settings.is_secure()), token, None);
}

/// Takes the session away from the browser.
pub(crate) fn clear_session(app: &App, response: &mut Response) {
    set(app, response, session_name(app.settings.is_secure()), "", Some(0));
}

fn set(app: &App, response: &mut Response, name: &str, value: &str, seconds: Option<u32>) {
    set_as(app, response, (name, value), seconds, "Lax");
}

fn set_as(app: &App, response: &mut Response, (name, value): (&str, &str), seconds: Option<u32>, site: &str) {
    let secure = if app.settings.is_secure() { "; Secure" } else { "" };
    let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    let cookie = format!("{name}={value}; Path=/{age}; SameSite={site}; HttpOnly{secure}");
    // Values are hexadecimal digits and dots.
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// Marks the browser as one in which this account signed in.
pub(crate) fn set_device(app: &App, response: &mut Response, key: &str, account: &str) {
    let Ok(nonce) = secret::secret() else { return };
    let sign = secret::sign(key, &format!("{account}\0{nonce}"));
    set(app, response, device_name(app.settings.is_secure()), &format!("{nonce}.{sign}"), Some(DEVICE_SECONDS));
}

/// What the browser is known by, when this account signed in there before.
pub(crate) fn known_device(app: &App, headers: &HeaderMap, key: &str, account: &str) -> Option<String> {
    let value = read_cookie(headers, device_name(app.settings.is_secure()))?;
    let (nonce, sign) = value.split_once('.')?;
    secret::same(&secret::sign(key, &format!("{account}\0{nonce}")), sign).then(|| nonce.to_owned())
}
