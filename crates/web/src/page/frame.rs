//! What is around every page: head, navigation, choice of language, foot.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::asset;
use crate::auth::Caller;
use crate::language::Language;
use crate::seen::Seen;
use crate::server::Simulated;
use crate::visit::Visit;
use crate::words::Words;

/// A language the page can be had in.
pub(crate) struct Choice {
    pub(crate) tag: &'static str,
    pub(crate) name: &'static str,
    pub(crate) href: String,
    pub(crate) current: bool,
}

/// What is around a page.
pub(crate) struct Frame {
    pub(crate) w: Words,
    /// In the window's title, before the name of the program.
    pub(crate) title: Seen,
    /// Which entry of the navigation is this page: `overview`, `search`, `watch`, `surveys`, `flow`, `guide`, `about`, or empty.
    pub(crate) here: &'static str,
    pub(crate) choices: Vec<Choice>,
    /// Says that the devices are simulated, when they are.
    pub(crate) simulated: Option<String>,
    /// The name of who signed in.
    pub(crate) account: Option<Seen>,
    /// What forms carry.
    pub(crate) token: String,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) logo: String,
}

impl Frame {
    pub(crate) fn new(visit: &Visit, title: &str, here: &'static str) -> Self {
        let current = visit.words.language();
        let choice = |language: Language| Choice {
            tag: language.tag(),
            name: language.own_name(),
            href: visit.in_language(language),
            current: language == current,
        };
        Self {
            w: visit.words.clone(),
            title: Seen::word(title),
            here,
            simulated: visit.simulated.map(|town| simulated(&visit.words, town)),
            account: visit
                .caller
                .as_ref()
                .and_then(Caller::signed_in)
                .map(|(person, ..)| Seen::word(&person.full_name)),
            token: visit.form_token(),
            choices: Language::ALL.into_iter().map(choice).collect(),
            style: asset::address("style.css"),
            script: asset::address("hinomi.js"),
            logo: asset::address("logo.svg"),
        }
    }

    pub(crate) fn lang(&self) -> &'static str {
        self.w.language().tag()
    }
}

fn simulated(words: &Words, town: Simulated) -> String {
    words.with("simulated", words.count("simulated-devices", town.devices))
}

/// The answer with a page. Records are not for the disk cache of a browser.
pub(crate) fn render(visit: &Visit, status: StatusCode, page: &impl Template) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_LANGUAGE, HeaderValue::from_static(visit.words.language().tag())),
        (VARY, HeaderValue::from_static("accept-language, cookie")),
    ];
    let mut response = (status, headers, html).into_response();
    visit.remember(&mut response);
    response
}
