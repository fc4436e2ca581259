//! Forms that change something: read whole and bounded, and taken from our own pages only.
//!
//! Each form of somebody who is signed in carries what only a page of that session knows, besides what the browser says
//! of where it comes from ([`crate::guard`]).

use axum::body::to_bytes;
use axum::extract::{FromRequest, Query, Request};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use hinomi_state::secret;

use super::admit::{FIRST, SIGN_IN};
use super::{By, Caller};
use crate::app::App;
use crate::limits::{MAX_FORM_BYTES, MAX_PARAMETERS};
use crate::page::fault::{Fault, answer};

/// The field that shows that a form is of this session.
pub(crate) const TOKEN: &str = "token";

/// The fields of a form.
#[derive(Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// The field of this name; absent is empty. Of two, the first.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The field of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// Every value of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        // A form is written as the query of an address is.
        let uri: Result<Uri, _> = format!("/?{text}").parse();
        let all = uri.ok().and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
        Self(all.map_or_else(Vec::new, |Query(all)| all.into_iter().take(MAX_PARAMETERS).collect()))
    }
}

/// What a form of this caller must carry; nothing where nobody signed in.
pub(crate) fn token_of(caller: Option<&Caller>) -> Option<&str> {
    match caller {
        Some(Caller::Person(known)) => match &known.by {
            By::Session { form, .. } => Some(form),
            By::Key { .. } => None,
        },
        _ => None,
    }
}

impl FromRequest<App> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let refuse = |status, code| answer(app, &parts.uri, &parts.headers, &Fault::new(status, code));
        let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else {
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "body-not-accepted"));
        };
        let form = Self::read(&body);
        // Who signs in again in another window is asked for nothing that the page before did not have.
        let signs_in = parts.uri.path() == SIGN_IN || parts.uri.path() == FIRST;
        match token_of(parts.extensions.get()) {
            Some(token) if !signs_in && !secret::same(form.get(TOKEN), token) => {
                Err(refuse(StatusCode::FORBIDDEN, "form-token"))
            }
            _ => Ok(form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let form = Form::read("a=1+2&b=%E7%81%AB&a=3&c".as_bytes());
        assert_eq!((form.get("a"), form.get("b"), form.get("d")), ("1 2", "火", ""));
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1 2", "3"]);
        assert!(Form::read(b"\xff\x00&&&=").get("x").is_empty());
        let many = "x=1&".repeat(10_000);
        assert!(Form::read(many.as_bytes()).all("x").count() <= MAX_PARAMETERS);
    }
}
