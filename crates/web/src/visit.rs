//! One visit to a page: who asks in which language for what.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;

use crate::app::App;
use crate::auth::Caller;
use crate::auth::form::token_of;
use crate::language::{COOKIE_NAME, Language};
use crate::limits::MAX_PARAMETERS;
use crate::link;
use crate::server::Simulated;
use crate::words::Words;

/// What a page handler knows of its request.
pub(crate) struct Visit {
    /// The texts of the visitor's language.
    pub(crate) words: Words,
    /// What is shown is a demonstration.
    pub(crate) simulated: Option<Simulated>,
    /// Who it is, where that is known.
    pub(crate) caller: Option<Caller>,
    path: String,
    parameters: Vec<(String, String)>,
    chosen: Option<Language>,
}

impl Visit {
    pub(crate) fn new(app: &App, uri: &Uri, headers: &HeaderMap) -> Self {
        let parameters: Vec<(String, String)> = Query::try_from_uri(uri).map_or_else(|_| Vec::new(), |Query(all)| all);
        let parameters: Vec<_> = parameters.into_iter().take(MAX_PARAMETERS).collect();
        let asked = parameters.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.as_str());
        let chosen = asked.and_then(Language::from_tag);
        let language = chosen.unwrap_or_else(|| Language::from_headers(headers));
        let words = app.catalogues.words(language);
        Self { words, simulated: app.simulated, caller: None, path: uri.path().to_owned(), parameters, chosen }
    }

    /// The first value of a parameter; empty counts as absent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(each, _)| each == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// What the forms of this visitor carry; empty where nobody signed in.
    pub(crate) fn form_token(&self) -> String {
        token_of(self.caller.as_ref()).unwrap_or_default().to_owned()
    }

    /// This page in another language, the rest of the address kept.
    pub(crate) fn in_language(&self, language: Language) -> String {
        let kept = self.parameters.iter().filter(|(name, _)| name != "lang");
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        link::with_parameters(&self.path, kept.chain([("lang", language.tag())]))
    }

    /// Remembers a language that was chosen by `?lang=`.
    pub(crate) fn remember(&self, response: &mut Response) {
        let Some(language) = self.chosen else { return };
        let cookie = format!("{COOKIE_NAME}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", language.tag());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self { caller: parts.extensions.get().cloned(), ..Self::new(app, &parts.uri, &parts.headers) })
    }
}
