//! Errors of the API as problem details, RFC 9457.
//!
//! `code` is stable and `type` is a page of this server that explains it; `at` and `len` point into a query, counted in
//! characters; `instead` is what was likely meant there.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::page::fault::{Fault, add_retry};

/// Every code, with its title in the language of the API.
const TITLES: &[(&str, &str)] = &[
    ("query", "The query cannot be understood"),
    ("query-too-long", "The query is too long"),
    ("cursor", "The cursor is not valid; start again from the first page"),
    ("forgotten", "What was known then is no longer kept"),
    ("parameter", "A parameter is missing, unknown or malformed"),
    ("address", "Not an IPv4 or IPv6 address"),
    ("hash", "Not the name of a piece of evidence"),
    ("host-not-seen", "Nothing was ever seen at this address"),
    ("evidence-not-stored", "No such evidence is stored"),
    ("endpoint", "Not an endpoint as 203.0.113.9:1337-tcp"),
    ("endpoint-not-told", "Nothing was ever told of this endpoint"),
    ("collector-account", "The collector's account cannot be read; the log says why"),
    ("unwitnessed", "The look could not be written into the ledger; nothing is shown without that"),
    ("watch", "The saved query cannot be kept"),
    ("watch-not-saved", "No saved query has this name"),
    ("no-organisation", "There is no such organisation for you to act for"),
    ("no-channel", "There is no channel of this name"),
    ("sign-in", "Sign in first, or send an API key"),
    ("not-entitled", "This is not for you to see"),
    ("refused", "This cannot be done"),
    ("state", "The accounts cannot be read; the log says why"),
    ("form-token", "This form is not of this session"),
    ("wrong-password", "Name and password do not belong together"),
    ("too-many-tries", "Too many tries; Retry-After says when to come again"),
    ("no-account", "This is for people who sign in with a browser"),
    ("invitation", "This invitation was used, is too old, or never was"),
    ("passkey", "This passkey was not accepted"),
    ("again", "Show again that it is you, at /account/again"),
    ("provider", "The identity provider cannot be asked at this moment; the log says why"),
    ("provider-refused", "The sign-in elsewhere was not accepted; begin again"),
    ("identity-unknown", "Nobody here has this account elsewhere"),
    ("past-proxy", "This server is reached through its proxy"),
    ("not-found", "There is nothing here"),
    ("method", "This can only be read (GET, HEAD)"),
    ("wrong-host", "This server answers to localhost, 127.0.0.1 and [::1] only"),
    ("other-site", "Pages of other sites may open pages of this server and load nothing else"),
    ("body-not-accepted", "This server takes no request bodies"),
    ("target-too-long", "The request target is too long"),
    ("busy", "Too many are reading at this moment; try again shortly"),
    ("timeout", "The answer took too long"),
    ("internal", "The lake could not be read; the log says why"),
];

/// Every code. Never rename, only add.
pub(crate) const CODES: [&str; TITLES.len()] = {
    let mut codes = [""; TITLES.len()];
    let mut place = 0;
    while place < TITLES.len() {
        codes[place] = TITLES[place].0;
        place += 1;
    }
    codes
};

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    about: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<&'a str>,
}

/// The answer of the API to a request that went wrong.
pub(crate) fn respond(fault: &Fault) -> Response {
    let title = TITLES.iter().find(|(code, _)| *code == fault.code).map_or(fault.code, |(_, title)| *title);
    let problem = Problem {
        about: format!("/about#problem-{}", fault.code),
        title,
        status: fault.status.as_u16(),
        code: fault.code,
        detail: fault.detail.as_deref(),
        at: fault.span.map(|(at, _)| at),
        len: fault.span.map(|(_, len)| len),
        instead: fault.instead.as_deref(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
    let mut response = (fault.status, headers, body).into_response();
    add_retry(&mut response, fault.status);
    response
}
